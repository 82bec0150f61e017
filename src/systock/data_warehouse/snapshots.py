"""Snapshots: what was reported at a point in time, stored as changes against the one before, shown whole by a view.

A file of `refresh: snapshot` names the state's columns and the SELECT that captures it (for the instant in meta.capture).
`snapshot.<kind>__changes` holds what landed; the view `snapshot.<kind>` shows every snapshot whole.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from systock.data_warehouse.engine.base import Engine
from systock.errors import IntegrityError
from systock.sql_text import quoted

if TYPE_CHECKING:
    import pyarrow as pa

    from systock.data_warehouse.compiled import CompiledTable

#: The source under which snapshots land, and the raw table of the list of them.
SNAPSHOT_SOURCE, TAKEN = "systock", "taken"


@dataclass(frozen=True)
class Asked:
    """What a capture is for: the columns of meta.capture."""

    as_of: datetime
    as_of_date: date
    ended_by_at: datetime


@dataclass(frozen=True)
class Capture:
    """A captured state: its changes against the previous snapshot, as an Arrow table with `is_removed` first."""

    changes: pa.Table
    row_count: int


def create_snapshot_sql(table: CompiledTable, types: Sequence[str]) -> list[str]:
    """The table of changes behind a kind of snapshot, and the view that shows each snapshot whole."""
    columns = ", ".join(f'"{c.name}" {type_}' for c, type_ in zip(table.columns, types, strict=True))
    key = ", ".join(f'"{name}"' for name in table.primary_key)
    state = ", ".join(f'c."{c.name}"' for c in table.columns)
    return [
        f"CREATE TABLE {table.qualified}__changes (snapshot_no BIGINT NOT NULL, is_removed BOOLEAN NOT NULL, {columns})",
        f"""CREATE VIEW {table.qualified} AS
            SELECT t.snapshot_no, t.as_of, t.known_at, t.is_derived, {state}
            FROM snapshot.taken AS t
            JOIN (
                SELECT *, lead(snapshot_no) OVER (PARTITION BY {key} ORDER BY snapshot_no) AS next_no FROM {table.qualified}__changes
            ) AS c ON c.snapshot_no <= t.snapshot_no AND (c.next_no IS NULL OR c.next_no > t.snapshot_no)
            WHERE t.kind = '{table.name}' AND NOT c.is_removed""",
    ]


def capture(
    engine: Engine, table: CompiledTable, types: Sequence[str], asked: Asked, *, follows: bool = False
) -> Capture:
    """Capture a state from the warehouse that `engine` reads (read-only will do).

    follows: the previous snapshot is not that of the warehouse, but the one captured before by the same engine.
    """
    engine.execute(f"""CREATE OR REPLACE TEMP TABLE capture AS SELECT TIMESTAMPTZ '{asked.as_of.isoformat()}' AS as_of,
        DATE '{asked.as_of_date}' AS as_of_date, TIMESTAMPTZ '{asked.ended_by_at.isoformat()}' AS ended_by_at""")
    return _changes(engine, table, types, table.select.replace("meta.capture", "temp.capture"), follows=follows)


def captured_elsewhere(
    engine: Engine,
    table: CompiledTable,
    types: Sequence[str],
    columns: Sequence[str],
    rows: Iterable[pa.Table],
    row_count: int,
    *,
    follows: bool = False,
) -> Capture:
    """The same of a whole state that was captured elsewhere: its rows as text, in these columns.

    A column that the table did not have when the state was captured gets its DEFAULT. follows: see capture. Raises
    IntegrityError when there are not row_count rows, QueryError when they are not of the table's types.
    """
    texts = ", ".join(f"{quoted(name)} VARCHAR" for name in columns)
    engine.execute(f"CREATE OR REPLACE TEMP TABLE captured_state ({texts})")
    for part in rows:
        engine.insert("temp.captured_state", part)
    [(there,)] = engine.rows("SELECT count(*) FROM temp.captured_state")
    if there != row_count:
        raise IntegrityError(f"it has {there} rows, and had {row_count} when it was captured")
    values = (quoted(c.name) if c.name in columns else c.default_sql or "NULL" for c in table.columns)
    state = ", ".join(f"{value} AS {quoted(c.name)}" for value, c in zip(values, table.columns, strict=True))
    return _changes(engine, table, types, f"SELECT {state} FROM temp.captured_state", follows=follows)


def _changes(engine: Engine, table: CompiledTable, types: Sequence[str], state: str, *, follows: bool) -> Capture:
    """What a state (a query of its rows) changes against the previous snapshot of its kind."""
    columns = ", ".join(f'"{c.name}"' for c in table.columns)
    key = ", ".join(f'"{name}"' for name in table.primary_key)
    typed = ", ".join(
        f'CAST("{c.name}" AS {type_}) AS "{c.name}"' for c, type_ in zip(table.columns, types, strict=True)
    )
    before = f"(SELECT max(snapshot_no) FROM snapshot.taken WHERE kind = '{table.name}')"
    previous = f"temp.{table.name}__now" if follows else f"{table.qualified} WHERE snapshot_no = {before}"
    engine.execute(f"CREATE OR REPLACE TEMP TABLE state_before AS SELECT {columns} FROM {previous}")
    engine.execute(f"CREATE OR REPLACE TEMP TABLE {table.name}__now AS SELECT {typed} FROM ({state})")
    changes = engine.arrow(f"""
        SELECT FALSE AS is_removed, * FROM (SELECT * FROM {table.name}__now EXCEPT SELECT * FROM state_before)
        UNION ALL
        SELECT TRUE AS is_removed, * FROM state_before WHERE ({key}) NOT IN (SELECT ({key}) FROM {table.name}__now)
        ORDER BY ALL""")
    [(rows,)] = engine.rows(f"SELECT count(*) FROM {table.name}__now")
    return Capture(changes, int(rows))


def land_sql(table: CompiledTable, types: Sequence[str], lines: str, landed: Collection[str], snapshot_no: int) -> str:
    """The statement that takes landed changes (a relation of text columns, those `landed`) into the table of changes.

    A column that the table did not have when the snapshot was taken gets its DEFAULT.
    """
    values = [f'l."{c.name}"' if c.name in landed else c.default_sql or "NULL" for c in table.columns]
    typed = ", ".join(f"CAST({value} AS {type_})" for value, type_ in zip(values, types, strict=True))
    return f"INSERT INTO {table.qualified}__changes SELECT {snapshot_no}, CAST(l.is_removed AS BOOLEAN), {typed} FROM {lines} AS l"


def difference_sql(table: CompiledTable, before: int, after: int) -> str:
    """What differs between two snapshots of a kind: one row per changed column, one per row that came or went.

    Columns: kind, what (came, went, changed), key (the ids of the row), column, before, after: the last three as text.
    """
    key = ", ".join(f'"{name}"' for name in table.primary_key)
    first = f'"{table.primary_key[0]}"'
    names = [c.name for c in table.columns if not c.name.endswith("_key")]
    shown = [name for name in names if name in table.primary_key or name.endswith("_id")] or list(table.primary_key)
    told = " || ' / ' || ".join(f'coalesce(CAST(coalesce(b."{name}", a."{name}") AS VARCHAR), \'\')' for name in shown)
    rows = f"""(SELECT * FROM {table.qualified} WHERE snapshot_no = {{}} AND ({key}) IN (
        SELECT ({key}) FROM {table.qualified}__changes WHERE snapshot_no > {min(before, after)} AND snapshot_no <= {max(before, after)}))"""
    columns = [c.name for c in table.columns if c.name not in table.primary_key]
    cells = ", ".join(
        f'struct_pack("column" := \'{name}\', before := CAST(b."{name}" AS VARCHAR), after := CAST(a."{name}" AS VARCHAR))'
        for name in columns
    )
    return f"""
        WITH compared AS (
            SELECT {told} AS key, CASE WHEN b.{first} IS NULL THEN 'came' WHEN a.{first} IS NULL THEN 'went' ELSE 'changed' END AS what,
                unnest(CASE WHEN b.{first} IS NULL OR a.{first} IS NULL THEN [{{'column': NULL, 'before': NULL, 'after': NULL}}] ELSE [{cells}] END) AS cell
            FROM {rows.format(before)} AS b FULL JOIN {rows.format(after)} AS a USING ({key})
        )
        SELECT '{table.name}' AS kind, what, key, cell."column" AS "column", cell.before AS before, cell.after AS after
        FROM compared WHERE what <> 'changed' OR cell.before IS DISTINCT FROM cell.after
        ORDER BY ALL"""
