"""Northwind: orders in two tables and a stock level give the published figures, in whatever order they land."""

from __future__ import annotations

import csv
import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from real_data.warehouse import Question, differing, gold_hashes, make_project, wrong_answers
from systock.project import Project

#: The extract is from the day of the last order.
EXTRACTED_AT = datetime(1998, 5, 6, 23, tzinfo=UTC)
DESCRIPTIONS = ("products", "categories", "suppliers", "customers")
TABLES = ("orders", "order_details", *DESCRIPTIONS)

SALES = "FROM gold.fact_sale_line"
STOCK = "FROM serve.stock_on_hand JOIN serve.product_current USING (product_durable_key)"

PUBLISHED: list[Question] = [
    ("orders", f"SELECT count(DISTINCT sale_key) {SALES}", 830),
    ("lines", f"SELECT count(*) {SALES}", 2_155),
    ("products", "SELECT count(*) FROM serve.product_current", 77),
    ("products sold", f"SELECT count(DISTINCT product_key) {SALES} WHERE product_key <> 0", 77),
    ("customers", "SELECT count(*) FROM gold.dim_customer WHERE customer_key <> 0", 91),
    ("suppliers", "SELECT count(*) FROM serve.supplier_current", 29),
    ("suppliers of products", "SELECT count(DISTINCT supplier_durable_key) FROM serve.supplier_current"
        " JOIN serve.product_current AS product USING (source_name, supplier_id)", 29),
    ("net revenue, exactly", f"SELECT sum(net_amount) {SALES}", "1265793.0395"),
    ("net revenue", f"SELECT round(sum(net_amount), 2) {SALES}", "1265793.04"),
    ("net revenue, each line rounded", f"SELECT sum(round(net_amount, 2)) {SALES}", "1265793.29"),
    ("net revenue of all days", "SELECT round(sum(reporting_net_amount), 2) FROM serve.sales_daily", "1265793.04"),
    ("1996", f"SELECT round(sum(net_amount), 2) {SALES} WHERE extract(year FROM business_date) = 1996", "208083.97"),
    ("1997", f"SELECT round(sum(net_amount), 2) {SALES} WHERE extract(year FROM business_date) = 1997", "617085.20"),
    ("1998", f"SELECT round(sum(net_amount), 2) {SALES} WHERE extract(year FROM business_date) = 1998", "440623.87"),
    ("gross is net and discount", f"SELECT count(*) {SALES} WHERE gross_amount <> net_amount + discount_amount", 0),
    ("lines with a discount", f"SELECT count(*) {SALES} WHERE discount_amount <> 0", 838),
    ("stock, in units", f"SELECT sum(on_hand_units) {STOCK}", 3_119),
    ("stock, at list price", f"SELECT sum(on_hand_units * list_price_amount) {STOCK}", "73953.35"),
    ("products of unknown stock", f"SELECT count(*) {STOCK} WHERE NOT is_known", 0),
    ("levels", "SELECT count(*) FROM gold.fact_stock_count", 77),
    ("levels that are a surprise to a book that nobody kept", "SELECT count(book_units) FROM gold.fact_stock_count", 0),
    ("lines set aside", "SELECT count(*) FROM silver.quarantine", 0),
    ("lines held back", "SELECT count(*) FROM gold.unconverted_line", 0),
]  # fmt: skip


def deliver(database: Path, project: Path, tables: Iterable[str]) -> None:
    """Export tables of the SQLite file as CSV, dated as the extract."""
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        for table in tables:
            rows = connection.execute(f"SELECT * FROM {table}")
            path = project / "incoming" / f"{table}.csv"
            with path.open("w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file)
                writer.writerow(column[0] for column in rows.description)
                writer.writerows(rows)
            os.utime(path, (EXTRACTED_AT.timestamp(),) * 2)


def load(database: Path, project: Path, *deliveries: Iterable[str]) -> Path:
    """Deliver tables in several steps, with a run after each."""
    for tables in deliveries:
        deliver(database, project, tables)
        assert Project(project).run().status == "published"
    return project


@pytest.fixture
def database(shared_data: Path) -> Path:
    return shared_data / "northwind" / "northwind.sqlite"


@pytest.mark.parametrize(
    "deliveries",
    [
        (("order_details",), ("orders",), DESCRIPTIONS),
        pytest.param((("orders", *DESCRIPTIONS), ("order_details",)), marks=pytest.mark.long),
    ],
)
def test_published_figures_however_orders_and_lines_land(
    database: Path, tmp_path: Path, deliveries: tuple[tuple[str, ...], ...]
) -> None:
    once = load(database, make_project("northwind", tmp_path / "once"), TABLES)
    assert wrong_answers(once, PUBLISHED) == []
    apart = load(database, make_project("northwind", tmp_path / "apart"), *deliveries)
    assert differing(gold_hashes(once), gold_hashes(apart)) == {}
    assert [table["table"] for table in Project(apart).rebuild(verify=True)["tables"] if not table["same"]] == []
