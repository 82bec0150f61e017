"""Stored lines: the current lines of a raw table by its key, in two times, for mappings that look at more than one line.

`bronze.<source>__<table>` holds the columns that such mappings read, every value still text. Lines of append and
changes tables are merged by the source's updated_at, else by the extraction's position. Full extracts state the whole
table: what a complete one no longer holds is gone from its position on. A full extract that arrives after a later one
makes the table's history be read again from its batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from systock.data_warehouse.compiled import FOREVER
from systock.data_warehouse.engine.base import Engine
from systock.etl_pipeline.silver_layer import quarantine, row_equation
from systock.etl_pipeline.silver_layer.cast_rules import cast_sql
from systock.etl_pipeline.silver_layer.lines import line_view, raw_text_sql
from systock.etl_pipeline.silver_layer.versions import VersionTable, content_text, listed, merge, replace, same
from systock.extract.pull import DELETED_AT
from systock.sql_text import literal, quoted

if TYPE_CHECKING:
    from systock.etl_pipeline.bronze_layer.landing_log import Batch
    from systock.source_settings import TableSettings

#: The entity name under which the lines themselves are counted and quarantined.
LINES = "(lines)"


@dataclass(frozen=True)
class StoredTable:
    """A raw table whose lines are stored. valid_time: is every version of a line needed, not only the latest?"""

    source: str
    table: str
    settings: TableSettings
    columns: tuple[str, ...]
    valid_time: bool

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that identify a line, as stored."""
        return tuple(_stored(name) for name in self.settings.key) or ("line_file", "line_row")

    @property
    def source_columns(self) -> tuple[str, ...]:
        """The source's own columns that are stored, in small letters: engines fold case."""
        return tuple(dict.fromkeys(name.lower() for name in (*self.settings.key, *self.columns)))

    @property
    def versions(self) -> VersionTable:
        """The table of versions; the source's columns stand in it as raw_…, apart from SyStock's own."""
        names = dict.fromkeys([*self.key, *map(_stored, self.source_columns)])
        columns = (*((name, "text") for name in names), ("line_updated_at", "timestamptz"))
        return VersionTable(
            f'bronze."{self.source}__{self.table}"', self.key, columns, self.valid_time, "line_updated_at"
        )

    def known_sql(self, condition: str, history: bool) -> str:
        """The lines as a mapping sees them; with history all versions (gone ones flagged), else the last of each key."""
        by_key = f"PARTITION BY {listed(self.key, 'v')} ORDER BY v.version_at"
        latest = f"QUALIFY row_number() OVER ({by_key} DESC) = 1" if self.valid_time and not history else ""
        # When a line that is gone, or that comes back, went.
        gone = (
            f"CASE WHEN v.is_deleted THEN v.version_at WHEN lag(v.is_deleted) OVER ({by_key}) THEN lag(v.version_at) OVER ({by_key}) END"
            if history
            else "NULL"
        )
        rows = f"SELECT *, CAST({gone} AS TIMESTAMPTZ) AS line_gone_at FROM {self.versions.name} AS v WHERE {condition} {latest}"
        present = "" if history else "WHERE NOT v.is_deleted"
        columns = "".join(f"v.{quoted(_stored(name))} AS {quoted(name)}, " for name in self.source_columns)
        return f"""SELECT {columns}b.path AS _file, v._row, v._extracted_at, v._batch_no,
                v.version_at AS _line_version_at, v.is_deleted AS _line_is_deleted, v.line_gone_at AS _line_gone_at
            FROM ({rows}) AS v JOIN meta.batch AS b ON b.batch_no = v._batch_no {present}"""


def _stored(name: str) -> str:
    """The stored column of a source's column."""
    return f"raw_{name.lower()}"


def create_stored(engine: Engine, table: StoredTable) -> None:
    """Make the table of stored lines."""
    engine.execute(table.versions.create_sql())


def store_lines(
    engine: Engine, bronze: Path, table: StoredTable, batches: Sequence[Batch], earlier: Sequence[Batch]
) -> None:
    """Take in the batches of one commit; `earlier` are all batches of the table that landed before."""
    engine.execute("CREATE OR REPLACE TEMP TABLE pending_batch (batch_no INTEGER)")
    engine.execute(f"INSERT INTO pending_batch SELECT unnest([{', '.join(str(batch.no) for batch in batches)}])")
    landed = [batch for batch in batches if batch.part]
    if table.settings.mode == "full":  # an extract that repeats the latest one, after it, says nothing new
        latest = max((batch.extracted_at for batch in earlier), default=None)
        landed = [
            batch
            for batch in landed
            if batch.repeat_of is None or (latest is not None and batch.extracted_at <= latest)
        ]
    _judged_lines(engine, bronze, table, landed)
    if table.settings.mode == "full":
        _store_full(engine, bronze, table, landed, [batch for batch in [*earlier, *batches] if batch not in landed])
    else:
        merge(engine, table.versions, "stored_candidate")
    _set_aside(engine, table, landed)
    engine.execute("CREATE OR REPLACE TEMP TABLE left_out_count (_batch_no INTEGER, lines BIGINT)")
    row_equation.record(engine, table.source, f"{table.table} {LINES}", "pending_batch")


def lines_that_stay(engine: Engine, table: StoredTable) -> tuple[str, int] | None:
    """The latest full extract, where it holds nothing and so closes nothing, and how many lines of the one before stay; else None."""
    latest = engine.rows(f"""SELECT path, lines FROM meta.batch
        WHERE source_name = {literal(table.source)} AND table_name = {literal(table.table)}
        ORDER BY extracted_at DESC, batch_no DESC LIMIT 1""")
    if table.settings.mode != "full" or not latest or latest[0][1]:
        return None
    [(held,)] = engine.rows(f"SELECT count(*) FROM ({_last_state(table.versions)}) WHERE NOT is_deleted")
    return (str(latest[0][0]), int(held)) if held else None


def _judged_lines(engine: Engine, bronze: Path, table: StoredTable, landed: Sequence[Batch]) -> None:
    """Make `stored_line`, with the rule that a line breaks, and the view `stored_candidate` of the sound ones."""
    settings = table.settings
    wanted = {*settings.key, *table.columns, *([settings.updated_at] if settings.updated_at else []), DELETED_AT}
    line_view(engine, "line", bronze, landed, wanted)
    updated = cast_sql(f"l.{quoted(settings.updated_at)}", "VARCHAR", "timestamptz") if settings.updated_at else "NULL"
    local = cast_sql(f"l.{quoted(settings.updated_at)}", "VARCHAR", "timestamp") if settings.updated_at else "NULL"
    # Without an offset the source's clock is only compared with itself, so any one zone orders it rightly.
    instant = f"coalesce({updated}, CAST({local} AS TIMESTAMPTZ))"
    columns = [f"l.{quoted(name)} AS {quoted(_stored(name))}" for name in table.source_columns]
    if not settings.key:
        columns = ["l._file AS line_file", "CAST(l._row AS VARCHAR) AS line_row", *columns]
    missing = " ".join(
        f"WHEN l.{quoted(name)} IS NULL OR l.{quoted(name)} = '' THEN {literal(name)}" for name in settings.key
    )
    bad_instant = (
        f"WHEN nullif(trim(l.{quoted(settings.updated_at)}), '') IS NOT NULL AND {instant} IS NULL THEN {literal(settings.updated_at)}"
        if settings.updated_at
        else ""
    )
    # A full extract speaks for the instant at which it was taken.
    instant_of_version = "l._extracted_at" if settings.mode == "full" else f"coalesce({instant}, l._extracted_at)"
    wrong = f"CASE {missing} {bad_instant} END" if missing or bad_instant else "NULL"
    deleted = "FALSE"
    if settings.tells_deletes:
        # The line goes with the extraction that missed it, and never before its last version by the source's own clock.
        gone_at = f"CAST(l.{DELETED_AT} AS TIMESTAMPTZ)"
        gone_at = f"greatest({gone_at}, {instant} + INTERVAL 1 MICROSECOND)"
        instant_of_version = f"CASE WHEN l.{DELETED_AT} IS NULL THEN {instant_of_version} ELSE {gone_at} END"
        deleted = f"l.{DELETED_AT} IS NOT NULL"
    engine.execute(f"""CREATE OR REPLACE TEMP TABLE stored_line AS
        SELECT {", ".join(columns)}, CAST({instant} AS TIMESTAMPTZ) AS line_updated_at, {instant_of_version} AS version_at,
            {deleted} AS is_deleted, l._extracted_at, l._known_at AS known_at, l._batch_no, l._row, {wrong} AS wrong_column
        FROM line AS l WHERE l._malformed IS NULL""")
    if settings.tells_deletes:
        _put_back_later(engine, table.versions)
    engine.execute(
        "CREATE OR REPLACE TEMP VIEW stored_candidate AS SELECT * EXCLUDE (wrong_column) FROM stored_line WHERE wrong_column IS NULL"
    )


def _put_back_later(engine: Engine, versions: VersionTable) -> None:
    """A line that is there again counts as later than its going, which an earlier extraction told, whatever instant it states."""
    key = versions.key
    told = f"{listed(key)}, version_at, line_updated_at, _extracted_at"
    engine.execute(f"""UPDATE stored_line AS l
        SET version_at = greatest(l.version_at, b.gone_at + INTERVAL 1 MICROSECOND),
            line_updated_at = greatest(l.line_updated_at, b.gone_updated_at)
        FROM (
            SELECT n._batch_no, n._row, max(g.version_at) AS gone_at, max(g.line_updated_at) AS gone_updated_at
            FROM stored_line AS n
            JOIN (
                SELECT {told} FROM stored_line WHERE is_deleted
                UNION ALL
                SELECT {told} FROM {versions.name} AS v SEMI JOIN stored_line AS n ON {same(key, "v", "n")} WHERE is_deleted
            ) AS g ON {same(key, "n", "g")} AND g._extracted_at < n._extracted_at
            WHERE NOT n.is_deleted
            GROUP BY n._batch_no, n._row
        ) AS b
        WHERE l._batch_no = b._batch_no AND l._row = b._row""")


def _store_full(
    engine: Engine, bronze: Path, table: StoredTable, landed: Sequence[Batch], earlier: Sequence[Batch]
) -> None:
    """Make the stored lines say what all full extracts so far say together."""
    versions = table.versions
    known = [batch for batch in [*earlier, *landed] if batch.part]
    newest_before = max((batch.extracted_at for batch in earlier if batch.part), default=None)
    in_order = len(landed) <= 1 and all(newest_before is None or batch.extracted_at > newest_before for batch in landed)
    engine.execute(f"CREATE OR REPLACE TEMP TABLE sound_line AS {_one_line_per_key(table, 'stored_candidate')}")
    engine.execute(
        "CREATE OR REPLACE TEMP TABLE full_outcome AS SELECT _batch_no, _row, outcome FROM sound_line WHERE outcome <> 'kept'"
    )
    if not landed:
        _empty_terms(engine)
        return
    if in_order:
        _next_extract(engine, versions, landed[0])
    else:
        _all_extracts(engine, bronze, table, known)
    _count_full(engine, table)


def _one_line_per_key(table: StoredTable, lines: str) -> str:
    """Lines of full extracts with what their own extract says of them: kept, duplicate, superseded or tied."""
    versions = table.versions
    key = listed(table.key)
    return f"""
        SELECT * EXCLUDE (last_instant, lines_at_last, repeat_no), CASE
            WHEN repeat_no > 1 THEN 'duplicate' WHEN line_updated_at IS DISTINCT FROM last_instant THEN 'superseded'
            WHEN lines_at_last > 1 THEN 'tied' ELSE 'kept' END AS outcome
        FROM (
            SELECT *,
                count(*) FILTER (WHERE repeat_no = 1 AND line_updated_at IS NOT DISTINCT FROM last_instant) OVER (PARTITION BY _batch_no, {key}) AS lines_at_last
            FROM (
                SELECT *, {content_text(versions)} AS said,
                    max(line_updated_at) OVER (PARTITION BY _batch_no, {key}) AS last_instant,
                    row_number() OVER (PARTITION BY _batch_no, {key}, {content_text(versions)} ORDER BY _row) AS repeat_no
                FROM {lines}))"""


def _next_extract(engine: Engine, versions: VersionTable, batch: Batch) -> None:
    """The usual case: one extract, later than all before it. Only what differs from the last state is a version."""
    others = ", ".join(f"o.{quoted(name)}" for name in versions.content)
    engine.execute(f"""CREATE OR REPLACE TEMP TABLE state_before AS
        SELECT *, {content_text(versions)} AS said FROM ({_last_state(versions)}) WHERE NOT is_deleted""")
    gone = (
        f"""UNION ALL
        SELECT {others}, b.extracted_at, TRUE, b.extracted_at, b.known_at, b.batch_no, o._row
        FROM state_before AS o CROSS JOIN (SELECT * FROM meta.batch WHERE batch_no = {batch.no}) AS b
        ANTI JOIN stored_line AS n ON {same(versions.key, "n", "o")}"""
        if batch.complete
        else ""
    )
    engine.execute(f"""CREATE OR REPLACE TEMP TABLE extract_change AS
        SELECT {listed(versions.content, "n")}, n.version_at, FALSE AS is_deleted, n._extracted_at, n.known_at, n._batch_no, n._row
        FROM sound_line AS n LEFT JOIN state_before AS o ON {same(versions.key, "n", "o")}
        WHERE n.outcome = 'kept' AND n.said IS DISTINCT FROM o.said
        {gone}""")
    _believe(engine, versions)


def _last_state(versions: VersionTable) -> str:
    """The last version of each key, gone ones too."""
    return f"""SELECT * FROM {versions.name} WHERE known_to_at = {FOREVER}
        QUALIFY row_number() OVER (PARTITION BY {listed(versions.key)} ORDER BY version_at DESC, line_updated_at DESC NULLS LAST) = 1"""


def _all_extracts(engine: Engine, bronze: Path, table: StoredTable, known: Sequence[Batch]) -> None:
    """Extracts out of order: read them all and keep, per key, where its line appears, changes and goes."""
    versions = table.versions
    key = listed(versions.key)
    engine.execute("CREATE OR REPLACE TEMP TABLE new_line AS SELECT * FROM stored_line")
    _judged_lines(engine, bronze, table, known)
    engine.execute(f"""CREATE OR REPLACE TEMP TABLE extract_no AS
        SELECT batch_no, extracted_at, known_at, is_complete, row_number() OVER (ORDER BY extracted_at, batch_id) AS position
        FROM meta.batch WHERE batch_no IN ({", ".join(str(batch.no) for batch in known)})""")
    [(now,)] = engine.rows("SELECT max(known_at) FROM extract_no")
    first_content = ", ".join(quoted(name) for name in versions.content)
    engine.execute(f"""CREATE OR REPLACE TEMP TABLE extract_change AS
        WITH sighting AS (
            SELECT s.*, e.position, lag(s.said) OVER by_position AS said_before,
                lag(e.position) OVER by_position AS position_before, lead(e.position) OVER by_position AS position_after
            FROM ({_one_line_per_key(table, "stored_candidate")}) AS s JOIN extract_no AS e ON e.batch_no = s._batch_no
            WHERE s.outcome = 'kept'
            WINDOW by_position AS (PARTITION BY {key} ORDER BY e.position)
        ), with_absence AS (  -- the first complete extract after the sighting that does not hold the key, not even in a line set aside
            SELECT s.*, (
                SELECT min(e.position) FROM extract_no AS e
                WHERE e.is_complete AND e.position > s.position
                    AND NOT EXISTS (SELECT 1 FROM stored_line AS l WHERE l._batch_no = e.batch_no AND {same(versions.key, "l", "s")})
            ) AS next_complete
            FROM sighting AS s
        ), flagged AS (
            SELECT *, next_complete IS NOT NULL AND (position_after IS NULL OR next_complete < position_after) AS goes_after,
                position_before IS NULL OR said <> said_before OR coalesce(lag(next_complete < position_after) OVER (PARTITION BY {key} ORDER BY position), FALSE) AS appears
            FROM with_absence
        )
        SELECT {first_content}, version_at, FALSE AS is_deleted,
            _extracted_at, TIMESTAMPTZ '{now}' AS known_at, _batch_no, _row, position, said
        FROM flagged WHERE appears
        UNION ALL
        SELECT {first_content}, e.extracted_at, TRUE, e.extracted_at, TIMESTAMPTZ '{now}', e.batch_no, f._row, e.position, NULL
        FROM flagged AS f JOIN extract_no AS e ON e.position = f.next_complete WHERE f.goes_after""")
    # Of extracts that state one instant the last speaks; what only those before it said was never true.
    engine.execute(f"""CREATE OR REPLACE TEMP TABLE extract_change AS
        WITH last_of_instant AS (
            SELECT * FROM extract_change QUALIFY row_number() OVER (PARTITION BY {key}, version_at ORDER BY position DESC) = 1
        ), changed AS (
            SELECT * FROM last_of_instant QUALIFY said IS DISTINCT FROM lag(said) OVER (PARTITION BY {key} ORDER BY position)
        )
        SELECT * EXCLUDE (position, said) FROM changed
        QUALIFY row_number() OVER (PARTITION BY {listed(versions.identity)} ORDER BY position DESC) = 1""")
    engine.execute(f"""CREATE OR REPLACE TEMP TABLE touched_identity AS
        SELECT DISTINCT {listed(versions.identity)}, TIMESTAMPTZ '{now}' AS known_at FROM {versions.name} WHERE known_to_at = {FOREVER}""")
    replace(engine, versions, "extract_change", "touched_identity")
    engine.execute("CREATE OR REPLACE TEMP TABLE stored_line AS SELECT * FROM new_line")


def _believe(engine: Engine, versions: VersionTable) -> None:
    touched = f"(SELECT {listed(versions.identity)}, known_at FROM extract_change)"
    replace(engine, versions, "extract_change", touched)


def _count_full(engine: Engine, table: StoredTable) -> None:
    """Terms of the landed lines: a sound line that made no version repeats what was known."""
    engine.execute(f"""CREATE OR REPLACE TEMP TABLE merged_term AS
        SELECT s._batch_no, s._row, CASE WHEN s.outcome <> 'kept' THEN s.outcome WHEN v._row IS NOT NULL THEN 'kept' ELSE 'unchanged' END AS term
        FROM sound_line AS s LEFT JOIN {table.versions.name} AS v
            ON v._batch_no = s._batch_no AND v._row = s._row AND NOT v.is_deleted AND v.known_from_at = s.known_at""")
    engine.execute(
        "CREATE OR REPLACE TEMP TABLE merged_count AS SELECT _batch_no, term, count(*) AS lines FROM merged_term GROUP BY ALL"
    )


def _empty_terms(engine: Engine) -> None:
    engine.execute("CREATE OR REPLACE TEMP TABLE merged_term (_batch_no INTEGER, _row BIGINT, term VARCHAR)")
    engine.execute("CREATE OR REPLACE TEMP TABLE merged_count (_batch_no INTEGER, term VARCHAR, lines BIGINT)")


def _set_aside(engine: Engine, table: StoredTable, batches: Sequence[Batch]) -> None:
    """Quarantine lines that could not be read, have no key or no instant, or contradict each other."""
    entity = f"{table.table} {LINES}"
    quarantine.add(engine, table.source, table.table, entity, """
        SELECT _batch_no AS batch_no, _row AS row_no, _reason AS rule, NULL AS column_name, _malformed AS value, _malformed AS raw,
            _known_at AS landed_at, _known_at AS known_from_at
        FROM line WHERE _malformed IS NOT NULL AND _batch_no IN (SELECT batch_no FROM pending_batch)""")  # fmt: skip
    names = table.settings.key or table.key  # as the source calls them
    key = literal(names[0])
    said = " || ', ' || ".join(
        f"{literal(name + ' ')} || s.{quoted(stored)}" for name, stored in zip(names, table.key, strict=True)
    )
    engine.execute(f"""CREATE OR REPLACE TEMP TABLE odd_place AS
        SELECT _batch_no, _row, known_at, wrong_column AS column_name, NULL AS value,
            CASE WHEN wrong_column = {literal(table.settings.updated_at or "")} THEN 'no ISO timestamp' ELSE 'missing' END AS rule
        FROM stored_line WHERE wrong_column IS NOT NULL
        UNION ALL
        SELECT s._batch_no, s._row, s.known_at, {key}, {said}, {literal(quarantine.TIED)}
        FROM stored_line AS s JOIN merged_term AS m ON m._batch_no = s._batch_no AND m._row = s._row AND m.term = 'tied'""")
    if engine.rows("SELECT 1 FROM odd_place LIMIT 1"):
        engine.execute(
            "CREATE OR REPLACE TEMP TABLE odd_line AS SELECT * FROM line SEMI JOIN odd_place USING (_batch_no, _row)"
        )
        quarantine.add(engine, table.source, table.table, entity, f"""
            SELECT o._batch_no AS batch_no, o._row AS row_no, o.rule, o.column_name,
                coalesce(o.value, json_extract_string(r.raw, '$."' || o.column_name || '"')) AS value, r.raw,
                o.known_at AS landed_at, o.known_at AS known_from_at
            FROM odd_place AS o JOIN ({raw_text_sql(batches, "odd_line")}) AS r ON r.raw_batch = o._batch_no AND r.raw_row = o._row""")  # fmt: skip
