"""Progress: quiet lines for logs, and a bar on a terminal that ends cleanly."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys

import pytest

from systock.cli.progress import PlainProgress

SHOW = """
import sys
from systock.cli.progress import show_progress
with show_progress() as progress:
    progress.stage("extract", 3)
    progress.advance(2, "[b]a.csv")
    progress.note("[red]x[/red]")
    progress.advance(1)
    progress.stage("publish", None)
sys.stdout.write("result\\n")
"""


def test_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with PlainProgress() as progress:
        progress.stage("extract", 3)
        progress.advance(2, "a.csv")
        progress.note("said")
        progress.advance(1)
        progress.stage("publish")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert re.fullmatch(r"said\nextract: 3, \d\.\d s\npublish: \d\.\d s\n", shown.err)


def test_a_stage_that_failed_is_not_called_done(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError), PlainProgress() as progress:
        progress.stage("extract")
        raise ZeroDivisionError
    assert capsys.readouterr().err == "extract: not finished\n"


def test_bars_on_a_terminal_only_touch_standard_error() -> None:
    leader, follower = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    done = subprocess.run(
        [sys.executable, "-c", SHOW], stdout=subprocess.PIPE, stderr=follower, env=environment, check=True
    )
    os.close(follower)
    shown = b""
    while True:
        try:
            chunk = os.read(leader, 65536)
        except OSError:
            break
        if not chunk:
            break
        shown += chunk
    os.close(leader)
    assert done.stdout == b"result\n"
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode())
    assert "[red]x[/red]" in text
    assert "3/3" in text
    assert text.count("✓") >= 2
