"""Columns with capitals, spaces and dots, quoted as the file writes them, in mappings that read stored lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from systock import Project
from systock.errors import DefinitionError

SETTINGS = """[project]
name = "quoted"
[sources.erp]
type = "files"
[sources.erp.tables.products]
path = "incoming/products.csv"
mode = "full"
key = ["Artikel-Nr."]
[sources.erp.tables.prices]
path = "incoming/prices.csv"
mode = "full"
key = ["Artikel-Nr."]
"""
MAPPINGS = {
    "one table": """SELECT "Artikel-Nr." AS product_id, "Bezeichnung 1" AS product_name, NULL AS list_price_amount
        FROM bronze.erp__products""",
    "a join": """SELECT p."Artikel-Nr." AS product_id, p."Bezeichnung 1" AS product_name, q."VK Preis" AS list_price_amount
        FROM bronze.erp__products AS p LEFT JOIN bronze.erp__prices AS q ON q."Artikel-Nr." = p."Artikel-Nr.\"""",
    "a CTE": """WITH "Preise" AS (SELECT q."Artikel-Nr." AS "Nr.", q."VK Preis" AS "Preis" FROM bronze.erp__prices AS q)
        SELECT p."Artikel-Nr." AS product_id, p."Bezeichnung 1" AS product_name, "Preise"."Preis" AS list_price_amount
        FROM bronze.erp__products AS p LEFT JOIN "Preise" ON "Preise"."Nr." = p."Artikel-Nr.\"""",
}


def project(folder: Path, mapping: str) -> Project:
    (folder / "incoming").mkdir()
    (folder / "sources" / "erp").mkdir(parents=True)
    (folder / "systock.toml").write_text(SETTINGS, encoding="utf-8")
    (folder / "sources/erp/product.sql").write_text(mapping, encoding="utf-8")
    (folder / "incoming/products.csv").write_text("Artikel-Nr.,Bezeichnung 1\nA,Tee\n", encoding="utf-8")
    (folder / "incoming/prices.csv").write_text("Artikel-Nr.,VK Preis\nA,2.50\n", encoding="utf-8")
    return Project(folder)


@pytest.mark.parametrize("name", MAPPINGS)
def test_a_column_is_read_as_the_file_writes_it(tmp_path: Path, name: str) -> None:
    made = project(tmp_path, MAPPINGS[name])
    made.run()
    [row] = made.query(
        "SELECT product_id, product_name, list_price_amount FROM gold.dim_product WHERE product_key <> 0"
    ).to_pylist()
    price = row.pop("list_price_amount")
    assert row == {"product_id": "A", "product_name": "Tee"}
    assert (price is None) if name == "one table" else (str(price) == "2.5000")


def test_a_column_that_can_not_be_resolved_is_told_with_its_mapping_and_line(tmp_path: Path) -> None:
    mapping = MAPPINGS["a CTE"].replace('"Preise"."Preis"', '"Preise"."Prais"')
    with pytest.raises(DefinitionError) as caught:
        project(tmp_path, mapping).run()
    assert (caught.value.where or "").endswith("sources/erp/product.sql:2") and "prais" in caught.value.what
    assert caught.value.todo
