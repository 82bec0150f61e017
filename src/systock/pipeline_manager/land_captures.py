"""Landing what procedures captured on the server: in bronze, as what `systock snapshot take` keeps.

A capture is known by an id of its own, which stays in the path of its batches: one that has landed lands never again, and
its publication is what takes it off the server. A crash in between leaves it there, for the next run to publish.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from systock.data_warehouse.engine.base import QueryError
from systock.data_warehouse.snapshots import SNAPSHOT_SOURCE, TAKEN, captured_elsewhere
from systock.errors import IntegrityError
from systock.etl_pipeline.bronze_layer.land_batches import Rows, store_rows

if TYPE_CHECKING:
    from systock.data_warehouse.compiled import CompiledTable
    from systock.data_warehouse.snapshots import Capture
    from systock.etl_pipeline.bronze_layer.landing_log import LandingLog
    from systock.load.captures import ServerCapture
    from systock.load.target_session import TargetSession
    from systock.pipeline_manager.build import Progress
    from systock.pipeline_manager.definitions import Definitions
    from systock.pipeline_manager.state import Published, State
    from systock.pipeline_manager.workplace import Workplace

#: When an empty warehouse's snapshot becomes known: before whatever an archive may state.
BEFORE_ALL = datetime(1970, 1, 1, tzinfo=UTC)


def known_of(published: Published) -> datetime:
    """The knowledge that a published generation has: after what is newest in it, a snapshot made from it lands."""
    return datetime.fromisoformat(published.known_at) if published.known_at else BEFORE_ALL


def is_derived(day: date, known_at: datetime | None) -> bool:
    """Was a state captured after its day had passed, from what was known later?"""
    return known_at is not None and day < known_at.astimezone(UTC).date()


def rows_to_land(
    kind: str, as_of: datetime, known_at: str | None, derived: bool, captured: Capture, position: str, at: datetime
) -> list[Rows]:
    """What lands of one captured state: its line in the list of snapshots, and its changes.

    known_at: the knowledge that it was taken from; at: when.
    """
    import pyarrow as pa

    line = {"kind": kind, "as_of": as_of.isoformat(), "taken_from_known_at": known_at, "is_derived": str(derived)}
    line |= {"row_count": str(captured.row_count), "changes": str(captured.changes.num_rows)}
    listed = pa.Table.from_pylist([line], schema=pa.schema([(name, pa.string()) for name in line]))
    return [
        Rows(SNAPSHOT_SOURCE, TAKEN, "append", position, at, listed),
        Rows(SNAPSHOT_SOURCE, kind, "append", position, at, captured.changes),
    ]


def holds_all_snapshots(
    place: Workplace, published: Published | None, log: LandingLog, definitions: Definitions
) -> bool:
    """Can what is published tell the last snapshot of each kind, against which the next one is stored?"""
    return (
        published is not None and published.definitions == definitions.hash and place.warehouse.exists()
        and log.holds(published.commit_no, published.known_at)
        and not log.batches(after_commit=published.commit_no, source=SNAPSHOT_SOURCE)
    )  # fmt: skip


def land_captures(
    place: Workplace,
    state: State,
    log: LandingLog,
    definitions: Definitions,
    progress: Progress,
    bring_up: Callable[[], object],
    *,
    replacing: bool = False,
) -> int:
    """Land what was captured on the server of the settings and is not here yet, each as a commit; how many that were.

    bring_up: builds and publishes the file, where it does not hold every snapshot. replacing: also what was captured of a state that
    was published from elsewhere, which the caller is about to replace; else that waits for those who published it. The caller builds what landed, and
    holds the project's lock. Raises TargetError when the server does not answer.
    """
    if place.settings.target.server is None or log.last_commit() is None:
        return 0
    from systock.load.target_session import TargetSession

    with TargetSession(place.settings.target) as session:
        waiting = _waiting(place, log, definitions, session, progress, replacing=replacing)
        if not waiting:
            return 0
        if not holds_all_snapshots(place, state.published(), log, definitions):
            bring_up()
        published = state.published()
        assert published is not None
        progress.stage("capture", len(waiting))
        with session.transaction():
            return _land(place, log, definitions, session, waiting, known_of(published), progress)


def _waiting(
    place: Workplace,
    log: LandingLog,
    definitions: Definitions,
    session: TargetSession,
    progress: Progress,
    *,
    replacing: bool,
) -> list[ServerCapture]:
    """What was captured and has not landed, of the kinds that there are."""
    from systock.load import target_state
    from systock.load.captures import captures_in, waiting_captures
    from systock.load.roles import LOADER

    with session.transaction():
        if not target_state.is_of_today(session):
            return []
        session.become(LOADER)
        found = waiting_captures(session, place.settings.project.name, log.commits()[0].known_at.isoformat())
        if not found:
            return []
        if not replacing and target_state.unknown_batches(session, [batch.batch_id for batch in log.batches()]):
            return []
    landed = captures_in([batch.path for batch in log.batches(source=SNAPSHOT_SOURCE, table=TAKEN)])
    kinds = {table.name for table in definitions.snapshot_tables}
    for capture in found:
        if capture.kind not in kinds:
            progress.note(f"capture {capture.no} on the server stays there: there is no kind {capture.kind} any more")
    return [capture for capture in found if capture.id not in landed and capture.kind in kinds]


def _land(
    place: Workplace,
    log: LandingLog,
    definitions: Definitions,
    session: TargetSession,
    waiting: list[ServerCapture],
    known_at: datetime,
    progress: Progress,
) -> int:
    from systock.load.captures import rows_of
    from systock.load.roles import LOADER

    session.become(LOADER)
    tables: dict[str, CompiledTable] = {table.name: table for table in definitions.snapshot_tables}
    done: set[str] = set()
    landed = 0
    with place.connect(place.warehouse, read_only=True) as engine:
        for capture in waiting:
            table = tables[capture.kind]
            types = engine.column_types(table)  # type: ignore[arg-type]  # reads names and types only
            rows = rows_of(session, capture)
            try:
                captured = captured_elsewhere(
                    engine, table, types, capture.columns, rows, capture.row_count, follows=capture.kind in done
                )
            except (QueryError, IntegrityError) as error:  # no reason to stop the run
                progress.note(f"capture {capture.no} stays on the server: {error.what}")
                continue
            done.add(capture.kind)
            store_rows(log, _to_land(capture, captured), known_at=known_at)
            landed += 1
            progress.advance(1, capture.kind)
    return landed


def _to_land(capture: ServerCapture, captured: Capture) -> list[Rows]:
    from systock.load.captures import CAPTURED

    as_of = capture.as_of.astimezone(UTC)
    known = capture.known_at.astimezone(UTC).isoformat() if capture.known_at else None
    position = f"{capture.kind} as of {as_of.isoformat()} known at {known or 'the beginning'}{CAPTURED}{capture.id}"
    derived = is_derived(capture.as_of_date, capture.known_at)
    return rows_to_land(capture.kind, as_of, known, derived, captured, position, capture.captured_at)
