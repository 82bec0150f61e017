"""Taking snapshots: capture from the published warehouse, land in bronze as batches of source systock, take in and publish.

What a snapshot lands is made from what is known and tells nothing new. So it lands right after the newest of it, by a
microsecond, and not by the clock: files of an archive that land afterwards keep the later instants that they state.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from systock.data_warehouse.snapshots import SNAPSHOT_SOURCE, TAKEN, Asked, captures
from systock.errors import SystockError, TargetError, UsageError
from systock.etl_pipeline.bronze_layer.land_batches import Rows, store_commits
from systock.pipeline_manager.business_days import day_of, end_of, instant_of
from systock.pipeline_manager.definitions import Definitions
from systock.pipeline_manager.land_captures import (
    BEFORE_ALL,
    holds_all_snapshots,
    is_derived,
    known_of,
    land_captures,
    rows_to_land,
)
from systock.pipeline_manager.lock import project_lock
from systock.pipeline_manager.publish_target import publish_target
from systock.pipeline_manager.run_pipeline import build_and_publish
from systock.pipeline_manager.state import State
from systock.pipeline_manager.workplace import Workplace

if TYPE_CHECKING:
    from systock.config import ProjectSettings
    from systock.data_warehouse.compiled import CompiledTable
    from systock.data_warehouse.engine.base import Engine
    from systock.data_warehouse.snapshots import Capture
    from systock.etl_pipeline.bronze_layer.landing_log import LandingLog
    from systock.pipeline_manager.build import Progress
    from systock.pipeline_manager.state import Published

#: The first business day with any sale or stock; NULL where there is none.
_FIRST_DAY = """SELECT min(business_date) FROM (
    SELECT business_date FROM gold.stock_ledger UNION ALL SELECT business_date FROM gold.fact_sale_line) AS fact"""
#: What the position of a close says before the day.
_CLOSE = " at the close of "


@dataclass(frozen=True)
class Moment:
    """What a snapshot tells of: an instant and its business day.

    is_close: it is that day's close, which is kept once; is_derived: it is rebuilt later (None: judged by what is known).
    """

    instant: datetime
    day: date
    is_close: bool = False
    is_derived: bool | None = None


def take_snapshots(
    place: Workplace, kinds: list[str] | None, as_of: str | None, progress: Progress
) -> list[dict[str, Any]]:
    """Take a snapshot of each kind (None: of all) as of an instant or a day (its end), from what is published; returns what was taken."""
    moment = Moment(*point_in_time(as_of, place.settings.project))
    if moment.instant > datetime.now(UTC):
        raise UsageError(
            f"{as_of} is not over yet" if len(as_of or "") == 10 else f"{as_of} is still to come",
            where="--as-of", state="Nothing was kept.",
            todo=f"Nobody can know that state before {moment.instant.isoformat(timespec='seconds')}: leave --as-of out for the state of now.",
        )  # fmt: skip
    taken = _take(place, kinds, [moment], progress, "systock snapshot take")
    with place.connect(place.warehouse, read_only=True) as engine:
        [(first,)] = engine.rows(_FIRST_DAY)
    if first is not None and moment.day < first:
        numbers = ", ".join(dict.fromkeys(str(fact["snapshot_no"]) for fact in taken))
        progress.note(
            f"Warning: nothing was sold or moved before {first}, so snapshot {numbers} as of {moment.day} tells of none of it; it is kept."
        )
    return taken


def take_closes(place: Workplace, closes: Sequence[Moment], progress: Progress) -> list[dict[str, Any]]:
    """Keep the closes of business days, oldest first: every kind of each, from what is published."""
    return _take(place, None, closes, progress, "systock schedule")


def days_kept(log: LandingLog) -> set[date]:
    """The business days whose close has landed."""
    batches = log.batches(source=SNAPSHOT_SOURCE, table=TAKEN)
    return {date.fromisoformat(b.path.partition(_CLOSE)[2]) for b in batches if _CLOSE in b.path}


def _take(
    place: Workplace, kinds: list[str] | None, moments: Sequence[Moment], progress: Progress, command: str
) -> list[dict[str, Any]]:
    """Capture and land the moments in their order, each against the one before; then take them in and publish once."""
    definitions = Definitions(place.project_dir, place.settings)
    with project_lock(place.state_dir, command), closing(State(place.state_dir)) as state:
        log, published = place.log(), state.published()
        if published is None or not place.warehouse.exists():
            raise UsageError("nothing is published yet", todo="Run 'systock run' first.")
        if published.definitions != definitions.hash:
            raise UsageError(
                "the definitions changed since the last run", todo="Run 'systock run' first, then take the snapshot."
            )
        published = _bring_up(place, state, log, definitions, progress) or published
        tables = [table for table in definitions.snapshot_tables if kinds is None or table.name in kinds]
        taken = _land(place, log, tables, moments, published, progress)
        build_and_publish(place, state, log, definitions, progress)
        try:
            publish_target(place, definitions, progress)
        except SystockError as error:  # what was taken is kept all the same
            progress.note(f"{error}\n  The snapshot is kept; the next run brings it to the server.")
    return taken


def _bring_up(
    place: Workplace, state: State, log: LandingLog, definitions: Definitions, progress: Progress
) -> Published | None:
    """Take in the snapshots that landed and are not published: the next is stored as changes against them.

    First what was captured on the server lands: it was reported before what is taken now.
    """

    def build() -> None:
        build_and_publish(place, state, log, definitions, progress)

    try:
        land_captures(place, state, log, definitions, progress, build)
    except TargetError as error:
        progress.note(f"{error}\n  What was captured there lands with the next run.")
    if not holds_all_snapshots(place, state.published(), log, definitions):
        build()
    return state.published()


def point_in_time(as_of: str | None, project: ProjectSettings, option: str = "--as-of") -> tuple[datetime, date]:
    """The instant asked for and its business day in the project's zone; a day means its end, nothing means now."""
    zone, cutover = project.timezone, project.business_day_cutover
    try:
        if as_of is not None and len(as_of) == 10:
            day = date.fromisoformat(as_of)
            return end_of(day, zone, cutover), day
        instant = datetime.fromisoformat(as_of) if as_of is not None else datetime.now(UTC)
        instant = instant.astimezone(UTC) if instant.tzinfo else instant_of(instant, zone)
        return instant, day_of(instant, zone, cutover)
    except (ValueError, OverflowError):
        raise UsageError(
            f"{as_of!r} is neither a day nor an instant",
            where=option,
            todo="Write 2024-05-31 or 2024-05-31T18:00:00+02:00.",
        ) from None


def _land(
    place: Workplace,
    log: LandingLog,
    tables: Sequence[CompiledTable],
    moments: Sequence[Moment],
    published: Published,
    progress: Progress,
) -> list[dict[str, Any]]:
    """Land each moment's states as a commit of their own, in the order of the moments; the lines in the list of snapshots.

    They land some at a time. What a crash leaves are whole commits, of the first moments.
    """
    known_at, now = published.known_at, datetime.now(UTC)
    known = datetime.fromisoformat(known_at) if known_at else None
    asked = [_asked(moment, known, now) for moment in moments]
    facts: list[tuple[int, dict[str, Any]]] = []

    def commits(engine: Engine) -> Iterator[list[Rows]]:
        states = [captures(engine, table, engine.column_types(table), asked) for table in tables]  # type: ignore[arg-type]  # reads names and types only
        for number, moment in enumerate(moments):
            deliveries: list[Rows] = []
            for table, state in zip(tables, states, strict=True):
                captured = next(state)
                fact = _fact(table.name, moment, known, captured)
                facts.append((number, fact))
                position = f"{table.name} as of {moment.instant.isoformat()} known at {known_at or 'the beginning'}"
                if moment.is_close:
                    position = f"{table.name}{_CLOSE}{moment.day}"
                derived = fact["is_derived"]
                deliveries += rows_to_land(table.name, moment.instant, known_at, derived, captured, position, now)
                progress.advance(1, table.name)
            yield deliveries

    progress.stage("capture", len(moments) * len(tables))
    with place.connect(place.warehouse, read_only=True) as engine:
        landed = store_commits(log, commits(engine), known_at=known_of(published))
    return [{"snapshot_no": landed[number][0].commit_no, **fact} for number, fact in facts]


def _asked(moment: Moment, known: datetime | None, now: datetime) -> Asked:
    # A day's last instant is a microsecond before the next begins. A source may state what is still to come.
    ended_by = max(moment.instant + timedelta(microseconds=1), min(known or BEFORE_ALL, now))
    return Asked(moment.instant, moment.day, ended_by)


def _fact(kind: str, moment: Moment, known: datetime | None, captured: Capture) -> dict[str, Any]:
    """A snapshot's line in the list of them, but for its number."""
    derived = is_derived(moment.day, known) if moment.is_derived is None else moment.is_derived
    return {
        "kind": kind, "as_of": moment.instant, "known_at": known, "is_derived": derived,
        "row_count": captured.row_count, "changes": captured.changes.num_rows,
    }  # fmt: skip
