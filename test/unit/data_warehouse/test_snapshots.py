"""States captured for many moments at once are those that each moment has alone, and so are their changes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from systock.data_warehouse.compiled import CompiledTable, compile_table, read_compiled
from systock.data_warehouse.engine.duckdb import DuckDBEngine, connect
from systock.data_warehouse.snapshots import Asked, captures, create_snapshot_sql
from systock.data_warehouse.table_file import load_folder, parse_text
from systock.pipeline_manager.definitions import SCHEMA

FIRST = date(2024, 1, 1)
#: key, value, first day, day after the last: one that stays, one that comes, changes, goes and is back, one of a single day.
SPANS = [
    (1, "stays", 0, 999), (2, "a", 2, 3), (2, None, 3, 5), (2, "a", 7, 9), (2, "b", 9, 125),
    (3, "once", 4, 5), (4, "x", 0, 121), (4, "y", 121, 122), (4, "x", 122, 999), (5, "late", 128, 999),
]  # fmt: skip

HEAD = """-- What is valid on a day.
-- refresh: snapshot
CREATE TABLE snapshot.state (
    thing_key bigint PRIMARY KEY, -- which
    row_count text                -- what; named as something that is counted
);
"""
ON = "{0}.from_date <= capture.as_of_date AND {0}.to_date > capture.as_of_date"
VALID = "gold.span AS s CROSS JOIN meta.capture AS capture WHERE " + ON.format("s")
KINDS = {
    "plain": (True, f"SELECT s.thing_key, s.said AS row_count FROM {VALID}"),
    "without a name for the moment": (
        True,
        f"SELECT s.thing_key, s.said AS row_count FROM gold.span AS s CROSS JOIN meta.capture WHERE {ON.format('s')}",
    ),
    "in parts": (
        True,
        f"""WITH valid AS (SELECT s.thing_key, MIN(s.said) AS row_count FROM {VALID} GROUP BY s.thing_key),
        every AS (SELECT DISTINCT s.thing_key FROM gold.span AS s)
        SELECT every.thing_key, valid.row_count FROM every LEFT JOIN valid ON valid.thing_key = every.thing_key
        CROSS JOIN meta.capture AS capture WHERE capture.as_of_date > DATE '2024-01-03'""",
    ),
    "both sides kept": (
        False,
        f"""WITH valid AS (SELECT s.thing_key, s.said AS row_count FROM {VALID}),
        later AS (SELECT s.thing_key + 100 AS thing_key, s.said AS row_count FROM {VALID} AND s.thing_key > 3)
        SELECT COALESCE(valid.thing_key, later.thing_key) AS thing_key, COALESCE(valid.row_count, later.row_count) AS row_count
        FROM valid FULL JOIN later ON later.thing_key = valid.thing_key""",
    ),
    "asked within": (
        False,
        """SELECT s.thing_key, s.said AS row_count FROM gold.span AS s
        WHERE EXISTS (SELECT 1 FROM meta.capture AS capture WHERE """ + ON.format("s") + ")",
    ),
}  # fmt: skip


@pytest.fixture
def engine() -> Iterator[DuckDBEngine]:
    with connect(None) as engine:
        for schema in ("gold", "meta", "snapshot"):
            engine.execute(f"CREATE SCHEMA {schema}")
        engine.execute("CREATE TABLE gold.span (thing_key BIGINT, said VARCHAR, from_date DATE, to_date DATE)")
        days = [(key, said, FIRST + timedelta(start), FIRST + timedelta(end)) for key, said, start, end in SPANS]
        engine.insert("gold.span", days)
        engine.execute("""CREATE TABLE snapshot.taken (snapshot_no BIGINT, kind VARCHAR, as_of TIMESTAMPTZ,
            known_at TIMESTAMPTZ, is_derived BOOLEAN)""")
        yield engine


def kind_of(sql: str) -> CompiledTable:
    return read_compiled(compile_table(parse_text(f"{HEAD}\n{sql};\n", Path("state.sql"))))


def on(day: int) -> Asked:
    end = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(day + 1)
    return Asked(end - timedelta(microseconds=1), FIRST + timedelta(day), end)


def taken(engine: DuckDBEngine, kind: CompiledTable, asked: list[Asked]) -> list[tuple[int, list[tuple[Any, ...]]]]:
    found = captures(engine, kind, engine.column_types(kind), asked)  # type: ignore[arg-type]
    return [(one.row_count, [tuple(row.values()) for row in one.changes.to_pylist()]) for one in found]


def alone(engine: DuckDBEngine, kind: CompiledTable, asked: Asked) -> set[tuple[Any, ...]]:
    """The state at one moment, by the SELECT itself."""
    engine.execute(f"""CREATE OR REPLACE TABLE meta.capture AS SELECT TIMESTAMPTZ '{asked.as_of}' AS as_of,
        DATE '{asked.as_of_date}' AS as_of_date, TIMESTAMPTZ '{asked.ended_by_at}' AS ended_by_at""")
    return set(engine.rows(kind.select))


@pytest.mark.parametrize(("together", "sql"), KINDS.values(), ids=KINDS)
def test_states_of_many_moments_are_those_of_each(engine: DuckDBEngine, together: bool, sql: str) -> None:
    kind = kind_of(sql)
    assert bool(kind.select_each) == together
    for statement in create_snapshot_sql(kind, engine.column_types(kind)):  # type: ignore[arg-type]
        engine.execute(statement)
    engine.execute("INSERT INTO snapshot.taken VALUES (7, 'state', NULL, NULL, FALSE)")
    before = {(1, "other"), (8, "goes")}
    engine.insert("snapshot.state__changes", [(7, False, *row) for row in sorted(before)])
    days = [*range(131), 4, 4, 3] if together else [0, 4, 3, 128]
    found = taken(engine, kind, [on(day) for day in days])
    for day, (row_count, changes) in zip(days, found, strict=True):
        state = alone(engine, kind, on(day))
        gone = {row for row in before if row[0] not in {key for key, _ in state}}
        # NULL sorts last, as in every list that lands.
        order = [(is_removed, *row) for is_removed, rows in ((False, state - before), (True, gone)) for row in rows]
        assert changes == sorted(order, key=lambda row: (*row[:2], row[2] is None, row[2])), day
        assert row_count == len(state)
        before = state


def test_what_changes_is_what_a_person_would_say(engine: DuckDBEngine) -> None:
    kind = kind_of(KINDS["plain"][1])
    for statement in create_snapshot_sql(kind, engine.column_types(kind)):  # type: ignore[arg-type]
        engine.execute(statement)
    found = taken(engine, kind, [on(day) for day in (1, 2, 3, 4, 5, 7)])
    assert found == [
        (2, [(False, 1, "stays"), (False, 4, "x")]),
        (3, [(False, 2, "a")]),
        (3, [(False, 2, None)]),
        (4, [(False, 3, "once")]),
        (2, [(True, 2, None), (True, 3, "once")]),
        (3, [(False, 2, "a")]),
    ]


def test_our_own_kinds_are_asked_for_many_moments_at_once() -> None:
    """A year of closes is a few scans of the sales then, and 365 otherwise."""
    kinds = [read_compiled(compile_table(table)) for table in load_folder(SCHEMA / "snapshots").values()]
    kinds = [kind for kind in kinds if kind.refresh == "snapshot"]
    assert len(kinds) == 3 and all(kind.select_each for kind in kinds)
