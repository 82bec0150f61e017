"""Snapshots: what was reported at a point in time, stored as changes against the one before, shown whole by a view.

A file of `refresh: snapshot` names the state's columns and the SELECT that captures it (for the instant in meta.capture).
`snapshot.<kind>__changes` holds what landed; the view `snapshot.<kind>` shows every snapshot whole.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from systock.data_warehouse.compiled import MOMENT
from systock.data_warehouse.engine.base import Engine
from systock.errors import IntegrityError
from systock.sql_text import quoted

if TYPE_CHECKING:
    import pyarrow as pa

    from systock.data_warehouse.compiled import CompiledTable

#: The source under which snapshots land, and the raw table of the list of them.
SNAPSHOT_SOURCE, TAKEN = "systock", "taken"
#: Moments asked for at once: at most so many (which bits tell apart), of states of at most so many rows together.
_MOST_MOMENTS, _ROWS_AT_ONCE = 120, 5_000_000


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


def captures(engine: Engine, table: CompiledTable, types: Sequence[str], asked: Sequence[Asked]) -> Iterator[Capture]:
    """Capture a kind's state as of one moment after the other from the warehouse that `engine` reads (read-only will do).

    The first is stored against the warehouse's last snapshot of the kind, each other one against the one before it. So many
    moments as their states allow are asked for at once: one scan of what they are made from answers for all of them.
    """
    # Few moments against many intervals are found by looking at each: what is usual above 5 rows sorts all intervals first.
    engine.execute(f"SET nested_loop_join_threshold = {_MOST_MOMENTS + 1}")
    done, at_once = 0, 1
    while done < len(asked):
        some = asked[done : done + at_once]
        found = _changes(engine, table, types, _states(engine, table, some), len(some), follows=done > 0)
        yield from found
        done += len(some)
        if table.select_each:
            at_once = max(1, min(_MOST_MOMENTS, _ROWS_AT_ONCE // max(1, found[-1].row_count)))


def _states(engine: Engine, table: CompiledTable, asked: Sequence[Asked]) -> str:
    """A query of the states as of some moments, numbered from 1 in _no."""
    moments = ", ".join(
        f"({number}, TIMESTAMPTZ '{one.as_of.isoformat()}', DATE '{one.as_of_date}', TIMESTAMPTZ '{one.ended_by_at.isoformat()}')"
        for number, one in enumerate(asked, 1)
    )
    engine.execute(f"""CREATE OR REPLACE TEMP TABLE capture AS
        SELECT * FROM (VALUES {moments}) AS moment (_no, as_of, as_of_date, ended_by_at)""")
    if len(asked) == 1:
        return f"SELECT 1 AS _no, state.* FROM ({table.select.replace('meta.capture', 'temp.capture')}) AS state"
    return f"SELECT {MOMENT}._no, state.* FROM temp.capture AS {MOMENT}, LATERAL ({table.select_each}) AS state"


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

    A column that the table did not have when the state was captured, by no former name, gets its DEFAULT. follows: the previous
    snapshot is not that of the warehouse, but the one captured before by the same engine. Raises IntegrityError when there are not
    row_count rows, QueryError when they are not of the table's types.
    """
    texts = ", ".join(f"{quoted(name)} VARCHAR" for name in columns)
    engine.execute(f"CREATE OR REPLACE TEMP TABLE captured_state ({texts})")
    for part in rows:
        engine.insert("temp.captured_state", part)
    [(there,)] = engine.rows("SELECT count(*) FROM temp.captured_state")
    if there != row_count:
        raise IntegrityError(f"it has {there} rows, and had {row_count} when it was captured")
    values = _stored_values(table, columns)
    state = ", ".join(f"{value} AS {quoted(c.name)}" for value, c in zip(values, table.columns, strict=True))
    states = f"SELECT 1 AS _no, {state} FROM temp.captured_state"
    [captured] = _changes(engine, table, types, states, 1, follows=follows)
    return captured


def _changes(
    engine: Engine, table: CompiledTable, types: Sequence[str], states: str, count: int, *, follows: bool
) -> list[Capture]:
    """What states (a query of their rows, by _no from 1 to count) change, each against the one before it.

    Most rows are the same in most states. Each is held once, with a bit for every state that has it; bit 0 is the snapshot before.
    """
    columns = ", ".join(f'"{c.name}"' for c in table.columns)
    key = ", ".join(f'"{name}"' for name in table.primary_key)
    typed = ", ".join(
        f'CAST("{c.name}" AS {type_}) AS "{c.name}"' for c, type_ in zip(table.columns, types, strict=True)
    )
    last = f"(SELECT max(snapshot_no) FROM snapshot.taken WHERE kind = '{table.name}')"
    before = f"temp.{table.name}__now" if follows else f"{table.qualified} WHERE snapshot_no = {last}"
    # A file may name its columns as it likes: what is added to them here begins with an underscore.
    held = f"temp.{table.name}__held"
    engine.execute(f"""CREATE OR REPLACE TEMP TABLE {table.name}__held AS
        SELECT {columns}, bit_or(CAST(1 AS HUGEINT) << _no) AS _held
        FROM (SELECT 0 AS _no, {columns} FROM {before} UNION ALL SELECT _no, {typed} FROM ({states}))
        GROUP BY {columns}""")
    engine.execute(f"""CREATE OR REPLACE TEMP TABLE {table.name}__now AS
        SELECT {columns} FROM {held} WHERE (_held >> {count}) & 1 = 1""")
    # Of the bits there are few patterns, so that what they say is worked out for each of them and not for each row.
    engine.execute(f"""CREATE OR REPLACE TEMP TABLE pattern AS
        SELECT *, (_held >> _no) & 1 = 1 AS _is_held, (_held >> (_no - 1)) & 1 = 1 AS _was_held
        FROM (SELECT _held, count(*) AS _rows FROM {held} GROUP BY _held) CROSS JOIN range(1, {count + 1}) AS moment (_no)""")
    changes = engine.arrow(f"""
        WITH key_held AS (
            SELECT {key}, bit_or(_held) AS _key_held FROM {held} GROUP BY {key}
            HAVING bit_or(_held) <> (CAST(1 AS HUGEINT) << {count + 1}) - 1
        )
        SELECT _no, FALSE AS is_removed, {columns}
        FROM {held} JOIN temp.pattern USING (_held) WHERE _is_held AND NOT _was_held
        UNION ALL
        SELECT _no, TRUE AS is_removed, {columns}
        FROM {held} JOIN temp.pattern USING (_held) JOIN key_held USING ({key})
        WHERE _was_held AND (_key_held >> _no) & 1 = 0
        ORDER BY ALL""")
    row_counts: dict[int, int] = dict(
        engine.rows("SELECT _no, CAST(sum(_rows) AS BIGINT) FROM temp.pattern WHERE _is_held GROUP BY _no")
    )
    return [Capture(part, row_counts.get(number, 0)) for number, part in enumerate(_by_number(changes, count), 1)]


def _by_number(changes: pa.Table, count: int) -> Iterator[pa.Table]:
    """Rows in the order of their first column, a number from 1 to count: those of each number, without it."""
    import pyarrow.compute as pc

    found = pc.value_counts(changes.column(0))
    lengths = {one["values"]: one["counts"] for one in found.to_pylist()}
    rows, start = changes.drop_columns(changes.column_names[0]), 0
    for number in range(1, count + 1):
        yield rows.slice(start, lengths.get(number, 0))
        start += lengths.get(number, 0)


def land_sql(table: CompiledTable, types: Sequence[str], lines: str, landed: Collection[str]) -> str:
    """The statement that takes landed changes (a relation of text columns, those `landed`) into the table of changes.

    A column that the table did not have when the snapshot was taken, by no former name, gets its DEFAULT.
    """
    values = _stored_values(table, landed, "l.")
    typed = ", ".join(f"CAST({value} AS {type_})" for value, type_ in zip(values, types, strict=True))
    return f"""INSERT INTO {table.qualified}__changes SELECT b.commit_no, CAST(l.is_removed AS BOOLEAN), {typed}
        FROM {lines} AS l JOIN meta.batch AS b ON b.batch_no = l._batch_no"""


def _stored_values(table: CompiledTable, stored: Collection[str], relation: str = "") -> list[str]:
    """Each column's value of what was stored with these columns: by its name, by one that it had before, or its DEFAULT."""
    names = {c.name: [c.name, *(old for old, name in table.renamed if name == c.name)] for c in table.columns}
    return [
        next((relation + quoted(name) for name in names[c.name] if name in stored), c.default_sql or "NULL")
        for c in table.columns
    ]


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
