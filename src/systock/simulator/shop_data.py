"""What the web shop's API tells, at the end of the simulated time: its records, and what a right warehouse makes of each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from systock.simulator.chain import Chain
from systock.simulator.clock import iso_utc
from systock.simulator.delivery import Line, SourceFile
from systock.simulator.documents import Document, History, OrderLine, SaleLine, WebLine, WebOrder

FILE_NAME = "shop.json"
ENDPOINTS = ("orders", "order_lines", "refunds", "products", "inventory_levels")
#: What the simulated chain's warehouse asks for; products and levels it has from the ERP.
ASKED = ENDPOINTS[:3]
Record = dict[str, Any]


def _pieces(quantity: int) -> int | float:
    """1/1000 units as a JSON number: whole where it is whole."""
    return quantity // 1000 if quantity % 1000 == 0 else quantity / 1000


def _price(cents: int, currency: str) -> Record:
    return {"cents": cents, "currency": currency}


def _order(number: str, lines: list[OrderLine], order: WebOrder | None) -> Record:
    """An order's head; order: None for one that is picked up in a store, and paid there."""
    shipped = max(line.shipped_at for line in lines)
    changed = max(line.changed for line in lines)
    placed = order.placed if order else min(line.store.zone.to_instant(line.wall) for line in lines)
    open_left = any(line.ordered > line.shipped + line.cancelled for line in lines)
    picked_up = "open" if open_left else "shipped" if shipped else "cancelled"
    return {
        "number": number,
        "kind": "delivery" if order else "pickup",
        "state": order.state if order else picked_up,
        "test": order.test if order else False,
        "customer": lines[0].customer or None,
        "currency": lines[0].store.currency,
        "prices_include_tax": lines[0].store.prices_include_tax,
        "fulfilled_by": lines[0].store.location_id,
        "placed_at": iso_utc(placed),
        "shipped_at": iso_utc(shipped) if shipped else None,
        "updated_at": iso_utc(order.changed if order else changed),
    }


def _order_line(line: OrderLine, sale: SaleLine | None) -> Record:
    return {
        "order_number": line.order,
        "line": line.line,
        "sku": line.product.product_id,
        "title": line.product.versions[0].name,
        "price": _price(line.price, line.store.currency),
        "ordered": _pieces(line.ordered),
        "reserved": _pieces(line.reserved),
        "shipped": _pieces(line.shipped),
        "cancelled": _pieces(line.cancelled),
        "discount_cents": sale.discount if sale else 0,
        "tax_cents": sale.tax if sale else 0,
        "updated_at": iso_utc(line.changed),
    }


def _order_records(history: History) -> Iterator[tuple[Record, list[tuple[Record, Document]]]]:
    """Every order with its lines: those that are sent home, and those that are picked up in a store."""
    for order in history.web_orders:
        sales = {sale.line: sale for sale in order.sales}
        counts = order.state != "draft" and not order.test
        yield _order(order.number, order.lines, order), [
            (_order_line(line, sales.get(line.line)), WebLine(line if counts else None, sales.get(line.line)))
            for line in order.lines
        ]  # fmt: skip
    pickups: dict[str, dict[int, OrderLine]] = {}
    for paper in history.papers:
        if isinstance(paper, OrderLine):
            own = pickups.setdefault(paper.order, {})
            if paper.line not in own or own[paper.line].changed <= paper.changed:
                own[paper.line] = paper
    for number, lines in pickups.items():
        told = [lines[line] for line in sorted(lines)]
        yield _order(number, told, None), [(_order_line(line, None), line) for line in told]


def _refund(number: str, back: SaleLine) -> Record:
    order, line = back.original
    return {
        "number": number,
        "order_number": order,
        "line": int(line),
        "sku": back.article,
        "quantity": _pieces(-back.quantity),
        "price": _price(back.price, back.store.currency),
        "discount_cents": -back.discount,
        "tax_cents": -back.tax,
        "restocked_at": back.shelf.location_id if back.shelf else None,
        "refunded_at": iso_utc(back.store.zone.to_instant(back.wall)),
        "updated_at": iso_utc(back.changed),
    }


def tables(chain: Chain, history: History, known_at: int) -> list[SourceFile]:
    """All records, per endpoint in the order of their last change."""
    orders: list[tuple[Record, Document | None]] = []
    lines: list[tuple[Record, Document | None]] = []
    for head, own in _order_records(history):
        orders.append((head, None))
        lines += own
    refunds = [(_refund(refund.number, refund.back), refund.back) for refund in history.web_refunds]
    reserved: dict[str, int] = {}
    for order in history.web_orders:
        for line in order.lines:
            reserved[line.product.product_id] = reserved.get(line.product.product_id, 0) + line.reserved
    products, levels = [], []
    for product in chain.products:
        latest = product.versions[-1]
        products.append(
            {
                "sku": product.product_id,
                "title": latest.name,
                "price": _price(product.price_in("EUR", latest.at), "EUR"),
                "stocked": product.stocked,
                "updated_at": iso_utc(latest.at),
            }
        )
        if product.stocked:
            there = history.warehouse[product.product_id]
            held = reserved.get(product.product_id, 0)
            levels.append(
                {
                    "sku": product.product_id,
                    "location": chain.warehouse.location_id,
                    "on_hand": _pieces(there),
                    "reserved": _pieces(held),
                    "available": _pieces(there - held),
                    "updated_at": iso_utc(known_at),
                }
            )
    told: tuple[Iterable[tuple[Record, Document | None]], ...] = (
        orders, lines, refunds, ((record, None) for record in products), ((record, None) for record in levels),
    )  # fmt: skip
    return [_table(name, list(records), known_at) for name, records in zip(ENDPOINTS, told, strict=True)]


def _table(name: str, records: list[tuple[Record, Document | None]], known_at: int) -> SourceFile:
    ordered = sorted(enumerate(records, start=1), key=lambda one: (one[1][0]["updated_at"], one[0]))
    made = [
        Line(document, json.dumps({"id": number, **record}, ensure_ascii=False))
        for number, (record, document) in ordered
    ]
    return SourceFile(f"shop.{name}", f"GET /{name}", known_at, made, is_live=True)


def write(folder: Path, made: list[SourceFile]) -> None:
    """Keep all records in one file, from which the API serves them."""
    whole = {file.table.partition(".")[2]: [json.loads(line.text) for line in file.lines] for file in made}
    text = ",\n".join(
        f'"{name}": [\n' + ",\n".join(json.dumps(one, ensure_ascii=False) for one in records) + "\n]"
        for name, records in whole.items()
    )
    (folder / FILE_NAME).write_text("{\n" + text + "\n}\n", encoding="utf-8")
