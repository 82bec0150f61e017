"""Versions in two times: merging sightings of keyed rows into a table that keeps every version it believed.

A table of versions holds, beside its content, `known_from_at` and `known_to_at` (when we believed the version, end
exclusive) and where it came from. A version is identified by its key, in tables with valid time by its key and the
instant `version_at` from which it was true. Of two sightings of one version the later wins, by the source's own
instant, then by the extraction's stated position, last by content: never by landing, so any order of arrival ends in
the same belief.
"""

from __future__ import annotations

from dataclasses import dataclass

from systock.data_warehouse.compiled import FOREVER
from systock.data_warehouse.engine.base import Engine
from systock.etl_pipeline.silver_layer.cast_rules import engine_type
from systock.sql_text import quoted


@dataclass(frozen=True)
class VersionTable:
    """A table of versions.

    name: its qualified name. key: names of the key columns. columns: (name, contract type) of the content, key
    included. valid_time: is a version one per key and version_at? order_column: the source's own instant.
    """

    name: str
    key: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]
    valid_time: bool
    order_column: str = "updated_at"

    @property
    def content(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.columns)

    @property
    def identity(self) -> tuple[str, ...]:
        """The columns that identify one version."""
        return (*self.key, "version_at") if self.valid_time else self.key

    def create_sql(self) -> str:
        columns = [f"{quoted(name)} {engine_type(type_)}" for name, type_ in self.columns]
        return f"""CREATE TABLE IF NOT EXISTS {self.name} (
            {", ".join(columns)},
            version_at TIMESTAMPTZ NOT NULL, is_deleted BOOLEAN NOT NULL,
            known_from_at TIMESTAMPTZ NOT NULL, known_to_at TIMESTAMPTZ NOT NULL,
            _extracted_at TIMESTAMPTZ NOT NULL, _batch_no INTEGER NOT NULL, _row BIGINT NOT NULL)"""


def listed(names: tuple[str, ...], alias: str = "") -> str:
    """Column names as an SQL list."""
    prefix = f"{alias}." if alias else ""
    return ", ".join(prefix + quoted(name) for name in names)


def same(names: tuple[str, ...], left: str, right: str) -> str:
    """Equality of columns that are never NULL."""
    return " AND ".join(f"{left}.{quoted(name)} = {right}.{quoted(name)}" for name in names)


def content_text(table: VersionTable, alias: str = "") -> str:
    """Text that differs wherever the content differs (deletion included)."""
    prefix = f"{alias}." if alias else ""
    values = ", ".join(
        f"coalesce(length(CAST({prefix}{quoted(n)} AS VARCHAR)) || ':' || CAST({prefix}{quoted(n)} AS VARCHAR), 'N')"
        for n in table.content
    )
    return f"md5(concat({values}, CAST({prefix}is_deleted AS VARCHAR)))"


def merge(engine: Engine, table: VersionTable, candidates: str) -> None:
    """Merge sightings, of any number of commits at once, into a table of versions.

    candidates: relation of the content columns, version_at, is_deleted, _extracted_at, known_at, _batch_no and _row; keys are
    never NULL; is_deleted marks a sighting
    that says the row is gone. Leaves temporary relations behind: `merged_term (_batch_no, _row, term)` for the lines
    that met another version of their key (kept, unchanged, superseded, duplicate, tied, left_out), and
    `merged_count (_batch_no, term, lines)` for all lines, each term counted from its own rows.
    """
    identity, key, content = table.identity, table.key, table.content
    hashed = f"hash({listed(identity, 'c')})"
    engine.execute(f"""CREATE OR REPLACE TEMP TABLE contended AS
        SELECT {hashed} AS h FROM {candidates} AS c GROUP BY ALL HAVING count(*) > 1
        UNION
        SELECT {hashed} FROM {candidates} AS c SEMI JOIN (
            -- first the versions of these keys: the scan of all of them is cut by the few
            SELECT {listed(identity, "v")} FROM {table.name} AS v SEMI JOIN {candidates} AS c ON {same(identity, "v", "c")}
        ) AS v ON {same(identity, "c", "v")}""")
    if (
        table.valid_time
    ):  # several versions of one key in one batch: the earlier ones stay in history but are counted apart
        engine.execute(f"""INSERT INTO contended
            SELECT {hashed} FROM {candidates} AS c SEMI JOIN
                (SELECT _batch_no, {listed(key)} FROM {candidates} GROUP BY ALL HAVING count(*) > 1) AS k
                ON c._batch_no = k._batch_no AND {same(key, "c", "k")}""")
    [(any_contended,)] = engine.rows("SELECT count(*) > 0 FROM contended")
    alone = f"WHERE {hashed} NOT IN (SELECT h FROM contended)" if any_contended else ""
    system = "version_at, is_deleted, known_from_at, known_to_at, _extracted_at, _batch_no, _row"
    engine.execute(f"""INSERT INTO {table.name} ({listed(content)}, {system})
        SELECT {listed(content, "c")}, c.version_at, c.is_deleted, c.known_at, {FOREVER}, c._extracted_at, c._batch_no, c._row
        FROM {candidates} AS c {alone}""")
    engine.execute(f"""CREATE OR REPLACE TEMP TABLE merged_count AS
        SELECT c._batch_no, CASE WHEN c.is_deleted THEN 'left_out' ELSE 'kept' END AS term, count(*) AS lines
        FROM {candidates} AS c {alone} GROUP BY ALL""")
    engine.execute("CREATE OR REPLACE TEMP TABLE merged_term (_batch_no INTEGER, _row BIGINT, term VARCHAR)")
    if any_contended:
        _merge_contended(engine, table, candidates, hashed)


def _merge_contended(engine: Engine, table: VersionTable, candidates: str, hashed: str) -> None:
    identity, key, content = table.identity, table.key, table.content
    order = quoted(table.order_column)
    version = listed(identity)
    system = "version_at, is_deleted, known_from_at, known_to_at, _extracted_at, _batch_no, _row"
    # Old beliefs come in as sightings too (is_old): they were landed before everything in candidates.
    engine.execute(f"""CREATE OR REPLACE TEMP TABLE sighting AS
        WITH new_line AS (
            SELECT {listed(content, "c")}, c.version_at, c.is_deleted, c._extracted_at, c.known_at, c._batch_no, c._row,
                {content_text(table, "c")} AS said, FALSE AS is_old
            FROM {candidates} AS c WHERE {hashed} IN (SELECT h FROM contended)
        ), judged AS (
            SELECT *,
                row_number() OVER (PARTITION BY _batch_no, {version}, said ORDER BY _row) AS repeat_no,
                min(said) OVER same_instant <> max(said) OVER same_instant AS is_tied
            FROM new_line
            WINDOW same_instant AS (PARTITION BY _batch_no, {version}, {order})
        ), old_version AS (
            SELECT {listed(content, "v")}, v.version_at, v.is_deleted, v._extracted_at, v.known_from_at AS known_at, v._batch_no, v._row,
                {content_text(table, "v")} AS said, TRUE AS is_old, 1 AS repeat_no, FALSE AS is_tied
            FROM {table.name} AS v
            -- by row number: only the identity is read of the whole table
            WHERE v.rowid IN (SELECT v.rowid FROM {table.name} AS v SEMI JOIN new_line AS n ON {same(identity, "v", "n")} WHERE v.known_to_at = {FOREVER})
        )
        SELECT * FROM judged UNION ALL SELECT * FROM old_version""")
    # Of one commit only the best sighting can become the belief.
    engine.execute(f"""CREATE OR REPLACE TEMP TABLE arriving AS
        WITH ranked AS (
            SELECT *, row_number() OVER (
                PARTITION BY {version} ORDER BY {order} NULLS FIRST, _extracted_at, said, is_old DESC, known_at, _batch_no, _row) AS standing
            FROM sighting WHERE repeat_no = 1 AND NOT is_tied
        )
        SELECT *,
            standing = max(standing) OVER same_commit AS is_best_of_commit, arg_max(said, standing) OVER same_commit AS best_said
        FROM ranked
        WINDOW same_commit AS (PARTITION BY {version}, is_old, known_at)""")
    engine.execute(f"""CREATE OR REPLACE TEMP TABLE verdict AS
        WITH met AS (  -- what was believed when the line arrived
            SELECT *,
                coalesce(max(standing) OVER earlier, 0) AS best_before, arg_max(said, standing) OVER earlier AS said_before
            FROM arriving WHERE is_best_of_commit
            WINDOW earlier AS (PARTITION BY {version} ORDER BY is_old DESC, known_at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
        ), outcome AS (
            SELECT *, CASE
                WHEN is_old THEN 'old' WHEN said = said_before THEN 'unchanged' WHEN standing > best_before THEN 'kept'
                ELSE 'superseded' END AS term
            FROM met
        ), belief AS (
            SELECT *, count(*) FILTER (WHERE term IN ('old', 'kept')) OVER (PARTITION BY {version} ORDER BY is_old DESC, known_at) AS belief_no
            FROM outcome
        ), spanned AS (
            SELECT *,
                -- a repeat keeps the belief alive: it holds the position of its last sighting
                max(_extracted_at) FILTER (WHERE term <> 'superseded') OVER (PARTITION BY {version}, belief_no) AS last_seen_at,
                min(known_at) FILTER (WHERE term = 'kept') OVER (
                    PARTITION BY {version} ORDER BY belief_no RANGE BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS believed_to_at
            FROM belief
        )
        SELECT * FROM spanned""")
    engine.execute(f"""UPDATE {table.name} AS v
        SET known_to_at = coalesce(n.believed_to_at, {FOREVER}), _extracted_at = n.last_seen_at
        FROM (SELECT * FROM verdict WHERE term = 'old') AS n
        WHERE {same(identity, "v", "n")} AND v.known_to_at = {FOREVER}
            AND (n.believed_to_at IS NOT NULL OR n.last_seen_at <> v._extracted_at)""")
    engine.execute(f"""INSERT INTO {table.name} ({listed(content)}, {system})
        SELECT {listed(content)}, version_at, is_deleted, known_at, coalesce(believed_to_at, {FOREVER}), last_seen_at, _batch_no, _row
        FROM verdict WHERE term = 'kept'""")
    engine.execute("""INSERT INTO merged_term
        SELECT s._batch_no, s._row, CASE
            WHEN s.is_deleted THEN 'left_out' WHEN s.is_tied THEN 'tied' WHEN s.repeat_no > 1 THEN 'duplicate'
            WHEN v.term IS NOT NULL THEN v.term WHEN a.said = a.best_said THEN 'unchanged' ELSE 'superseded' END
        FROM sighting AS s
        LEFT JOIN arriving AS a ON a._batch_no = s._batch_no AND a._row = s._row AND NOT a.is_old
        LEFT JOIN verdict AS v ON v._batch_no = s._batch_no AND v._row = s._row AND NOT v.is_old
        WHERE NOT s.is_old""")
    if table.valid_time:
        engine.execute(f"""UPDATE merged_term AS t SET term = 'superseded'
            FROM (SELECT _batch_no, _row, version_at < max(version_at) OVER (PARTITION BY _batch_no, {listed(key)}) AS is_earlier FROM verdict WHERE NOT is_old) AS e
            WHERE t.term = 'kept' AND e.is_earlier AND t._batch_no = e._batch_no AND t._row = e._row""")
    engine.execute("INSERT INTO merged_count SELECT _batch_no, term, count(*) FROM merged_term GROUP BY ALL")


def replace(engine: Engine, table: VersionTable, candidates: str, stale: str) -> None:
    """Make a table of versions believe exactly `candidates` for the touched identities, from one commit on.

    candidates: as in merge, of one commit, one row per identity. stale: relation of identities touched; those that
    candidates no longer hold are closed. Leaves `merged_term` and `merged_count` like merge (kept or unchanged).
    """
    identity, content = table.identity, table.content
    system = "version_at, is_deleted, known_from_at, known_to_at, _extracted_at, _batch_no, _row"
    engine.execute(f"""CREATE OR REPLACE TEMP TABLE replaced AS
        SELECT {listed(identity, "v")}, v.version_at AS _at, n._batch_no IS NULL AS is_gone, n.known_at IS NOT NULL AND {content_text(table, "v")} = n.said AS is_same
        FROM {table.name} AS v LEFT JOIN (SELECT *, {content_text(table)} AS said FROM {candidates}) AS n ON {same(identity, "v", "n")}
        WHERE v.known_to_at = {FOREVER} AND (n._batch_no IS NOT NULL OR EXISTS (SELECT 1 FROM {stale} AS s WHERE {same(identity, "s", "v")}))""")
    engine.execute(f"""CREATE OR REPLACE TEMP TABLE replacement AS
        SELECT c.*, coalesce(r.is_same, FALSE) AS is_same FROM {candidates} AS c LEFT JOIN replaced AS r ON {same(identity, "c", "r")}""")
    [(known_at,)] = engine.rows(
        f"SELECT max(known_at) FROM (SELECT known_at FROM {candidates} UNION ALL SELECT known_at FROM {stale})"
    )
    if known_at is not None:
        engine.execute(f"""UPDATE {table.name} AS v SET known_to_at = (SELECT max(known_at) FROM (SELECT known_at FROM {candidates} UNION ALL SELECT known_at FROM {stale}))
            FROM replaced AS r WHERE {same(identity, "v", "r")} AND v.known_to_at = {FOREVER} AND NOT r.is_same""")
    engine.execute(f"""INSERT INTO {table.name} ({listed(content)}, {system})
        SELECT {listed(content)}, version_at, is_deleted, known_at, {FOREVER}, _extracted_at, _batch_no, _row FROM replacement WHERE NOT is_same""")
    engine.execute("""CREATE OR REPLACE TEMP TABLE merged_term AS
        SELECT _batch_no, _row, CASE WHEN is_deleted THEN 'left_out' WHEN is_same THEN 'unchanged' ELSE 'kept' END AS term FROM replacement""")
    engine.execute(
        "CREATE OR REPLACE TEMP TABLE merged_count AS SELECT _batch_no, term, count(*) AS lines FROM merged_term GROUP BY ALL"
    )
