"""One SQL, two engines: every table and every question gives the same rows to the last decimal on DuckDB and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from systock import Project
from systock.data_warehouse.compiled import compile_table
from systock.data_warehouse.content_hash import content_hash_sql
from systock.data_warehouse.engine.duckdb import DuckDBEngine, connect
from systock.data_warehouse.engine.postgres_procedures import state_sql
from systock.data_warehouse.engine.postgres_schema import PostgresSchema
from systock.data_warehouse.function_arguments import arguments_of
from systock.data_warehouse.table_file import TableFile, load_folder
from systock.pipeline_manager.definitions import CONTRACTS, SCHEMA
from systock.simulator import simulate, write_project
from warehouse_copy import copy_warehouse

from ..servers import Server

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")

FILES, SILVER = load_folder(SCHEMA), load_folder(CONTRACTS)
PARTS = PostgresSchema(FILES, SILVER)
#: None of it may change an answer.
ODD_SESSION = "SET timezone = 'America/New_York'; SET datestyle = 'German, DMY'; SET intervalstyle = 'sql_standard'; SET extra_float_digits = 0"

#: What the functions are asked for: days before, within and after the chain's, and every state of knowledge.
DAYS = ("2024-02-28", "2024-03-05", "2024-03-11", "2024-03-19", "2024-06-01")
SPANS = (("2024-03-01", "2024-03-20"), ("2024-03-10", "2024-03-10"), ("2024-04-01", "2024-05-01"))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDBEngine]:
    """A simulated chain with all its faults, with a snapshot taken before all of it was known."""
    folder = tmp_path_factory.mktemp("chain")
    simulate(folder, days=20, stores=2, products=25, seed=5)
    write_project(folder)
    project = Project(folder)
    project.run(until="2024-03-12")
    project.snapshot_take()
    # The last files first: then all others become known at one instant, and every state of knowledge is kept.
    project.run(since="2024-04-01")
    project.run()
    with connect(folder / "warehouse.duckdb", read_only=True) as opened:
        yield opened


@pytest.fixture(scope="module")
def connection(engine: DuckDBEngine, postgres_server: str) -> Iterator[Any]:
    """The same warehouse on PostgreSQL."""
    server = Server("postgres", postgres_server, Path())
    with psycopg.connect(server.url) as opened:
        copy_warehouse(engine, opened, PARTS)
        opened.commit()
        opened.autocommit = True
        opened.execute(ODD_SESSION)
        yield opened
    server.close()


def same(engine: DuckDBEngine, connection: Any, table: TableFile, asked: str = "") -> int:
    """Do both give the same rows for `table` (or for a call of it)? Their number; what differs is told row by row."""
    relation = asked or table.qualified
    columns = [(column.name, column.type) for column in table.columns]
    [here] = engine.rows(content_hash_sql(relation, columns))
    [there] = connection.execute(content_hash_sql(relation, columns, "postgres")).fetchall()
    if here != there:
        listed = ", ".join(f'CAST("{name}" AS text)' for name, _ in columns)
        rows = [set(rows) for rows in (engine.rows(f"SELECT {listed} FROM {relation}"), connection.execute(f"SELECT {listed} FROM {relation}").fetchall())]  # fmt: skip
        pytest.fail(
            f"{relation}: {here[0]} and {there[0]} rows\n"
            f"  DuckDB alone: {sorted(map(str, rows[0] - rows[1]))[:3]}\n  PostgreSQL alone: {sorted(map(str, rows[1] - rows[0]))[:3]}"
        )
    return int(here[0])


@pytest.mark.parametrize("table", PARTS.stored, ids=lambda table: table.qualified)
def test_tables_arrive_whole(engine: DuckDBEngine, connection: Any, table: TableFile) -> None:
    same(engine, connection, table)


@pytest.mark.parametrize(
    "table", [q for q in PARTS.questions if q.refresh != "function"], ids=lambda table: table.qualified
)
def test_every_view_gives_the_same_rows(engine: DuckDBEngine, connection: Any, table: TableFile) -> None:
    rows = same(engine, connection, table)
    assert rows or table.qualified == "serve.dated_ahead", "a question without an answer proves nothing"


@pytest.mark.parametrize(
    "kind", [q for q in PARTS.questions if q.refresh == "snapshot"], ids=lambda kind: kind.qualified
)
def test_every_capture_gives_the_same_rows(engine: DuckDBEngine, connection: Any, kind: TableFile) -> None:
    rows = 0
    columns = [(column.name, column.type) for column in kind.columns]
    for day in DAYS:
        asked = f"""TIMESTAMPTZ '{day} 12:34:56.789012+00' AS as_of, DATE '{day}' AS as_of_date,
            TIMESTAMPTZ '{day} 20:00:00+00' AS ended_by_at"""
        engine.execute(f"CREATE OR REPLACE TEMP TABLE capture AS SELECT {asked}")
        connection.execute(f"DROP TABLE IF EXISTS systock_asked; CREATE TEMP TABLE systock_asked AS SELECT {asked}")
        select = str(compile_table(kind)["select"]).replace("meta.capture", "temp.capture")
        typed = ", ".join(f'CAST("{column.name}" AS {column.type}) AS "{column.name}"' for column in kind.columns)
        [here] = engine.rows(content_hash_sql(f"(SELECT {typed} FROM ({select}))", columns))
        [there] = connection.execute(
            content_hash_sql(f"({state_sql(kind)}) AS captured", columns, "postgres")
        ).fetchall()
        assert here == there
        rows += here[0]
    assert rows > 20


@pytest.mark.parametrize("name", ["serve.stock_as_of", "serve.sales_as_of"])
def test_both_functions_give_the_same_rows(engine: DuckDBEngine, connection: Any, name: str) -> None:
    table = FILES[name]
    moments = [str(known) for (known,) in engine.rows("SELECT DISTINCT CAST(known_at AS VARCHAR) FROM meta.generation")]
    assert len(moments) == 4
    rows = 0
    for known_at in (*moments, "infinity"):
        for days in [(day,) for day in DAYS] if "as_of" in arguments_of(table) else SPANS:
            asked = ", ".join([*(f"DATE '{day}'" for day in days), f"TIMESTAMPTZ '{known_at}'"])
            rows += same(engine, connection, table, f"{name}({asked})")
    assert rows > 100
