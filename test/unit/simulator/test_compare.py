"""The comparison: a right warehouse agrees in every figure, and each wrong one differs in exactly that figure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from systock.simulator.answer_key import (
    AnswerKey,
    FaultKey,
    FileKey,
    OnHand,
    ProductVersionKey,
    SalesDay,
    StockTotal,
)
from systock.simulator.compare import compare
from systock.simulator.comparison import Comparison, Figure, Group
from systock.simulator.count_books import CountFigures
from systock.simulator.paper_figures import (
    HeldPayment,
    PaymentFigures,
    PurchaseFigures,
    StoreDayFigures,
    TransferFigures,
    WebOrderFigures,
)

SALES, AGAIN, CUT, MOVES, PRODUCTS = "in/sales.csv", "in/again.csv", "in/cut.csv", "in/moves.csv", "in/products.jsonl"
KNOWN, EARLIER, LATEST = "2024-03-02T04:30:00Z", "2024-03-10T12:00:00Z", "2024-04-01T12:00:00Z"
REJECTED = {CUT}

WAREHOUSE = f"""
CREATE SCHEMA meta; CREATE SCHEMA silver; CREATE SCHEMA gold; CREATE SCHEMA serve;
CREATE TABLE meta.batch (batch_no integer, path varchar, repeat_of integer, known_at timestamptz, malformed bigint);
INSERT INTO meta.batch VALUES (1, '{SALES}', NULL, '{KNOWN}', 1), (2, '{AGAIN}', 1, '{KNOWN}', 1),
    (3, '{MOVES}', NULL, '{KNOWN}', 0), (4, '{PRODUCTS}', NULL, '{KNOWN}', 0);
CREATE TABLE meta.row_count (batch_no integer, lines bigint, kept bigint, unchanged bigint, superseded bigint,
    duplicates bigint, quarantined bigint, left_out bigint);
ALTER TABLE meta.row_count ADD COLUMN entity text DEFAULT 'sale_line';
INSERT INTO meta.row_count (batch_no, lines, kept, unchanged, superseded, duplicates, quarantined, left_out) VALUES (1, 10, 2, 1, 1, 1, 5, 0), (2, 10, 0, 10, 0, 0, 0, 0), (3, 3, 3, 0, 0, 0, 0, 0),
    (4, 3, 3, 0, 0, 0, 0, 0);
CREATE TABLE silver.quarantine (batch_no integer, row_no bigint, rule varchar, column_name varchar);
INSERT INTO silver.quarantine VALUES (1, 4, 'no number', 'quantity'), (1, 5, 'missing', 'product_id'),
    (1, 6, 'breaks sale_kind IN (''sale'')', 'sale_kind'), (1, 7, 'expected 22 columns, found 19', NULL),
    (1, 8, 'same key with other values at the same instant', 'sale_id');
CREATE TABLE silver.sale_line__versions (source_name varchar, sale_id varchar, line_no varchar, _batch_no integer,
    _row bigint, known_from_at timestamptz, known_to_at timestamptz);
INSERT INTO silver.sale_line__versions VALUES ('pos', 'r1', '1', 1, 2, '{KNOWN}', '9999-12-31 00:00:00+00'),
    ('pos', 'r1', '2', 1, 3, '{KNOWN}', '9999-12-31 00:00:00+00');
CREATE TABLE silver.stock_movement__versions (source_name varchar, movement_id varchar, _batch_no integer, _row bigint,
    known_from_at timestamptz, known_to_at timestamptz);
INSERT INTO silver.stock_movement__versions VALUES ('erp', 'm1', 3, 2, '{KNOWN}', '9999-12-31 00:00:00+00'),
    ('erp', 'm2', 3, 3, '{KNOWN}', '9999-12-31 00:00:00+00'), ('erp', 'm3', 3, 4, '{KNOWN}', '9999-12-31 00:00:00+00');
CREATE TABLE silver.product__versions (product_id varchar, version_at timestamptz, _batch_no integer, _row bigint,
    known_from_at timestamptz);
INSERT INTO silver.product__versions VALUES ('A', '2024-01-01T00:00:00Z', 4, 1, '{KNOWN}'),
    ('A', '2024-02-01T00:00:00Z', 4, 2, '{KNOWN}'), ('A', '2024-02-15T00:00:00Z', 4, 3, '{KNOWN}');
CREATE TABLE silver.stock_count__versions (_batch_no integer, _row bigint, known_from_at timestamptz);
CREATE TABLE silver.product_unit__versions AS FROM silver.stock_count__versions;
CREATE TABLE silver.exchange_rate__versions AS FROM silver.stock_count__versions;
CREATE TABLE gold.dim_product (product_key bigint, product_id varchar, valid_from_at timestamptz, product_name varchar,
    list_price_amount numeric(18, 4), standard_cost_amount numeric(18, 6), status varchar);
INSERT INTO gold.dim_product VALUES (0, '(unknown)', '1900-01-01 00:00:00+00', NULL, NULL, NULL, NULL),
    (7, 'A', '1900-01-01 00:00:00+00', 'Milk', 1.29, 0.8, 'active'),
    (8, 'A', '2024-02-01 00:00:00+00', 'Milk', 1.39, 0.8, 'active');
CREATE TABLE gold.fact_sale_line (source_name varchar, sale_id varchar, line_no varchar, location_id varchar,
    business_date date, currency_code varchar, product_key bigint, product_id varchar, is_counted boolean,
    gross_amount numeric(18, 4), discount_amount numeric(18, 4));
INSERT INTO gold.fact_sale_line VALUES ('pos', 'r1', '1', 'S1', '2024-03-01', 'USD', 8, 'A', TRUE, 2.5, 0.5),
    ('pos', 'r1', '2', 'S1', '2024-03-01', 'USD', 0, 'ZZ', TRUE, 1, 0),
    ('pos', 'r2', '1', 'S1', '2024-03-01', 'USD', 8, 'A', FALSE, 9, 0);
CREATE TABLE gold.unconverted_line (entity varchar, source_name varchar, natural_key varchar);
INSERT INTO gold.unconverted_line VALUES ('stock_movement', 'erp', 'm1');
CREATE TABLE gold.fact_stock_interval (from_date date, to_date date, location_id varchar, product_id varchar,
    stock_status varchar, on_hand_units numeric(18, 3));
INSERT INTO gold.fact_stock_interval VALUES ('2024-03-01', '9999-12-31', 'S1', 'A', 'sellable', 4),
    ('2024-03-01', '2024-03-31', 'S1', 'B', 'damaged', 1.5), ('2024-03-01', '9999-12-31', 'S1', 'C', 'hold', NULL);
CREATE TABLE serve.sales_daily (location_id varchar, business_date date, currency_code varchar, lines bigint,
    transactions bigint, sold_units numeric(18, 3), returned_units numeric(18, 3), net_units numeric(18, 3),
    returns_amount numeric(18, 4), net_amount numeric(18, 4), tax_amount numeric(18, 4),
    reporting_net_amount numeric(18, 4));
INSERT INTO serve.sales_daily VALUES ('S1', '2024-03-01', 'USD', 2, 1, 3, 1, 2, 0.75, 2.25, 0.4, 2.07);
CREATE TABLE serve.stock_daily (business_date date, location_id varchar, product_id varchar, stock_status varchar,
    on_hand_units numeric(18, 3));
INSERT INTO serve.stock_daily VALUES ('2024-03-30', 'S1', 'A', 'sellable', 4), ('2024-03-30', 'S1', 'B', 'damaged', 1.5),
    ('2024-03-31', 'S1', 'A', 'sellable', 4);
CREATE TABLE serve.supplier_performance AS SELECT 'V1' AS supplier_id, 3 AS order_lines, 2 AS due_lines,
    20::numeric(18, 3) AS due_units, 15::numeric(18, 3) AS filled_units, 0.75::numeric(18, 4) AS fill_ratio,
    1 AS on_time_in_full_lines, 0.5::numeric(18, 4) AS on_time_in_full_ratio, 2 AS received_lines,
    4.5::numeric(18, 4) AS mean_lead_time_days, NULL::numeric(18, 4) AS lead_time_deviation_days;
CREATE TABLE gold.fact_purchase_order_line AS FROM (VALUES ('V1', 9::numeric(18, 3), 1::numeric(18, 3), 5::numeric(18, 3), FALSE),
    ('V1', 7, 0, 0, FALSE), ('V1', 5, 5, 5, TRUE)) AS line (supplier_id, received_units, rejected_units, on_order_units, is_cancelled);
CREATE TABLE gold.fact_transfer_line AS SELECT 'W1' AS from_location_id, 'S1' AS to_location_id, 10::numeric(18, 3) AS shipped_units,
    7::numeric(18, 3) AS received_units, 1::numeric(18, 3) AS lost_units;
CREATE TABLE serve.stock_in_transit AS SELECT 'W1' AS from_location_id, 'S1' AS to_location_id, 2::numeric(18, 3) AS in_transit_units;
CREATE TABLE gold.fact_order_line AS SELECT 'S1' AS location_id, 4::numeric(18, 3) AS ordered_units, 1::numeric(18, 3) AS shipped_units,
    1::numeric(18, 3) AS cancelled_units, 2::numeric(18, 3) AS open_units, 2::numeric(18, 3) AS reserved_units;
CREATE TABLE gold.fact_store_day AS FROM (VALUES ('S1', DATE '2024-03-01', 40::bigint, 24.5::numeric(18, 3), 12::numeric(18, 3),
    90::numeric(18, 4)), ('S1', DATE '2024-03-02', NULL, NULL, NULL, NULL))
    AS day (location_id, business_date, visitors, labour_hours, open_hours, reporting_target_amount);
CREATE TABLE gold.fact_tender AS SELECT 'S1' AS location_id, DATE '2024-03-01' AS business_date, 'cash' AS tender_method,
    2.65::numeric(18, 4) AS amount, 2.4::numeric(18, 4) AS reporting_amount;
CREATE TABLE gold.fact_stock_count AS FROM (VALUES
    ('counts', 'c-1', 10::numeric(18, 3), -5::numeric(18, 3), -3::numeric(18, 3), 1::numeric(18, 3), -2::numeric(18, 3), 0::numeric(18, 3), -1::numeric(18, 3)),
    ('counts', 'c-2', NULL, NULL, NULL, NULL, NULL, NULL, NULL), ('erp', 'level', 1, 1, 1, 0, 0, 0, 0)) AS counted (source_name, count_id, book_units,
    variance_at_count_units, late_posting_units, in_transit_units, unit_error_units, unposted_return_units, unexplained_units);
CREATE TABLE gold.unconverted_document_line AS SELECT 'r9 / 1' AS natural_key, 'sale not known' AS reason;
"""


class Published:
    """Answers as a project does."""

    def __init__(self, database: duckdb.DuckDBPyConnection) -> None:
        self._database = database

    def query(self, sql: str) -> Any:
        return self._database.execute(sql).to_arrow_table()


def sales_day(known_at: str, lines: int) -> SalesDay:
    units = (Decimal("2.000"), Decimal("3.000"), Decimal("1.000"))
    amounts = ("3.9", "0.6", "3.5000", "0.5000", "0.40", "2.25", "3.00", "0.75", "2.07")
    return SalesDay(known_at, "S1", "2024-03-01", "USD", lines, 1, *units, *map(Decimal, amounts))


def count_figures(known_at: str, count_id: str, *units: str | None) -> CountFigures:
    figures = (None if one is None else Decimal(one) for one in units)
    return CountFigures(known_at, count_id, "S1", "A", "2024-03-01", Decimal(5), *figures)


def purchases(known_at: str, lines: int) -> PurchaseFigures:
    sums, ratios = (Decimal(20), Decimal(15)), (Decimal("0.75"), Decimal("0.5"), Decimal("4.5"))
    return PurchaseFigures(
        known_at,
        "V1",
        lines,
        2,
        *sums,
        ratios[0],
        1,
        ratios[1],
        2,
        ratios[2],
        None,
        Decimal(16),
        Decimal(1),
        Decimal(5),
    )


def fault(
    name: str, found: str, path: str, row: int | None, rule: str = "", column: str = "", detail: str = ""
) -> FaultKey:
    table = {SALES: "pos.sales", AGAIN: "pos.sales", CUT: "pos.sales", MOVES: "erp.movements"}.get(path, "erp.products")
    return FaultKey(name, found, rule, column, table, path, row, detail)


KEY = AnswerKey(
    seed=7,
    start_date="2024-03-01",
    days=31,
    currency_code="EUR",
    faults_asked=["tie"],
    knowledge_times=[EARLIER, LATEST],
    lost_units=Decimal(0),
    # what was known earlier is not compared
    sales=[sales_day(EARLIER, 99), sales_day(LATEST, 2)],
    on_hand=[
        OnHand(EARLIER, "2024-03-30", "S1", "A", "sellable", Decimal(77)),
        OnHand(LATEST, "2024-03-30", "S1", "A", "sellable", Decimal("4.000")),
        OnHand(LATEST, "2024-03-30", "S1", "B", "damaged", Decimal("1.500")),
        OnHand(LATEST, "2024-03-31", "S1", "A", "sellable", Decimal("4.000")),
    ],
    stock_totals=[
        StockTotal(LATEST, "2024-03-30", Decimal("5.500"), None),
        StockTotal(LATEST, "2024-03-31", Decimal("4.000"), Decimal(5)),
    ],
    product_versions=[
        ProductVersionKey("A", "2024-01-01T00:00:00Z", KNOWN, "Milk", Decimal("1.29"), Decimal("0.8"), "active"),
        ProductVersionKey("A", "2024-02-01T00:00:00Z", KNOWN, "Milk", Decimal("1.39"), Decimal("0.8"), "active"),
        # says what the one before said: no description of its own
        ProductVersionKey("A", "2024-02-15T00:00:00Z", KNOWN, "Milk", Decimal("1.39"), Decimal("0.8"), "active"),
    ],
    purchases=[purchases(EARLIER, 99), purchases(LATEST, 3)],
    transfers=[TransferFigures(LATEST, "W1", "S1", 1, Decimal(10), Decimal(7), Decimal(1), Decimal(2))],
    web_orders=[WebOrderFigures(LATEST, "S1", 1, Decimal(4), Decimal(1), Decimal(1), Decimal(2), Decimal(2))],
    store_days=[StoreDayFigures(LATEST, "S1", "2024-03-01", 40, Decimal("24.5"), Decimal(12), Decimal(90))],
    payments=[PaymentFigures(LATEST, "S1", "2024-03-01", "cash", 1, Decimal("2.65"), Decimal("2.4"))],
    held_payments=[HeldPayment(LATEST, "r9", "1")],
    counts=[
        count_figures(EARLIER, "c-1", "9", "-4", "0", "0", "0", "0", "-4"),
        count_figures(LATEST, "c-1", "10", "-5", "-3", "1", "-2", "0", "-1"),
        count_figures(LATEST, "c-2", *[None] * 7),
    ],
    files=[
        FileKey("pos.sales", SALES, KNOWN, "landed", 10, 2, 1, 1, 1, 5, 1, 0),
        FileKey("pos.sales", AGAIN, KNOWN, "repeated", 10, 0, 0, 0, 0, 0, 0, 0),
        FileKey("pos.sales", CUT, KNOWN, "rejected", 10, 0, 0, 0, 0, 0, 0, 0),
        FileKey("erp.movements", MOVES, KNOWN, "landed", 3, 3, 0, 0, 0, 0, 0, 0),
        FileKey("erp.products", PRODUCTS, KNOWN, "landed", 3, 3, 0, 0, 0, 0, 0, 0),
    ],
    tables=[],
    faults=[
        fault("code_case", "kept", SALES, 2, detail="a"),
        fault("unknown_product", "unknown_member", SALES, 3, detail="ZZ"),
        fault("bad_number", "quarantined", SALES, 4, "cast", "quantity"),
        fault("missing_product", "quarantined", SALES, 5, "not_null", "product_id"),
        fault("unknown_sale_kind", "quarantined", SALES, 6, "check", "sale_kind"),
        fault("malformed_line", "quarantined", SALES, 7, "malformed"),
        fault("tie", "quarantined", SALES, 8, "tie"),
        fault("duplicate_line", "duplicate", SALES, 9),
        fault("superseded_line", "superseded", SALES, 10),
        fault("unchanged_line", "unchanged", SALES, 11),
        fault("late_file", "restated", SALES, None),
        fault("repeated_file", "repeated_file", AGAIN, None),
        fault("truncated_gzip", "rejected_file", CUT, None),
        fault("unit_without_conversion", "unconverted", MOVES, 2, detail="PAL1"),
        fault("unit_without_conversion", "unconverted", MOVES, 3, detail="PAL0 explained by in/units.csv"),
        fault("backdated_movement", "restated", MOVES, 4),
        fault("late_product", "unknown_member", PRODUCTS, 1, detail="A is sold from day 3 on"),
    ],
)


@pytest.fixture
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'Asia/Tokyo'")  # where the reader stands must not matter
        connection.execute(WAREHOUSE)
        yield connection


def compared(database: duckdb.DuckDBPyConnection, key: AnswerKey = KEY, rejected: set[str] = REJECTED) -> Comparison:
    return compare(Published(database), key, rejected)


def differences(comparison: Comparison) -> list[tuple[str, str, Any, Any]]:
    return [(g.name, one.name, one.expected, one.found) for g in comparison.groups for one in g.differences]


def test_a_right_warehouse_agrees_in_every_figure(database: duckdb.DuckDBPyConnection) -> None:
    comparison = compared(database)
    assert differences(comparison) == []
    assert comparison.same
    assert comparison.figures == comparison.agree == 128
    groups = {group.name: group for group in comparison.groups}
    assert groups["net sales"].totals() == {"USD": Decimal("2.25")}
    assert groups["net sales in EUR"].totals() == {"EUR": Decimal("2.07")}
    assert groups["on hand on 2024-03-30"].totals("expected") == {"units": Decimal("5.5")}
    assert groups["lines of pos.sales"].totals() == {"lines": Decimal(20)}
    assert len(groups["injected faults found"].figures) == len(KEY.faults)


PAID = (("amount", Decimal("2.65")), ("amount_eur", Decimal("2.4")), ("payments", 1))
DAY, PLACE = "S1 2024-03-01 USD", "S1 A sellable"
COUNTED = (
    "book at counts", "variance seen at counts", "of it: late postings", "of it: in transit", "of it: unit errors",
    "of it: unposted returns", "of it: unexplained",
)  # fmt: skip
FOUND = "injected faults found"
ASIDE = "set aside or not resolved"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            "UPDATE meta.row_count SET kept = 4 WHERE batch_no = 4",
            [("lines of erp.products", f"{PRODUCTS}: kept", 3, 4)],
        ),
        (
            "UPDATE meta.batch SET malformed = 2 WHERE batch_no = 1",
            [("lines of pos.sales", f"{SALES}: malformed", 1, 2)],
        ),
        (
            "INSERT INTO meta.batch VALUES (5, 'in/x.csv', NULL, now(), 0)",
            [("lines of files that nobody sent", "in/x.csv: fate", None, "landed")],
        ),
        (
            "UPDATE meta.batch SET repeat_of = NULL WHERE batch_no = 2",
            [
                ("lines of pos.sales", f"{AGAIN}: fate", "repeated", "landed"),
                (FOUND, f"repeated_file: {AGAIN}", "repeated", "landed"),
            ],
        ),
        (
            "UPDATE serve.sales_daily SET net_amount = 2.2501",
            [("net sales", DAY, Decimal("2.25"), Decimal("2.2501"))],
        ),
        (
            "UPDATE gold.fact_sale_line SET gross_amount = 2.4999 WHERE line_no = '1' AND sale_id = 'r1'",
            [("gross sales", DAY, Decimal("3.5000"), Decimal("3.4999"))],
        ),
        (
            "UPDATE serve.sales_daily SET reporting_net_amount = NULL",
            [("net sales in EUR", DAY, Decimal("2.07"), None)],
        ),
        (
            "INSERT INTO serve.stock_daily VALUES ('2024-03-31', 'S1', 'C', 'hold', 0)",
            [("on hand on 2024-03-31", "S1 C hold", None, Decimal(0))],
        ),
        (
            "UPDATE serve.stock_daily SET product_id = 'C' WHERE product_id = 'B'",
            [
                ("on hand on 2024-03-30", "S1 B damaged", Decimal("1.5"), None),
                ("on hand on 2024-03-30", "S1 C damaged", None, Decimal("1.5")),
            ],
        ),
        (
            "UPDATE gold.fact_stock_count SET late_posting_units = -2, unexplained_units = -2 WHERE count_id = 'c-1'",
            [
                ("of it: late postings", "c-1", Decimal(-3), Decimal(-2)),
                ("of it: unexplained", "c-1", Decimal(-1), Decimal(-2)),
            ],
        ),
        (
            "UPDATE gold.fact_stock_count SET source_name = 'erp' WHERE count_id = 'c-2'",
            [(group, "c-2", None, "no such count") for group in COUNTED],
        ),
        # nothing happened on the last day: then it stands in the intervals only
        ("DELETE FROM serve.stock_daily WHERE business_date = DATE '2024-03-31'", []),
        (
            """DELETE FROM serve.stock_daily WHERE business_date = DATE '2024-03-31';
            UPDATE gold.fact_stock_interval SET on_hand_units = 3 WHERE product_id = 'A'""",
            [
                ("on hand on 2024-03-31", PLACE, Decimal(4), Decimal(3)),
                ("on hand, sums", "2024-03-30", Decimal("5.5"), Decimal("4.5")),
                ("on hand, sums", "2024-03-31", Decimal(4), Decimal(3)),
            ],
        ),
        (
            "UPDATE gold.fact_stock_interval SET to_date = DATE '2024-04-01' WHERE on_hand_units = 1.5",
            [("on hand, sums", "2024-03-31", Decimal(4), Decimal("5.5"))],
        ),
        (
            "UPDATE gold.dim_product SET list_price_amount = 1.38 WHERE product_key = 8",
            [
                (
                    "product versions",
                    "A 2024-02-01T00:00:00Z valid from",
                    "Milk, 1.3900, 0.800000, active",
                    "Milk, 1.3800, 0.800000, active",
                )
            ],
        ),
        (
            "DELETE FROM silver.product__versions WHERE _row = 3",
            [("product versions", "A 2024-02-15T00:00:00Z known from", KNOWN, None)],
        ),
        (
            "UPDATE silver.quarantine SET rule = 'missing' WHERE row_no = 4",
            [
                (ASIDE, f"{SALES} 4", "cast", "not_null"),
                (FOUND, f"bad_number: {SALES} row 4", "cast quantity", "not_null quantity"),
            ],
        ),
        (
            "UPDATE silver.quarantine SET column_name = 'unit' WHERE row_no = 4",
            [(FOUND, f"bad_number: {SALES} row 4", "cast quantity", "cast unit")],
        ),
        (
            "DELETE FROM silver.quarantine WHERE row_no = 8",
            [(ASIDE, f"{SALES} 8", "tie", None), (FOUND, f"tie: {SALES} row 8", "tie", None)],
        ),
        (
            "INSERT INTO silver.quarantine VALUES (3, 4, 'no number', 'quantity')",
            [
                (ASIDE, f"{MOVES} 4", None, "cast"),
                (FOUND, f"backdated_movement: {MOVES} row 4", f"known from {KNOWN}", "cast quantity"),
            ],
        ),
        (
            "INSERT INTO silver.sale_line__versions VALUES ('pos', 'r1', '3', 1, 9, '2024-03-02T04:30:00Z', '9999-12-31 00:00:00+00')",
            [(FOUND, f"duplicate_line: {SALES} row 9", "duplicate", f"known from {KNOWN}")],
        ),
        (
            "UPDATE meta.row_count SET superseded = 0, unchanged = 2 WHERE batch_no = 1",
            [
                ("lines of pos.sales", f"{SALES}: unchanged", 1, 2),
                ("lines of pos.sales", f"{SALES}: superseded", 1, 0),
                (FOUND, f"superseded_line: {SALES} row 10", "superseded", "0 lines superseded in its file"),
                (FOUND, f"unchanged_line: {SALES} row 11", "unchanged", "2 lines unchanged in its file"),
            ],
        ),
        (
            "UPDATE gold.fact_sale_line SET product_key = 8",
            [
                (ASIDE, f"{SALES} 3", "unknown product ZZ", None),
                (FOUND, f"unknown_product: {SALES} row 3", "unknown product ZZ", f"known from {KNOWN}"),
            ],
        ),
        (
            "UPDATE gold.fact_sale_line SET product_key = 0 WHERE line_no = '1'",
            [
                (ASIDE, f"{SALES} 2", None, "unknown product A"),
                (FOUND, f"code_case: {SALES} row 2", f"known from {KNOWN}", "unknown product A"),
                (FOUND, f"late_product: {PRODUCTS} row 1", f"known from {KNOWN}", "its lines are still without it"),
            ],
        ),
        (
            "UPDATE gold.unconverted_line SET natural_key = 'm2'",
            [
                (ASIDE, f"{MOVES} 2", "unconverted", None),
                (ASIDE, f"{MOVES} 3", None, "unconverted"),
                (FOUND, f"unit_without_conversion: {MOVES} row 2", "unconverted", f"known from {KNOWN}"),
                (FOUND, f"unit_without_conversion: {MOVES} row 3", f"known from {KNOWN}", "unconverted"),
            ],
        ),
        (
            "INSERT INTO gold.unconverted_line VALUES ('sale_line', 'pos', 'r1 / 1')",
            [(ASIDE, "sale_line r1 / 1 0", None, "unconverted")],
        ),
        (
            "UPDATE serve.supplier_performance SET lead_time_deviation_days = 0",
            [("purchase orders", "V1 lead_time_deviation_days", None, Decimal(0))],
        ),
        (
            "UPDATE gold.fact_purchase_order_line SET is_cancelled = TRUE WHERE received_units = 7",
            [("purchase orders", "V1 received_units", Decimal(16), Decimal(9))],
        ),
        (
            "DELETE FROM serve.stock_in_transit",
            [("transfers", "W1 S1 in_transit_units", Decimal(2), Decimal(0))],
        ),
        (
            "UPDATE gold.fact_order_line SET reserved_units = 1",
            [("web orders", "S1 reserved_units", Decimal(2), Decimal(1))],
        ),
        (
            "UPDATE gold.fact_store_day SET labour_hours = 24.501 WHERE visitors = 40",
            [("store days", "S1 2024-03-01 labour_hours", Decimal("24.5"), Decimal("24.501"))],
        ),
        (
            "UPDATE gold.fact_tender SET tender_method = 'card'",
            [
                *[("payments", f"S1 2024-03-01 card {name}", None, value) for name, value in PAID],
                *[("payments", f"S1 2024-03-01 cash {name}", value, None) for name, value in PAID],
            ],
        ),
        (
            "INSERT INTO gold.unconverted_document_line VALUES ('O1 / 2', 'unit without conversion')",
            [("payments held back", "O1 2 reason", None, "unit without conversion")],
        ),
        (
            "UPDATE silver.stock_movement__versions SET known_from_at = TIMESTAMPTZ '2024-03-05 00:00:00+00' WHERE _row = 4",
            [(FOUND, f"backdated_movement: {MOVES} row 4", f"known from {KNOWN}", "known from 2024-03-05T00:00:00Z")],
        ),
        (
            "UPDATE meta.batch SET known_at = TIMESTAMPTZ '2024-03-05 00:00:00+00' WHERE batch_no = 1",
            [(FOUND, f"late_file: {SALES}", f"known from {KNOWN}", "known from 2024-03-05T00:00:00Z")],
        ),
    ],
)
def test_each_wrong_thing_is_seen_where_it_is(
    database: duckdb.DuckDBPyConnection, change: str, expected: list[tuple[str, str, Any, Any]]
) -> None:
    database.execute(change)
    comparison = compared(database)
    assert differences(comparison) == expected
    assert comparison.same == (not expected)
    assert comparison.agree == comparison.figures - len(expected)


def test_a_rejected_file_must_be_named(database: duckdb.DuckDBPyConnection) -> None:
    assert differences(compared(database, rejected=set())) == [
        ("lines of pos.sales", f"{CUT}: fate", "rejected", None),
        (ASIDE, f"{CUT} 0", "rejected", None),
        (FOUND, f"truncated_gzip: {CUT}", "rejected", None),
    ]
    assert differences(compared(database, rejected={CUT, "in/y.csv"})) == [
        ("lines of files that nobody sent", "in/y.csv: fate", None, "rejected"),
        (ASIDE, "in/y.csv 0", None, "rejected"),
    ]


def test_a_missing_store_day_lacks_every_measure(database: duckdb.DuckDBPyConnection) -> None:
    database.execute("DELETE FROM serve.sales_daily; UPDATE gold.fact_sale_line SET is_counted = FALSE")
    found = differences(compared(database))
    assert len(found) == 11
    assert {(name, value) for _, name, _, value in found} == {(DAY, None)}


def test_a_key_without_faults_needs_none(database: duckdb.DuckDBPyConnection) -> None:
    database.execute("DELETE FROM silver.quarantine; DELETE FROM gold.unconverted_line")
    database.execute("UPDATE gold.fact_sale_line SET product_key = 8")
    assert differences(compared(database, replace(KEY, faults=[]))) == [(ASIDE, f"{CUT} 0", None, "rejected")]


def test_nothing_compared_is_no_agreement() -> None:
    assert not Comparison(()).same
    assert Comparison((Group("a", "days", (Figure("x", Decimal("1.50"), Decimal("1.5")),)),)).same


def test_the_form_for_programs_holds_every_figure(database: duckdb.DuckDBPyConnection) -> None:
    comparison = compared(database)
    whole = comparison.as_dict()
    assert (whole["same"], whole["figures"], whole["agree"]) == (True, 128, 128)
    assert sum(len(group["figures"]) for group in whole["groups"]) == 128
    [net] = [group for group in whole["groups"] if group["name"] == "net sales"]
    assert net["found_totals"] == net["expected_totals"] == {"USD": Decimal("2.25")}
    assert net["figures"] == [{"name": DAY, "expected": Decimal("2.25"), "found": Decimal("2.2500"), "same": True}]
