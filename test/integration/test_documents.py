"""Orders, purchase orders, transfers, payments and store days from files: set aside, held back, healed, and the same when rebuilt."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from systock import Project
from systock.simulator import simulate, write_project

# entity → columns of the file, a good line, and lines that break a rule with the column that is named
Broken = Iterable[tuple[str, str]]
ENTITIES: dict[str, tuple[str, str, Broken]] = {
    "order_line": (
        "order_id,line_no,location_id,product_id,ordered_at,ordered_quantity,reserved_quantity,unit",
        "O1,1,S1,A,2024-03-01T10:00:00Z,2,1,box",
        [
            ("O1,2,S1,A,,2,1,", "ordered_at"),
            ("O1,3,S1,A,2024-03-01T10:00:00Z,-2,1,", "ordered_quantity"),
            ("O1,4,S1,,2024-03-01T10:00:00Z,2,1,", "product_id"),
        ],
    ),
    "purchase_order_line": (
        "purchase_order_id,line_no,supplier_id,location_id,product_id,ordered_at,received_at,ordered_quantity,received_quantity,rejected_quantity",
        "P1,1,V1,S1,A,2024-03-01T10:00:00Z,2024-03-03T10:00:00Z,10,8,1",
        [
            ("P1,2,V1,S1,A,2024-03-01T10:00:00Z,,10,8,1", "received_at_local"),
            ("P1,3,V1,S1,A,2024-03-01T10:00:00Z,2024-03-03T10:00:00Z,10,1,2", "rejected_quantity"),
            ("P1,4,,S1,A,2024-03-01T10:00:00Z,,10,0,0", "supplier_id"),
        ],
    ),
    "transfer_line": (
        "transfer_id,line_no,from_location_id,to_location_id,product_id,shipped_at,shipped_quantity,received_quantity,unit",
        "T1,1,W1,S1,A,2024-03-01T10:00:00Z,4,1,",
        [
            ("T1,2,W1,S1,A,,4,1,", "shipped_at"),
            ("T1,3,W1,,A,2024-03-01T10:00:00Z,4,1,", "to_location_id"),
            ("T1,4,W1,S1,A,2024-03-01T10:00:00Z,4,x,", "received_quantity"),
        ],
    ),
    "tender": (
        "sale_id,tender_no,tender_method,amount",
        "R1,1,cash,10",
        [("R1,2,,10", "tender_method"), ("R1,3,cash,ten", "amount"), (",4,cash,10", "sale_id")],
    ),
    "store_day": (
        "location_id,business_date,opened_time,closed_time,visitors,target_amount,currency_code",
        "S1,2024-03-01,08:00,20:00,40,100,",
        [
            ("S1,2024-02-30,08:00,20:00,40,100,", "business_date"),
            ("S1,2024-03-03,08:00,20:00,-1,100,", "visitors"),
            ("S1,2024-03-04,08:00,20:00,40,100,EURO", "currency_code"),
        ],
    ),
    "product": ("product_id,base_unit,updated_at", "A,ea,2024-01-01T00:00:00Z", []),
    "product_unit": ("product_id,unit,base_units", "A,case,12", []),
    "sale_line": ("sale_id,line_no,location_id,product_id,sold_at,quantity,unit_price_amount", "R2,1,S1,A,2024-03-01T09:00:00Z,1,10", []),
}  # fmt: skip


class Shop:
    """A project with one source, one table per entity and a mapping that names its columns."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._files = folder, 0
        settings = ['[project]\nname = "shop"\n[sources.erp]\ntype = "files"']
        (folder / "sources" / "erp").mkdir(parents=True)
        (folder / "incoming").mkdir()
        for entity, (columns, _, _) in ENTITIES.items():
            settings.append(f'[sources.erp.tables.{entity}s]\npath = "incoming/{entity}-*.csv"\nmode = "append"')
            chosen = ", ".join(f"NULLIF(t.{name}, '') AS {name}" for name in columns.split(","))
            mapping = f"SELECT {chosen} FROM bronze.erp__{entity}s AS t"
            (folder / "sources" / "erp" / f"{entity}.sql").write_text(mapping)
        (folder / "systock.toml").write_text("\n".join(settings))

    def deliver(self, **lines: Iterable[str]) -> None:
        for entity, texts in lines.items():
            self._files += 1
            path = self.folder / "incoming" / f"{entity}-{self._files}.csv"
            path.write_text("\n".join([ENTITIES[entity][0], *texts, ""]))

    def run(self) -> None:
        Project(self.folder).run()

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return [tuple(row.values()) for row in Project(self.folder).query(sql).to_pylist()]

    def held(self) -> set[tuple[str, int, str]]:
        rows = Project(self.folder).quarantine(1000, rule="held back: ")
        return {(row["entity"], row["row"], row["rule"].removeprefix("held back: ")) for row in rows}

    def is_what_a_rebuild_makes(self) -> None:
        tables = Project(self.folder).rebuild(verify=True)["tables"]
        assert [table["table"] for table in tables if not table["same"]] == []
        assert [check for check in Project(self.folder).check() if not check["passed"]] == []


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_each_broken_line_is_set_aside_with_its_column_and_the_others_are_posted(shop: Shop) -> None:
    shop.deliver(**{entity: [good, *(line for line, _ in broken)] for entity, (_, good, broken) in ENTITIES.items()})
    shop.run()
    found = {
        (row["entity"], row["row"], row["column"])
        for row in Project(shop.folder).quarantine(1000)
        if row["number"] is not None
    }
    assert found == {
        (entity, number, column)
        for entity, (_, _, broken) in ENTITIES.items()
        for number, (_, column) in enumerate(broken, start=3)
    }
    assert shop.rows("SELECT purchase_order_id, line_no, on_order_units FROM gold.fact_purchase_order_line") == [
        ("P1", "1", 3)
    ]
    assert shop.rows("SELECT transfer_id, in_transit_units FROM gold.fact_transfer_line") == [("T1", 3)]
    assert shop.rows("SELECT open_hours, visitors FROM gold.fact_store_day WHERE visitors IS NOT NULL") == [(12, 40)]
    shop.is_what_a_rebuild_makes()


def test_what_is_held_back_heals_when_what_it_lacks_arrives(shop: Shop) -> None:
    shop.deliver(**{entity: [good] for entity, (_, good, _) in ENTITIES.items()})
    shop.deliver(store_day=["S1,2024-03-02,,,41,100,USD", "S1,2099-03-02,,,42,100,"])
    shop.run()
    assert shop.held() == {
        ("order_line", 2, "unit without conversion"),
        ("tender", 2, "sale not known"),
        ("store_day", 2, "currency without rate"),
        ("store_day", 3, "date outside the calendar"),
    }
    assert shop.rows("SELECT * FROM gold.fact_order_line UNION ALL BY NAME SELECT * FROM gold.fact_tender") == []
    shop.deliver(product_unit=["A,box,6"], sale_line=["R1,1,S1,A,2024-03-01T10:00:00Z,1,10"])
    shop.run()
    assert {entity for entity, _, _ in shop.held()} == {"store_day"}
    assert shop.rows("SELECT ordered_units, reserved_units FROM gold.fact_order_line") == [(12, 6)]
    assert shop.rows("SELECT location_id, CAST(paid_at AS text), amount FROM gold.fact_tender") == [
        ("S1", "2024-03-01 10:00:00+00", 10)
    ]
    shop.is_what_a_rebuild_makes()


def test_more_received_than_shipped_shows_as_surplus_and_is_nowhere_in_transit(shop: Shop) -> None:
    shop.deliver(transfer_line=["T1,1,W1,S1,A,2024-03-01T10:00:00Z,4,6,", "T1,2,W1,S1,A,2024-03-01T10:00:00Z,4,3,"])
    shop.run()
    assert shop.rows("SELECT line_no, in_transit_units, surplus_units FROM gold.fact_transfer_line ORDER BY 1") == [
        ("1", 0, 2), ("2", 1, 0),
    ]  # fmt: skip
    assert shop.rows("SELECT in_transit_units FROM serve.stock_in_transit") == [(1,)]


@pytest.mark.long
def test_a_chain_that_comes_in_slices_is_the_chain_that_came_at_once(tmp_path: Path) -> None:
    simulate(tmp_path, seed=11, days=20, stores=4, products=40)
    write_project(tmp_path)
    files = sorted((tmp_path / "incoming").glob("*/*"), key=lambda path: path.name.split("_k")[-1])
    (tmp_path / "later").mkdir()
    for number, path in enumerate(files):
        path.rename(tmp_path / "later" / f"{number}")
    ways: dict[str, set[str]] = {}
    for first in range(0, len(files), len(files) // 5):
        for number in range(first, min(first + len(files) // 5, len(files))):
            (tmp_path / "later" / f"{number}").rename(files[number])
        for table in Project(tmp_path).run().tables:
            ways.setdefault(table["table"].removeprefix("gold."), set()).add(table["how"])
    for name in (
        "order_line",
        "purchase_order_line",
        "transfer_line",
        "tender",
        "store_day",
        "assortment",
    ):
        assert ways[f"fact_{name}"] == {"built", "by key"}
    tables = Project(tmp_path).rebuild(verify=True)["tables"]
    assert [table["table"] for table in tables if not table["same"]] == []
