"""Progress: quiet lines for logs, and a bar on a terminal that ends cleanly."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys

import pytest

from systock.cli.progress import BarProgress, PlainProgress

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


def test_sources_that_are_asked_have_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    with PlainProgress() as progress:
        progress.asked("erp", "sales", 5, False)
        progress.asked("web", "orders", 7, False)
        progress.asked("erp", "", 1234, True)
    said = capsys.readouterr().err
    assert re.fullmatch(r"erp: 1,234 lines, \d+\.\d s\n", said)


def test_sources_that_are_asked_have_a_bar_each() -> None:
    progress = BarProgress()
    progress.asked("erp", "sales", 5, False)
    progress.asked("web", "orders", 7, False)
    progress.asked("erp", "sales", 1234, False)
    progress.asked("web", "", 7, True)
    erp, web = progress._bars.tasks
    assert (erp.description, erp.completed, erp.fields["detail"], erp.finished) == (
        "erp",
        1234,
        "sales 1,234 lines",
        False,
    )
    assert (web.finished, web.fields["detail"]) == (True, "7 lines")
