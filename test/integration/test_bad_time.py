"""Documents in an impossible order: each follows its rule, shows, heals when what it lacks comes, and is what a rebuild makes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bad_project import HEADER, Shop, good_shop, sale
from small_chain import deliver, make_project
from systock import Project

MARCH = datetime(2024, 3, 9, tzinfo=UTC).timestamp()
DAY = 86_400.0
MOVES = "document,store,product,at,kind,quantity,changed_at\n"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return good_shop(tmp_path / "shop")


def rows(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in Project(folder).query(sql).to_pylist()]


def test_movements_before_their_product_and_place_exist(shop: Shop) -> None:
    """They stand under the unknown members with a balance; a first description holds from the beginning, so the keys heal."""
    moves = MOVES + (
        "M1,S9,P9,2024-02-01T10:00:00+00:00,opening,10,2024-02-01T10:00:00+00:00\n"
        "M2,S9,P9,2024-02-02T10:00:00+00:00,adjustment,-4,2024-02-02T10:00:00+00:00\n"
    )
    shop.put("erp_movements_2.csv", moves)
    shop.run()
    told = "SELECT movement_id, product_key = 0, location_key = 0, CAST(on_hand_after_units AS integer) FROM gold.fact_stock_movement WHERE product_id = 'P9' ORDER BY 1"
    assert rows(shop.path, told) == [("M1", True, True, 10), ("M2", True, True, 6)]
    product = '{"code": "P9", "name": "x", "cost": "1", "unit": "pcs", "changed_at": "2024-03-05T00:00:00+00:00"}\n'
    places = "code,name,zone\nS1,Berlin,Europe/Berlin\nS9,Bern,Europe/Zurich\n"
    shop.put("erp_products_2.jsonl", product)
    shop.put("erp_locations_2.csv", places, moment=1_710_000_100.0)
    shop.run()
    assert rows(shop.path, told) == [("M1", False, False, 10), ("M2", False, False, 6)]
    assert rows(shop.path, "SELECT location_name, on_hand_units FROM serve.stock_on_hand WHERE product_id = 'P9'") == [("Bern", 6)]  # fmt: skip
    assert all(table["same"] for table in Project(shop.path).rebuild(verify=True)["tables"])


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


def test_a_return_without_its_sale_is_in_no_cohort_until_the_sale_comes(shop: Shop) -> None:
    mapping = "sources/pos/sale_line.sql"
    shop.replace(mapping, "changed_at AS updated_at", "changed_at AS updated_at, CASE WHEN quantity LIKE '-%' THEN 'gone' END AS original_sale_id, '1' AS original_line_no")  # fmt: skip
    shop.put("pos_sales_2.csv", HEADER + sale("back", quantity="-1"))
    shop.run()
    asked = "SELECT returned_units, unmatched_returned_units, cohort_returned_units FROM serve.returns WHERE returned_units > 0"
    assert rows(shop.path, asked) == [(1, 1, 0)]
    shop.put("pos_sales_3.csv", HEADER + sale("gone", quantity="3"))
    shop.run()
    assert rows(shop.path, asked) == [(1, 0, 1)]
    assert all(table["same"] for table in Project(shop.path).rebuild(verify=True)["tables"])


def test_corrections_of_a_correction_in_any_order_end_in_the_last_one(shop: Shop) -> None:
    """Delivered third, first, second: the third holds all the time, and the stock is moved once."""

    def told(number: int, quantity: int) -> str:
        return MOVES + f"M1,S1,P1,2024-03-02T10:00:00+00:00,receipt,{quantity},2024-03-0{number + 2}T10:00:00+00:00\n"

    start = MOVES + "M0,S1,P1,2024-02-01T10:00:00+00:00,opening,100,2024-02-01T10:00:00+00:00\n"
    shop.put("erp_movements_0.csv", start)
    for number, quantity in ((3, 9), (1, 5), (2, 7)):
        shop.put(f"erp_movements_{number}.csv", told(number, quantity), moment=1_710_000_000.0 + number)
        shop.run()
        assert rows(shop.path, "SELECT quantity_units FROM gold.fact_stock_movement WHERE movement_id = 'M1'") == [(9,)]
    terms = "SELECT sum(kept), sum(superseded) FROM meta.row_count WHERE entity = 'stock_movement'"
    assert rows(shop.path, terms) == [(2, 2)], "the older ones are counted, not lost"
    assert all(table["same"] for table in Project(shop.path).rebuild(verify=True)["tables"])


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


def test_a_late_document_explains_its_count_anew(shop: Shop) -> None:
    """3 of 5 that were missing at the shelf turn out to have been written off before; only that count is explained again."""
    shop.replace("sources/erp/stock_movement.sql", "changed_at AS updated_at", "changed_at AS updated_at, changed_at AS entered_at")  # fmt: skip
    opening = MOVES + "M0,S1,P1,2024-02-01T10:00:00+00:00,opening,20,2024-02-01T10:00:00+00:00\n"
    shop.put("erp_movements_1.csv", opening.replace("M0,S1", "M9,S2") + opening.splitlines()[1] + "\n")
    shop.put("counts_counts_1.csv", "store,product,day,quantity\nS1,P1,2024-02-10,15\nS2,P1,2024-02-10,19\n")
    shop.run()
    asked = "SELECT location_id, variance_at_count_units, late_posting_units, unexplained_units FROM gold.fact_stock_count ORDER BY 1"
    assert rows(shop.path, asked) == [("S1", -5, 0, -5), ("S2", -1, 0, -1)]
    late = MOVES + "M1,S1,P1,2024-02-05T10:00:00+00:00,write_off,-3,2024-02-20T10:00:00+00:00\n"
    shop.put("erp_movements_2.csv", late)
    done = {table["table"]: table for table in Project(shop.path).run().tables}
    assert rows(shop.path, asked) == [("S1", -5, -3, -2), ("S2", -1, 0, -1)]
    explained = done["gold.stock_count_explanation"]
    assert (explained["how"], explained["written"]) == ("by key", 1)
    assert all(table["same"] for table in Project(shop.path).rebuild(verify=True)["tables"])
