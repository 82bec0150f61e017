"""The steps of a run, timed: who watches its progress learns how long each entity and table took."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from systock.pipeline_manager.state import Step

if TYPE_CHECKING:
    from systock.pipeline_manager.build import Progress

_STORED = "stored lines, by commit"


class StepClock:
    """Progress that is passed on, and timed: the time up to an advance belongs to what its detail names."""

    def __init__(self, inner: Progress) -> None:
        self._inner, self._stage, self._mark = inner, "", time.perf_counter()
        self._seconds: dict[tuple[str, str], float] = {}

    def stage(self, name: str, total: int | None = None) -> None:
        """A new stage begins, the one before has ended."""
        self._take("")
        self._stage = name
        self._inner.stage(name, total)

    def quietly(self, name: str) -> None:
        """A new stage begins that only the log tells of; '' for none."""
        self._take("")
        self._stage = name

    def advance(self, n: int = 1, detail: str = "") -> None:
        """n more are done: `detail` names what, where the stage is one of tables."""
        if self._stage in ("conform", "refresh"):
            self._take(_STORED if detail.startswith("commit ") else detail)
        self._inner.advance(n, detail)

    def note(self, text: str) -> None:
        """Something worth saying beside the stages."""
        self._inner.note(text)

    def asked(self, source: str, table: str, rows: int, done: bool) -> None:
        """A source that is asked: how far it is."""
        self._inner.asked(source, table, rows, done)

    def _take(self, name: str) -> None:
        now = time.perf_counter()
        if self._stage:
            step = (self._stage, name)
            self._seconds[step] = self._seconds.get(step, 0.0) + now - self._mark
        self._mark = now

    def steps(self, rows: Mapping[tuple[str, str], int]) -> list[Step]:
        """What was timed so far, in order, with the rows known of a step; landing is timed by the tables landed."""
        self._take("")
        return [
            Step(stage, name, seconds, rows.get((stage, name)))
            for (stage, name), seconds in self._seconds.items()
            if stage != "land"
        ]


def extract_steps(sources: Iterable[Mapping[str, Any]], seconds: float) -> list[Step]:
    """What each raw table's files took to be read and stored; the rest of the time went into listing and landing."""
    steps = [Step("extract", f"{row['source']}.{row['table']}", row["seconds"], row["lines"]) for row in sources]
    rest = max(0.0, seconds - sum(step.seconds for step in steps))
    return [*steps, Step("land", "", rest, sum(step.rows or 0 for step in steps))]


def rows_of(entities: Iterable[Mapping[str, Any]], tables: Iterable[Mapping[str, Any]], checks: int) -> dict[Any, int]:
    """The rows that steps handled: lines judged per entity, rows written or removed per table, checks made."""
    rows: dict[Any, int] = {("check", ""): checks}
    for entity in entities:
        rows["conform", f"{entity['entity']} of {entity['source']}"] = entity["lines"]
    for table in tables:
        rows["refresh", table["table"]] = table["written"] + table["removed"]
    return rows
