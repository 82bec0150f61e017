"""Lines that are in no row now, by hand: which of a table's versions count, and which rows stand for them."""

from __future__ import annotations

import pytest

from systock.data_warehouse.compiled import FOREVER
from systock.data_warehouse.engine.duckdb import connect
from systock.etl_pipeline.silver_layer.conform_stored import lines_without_row
from systock.etl_pipeline.silver_layer.mapping_sql import MappingSql
from systock.etl_pipeline.silver_layer.stored_lines import StoredTable, create_stored
from systock.source_settings import FileTable

PRODUCTS = FileTable(path="x.csv", mode="full", key=["id"])
DAY, NEXT = "TIMESTAMPTZ '2024-05-01'", "TIMESTAMPTZ '2024-05-02'"


def line(key: str, at: str, place: int, is_deleted: bool = False, until: str = FOREVER) -> str:
    return f"('{key}', NULL, {at}, {is_deleted}, {DAY}, {until}, {at}, 1, {place})"


@pytest.mark.parametrize(
    ("lines", "rows", "set_aside", "seen_last", "seen_all"),
    [
        ([line("a", DAY, 1)], [1], [], 0, 0),
        ([line("a", DAY, 1)], [], [1], 0, 0),
        ([line("a", DAY, 1)], [], [], 1, 1),
        ([line("a", DAY, 1), line("a", NEXT, 2)], [2], [], 0, 1),  # the earlier version is only seen with all
        ([line("a", DAY, 1), line("a", NEXT, 2)], [1], [], 0, 1),  # the row is as it was, and keeps its place
        ([line("a", DAY, 1), line("a", NEXT, 1, True)], [], [], 0, 1),  # gone
        ([line("a", DAY, 1, until=NEXT), line("a", DAY, 2)], [1], [], 0, 0),  # corrected, its row as it was
        ([line("a", DAY, 1), line("b", DAY, 2)], [1], [], 1, 1),
    ],
)
def test_what_is_in_no_row(
    lines: list[str], rows: list[int], set_aside: list[int], seen_last: int, seen_all: int
) -> None:
    stored = StoredTable("erp", "products", PRODUCTS, ("id",), valid_time=True)
    with connect(None) as engine:
        for schema in ("bronze", "silver"):
            engine.execute(f"CREATE SCHEMA {schema}")
        create_stored(engine, stored)
        engine.execute(f"INSERT INTO {stored.versions.name} VALUES {', '.join(lines)}")
        engine.execute(f"""CREATE TABLE silver.product__versions AS SELECT 'erp' AS source_name, 1 AS _batch_no, _row, {FOREVER} AS known_to_at
            FROM (SELECT unnest(CAST({rows} AS BIGINT[])) AS _row)""")
        engine.execute(f"""CREATE TABLE silver.quarantine AS SELECT 'erp' AS source_name, 'product' AS entity, 1 AS batch_no, row_no, {FOREVER} AS known_to_at
            FROM (SELECT unnest(CAST({set_aside} AS BIGINT[])) AS row_no)""")
        for history, expected in ((False, seen_last), (True, seen_all)):
            inputs = (("history.erp__products" if history else "bronze.erp__products", "products", history),)
            mapping = MappingSql("erp", "product", "x.sql", ("products",), False, {}, inputs=inputs)
            assert lines_without_row(engine, mapping, stored) == expected
