"""START_HERE.md word for word: what it tells a new user to type makes sales that stay."""

from __future__ import annotations

import re
import shutil
from decimal import Decimal
from pathlib import Path

from systock import Project
from systock.cli.app import main

PAGE = (Path(__file__).parents[2] / "START_HERE.md").read_text("utf-8")


def _block(first: str, last: str) -> str:
    """The indented block of the page between these two texts, both included."""
    found = re.search(rf"^    {re.escape(first)}.*?{re.escape(last)}$", PAGE, re.DOTALL | re.MULTILINE)
    assert found
    return re.sub(r"^    ", "", found[0], flags=re.MULTILINE) + "\n"


def test_receipt_numbers_that_begin_anew_every_day_replace_nothing(tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    assert main(["init", str(shop)]) == 0
    settings = (shop / "systock.toml").read_text("utf-8").partition("[sources.pos]")[0]
    recipe = _block("[sources.till]", 'key = ["Filiale", "Zeit", "Bon", "Pos"]')
    (shop / "systock.toml").write_text(settings + recipe, "utf-8")
    shutil.rmtree(shop / "sources" / "pos")
    (shop / "sources" / "till").mkdir()
    (shop / "sources" / "till" / "sale_line.sql").write_text(_block("SELECT\n        Filiale", "till__lines"), "utf-8")
    (shop / "incoming" / "till").mkdir()
    day = _block("Bon;Pos", "12,50")
    for name, text in (("2024-05-31", day), ("2024-06-01", day.replace("31.05.", "01.06."))):
        (shop / "incoming" / "till" / f"{name}.csv").write_text(text, "utf-8")
        Project(shop).run()
    found = Project(shop).query(
        "SELECT business_date, sum(net_amount) AS net FROM gold.fact_sale_line GROUP BY 1 ORDER BY 1"
    )
    assert found.column("net").to_pylist() == [Decimal("16.48"), Decimal("16.48")]
