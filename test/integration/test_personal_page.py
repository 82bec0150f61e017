"""docs/personal-data.md is true: its files are written and its commands run, and no value of the person is left."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import pytest

from integration.test_time_page import blocks
from plain_values import places_of
from small_chain import take_compiled
from systock.cli.app import main

PAGE = Path(__file__).parents[2] / "docs" / "personal-data.md"


def test_the_page_does_what_it_says(
    tmp_path: Path, first_project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = PAGE.read_text("utf-8")
    [key] = re.findall(r"Here it is `(\w+)`", page)
    monkeypatch.setenv("PERSONAL_KEY", key)
    monkeypatch.setenv("SYSTOCK_PROJECT", str(tmp_path))
    take_compiled(first_project, tmp_path)
    done = []
    for name, text in blocks(page):
        if name:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text, "utf-8")
            os.utime(tmp_path / name, (1_704_067_200, 1_704_067_200))
        for command, expected in re.findall(r"^\$ systock (.*)\n((?:(?!\$ ).*\n)*)", text, re.MULTILINE):
            code = main(shlex.split(command))
            shown = capsys.readouterr()
            assert code == 0, f"{command}\n{shown.err}"
            assert not expected or shown.out == expected, f"{command}\n{shown.out}"
            done.append(command.split()[0])
            if done == ["run"]:
                assert places_of(tmp_path, ["jane@", "0731 5551", "0228 5552"]) == []
    assert done == ["run", "query", "erase", "erase", "query", "rebuild", "erase"]
    assert places_of(tmp_path, ["jane@", "0731 5551", "'Ulm'"]) == []
