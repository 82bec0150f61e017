"""The Shopify connector, against answers in the shape of the public documents (Admin API 2025-01): figures worked by hand."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from systock import Project
from systock.pipeline_manager.run_pipeline import SourcesFailed

from .test_connectors import ask, init

TOKEN = "shpat_of_a_test"


def line(id: int, variant: int | None, quantity: int, price: str, **more: Any) -> dict[str, Any]:
    return {
        "id": id, "variant_id": variant, "sku": "", "title": "Shirt", "quantity": quantity, "price": price,
        "current_quantity": quantity, "fulfillable_quantity": 0, "fulfillment_status": "fulfilled", "gift_card": False,
        "requires_shipping": True, "taxable": True, "total_discount": "0.00", "discount_allocations": [], "tax_lines": [],
        **more,
    }  # fmt: skip


def order(id: int, lines: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {
        "id": id, "name": f"#{id}", "created_at": "2025-03-01T10:00:00-05:00", "processed_at": "2025-03-01T10:00:00-05:00",
        "updated_at": "2025-03-02T10:00:00-05:00", "cancelled_at": None, "financial_status": "paid", "test": False,
        "currency": "USD", "taxes_included": False, "source_name": "web", "location_id": None,
        "customer": {"id": 77, "email": "x@example.com"}, "line_items": lines, "refunds": [], "fulfillments": [], **more,
    }  # fmt: skip


def sent(id: int, quantities: dict[int, int], status: str = "success") -> dict[str, Any]:
    return {
        "id": id,
        "status": status,
        "line_items": [{"id": line, "quantity": units} for line, units in quantities.items()],
    }


def agreement(id: int, reason: str, happened_at: str, *sales: tuple[int, str, int]) -> dict[str, Any]:
    """Sales of line, action and quantity. What is shipped is no product."""
    nodes = [
        {"id": f"gid://shopify/ProductSale/{id}{number}", "actionType": action, "lineType": "PRODUCT", "quantity": quantity,
         "lineItem": {"id": f"gid://shopify/LineItem/{line}"}}
        for number, (line, action, quantity) in enumerate(sales)
    ]  # fmt: skip
    shipping = {
        "id": f"gid://shopify/ShippingLineSale/{id}9",
        "actionType": "ORDER",
        "lineType": "SHIPPING",
        "quantity": 1,
    }
    return {
        "id": f"gid://shopify/SalesAgreement/{id}",
        "reason": reason,
        "happenedAt": happened_at,
        "sales": {"nodes": [*nodes, shipping]},
    }


def refund(id: int, line_item: dict[str, Any], quantity: int, subtotal: float, tax: float, kind: str) -> dict[str, Any]:
    item = {
        "id": id * 10, "line_item_id": line_item["id"], "location_id": 905684977, "quantity": quantity,
        "restock_type": kind, "subtotal": subtotal, "total_tax": tax, "line_item": line_item,
    }  # fmt: skip
    return {"id": id, "created_at": "2025-03-05T09:00:00-05:00", "refund_line_items": [item], "transactions": []}


TAXED = line(
    11, 808950810, 3, "20.00", current_quantity=2,
    discount_allocations=[{"amount": "4.00"}, {"amount": "2.00"}],
    tax_lines=[{"title": "State", "price": "3.24"}, {"title": "City", "price": "1.08"}],
)  # fmt: skip
OPEN = line(12, 39072856, 5, "8.00", current_quantity=4, fulfillable_quantity=3, fulfillment_status="partial")
EXCHANGED = line(81, 808950810, 3, "20.00", current_quantity=2)
ORDERS = [
    # 60 - 6 = 54, tax 4.32; one comes back: 20 - 2 = 18, tax 1.44. Of 5 x 8 two are sent, one is taken back before, two are open.
    order(
        1, [TAXED, {**OPEN, "fulfillable_quantity": 2}],
        refunds=[refund(5, TAXED, 1, 18.0, 1.44, "return"), refund(6, OPEN, 1, 8.0, 0.0, "cancel")],
        fulfillments=[sent(101, {11: 3, 12: 2}), sent(102, {12: 3}, "cancelled")],
    ),
    # the tax in the price: 11.90 holds 1.90
    order(2, [line(21, 808950810, 1, "11.90", tax_lines=[{"price": "1.90"}])], taxes_included=True, location_id=905684977,
          source_name="pos"),
    order(3, [line(31, 808950810, 9, "20.00")], cancelled_at="2025-03-01T11:00:00-05:00", financial_status="refunded"),
    order(4, [line(41, 808950810, 9, "20.00")], test=True),
    order(5, [line(51, None, 1, "50.00", gift_card=True, requires_shipping=False)]),
    order(6, [line(61, None, 2, "7.50", title="Engraving", requires_shipping=False)], financial_status="pending"),
    order(7, [line(71, 808950810, 1, "20.00")], financial_status="voided"),
    # An exchange: one of three shirts comes back, a hat goes out for it four days after the order, and is still to be sent.
    order(
        8, [EXCHANGED, line(82, 39072856, 1, "25.00", fulfillable_quantity=1, tax_lines=[{"price": "2.00"}])],
        refunds=[refund(15, EXCHANGED, 1, 20.0, 0.0, "return")], fulfillments=[sent(801, {81: 3})],
    ),
    # An order that is edited: three hats are added to two, one of four shirts is taken off, and no refund says so.
    order(9, [line(91, 39072856, 5, "10.00", fulfillable_quantity=5, discount_allocations=[{"amount": "1.00"}], tax_lines=[{"price": "0.05"}]),
              line(92, 808950810, 4, "5.00", current_quantity=3, fulfillable_quantity=3)]),
    # A bundle is told by its components.
    order(10, [line(1001, 808950810, 5, "3.00", sales_line_item_group_id=7001), line(1002, 39072856, 1, "6.00", sales_line_item_group_id=7001)],
          fulfillments=[sent(1000, {1001: 5, 1002: 1})]),
]  # fmt: skip
AGREEMENTS = [
    [agreement(1, "ORDER", "2025-03-01T15:00:00Z", (11, "ORDER", 3), (12, "ORDER", 5)), agreement(2, "REFUND", "2025-03-05T14:00:00Z", (11, "RETURN", -1))],
    [agreement(3, "ORDER", "2025-03-01T15:00:00Z", (81, "ORDER", 3)), agreement(4, "RETURN", "2025-03-05T14:00:00Z", (81, "RETURN", -1), (82, "ORDER", 1))],
    [agreement(5, "ORDER", "2025-03-01T15:00:00Z", (91, "ORDER", 2), (92, "ORDER", 4)), agreement(6, "ORDER_EDIT", "2025-03-07T15:00:00Z", (91, "ORDER", 3)),
     agreement(7, "ORDER_EDIT", "2025-03-08T15:00:00Z", (92, "RETURN", -1))],
]  # fmt: skip
PRODUCTS = [
    {
        "id": 632910392, "title": "Shirt", "vendor": "Acme", "product_type": "Tops", "status": "active",
        "updated_at": "2025-01-02T09:00:00-05:00",
        "variants": [
            {"id": 808950810, "product_id": 632910392, "title": "Pink", "sku": "S-PINK", "barcode": "1", "price": "20.00", "inventory_management": "shopify"},
            {"id": 39072856, "product_id": 632910392, "title": "Default Title", "sku": "", "barcode": None, "price": "8.00", "inventory_management": None},
        ],
    },
    {
        "id": 632910393, "title": "Team", "vendor": "Acme", "product_type": "Tops", "status": "active", "updated_at": "2025-01-02T09:00:00-05:00",
        "variants": [{"id": 500, "product_id": 632910393, "title": "Default Title", "sku": "TEAM", "barcode": None, "price": "21.00", "inventory_management": "shopify"}],
    },
]  # fmt: skip
#: Five shirts and a hat.
BUNDLES = [
    {"variants": {"nodes": [{"id": "gid://shopify/ProductVariant/500", "productVariantComponents": {"nodes": [
        {"id": "gid://shopify/ProductVariantComponent/1", "quantity": 5, "productVariant": {"id": "gid://shopify/ProductVariant/808950810"}},
        {"id": "gid://shopify/ProductVariantComponent/2", "quantity": 1, "productVariant": {"id": "gid://shopify/ProductVariant/39072856"}},
    ]}}]}}
]  # fmt: skip
LOCATIONS = [
    {"id": 905684977, "name": "Main St", "city": "Ottawa", "province": "Ontario", "country_code": "CA", "active": True,
     "updated_at": "2025-01-01T00:00:00-05:00"},
]  # fmt: skip


def level(variant: int, on_hand: int, committed: int, bundle: bool = False) -> dict[str, Any]:
    quantities = {"on_hand": on_hand, "committed": committed, "available": on_hand - committed, "damaged": 0,
                  "quality_control": 0, "incoming": 4}  # fmt: skip
    return {
        "id": f"gid://shopify/InventoryLevel/{variant}?inventory_item_id={variant}",
        "item": {"variant": {"id": f"gid://shopify/ProductVariant/{variant}", "requiresComponents": bundle}},
        **{name: [{"quantity": value}] for name, value in quantities.items()},
    }


LEVELS = [level(808950810, 12, 0), level(39072856, 6, 2), level(500, 2, 0, bundle=True)]


class Answer(BaseHTTPRequestHandler):
    """Two orders a page, the next one in the Link header; levels one a page, by cursor."""

    def log_message(self, format: str, *args: Any) -> None: ...

    def answer(self, body: Any, status: int = 200, **headers: str) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        if self.headers.get("X-Shopify-Access-Token") != TOKEN:
            return self.answer({"errors": "[API] Invalid API key or access token"}, 401)
        address = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(address.query).items()}
        name = address.path.removeprefix("/admin/api/2025-01/").removesuffix(".json")
        records = {"orders": ORDERS, "products": PRODUCTS, "locations": LOCATIONS}[name]
        assert name != "orders" or "page_info" in asked or asked["status"] == "any"
        first = int(asked.get("page_info", 0))
        headers = {"X-Shopify-Shop-Api-Call-Limit": "2/40"}
        if first + 2 < len(records):
            host = f"http://127.0.0.1:{self.server.server_address[1]}"  # type: ignore[index]
            headers["Link"] = f'<{host}{address.path}?page_info={first + 2}&limit=2>; rel="next"'
        self.answer({name: records[first : first + 2]}, **headers)

    def page(self, name: str, records: list[Any], variables: dict[str, Any]) -> None:
        """Two records a page, by cursor."""
        first = int(variables.get("after") or 0)
        more = first + 2 < len(records)
        info = {"hasNextPage": more, "endCursor": str(first + 2) if more else None}
        self.answer({"data": {name: {"nodes": records[first : first + 2], "pageInfo": info}}})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        variables = body["variables"]
        if "agreements" in body["query"]:
            assert variables["changed"].startswith("updated_at:>='2")
            orders = [{"updatedAt": "2025-03-08T15:00:00Z", "agreements": {"nodes": found}} for found in AGREEMENTS]
            return self.page("orders", orders, variables)
        if "productVariantComponents" in body["query"]:
            return self.page("products", BUNDLES, variables)
        assert variables["location"] == "gid://shopify/Location/905684977"
        assert 'quantities(names: ["on_hand"])' in body["query"]
        first = int(variables.get("after") or 0)
        more = first + 1 < len(LEVELS)
        page = {"hasNextPage": more, "endCursor": str(first + 1) if more else None}
        found = {"nodes": LEVELS[first : first + 1], "pageInfo": page}
        self.answer({"data": {"location": {"inventoryLevels": found}}})


@pytest.fixture
def shopify() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/admin/api/2025-01"
    server.shutdown()
    thread.join()
    server.server_close()


def test_orders_refunds_and_levels(shopify: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOPIFY_TOKEN", TOKEN)
    project = init(tmp_path / "p", "shopify", base_url=shopify)
    assert Project(project).run().status == "published"
    assert ask(project, "SELECT COUNT(*) FROM silver.quarantine") == [(0,)]
    figures = """SELECT sale_id, line_no, sale_kind, channel, location_id, quantity_units, gross_amount, discount_amount,
        net_amount, tax_amount FROM gold.fact_sale_line WHERE is_counted ORDER BY sale_id, line_no"""
    amounts = lambda *numbers: tuple(Decimal(number).quantize(Decimal("1.0000")) for number in numbers)  # noqa: E731
    units = lambda number: Decimal(number).quantize(Decimal("1.000"))  # noqa: E731
    assert ask(project, figures) == [
        ("1", "11", "sale", "online", "online", units(3), *amounts(60, 6, 54, "4.32")),
        ("1", "12", "sale", "online", "online", units(5), *amounts(40, 0, 40, 0)),
        ("10", "1001", "sale", "online", "online", units(5), *amounts(15, 0, 15, 0)),
        ("10", "1002", "sale", "online", "online", units(1), *amounts(6, 0, 6, 0)),
        ("15", "150", "return", "online", "online", units(-1), *amounts(-20, 0, -20, 0)),
        ("2", "21", "sale", "store", "905684977", units(1), *amounts(10, 0, 10, "1.90")),
        ("5", "50", "return", "online", "online", units(-1), *amounts(-20, -2, -18, "-1.44")),
        ("6", "60", "return", "online", "online", units(-1), *amounts(-8, 0, -8, 0)),
        ("6", "61", "sale", "online", "online", units(2), *amounts(15, 0, 15, 0)),
        ("8", "81", "sale", "online", "online", units(3), *amounts(60, 0, 60, 0)),
        ("8", "82", "exchange", "online", "online", units(1), *amounts(25, 0, 25, 2)),
        ("9", "91", "sale", "online", "online", units(2), *amounts(20, "0.40", "19.60", "0.02")),
        ("9", "91/60", "sale", "online", "online", units(3), *amounts(30, "0.60", "29.40", "0.03")),
        ("9", "92", "sale", "online", "online", units(4), *amounts(20, 0, 20, 0)),
        ("removed/9", "92", "return", "online", "online", units(-1), *amounts(-5, 0, -5, 0)),
    ]
    # What an exchange or an edit adds or takes off is sold, or not, on its own day.
    days = """SELECT CAST(business_date AS text), CAST(SUM(quantity_units) AS integer), SUM(net_amount) FROM gold.fact_sale_line
        WHERE is_counted AND sale_id IN ('8', '15', '9', 'removed/9') GROUP BY 1 ORDER BY 1"""
    assert ask(project, days) == [
        ("2025-03-01", 9, *amounts("99.60")), ("2025-03-05", 0, *amounts(5)), ("2025-03-07", 3, *amounts("29.40")), ("2025-03-08", -1, *amounts(-5))
    ]  # fmt: skip
    assert ask(
        project,
        "SELECT sale_id, CAST(business_date AS text) FROM gold.fact_sale_line WHERE is_return ORDER BY sale_id",
    ) == [("15", "2025-03-05"), ("5", "2025-03-05"), ("6", "2025-03-05"), ("removed/9", "2025-03-08")]
    # Cancelled, tests and voided ones are kept, the gift card is not.
    assert ask(project, "SELECT line_no FROM gold.fact_sale_line WHERE NOT is_counted ORDER BY line_no") == [
        ("31",), ("41",), ("71",)
    ]  # fmt: skip
    open_lines = """SELECT line_no, ordered_units, reserved_units, shipped_units, cancelled_units, open_units
        FROM gold.fact_order_line WHERE line_no IN ('11', '12', '31', '81', '82', '91', '92', '1001') ORDER BY line_no"""
    assert [(row[0], *map(int, row[1:])) for row in ask(project, open_lines)] == [
        ("1001", 5, 0, 5, 0, 0), ("11", 3, 0, 3, 0, 0), ("12", 5, 2, 2, 1, 2), ("31", 9, 0, 0, 9, 0), ("81", 3, 0, 3, 0, 0),
        ("82", 1, 1, 0, 0, 1), ("91", 5, 5, 0, 0, 5), ("92", 4, 3, 0, 1, 3),
    ]  # fmt: skip
    later = "SELECT CAST(business_date AS text) FROM gold.fact_order_line WHERE line_no = '82'"
    assert ask(project, later) == [("2025-03-05",)]
    assert ask(project, "SELECT COUNT(*) FROM gold.fact_order_line WHERE line_no IN ('41', '51', '61')") == [(0,)]
    # The level holds; what Shopify does not track is no stock.
    stock = "SELECT product_id, location_id, on_hand_units FROM serve.stock_on_hand WHERE is_known"
    assert ask(project, stock) == [("808950810", "905684977", units(12))]
    # A bundle is as many as its components are enough for: 12 shirts, five each; the hats in it are not tracked, and limit nothing. The level that
    # Shopify states of it is none.
    available = """SELECT product_id, location_id, on_hand_units, available_units FROM serve.stock_as_of(DATE '2099-01-01', TIMESTAMPTZ '9999-01-01')
        WHERE location_id <> 'online' ORDER BY product_id"""
    assert ask(project, available) == [
        ("500", "905684977", None, units(2)), ("808950810", "905684977", units(12), units(12)),
    ]  # fmt: skip
    described = "SELECT product_id, product_name, sku, brand, is_stocked FROM serve.product_current ORDER BY product_id"
    assert ask(project, described) == [
        ("39072856", "Shirt", None, "Acme", False), ("500", "Team", "TEAM", "Acme", False), ("808950810", "Shirt / Pink", "S-PINK", "Acme", True)
    ]  # fmt: skip
    back = "SELECT original_sale_id, original_line_no FROM gold.fact_sale_line WHERE line_no = '50'"
    assert ask(project, back) == [("1", "11")]


def test_a_token_that_is_refused(shopify: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOPIFY_TOKEN", "shpat_guessed")
    project = init(tmp_path / "p", "shopify", base_url=shopify)
    with pytest.raises(SourcesFailed, match="refuses the credentials") as failed:
        Project(project).run()
    assert "shpat_guessed" not in str(failed.value)
