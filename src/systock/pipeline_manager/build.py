"""Building a generation: pending landing commits through silver and gold into the build file, in one transaction."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from systock.data_warehouse.content_hash import kept_from
from systock.data_warehouse.engine.base import Engine
from systock.data_warehouse.macros import define_zones, known_zone
from systock.data_warehouse.refresh import Refreshed
from systock.data_warehouse.snapshots import SNAPSHOT_SOURCE, create_snapshot_sql, land_sql
from systock.data_warehouse.touched_log import TouchedLog
from systock.errors import CheckFailed
from systock.etl_pipeline.bronze_layer.landing_log import Batch, Commit, LandingLog
from systock.etl_pipeline.silver_layer import row_equation
from systock.etl_pipeline.silver_layer.conform import create_silver
from systock.etl_pipeline.silver_layer.conform_rows import conform_rows
from systock.etl_pipeline.silver_layer.conform_stored import conform_stored, lines_without_row
from systock.etl_pipeline.silver_layer.lines import line_view
from systock.etl_pipeline.silver_layer.mapping import check_raw_columns, check_setting_columns
from systock.etl_pipeline.silver_layer.source_contract import applies, held_for
from systock.etl_pipeline.silver_layer.stored_lines import create_stored, lines_that_stay, store_lines
from systock.pipeline_manager.definitions import Definitions
from systock.pipeline_manager.refresh_gold import BEGINNING, GoldRefresh, steps_for_closes
from systock.quality.contract_checks import CheckResult, check_contracts
from systock.quality.reconcile import reconcile
from systock.quality.value_conservation import books_are_whole, conserves_value
from systock.sql_text import literal


class Progress(Protocol):
    """Where long work reports how far it is."""

    def stage(self, name: str, total: int | None = None) -> None: ...
    def advance(self, n: int = 1, detail: str = "") -> None: ...
    def note(self, text: str) -> None: ...
    def asked(self, source: str, table: str, rows: int, done: bool) -> None:
        """A source that is asked, beside the stages and from any thread: the rows fetched so far."""


class Silent:
    """Progress that nobody watches."""

    def stage(self, name: str, total: int | None = None) -> None: ...
    def advance(self, n: int = 1, detail: str = "") -> None: ...
    def note(self, text: str) -> None: ...
    def asked(self, source: str, table: str, rows: int, done: bool) -> None: ...


@dataclass
class Built:
    """What one build did."""

    generation: int
    commit_no: int
    known_at: str | None
    entities: list[dict[str, Any]] = field(default_factory=list)
    tables: list[Refreshed] = field(default_factory=list)
    checks: list[CheckResult] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def table_dicts(self) -> list[dict[str, Any]]:
        return [asdict(table) for table in self.tables]


class Build:
    """One build file brought up to the landing log under the project's definitions."""

    def __init__(
        self, engine: Engine, definitions: Definitions, log: LandingLog, bronze: Path, progress: Progress
    ) -> None:
        self.engine, self.definitions, self.log, self.bronze, self.progress = engine, definitions, log, bronze, progress

    @cached_property
    def _held(self) -> dict[int, str]:
        """Batches that are held, and why."""
        return dict(self.engine.rows("SELECT batch_no, held_for FROM meta.batch WHERE held_for IS NOT NULL"))

    def is_current_definition(self) -> bool:
        """Was this file built, from its first commit on, by the definitions of today?"""
        found = self.engine.rows(
            "SELECT 1 FROM information_schema.tables WHERE table_schema = 'meta' AND table_name = 'definition'"
        )
        return bool(found) and self.engine.rows("SELECT definition_hash FROM meta.definition") == [
            (self.definitions.hash,)
        ]

    def state(self) -> tuple[int, int, str | None]:
        """(generation, last landing commit in it, its known_at) of the file; zeros for a new one."""
        rows = self.engine.rows("SELECT generation, commit_no, CAST(known_at AS VARCHAR) FROM meta.progress")
        return rows[0] if rows else (0, 0, None)

    def create(self, generations: Sequence[tuple[int, int, str | None, str]] = ()) -> None:
        """Make all tables of a new build file. generations: those published before, so that they can still be named."""
        for schema in ("bronze", "silver", "gold", "serve", "snapshot", "meta"):
            self.engine.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        for table in self.definitions.meta_tables.values():
            for statement in self.engine.create_table_sql(table):
                self.engine.execute(statement)
        project = self.definitions.settings.project
        self.engine.execute(f"""INSERT INTO meta.project VALUES ({literal(project.name)}, '{project.currency}', {literal(project.timezone)},
            TIME '{project.business_day_cutover}', {project.retail_year_start_month}, '{project.cost_method}', DATE '{project.calendar_from}', DATE '{project.calendar_to}')""")
        for name, source in self.definitions.settings.sources.items():
            self.engine.execute(
                f"INSERT INTO meta.source VALUES ('{name}', {source.moves_stock}, '{source.stock_starts}')"
            )
        for generation, commit_no, known_at, published_at in generations:
            known = f"TIMESTAMPTZ '{known_at}'" if known_at else "NULL"
            self.engine.execute(
                f"INSERT INTO meta.generation VALUES ({generation}, {commit_no}, {known}, TIMESTAMPTZ '{published_at}')"
            )
        for contract in self.definitions.compiled_contracts.values():
            create_silver(self.engine, contract)
        for stored in self.definitions.stored_tables.values():
            create_stored(self.engine, stored)
        for kind in self.definitions.snapshot_tables:
            for statement in create_snapshot_sql(kind, self.engine.column_types(kind)):  # type: ignore[arg-type]
                self.engine.execute(statement)
        for table in self.definitions.tables:
            if table.is_stored:
                for statement in self.engine.create_table_sql(table):
                    self.engine.execute(statement)
        self.engine.execute(f"INSERT INTO meta.definition VALUES ('{self.definitions.hash}', '{uuid.uuid4()}')")

    def bring_up(self, generation: int, up_to: int | None = None, history_steps: int | None = None) -> Built | None:
        """Take in all landing commits not yet in the file (up to number `up_to`) as the given generation.

        history_steps: how many commits are at most taken in one by one, so that all states of knowledge are kept (default:
        the setting); of more, only the last state is. Returns None when there is nothing to take in. Raises CheckFailed when what would be published is not sound; the
        caller rolls back.
        """
        last_generation, done, known_before = self.state()
        is_new = last_generation == 0
        commits = [commit for commit in self.log.commits(after=done) if up_to is None or commit.no <= up_to]
        if not commits and not is_new:
            return None
        last = commits[-1] if commits else None
        since = f"TIMESTAMPTZ '{known_before}'" if known_before else BEGINNING
        batches = self.log.batches(after_commit=done, up_to_commit=last.no) if last else []
        if is_new:
            self.engine.keep_all_memory()
        else:
            self.engine.expect_rows(sum(batch.lines for batch in batches))
        self._register(batches)
        batches = self._judged(batches)
        self._snapshots([batch for batch in batches if batch.source == SNAPSHOT_SOURCE])
        conformed = self._silver(commits, self._with_parts(batches), done)
        built = Built(generation, last.no if last else done, last.known_at.isoformat() if last else known_before)
        built.entities = self._entities(since)
        moments, history_from = self._moments(commits, batches, is_new, history_steps)
        built.tables = self._gold(since, conformed, moments, is_new, built)
        built.warnings = self._warnings({(batch.source, batch.table) for batch in batches})
        failed = [check for check in built.checks if not check.passed]
        if failed:
            told = "\n  ".join(f"{check.table}: {check.check}: {check.detail}" for check in failed[:5])
            raise CheckFailed(
                f"{len(failed)} of {len(built.checks)} checks failed:\n  {told}", state="Nothing was published: readers keep the last generation.",
                todo="What landed is kept. Mend the mapping or the model that makes these rows, then 'systock run' again.",
            )  # fmt: skip
        known = f"TIMESTAMPTZ '{built.known_at}'" if built.known_at else "NULL"
        self.engine.execute(f"INSERT INTO meta.generation VALUES ({generation}, {built.commit_no}, {known}, now())")
        self.engine.execute("DELETE FROM meta.progress")
        self.engine.execute(
            f"INSERT INTO meta.progress VALUES ({generation}, {built.commit_no}, {known}, {history_from})"
        )
        return built

    def _judged(self, batches: Sequence[Batch]) -> list[Batch]:
        """The batches, those that their source's contract puts into quarantine held."""
        pending = {batch.no for batch in batches}
        for source, table in sorted({(batch.source, batch.table) for batch in batches}):
            settings = self.definitions.settings.sources.get(source)
            of = settings.tables.get(table) if settings else None
            if of is None or not applies(of, "quarantine"):
                continue
            contract, before = self.definitions.source_contracts[source, table], set[tuple[str, ...]]()
            for batch in self.log.batches(up_to_commit=batches[-1].commit_no, source=source, table=table):
                if batch.no in pending:
                    line_view(self.engine, "judged_line", self.bronze, self._with_parts([batch]), contract.needed)
                    if reason := held_for(contract, batch.columns, before, self.engine):
                        self._held[batch.no] = reason
                        self.engine.execute(
                            f"UPDATE meta.batch SET held_for = {literal(reason)}, is_complete = FALSE WHERE batch_no = {batch.no}"
                        )
                if batch.no not in self._held:
                    before.add(batch.columns)
        return [replace(batch, held_for=self._held.get(batch.no)) for batch in batches]

    def _register(self, batches: Sequence[Batch]) -> None:
        """List the batches in meta.batch."""
        import pyarrow as pa

        if not batches:
            return
        instant = pa.timestamp("us", "UTC")
        columns = {
            "batch_no": ([b.no for b in batches], pa.int32()), "batch_id": ([b.batch_id for b in batches], pa.string()),
            "commit_no": ([b.commit_no for b in batches], pa.int32()), "known_at": ([b.known_at for b in batches], instant),
            "source_name": ([b.source for b in batches], pa.string()), "table_name": ([b.table for b in batches], pa.string()),
            "mode": ([b.mode for b in batches], pa.string()), "path": ([b.path for b in batches], pa.string()),
            "extracted_at": ([b.extracted_at for b in batches], instant), "lines": ([b.lines for b in batches], pa.int64()),
            "malformed": ([b.malformed for b in batches], pa.int64()), "repeat_of": ([b.repeat_of for b in batches], pa.int32()),
            "is_complete": ([b.complete for b in batches], pa.bool_()), "held_for": ([None for _ in batches], pa.string()),
        }  # fmt: skip
        self.engine.insert(
            "meta.batch", pa.table({name: pa.array(values, type_) for name, (values, type_) in columns.items()})
        )

    def _snapshots(self, batches: Sequence[Batch]) -> None:
        """Take in landed snapshots: the list of them, and the changes of each kind."""
        kinds = {kind.name: kind for kind in self.definitions.snapshot_tables}
        # Changes that an earlier snapshot had too (a price that went back, and back again) are stored once.
        if any(batch.repeat_of for batch in batches):
            parts = {batch.no: batch.part for batch in self.log.batches(source=SNAPSHOT_SOURCE)}
            batches = [replace(batch, part=batch.part or parts.get(batch.repeat_of or 0)) for batch in batches]
        alike: dict[tuple[str, tuple[str, ...]], list[Batch]] = {}
        for batch in batches:
            if batch.part:
                alike.setdefault((batch.table, batch.columns), []).append(batch)
        for (table, columns), some in alike.items():
            line_view(self.engine, "snapshot_line", self.bronze, some, [])
            if table in kinds:
                kind = kinds[table]
                types = self.engine.column_types(kind)  # type: ignore[arg-type]
                self.engine.execute(land_sql(kind, types, "snapshot_line", columns))
            else:
                self.engine.execute("""INSERT INTO snapshot.taken SELECT b.commit_no, kind, CAST(as_of AS TIMESTAMPTZ),
                    CAST(l.taken_from_known_at AS TIMESTAMPTZ), CAST(is_derived AS BOOLEAN), CAST(row_count AS BIGINT), CAST(changes AS BIGINT)
                    FROM snapshot_line AS l JOIN meta.batch AS b ON b.batch_no = l._batch_no""")

    def _silver(self, commits: Sequence[Commit], batches: Sequence[Batch], done: int) -> set[str]:
        """Conform what landed; the entities that it may have changed."""
        sources, contracts = self.definitions.settings.sources, self.definitions.compiled_contracts
        self._check_columns()
        stored_tables = self.definitions.stored_tables
        row_wise = [mapping for mapping in self.definitions.mapping_sql if mapping.row_wise]
        landed = {(batch.source, batch.table) for batch in batches}
        joined = [
            m
            for m in self.definitions.mapping_sql
            if not m.row_wise and any((m.source, t) in landed for t in m.raw_tables)
        ]
        self.progress.stage("conform", len(row_wise) + (len(commits) if joined else 0))
        for mapping in row_wise:
            mine = [batch for batch in batches if (batch.source, batch.table) == (mapping.source, mapping.driving)]
            if mine:
                conform_rows(
                    self.engine, self.bronze, mapping, contracts[mapping.entity], sources[mapping.source], mine
                )
            self.progress.advance(1, f"{mapping.entity} of {mapping.source}")
        for commit in commits if joined else ():
            landed_now = {(b.source, b.table) for b in batches if b.commit_no == commit.no}
            for source, name in sorted(landed_now & set(stored_tables)):
                mine = [b for b in batches if b.commit_no == commit.no and (b.source, b.table) == (source, name)]
                earlier = self._with_parts(self.log.batches(up_to_commit=commit.no - 1, source=source, table=name))
                store_lines(self.engine, self.bronze, stored_tables[source, name], mine, earlier)
            for mapping in joined:
                if any((mapping.source, table) in landed_now for table in mapping.raw_tables):
                    mine_ = {table: stored_tables[mapping.source, table] for table in mapping.raw_tables}
                    conform_stored(
                        self.engine, mapping, contracts[mapping.entity], sources[mapping.source], mine_, commit
                    )
            self.progress.advance(1, f"commit {commit.no}")
        mappings = self.definitions.mapping_sql
        return {m.entity for m in mappings if any((m.source, table) in landed for table in m.raw_tables)}

    def _with_parts(self, batches: Sequence[Batch]) -> list[Batch]:
        """The batches, with what they are held for; those that repeat another's content with that one's part, where the repetition itself tells something.

        It does where only the extraction's instant orders versions: content that comes back later holds from then on.
        """
        known: dict[tuple[str, str], dict[int, str | None]] = {}
        with_parts = []
        for batch in batches:
            settings = self.definitions.settings.sources.get(batch.source)
            table = settings.tables.get(batch.table) if settings else None
            if (
                batch.repeat_of
                and table
                and (table.mode == "full" or (table.mode == "changes" and not table.updated_at))
            ):
                name = (batch.source, batch.table)
                if name not in known:
                    known[name] = {b.no: b.part for b in self.log.batches(source=batch.source, table=batch.table)}
                batch = replace(batch, part=known[name][batch.repeat_of])
            with_parts.append(replace(batch, held_for=self._held.get(batch.no)))
        return with_parts

    def _check_columns(self) -> None:
        """A mapping, a key and updated_at may only name columns that some landed file has; mappings are looked at again when new ones landed.

        A mapping may also name what is known to come: else one that is written for a refused file would stop all sources.
        """
        refused = self.log.rejected()
        for source, settings in self.definitions.settings.sources.items():
            landed = {
                t: sorted(
                    {c for columns in {b.columns for b in self.log.batches(source=source, table=t)} for c in columns}
                )
                for t in settings.tables
            }

            for name, table in settings.tables.items():
                check_setting_columns(source, name, table, landed[name])
                if landed[name]:
                    waiting = {
                        c for file in refused if (file.source, file.table) == (source, name) for c in file.columns
                    }
                    landed[name] = sorted({*landed[name], *table.known_columns, *waiting})

            def check(source: str = source, landed: dict[str, list[str]] = landed) -> bool:
                for mapping in self.definitions.mappings:
                    if mapping.source == source:
                        check_raw_columns(
                            mapping,
                            self.definitions.project_dir,
                            {table: landed[table] for table in mapping.raw_tables},
                        )
                return True

            self.definitions.book.get(f"columns of {source} under {self.definitions.hash}: {landed}", check)

    def _warnings(self, landed: set[tuple[str, str]]) -> list[str]:
        """What is sound but worth a look: zones that no engine knows, full extracts without lines, lines that nothing reads or stands for.

        landed: source and name of the raw tables of which something came in.
        """
        odd = self.engine.rows(f"""SELECT DISTINCT location_id, timezone FROM silver.location
            WHERE timezone IS NOT NULL AND NOT ({known_zone("timezone")}) ORDER BY ALL""")
        told = [
            f"location {location}: {zone!r} is no time zone of the IANA database, such as Europe/London; the project's is used"
            for location, zone in odd[:5]
        ]
        if len(odd) > 5:
            told.append(f"{len(odd) - 5:,} more locations have no such zone: is_timezone_known in gold.dim_location")
        stored = self.definitions.stored_tables
        for source, name in sorted(landed & stored.keys()):
            if found := lines_that_stay(self.engine, stored[source, name]):
                path, lines = found
                which = "1 line stays" if lines == 1 else f"{lines:,} lines stay"
                failed = "an empty full extract is taken for one that failed"
                told.append(f"{path} holds no line: {failed}, so {which} in bronze.{source}__{name}")
        mappings = self.definitions.mapping_sql
        read = {(mapping.source, table) for mapping in mappings for table in mapping.raw_tables}
        for source, name in sorted(landed - read - {(SNAPSHOT_SOURCE, name) for _, name in landed}):
            [(lines,)] = self.engine.rows(
                f"SELECT CAST(sum(lines) AS BIGINT) FROM meta.batch WHERE source_name = {literal(source)} AND table_name = {literal(name)}"
            )
            if lines:
                told.append(
                    f"bronze.{source}__{name}: no mapping reads its {'1 line' if lines == 1 else f'{lines:,} lines'}, add sources/{source}/<entity>.sql"
                )
        for mapping in mappings:
            if not mapping.row_wise and not mapping.combines:
                lines = lines_without_row(self.engine, mapping, stored[mapping.source, mapping.driving])
                if lines:
                    which = "1 line is" if lines == 1 else f"{lines} lines are"
                    what = f"{which} in no {mapping.entity}, of bronze.{mapping.source}__{mapping.driving}"
                    told.append(f"{what}: nothing to join with, or left out by the mapping")
        return told

    def _entities(self, since: str) -> list[dict[str, Any]]:
        """What became of the lines since an instant, per source and entity."""
        terms = ", ".join(f"CAST(sum({term}) AS BIGINT)" for term in ("lines", *row_equation.TERMS))
        rows = self.engine.rows(
            f"SELECT source_name, entity, {terms} FROM meta.row_count WHERE known_at > {since} GROUP BY ALL ORDER BY ALL"
        )
        return [dict(zip(("source", "entity", "lines", *row_equation.TERMS), row, strict=True)) for row in rows]

    def _gold(
        self, since: str, conformed: set[str], moments: Sequence[datetime], is_new: bool, built: Built
    ) -> list[Refreshed]:
        self.engine.execute(define_zones(self._zones()))
        compiled = self.definitions.compiled()
        refresh = GoldRefresh(
            self.engine, self.definitions, compiled, conformed, is_new=is_new, since=since, moments=moments
        )
        self.progress.stage("refresh", refresh.steps())
        refresh.run(self.progress.advance)
        if is_new:
            for asked in self.definitions.tables:
                if not asked.is_stored:
                    create = self.engine.create_view_sql if asked.refresh == "view" else self.engine.create_function_sql
                    for statement in create(asked):
                        self.engine.execute(statement)
        self._log_touched(refresh, built.generation, is_new)
        self.progress.stage("check", None)
        changes = None if is_new else refresh.changes
        built.checks = [
            *check_contracts(self.engine, refresh.stored, changes),
            *reconcile(self.engine, changes, zones_defined=True),
            *conserves_value(self.engine, changes),
            *books_are_whole(self.engine, changes),
        ]
        return refresh.done

    def _log_touched(self, refresh: GoldRefresh, generation: int, is_new: bool) -> None:
        """Keep what this generation touched, where a server asks for it; a file's first generation is all of it."""
        log = TouchedLog(self.engine, refresh.stored)
        if self.definitions.settings.target.server is None:
            log.stop()
            return
        if log.since() is None:
            log.start(generation if is_new else self.state()[0])
        if not is_new:
            log.add(generation, refresh.changes)

    def _moments(
        self, commits: Sequence[Commit], batches: Sequence[Batch], is_new: bool, most: int | None
    ) -> tuple[list[datetime], str]:
        """When what silver is made from became known, as far as it is taken in step by step; and from when on that is all."""
        read = {(m.source, table) for m in self.definitions.mapping_sql for table in m.raw_tables}
        told = {batch.commit_no for batch in batches if (batch.source, batch.table) in read}
        moments = [commit.known_at for commit in commits if commit.no in told]
        if len(moments) > max(1, self.definitions.settings.run.history_steps if most is None else most):
            return steps_for_closes(self.engine, moments), f"TIMESTAMPTZ '{moments[-1].isoformat()}'"
        if is_new:
            return moments, BEGINNING
        return moments, f"TIMESTAMPTZ '{kept_from(self.engine).isoformat()}'"

    def _zones(self) -> list[str]:
        """The time zones in use, as far as the engine knows them."""
        project = literal(self.definitions.settings.project.timezone)
        found = self.engine.rows(f"""SELECT DISTINCT zone FROM (SELECT timezone AS zone FROM silver.location UNION ALL SELECT {project})
            WHERE {known_zone("zone")} ORDER BY zone LIMIT 20""")
        return [zone for (zone,) in found]
