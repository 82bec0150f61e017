"""An API as a source, from the settings to the published figures: failures, repeats, what is set aside, what is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from api_server import Reply, Request, Server, serve
from systock import Project
from systock.cli.summary import summary_text
from systock.pipeline_manager.run_pipeline import SourcesFailed

SETTINGS = """
[project]
name = "shop"
calendar_from = 2024-01-01
calendar_to = 2024-12-31
[run]
attempts = 1

[sources.shop]
type = "api"
base_url = "URL/api"
attempts = 1
auth = { type = "oauth2", token_url = "/token", client_id = "me", client_secret = "${SHOP_SECRET}" }
pagination = { type = "page", size_param = "limit", size = 2 }
[sources.shop.tables.products]
endpoint = "/products"
mode = "full"
key = ["sku"]
[sources.shop.tables.orders]
endpoint = "/orders"
mode = "changes"
key = ["id"]
updated_at = "updated_at"
cursor = { column = "updated_at", param = "updated_since" }
[sources.shop.tables.lines]
endpoint = "/orders/{id}/lines"
parent = "orders"
mode = "changes"
key = ["orders_id", "line"]

[sources.till]
type = "files"
[sources.till.tables.sales]
path = "incoming/*.csv"
mode = "append"
"""
LINE = """
SELECT l.orders_id AS sale_id, l.line AS line_no, 'WEB' AS location_id, l.sku AS product_id, o.created_at AS sold_at,
    l.quantity AS quantity, json_get(l.price, 'decimal') AS unit_price_amount
FROM bronze.shop__lines AS l
JOIN bronze.shop__orders AS o ON o.id = l.orders_id
"""
TILL = """
SELECT id AS sale_id, '1' AS line_no, 'S1' AS location_id, sku AS product_id, at AS sold_at, units AS quantity, price AS unit_price_amount
FROM bronze.till__sales
"""
PRODUCT = "SELECT sku AS product_id, title AS product_name FROM bronze.shop__products"


class Shop:
    """The web shop: its state, and what is wrong with it."""

    def __init__(self) -> None:
        self.products: list[Any] = [{"sku": sku, "title": f"Product {sku}"} for sku in "ABC"]
        self.orders: list[dict[str, Any]] = []
        self.down: set[str] = set()
        self.repeats_edges = False
        for number in range(1, 6):
            self.order(number, f"2024-05-31T12:0{number}:00Z")

    def order(self, number: int, at: str) -> None:
        self.orders.append({"id": number, "created_at": "2024-05-31T10:00:00Z", "updated_at": at})

    def respond(self, request: Request) -> Reply:
        if request.path == "/token":
            return Reply({"access_token": "hunter3"})
        if request.path.removeprefix("/api") in self.down:
            return Reply({"message": f"down for {request.headers['authorization']}"}, 500)
        first = (request.number("page") - 1) * 2
        edge = max(0, first - 1) if self.repeats_edges else first
        if request.path == "/api/products":
            return Reply(self.products[edge if first < len(self.products) else first : first + 2])
        if request.path == "/api/orders":
            since = request.params.get("updated_since", "")
            return Reply([order for order in self.orders if order["updated_at"] >= since][first : first + 2])
        number = int(request.path.split("/")[3])
        price = {"__class__": "Decimal", "decimal": "2.50"}
        lines = [{"line": n, "sku": "ABC"[n], "quantity": number, "price": price} for n in range(3)]
        return Reply(lines[first : first + 2])


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def server(shop: Shop) -> Iterator[Server]:
    with serve(shop.respond) as found:
        yield found


@pytest.fixture
def project(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("SHOP_SECRET", "hunter2")
    for name, text in {
        "systock.toml": SETTINGS.replace("URL", server.url),
        "sources/shop/sale_line.sql": LINE,
        "sources/shop/product.sql": PRODUCT,
        "sources/till/sale_line.sql": TILL,
        "incoming/one.csv": "id,sku,at,units,price\nT1,A,2024-05-31T09:00:00Z,1,9.99\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return Project(tmp_path)


def sold(project: Project) -> Any:
    sql = "SELECT source_name, COUNT(*) AS lines, CAST(SUM(gross_amount) AS text) AS gross FROM gold.fact_sale_line GROUP BY 1 ORDER BY 1"
    return [tuple(row.values()) for row in project.query(sql).to_pylist()]


def listed(project: Project) -> list[str]:
    """The products that the shop lists now."""
    sql = """SELECT product_id FROM gold.dim_product
        WHERE source_name = 'shop' AND is_current AND valid_to_at > '9999-01-01' ORDER BY 1"""
    return [row["product_id"] for row in project.query(sql).to_pylist()]


def test_from_the_api_to_the_published_figures(project: Project, shop: Shop) -> None:
    shop.repeats_edges = True  # what comes twice at the edges of pages counts once
    project.run()
    assert sold(project) == [("shop", 15, "112.5000"), ("till", 1, "9.9900")]
    assert listed(project) == ["A", "B", "C"]
    shop.order(6, "2024-05-31T11:58:00Z")  # late, but within the window
    shop.orders[0] |= {"updated_at": "2024-06-01T08:00:00Z"}
    shop.products.pop()
    project.run()
    assert sold(project) == [("shop", 18, "157.5000"), ("till", 1, "9.9900")]
    assert listed(project) == ["A", "B"]
    assert project.run().status == "nothing new"


def test_one_endpoint_that_fails_harms_nothing_and_the_next_run_goes_on(project: Project, shop: Shop) -> None:
    shop.down = {"/orders/4/lines"}
    with pytest.raises(SourcesFailed) as failed:
        project.run()
    text = str(failed.value)
    assert "shop, GET /orders/{id}/lines: the API has a fault: 500: down for Bearer …" in text
    assert "hunter" not in text
    assert sold(project) == [("till", 1, "9.9900")]
    shop.down = set()
    project.run()
    assert sold(project) == [("shop", 15, "112.5000"), ("till", 1, "9.9900")]
    kept = [path for path in (project.path / ".systock").rglob("*") if path.is_file()]
    assert not [path for path in kept if b"hunter" in path.read_bytes()]
    assert not list((project.path / ".systock").rglob("*.pages"))


def test_what_is_no_record_is_set_aside(project: Project, shop: Shop) -> None:
    shop.products[1] = "B"
    said = summary_text(project.run(), project)
    (found,) = project.quarantine()
    assert "not an object" in json.dumps(found, default=str)
    # It is told as well where no mapping sets it aside.
    assert "shop, products: 3 lines; 1 line could not be read" in said
    assert [table["malformed_lines"] for table in project.status()["tables"]] == [1, 0, 0, 0]
    # An extract that is not complete closes nothing.
    shop.products = [*shop.products[:1], 5]
    project.run()
    assert listed(project) == ["A", "C"]


def test_a_run_that_is_killed_while_it_asks_leaves_the_pages(project: Project, shop: Shop, server: Server) -> None:
    with (
        patch("systock.extract.api_resume.Spool.discard", side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        project.run()
    before = len(server.requests)
    project.run()
    assert not [path for path in server.paths()[before:] if path == "/api/products"]
    assert sold(project) == [("shop", 15, "112.5000"), ("till", 1, "9.9900")]
