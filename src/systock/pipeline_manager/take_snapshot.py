"""Taking snapshots: capture from the published warehouse, land in bronze as batches of source systock, take in and publish."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from systock.data_warehouse.engine.duckdb import connect
from systock.data_warehouse.snapshots import capture
from systock.errors import UsageError
from systock.etl_pipeline.bronze_layer.land_batches import Rows, store_rows
from systock.pipeline_manager.build import SNAPSHOT_SOURCE
from systock.pipeline_manager.definitions import Definitions
from systock.pipeline_manager.lock import project_lock
from systock.pipeline_manager.run_pipeline import Workplace, build_and_publish
from systock.pipeline_manager.state import State

if TYPE_CHECKING:
    from systock.config import ProjectSettings
    from systock.data_warehouse.compiled import CompiledTable
    from systock.pipeline_manager.build import Progress

#: The raw table of the list of snapshots.
TAKEN = "taken"


def take_snapshots(place: Workplace, kinds: list[str], as_of: str | None, progress: Progress) -> list[dict[str, Any]]:
    """Take a snapshot of each kind as of an instant or a day (its end), from what is published; returns what was taken.

    The same state of knowledge as of the same instant is taken once.
    """
    instant, day = point_in_time(as_of, place.settings.project)
    definitions = Definitions(place.project_dir, place.settings)
    with project_lock(place.state_dir):
        state = State(place.state_dir)
        try:
            published = state.published()
            if published is None or not place.warehouse.exists():
                raise UsageError("nothing is published yet", todo="Run 'systock run' first.")
            if published.definitions != definitions.hash:
                raise UsageError(
                    "the definitions changed since the last run",
                    todo="Run 'systock run' first, then take the snapshot.",
                )
            progress.stage("capture", len(kinds))
            taken, deliveries = [], []
            for table in definitions.snapshot_tables:
                if table.name in kinds:
                    fact, rows = _captured(place, table, instant, day, published.known_at)
                    taken.append(fact)
                    deliveries += rows
                    progress.advance(1, table.name)
            snapshot_no = store_rows(place.log(), deliveries)[0].commit_no
            build_and_publish(place, state, place.log(), definitions, progress)
        finally:
            state.close()
    return [{"snapshot_no": snapshot_no, **fact} for fact in taken]


def point_in_time(as_of: str | None, project: ProjectSettings, option: str = "--as-of") -> tuple[datetime, date]:
    """The instant asked for and its business day in the project's zone; a day means its end, nothing means now."""
    zone = ZoneInfo(project.timezone)
    cutover = timedelta(hours=project.business_day_cutover.hour, minutes=project.business_day_cutover.minute)
    try:
        if as_of is not None and len(as_of) == 10:
            day = date.fromisoformat(as_of)
            end = datetime.combine(day + timedelta(days=1), project.business_day_cutover, zone).astimezone(UTC)
            return end - timedelta(microseconds=1), day
        instant = datetime.fromisoformat(as_of) if as_of is not None else datetime.now(UTC)
    except ValueError:
        raise UsageError(
            f"{as_of!r} is neither a day nor an instant",
            where=option,
            todo="Write 2024-05-31 or 2024-05-31T18:00:00+02:00.",
        ) from None
    instant = (instant if instant.tzinfo else instant.replace(tzinfo=zone)).astimezone(UTC)
    return instant, (instant.astimezone(zone) - cutover).date()


def _captured(
    place: Workplace, table: CompiledTable, instant: datetime, day: date, known_at: str | None
) -> tuple[dict[str, Any], list[Rows]]:
    """What was captured of one kind, and the rows to land: its line in the list of snapshots, and its changes."""
    import pyarrow as pa

    with connect(place.warehouse, read_only=True) as engine:
        types = engine.column_types(table)  # type: ignore[arg-type]  # reads names and types only
        captured = capture(engine, table, types, instant.isoformat(), day.isoformat())
    fact = {
        "kind": table.name, "as_of": instant.isoformat(), "known_at": known_at,
        "is_derived": known_at is not None and day < datetime.fromisoformat(known_at).date(),
        "row_count": captured.row_count, "changes": captured.changes.num_rows,
    }  # fmt: skip
    # The landing log has a known_at of its own for every line.
    line = {
        ("taken_from_known_at" if name == "known_at" else name): value if value is None else str(value)
        for name, value in fact.items()
    }
    position = f"{table.name} as of {instant.isoformat()} known at {known_at or 'the beginning'}"
    now = datetime.now(UTC)
    listed = pa.Table.from_pylist([line], schema=pa.schema([(name, pa.string()) for name in line]))
    return fact, [
        Rows(SNAPSHOT_SOURCE, TAKEN, "append", position, now, listed),
        Rows(SNAPSHOT_SOURCE, table.name, "append", position, now, captured.changes),
    ]
