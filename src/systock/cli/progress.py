"""Showing progress on standard error: moving bars on a terminal, one line per finished stage elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import TaskID


class PlainProgress:
    """One line per stage, when it ends: for logs."""

    moves = False

    def __init__(self) -> None:
        self._name, self._done, self._detail, self._began = "", 0, "", 0.0
        self._asked: dict[str, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._finish()
        elif self._name:
            sys.stderr.write(f"{self._name}: not finished\n")

    def stage(self, name: str, total: int | None = None) -> None:
        """A new stage begins, the one before has ended."""
        self._finish()
        self._name, self._done, self._detail, self._began = name, 0, "", time.monotonic()

    def advance(self, n: int = 1, detail: str = "") -> None:
        """n more are done."""
        self._done += n
        self._detail = detail

    def note(self, text: str) -> None:
        """Something worth saying beside the stages."""
        sys.stderr.write(text + "\n")

    def asked(self, source: str, table: str, rows: int, done: bool) -> None:
        """A source that is asked: one line when it is done."""
        began = self._asked.setdefault(source, time.monotonic())
        if done:
            sys.stderr.write(f"{source}: {rows:,} lines, {time.monotonic() - began:.1f} s\n")
            del self._asked[source]

    def _finish(self) -> None:
        if self._name:
            count = f"{self._done:,}, " if self._done else ""
            sys.stderr.write(f"{self._name}: {count}{time.monotonic() - self._began:.1f} s\n")
        self._name = ""


class BarProgress:
    """A bar per stage: for a terminal."""

    moves = True

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._bars = Progress(
            SpinnerColumn(finished_text="[green]✓"),
            TextColumn("{task.description:<12}", markup=False),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[detail]}", markup=False, style="dim"),
            console=Console(file=sys.stderr),
        )
        self._task: TaskID | None = None
        self._asked: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._finish()
        self._bars.stop()

    def stage(self, name: str, total: int | None = None) -> None:
        """A new stage begins, the one before has ended."""
        self._finish()
        self._task = self._bars.add_task(name, total=total, detail="")

    def advance(self, n: int = 1, detail: str = "") -> None:
        """n more are done."""
        if self._task is not None:
            self._bars.update(self._task, advance=n, detail=detail)

    def note(self, text: str) -> None:
        """Something worth saying beside the stages."""
        self._bars.console.print(text, markup=False, highlight=False)

    def asked(self, source: str, table: str, rows: int, done: bool) -> None:
        """A source that is asked: a line of its own, with the rows fetched so far."""
        if source not in self._asked:
            self._asked[source] = self._bars.add_task(source, total=None)
        end = max(rows, 1) if done else None
        self._bars.update(
            self._asked[source], completed=end or rows, total=end, detail=f"{table} {rows:,} lines".strip()
        )
        if done:
            del self._asked[source]

    def _finish(self) -> None:
        if self._task is not None:
            task = self._bars.tasks[self._bars.task_ids.index(self._task)]
            done = max(task.completed, 1)
            self._bars.update(self._task, total=done, completed=done, detail="")
        self._task = None


def show_progress() -> PlainProgress | BarProgress:
    """What suits standard error."""
    return BarProgress() if sys.stderr.isatty() else PlainProgress()
