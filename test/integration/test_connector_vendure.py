"""The Vendure connector: against answers in the shape of Vendure 3.7, and, marked long, against the real server. Figures worked by hand."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from systock import Project

from .test_connectors import ask, init
from .vendure_shop import PASSWORD, Shop, vendure_server

SALES = """SELECT sale_id, line_no, sale_kind, channel, CAST(quantity_units AS integer), gross_amount, discount_amount, net_amount,
    tax_amount FROM gold.fact_sale_line WHERE is_counted ORDER BY sale_id, line_no"""
ORDERS = """SELECT line_no, location_id, CAST(ordered_units AS integer), CAST(reserved_units AS integer), CAST(shipped_units AS integer),
    CAST(cancelled_units AS integer) FROM gold.fact_order_line ORDER BY line_no"""
STOCK = """SELECT product_id, location_id, CAST(on_hand_units AS integer) FROM serve.stock_on_hand
    WHERE is_known ORDER BY product_id, location_id"""
COUNTS = """SELECT product_id, location_id, CAST(book_units AS integer), CAST(counted_units AS integer),
    CAST(variance_units AS integer) FROM gold.fact_stock_count ORDER BY product_id, location_id, counted_at"""


def amounts(*numbers: str) -> tuple[Decimal, ...]:
    return tuple(Decimal(number).quantize(Decimal("1.0000")) for number in numbers)


def project_at(folder: Path, address: str, page: int = 2) -> Path:
    """A project with so small pages of orders that some of them have no refund at all."""
    project = init(folder, "vendure", base_url=address)
    file = project / "systock.toml"
    file.write_text(file.read_text("utf-8").replace("size = 50", f"size = {page}"), "utf-8")
    return project


# --- Answers in the shape of the Admin API ---------------------------------------------------------------------------


def line(id: str, variant: str, quantity: int, placed: int, **prices: int) -> dict[str, Any]:
    unit, taxed = prices["unit"], prices["taxed"]
    net, paid = prices.get("net", unit), prices.get("paid", taxed)
    return {
        "id": id, "variant": {"id": variant}, "quantity": quantity, "placed_quantity": placed, "unit_price": unit,
        "unit_price_with_tax": taxed, "line_price": prices.get("line", unit * quantity), "prorated_unit_price": net,
        "prorated_unit_price_with_tax": paid, "prorated_line_price": prices.get("line_net", net * quantity),
        "prorated_line_price_with_tax": paid * quantity,
    }  # fmt: skip


def order(id: int, state: str, lines: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {
        "id": str(id), "code": f"AAA{id}", "type": "Regular", "state": state, "channels": [{"code": "__default_channel__"}],
        "customer": {"id": "7"}, "currencyCode": "USD", "orderPlacedAt": f"2025-03-0{id}T10:00:00.123Z",
        "updatedAt": f"2025-03-1{id}T10:00:00.000Z", "lines": lines, "payments": [], "fulfillments": [],
        "history": {"items": []}, "modifications": [], **more,
    }  # fmt: skip


def payment(id: str, amount: int, *refunds: dict[str, Any], state: str = "Settled") -> dict[str, Any]:
    return {"id": id, "state": state, "method": "card", "amount": amount, "refunds": list(refunds)}


def refund(id: str, total: int, *lines: tuple[str, int], state: str = "Settled") -> dict[str, Any]:
    found = [{"order_line_id": line, "quantity": quantity} for line, quantity in lines]
    return {"id": id, "state": state, "total": total, "createdAt": "2025-03-20T08:00:00.500Z", "lines": found}


def fulfilment(id: str, state: str, *lines: tuple[str, int]) -> dict[str, Any]:
    found = [{"order_line_id": line, "quantity": quantity} for line, quantity in lines]
    at = "2025-03-12T10:00:00.000Z"
    return {"id": id, "state": state, "createdAt": at, "updatedAt": at, "lines": found}


def cancelled(id: str, *lines: tuple[int, int]) -> dict[str, Any]:
    data = {"lines": [{"orderLineId": line, "quantity": quantity} for line, quantity in lines], "reason": "test"}
    return {"id": id, "createdAt": "2025-03-18T08:00:00.000Z", "data": data}


PLACED = [
    # 9.99 with 20 % in it: 8.325 without, so that a unit is 8.33 and two are 16.65. Of three one came back, refunded by two payments.
    order(
        1, "Delivered", [line("11", "1", 2, 3, unit=833, taxed=999, line=1665, line_net=1665)],
        channels=[{"code": "__default_channel__"}, {"code": "eu"}],
        payments=[payment("1", 2000, refund("5", 800, ("11", 1))), payment("2", 997, refund("6", 199, ("11", 1)))],
        fulfillments=[fulfilment("1", "Cancelled", ("11", 3)), fulfilment("2", "Delivered", ("11", 3))],
        history={"items": [cancelled("71", (11, 1))]},
    ),
    # What a marketplace sells is told twice. 10 % off the order.
    order(2, "PaymentSettled", [line("21", "1", 5, 5, unit=1000, taxed=1200, net=900, paid=1080)], type="Aggregate"),
    order(3, "PaymentSettled", [line("31", "1", 5, 5, unit=1000, taxed=1200, net=900, paid=1080)], type="Seller"),
    # Never left.
    order(
        4, "Cancelled", [line("41", "1", 0, 2, unit=1000, taxed=1200)], payments=[payment("4", 2400, state="Authorized")],
        history={"items": [cancelled("74", (41, 2))]},
    ),
    # Left, and came back in two parts without a refund of the line: one refund failed, one names no line.
    order(
        5, "Cancelled", [line("51", "2", 0, 3, unit=500, taxed=600)],
        payments=[payment("5", 1800, refund("8", 600, ("51", 1), state="Failed"), refund("9", 1800))],
        fulfillments=[fulfilment("5", "Shipped", ("51", 3))],
        history={"items": [cancelled("75", (51, 1)), cancelled("76", (51, 2))]},
    ),
    # Modified three days later: two of five are taken off and paid back, two of another article come, and three more of the last one, of which
    # Vendure keeps 3 - 2 = 1.
    order(
        6, "PaymentSettled",
        [
            line("61", "1", 3, 5, unit=1000, taxed=1200), line("62", "2", 2, 0, unit=500, taxed=600),
            line("63", "2", 5, 2, unit=500, taxed=600),
        ],
        payments=[payment("6", 9000, refund("10", 2400, ("61", 2)))],
        modifications=[{"id": "21", "createdAt": "2025-03-09T09:00:00.000Z", "lines": [
            {"order_line_id": id, "quantity": quantity} for id, quantity in (("61", -2), ("62", 2), ("63", 1))
        ]}],
    ),
]  # fmt: skip


def level(id: str, location: str, on_hand: int, allocated: int, created: str, updated: str) -> dict[str, Any]:
    return {
        "id": id, "location_id": location, "on_hand": on_hand, "allocated": allocated,
        "created_at": f"2025-{created}T00:00:00.000Z", "updated_at": f"2025-{updated}T00:00:00.000Z",
    }  # fmt: skip


def variant(id: str, track: str, levels: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": id, "sku": f"SKU{id}", "name": f"Variant {id}", "enabled": True, "price": 1000, "currency": "USD",
        "updated_at": "2025-02-01T00:00:00.000Z", "track_inventory": track, "trackInventory": track,
        "product": {"id": "9", "name": "Product"}, "stockLevels": levels,
    }  # fmt: skip


VARIANTS = [
    # Nothing was ever at location 2.
    variant("1", "INHERIT", [level("1", "1", 92, 5, "02-01", "03-12"), level("2", "2", 0, 0, "02-01", "02-01")]),
    # Location 2 came on the tenth of March.
    variant("2", "TRUE", [level("3", "1", 9, 0, "02-01", "03-12"), level("4", "2", 4, 0, "03-10", "03-11")]),
    variant("3", "FALSE", [level("5", "1", 0, 0, "02-01", "02-01")]),
    # Its only location was deleted.
    variant("4", "TRUE", [level("6", "9", 7, 0, "02-01", "02-01")]),
]


def moves(*found: tuple[str, str, int, str]) -> list[dict[str, Any]]:
    return [
        {"id": id, "type": kind, "quantity": quantity, "created_at": f"2025-{day}T00:00:00.000Z"}
        for id, kind, quantity, day in found
    ]


MOVEMENTS = {
    # 100 - 3 + 1 = 98, but the level is 92.
    "1": moves(
        ("1", "ADJUSTMENT", 100, "02-01"), ("2", "ALLOCATION", 3, "03-01"), ("3", "SALE", -3, "03-12"),
        ("4", "CANCELLATION", 1, "03-18"), ("5", "ALLOCATION", 2, "03-04"), ("6", "RELEASE", 2, "03-18"),
    ),
    # 12 - 3 = 9 at location 1; what came after the tenth may have been at either.
    "2": moves(
        ("7", "ADJUSTMENT", 12, "02-01"), ("8", "SALE", -3, "03-09"), ("9", "ADJUSTMENT", 4, "03-11"),
        ("10", "CANCELLATION", 3, "03-18"),
    ),
    "3": moves(("11", "SALE", -1, "03-12")),
    "4": moves(("12", "ADJUSTMENT", 7, "02-01")),
}  # fmt: skip


class Answer(BaseHTTPRequestHandler):
    """One address; which list is meant stands in the query."""

    def log_message(self, format: str, *args: Any) -> None: ...

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        variables = asked.get("variables", {})
        if "login(" in asked["query"]:
            let_in = variables["password"] == PASSWORD
            found = {"login": {"__typename": "CurrentUser" if let_in else "InvalidCredentialsError"}}
            self.answer({"data": found}, {"vendure-auth-token": "t0"} if let_in else {})
        elif self.headers["Authorization"] != "Bearer t0":
            refused = {"message": "You are not currently authorized", "extensions": {"code": "FORBIDDEN"}}
            self.answer({"data": None, "errors": [refused]})
        else:
            self.answer({"data": self.found(asked["query"], variables)})

    def found(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        name = re.findall(r"(\w+)\s*[({]", query.partition("{")[2])[0]
        if name == "globalSettings":
            return {name: {"id": "1", "track_inventory": True, "config": {"moneyStrategyPrecision": 2}}}
        records: list[dict[str, Any]] = {
            "orders": PLACED,
            "customers": [{"id": "7", "updated_at": "2025-03-01T10:00:00.000Z", "login": None}],
            "productVariants": VARIANTS,
            "productVariant": MOVEMENTS.get(variables.get("variant", ""), []),
            "stockLocations": [
                {"id": id, "name": f"Hall {id}", "updated_at": "2025-01-01T00:00:00.000Z"} for id in ("1", "2")
            ],
        }[name]
        if name == "orders":
            assert "orderPlacedAt: {isNull: false}" in query
            records = [record for record in records if record["updatedAt"] > variables["since"]]
        begin = variables["skip"]
        page = {"items": records[begin : begin + variables["take"]], "totalItems": len(records)}
        return {name: {"stockMovements": page} if name == "productVariant" else page}

    def answer(self, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        text = json.dumps(body).encode()
        self.send_response(200)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(text)),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)


@pytest.fixture
def vendure() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_orders_refunds_and_levels(vendure: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VENDURE_PASSWORD", PASSWORD)
    project = project_at(tmp_path / "p", vendure)
    assert Project(project).run().status == "published"
    assert ask(project, "SELECT COUNT(*) FROM silver.quarantine") == [(0,)]
    assert ask(project, SALES) == [
        # 3 x 9.99 = 29.97 paid, of which 16.65 + 8.33 = 24.98 net
        ("AAA1", "11", "sale", "eu", 3, *amounts("24.98", "0", "24.98", "4.99")),
        ("AAA3", "31", "sale", "online", 5, *amounts("50", "5", "45", "9")),
        ("AAA5", "51", "sale", "online", 3, *amounts("15", "0", "15", "3")),
        ("AAA6", "61", "sale", "online", 5, *amounts("50", "0", "50", "10")),
        ("AAA6", "62", "sale", "online", 2, *amounts("10", "0", "10", "2")),
        ("AAA6", "63", "sale", "online", 2, *amounts("10", "0", "10", "2")),
        ("AAA6", "63/21", "sale", "online", 3, *amounts("15", "0", "15", "3")),
        ("cancellation/75", "51", "return", "online", -1, *amounts("-5", "0", "-5", "-1")),
        ("cancellation/76", "51", "return", "online", -2, *amounts("-10", "0", "-10", "-2")),
        ("refund/10", "61", "return", "online", -2, *amounts("-20", "0", "-20", "-4")),
        ("refund/5", "11", "return", "eu", -1, *amounts("-8.33", "0", "-8.33", "-1.66")),
    ]
    days = (
        "SELECT line_no, CAST(business_date AS text) FROM gold.fact_sale_line WHERE sale_id = 'AAA6' ORDER BY line_no"
    )
    assert ask(project, days) == [
        ("61", "2025-03-06"),
        ("62", "2025-03-09"),
        ("63", "2025-03-06"),
        ("63/21", "2025-03-09"),
    ]
    assert ask(project, "SELECT sale_id, line_no FROM gold.fact_sale_line WHERE NOT is_counted ORDER BY sale_id") == [
        ("AAA4", "41"), ("cancellation/74", "41")
    ]  # fmt: skip
    back = "SELECT original_sale_id, original_line_no FROM gold.fact_sale_line WHERE sale_id = 'refund/5'"
    assert ask(project, back) == [("AAA1", "11")]
    # line, place, ordered, reserved, shipped, cancelled: what came back was shipped. The second article is at two places.
    assert ask(project, ORDERS) == [
        ("11", "1", 3, 0, 3, 0), ("31", "1", 5, 5, 0, 0), ("41", "1", 2, 0, 0, 2), ("51", "online", 3, 0, 3, 0),
        ("61", "1", 5, 3, 0, 2), ("62", "online", 2, 2, 0, 0), ("63", "online", 5, 5, 0, 0),
    ]  # fmt: skip
    assert ask(project, STOCK) == [("1", "1", 92), ("1", "2", 0), ("2", "1", 9), ("2", "2", 4)]
    # Where movements and level disagree, it is said.
    assert ask(project, COUNTS) == [("1", "1", 98, 92, -6), ("1", "2", None, 0, None), ("2", "1", 9, 9, 0), ("2", "2", None, 4, None)]  # fmt: skip
    assert ask(project, "SELECT sale_id, tender_no, amount FROM gold.fact_tender ORDER BY tender_no") == [
        ("AAA1", "payment/1", *amounts("20")), ("AAA1", "payment/2", *amounts("9.97")), ("AAA5", "payment/5", *amounts("18")),
        ("AAA6", "payment/6", *amounts("90")), ("refund/10", "refund/10", *amounts("-24")), ("refund/5", "refund/5", *amounts("-8")), ("refund/5", "refund/6", *amounts("-1.99")), ("AAA5", "refund/9", *amounts("-18")),
    ]  # fmt: skip


# --- The real server -------------------------------------------------------------------------------------------------

READS = ("ReadOrder", "ReadCustomer", "ReadCatalog", "ReadStockLocation", "ReadSettings")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with vendure_server(tmp_path / "vendure") as address:
        yield Shop(address)


@pytest.mark.long
def test_a_real_vendure(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.reader("reader@example.com", "only to read", *READS)
    [main] = [place["id"] for place in shop.admin("{ stockLocations { items { id } } }")["items"]]
    annex = shop.location("Annex")
    shop.product("TEA", 1000, {main: 100})
    shop.product("CUP", 799, {main: 50, annex: 20})
    shop.product("GIFT", 500, {}, track="FALSE")
    shop.product("POT", 2500, {main: 30})
    shop.coupon("TEN", 10)
    delivered = shop.paid({"TEA": 3, "CUP": 2, "GIFT": 1})
    shop.fulfil(delivered, {"TEA": 3, "CUP": 2, "GIFT": 1}, "Shipped", "Delivered")
    reserved = shop.paid({"TEA": 5}, coupon="TEN")
    gone = shop.paid({"TEA": 4})
    shop.cancel(gone)
    # No sales: a draft, an order that is not paid, a cart.
    shop.draft({"TEA": 7})
    shop.ordered({"TEA": 2})
    shop.cart("TEA")
    # Four of six are packed.
    packed = shop.paid({"POT": 6})
    shop.fulfil(packed, {"POT": 4})
    monkeypatch.setenv("VENDURE_PASSWORD", "only to read")
    project = project_at(tmp_path / "p", shop.address)
    file = project / "systock.toml"
    file.write_text(file.read_text("utf-8").replace('user = "superadmin"', 'user = "reader@example.com"'), "utf-8")
    assert Project(project).run().status == "published"
    assert Project(project).run().status == "nothing new"
    lines = """SELECT sale_id, sku, sale_kind, CAST(quantity_units AS integer), gross_amount, discount_amount, net_amount, tax_amount
        FROM gold.fact_sale_line JOIN serve.product_current USING (product_durable_key) WHERE is_counted
        ORDER BY sold_at, sale_kind DESC, sale_id, line_no"""
    code = {order: shop.look(order)["code"] for order in (delivered, reserved, gone, packed)}
    sold = [
        (code[delivered], "TEA", "sale", 3, *amounts("30", "0", "30", "6")),
        # 7.99 and its tax are 9.59: two are 19.18 and hold 3.20
        (code[delivered], "CUP", "sale", 2, *amounts("15.98", "0", "15.98", "3.20")),
        (code[delivered], "GIFT", "sale", 1, *amounts("5", "0", "5", "1")),
        (code[reserved], "TEA", "sale", 5, *amounts("50", "5", "45", "9")),
        (code[packed], "POT", "sale", 6, *amounts("150", "0", "150", "30")),
    ]
    assert sorted(ask(project, lines)) == sorted(sold)
    void = (
        "SELECT sale_id, CAST(quantity_units AS integer) FROM gold.fact_sale_line WHERE NOT is_counted ORDER BY 2 DESC"
    )
    assert [(sale_id.partition("/")[0], units) for sale_id, units in ask(project, void)] == [
        (code[gone], 4), ("cancellation", -4)
    ]  # fmt: skip
    stock = STOCK.replace("product_id, location_id, CAST", "sku, location_id, CAST").replace(
        "FROM serve.stock_on_hand", "FROM serve.stock_on_hand JOIN serve.product_current USING (product_durable_key)"
    ).replace("ORDER BY product_id", "ORDER BY sku")  # fmt: skip
    assert ask(project, stock) == [
        ("CUP", main, 48), ("CUP", annex, 20), ("POT", main, 26), ("POT", annex, 0), ("TEA", main, 97), ("TEA", annex, 0)
    ]  # fmt: skip

    # A refund does not change its order. One of the tea is back on the shelf and paid back, of a pot only the money went back.
    shop.cancel(delivered, {"TEA": 1})
    shop.refund(delivered, {"TEA": 1}, 1200)
    kept = shop.paid({"POT": 2})
    shop.fulfil(kept, {"POT": 2}, "Shipped", "Delivered")
    assert Project(project).run().status == "published"
    shop.refund(kept, {"POT": 1}, 3000)
    # One of the pots that are not packed is cancelled, and Vendure puts it on the shelf: 26 - 2 + 1 = 25.
    shop.cancel(packed, {"POT": 1})
    # Two are sent while nobody keeps track of pots: a movement, and no change of the level.
    shop.update("POT", trackInventory="FALSE")
    untracked = shop.paid({"POT": 2})
    shop.fulfil(untracked, {"POT": 2}, "Shipped")
    shop.update("POT", trackInventory="TRUE")
    assert Project(project).run().status == "published"
    assert ask(project, "SELECT COUNT(*) FROM silver.quarantine") == [(0,)]
    code |= {order: shop.look(order)["code"] for order in (kept, untracked)}
    sold += [
        ("refund", "TEA", "return", -1, *amounts("-10", "0", "-10", "-2")),
        (code[kept], "POT", "sale", 2, *amounts("50", "0", "50", "10")),
        ("refund", "POT", "return", -1, *amounts("-25", "0", "-25", "-5")),
        ("cancellation", "POT", "return", -1, *amounts("-25", "0", "-25", "-5")),
        (code[untracked], "POT", "sale", 2, *amounts("50", "0", "50", "10")),
    ]
    assert sorted((row[0].partition("/")[0], *row[1:]) for row in ask(project, lines)) == sorted(sold)
    assert ask(project, stock) == [
        ("CUP", main, 48), ("CUP", annex, 20), ("POT", main, 25), ("POT", annex, 0), ("TEA", main, 98), ("TEA", annex, 0)
    ]  # fmt: skip
    # available = on hand - reserved, as Vendure has it
    open_units = """SELECT sku, CAST(SUM(reserved_units) AS integer) FROM gold.fact_order_line
        JOIN serve.product_current USING (product_durable_key) GROUP BY sku ORDER BY sku"""
    allocated = {
        variant["sku"]: sum(level["stockAllocated"] for level in variant["stockLevels"])
        for variant in shop.admin("{ productVariants { items { sku stockLevels { stockAllocated } } } }")["items"]
    }
    assert dict(ask(project, open_units)) == allocated == {"TEA": 5, "CUP": 0, "GIFT": 0, "POT": 1}
    # The last word on pots: 30 - 4 + 1 - 2 - 2 = 23 by the movements, and the level is 25.
    counted = """SELECT CAST(book_units AS integer), CAST(counted_units AS integer), CAST(variance_units AS integer)
        FROM gold.fact_stock_count JOIN serve.product_current USING (product_durable_key)
        WHERE sku = 'POT' AND location_id = '1' ORDER BY counted_at DESC LIMIT 1"""
    assert ask(project, counted) == [(23, 25, 2)]
    # An order is modified: two of five pots are taken off and paid back; of another, which had two, three more and a gift come.
    lessened, raised = shop.paid({"POT": 5}), shop.paid({"POT": 2})
    shop.modify(lessened, {"POT": 3}, {})
    shop.modify(raised, {}, {"POT": 3, "GIFT": 1})
    assert Project(project).run().status == "published"
    assert ask(project, "SELECT COUNT(*) FROM silver.quarantine") == [(0,)]
    code |= {order: shop.look(order)["code"] for order in (lessened, raised)}
    modified = """SELECT sku, sale_kind, CAST(quantity_units AS integer), net_amount FROM gold.fact_sale_line
        JOIN serve.product_current USING (product_durable_key)
        WHERE is_counted AND '{}' IN (sale_id, original_sale_id) ORDER BY sku, quantity_units"""
    assert ask(project, modified.format(code[lessened])) == [
        ("POT", "return", -2, *amounts("-50")),
        ("POT", "sale", 5, *amounts("125")),
    ]
    assert ask(project, modified.format(code[raised])) == [
        ("GIFT", "sale", 1, *amounts("5")),
        ("POT", "sale", 2, *amounts("50")),
        ("POT", "sale", 3, *amounts("75")),
    ]
    assert dict(ask(project, open_units))["POT"] == 1 + 3 + 5
    # Prices with the tax in them: 3 x 7.99 = 23.97, less 10 % that are 2.40 by whole cents: 21.57, of which 3.59 or 3.60 are tax.
    shop.prices_include_tax()
    taxed = shop.paid({"CUP": 3}, coupon="TEN")
    assert Project(project).run().status == "published"
    of_it = "SELECT net_amount, net_amount + tax_amount, quantity_units FROM gold.fact_sale_line WHERE sale_id = '{}'"
    said = shop.look(taxed)
    assert said["subTotalWithTax"] == 2157 and said["subTotal"] in (1797, 1798)
    [(net, with_tax, quantity)] = ask(project, of_it.format(said["code"]))
    assert (net * 100, with_tax * 100, quantity) == (said["subTotal"], said["subTotalWithTax"], 3)
    paid = "SELECT SUM(amount) FROM gold.fact_tender WHERE tender_no LIKE 'refund/%'"
    assert ask(project, paid) == [(amounts("-42")[0],)]
