"""A chain with live systems: what the shop's records, the database and the workbooks say is what the answer key says."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from contextlib import closing
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from python_calamine import load_workbook

from systock.simulator import AnswerKey, simulate
from systock.simulator import erp_database as erp
from systock.simulator.delivery import ERP_MOVEMENTS, ERP_SUPPLIERS, Fate, Line, SourceFile
from systock.simulator.erp import MOVEMENT_COLUMNS
from systock.simulator.faults import FAULTS, FILE_FAULTS
from systock.simulator.workbook import workbook

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, AnswerKey]:
    folder = tmp_path_factory.mktemp("live")
    return folder, simulate(folder, seed=3, days=34, stores=3, products=60, live=True)


def shop(folder: Path) -> dict[str, list[dict[str, Any]]]:
    records: dict[str, list[dict[str, Any]]] = json.loads((folder / "shop.json").read_text("utf-8"))
    return records


def day(instant: str) -> str:
    return datetime.fromisoformat(instant).astimezone(BERLIN).date().isoformat()


def amount(cents: int) -> Decimal:
    return Decimal(cents) / 100


def test_what_the_shop_sold_is_what_it_shipped_less_what_came_back(chain: tuple[Path, AnswerKey]) -> None:
    folder, key = chain
    told = shop(folder)
    orders = {order["number"]: order for order in told["orders"]}
    figures: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    sold: dict[tuple[str, int], int] = {}
    for line in told["order_lines"]:
        order = orders[line["order_number"]]
        if order["kind"] == "pickup" or order["test"] or not line["shipped"]:
            continue
        assert order["state"] == "shipped"
        sold[line["order_number"], line["line"]] = line["shipped"]
        paid = amount(line["price"]["cents"] * line["shipped"] - line["discount_cents"])
        figure = figures[day(order["shipped_at"])]
        figure["lines"] += 1
        figure["sold_units"] += line["shipped"]
        figure["tax"] += amount(line["tax_cents"])
        figure["net"] += paid - amount(line["tax_cents"])
    back: dict[tuple[str, int], int] = defaultdict(int)
    for refund in told["refunds"]:
        back[refund["order_number"], refund["line"]] += refund["quantity"]
        paid = amount(refund["price"]["cents"] * refund["quantity"] - refund["discount_cents"])
        figure = figures[day(refund["refunded_at"])]
        figure["lines"] += 1
        figure["returned_units"] += refund["quantity"]
        figure["tax"] -= amount(refund["tax_cents"])
        figure["net"] -= paid - amount(refund["tax_cents"])
    assert back and all(sold[line] >= quantity for line, quantity in back.items())
    said = {row.business_date: row for row in key.sales if (row.known_at, row.location_id) == (key.latest, "WEB")}
    assert said.keys() == figures.keys() and len(said) > 20
    for when, row in said.items():
        assert {
            "lines": row.lines, "sold_units": row.sold_units, "returned_units": row.returned_units,
            "tax": row.tax_amount, "net": row.net_amount,
        } == {name: figures[when][name] for name in ("lines", "sold_units", "returned_units", "tax", "net")}  # fmt: skip


def test_what_is_no_sale_and_no_order(chain: tuple[Path, AnswerKey]) -> None:
    folder, key = chain
    told = shop(folder)
    orders = {order["number"]: order for order in told["orders"]}
    assert {order["state"] for order in told["orders"]} == {"draft", "open", "shipped", "cancelled"}
    assert any(order["test"] for order in told["orders"])
    counted = [
        line
        for line in told["order_lines"]
        if orders[line["order_number"]]["state"] != "draft" and not orders[line["order_number"]]["test"]
    ]
    assert len(counted) < len(told["order_lines"])
    said = [row for row in key.web_orders if row.known_at == key.latest]
    assert sum(row.lines for row in said) == len(counted)
    for row in said:
        own = [line for line in counted if orders[line["order_number"]]["fulfilled_by"] == row.location_id]
        for name in ("ordered", "reserved", "shipped", "cancelled"):
            total = sum((Decimal(str(line[name])) for line in own), Decimal())
            assert getattr(row, f"{name}_units") == total, (row.location_id, name)


def test_available_is_on_hand_less_reserved(chain: tuple[Path, AnswerKey]) -> None:
    levels = shop(chain[0])["inventory_levels"]
    assert any(level["reserved"] for level in levels)
    assert all(level["available"] == level["on_hand"] - level["reserved"] for level in levels)


def test_every_fault_that_live_systems_can_have(chain: tuple[Path, AnswerKey]) -> None:
    folder, key = chain
    assert set(key.fault_counts()) == set(FAULTS) - set(FILE_FAULTS)
    with closing(sqlite3.connect(folder / "erp.sqlite")) as database:
        for fault in (fault for fault in key.faults if fault.path == "erp: movements" and fault.found == "quarantined"):
            # the row by key, as it will be read
            row = database.execute(
                "SELECT * FROM movements ORDER BY beleg, pos LIMIT 1 OFFSET ?", [(fault.row or 0) - 1]
            ).fetchone()
            assert fault.detail.split("'")[1] in row


def test_a_table_holds_the_last_state_of_each_row() -> None:
    columns = ";".join(MOVEMENT_COLUMNS)

    def movement(document: str, quantity: str, changed: str) -> str:
        number, line = document.split("/")
        return ";".join([number, line, *([""] * 3), quantity, *([""] * (len(MOVEMENT_COLUMNS) - 7)), changed])

    def file(known_at: int, *lines: Line) -> SourceFile:
        return SourceFile(ERP_MOVEMENTS, f"m{known_at}", known_at, list(lines), (columns,))

    files = [
        file(1, Line(None, movement("A/1", "5", "2024-01-01")), Line(None, movement("A/2", "7", "2024-01-01"))),
        file(
            2,
            Line(None, movement("A/1", "6", "2024-01-05")),
            Line(None, movement("B/1", "x", "2024-01-02"), Fate.QUARANTINED),
        ),
        file(3, Line(None, movement("A/1", "9", "2024-01-03"))),  # older than what is there
        file(4, Line(None, movement("C/1", "1", "2024-01-04"))),
    ]
    held = {table.table: [line.text for line in table.lines] for table in erp.tables(files, until=3, known_at=9)}
    assert held[ERP_MOVEMENTS] == [
        movement("A/1", "6", "2024-01-05"),
        movement("A/2", "7", "2024-01-01"),
        movement("B/1", "x", "2024-01-02"),
    ]


def test_a_full_list_loses_what_its_last_extract_lacks() -> None:
    head = ("title", "lifnr;name1;land1;plifz")
    files = [
        SourceFile(ERP_SUPPLIERS, "s1", 1, [Line(None, "1;Müller;DE;3"), Line(None, "2;Alt;DE;3")], head),
        SourceFile(
            ERP_SUPPLIERS, "s2", 2, [Line(None, "1;Müller;DE;3", Fate.UNCHANGED), Line(None, "3;Neu;DE;3")], head
        ),
    ]
    [table] = [table for table in erp.tables(files, until=2, known_at=9) if table.table == ERP_SUPPLIERS]
    assert [(line.text, line.fate) for line in table.lines] == [("1;Müller;DE;3", Fate.KEPT), ("3;Neu;DE;3", Fate.KEPT)]


def test_the_database_follows(tmp_path: Path) -> None:
    def table(*lines: str) -> SourceFile:
        return SourceFile(ERP_SUPPLIERS, "erp: suppliers", 1, [Line(None, line) for line in lines], is_live=True)

    def rows() -> list[tuple[str, str]]:
        with closing(sqlite3.connect(tmp_path / "erp.sqlite")) as database:
            return list(database.execute("SELECT lifnr, name1 FROM suppliers ORDER BY 1"))

    erp.write(tmp_path, [table("1;Müller;DE;3", '2;"a;b";DE;3')])
    assert rows() == [("1", "Müller"), ("2", "a;b")]
    erp.write(tmp_path, [table("1;Meier;DE;3", "3;Neu;DE;3")])
    assert rows() == [("1", "Meier"), ("3", "Neu")]


def test_a_workbook_types_what_is_a_day_or_a_number(tmp_path: Path) -> None:
    lines = ["code;day;quantity", "007;05.03.2024;1.250,500", "8;31.04.2024;1O,000", "9;;"]
    (tmp_path / "sheet.xlsx").write_bytes(workbook(lines))
    sheet = load_workbook(str(tmp_path / "sheet.xlsx")).get_sheet_by_name("Inventur").to_python()
    assert sheet[0] == ["code", "day", "quantity"]
    assert (sheet[1][0], str(sheet[1][1])[:10], sheet[1][2]) == ("007", "2024-03-05", 1250.5)
    assert sheet[2:] == [["8", "31.04.2024", "1O,000"], ["9", "", ""]]
    assert workbook(lines) == (tmp_path / "sheet.xlsx").read_bytes()
