"""docs/time.md is true: its files are written and its commands run, in the order of the page."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "time.md"


def blocks(page: str) -> list[tuple[str, str]]:
    """The indented blocks of a page, each with the file name that the line before it gives in backquotes, else ''."""
    found = []
    for match in re.finditer(r"(?:^`([^`]+)`:\n\n)?((?:^    .*\n|^\n(?=    ))+)", page, re.MULTILINE):
        found.append((match[1] or "", re.sub(r"^    ", "", match[2], flags=re.MULTILINE)))
    return found


def test_the_page_does_what_it_says(tmp_path: Path) -> None:
    commands = 0
    for name, text in blocks(PAGE.read_text()):
        if name:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
            continue
        for command, expected in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", text, re.MULTILINE):
            word, *arguments = shlex.split(command)
            assert word == "systock"
            done = subprocess.run(
                [sys.executable, "-m", "systock", *arguments],
                cwd=tmp_path, capture_output=True, text=True, env={**os.environ, "NO_COLOR": "1"},
            )  # fmt: skip
            assert done.returncode == 0, f"{command}\n{done.stderr}"
            assert not expected or done.stdout == expected, f"{command}\n{done.stdout}"
            commands += 1
    assert commands == 14
