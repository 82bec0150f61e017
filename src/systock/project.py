"""A project as Python sees it: the verbs of the command line on one folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from systock.errors import DefinitionError, UsageError
from systock.pipeline_manager import publish_target
from systock.pipeline_manager.attended_run import attended_run
from systock.pipeline_manager.definitions import Definitions
from systock.pipeline_manager.extent import extent_of
from systock.pipeline_manager.freshness import freshness, newest_volume
from systock.pipeline_manager.lock import project_lock, scheduler_at_work
from systock.pipeline_manager.retention import COPIES, copy_name
from systock.pipeline_manager.run_pipeline import RunSummary, build_anew, remove_file, run
from systock.pipeline_manager.source_hints import complete_settings
from systock.pipeline_manager.state import State
from systock.pipeline_manager.workplace import Workplace
from systock.setting_values import hint

if TYPE_CHECKING:
    import pyarrow as pa

    from systock.data_warehouse.engine.base import Engine
    from systock.pipeline_manager.build import Progress
    from systock.pipeline_manager.schedule import Plan, Scheduler, Stop


class Project:
    """One project folder. Opening it reads its settings; raises SettingsError when they are wrong."""

    def __init__(self, path: Path | str = ".") -> None:
        self.path = Path(path).resolve()
        self.settings = complete_settings(self.path)
        self._place = Workplace(self.path, self.settings)

    def run(
        self,
        select: str | Sequence[str] | None = None,
        full: bool = False,
        dry_run: bool = False,
        progress: Progress | None = None,
        *,
        since: str | None = None,
        until: str | None = None,
        history: bool = False,
    ) -> RunSummary:
        """Extract, land, conform, refresh, check and publish; safe to repeat.

        full: build from bronze anew; history: keeping every state of knowledge, commit by commit.

        select: extract only these sources or raw tables ("pos", "pos.sales"), or those that a table is made from
        ("+gold.fact_sale_line"). since, until: only files whose stated time lies between these days or instants.
        """
        selectors = [select] if isinstance(select, str) else select or ()
        extent = extent_of(self.settings, lambda: Definitions(self.path, self.settings), selectors, since, until)
        if dry_run:
            return run(self._place, _watched(progress), extent, dry_run=True)
        return attended_run(self._place, _watched(progress), extent, full=full, history=history)

    def scheduler(self, stop: Stop, say: Callable[[str], None], progress: Progress | None = None) -> Scheduler:
        """The project's scheduler, to be started: `once()` or `forever()`."""
        from systock.pipeline_manager.notify import check_addresses
        from systock.pipeline_manager.schedule import Scheduler

        check_addresses(self.settings.notify)
        return Scheduler(self.path, stop, say, _watched(progress))

    def schedule(self) -> list[dict[str, Any]]:
        """What the settings schedule: each job, what it missed, and when it is next due."""
        return [
            {
                "job": p.job.setting, "cron": p.job.cron, "next": self._local(p.upcoming), "missed": self._local(p.missed),
                "done_until": self._local(p.ticks.done_until) if p.ticks else None, "does": p.job.does,
            }
            for p in self._plans()
        ]  # fmt: skip

    def _plans(self) -> list[Plan]:
        from systock.pipeline_manager.schedule import plan

        with closing(State(self._place.state_dir)) as state:
            return plan(self.settings, state.ticks(), datetime.now(UTC))

    def _local(self, instant: datetime | None) -> str | None:
        """An instant on the project's clock."""
        zone = ZoneInfo(self.settings.project.timezone)
        return instant.astimezone(zone).isoformat(timespec="minutes") if instant else None

    def notify(self) -> list[dict[str, Any]]:
        """Send a test notice to every address of [notify]: which took it, and why not."""
        from systock.pipeline_manager.notify import send
        from systock.pipeline_manager.state import Notice

        name = self.settings.project.name
        return send(self.settings.notify, Notice("test", "", "", f"{name}: a test", "This is a test of [notify]."))

    def query(self, sql: str, known_at: str | None = None, progress: Progress | None = None) -> pa.Table:
        """Rows of one SELECT on the published warehouse, as an Arrow table.

        Of columns with one name the later ones are numbered (a, a_1), as DuckDB does in CREATE TABLE AS.
        known_at: ask a warehouse built only from what was known at that instant or day (built once, then kept).
        """
        from systock.data_warehouse.reading_query import answer, check_reading

        check_reading(sql)
        with _reading(self._warehouse(known_at, progress)) as engine:
            return answer(engine, sql)

    def _as_known(self, known_at: str, progress: Progress) -> tuple[Path, int]:
        """The warehouse as of a state of knowledge, and the number of the last landing commit in it."""
        from systock.pipeline_manager.take_snapshot import point_in_time

        instant, _ = point_in_time(known_at, self.settings.project, "--known-at")
        log, definitions = self._place.log(), Definitions(self.path, self.settings)
        known = [commit for commit in log.commits() if commit.known_at <= instant]
        if not known:
            first = log.commits()
            todo = (
                f"The first landing became known at {first[0].known_at.isoformat()}."
                if first
                else "Run 'systock run' first."
            )
            raise UsageError(f"nothing was known at {instant.isoformat()}", where="--known-at", todo=todo)
        path = self._place.state_dir / COPIES / copy_name(known[-1], definitions.hash)
        if path.exists():
            with suppress(OSError):
                os.utime(path)  # it is kept by its last use
        else:
            aside = path.with_suffix(".new")
            with project_lock(self._place.state_dir, "systock query --known-at"):
                path.parent.mkdir(parents=True, exist_ok=True)
                state = State(self._place.state_dir)
                try:
                    build_anew(
                        self._place, aside, log, definitions, progress, state, up_to=known[-1].no, history_steps=1
                    )
                    aside.replace(path)
                finally:
                    state.close()
                    remove_file(aside)
        return path, known[-1].no

    def _warehouse(self, known_at: str | None = None, progress: Progress | None = None) -> Path:
        """The published warehouse, or the one of a state of knowledge."""
        if known_at is not None:
            return self._as_known(known_at, _watched(progress))[0]
        if not self._place.warehouse.exists():
            raise UsageError(
                "nothing is published yet", where=str(self._place.warehouse), todo="Run 'systock run' first."
            )
        return self._place.warehouse

    def explain(
        self,
        table: str,
        key: str | Mapping[str, Any],
        column: str | None = None,
        limit: int | None = None,
        known_at: str | None = None,
        progress: Progress | None = None,
    ) -> dict[str, Any]:
        """The rows and landed lines that a row of gold or serve (or one column of it) is made from, and its SQL.

        key: the values of the primary key's columns, separated by commas, or NAME=VALUE of any columns, or a mapping of these.
        limit: of each table show at most so many rows, and of each entity so many lines, the newest; all are counted.
        known_at: as `query` has it.
        """
        from systock.pipeline_manager.explain import Explanation

        with _reading(self._warehouse(known_at, progress)) as engine:
            explanation = Explanation(engine, Definitions(self.path, self.settings), table, key, column)
            return explanation.told(self._place.log(), self._place.bronze, limit)

    def status(self) -> dict[str, Any]:
        """What is loaded, how fresh it is, what the last run did."""
        from systock.pipeline_manager.source_drift import drifts

        state, log = State(self._place.state_dir), self._place.log()
        published, last = state.published(), log.last_commit()
        runs, notices = state.runs(1), state.notices(5)
        state.close()
        now, plans = datetime.now(UTC), self._plans()
        sources = [
            {
                "source": of.source, "fresh_at": of.fresh_at.isoformat() if of.fresh_at else None,
                "fresh_within": str(of.fresh_within) if of.fresh_within else None, "is_learned": of.is_learned, "is_late": of.is_late(now),
                "next_run": self._local(min((p.upcoming for p in plans if of.source in p.job.sources and p.upcoming), default=None)),
            }
            for of in freshness(self.settings, log)
        ]  # fmt: skip
        tables = []
        for source, settings in self.settings.sources.items():
            for table in settings.tables:
                batches = log.batches(source=source, table=table)
                volume = newest_volume(self.settings, batches)
                tables.append({
                    "source": source, "table": table, "batches": len(batches), "lines": sum(b.lines for b in batches if b.repeat_of is None),
                    "malformed_lines": sum(b.malformed for b in batches if b.repeat_of is None),
                    "latest_file": batches[-1].path if batches else None, "known_at": batches[-1].known_at.isoformat() if batches else None,
                    "latest_lines": volume.batch.lines if volume else None,
                    "expected_lines": "{:,} to {:,}".format(*volume.expected) + " (learned)" * volume.is_learned if volume and volume.expected else None,
                    "is_unusual": volume.is_odd if volume else None,
                    "rejected_files": sum((r.source, r.table) == (source, table) for r in log.rejected()),
                })  # fmt: skip
        try:
            drift = drifts(Definitions(self.path, self.settings), log, self._place.bronze, self._place.warehouse)
        except DefinitionError:
            drift = []  # a wrong mapping is the next run's to tell
        return {
            "project": self.settings.project.name, "generation": published.generation if published else None,
            "published_at": published.published_at if published else None, "known_at": published.known_at if published else None,
            "waiting_commits": (last.no if last else 0) - (published.commit_no if published else 0),
            "last_run": {k: v for k, v in runs[0].items() if k != "summary"} if runs else None,
            "scheduler": scheduler_at_work(self._place.state_dir), "sources": sources, "tables": tables,
            "drift": drift, "notices": notices,
        }  # fmt: skip

    def runs(self, limit: int = 20) -> list[dict[str, Any]]:
        """The newest runs first, each with its summary; limit 0: all."""
        state = State(self._place.state_dir)
        try:
            return state.runs(limit or -1)
        finally:
            state.close()

    def run_steps(self, run_id: int) -> list[dict[str, Any]]:
        """The steps of one run in their order, with seconds and rows."""
        with closing(State(self._place.state_dir)) as state:
            if not state.run_of(run_id):
                raise UsageError(f"no run has the number {run_id}", todo="See 'systock runs'.")
            return state.steps(run_id)

    def batches(self, source: str | None = None, table: str | None = None, limit: int = 50) -> list[dict[str, Any]]:
        """The newest landed batches first; limit 0: all. Raises UsageError for a source or table that neither is nor was."""
        self._check_names(source, table)
        newest = sorted(self._place.log().batches(source=source, table=table), key=lambda batch: -batch.no)[
            : limit or None
        ]
        return [
            {
                "batch": b.no, "source": b.source, "table": b.table, "path": b.path, "mode": b.mode, "known_at": b.known_at.isoformat(),
                "extracted_at": b.extracted_at.isoformat(), "lines": b.lines, "malformed": b.malformed, "repeat_of": b.repeat_of, "batch_id": b.batch_id,
            }
            for b in newest
        ]  # fmt: skip

    def quarantine(
        self, limit: int = 50, source: str | None = None, entity: str | None = None, rule: str | None = None
    ) -> list[dict[str, Any]]:
        """Lines that are set aside now, oldest first, then what is held back from its fact, and files that could not be read; limit 0: all."""
        self._check_names(source)
        tests = {"source = ?": source, "entity = ?": entity, "contains(rule, ?)": rule}
        at_most = f"LIMIT {int(limit)}" if limit else ""
        asked = {test: value for test, value in tests.items() if value}
        with _reading(self._warehouse()) as engine:
            if entity:
                self._check_entity(engine, entity)
            lines = engine.dicts(
                f"SELECT * EXCLUDE (raw) FROM ({_QUARANTINE}) WHERE {' AND '.join(asked) or 'TRUE'} ORDER BY number {at_most}",
                list(asked.values()),
            )
            for held_entity in sorted(engine.rows(f"SELECT DISTINCT entity FROM ({_HELD})")):
                contract = Definitions(self.path, self.settings).compiled_contracts[held_entity[0]]
                key = " || ' / ' || ".join(f'CAST(version."{name}" AS VARCHAR)' for name in contract.primary_key[1:])
                held = _HELD_LINES.format(held=_HELD, entity=contract.name, natural_key=key)
                lines += engine.dicts(
                    f"SELECT * FROM ({held}) WHERE {' AND '.join(asked) or 'TRUE'} ORDER BY ALL {at_most}",
                    list(asked.values()),
                )
        files = [
            {
                "number": None, "source": file.source, "table": file.table, "entity": "(file)", "file": file.path, "row": None,
                "rule": file.reason, "column": None, "value": None, "known_at": file.seen_at, "batch_id": None,
            }
            for file in self._place.log().rejected()
            if (not source or source == file.source) and (not entity or entity == "(file)") and (not rule or rule in file.reason)
        ]  # fmt: skip
        return (lines + files)[: limit or None]

    def held_back(self) -> list[dict[str, Any]]:
        """How many lines are held back from their facts now, by entity and reason: the most frequent first."""
        with _reading(self._warehouse()) as engine:
            return engine.dicts(
                f"SELECT entity, reason, count(*) AS lines FROM ({_HELD}) GROUP BY ALL ORDER BY lines DESC, entity, reason"
            )

    def quarantine_show(self, number: int) -> dict[str, Any]:
        """One line that is set aside, with its raw text."""
        with _reading(self._warehouse()) as engine:
            found = engine.dicts(f"SELECT * FROM ({_QUARANTINE}) WHERE number = ?", [number])
        if not found:
            raise UsageError(f"no quarantined line has the number {number}", todo="See 'systock quarantine list'.")
        return found[0]

    def quarantine_retry(self, progress: Progress | None = None) -> dict[str, int]:
        """Judge all set-aside lines anew under today's definitions; each keeps the instant its batch became known."""
        before = self._quarantined()
        self.run(full=True, progress=progress)
        return {"before": before, "after": self._quarantined()}

    def _check_names(self, source: str | None, table: str | None = None) -> None:
        """Raise UsageError for a source or raw table that is neither in the settings nor landed."""
        if not source and not table:
            return
        known = {(name, of) for name, settings in self.settings.sources.items() for of in settings.tables}
        known |= {(batch.source, batch.table) for batch in self._place.log().batches()}
        sources = sorted({name for name, _ in known})
        tables = sorted({of for name, of in known if source in (None, name)})
        for option, value, valid in (("--source", source, sources), ("--table", table, tables)):
            if value:
                _check_name(option, value, valid)

    def _check_entity(self, engine: Engine, entity: str) -> None:
        """Raise UsageError for an entity that no mapping fills and of which no line was counted or set aside."""
        known = {mapping.entity for mapping in Definitions(self.path, self.settings).mapping_sql} | {"(file)"}
        known |= {
            name
            for (name,) in engine.rows("SELECT entity FROM meta.row_count UNION SELECT entity FROM silver.quarantine")
        }
        _check_name("--entity", entity, sorted(known))

    def _quarantined(self) -> int:
        with _reading(self._warehouse()) as engine:
            [(count,)] = engine.rows(f"SELECT count(*) FROM ({_QUARANTINE})")
        return int(count)

    def check(self, progress: Progress | None = None) -> list[dict[str, Any]]:
        """All checks on all rows of what is published."""
        from dataclasses import asdict

        from systock.quality.contract_checks import check_contracts
        from systock.quality.reconcile import reconcile
        from systock.quality.value_conservation import books_are_whole, conserves_value

        tables = [table for table in Definitions(self.path, self.settings).compiled().tables if table.is_stored]
        watched = _watched(progress)
        watched.stage("check", len(tables))
        results = []
        with _reading(self._warehouse()) as engine:
            for table in tables:
                results += [asdict(result) for result in check_contracts(engine, [table], None)]
                watched.advance(1, table.qualified)
            found = (*reconcile(engine, None), *conserves_value(engine, None), *books_are_whole(engine, None))
            results += [asdict(result) for result in found]
        return results

    def erase(
        self,
        source: str,
        table: str,
        key: Mapping[str, str] | None = None,
        columns: Sequence[str] = (),
        *,
        plain: bool = False,
        dry_run: bool = False,
        history: bool = False,
        progress: Progress | None = None,
    ) -> dict[str, Any]:
        """Take values out of bronze and of all that is made from it; the lines stay. What was, or would be, done.

        key: the values that name the lines, by column. columns: whose values go; none: the personal ones of the table.
        plain: instead, all values that landed before their columns were personal become hashes. history: see rebuild.
        """
        from systock.pipeline_manager.erase import Request, erase

        request = Request(source, table, key or {}, columns, plain)
        definitions = Definitions(self.path, self.settings)
        return erase(self._place, definitions, request, _watched(progress), dry_run=dry_run, history=history)

    def erasures(self) -> list[dict[str, Any]]:
        """What was taken out of bronze, newest first: when, of which table, how many lines; never which."""
        return [
            {
                "number": of.no, "erased_at": of.erased_at.isoformat(), "source": of.source, "table": of.table, "what": of.what,
                "key_columns": ", ".join(of.key_columns), "key_hash": of.key_hash, "columns": ", ".join(of.columns), "lines": of.lines,
                "batches": of.batches, "finished_at": of.finished_at.isoformat() if of.finished_at else None,
            }
            for of in reversed(self._place.log().erasures())
        ]  # fmt: skip

    def rebuild(
        self, verify: bool = False, known_at: str | None = None, progress: Progress | None = None, history: bool = False
    ) -> dict[str, Any]:
        """Build everything from bronze alone.

        history: landing commit by landing commit, so that stock_as_of and sales_as_of know every state of knowledge.

        verify: compare it with what is published, and publish nothing. known_at: only from what was known at that instant or
        day; kept for `query(known_at=…)`, not published.
        """
        from systock.data_warehouse.content_hash import kept_from, table_hashes

        if known_at is not None:
            path, _ = self._as_known(known_at, _watched(progress))
            with _reading(path) as engine:
                [(generation,)] = engine.rows("SELECT generation FROM meta.progress")
                tables = [
                    {"table": name, "rows": rows, "hash": hashed}
                    for name, (rows, hashed) in table_hashes(engine).items()
                ]
            return {"generation": generation, "tables": tables}
        if not verify:
            summary = self.run(full=True, progress=progress, history=history)
            return {"generation": summary.generation, "tables": summary.tables}
        watched, definitions = _watched(progress), Definitions(self.path, self.settings)
        path = self._place.state_dir / "verify.duckdb"
        with project_lock(self._place.state_dir, "systock rebuild --verify"):
            state = State(self._place.state_dir)
            published = state.published()
            if published is None:
                raise UsageError("nothing is published yet", todo="Run 'systock run' first.")
            if published.definitions != definitions.hash:
                raise UsageError(
                    "the definitions changed since the last run", todo="Run 'systock run' first, then verify."
                )
            try:
                steps = sys.maxsize if history else None
                built = build_anew(
                    self._place, path, self._place.log(), definitions, watched, state, published.commit_no, steps
                )
                watched.stage("compare", None)
                with _reading(path) as engine, _reading(self._warehouse()) as published_engine:
                    # What one of them does not keep, both leave out.
                    since = max(kept_from(engine), kept_from(published_engine))
                    fresh, current = table_hashes(engine, since=since), table_hashes(published_engine, since=since)
            finally:
                state.close()
                remove_file(path)
        tables = [
            {"table": name, "rows": fresh.get(name, (None, None))[0], "hash": fresh.get(name, (None, None))[1],
             "published_hash": current.get(name, (None, None))[1], "same": fresh.get(name) == current.get(name)}
            for name in sorted({*fresh, *current})
        ]  # fmt: skip
        return {"generation": built.generation, "tables": tables}

    def snapshot_take(
        self, kind: str | None = None, as_of: str | None = None, progress: Progress | None = None
    ) -> list[dict[str, Any]]:
        """Keep the state of products and of sales (or one of them) as reported now, as of an instant or a day's end."""
        from systock.pipeline_manager.take_snapshot import take_snapshots

        return take_snapshots(self._place, [f"{kind}_state"] if kind else None, as_of, _watched(progress))

    def snapshot_diff(self, before: int, after: int, kind: str | None = None) -> list[dict[str, Any]]:
        """What differs between two snapshots: rows that came or went, and columns that changed, each as it was and as it is.

        kind: product, sales or stock; None: all kinds that both snapshots hold. Raises UsageError for numbers without a snapshot.
        """
        from systock.data_warehouse.snapshots import difference_sql

        tables = Definitions(self.path, self.settings).snapshot_tables
        with _reading(self._warehouse()) as engine:
            taken = engine.rows("SELECT snapshot_no, kind FROM snapshot.taken ORDER BY snapshot_no DESC")
            for number in (before, after):
                if not any(no == number and kind in (None, name.removesuffix("_state")) for no, name in taken):
                    known = ", ".join(dict.fromkeys(str(no) for no, _ in taken[:30])) or "none yet"
                    raise UsageError(
                        f"there is no {kind + ' ' if kind else ''}snapshot {number}",
                        todo=f"Snapshots taken: {known} (systock snapshot list).",
                    )
            both = [
                t for t in tables
                if kind in (None, t.name.removesuffix("_state")) and {(before, t.name), (after, t.name)} <= set(taken)
            ]  # fmt: skip
            return [row for table in both for row in engine.dicts(difference_sql(table, before, after))]

    def snapshots(self) -> list[dict[str, Any]]:
        """The snapshots taken, newest first."""
        with _reading(self._warehouse()) as engine:
            return engine.dicts("SELECT * FROM snapshot.taken ORDER BY snapshot_no DESC, kind")

    def export(
        self, tables: str | Sequence[str], to: Path | str, form: str = "parquet", progress: Progress | None = None
    ) -> list[dict[str, Any]]:
        """Write published tables into files of a folder ("parquet" or "csv"), one each; the table, file, rows and bytes of each.

        tables: names such as "serve.sales_daily", or patterns such as "serve.*".
        """
        from systock.load.export import export_tables, matching

        asked, watched = [tables] if isinstance(tables, str) else tables, _watched(progress)
        with self._place.connect(self._warehouse(), read_only=True) as engine:
            found = matching(engine, asked)
            watched.stage("export", len(found))
            return export_tables(engine, found, Path(to), form, lambda table: watched.advance(1, table))

    def export_dbt(self, to: Path | str) -> dict[str, Any]:
        """Write a dbt sources.yml of what is published into a folder: descriptions, types and tests; how many of each."""
        from systock.load.dbt_sources import sources, write_sources

        document = sources(Definitions(self.path, self.settings).published_files)
        tables = [table for source in document["sources"] for table in source["tables"]]
        tests = [of for table in tables for of in (table, *table["columns"])]
        return {
            "file": str(write_sources(document, Path(to))), "tables": len(tables),
            "columns": sum(len(table["columns"]) for table in tables), "tests": sum(len(of.get("data_tests", ())) for of in tests),
        }  # fmt: skip

    def target_init(self) -> list[dict[str, str]]:
        """Make the server of the settings a target: roles and schemas, each with what it is for. Safe to repeat."""
        return publish_target.init_target(self._place, Definitions(self.path, self.settings))

    def target_init_sql(self) -> str:
        """The statements that target_init runs."""
        return publish_target.init_text(self._place, Definitions(self.path, self.settings))

    def target_status(self) -> dict[str, Any]:
        """The generation of the server and of what is published here, what a run would do there, what was changed by hand."""
        with project_lock(self._place.state_dir, "systock target status"):
            return publish_target.target_status(self._place, Definitions(self.path, self.settings))

    def target_sync(self, full: bool = False, progress: Progress | None = None) -> dict[str, Any]:
        """Bring the server to what is published here; full: comparing every row, whoever published what it has."""
        from systock.pipeline_manager.sync_target import sync_target

        definitions = Definitions(self.path, self.settings)
        with project_lock(self._place.state_dir, "systock target sync"):
            return sync_target(self._place, definitions, _watched(progress), full=full)

    def flow(self) -> str:
        """The flow and the graph of tables, as text."""
        from systock.pipeline_manager.pipeline_flow import flow_text

        return flow_text(Definitions(self.path, self.settings).tables)


_QUARANTINE = """
    SELECT row_number() OVER (ORDER BY q.batch_no, q.row_no, q.entity) AS number, q.source_name AS source, q.table_name AS "table", q.entity,
        b.path AS file, q.row_no AS "row", q.rule, q.column_name AS "column", q.value, q.landed_at AS known_at, b.batch_id, q.raw
    FROM silver.quarantine AS q LEFT JOIN meta.batch AS b ON b.batch_no = q.batch_no
    WHERE q.known_to_at = TIMESTAMPTZ '9999-12-31 00:00:00+00'"""

_HELD = " UNION ALL ".join(
    f"SELECT entity, source_name, natural_key, reason, held_value FROM gold.{table}"
    for table in ("unconverted_line", "unconverted_document_line")
)
# Held back lines are sound, so no number of the quarantine shows them: their file and row do.
_HELD_LINES = """
    SELECT NULL AS number, held.source_name AS source, b.table_name AS "table", held.entity, b.path AS file, version._row AS "row",
        'held back: ' || held.reason AS rule, NULL AS "column", held.held_value AS value, version.known_from_at AS known_at, b.batch_id
    FROM ({held}) AS held
    JOIN silver.{entity}__versions AS version
        ON version.source_name = held.source_name AND {natural_key} = held.natural_key
        AND version.known_to_at = TIMESTAMPTZ '9999-12-31 00:00:00+00'
    LEFT JOIN meta.batch AS b ON b.batch_no = version._batch_no
    WHERE held.entity = '{entity}'"""


def _check_name(option: str, value: str, valid: list[str]) -> None:
    """Raise UsageError for a name that is not one of these."""
    if value not in valid:
        todo = f"{hint(value, valid)} Valid: {', '.join(valid) or 'none'}.".strip()
        raise UsageError(f"there is no {option.removeprefix('--')} {value!r}", where=option, todo=todo)


def _watched(progress: Progress | None) -> Progress:
    from systock.pipeline_manager.build import Silent

    return progress or Silent()


def _reading(path: Path) -> Engine:
    from systock.data_warehouse.engine.duckdb import connect

    return connect(path, read_only=True)
