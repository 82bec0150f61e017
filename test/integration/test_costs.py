"""Stock valued end to end: receipts, sales, a transfer and a count from files, and a late freight bill that comes afterwards."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from systock import Project
from systock.data_warehouse.refresh_cost import run_kernel
from systock.errors import CheckFailed

SETTINGS = """
[project]
name = "shop"
cost_method = "{method}"
[sources.erp]
type = "files"
stock_starts = "zero"
moves_stock = true
[sources.erp.tables.movements]
path = "incoming/movements-*.csv"
mode = "changes"
key = ["movement_id"]
[sources.erp.tables.sales]
path = "incoming/sales-*.csv"
mode = "append"
key = ["sale_id"]
[sources.erp.tables.counts]
path = "incoming/counts-*.csv"
mode = "append"
key = ["count_id"]
"""
COLUMNS = {
    "movements": "movement_id,location_id,product_id,occurred_at,movement_kind,quantity,unit_cost_amount,value_amount,document_id,transfer_id",
    "sales": "sale_id,location_id,product_id,sold_at,quantity,unit_price_amount,original_sale_id",
    "counts": "count_id,location_id,product_id,counted_at,quantity",
}
ENTITIES = {"movements": "stock_movement", "sales": "sale_line", "counts": "stock_count"}

# 10 at 2 and 10 at 5 in the depot; 12 of them go to the store, which sells 4 and finds 1 missing.
FIRST = {
    "movements": [
        "1,depot,A,2024-05-01T08:00:00Z,receipt,10,2,,D1,",
        "2,depot,A,2024-05-02T08:00:00Z,receipt,10,5,,D2,",
        "3,depot,A,2024-05-03T08:00:00Z,transfer_out,-12,,,,T",
        "4,store,A,2024-05-04T08:00:00Z,transfer_in,12,,,,T",
        "9,depot,B,2024-05-01T08:00:00Z,receipt,1,7,,,",
    ],
    "sales": ["R1,store,A,2024-05-05T10:00:00Z,5,9,", "R2,store,A,2024-05-05T11:00:00Z,-1,9,R1"],
    "counts": ["C1,store,A,2024-05-06T08:00:00Z,7"],
}
# The freight of the first delivery: 30 for its 10 units, booked at the depot before the transfer.
LATE = {"movements": ["5,depot,A,2024-05-02T12:00:00Z,revaluation,0,,30,D1,"]}

# cost of the transfer, of the two sales and of the missing unit; value of the depot and of the store at the end
Figures = dict[str, str]
#   average 3.5: 12 cost 42, 5 sold 17.5, 1 back 3.5, 1 missing 3.5
#   fifo: 10 at 2 and 2 at 5 are 30; sold 5 at 2, 1 back at 2 (the oldest again), the missing one at 2; 5 at 2 + 2 at 5 are left
BEFORE: dict[str, Figures] = {
    "moving_average": {"moved": "42", "R1": "17.5", "R2": "-3.5", "missing": "-3.5", "depot": "28", "store": "24.5"},
    "fifo": {"moved": "30", "R1": "10", "R2": "-2", "missing": "-2", "depot": "40", "store": "20"},
}
#   average: all 10 of the delivery may still be there: 100 for 20, 5 each
#   fifo: its layer costs 50, 5 each
AFTER: dict[str, Figures] = {
    "moving_average": {"moved": "60", "R1": "25", "R2": "-5", "missing": "-5", "depot": "40", "store": "35"},
    "fifo": {"moved": "60", "R1": "25", "R2": "-5", "missing": "-5", "depot": "40", "store": "35"},
}


class Shop:
    """A project with one source that names its columns as the entities do."""

    def __init__(self, folder: Path, method: str) -> None:
        self.folder, self._files = folder, 0
        if folder.exists():  # a copy of one that ran with one delivery
            self._files = 1
            return
        (folder / "sources" / "erp").mkdir(parents=True)
        (folder / "incoming").mkdir()
        for table, entity in ENTITIES.items():
            names = COLUMNS[table].split(",")
            chosen = [f"NULLIF(t.{name}, '') AS {name}" for name in names]
            if table == "sales":
                chosen += ["'1' AS line_no", "CASE WHEN t.original_sale_id <> '' THEN '1' END AS original_line_no"]
            mapping = f"SELECT {', '.join(chosen)} FROM bronze.erp__{table} AS t"
            (folder / "sources" / "erp" / f"{entity}.sql").write_text(mapping)
        (folder / "systock.toml").write_text(SETTINGS.format(method=method))

    def deliver(self, lines: dict[str, list[str]]) -> None:
        self._files += 1
        for table, texts in lines.items():
            path = self.folder / "incoming" / f"{table}-{self._files:03}.csv"
            path.write_text("\n".join([COLUMNS[table], *texts]) + "\n")

    def run(self) -> dict[str, dict[str, Any]]:
        return {table["table"]: table for table in Project(self.folder).run().tables}

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return [tuple(row.values()) for row in Project(self.folder).query(sql).to_pylist()]

    def figures(self) -> dict[str, Decimal]:
        found = self.rows("""
            SELECT 'moved', -cost_amount FROM gold.fact_stock_movement WHERE movement_kind = 'transfer_out'
            UNION ALL SELECT sale_id, cost_amount FROM gold.fact_sale_line
            UNION ALL SELECT 'missing', variance_amount FROM gold.fact_stock_count
            UNION ALL SELECT location_id, value_amount FROM serve.stock_on_hand WHERE product_id = 'A'""")
        return dict(found)  # type: ignore[arg-type]

    def gold(self) -> dict[str, list[tuple[Any, ...]]]:
        names = ("stock_cost", "fact_stock_movement", "fact_stock_count", "fact_stock_interval", "fact_sale_line")
        return {name: self.rows(f"SELECT * FROM gold.{name} ORDER BY ALL") for name in names}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Path], Shop]:
    """Makes shops of a method that have run with what came first, each in a folder of its own."""

    @cache
    def first(method: str) -> Shop:
        shop = Shop(tmp_path_factory.mktemp("first") / "shop", method)
        shop.deliver(FIRST)
        shop.run()
        assert shop.figures() == numbers(BEFORE[method])
        return shop

    def copied(method: str, folder: Path) -> Shop:
        shutil.copytree(first(method).folder, folder)
        return Shop(folder, method)

    return copied


def numbers(figures: Figures) -> dict[str, Decimal]:
    return {name: Decimal(text) for name, text in figures.items()}


@pytest.mark.parametrize("method", ["moving_average", "fifo"])
def test_a_late_freight_bill_reaches_all_that_its_goods_touched(
    tmp_path: Path, ran: Callable[[str, Path], Shop], method: str
) -> None:
    shop = ran(method, tmp_path / "late")
    shop.deliver(LATE)
    done = shop.run()["gold.stock_cost"]
    assert (done["how"], done["touched"]) == ("from the first touched instant", 1)  # B is another group
    assert shop.figures() == numbers(AFTER[method])
    assert all(check["passed"] for check in Project(shop.folder).check())
    assert all(table["same"] for table in Project(shop.folder).rebuild(verify=True)["tables"])


@pytest.mark.parametrize("method", ["moving_average", pytest.param("fifo", marks=pytest.mark.long)])
def test_documents_that_land_the_last_first_cost_the_same(
    tmp_path: Path, ran: Callable[[str, Path], Shop], method: str
) -> None:
    other = Shop(tmp_path / "other", method)
    for movements, more in ((slice(2, None), "counts"), (slice(2), "sales")):
        other.deliver({"movements": [*LATE["movements"], *FIRST["movements"]][movements], more: FIRST[more]})
        other.run()
    shop = ran(method, tmp_path / "late")
    shop.deliver(LATE)
    shop.run()
    assert other.gold() == shop.gold()


def test_by_standard_cost_nothing_is_posted(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "shop", "standard")
    shop.deliver(FIRST)
    assert "gold.stock_cost" not in shop.run()
    shop.deliver(LATE)
    assert "gold.stock_cost" not in shop.run()
    assert shop.rows("SELECT count(*) FROM gold.stock_cost") == [(0,)]
    assert set(shop.figures().values()) == {None}
    (shop.folder / "systock.toml").write_text(SETTINGS.format(method="moving_average"))
    shop.run()
    assert shop.figures() == numbers(AFTER["moving_average"])


@pytest.mark.parametrize("method", ["moving_average", pytest.param("fifo", marks=pytest.mark.long)])
def test_a_value_that_is_not_its_postings_is_not_published(
    tmp_path: Path, ran: Callable[[str, Path], Shop], method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def a_cent_less(engine: Any, table: str, select: str, into: str, **more: Any) -> None:
        run_kernel(engine, table, select, into, **more)
        if table == "gold.stock_cost":
            engine.execute(f"UPDATE {into} SET cost_amount = cost_amount - 0.01")

    shop = ran(method, tmp_path / "shop")
    monkeypatch.setattr("systock.data_warehouse.refresh.run_kernel", a_cent_less)
    shop.deliver(LATE)
    with pytest.raises(CheckFailed, match="postings of a stock add up to its value"):
        shop.run()
    assert shop.figures() == numbers(BEFORE[method])


def test_what_comes_beyond_a_transfer_in_a_later_run_costs_what_was_shipped(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "shop", "moving_average")
    values = "SELECT location_id, value_amount FROM serve.stock_on_hand ORDER BY ALL"
    for line, depot, store in (
        # 10 at 2, and 10 at 8 in the store, of the first 3 go there; 2 more than were sent, from the state that the first run kept
        ("4,store,A,2024-05-03T08:00:00Z,transfer_in,3,,,,T", "14", "86"),
        ("5,store,A,2024-05-04T08:00:00Z,transfer_in,2,,,,T", "14", "90"),
        # 10 of freight for the first 10, before they were sent: all of them cost 3, the 2 too
        ("6,depot,A,2024-05-01T12:00:00Z,revaluation,0,,10,D1,", "21", "95"),
    ):
        sent = [
            "1,depot,A,2024-05-01T08:00:00Z,receipt,10,2,,D1,",
            "2,store,A,2024-05-01T08:00:00Z,receipt,10,8,,D2,",
            "3,depot,A,2024-05-02T08:00:00Z,transfer_out,-3,,,,T",
        ]
        shop.deliver({"movements": [*sent, line] if line.startswith("4,") else [line]})
        shop.run()
        assert shop.rows(values) == [("depot", Decimal(depot)), ("store", Decimal(store))]
    assert all(table["same"] for table in Project(shop.folder).rebuild(verify=True)["tables"])
