"""docs/time.md is true: its files are written and its commands run, in the order of the page."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from pathlib import Path

import pytest

from systock.cli.app import main

PAGE = Path(__file__).parents[2] / "docs" / "time.md"


def blocks(page: str) -> list[tuple[str, str]]:
    """The indented blocks of a page, each with the file name that the line before it gives in backquotes, else ''."""
    found = []
    for match in re.finditer(r"(?:^`([^`]+)`:\n\n)?((?:^    .*\n|^\n(?=    ))+)", page, re.MULTILINE):
        found.append((match[1] or "", re.sub(r"^    ", "", match[2], flags=re.MULTILINE)))
    return found


def test_the_page_does_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    commands = 0
    for name, text in blocks(PAGE.read_text()):
        if name:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
            continue
        for command, expected in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", text, re.MULTILINE):
            word, *arguments = shlex.split(command)
            assert word == "systock"
            out, err = io.StringIO(), io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = main(arguments)
            assert code == 0, f"{command}\n{err.getvalue()}"
            assert not expected or out.getvalue() == expected, f"{command}\n{out.getvalue()}"
            commands += 1
    assert commands == 14
