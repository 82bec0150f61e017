"""The Tryton connector: against tables in the shape of Tryton 8.2, and, marked long, against the real one. Figures worked by hand."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from servers import postgres
from systock import Project

from .test_connectors import ask, init

SALES = """SELECT sale_id, product_id, sale_kind, location_id, quantity_units, net_amount, CAST(business_date AS text)
    FROM gold.fact_sale_line ORDER BY sale_id, product_id"""
STOCK = """SELECT product_id, location_id, stock_status, on_hand_units FROM serve.stock_on_hand
    WHERE is_known ORDER BY product_id, location_id, stock_status"""
ORDERS = """SELECT order_id, product_id, ordered_units, reserved_units, shipped_units, cancelled_units
    FROM gold.fact_order_line ORDER BY order_id, product_id"""
LEVELS = """SELECT product_id, location_id, stock_status, book_units, counted_units, variance_units FROM gold.fact_stock_count
    ORDER BY product_id, location_id, stock_status"""


def units(*row: Any) -> tuple[Any, ...]:
    """A row whose numbers are quantities."""
    return tuple(Decimal(part).quantize(Decimal("1.000")) if isinstance(part, int | float) else part for part in row)


def amount(text: str) -> Decimal:
    return Decimal(text).quantize(Decimal("1.0000"))


def project_at(folder: Path, url: str) -> Path:
    project = init(folder, "tryton", url=url)
    file = project / "systock.toml"
    file.write_text(file.read_text("utf-8").replace('"EUR"', '"USD"').replace('"Europe/Berlin"', '"UTC"'), "utf-8")
    return project


# --- Tables in the shape of Tryton's ---------------------------------------------------------------------------------

#: SQLite keeps a decimal of Tryton as bytes, and a float as what it is.
SHAPE = """
CREATE TABLE currency_currency (id, code);
INSERT INTO currency_currency VALUES (1, 'USD');
CREATE TABLE party_party (id, name, create_date, write_date);
INSERT INTO party_party VALUES (1, 'Us', '2025-03-01 08:00:00.123456', NULL), (2, 'Buyer', '2025-03-01 08:00:00', NULL);
CREATE TABLE product_uom (id, name, category, factor, rate);
INSERT INTO product_uom VALUES (1, 'Unit', 1, 1.0, 1.0), (2, 'Dozen', 1, 12.0, 0.083333333333), (3, 'Kilogram', 2, 1.0, 1.0),
    (4, 'Gram', 2, 0.001, 1000.0), (5, 'Pound', 2, 0.45359237, 2.204622621849);
CREATE TABLE product_template (id, name, type, default_uom, consumable, active, create_date, write_date);
INSERT INTO product_template VALUES (1, 'Eggs', 'goods', 1, 0, 1, '2025-03-01 08:00:00', NULL),
    (2, 'Rice', 'goods', 4, 0, 1, '2025-03-01 08:00:00', '2025-03-02 08:00:00'), (3, 'Bags', 'goods', 1, 1, 1, '2025-03-01 08:00:00', NULL);
CREATE TABLE product_product (id, template, code, active, create_date, write_date);
INSERT INTO product_product VALUES (1, 1, 'EGG', 1, '2025-03-01 08:00:00', NULL), (2, 2, 'RICE', 1, '2025-03-01 08:00:00', NULL),
    (3, 3, NULL, 0, '2025-03-01 08:00:00', NULL);
CREATE TABLE product_list_price (id, company, template, product, list_price);
INSERT INTO product_list_price VALUES (1, 1, 1, NULL, X'302E3435'), (2, 1, 2, NULL, X'302E303033');
CREATE TABLE product_category (id, name);
INSERT INTO product_category VALUES (1, 'Food');
CREATE TABLE "product_template-product_category" (template, category);
INSERT INTO "product_template-product_category" VALUES (1, 1);
CREATE TABLE stock_location (id, name, code, type, parent, "left", "right", storage_location, create_date, write_date);
INSERT INTO stock_location VALUES
    (1, 'All', NULL, 'view', NULL, 1, 12, NULL, '2025-03-01 08:00:00', NULL),
    (2, 'Shop', 'S', 'warehouse', 1, 2, 11, 4, '2025-03-01 08:00:00', NULL),
    (3, 'Door', NULL, 'storage', 2, 3, 4, NULL, '2025-03-01 08:00:00', NULL),
    (4, 'Hall', NULL, 'storage', 2, 5, 8, NULL, '2025-03-01 08:00:00', NULL),
    (5, 'Shelf', NULL, 'storage', 4, 6, 7, NULL, '2025-03-01 08:00:00', NULL),
    (6, 'Truck', NULL, 'storage', NULL, 13, 14, NULL, '2025-03-01 08:00:00', NULL),
    (7, 'Supplier', NULL, 'supplier', NULL, 15, 16, NULL, '2025-03-01 08:00:00', NULL),
    (8, 'Customer', NULL, 'customer', NULL, 17, 18, NULL, '2025-03-01 08:00:00', NULL),
    (9, 'Lost', NULL, 'lost_found', NULL, 19, 20, NULL, '2025-03-01 08:00:00', NULL),
    (10, 'Oven', NULL, 'production', NULL, 21, 22, NULL, '2025-03-01 08:00:00', NULL);
CREATE TABLE stock_move (id, state, product, quantity, unit, internal_quantity, from_location, to_location, effective_date, origin,
    shipment, unit_price, currency, create_date, write_date);
INSERT INTO stock_move VALUES
    -- 10 dozen at 3.00 the dozen: 120 at 0.25
    (1, 'done', 1, 10.0, 2, 120.0, 7, 3, '2025-03-03', 'purchase.line,1', NULL, X'332E3030', 1, '2025-03-03 08:00:00', NULL),
    (2, 'done', 1, 100.0, 1, 100.0, 3, 4, '2025-03-03', NULL, NULL, NULL, NULL, '2025-03-03 08:00:00', NULL),
    -- within the storage zone
    (3, 'done', 1, 30.0, 1, 30.0, 4, 5, '2025-03-03', NULL, NULL, NULL, NULL, '2025-03-03 08:00:00', NULL),
    (4, 'done', 1, 8.0, 1, 8.0, 5, 6, '2025-03-04', NULL, NULL, NULL, NULL, '2025-03-04 08:00:00', NULL),
    (5, 'done', 1, 2.0, 1, 2.0, 4, 9, '2025-03-04', NULL, NULL, NULL, NULL, '2025-03-04 08:00:00', NULL),
    (6, 'done', 1, 3.0, 1, 3.0, 4, 10, '2025-03-04', NULL, NULL, NULL, NULL, '2025-03-04 08:00:00', NULL),
    (7, 'done', 1, 24.0, 1, 24.0, 4, 3, '2025-03-05', 'stock.move,8', NULL, NULL, NULL, '2025-03-05 08:00:00', NULL),
    (8, 'done', 1, 2.0, 2, 24.0, 3, 8, '2025-03-05', 'sale.line,1', NULL, X'352E3430', 1, '2025-03-05 08:00:00', NULL),
    (9, 'done', 1, 1.0, 1, 1.0, 8, 3, '2025-03-06', 'sale.line,9', NULL, X'302E3435', 1, '2025-03-06 08:00:00', NULL),
    (10, 'assigned', 1, 5.0, 1, 5.0, 5, 3, NULL, 'stock.move,11', NULL, NULL, NULL, '2025-03-06 08:00:00', NULL),
    (11, 'draft', 1, 6.0, 1, 6.0, 3, 8, NULL, 'sale.line,3', NULL, X'302E3435', 1, '2025-03-06 08:00:00', NULL),
    (12, 'cancelled', 1, 50.0, 1, 50.0, 7, 4, '2025-03-06', NULL, NULL, X'31', 1, '2025-03-06 08:00:00', NULL),
    -- a pound is 453.59237 g
    (13, 'done', 2, 10.0, 5, 4535.9237, 7, 4, '2025-03-03', NULL, NULL, X'31', 1, '2025-03-03 08:00:00', NULL);
CREATE TABLE sale_sale (id, number, state, sale_date, party, warehouse, currency, origin, create_date, write_date);
INSERT INTO sale_sale VALUES (1, 'S1', 'processing', '2025-03-05', 2, 2, 1, NULL, '2025-03-05 08:00:00', '2025-03-05 09:00:00'),
    (2, 'S2', 'confirmed', '2025-03-06', 2, 2, 1, NULL, '2025-03-05 08:00:00', NULL),
    (3, NULL, 'draft', '2025-03-06', 2, 2, 1, NULL, '2025-03-05 08:00:00', NULL),
    (4, 'S4', 'quotation', '2025-03-06', 2, 2, 1, NULL, '2025-03-05 08:00:00', NULL),
    (5, 'S5', 'cancelled', '2025-03-06', 2, 2, 1, NULL, '2025-03-05 08:00:00', NULL),
    (6, 'S6', 'done', '2025-03-07', 2, 2, 1, 'sale.sale,1', '2025-03-05 08:00:00', NULL);
CREATE TABLE sale_line (id, sale, type, product, quantity, actual_quantity, unit, unit_price, create_date, write_date);
INSERT INTO sale_line VALUES
    -- two dozen at 5.40
    (1, 1, 'line', 1, 2.0, 2.0, 2, X'352E3430', '2025-03-05 08:00:00', NULL),
    (2, 1, 'comment', NULL, NULL, NULL, NULL, NULL, '2025-03-05 08:00:00', NULL),
    (3, 2, 'line', 1, 6.0, NULL, 1, X'302E3435', '2025-03-05 08:00:00', NULL),
    -- half a kilogram at 3.1235, of which 400 g were sent
    (4, 1, 'line', 2, 0.5, 0.4, 3, X'332E31323335', '2025-03-05 08:00:00', NULL),
    (5, 3, 'line', 1, 100.0, NULL, 1, X'31', '2025-03-05 08:00:00', NULL),
    (6, 4, 'line', 1, 100.0, NULL, 1, X'31', '2025-03-05 08:00:00', NULL),
    (7, 5, 'line', 1, 100.0, NULL, 1, X'31', '2025-03-05 08:00:00', NULL),
    (8, 1, 'line', NULL, 1.0, 1.0, NULL, X'392E39', '2025-03-05 08:00:00', NULL),
    (9, 6, 'line', 1, -1.0, -1.0, 1, X'302E3435', '2025-03-05 08:00:00', NULL);
CREATE TABLE purchase_purchase (id, number, state, purchase_date, delivery_date, party, warehouse, currency, create_date, write_date);
INSERT INTO purchase_purchase VALUES (1, 'P1', 'processing', '2025-03-01', '2025-03-04', 1, 2, 1, '2025-03-01 08:00:00', NULL),
    (2, 'P2', 'quotation', '2025-03-01', NULL, 1, 2, 1, '2025-03-01 08:00:00', NULL);
CREATE TABLE purchase_line (id, purchase, type, product, quantity, unit, unit_price, create_date, write_date);
INSERT INTO purchase_line VALUES (1, 1, 'line', 1, 15.0, 2, X'332E3030', '2025-03-01 08:00:00', NULL),
    (2, 2, 'line', 1, 99.0, 2, X'332E3030', '2025-03-01 08:00:00', NULL);
CREATE TABLE stock_period (id, date, state);
INSERT INTO stock_period VALUES (1, '2025-03-04', 'closed'), (2, '2025-03-05', 'draft');
CREATE TABLE stock_period_cache (id, period, location, product, internal_quantity);
-- The hall had 100 - 30 - 2 - 3 = 65 and the shelf 30 - 8 = 22, of which one is missing here.
INSERT INTO stock_period_cache VALUES (1, 1, 4, 1, 65.0), (2, 1, 5, 1, 21.0), (3, 1, 3, 1, 20.0), (4, 1, 6, 1, 8.0), (5, 1, 7, 1, -120.0),
    (6, 2, 4, 1, 1.0);
"""


#: The module for kits: a breakfast is half a dozen of eggs and 250 g of rice, its small variant two eggs.
KITS = """
CREATE TABLE product_component (id, parent_template, parent_product, product, quantity, unit, fixed);
INSERT INTO product_template VALUES (4, 'Breakfast', 'kit', 1, 0, 1, '2025-03-01 08:00:00', NULL);
INSERT INTO product_product VALUES (4, 4, 'BF', 1, '2025-03-01 08:00:00', NULL), (5, 4, 'BF-S', 1, '2025-03-01 08:00:00', NULL);
INSERT INTO product_component VALUES (1, 4, NULL, 1, 0.5, 2, 0), (2, 4, NULL, 2, 0.25, 3, 0), (3, 4, 5, 1, 2.0, 1, 0);
CREATE TABLE sale_line_component (id, line, product, quantity, unit, create_date, write_date);
INSERT INTO sale_sale VALUES (7, 'S7', 'processing', '2025-03-07', 2, 2, 1, NULL, '2025-03-07 08:00:00', NULL),
    (8, 'S8', 'quotation', '2025-03-07', 2, 2, 1, NULL, '2025-03-07 08:00:00', NULL);
INSERT INTO sale_line VALUES (10, 7, 'line', 4, 2.0, NULL, 1, X'352E3030', '2025-03-07 08:00:00', NULL),
    (11, 8, 'line', 4, 9.0, NULL, 1, X'352E3030', '2025-03-07 08:00:00', NULL);
-- Two breakfasts: the dozen of eggs has left, the rice is set aside.
INSERT INTO sale_line_component VALUES (1, 10, 1, 1.0, 2, '2025-03-07 08:00:00', NULL), (2, 10, 2, 0.5, 3, '2025-03-07 08:00:00', NULL),
    (3, 11, 1, 4.5, 2, '2025-03-07 08:00:00', NULL);
CREATE TABLE purchase_line_component (id, line, product, quantity, unit, price_ratio, create_date, write_date);
INSERT INTO purchase_purchase VALUES (3, 'P3', 'processing', '2025-03-06', '2025-03-08', 1, 2, 1, '2025-03-06 08:00:00', NULL);
INSERT INTO purchase_line VALUES (3, 3, 'line', 4, 10.0, 1, X'342E3030', '2025-03-06 08:00:00', NULL);
-- Ten breakfasts at 4.00, of which the eggs came in: 5 dozen at 2.00 and 2.5 kg at 12.00.
INSERT INTO purchase_line_component VALUES (1, 3, 1, 5.0, 2, X'302E35', '2025-03-06 08:00:00', NULL),
    (2, 3, 2, 2.5, 3, X'33', '2025-03-06 08:00:00', NULL);
INSERT INTO stock_move VALUES
    (14, 'done', 1, 12.0, 1, 12.0, 4, 3, '2025-03-07', 'stock.move,15', NULL, NULL, NULL, '2025-03-07 08:00:00', NULL),
    (15, 'done', 1, 1.0, 2, 12.0, 3, 8, '2025-03-07', 'sale.line.component,1', NULL, X'36', 1, '2025-03-07 08:00:00', NULL),
    (16, 'assigned', 2, 500.0, 4, 500.0, 4, 3, NULL, 'stock.move,17', NULL, NULL, NULL, '2025-03-07 08:00:00', NULL),
    (17, 'draft', 2, 0.5, 3, 500.0, 3, 8, NULL, 'sale.line.component,2', NULL, X'34', 1, '2025-03-07 08:00:00', NULL),
    (18, 'done', 1, 5.0, 2, 60.0, 7, 3, '2025-03-08', 'purchase.line.component,1', NULL, X'322E3030', 1, '2025-03-08 08:00:00', NULL);
"""


def test_moves_sales_and_levels(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "tryton.sqlite")) as database:
        database.executescript(SHAPE)
    project = project_at(tmp_path / "p", f"sqlite:///{tmp_path}/tryton.sqlite")
    assert Project(project).run().status == "published"
    assert ask(project, "SELECT COUNT(*) FROM silver.quarantine") == [(0,)]
    assert [(row[0], row[1], row[2], row[4], row[5]) for row in ask(project, SALES)] == [
        ("S1", "1", "sale", *units(24), amount("10.80")),
        ("S1", "2", "sale", *units(400), amount("1.2494")),
        ("S1", "without product", "sale", *units(1), amount("9.90")),
        ("S2", "1", "sale", *units(6), amount("2.70")),
        ("S6", "1", "return", *units(-1), amount("-0.45")),
    ]
    back = "SELECT original_sale_id, original_line_no FROM gold.fact_sale_line WHERE is_return"
    assert ask(project, back) == [("S1", "1")]
    # After the period closed with one egg less than the moves say: 86 - 24 in the storage zone, 20 + 24 - 24 + 1 at the door.
    assert ask(project, STOCK) == [
        units("1", "2", "hold", 21), units("1", "2", "sellable", 62), units("1", "6", "sellable", 8),
        units("2", "2", "sellable", 4535.924),
    ]  # fmt: skip
    assert ask(project, LEVELS) == [
        units("1", "2", "hold", 20, 20, 0), units("1", "2", "sellable", 87, 86, -1), units("1", "6", "sellable", 8, 8, 0),
    ]  # fmt: skip
    assert ask(project, ORDERS) == [
        units("S1", "1", 24, 0, 24, 0), units("S1", "2", 500, 0, 0, 0), units("S2", "1", 6, 5, 0, 0)
    ]  # fmt: skip
    bought = (
        "SELECT purchase_order_id, ordered_units, received_units, ordered_amount FROM gold.fact_purchase_order_line"
    )
    assert ask(project, bought) == [(*units("P1", 180, 120), amount("45"))]
    cost = "SELECT DISTINCT unit_cost_amount FROM serve.stock_on_hand WHERE is_known AND product_id = '1'"
    assert ask(project, cost) == [(Decimal("0.250000"),)]
    described = """SELECT product_id, sku, base_unit, category_1, list_price_amount, is_stocked, status FROM serve.product_current
        ORDER BY product_id"""
    assert ask(project, described) == [
        ("1", "EGG", "Unit", "Food", amount("0.45"), True, "active"), ("2", "RICE", "Gram", None, amount("0.003"), True, "active"),
        ("3", None, "Unit", None, None, False, "inactive"),
    ]  # fmt: skip
    # The module for kits is added to a Tryton that was read before without it.
    with closing(sqlite3.connect(tmp_path / "tryton.sqlite")) as database:
        database.executescript(KITS)
    kits_are_read(project)


def kits_are_read(project: Path) -> None:
    assert Project(project).run().status == "published"
    assert ask(project, "SELECT COUNT(*) FROM silver.quarantine") == [(0,)]
    made_of = "SELECT product_id, component_product_id, quantity_units, is_kit FROM gold.product_component ORDER BY ALL"
    assert ask(project, made_of) == [
        ("4", "1", Decimal("6.000000"), True), ("4", "2", Decimal("250.000000"), True), ("5", "1", Decimal("2.000000"), True)
    ]  # fmt: skip
    # What is sold is the kit, what leaves and is set aside are its components.
    assert [row[:6] for row in ask(project, SALES) if row[0] in ("S7", "S8")] == [
        ("S7", "4", "sale", "2", *units(2), amount("10"))
    ]
    assert [row for row in ask(project, ORDERS) if row[0] == "S7"] == [
        units("S7", "1", 12, 0, 12, 0), units("S7", "2", 500, 500, 0, 0)
    ]  # fmt: skip
    assert ask(project, STOCK) == [
        units("1", "2", "hold", 81), units("1", "2", "sellable", 50), units("1", "6", "sellable", 8), units("2", "2", "sellable", 4535.924)
    ]  # fmt: skip
    # Of eggs 50 - 5 are available, enough for 7 breakfasts (6 each); of rice 4,535.924 - 500, enough for 16. In the truck there is no rice.
    available = """SELECT product_id, location_id, available_units FROM serve.stock_as_of(DATE '2025-03-31', TIMESTAMPTZ '9999-01-01')
        WHERE available_units IS NOT NULL ORDER BY ALL"""
    assert ask(project, available) == [
        units("1", "2", 45), units("1", "6", 8), units("2", "2", 4035.924), units("4", "2", 7), units("5", "2", 22), units("5", "6", 4)
    ]  # fmt: skip
    bought = """SELECT purchase_order_id, product_id, ordered_units, received_units, ordered_amount FROM gold.fact_purchase_order_line
        ORDER BY ALL"""
    assert ask(project, bought) == [
        (*units("P1", "1", 180, 120), amount("45")), (*units("P3", "1", 60, 60), amount("10")), (*units("P3", "2", 2500, 0), amount("30"))
    ]  # fmt: skip


@pytest.mark.long
def test_what_is_deleted_or_changed(tmp_path: Path) -> None:
    """A sale is opened again and its line deleted; another line is changed."""
    with closing(sqlite3.connect(tmp_path / "tryton.sqlite")) as database:
        database.executescript(SHAPE)
    project = project_at(tmp_path / "p", f"sqlite:///{tmp_path}/tryton.sqlite")
    assert Project(project).run().status == "published"
    with closing(sqlite3.connect(tmp_path / "tryton.sqlite")) as database:
        database.executescript("""
            DELETE FROM sale_line WHERE id = 3;
            UPDATE sale_line SET unit_price = X'3130', write_date = '2025-03-08 08:00:00' WHERE id = 8;
        """)
    assert Project(project).run().status == "published"
    assert [row[:2] + row[5:6] for row in ask(project, SALES)] == [
        ("S1", "1", amount("10.80")), ("S1", "2", amount("1.2494")), ("S1", "without product", amount("10")), ("S6", "1", amount("-0.45"))
    ]  # fmt: skip


# --- The real one ----------------------------------------------------------------------------------------------------

PACKAGES = ["trytond==8.2.*", "trytond_stock==8.2.*", "trytond_sale==8.2.*", "trytond_purchase==8.2.*", "trytond_product_kit==8.2.*", "proteus==8.2.*", "psycopg[binary,pool]"]  # fmt: skip


@pytest.fixture(scope="module")
def tryton(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment of its own with Tryton in it."""
    folder = tmp_path_factory.mktemp("tryton")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True, capture_output=True)
    done = subprocess.run(
        [str(folder / "venv" / "bin" / "pip"), "install", "--quiet", *PACKAGES],
        capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"Tryton cannot be installed from its packages: {done.stderr[-300:]}")
    return folder


class Shop:
    """A Tryton database: `url` for the settings, `step` for what a shop does meanwhile."""

    def __init__(self, tryton: Path, folder: Path, uri: str, name: str, url: str, **environment: str) -> None:
        self.url, self._name, self._bin, self._environment = url, name, tryton / "venv" / "bin", environment
        self._settings, password = folder / "trytond.conf", folder / "password"
        self._settings.write_text(f"[database]\nuri = {uri}\npath = {folder}\n")
        password.write_text("not for real")
        self._run(
            "trytond-admin", "-c", str(self._settings), "-d", name, "-u", "sale", "purchase", "stock",
            "--activate-dependencies", "--email", "admin@example.com", TRYTONPASSFILE=str(password),
        )  # fmt: skip

    def add(self, module: str) -> None:
        """Activate one more module."""
        self._run("trytond-admin", "-c", str(self._settings), "-d", self._name, "-u", module)

    def _run(self, *command: str, **environment: str) -> str:
        done = subprocess.run(
            [str(self._bin / command[0]), *command[1:]], env={**os.environ, "PYTHONPATH": "", **self._environment, **environment},
            capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip
        assert not done.returncode, done.stderr[-3000:]
        return done.stdout

    def step(self, name: str) -> dict[str, Any]:
        script = Path(__file__).with_name("tryton_shop.py")
        found: dict[str, Any] = json.loads(self._run("python", str(script), str(self._settings), self._name, name))
        return found


@pytest.fixture(params=["sqlite", "postgresql"])
def tryton_shop(request: pytest.FixtureRequest, tryton: Path, tmp_path: Path) -> Iterator[Shop]:
    if request.param == "sqlite":
        (tmp_path / "shop.sqlite").touch()
        yield Shop(tryton, tmp_path, "sqlite://", "shop", f"sqlite:///{tmp_path}/shop.sqlite")
        return
    psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")
    for address in postgres(tmp_path / "postgres"):
        name = f"tryton_{os.getpid()}"
        with psycopg.connect(address, autocommit=True) as session:
            session.execute(f"CREATE DATABASE {name}")
        # Tryton is told the server as libpq takes it: this one listens on a socket.
        of = psycopg.conninfo.conninfo_to_dict(address)
        names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD"}
        environment = {name: str(of[part]) for part, name in names.items() if of.get(part)}
        before, _, rest = address.partition("?")
        url = f"{before.rpartition('/')[0]}/{name}" + (f"?{rest}" if rest else "")
        try:
            yield Shop(tryton, tmp_path, "postgresql://", name, url, **environment)
        finally:
            with psycopg.connect(address, autocommit=True) as session:
                session.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.long
def test_a_real_tryton(tryton_shop: Shop, tmp_path: Path) -> None:
    made = tryton_shop.step("begin")
    tea, rice, main, second, transit = (str(made[name]) for name in ("tea", "rice", "main", "second", "transit"))
    numbers = made["numbers"]
    project = project_at(tmp_path / "p", tryton_shop.url)
    assert Project(project).run().status == "published"
    assert Project(project).run().status == "nothing new"
    sold = [
        (numbers["sent"], tea, "sale", main, *units(3), amount("30.15")),
        # 500 g at 0.0032; the base unit is the kilogram
        (numbers["sent"], rice, "sale", main, *units(0.5), amount("1.60")),
        (numbers["assigned"], tea, "sale", main, *units(4), amount("39.96")),
        (numbers["picked"], tea, "sale", main, *units(2), amount("20.10")),
    ]
    assert sorted(row[:6] for row in ask(project, SALES)) == sorted(sold)
    # In the input zone 100 - 80 - 10, in the output zone the 2 that were picked; in storage 90 - 20 - 3 - 2 and one that broke.
    stock = [
        (tea, main, "hold", 12), (tea, main, "sellable", 64), (tea, transit, "sellable", 5), (tea, second, "sellable", 15),
        (rice, main, "hold", 0), (rice, main, "sellable", 49.5),
    ]  # fmt: skip
    assert sorted(ask(project, STOCK)) == sorted(units(*row) for row in stock)
    assert sorted(ask(project, ORDERS)) == sorted(
        units(*row) for row in [
            (numbers["sent"], tea, 3, 0, 3, 0), (numbers["sent"], rice, 0.5, 0, 0.5, 0), (numbers["assigned"], tea, 4, 4, 0, 0),
            (numbers["picked"], tea, 2, 0, 0, 0),
        ]
    )  # fmt: skip
    cost = f"SELECT unit_cost_amount FROM serve.stock_on_hand WHERE product_id = '{tea}' AND location_id = '{main}' AND is_known"
    assert ask(project, cost) == [(Decimal("4.123400"),)] * 2

    # One comes back and is put away, the period is closed, six of ten that were ordered come in.
    further = tryton_shop.step("go on")
    assert Project(project).run().status == "published"
    assert ask(project, "SELECT COUNT(*) FROM silver.quarantine") == [(0,)]
    sold.append((further["returned"], tea, "return", main, *units(-1), amount("-10.05")))
    assert sorted(row[:6] for row in ask(project, SALES)) == sorted(sold)
    back = "SELECT original_sale_id FROM gold.fact_sale_line WHERE is_return"
    assert ask(project, back) == [(numbers["sent"],)]
    stock[0], stock[1] = (tea, main, "hold", 18), (tea, main, "sellable", 65)
    assert sorted(ask(project, STOCK)) == sorted(units(*row) for row in stock)
    # What Tryton kept of the period is what the moves say.
    assert sorted(ask(project, LEVELS)) == sorted(
        units(*row) for row in [
            (tea, main, "hold", 12, 12, 0), (tea, main, "sellable", 65, 65, 0), (tea, transit, "sellable", 5, 5, 0),
            (tea, second, "sellable", 15, 15, 0), (rice, main, "sellable", 49.5, 49.5, 0),
        ]
    )  # fmt: skip
    bought = (
        "SELECT purchase_order_id, ordered_units, received_units, on_order_units FROM gold.fact_purchase_order_line"
    )
    assert ask(project, bought) == [units(further["bought"], 10, 6, 4)]

    # Kits come to the shop: two hampers of three tea and 250 g of rice are sent, one is set aside, one is a quotation.
    tryton_shop.add("product_kit")
    kits = tryton_shop.step("kits")
    hamper = str(kits["hamper"])
    assert Project(project).run().status == "published"
    assert ask(project, "SELECT COUNT(*) FROM silver.quarantine") == [(0,)]
    made_of = "SELECT product_id, component_product_id, quantity_units, is_kit FROM gold.product_component"
    assert sorted(ask(project, made_of)) == sorted(
        [(hamper, tea, Decimal("3.000000"), True), (hamper, rice, Decimal("0.250000"), True)]
    )
    # As in Tryton's own reports: of a kit that is invoiced by hand nothing is sold before that.
    assert {actual for name, _, actual in kits["report"] if name != "quotation"} == {0}
    assert not [row for row in ask(project, SALES) if row[1] == hamper]
    assert sorted(row for row in ask(project, ORDERS) if row[0] in kits["numbers"].values()) == sorted(
        units(*row) for row in [
            (kits["numbers"]["sent"], tea, 6, 0, 6, 0), (kits["numbers"]["sent"], rice, 0.5, 0, 0.5, 0),
            (kits["numbers"]["assigned"], tea, 3, 3, 0, 0), (kits["numbers"]["assigned"], rice, 0.25, 0.25, 0, 0),
        ]
    )  # fmt: skip
    # In storage 65 - 6 of tea, of which 4 + 3 are set aside; 49.5 - 0.5 of rice, of which 0.25: enough for 17 and for 195 hampers.
    available = f"""SELECT product_id, available_units FROM serve.stock_as_of(DATE '2099-01-01', TIMESTAMPTZ '9999-01-01')
        WHERE location_id = '{main}' AND product_id IN ('{tea}', '{rice}', '{hamper}')"""
    assert sorted(ask(project, available)) == sorted([units(tea, 52), units(rice, 48.75), units(hamper, 17)])
