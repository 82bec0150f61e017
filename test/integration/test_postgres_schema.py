"""The full schema on a real PostgreSQL: what the table files say is what the server holds, whatever things are called."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from systock.data_warehouse.engine.postgres_ddl import KINDS, LONGEST_NAME, name_sql, short_name, table_statements
from systock.data_warehouse.engine.postgres_indexes import indexes_of
from systock.data_warehouse.engine.postgres_schema import PostgresSchema
from systock.data_warehouse.table_file import load_folder, parse_text
from systock.errors import DefinitionError
from systock.pipeline_manager.definitions import CONTRACTS, SCHEMA

from ..servers import Server

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")

HISTORIES = {
    f"silver.{entity}__versions"
    for entity in ("period_close", "sale_line", "stock_count", "stock_movement", "transfer_line")
}

ODD_TABLE = r"""
-- Rows with 'quotes', a \ and "double" ones.
-- refresh: full
CREATE TABLE gold.Odd (
    "User"  text           PRIMARY KEY CHECK ("User" <> 'a\b'), -- it's "who" \ what
    "or""d" numeric(18, 2) NOT NULL,                             -- how much
    ordered date                                                 -- when
);

SELECT CAST('x' AS text) AS "User", CAST(1 AS numeric(18, 2)) AS "or""d", DATE '2024-01-01' AS ordered;
"""
ODD_FUNCTION = """
-- What was asked.
-- refresh: function
CREATE TABLE serve.Asked (
    "User"   text        NOT NULL, -- who
    "OR""D"  numeric(18, 2),       -- how much
    as_of    date        NOT NULL, -- the day asked for
    known_at timestamptz NOT NULL  -- the state of knowledge asked for
);

SELECT odd."USER" AS "User", odd."or""d" AS "OR""D", asked.as_of, asked.known_at
FROM gold.Odd AS odd
CROSS JOIN meta.asked AS asked
WHERE odd.Ordered <= asked.as_of;
"""


@cache
def schema() -> PostgresSchema:
    """The package's schema, with an odd table and an odd function."""
    odd = [parse_text(text, Path("odd.sql")) for text in (ODD_TABLE, ODD_FUNCTION)]
    return PostgresSchema(load_folder(SCHEMA) | {table.qualified: table for table in odd}, load_folder(CONTRACTS))


@pytest.fixture(scope="module")
def made(postgres_server: str) -> Iterator[Any]:
    """A connection to a database with the schema."""
    server = Server("postgres", postgres_server, Path())
    with psycopg.connect(server.url) as opened:
        with opened.transaction():
            for statement in schema().statements():
                opened.execute(statement.sql)
        yield opened
    server.close()


@pytest.fixture
def connection(made: Any) -> Iterator[Any]:
    """The same, in a transaction that is rolled back."""
    yield made
    made.rollback()


def test_the_server_holds_what_the_files_say(connection: Any) -> None:
    tables = load_folder(SCHEMA)
    columns = connection.execute("""
        SELECT c.oid::regclass::text, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
            col_description(c.oid, a.attnum), obj_description(c.oid, 'pg_class'), a.attcollation = 'pg_catalog."C"'::regcollation, c.relkind
        FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
        WHERE c.relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname IN ('gold', 'serve', 'meta', 'snapshot', 'silver'))
            AND c.relkind IN ('r', 'p', 'v') ORDER BY c.oid, a.attnum""").fetchall()
    found: dict[str, list[tuple[Any, ...]]] = {}
    for qualified, *column in columns:
        found.setdefault(qualified, []).append(tuple(column))
    own_names = {name for name, t in tables.items() if t.schema != "silver" and t.refresh != "function"}
    changes = {f"{name}__changes" for name, t in tables.items() if t.refresh == "snapshot"}
    assert set(found) == own_names | changes | HISTORIES | {"gold.odd"}
    types = {
        "timestamptz": "timestamp with time zone",
        "timestamp": "timestamp without time zone",
        "time": "time without time zone",
    }
    for name in sorted(own_names):
        table, made = tables[name], found[name]
        own = [column[:2] for column in made if table.refresh != "snapshot" or column[0] in table.column_names]
        assert own == [(c.name, types.get(c.type, c.type.replace(", ", ","))) for c in table.columns]
        assert {column[4] for column in made} == {table.sentence}
        assert all(column[3] for column in made), "every column has a comment"
        assert all(column[5] for column in made if column[1] == "text"), "texts are in the order of their bytes"
        if table.is_stored and table.refresh != "snapshot":
            assert [column[2] for column in made] == [not c.nullable for c in table.columns]
            assert [column[3] for column in made] == [c.comment for c in table.columns]
    constraints = connection.execute("""
        SELECT conrelid::regclass::text, contype, condeferrable AND condeferred, count(*) FROM pg_constraint
        WHERE contype IN ('p', 'f', 'c') AND connamespace <> 'pg_catalog'::regnamespace AND connamespace <> 'information_schema'::regnamespace
        GROUP BY 1, 2, 3""").fetchall()
    kept = {(name, kind): (deferred, count) for name, kind, deferred, count in constraints}
    for table in PostgresSchema(tables, load_folder(CONTRACTS)).stored:
        assert kept.get((table.qualified, "p")) == ((False, 1) if table.primary_key else None)
        assert kept.get((table.qualified, "f")) == ((True, len(table.references)) if table.references else None)
        assert kept.get((table.qualified, "c")) == ((False, len(table.checks)) if table.checks else None)


def test_tables_are_made_without_keys_and_indexes() -> None:
    assert {s.kind for s in schema().tables()} == {"table", "comment"}
    places = [KINDS.index(statement.kind) for statement in schema().keys_and_indexes()]
    assert places == sorted(places)


def test_references_are_looked_at_when_a_transaction_commits(connection: Any) -> None:
    day = one_day(connection)
    connection.execute("INSERT INTO gold.dim_holiday SELECT 'DE', '', DATE '2024-05-01', 'May day'")
    connection.execute(day)
    connection.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
    connection.execute("DELETE FROM gold.dim_date")
    connection.execute(day)
    connection.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
    connection.execute("DELETE FROM gold.dim_date")
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        connection.execute("SET CONSTRAINTS ALL IMMEDIATE")


def one_day(connection: Any) -> str:
    """An INSERT of one row into gold.dim_date: 2024-05-01 and, in every other column, 1."""
    columns = connection.execute("""SELECT column_name, data_type FROM information_schema.columns
        WHERE table_schema = 'gold' AND table_name = 'dim_date' ORDER BY ordinal_position""").fetchall()
    values = [{"date": "DATE '2024-05-01'", "text": "'x'", "boolean": "TRUE"}.get(type_, "1") for _, type_ in columns]
    values = [
        "52" if name == "retail_weeks_in_year" else value for (name, _), value in zip(columns, values, strict=True)
    ]
    return f"INSERT INTO gold.dim_date VALUES ({', '.join(values)})"


def test_names_and_comments_are_quoted(connection: Any) -> None:
    connection.execute("INSERT INTO gold.odd VALUES ('x', 1.005, '2024-01-01'), ('y', 2, '2024-01-02')")
    asked = "serve.asked('2024-01-01', '2024-05-01 12:00:00+00')"
    rows = connection.execute(f"""SELECT "user", "or""d"::text, as_of::text FROM {asked}""").fetchall()
    assert rows == [("x", "1.01", "2024-01-01")]
    [(table, column)] = connection.execute(
        "SELECT obj_description('gold.odd'::regclass), col_description('gold.odd'::regclass, 1)"
    ).fetchall()
    file = parse_text(ODD_TABLE, Path("odd.sql"))
    assert (table, column) == (file.sentence, file.columns[0].comment)
    with pytest.raises(psycopg.errors.CheckViolation):
        connection.execute(r"INSERT INTO gold.odd VALUES ('a\b', 1, NULL)")


def test_functions_take_their_arguments_by_name(connection: Any) -> None:
    connection.execute("INSERT INTO meta.progress VALUES (1, 1, now(), '2024-01-01 00:00:00+00')")
    connection.execute("SELECT * FROM serve.stock_as_of(as_of => '2024-05-01', known_at => '2024-05-02')")
    connection.execute(
        "SELECT * FROM serve.sales_as_of(first_date => '2024-05-01', last_date => '2024-05-02', known_at => '2024-06-01')"
    )
    [(said,)] = connection.execute("SELECT obj_description('serve.stock_as_of'::regproc)").fetchall()
    assert "reserved_units: set aside for customers' orders" in said


@pytest.mark.parametrize(
    "asked",
    [
        "SELECT * FROM serve.{} WHERE product_id = 'x'",
        "SELECT count(*) FROM serve.{}",
        "SELECT 1 WHERE EXISTS (SELECT FROM serve.{} LIMIT 1)",
        "SELECT p.product_id FROM gold.dim_product AS p RIGHT JOIN serve.{} AS s ON s.product_durable_key = p.product_durable_key AND s.location_durable_key = 1",
    ],
)
@pytest.mark.parametrize("function", ["stock_as_of('2024-05-01', {})", "sales_as_of('2024-05-01', '2024-05-02', {})"])
def test_functions_refuse_also_where_they_find_nothing(connection: Any, function: str, asked: str) -> None:
    """Whatever is asked of the answer; no state of knowledge, or one that is to come, is what is known so far."""
    connection.execute("INSERT INTO meta.progress VALUES (1, 1, now(), '2024-01-01 00:00:00+00')")
    for known_at in ("NULL", "'infinity'", "'2024-01-01 00:00:00+00'"):
        connection.execute(asked.format(function.format(known_at)))
    for known_at in ("'2023-12-31 23:59:59+00'", "'-infinity'"):
        connection.execute("SAVEPOINT asked")
        with pytest.raises(
            psycopg.errors.InvalidParameterValue, match=r"known before 2024-01-01 00:00:00.* is not kept"
        ) as told:
            connection.execute(asked.format(function.format(known_at)))
        assert "systock rebuild --history" in (told.value.diag.message_hint or "")
        connection.execute("ROLLBACK TO SAVEPOINT asked")


def test_a_name_that_postgres_would_cut_stops() -> None:
    long = replace(parse_text(ODD_TABLE, Path("odd.sql")), name="ö" * 40)
    with pytest.raises(DefinitionError, match="has 80 bytes"):
        table_statements(long)
    assert short_name("a" * LONGEST_NAME) == "a" * LONGEST_NAME
    made = {short_name("ö" * 40 + end) for end in "ab"}
    assert len(made) == 2 and all(len(name_sql(name).encode()) <= LONGEST_NAME + 2 for name in made)


def test_silver_on_request() -> None:
    wished = PostgresSchema(load_folder(SCHEMA), load_folder(CONTRACTS), silver=["product"])
    assert {t.qualified for t in wished.stored if t.schema == "silver"} == HISTORIES | {"silver.product__versions"}


def test_indexes_are_for_places_days_products_and_rows_that_go() -> None:
    tables = {table.qualified: table for table in schema().stored}
    assert indexes_of(tables["gold.fact_sale_line"]) == (
        ("location_durable_key", "business_date"), ("business_date",), ("product_durable_key",),
        ("original_sale_id",), ("product_key",), ("location_key",), ("customer_key",),
    )  # fmt: skip
    # Its key begins with the product; and no index for what only its key is asked of.
    assert indexes_of(tables["gold.fact_stock_interval"]) == (
        ("location_durable_key", "from_date"), ("location_durable_key", "to_date"),
    )  # fmt: skip
    assert indexes_of(tables["meta.batch"]) == indexes_of(tables["gold.dim_channel"]) == ()


def test_a_filter_on_a_place_and_a_month_reaches_the_facts(connection: Any) -> None:
    connection.execute("SET LOCAL enable_seqscan = off")
    for question in (
        "serve.sales_daily WHERE location_durable_key = 1 AND business_date BETWEEN '2024-05-01' AND '2024-05-31'",
        "serve.sales_as_of('2024-05-01', '2024-05-31', '2024-06-01') WHERE location_durable_key = 1",
    ):
        plan = "\n".join(line for (line,) in connection.execute(f"EXPLAIN SELECT * FROM {question}").fetchall())
        facts = plan[plan.index(" on fact_sale_line") :].partition("->  ")[0]
        assert "business_date <= '2024-05-31'" in facts and "location_durable_key = 1)" in facts, plan
    returns = "EXPLAIN SELECT * FROM serve.returns WHERE location_durable_key = 1 AND month_start_date = '2024-05-01'"
    plan = "\n".join(line for (line,) in connection.execute(returns).fetchall())
    assert "fact_sale_line_pkey" in plan and "fact_sale_line_original_sale_id_idx" in plan, plan
