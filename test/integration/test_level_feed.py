"""A daily list of what is on hand: each extract states its levels anew, also those that did not change since the last one."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from systock import Project

SETTINGS = """
[project]
name = "levels"
calendar_from = 2024-01-01
calendar_to = 2024-12-31
[sources.erp]
type = "files"
[sources.erp.tables.levels]
path = "incoming/levels_*.csv"
mode = "full"
key = ["site", "sku"]
known_at = "name:%Y%m%d"
[sources.erp.tables.movements]
path = "incoming/movements_*.csv"
mode = "append"
key = ["id"]
"""
COUNT = """
SELECT
    site || '/' || sku || '/' || CAST(_extracted_at AS text) AS count_id,
    site AS location_id, sku AS product_id, _extracted_at AS counted_at, 'level' AS count_kind, units AS quantity
FROM bronze.erp__levels
"""
MOVEMENT = """
SELECT id AS movement_id, site AS location_id, sku AS product_id, at AS occurred_at, kind AS movement_kind, units AS quantity
FROM bronze.erp__movements
"""
FILES = {
    "levels_20240501.csv": "site,sku,units\nS1,A,10\nS1,B,4\n",
    "movements_1.csv": "id,site,sku,at,kind,units\n1,S1,A,2024-05-02T12:00:00+00:00,sale,-3\n",
    "levels_20240502.csv": "site,sku,units\nS1,A,10\nS1,B,4\n",  # the same as the day before: a find of 3, not old news
    "levels_20240503.csv": "site,sku,units\nS1,A,8\n",  # B is not on the list: nothing is said of it
}
EXPECTED = [
    ("A", "2024-05-01", None, "10.000"), ("A", "2024-05-02", "10.000", "7.000"),
    ("A", "2024-05-02", "7.000", "10.000"), ("A", "2024-05-03", "10.000", "8.000"),
    ("B", "2024-05-01", None, "4.000"), ("B", "2024-05-02", "4.000", "4.000"),
]  # fmt: skip


LANDED = list(itertools.permutations(FILES))


@pytest.mark.parametrize("order", [LANDED[16], *(pytest.param(order, marks=pytest.mark.long) for order in LANDED[::5])])
def test_each_extract_sets_its_levels(tmp_path: Path, order: tuple[str, ...]) -> None:
    for name, text in {
        "systock.toml": SETTINGS, "sources/erp/stock_count.sql": COUNT, "sources/erp/stock_movement.sql": MOVEMENT
    }.items():  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "incoming").mkdir()
    for name in order:
        (tmp_path / "incoming" / name).write_text(FILES[name])
        Project(tmp_path).run()
    rows = Project(tmp_path).query("""
        SELECT product_id, CAST(business_date AS text) AS day, CAST(balance_before_units AS text) AS before, CAST(balance_after_units AS text) AS after
        FROM gold.stock_ledger ORDER BY product_id, occurred_at""").to_pylist()  # fmt: skip
    assert [tuple(row.values()) for row in rows] == EXPECTED
    assert all(table["same"] for table in Project(tmp_path).rebuild(verify=True)["tables"])
