"""Rows copied from DuckDB into a real PostgreSQL arrive as they are: every type, odd values, other encodings."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from systock.data_warehouse.content_hash import content_hash_sql
from systock.data_warehouse.engine.base import QueryError
from systock.data_warehouse.engine.duckdb import DuckDBEngine, connect
from systock.data_warehouse.engine.postgres_ddl import type_sql
from systock.data_warehouse.table_file import TYPES
from systock.load.copy_rows import CopiedColumn, copy_rows

from ..servers import Server

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")

#: Values by type, as literals that both engines read.
VALUES = {
    "text": ["''", "'  '", "'a' || chr(9) || 'b' || chr(10) || 'c\\N'", "'\\N'", "'äöü €😀'", "'''\"'", "repeat('x', 70000)", "chr(65279) || 'x'"],
    "boolean": ["TRUE", "FALSE"],
    "date": ["'9999-12-31'", "'0001-01-01'", "'1999-12-31'", "'2000-01-01'", "'2024-02-29'"],
    "time": ["'00:00:00'", "'23:59:59.999999'"],
    "timestamp": ["'1999-12-31 23:59:59.999999'", "'2000-01-01 00:00:00.000001'", "'9999-12-31 00:00:00'"],
    "timestamptz": ["'9999-12-31 00:00:00+00'", "'1900-01-01 00:00:00+00'", "'2024-03-31 01:00:00.000001+00'"],
    "integer": ["0", "-2147483648", "2147483647"],
    "bigint": ["0", "-9223372036854775808", "9223372036854775807"],
    "double precision": ["0.1", "-1e-300", "1e300"],
    "uuid": ["'00000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-4fff-bfff-ffffffffffff'", "'12345678-9abc-def0-1234-56789abcdef0'"],
    "numeric(18, 4)": ["0", "0.0001", "-0.1", "10000", "99999999999999.9999", "-99999999999999.9999", "12345678.9"],
    "numeric(38, 10)": ["0.0000000001", "9999999999999999999999999999.9999999999", "-1"],
    "numeric(38, 0)": ["99999999999999999999999999999999999999", "-10000"],
    "numeric(2, 2)": ["0.99", "-0.01"],
}  # fmt: skip


@pytest.fixture(scope="module")
def connection(postgres_server: str) -> Iterator[Any]:
    server = Server("postgres", postgres_server, Path())
    with psycopg.connect(server.url, autocommit=True) as opened:
        opened.execute("SET timezone = 'America/New_York'")
        yield opened
    server.close()


@pytest.fixture(scope="module")
def engine() -> Iterator[DuckDBEngine]:
    with connect(None) as opened:
        yield opened


def test_every_type_arrives_to_the_last_digit(engine: DuckDBEngine, connection: Any) -> None:
    assert {type_.partition("(")[0] for type_ in VALUES} == {type_.partition("(")[0] for type_ in TYPES}
    columns = [(f"column {number}", type_) for number, type_ in enumerate(VALUES)]
    listed = ", ".join(f'"{name}" {type_}' for name, type_ in columns)
    there = ", ".join(f'"{name}" {type_sql(type_)}' for name, type_ in columns)
    for opened in (engine, connection):
        opened.execute("DROP TABLE IF EXISTS held")
    engine.execute(f"CREATE TABLE held ({listed})")
    connection.execute(f"CREATE TABLE held ({there})")
    for number in range(1 + max(map(len, VALUES.values()))):  # in the last row everything is NULL
        row = [f"CAST({values[number]} AS {t})" if number < len(values) else "NULL" for t, values in VALUES.items()]
        engine.execute(f"INSERT INTO held VALUES ({', '.join(row)})")
    copied = [CopiedColumn(name, name, type_) for name, type_ in reversed(columns)]
    assert copy_rows(engine, "SELECT * FROM held", copied, connection, '"public"."held"') == 9
    for name, type_ in columns:
        [here] = engine.rows(content_hash_sql("held", [(name, type_)]))
        [copy] = connection.execute(content_hash_sql("held", [(name, type_)], "postgres")).fetchall()
        assert (type_, *copy) == (type_, *here)


numbers = st.integers(-(10**18) + 1, 10**18 - 1)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(rows=st.lists(st.tuples(st.none() | numbers, st.none() | texts), min_size=1, max_size=30))
@example(rows=[(10**17, "\\."), (-(10**17), "\ufeff"), (None, None)])
def test_any_number_and_any_text(engine: DuckDBEngine, connection: Any, rows: list[tuple[Any, Any]]) -> None:
    wanted = [(row_no, None if n is None else Decimal(n).scaleb(-6), text) for row_no, (n, text) in enumerate(rows)]
    engine.execute("CREATE OR REPLACE TABLE rows (row_no integer, amount numeric(18, 6), said text)")
    engine.insert("rows", wanted)
    connection.execute(
        "CREATE TEMP TABLE IF NOT EXISTS rows (row_no integer, amount numeric(18, 6), said text); TRUNCATE rows"
    )
    columns = [CopiedColumn(*name) for name in (("row_no", "row_no", "integer"), ("amount", "amount", "numeric(18, 6)"), ("said", "said", "text"))]  # fmt: skip
    copy_rows(engine, "SELECT * FROM rows", columns, connection, "rows")
    assert connection.execute("SELECT row_no, amount, said FROM rows ORDER BY row_no").fetchall() == wanted


def test_more_rows_than_a_batch_and_none(engine: DuckDBEngine, connection: Any) -> None:
    connection.execute('CREATE TEMP TABLE many ("A b" bigint)')
    columns = [CopiedColumn("n", "A b", "bigint")]
    assert copy_rows(engine, "SELECT range AS n FROM range(50001)", columns, connection, "many") == 50001
    assert copy_rows(engine, "SELECT range AS n FROM range(0)", columns, connection, "many") == 0
    assert connection.execute('SELECT count(*), sum("A b") FROM many').fetchall() == [(50001, 1250025000)]


def test_a_server_of_another_encoding_gets_the_same_texts(postgres_server: str, engine: DuckDBEngine) -> None:
    server = Server("postgres", postgres_server, Path())
    server.execute("CREATE DATABASE western ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    try:
        with psycopg.connect(server.url, dbname="western") as western:
            western.execute("CREATE TABLE said (said text)")
            copy_rows(engine, "SELECT 'Käse' AS said", [CopiedColumn("said", "said", "text")], western, "said")
            assert western.execute("SELECT said, length(said) FROM said").fetchall() == [("Käse", 4)]
    finally:
        server.execute("DROP DATABASE western")
        server.close()


def test_rows_that_end_in_an_error_leave_none(engine: DuckDBEngine, connection: Any) -> None:
    connection.execute("CREATE TEMP TABLE half (n bigint)")
    columns = [CopiedColumn("n", "n", "bigint")]
    with pytest.raises((QueryError, OSError), match="no more"):
        copy_rows(engine, "SELECT CASE WHEN range < 90000 THEN range ELSE error('no more') END AS n FROM range(99999)", columns, connection, "half")  # fmt: skip
    assert connection.execute("SELECT count(*) FROM half").fetchall() == [(0,)]
    with pytest.raises(psycopg.errors.NumericValueOutOfRange):
        connection.execute("CREATE TEMP TABLE narrow (n numeric(3, 1))")
        copy_rows(engine, "SELECT CAST(100 AS numeric(18, 1)) AS n", [CopiedColumn("n", "n", "numeric(18, 1)")], connection, "narrow")  # fmt: skip
    assert connection.execute("SELECT 1").fetchall() == [(1,)]
