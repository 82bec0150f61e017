"""The content hash: blind to order, threads and history, and to nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from systock.data_warehouse.content_hash import (
    canonical_columns,
    content_hash,
    content_hash_sql,
    row_text_sql,
    table_hashes,
)
from systock.data_warehouse.engine.duckdb import DuckDBEngine, connect
from systock.data_warehouse.table_file import parse_text
from systock.errors import DefinitionError

COLUMNS = [
    ("name", "text"), ("ok", "boolean"), ("n", "integer"), ("big", "bigint"), ("amount", "numeric(18, 4)"), ("day", "date"),
    ("clock", "time"), ("wall", "timestamp"), ("at", "timestamptz"), ("key", "uuid"), ("share", "double precision"), ("note", "text"),
]  # fmt: skip
DDL = ", ".join(f'"{name}" {type_}' for name, type_ in COLUMNS)

Row = tuple[Any, ...]
rows = st.tuples(
    st.none() | st.text(max_size=5) | st.sampled_from(["", ";", "1:a", ":"]),
    st.none() | st.booleans(),
    st.none() | st.integers(-(2**31), 2**31 - 1),
    st.none() | st.integers(-(2**63), 2**63 - 1),
    st.none() | st.integers(-(10**18) + 1, 10**18 - 1).map(lambda n: Decimal(n).scaleb(-4)),
    st.none() | st.dates(),
    st.none() | st.times(),
    st.none() | st.datetimes(),
    st.none() | st.datetimes().map(lambda t: t.replace(tzinfo=UTC)),
    st.none() | st.uuids(),
    st.none() | st.floats(allow_nan=False, allow_infinity=False),
    st.none() | st.text(max_size=5),
)


@pytest.fixture(scope="module")
def engine() -> Iterator[DuckDBEngine]:
    with connect(None) as opened:
        opened.execute(f"CREATE TABLE t ({DDL})")
        yield opened


def hashed(engine: DuckDBEngine, table: list[Row]) -> tuple[int, str]:
    engine.execute("DELETE FROM t")
    engine.insert("t", table)
    return content_hash(engine, "t", COLUMNS)


def text_of(row: Row) -> str:
    """The definition again, in Python."""
    said = []
    for (_, type_), value in zip(COLUMNS, row, strict=True):
        match value:
            case None:
                said.append(":" if type_ == "text" else ";")
            case str():
                said.append(f"{len(value)}:{value}")
            case bool():
                said.append(f"{str(value).lower()};")
            case float():
                said.append(f"{value + 0.0:.8e};")
            case Decimal():
                said.append(f"{value:.4f};")
            case datetime():
                since = value.replace(tzinfo=None) - datetime(1970, 1, 1)
                said.append(f"{(since.days * 86400 + since.seconds) * 10**6 + since.microseconds};")
            case time():
                said.append(f"{((value.hour * 60 + value.minute) * 60 + value.second) * 10**6 + value.microsecond};")
            case date() | UUID() | int():
                said.append(f"{value};")
    return "".join(said)


@given(st.lists(rows, max_size=8))
def test_it_is_the_sum_of_md5_over_the_rows_texts(engine: DuckDBEngine, table: list[Row]) -> None:
    total = sum(int(hashlib.md5(text_of(row).encode()).hexdigest()[:15], 16) for row in table)
    assert hashed(engine, table) == (len(table), str(total))
    found = engine.rows(f"SELECT {row_text_sql(COLUMNS)} FROM t")
    assert sorted(text for (text,) in found) == sorted(map(text_of, table))


@given(st.lists(rows, min_size=1, max_size=8), st.data())
def test_order_does_not_matter_anything_else_does(engine: DuckDBEngine, table: list[Row], data: st.DataObject) -> None:
    before = hashed(engine, table)
    assert hashed(engine, data.draw(st.permutations(table))) == before
    assert hashed(engine, [*table, table[0]]) != before
    i, j = data.draw(st.integers(0, len(table) - 1)), data.draw(st.integers(0, len(COLUMNS) - 1))
    changed = data.draw(rows)[j]
    other = [*table[:i], (*table[i][:j], changed, *table[i][j + 1 :]), *table[i + 1 :]]
    assert (hashed(engine, other) == before) == (sorted(map(text_of, other)) == sorted(map(text_of, table)))


def test_empty_text_is_not_null_and_columns_do_not_run_together(engine: DuckDBEngine) -> None:
    def of(*values: str) -> str:
        return content_hash(engine, f"(VALUES ({', '.join(values)})) AS v (a, b)", [("a", "text"), ("b", "text")])[1]

    assert len({of("''", "NULL"), of("NULL", "''"), of("'ab'", "'c'"), of("'a'", "'bc'"), of("NULL", "NULL")}) == 5


def test_threads_deletions_and_insertion_order_leave_it_alone(tmp_path: Path) -> None:
    found = set()
    select = "SELECT range AS n, 'x' || range AS name, CAST(range / 7 AS DECIMAL(18, 4)) AS amount FROM range({}) "
    for threads, order in ((1, "ORDER BY n"), (2, "ORDER BY hash(n)")):
        with connect(tmp_path / f"{threads}.duckdb", threads=threads) as engine:
            engine.execute("CREATE SCHEMA gold")
            engine.execute("CREATE TABLE gold.t (n BIGINT, name VARCHAR, amount DECIMAL(18, 4))")
            engine.execute(f"INSERT INTO gold.t {select.format(300000 + threads)} {order}")
            engine.execute("DELETE FROM gold.t WHERE n >= 300000")
            found.add(table_hashes(engine)["gold.t"])
    assert len(found) == 1 and found.pop()[0] == 300000


def test_columns_from_the_engine_are_those_of_the_file() -> None:
    lines = [
        f'    "{name}" {type_}{"," if i < len(COLUMNS) - 1 else ""} -- {name}'
        for i, (name, type_) in enumerate(COLUMNS)
    ]
    text = "-- A row.\n-- refresh: ledger\nCREATE TABLE gold.t (\n" + "\n".join(lines) + "\n);"
    with connect(None) as engine:
        for statement in engine.create_table_sql(parse_text(text, Path("t.sql"))):
            engine.execute(statement)
        assert canonical_columns(engine, "gold.t") == COLUMNS
        assert table_hashes(engine) == {"gold.t": (0, "0")}
        engine.execute("CREATE VIEW gold.v AS SELECT 1 AS a")
        assert set(table_hashes(engine)) == {"gold.t"}
        assert content_hash(engine, "gold.v", canonical_columns(engine, "gold.v"))[0] == 1


def test_a_type_without_canonical_text_is_refused() -> None:
    with pytest.raises(DefinitionError, match="no type 'interval'"):
        content_hash_sql("gold.x", [("a", "interval")])
    with pytest.raises(DefinitionError, match="no content hash on 'oracle'"):
        content_hash_sql("gold.x", [("a", "text")], "oracle")


def test_arrow_and_inserted_rows_hash_alike(engine: DuckDBEngine) -> None:
    engine.execute("DELETE FROM t")
    engine.insert("t", pa.table({"name": ["a", None], "n": pa.array([1, 2], pa.int32())}))
    table = engine.rows("SELECT * FROM t")
    assert hashed(engine, table) == content_hash(engine, "t", COLUMNS)
