"""systock schedule: runs and snapshots by themselves."""

from __future__ import annotations

import os
import select
import signal
from types import FrameType
from typing import Annotated

import typer

from systock.cli.common import HERE, Format, FormatOption, ProjectOption, open_project


def schedule(
    project: ProjectOption = HERE,
    once: Annotated[bool, typer.Option("--once", help="Do what is due now, then end: for cron or a timer.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what is due and what comes next.")] = False,
    form: FormatOption = Format.table,
) -> None:
    """Run by the cron expressions of the settings, until stopped.

    Ticks that were missed are made up for by one run. The first Ctrl-C or SIGTERM lets the run at work end; a second
    one does not.
    """
    from systock.cli.rows import note, print_rows

    opened = open_project(project)
    if dry_run:
        print_rows(opened.schedule(), form, empty="Nothing is scheduled: see [schedule] in docs/settings.md")
        return
    scheduler = opened.scheduler(_Stop(), note)
    if not once:
        scheduler.forever()
    elif not scheduler.once():
        raise typer.Exit(1)


class _Stop:
    """A request to end, made by a signal. The pipe wakes up who waits, without a lock that a handler could wait for."""

    def __init__(self) -> None:
        self.asked = False
        self._reader, self._writer = os.pipe()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        os.write(self._writer, b".")
        signal.signal(number, signal.SIG_DFL)  # the next one ends the process as a crash would, which is safe

    def wait(self, seconds: float) -> None:
        """Wait; less, once asked to end."""
        select.select([self._reader], [], [], seconds)
