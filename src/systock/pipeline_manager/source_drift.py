"""What sources bring against what was agreed: who judges it at landing, and how it is told."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from systock.data_warehouse.compiled import FOREVER
from systock.etl_pipeline.silver_layer.landing_judge import LandingJudge
from systock.etl_pipeline.silver_layer.renamed_columns import proposal, reads_as_before, renamed, written
from systock.etl_pipeline.silver_layer.source_contract import (
    RETYPED_LEAST,
    Drift,
    SourceContract,
    applies,
)
from systock.sql_text import literal

if TYPE_CHECKING:
    from systock.etl_pipeline.bronze_layer.judged_rows import Judges, Look
    from systock.etl_pipeline.bronze_layer.landing_log import Batch, LandingLog, RejectedFile
    from systock.pipeline_manager.definitions import Definitions

DAYS_TOLD = 30
_NOT_READ = re.compile(r"[\d,]+ of [\d,]+ values of '(\w+)' do not read as [^;]*\((sources/[^)]*:\d+)\)")


def landing_judges(definitions: Definitions, log: LandingLog) -> Judges:
    """Who looks at the extractions of each raw table: nobody where its contract freezes nothing."""
    judges: dict[tuple[str, str], LandingJudge | None] = {}
    lock = threading.Lock()

    def look(source: str, table: str) -> Look | None:
        with lock:  # sources that are asked come in threads of their own
            if (source, table) not in judges:
                judges[source, table] = None
                if applies(definitions.settings.sources[source].tables[table], "freeze"):
                    before = [batch.columns for batch in log.batches(source=source, table=table)]
                    judges[source, table] = LandingJudge(definitions.source_contracts[source, table], before)
            judge = judges[source, table]
        return judge.look() if judge else None

    return look


def drifts(
    definitions: Definitions, log: LandingLog, bronze: Path, warehouse: Path, after_commit: int | None = None
) -> list[dict[str, Any]]:
    """What batches bring that is not as agreed or as before, and the line of the mapping to change.

    bronze: the folder of their parts. warehouse: the file that tells of values that do not read and of batches that are held: in a run the build, since what is
    published is its readers' alone. after_commit: only of batches that came later. Without it also what refused files have, as long
    as they are refused: a run tells of these as files that were not read. A drift is told while it is in the newest
    batch, or for DAYS_TOLD days of deliveries.
    """
    found = []
    landed = None
    if after_commit is not None:
        landed = {(batch.source, batch.table) for batch in log.batches(after_commit=after_commit)}
    refused = log.rejected() if landed is None else []
    told_there = _Told(warehouse)
    for (source, table), contract in definitions.source_contracts.items():
        if landed is not None and (source, table) not in landed:
            continue
        batches = [batch for batch in log.batches(source=source, table=table) if batch.columns]
        told = [
            *_columns(contract, batches, bronze),
            *told_there.values(contract, batches),
            *told_there.held(contract, batches),
        ]
        found += [
            _row(contract, drift, batch.path, batch.known_at, todo)
            for drift, batch, todo in told
            if batch.commit_no > (after_commit or 0)
        ]
        for file in refused:
            if (file.source, file.table) == (source, table):
                found += [
                    _row(contract, drift, file.path, file.seen_at, file.todo or "")
                    for drift in _refused_for(contract, file, batches)
                ]
    return found


def _row(contract: SourceContract, drift: Drift, path: str, at: datetime, todo: str) -> dict[str, Any]:
    return {
        "source": contract.source, "table": contract.table, "drift": drift.kind, "column": drift.column, "file": path,
        "known_at": at.isoformat(), "policy": contract.policy(drift.kind), "what": drift.text, "where": drift.where, "todo": todo,
    }  # fmt: skip


def _refused_for(contract: SourceContract, file: RejectedFile, batches: Sequence[Batch]) -> Iterator[Drift]:
    """What a file was refused for, as far as it still is not as agreed."""
    if file.columns:
        yield from contract.columns_drift(file.columns, [batch.columns for batch in batches])
    for found in _NOT_READ.finditer(file.reason):
        yield Drift("retyped", found[1], found[0], found[2])


def _columns(contract: SourceContract, batches: Sequence[Batch], bronze: Path) -> Iterator[tuple[Drift, Batch, str]]:
    """New columns by the first batch that has them, missing ones by the last that has not."""
    had = list[str]()
    fresh: dict[str, tuple[Drift, Batch]] = {}
    lost: dict[str, tuple[Drift, Batch]] = {}
    for batch in batches:
        for drift in contract.columns_drift(batch.columns, [had]):
            if _is_recent(batch, batches):
                (fresh if drift.kind == "new" else lost)[drift.column.lower()] = drift, batch
        had = [*{column.lower() for column in (*had, *batch.columns)}]
    path = next((path for path, _ in contract.readings), "the mapping")
    for drift, batch in fresh.values():
        todo = f"To take it, add {written(drift.column)} AS … to {path}; to leave it out, {contract.setting}.known_columns = [{json.dumps(drift.column, ensure_ascii=False)}]."
        yield drift, batch, todo
    for drift, batch in lost.values():

        def reads(candidate: str, drift: Drift = drift, batch: Batch = batch) -> bool:
            both = {drift.column, candidate.lower()}
            beside = any(both <= {name.lower() for name in of.columns} for of in batches)
            return not beside and _reads_as_before(contract, drift.column, candidate, batch, bronze)

        found, is_alike = renamed(drift, [name for name in batch.columns if name.lower() in fresh], reads)
        yield drift, batch, proposal(contract, drift, found, is_alike)


def _reads_as_before(contract: SourceContract, missing: str, candidate: str, batch: Batch, bronze: Path) -> bool:
    """Does a new column of a batch have values as the missing one had?"""
    if batch.part is None or not (bronze / batch.part).exists():
        return False
    from systock.data_warehouse.engine.duckdb import connect

    with connect(None, threads=1) as engine:
        part = f"read_parquet({literal(str(bronze / batch.part))})"
        engine.execute(f"CREATE TEMP VIEW sample_line AS SELECT * FROM {part} WHERE _batch_no = {batch.no}")
        return reads_as_before(engine, contract, missing, candidate, batch.columns)


def _is_recent(batch: Batch, batches: Sequence[Batch]) -> bool:
    return batches[-1].known_at - batch.known_at <= timedelta(days=DAYS_TOLD)


class _Told:
    """What a warehouse tells of the newest batches."""

    def __init__(self, warehouse: Path) -> None:
        self._values: dict[int, list[Any]] = {}
        self._held: dict[int, str] = {}
        if not warehouse.exists():
            return
        from systock.data_warehouse.engine.duckdb import connect

        with connect(warehouse, read_only=True) as engine:
            if not engine.rows("SELECT 1 FROM information_schema.columns WHERE column_name = 'held_for'"):
                return  # published by an older SyStock: the next run tells
            rows = engine.rows(f"""SELECT batch_no, entity, column_name, min(rule), min(value), count(*) FROM silver.quarantine
                WHERE known_to_at = {FOREVER} AND (starts_with(rule, 'no ') OR rule = 'neither true nor false') AND column_name IS NOT NULL
                    AND batch_no IN (SELECT max(batch_no) FROM meta.batch GROUP BY source_name, table_name)
                GROUP BY ALL ORDER BY ALL""")
            self._held = dict(engine.rows("SELECT batch_no, held_for FROM meta.batch WHERE held_for IS NOT NULL"))
        for number, *rest in rows:
            self._values.setdefault(number, []).append(rest)

    def values(self, contract: SourceContract, batches: Sequence[Batch]) -> Iterator[tuple[Drift, Batch, str]]:
        """Columns for which most lines of the newest batch were set aside, as their values do not read."""
        for entity, column, rule, value, lines in self._values.get(batches[-1].no, ()) if batches else ():
            if lines >= RETYPED_LEAST and 2 * lines > batches[-1].lines:
                place = _place(contract, entity, column)
                text = f"{lines:,} of {batches[-1].lines:,} lines: {rule} in {column!r}, such as {value!r}"
                yield (
                    Drift("retyped", column, text, place),
                    batches[-1],
                    f"Say how it reads now, in {place or 'the mapping'}.",
                )

    def held(self, contract: SourceContract, batches: Sequence[Batch]) -> Iterator[tuple[Drift, Batch, str]]:
        """Batches of which every line is in quarantine since values do not read; those for their columns are told by these."""
        for batch in batches:
            reason = self._held.get(batch.no, "")
            if found := _NOT_READ.search(reason):
                text = f"all {batch.lines:,} lines are in quarantine: {reason}"
                yield Drift("retyped", found[1], text, found[2]), batch, f"Say how it reads now, in {found[2]}."


def _place(contract: SourceContract, entity: str, column: str) -> str | None:
    """The line of a mapping that makes a column of an entity."""
    for path, (_, said) in contract.readings:
        for name, _, line in said:
            if name == column and path.endswith(f"/{entity}.sql"):
                return f"{path}:{line}"
    return None
