"""Documents in an impossible order: each follows its rule, shows, heals when what it lacks comes, and is what a rebuild makes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bad_project import HEADER, good_shop, sale
from small_chain import deliver, make_project
from systock import Project

MARCH = datetime(2024, 3, 9, tzinfo=UTC).timestamp()
DAY = 86_400.0
MOVES = "document,store,product,at,kind,quantity,changed_at\n"


def rows(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in Project(folder).query(sql).to_pylist()]


QUESTIONS = {
    "movements": """SELECT movement_id, product_key = 0, location_key = 0, CAST(on_hand_after_units AS integer)
        FROM gold.fact_stock_movement WHERE product_id = 'P9' ORDER BY 1""",
    "stock": "SELECT location_name, on_hand_units FROM serve.stock_on_hand WHERE product_id = 'P9'",
    "returns": """SELECT returned_units, unmatched_returned_units, cohort_returned_units FROM serve.returns
        WHERE returned_units > 0""",
    "corrected": "SELECT quantity_units FROM gold.fact_stock_movement WHERE movement_id = 'C1'",
    "terms": "SELECT sum(kept), sum(superseded) FROM meta.row_count WHERE entity = 'stock_movement'",
    "counts": """SELECT location_id, variance_at_count_units, late_posting_units, unexplained_units
        FROM gold.fact_stock_count ORDER BY 1""",
}
Told = list[dict[str, Any]]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """What is told after each of three landings of documents in an impossible order, and how its tables were brought up."""
    shop = good_shop(tmp_path_factory.mktemp("story") / "shop")
    shop.replace("sources/pos/sale_line.sql", "changed_at AS updated_at", "changed_at AS updated_at, CASE WHEN quantity LIKE '-%' THEN 'gone' END AS original_sale_id, '1' AS original_line_no")  # fmt: skip
    shop.replace("sources/erp/stock_movement.sql", "changed_at AS updated_at", "changed_at AS updated_at, changed_at AS entered_at")  # fmt: skip
    # Of a product and a place that nobody described; a start, and the third of three versions; what two counts are of.
    first = """
M1,S9,P9,2024-02-01T10:00:00+00:00,opening,10,2024-02-01T10:00:00+00:00
M2,S9,P9,2024-02-02T10:00:00+00:00,adjustment,-4,2024-02-02T10:00:00+00:00
C0,S1,P1,2024-02-01T10:00:00+00:00,opening,100,2024-02-01T10:00:00+00:00
C1,S1,P1,2024-03-02T10:00:00+00:00,receipt,9,2024-03-05T10:00:00+00:00
L0,S1,P2,2024-02-01T10:00:00+00:00,opening,20,2024-02-01T10:00:00+00:00
L9,S2,P2,2024-02-01T10:00:00+00:00,opening,20,2024-02-01T10:00:00+00:00
"""
    # The first version of it; 3 that were written off before the count, told after it.
    second = """
C1,S1,P1,2024-03-02T10:00:00+00:00,receipt,5,2024-03-03T10:00:00+00:00
L1,S1,P2,2024-02-05T10:00:00+00:00,write_off,-3,2024-02-20T10:00:00+00:00
"""
    third = "\nC1,S1,P1,2024-03-02T10:00:00+00:00,receipt,7,2024-03-04T10:00:00+00:00\n"
    product = '{"code": "P9", "name": "x", "cost": "1", "unit": "pcs", "changed_at": "2024-03-05T00:00:00+00:00"}\n'
    landings: list[dict[str, str]] = [
        {
            "counts_counts_1.csv": "store,product,day,quantity\nS1,P2,2024-02-10,15\nS2,P2,2024-02-10,19\n",
            "pos_sales_2.csv": HEADER + sale("back", quantity="-1"),
            "erp_movements_1.csv": MOVES.strip() + first,
        },
        {
            "erp_products_2.jsonl": product,
            "erp_locations_2.csv": "code,name,zone\nS1,Berlin,Europe/Berlin\nS9,Bern,Europe/Zurich\n",
            "pos_sales_3.csv": HEADER + sale("gone", quantity="3"),
            "erp_movements_2.csv": MOVES.strip() + second,
        },
        {"erp_movements_3.csv": MOVES.strip() + third},
    ]
    found: Told = []
    for number, files in enumerate(landings):
        for name, text in files.items():
            shop.put(name, text, moment=1_710_000_100.0 + number)
        tables = {table["table"]: table for table in Project(shop.path).run().tables}
        found.append({"tables": tables} | {name: rows(shop.path, sql) for name, sql in QUESTIONS.items()})
    assert all(table["same"] for table in Project(shop.path).rebuild(verify=True)["tables"])
    return found


def test_movements_before_their_product_and_place_exist(told: Told) -> None:
    """They stand under the unknown members with a balance; a first description holds from the beginning, so the keys heal."""
    assert told[0]["movements"] == [("M1", True, True, 10), ("M2", True, True, 6)]
    assert told[1]["movements"] == [("M1", False, False, 10), ("M2", False, False, 6)]
    assert told[1]["stock"] == [("Bern", 6)]


def test_a_return_without_its_sale_is_in_no_cohort_until_the_sale_comes(told: Told) -> None:
    assert (told[0]["returns"], told[1]["returns"]) == ([(1, 1, 0)], [(1, 0, 1)])


def test_corrections_of_a_correction_in_any_order_end_in_the_last_one(told: Told) -> None:
    """Delivered third, first, second: the third holds all the time, and the stock is moved once."""
    assert [after["corrected"] for after in told] == [[(9,)]] * 3
    assert told[2]["terms"] == [(7, 2)], "the older ones are counted, not lost"


def test_a_late_document_explains_its_count_anew(told: Told) -> None:
    """3 of 5 that were missing at the shelf turn out to have been written off before; only that count is explained again."""
    assert told[0]["counts"] == [("S1", -5, 0, -5), ("S2", -1, 0, -1)]
    assert told[1]["counts"] == [("S1", -5, -3, -2), ("S2", -1, 0, -1)]
    explained = told[1]["tables"]["gold.stock_count_explanation"]
    assert (explained["how"], explained["written"]) == ("by key", 1)


def test_a_count_in_the_future_changes_no_day_before_it_and_is_told(tmp_path: Path) -> None:
    folder = make_project(tmp_path / "p", known_at="mtime")
    at = "2024-03-01T10:00:00+00:00"
    deliver(folder, "erp_movements", [("M1", "S1", "P1", at, "opening", "10", at)], "1", modified=MARCH)
    deliver(folder, "counts_counts", [("S1", "P1", "2024-12-30", "7")], "1", modified=MARCH)
    Project(folder).run()
    ahead = "SELECT entity, entry_id, CAST(business_date AS text), CAST(known_date AS text) FROM serve.dated_ahead"
    assert rows(folder, ahead) == [("stock_count", "S1/P1/2024-12-30", "2024-12-30", "2024-03-09")]
    days = "SELECT CAST(from_date AS text), CAST(to_date AS text), CAST(on_hand_units AS integer) FROM gold.fact_stock_interval ORDER BY 1"
    assert rows(folder, days) == [("2024-03-01", "2024-12-30", 10), ("2024-12-30", "9999-12-31", 7)]
    later = "2024-03-20T10:00:00+00:00"
    deliver(
        folder, "erp_movements", [("M2", "S1", "P1", later, "write_off", "-2", later)], "2", modified=MARCH + 12 * DAY
    )
    Project(folder).run()
    assert rows(folder, days) == [("2024-03-01", "2024-03-20", 10), ("2024-03-20", "2024-12-30", 8), ("2024-12-30", "9999-12-31", 7)]  # fmt: skip
    assert rows(folder, "SELECT variance_units, unexplained_units FROM gold.fact_stock_count") == [(-1, -1)]
    assert all(table["same"] for table in Project(folder).rebuild(verify=True)["tables"])


def test_a_clock_that_jumps_back_between_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lands later is known later, whatever the clock says: answers at the instants between stay what they were."""
    import systock.etl_pipeline.bronze_layer.land_batches as landing

    folder = make_project(tmp_path / "p")
    at = "2024-03-01T10:00:00+00:00"
    clock = [datetime(2024, 5, 1, 12, tzinfo=UTC)]

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return clock[0]

    monkeypatch.setattr(landing, "datetime", Clock)
    known = []
    for number in range(2):
        deliver(folder, "pos_sales", [(f"{number}", "1", "S1", "P1", at, "1", "", "2", "", at)], f"{number}", modified=MARCH + number)  # fmt: skip
        Project(folder).run()
        known.append(rows(folder, "SELECT max(known_at) FROM meta.batch")[0][0])
        clock[0] -= timedelta(days=1)
    assert known[0] < known[1]
    for number, instant in enumerate(known, start=1):
        [(lines,)] = [tuple(row.values()) for row in Project(folder).query("SELECT count(*) AS n FROM gold.fact_sale_line", known_at=instant.isoformat()).to_pylist()]  # fmt: skip
        assert lines == number
    assert all(table["same"] for table in Project(folder).rebuild(verify=True)["tables"])
