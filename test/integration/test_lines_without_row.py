"""The note of lines that are in no row: only of those that the mapping sees now and makes nothing of."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from systock import Project

SETTINGS = """[project]
name = "shop"
calendar_from = 2024-01-01
calendar_to = 2024-12-31
[sources.erp]
type = "files"
[sources.erp.tables.products]
path = "in/*"
mode = "full"
key = ["id"]
"""
#: Its versions are kept, so older ones stand beside the level's latest.
PRODUCT = "SELECT p.id AS product_id, p.name AS product_name FROM bronze.erp__products AS p"
LEVEL = """SELECT p.id AS count_id, 'S1' AS location_id, p.id AS product_id, '2024-05-31' AS counted_date, p.level AS quantity
FROM bronze.erp__products AS p WHERE p.level <> 'unknown'"""


@pytest.mark.long
def test_only_lines_of_which_nothing_is_made_now_are_told(tmp_path: Path) -> None:
    (tmp_path / "systock.toml").write_text(SETTINGS)
    for entity, select in (("product", PRODUCT), ("stock_count", LEVEL)):
        (tmp_path / "sources/erp").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"sources/erp/{entity}.sql").write_text(select)
    (tmp_path / "in").mkdir()

    def told(day: int, *lines: str) -> list[str]:
        path = tmp_path / f"in/{day}.csv"
        path.write_text("\n".join(["id,name,level", *lines, ""]))
        os.utime(path, (1_700_000_000 + 86_400 * day,) * 2)
        return Project(tmp_path).run().warnings

    note = "1 line is in no stock_count, of bronze.erp__products: nothing to join with, or left out by the mapping"
    assert told(1, "a,Apple,5", "b,Pear,6", "c,Plum,unknown", "d,Fig,7", "e,Kiwi,8") == [note]
    # A level changes, a product goes, one is called otherwise while its level stays; one has a level now, one has none any more.
    assert told(2, "a,Apple,4", "c,Plum,1", "d,Green fig,7", "e,Kiwi,unknown") == [note]
