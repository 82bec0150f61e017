"""Two raw tables of a source feed one entity by a UNION ALL: each row keeps the line that it stands for, however they land."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path

from real_data.warehouse import differing, gold_hashes
from small_chain import write_project
from systock import Project

SETTINGS = """
[project]
name = "shop"
calendar_from = 2024-01-01
calendar_to = 2024-12-31

[sources.shop]
type = "files"
[sources.shop.tables.lines]
path = "incoming/lines_*.csv"
mode = "changes"
key = ["id"]
updated_at = "changed_at"
[sources.shop.tables.refunds]
path = "incoming/refunds_*.csv"
mode = "changes"
key = ["id"]
updated_at = "changed_at"
"""
MAPPING = """
WITH told AS (
    SELECT lines.number AS sale_id, lines.line AS line_no, 'sale' AS sale_kind, lines.sku AS sku, lines.units AS units, lines.price AS price,
        lines.at AS at, CAST(NULL AS text) AS original_sale_id, CAST(NULL AS text) AS original_line_no, lines.changed_at AS changed_at
    FROM bronze.shop__lines AS lines
    UNION ALL
    SELECT refunds.refund, '1', 'return', refunds.sku, '-' || refunds.units, refunds.price,
        refunds.at, refunds.number, refunds.line, refunds.changed_at
    FROM bronze.shop__refunds AS refunds
)
SELECT sale_id, line_no, 'WEB' AS location_id, sku AS product_id, at AS sold_at, sale_kind, units AS quantity,
    price AS unit_price_amount, original_sale_id, original_line_no, changed_at AS updated_at
FROM told
"""
LINES = "id,number,line,sku,units,price,at,changed_at\n"
REFUNDS = "id,refund,number,line,sku,units,price,at,changed_at\n"
FILES = {
    "lines_1": LINES
    + "1,O1,1,A,2,5.00,2024-03-01T10:00:00Z,2024-03-01T10:00:00Z\n"
    + "2,O1,2,B,1,x3,2024-03-01T10:00:00Z,2024-03-01T10:00:00Z\n",
    "lines_2": LINES + "3,O2,1,A,3,5.00,2024-03-02T10:00:00Z,2024-03-02T10:00:00Z\n",
    "refunds_1": REFUNDS
    + "1,R1,O1,1,A,1,5.00,2024-03-05T10:00:00Z,2024-03-05T10:00:00Z\n"
    + "2,R2,O1,1,A,y,5.00,2024-03-05T10:00:00Z,2024-03-05T10:00:00Z\n",
    # R1 is corrected: both came back
    "refunds_2": REFUNDS + "1,R1,O1,1,A,2,5.00,2024-03-05T10:00:00Z,2024-03-06T10:00:00Z\n",
}


def load(folder: Path, *names: str) -> Project:
    """A project, with a run after each file."""
    project = Project(write_project(folder, SETTINGS, {"shop/sale_line": MAPPING}))
    for name in names:
        path = folder / "incoming" / f"{name}.csv"
        path.write_text(FILES[name])
        past = 1_704_067_200
        os.utime(path, (past, past))
        project.run()
    return project


def test_each_row_keeps_its_line(tmp_path: Path) -> None:
    project = load(tmp_path / "p", *FILES)
    rows = project.query(
        "SELECT sale_id, line_no, sale_kind, quantity_units, net_amount, original_sale_id FROM gold.fact_sale_line ORDER BY 1, 2"
    ).to_pylist()
    assert [tuple(row.values()) for row in rows] == [
        ("O1", "1", "sale", Decimal(2), Decimal(10), None),
        ("O2", "1", "sale", Decimal(3), Decimal(15), None),
        ("R1", "1", "return", Decimal(-2), Decimal(-10), "O1"),
    ]
    aside = {(row["file"], row["row"], row["value"]) for row in project.quarantine(10)}
    assert aside == {("incoming/lines_1.csv", 3, "x3"), ("incoming/refunds_1.csv", 3, "-y")}
    for key, file, row in (("O2", "incoming/lines_2.csv", 2), ("R1", "incoming/refunds_2.csv", 2)):
        explained = project.explain("gold.fact_sale_line", f"sale_id={key},line_no=1", "net_amount")
        counting = [line for line in explained["lines"] if line["part"] == "counts"]
        assert [(line["file"], line["row"]) for line in counting] == [(file, row)]
    assert [table["table"] for table in project.rebuild(verify=True)["tables"] if not table["same"]] == []


def test_the_order_of_landing_does_not_matter(tmp_path: Path) -> None:
    once = load(tmp_path / "once", *FILES)
    back = load(tmp_path / "back", *reversed(FILES))
    assert differing(gold_hashes(once.path), gold_hashes(back.path)) == {}


def test_one_of_them_may_never_have_come(tmp_path: Path) -> None:
    project = load(tmp_path / "p", "lines_1")
    assert project.query("SELECT SUM(net_amount) AS net FROM gold.fact_sale_line")["net"][0].as_py() == 10
