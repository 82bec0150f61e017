"""Hostile names and values: they are data, to the letter, and never SQL, paths or markup."""

from __future__ import annotations

import csv
import io
import sqlite3
from pathlib import Path

import pytest

from bad_project import AT, DAY_TWO, HEADER, Shop, good_shop, sale
from systock import Project

VALUES = [
    "'; DROP TABLE gold.fact_sale_line; --", "' OR '1'='1", '"; DELETE FROM silver.quarantine; --', "$$;$$", "{0} {} %s %(a)s ?",
    "a;b|c\td", "two\nlines", "carriage\rreturn", "[bold]rich[/bold] [/x]", "\u202eright to left", "😀 Größe ẞ", "../../etc/passwd",
    "NULL", "\\N", "${HOME}", "=1+1", "a,b", "'", '"', "\\", "-- x", "/* x */", "x" * 5000,
]  # fmt: skip


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return good_shop(tmp_path / "shop")


def _csv(rows: list[list[str]]) -> str:
    return "".join(",".join('"' + cell.replace('"', '""') + '"' if cell else "" for cell in row) + "\n" for row in rows)


def _sale(**values: str) -> list[str]:
    names = HEADER.strip().split(",")
    return [
        (
            {
                "line": "1",
                "store": "S1",
                "product": "P1",
                "sold_at": AT,
                "quantity": "2",
                "price": "1",
                "changed_at": AT,
            }
            | values
        ).get(n, "")
        for n in names
    ]


def test_values_arrive_to_the_letter_and_do_nothing(shop: Shop) -> None:
    names = HEADER.strip().split(",")
    text = _csv([names, *(_sale(receipt=value, product=value) for value in VALUES)])
    shop.put("pos_sales_2.csv", text)
    shop.run()
    shop.is_whole(pos_sales_2=text)
    found = (
        Project(shop.path)
        .query("SELECT sale_id, product_id FROM gold.fact_sale_line WHERE product_key = 0")
        .to_pylist()
    )
    assert sorted((row["sale_id"], row["product_id"]) for row in found) == sorted((value, value) for value in VALUES)
    assert shop.systock("check").code == 0


def test_values_that_are_set_aside_are_shown_and_do_nothing(shop: Shop) -> None:
    names = HEADER.strip().split(",")
    shop.put(
        "pos_sales_2.csv", _csv([names, *(_sale(receipt=f"2-{n}", quantity=value) for n, value in enumerate(VALUES))])
    )
    shop.run()
    shop.is_whole()
    assert [value for _, _, _, _, value in shop.set_aside()] == VALUES
    listed = shop.systock("quarantine", "list", "--format", "json")
    assert listed.code == 0
    for number in range(1, len(VALUES) + 1):
        assert shop.systock("quarantine", "show", str(number)).code == 0
    for option, code in (("--source", 2), ("--entity", 2), ("--rule", 0)):  # a name that is not there is told
        assert shop.systock("quarantine", "list", option, "x' OR '1'='1").code == code


FILE_NAMES = [
    "quote's",
    'double"quote',
    "semi;colon",
    "two\nlines",
    "Größe 😀",
    "per%cent",
    "q?mark",
    "[a]",
    "#hash",
    "\u202ertl",
    "a b",
    "x" * 200,
]


def test_file_names_are_only_names(shop: Shop) -> None:
    good = {}
    for number, name in enumerate(FILE_NAMES, 2):
        good[f"pos_sales_{name}.csv"] = HEADER + sale(f"{number}-1")
        shop.put(f"pos_sales_{name}.csv", good[f"pos_sales_{name}.csv"] + sale(f"{number}-2", quantity="x"))
    ran = shop.run()
    shop.is_whole(**good)
    assert {file for file, *_ in shop.set_aside()} == set(good)
    for call in (["quarantine", "list"], ["batches"], ["batches", "--format", "csv"], ["status"]):
        assert shop.systock(*call).code == 0
    assert "two\nlines" not in ran.out
    read = csv.DictReader(io.StringIO(shop.systock("batches", "--format", "csv").out))
    assert {Path(row["path"]).name for row in read} >= set(good)


def test_a_file_name_that_is_no_text_is_refused(shop: Shop) -> None:
    import os

    path = os.fsencode(shop.path / "incoming") + b"/pos_sales_\xff.csv"
    with open(path, "wb") as file:
        file.write(DAY_TWO.encode())
    shop.put("pos_sales_2.csv", DAY_TWO)
    ran = shop.run()
    assert "not valid text" in ran.out and "Rename the file" in ran.out
    shop.is_whole(pos_sales_2=DAY_TWO)


COLUMN_NAMES = [
    "_row", "_file", "_batch_no", "_malformed", "_reason", "_extracted_at", "it's", 'double"quote', "two words", "semi;colon", "Größe",
    "select", "a,b", "two\nlines", "", "", "RECEIPT", "same", "same", "same_2", "{0}", "--", "x" * 300, "a.b", "'; DROP TABLE x; --",
]  # fmt: skip


def test_hostile_column_names_do_no_harm(shop: Shop) -> None:
    names = HEADER.strip().split(",")
    rows = [[*names, *COLUMN_NAMES], [*_sale(receipt="2-1"), *(f"v{n}" for n in range(len(COLUMN_NAMES)))]]
    shop.put("pos_sales_2.csv", _csv(rows))
    shop.run()
    shop.is_whole(pos_sales_2=HEADER + sale("2-1", price="1"))
    with sqlite3.connect(shop.path / ".systock/bronze/landing.sqlite") as log:
        [(columns,)] = log.execute("SELECT columns FROM column_sets ORDER BY no DESC LIMIT 1").fetchall()
    assert '"_row_"' in columns


def test_a_mapping_reads_columns_of_any_name(shop: Shop) -> None:
    shop.replace(
        "sources/pos/sale_line.sql", "unit AS unit", '"the ""unit"" it\'s _row" AS unit, _row_ AS promotion_id'
    )
    header = HEADER.strip().replace("unit", '"the ""unit"" it\'s _row"') + ",_row\n"
    shop.put("pos_sales_2.csv", header + sale("2-1", unit="pcs").strip() + ",R7\n")
    shop.run()
    shop.sums_up()
    query = "SELECT promotion_id FROM silver.sale_line WHERE sale_id = '2-1'"
    assert Project(shop.path).query(query).to_pylist() == [{"promotion_id": "R7"}]


def test_json_that_is_no_list_of_rows(shop: Shop) -> None:
    good = '{"code": "P7", "name": "x", "cost": "1", "unit": "pcs", "changed_at": "2024-01-01T00:00:00+00:00"}\n'
    shop.put("erp_products_2.jsonl", good + '{"code": "P8", "name": \n[1, 2]\n"text"\n' + good.replace("P7", "P9"))
    shop.put(
        "erp_products_3.jsonl",
        good.replace("P7", "P6").replace('"x"', '{"de": "\'; DROP", "_row": [1, null, "\\u0000"]}'),
    )
    shop.run()
    shop.sums_up()
    assert {(file, row) for file, row, *_ in shop.set_aside()} >= {
        ("erp_products_2.jsonl", 2),
        ("erp_products_2.jsonl", 3),
        ("erp_products_2.jsonl", 4),
    }
    codes = Project(shop.path).query("SELECT DISTINCT product_id FROM silver.product").to_pylist()
    assert {row["product_id"] for row in codes} >= {"P0", "P1", "P2", "P7", "P9"}


def test_queries_cannot_change_what_is_published(shop: Shop) -> None:
    before, others = shop.published(), shop.files(".")
    for sql in (
        "DROP TABLE gold.fact_sale_line", "DELETE FROM gold.fact_sale_line", "SELECT 1; DROP TABLE gold.fact_sale_line",
        "SELECT FROM WHERE", "SELECT no_such FROM gold.fact_sale_line", "SELECT * FROM gold.no_such", "", "ATTACH 'x.duckdb'",
    ):  # fmt: skip
        ran = shop.systock("query", sql)
        assert ran.code != 0 and "Traceback" not in ran.err, (sql, ran)
    assert shop.published() == before
    assert shop.files(".") == others
    assert "no_such" in shop.systock("query", "SELECT no_such FROM gold.fact_sale_line").err
