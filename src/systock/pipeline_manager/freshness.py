"""What is expected of sources, set or learned from what landed: how soon the next batch comes, how many lines it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from systock.extract.pull import DELETED_AT
from systock.pipeline_manager.state import Notice

if TYPE_CHECKING:
    from systock.config import Settings
    from systock.etl_pipeline.bronze_layer.landing_log import Batch, LandingLog

#: What is learned is learned from so many of the last deliveries, once there are as many as LEAST.
LAST, LEAST = 30, 10
#: Before deliveries have come for so long, nothing is known of how often they do.
LEAST_TIME = timedelta(days=7)


@dataclass(frozen=True)
class Freshness:
    """When the newest batch of a source became known, and the span within which the next one is due.

    is_learned: the span is twice the longest one between the last deliveries, not one of the settings.
    """

    source: str
    fresh_at: datetime | None
    fresh_within: timedelta | None
    is_learned: bool = False

    @property
    def late_at(self) -> datetime | None:
        """The instant from which the source is late, unless something comes."""
        return self.fresh_at + self.fresh_within if self.fresh_at and self.fresh_within else None

    def is_late(self, now: datetime) -> bool | None:
        """Is it late? None where nothing is expected. A source of which nothing ever came is late."""
        if self.fresh_within is None:
            return None
        return self.late_at is None or now > self.late_at


def freshness(settings: Settings, log: LandingLog) -> list[Freshness]:
    """Every source's freshness."""
    found = []
    for name, source in settings.sources.items():
        instants = log.known_at_of(name)
        newest, set_span = (instants[-1] if instants else None), source.fresh_within
        if set_span == "any":
            found.append(Freshness(name, newest, None))
        elif set_span is not None:
            found.append(Freshness(name, newest, set_span))
        else:
            span = _usual_span(instants)
            found.append(Freshness(name, newest, span, span is not None))
    return found


def _usual_span(instants: Sequence[datetime]) -> timedelta | None:
    """Twice the longest of the last spans between deliveries; None while too few came."""
    last = instants[-LAST - 1 :]
    if len(last) <= LEAST or last[-1] - last[0] < LEAST_TIME:
        return None
    return 2 * max(after - before for before, after in pairwise(last))


@dataclass(frozen=True)
class Volume:
    """How many lines the newest batch of a table has, and how many are expected: the least and the most.

    is_learned: half of the least and twice the most of the last batches before it, not those of the settings.
    """

    batch: Batch
    expected: tuple[int, int] | None
    is_learned: bool

    @property
    def is_odd(self) -> bool | None:
        """Are there fewer or more? None where nothing is expected."""
        return self.expected and not self.expected[0] <= self.batch.lines <= self.expected[1]

    @property
    def text(self) -> str:
        """What is odd about it."""
        least, most = self.expected or (0, 0)
        basis = "learned from the last ones" if self.is_learned else "set"
        return (
            f"{self.batch.source}.{self.batch.table}: {self.batch.lines:,} lines in {self.batch.path}, "
            f"{least:,} to {most:,} are expected ({basis})"
        )


def volumes(settings: Settings, batches: Sequence[Batch], after_commit: int = 0) -> list[Volume]:
    """What is expected of each batch that brought something new in a commit with a higher number.

    batches: those of one table, in their order; such as tell of deleted rows have no usual number of them.
    """
    new = [batch for batch in batches if batch.repeat_of is None and DELETED_AT not in batch.columns]
    found = []
    for number, batch in enumerate(new):
        source = settings.sources.get(batch.source)
        if batch.commit_no <= after_commit or source is None or batch.table not in source.tables:
            continue
        set_span = source.tables[batch.table].expected_lines
        before = [other.lines for other in new[max(0, number - LAST) : number]]
        if set_span == "any" or (set_span is None and len(before) < LEAST):
            found.append(Volume(batch, None, False))
        elif set_span is not None:
            found.append(Volume(batch, set_span, False))
        else:
            found.append(Volume(batch, (min(before) // 2, 2 * max(before)), True))
    return found


def newest_volume(settings: Settings, batches: Sequence[Batch]) -> Volume | None:
    """What is expected of the newest batch of a table that brought something new."""
    for batch in reversed(batches):
        if found := volumes(settings, batches, batch.commit_no - 1):
            return found[-1]
    return None


def odd_volumes(settings: Settings, log: LandingLog, after_commit: int) -> list[Volume]:
    """The batches of later commits that have fewer or more lines than expected."""
    landed = log.batches(after_commit=after_commit)
    odd = []
    for source, table in sorted({(batch.source, batch.table) for batch in landed}):
        found = volumes(settings, log.batches(source=source, table=table), after_commit)
        odd += [volume for volume in found if volume.is_odd]
    return odd


def late_notices(settings: Settings, log: LandingLog, now: datetime) -> list[Notice]:
    """What is to be told of sources that are late, once for each delivery that did not come."""
    name = settings.project.name
    return [
        Notice(
            "late", late.source, _text(late.fresh_at), f"{name}: source {late.source} is late",
            f"The newest batch of {late.source} became known at {_text(late.fresh_at)}; one was due within {late.fresh_within}"
            f"{', twice the longest time between the last ones' if late.is_learned else ''}."
            if late.fresh_at else f"Nothing of {late.source} has landed yet.",
        )
        for late in freshness(settings, log) if late.is_late(now)
    ]  # fmt: skip


def volume_notices(settings: Settings, odd: Sequence[str]) -> list[Notice]:
    """What is to be told of batches that have too few or too many lines, once for each."""
    name = settings.project.name
    return [Notice("volume", text, "", f"{name}: an unusual number of lines", f"{text}.") for text in odd]


def _text(instant: datetime | None) -> str:
    return instant.isoformat(sep=" ", timespec="seconds") if instant else "never"
