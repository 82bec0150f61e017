"""A project whose system is a live database: what changes and goes there changes and goes in the warehouse."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from systock.project import Project

_SETTINGS = """
[project]
name = "shop"
[sources.erp]
type = "database"
url = "sqlite:///erp.sqlite"
[sources.erp.tables.products]
mode = "changes"
key = ["id"]
{updated_at}
cursor = ["changed", "id"]
late_window = "1 hour"
deletes = "keys"
[sources.erp.tables.sales]
mode = "append"
key = ["receipt", "line"]
cursor = "no"
[sources.erp.tables.heads]
table = "sales"
mode = "changes"
key = ["no"]
deletes = "keys"
"""


class Erp:
    """The project and its database."""

    def __init__(self, path: Path, updated_at: str) -> None:
        self.path = path
        (path / "systock.toml").write_text(
            _SETTINGS.format(updated_at=f'updated_at = "{updated_at}"' if updated_at else "")
        )
        instant = (
            "local_to_utc(CAST(iso_timestamp(changed, '%Y-%m-%d %H:%M:%S') AS timestamp), 'Europe/Berlin') AS updated_at, "
            if updated_at
            else ""
        )
        self.mapping("product", f"SELECT id AS product_id, {instant}name AS product_name FROM bronze.erp__products")
        self.mapping(
            "sale_line",
            """SELECT receipt AS sale_id, line AS line_no, 'S1' AS location_id, sku AS product_id,
            sold_at AS sold_at_local, qty AS quantity, price AS unit_price_amount FROM bronze.erp__sales""",
        )
        self.db = sqlite3.connect(path / "erp.sqlite", isolation_level=None)
        self.db.execute("CREATE TABLE products (id TEXT PRIMARY KEY, name TEXT, changed TEXT)")
        self.db.execute("CREATE TABLE sales (no INTEGER PRIMARY KEY, receipt, line, sku, sold_at, qty, price)")

    def mapping(self, entity: str, sql: str) -> None:
        path = self.path / "sources" / "erp" / f"{entity}.sql"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(sql)

    def run(self) -> dict[str, Any]:
        Project(self.path).run()
        return dict(
            self.ask("SELECT product_id, product_name FROM gold.dim_product WHERE is_current AND product_key <> 0")
        )

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        return [tuple(row.values()) for row in Project(self.path).query(sql).to_pylist()]


@pytest.mark.parametrize("updated_at", ["changed", pytest.param("", marks=pytest.mark.long)])
def test_what_changes_goes_and_comes_back(tmp_path: Path, updated_at: str) -> None:
    erp = Erp(tmp_path, updated_at)
    # The source's wall clock is ahead of UTC, and of the extraction: still what goes later is gone.
    erp.db.execute(
        "INSERT INTO products VALUES ('A', 'one', '2999-01-01 10:00:00'), ('B', 'two', '2024-01-01 10:00:00')"
    )
    erp.db.execute("INSERT INTO sales VALUES (1, 'r1', 1, 'A', '2024-01-02 10:00:00', 2, 1.5)")
    assert erp.run() == {"A": "one", "B": "two"}
    assert erp.ask("SELECT net_amount FROM gold.fact_sale_line")[0][0] == 3
    erp.db.execute("DELETE FROM products")
    erp.db.execute("INSERT INTO products VALUES ('C', 'three', '2024-01-01 09:30:00')")
    assert erp.run() == {"C": "three"}
    before = Project(tmp_path).status()["generation"]
    assert erp.run() == {"C": "three"}
    assert Project(tmp_path).status()["generation"] == before
    # One comes back, and one as it was before it was changed last: behind the cursor, and by its own clock before it went.
    erp.db.execute(
        "INSERT INTO products VALUES ('B', 'again', '2999-02-01 10:00:00'), ('A', 'zero', '2024-01-01 08:00:00')"
    )
    assert erp.run() == {"A": "zero", "B": "again", "C": "three"}
    erp.db.execute("UPDATE products SET name = 'new', changed = '2999-03-01 10:00:00' WHERE id = 'C'")
    assert erp.run() == {"A": "zero", "B": "again", "C": "new"}
    assert all(table["same"] for table in Project(tmp_path).rebuild(verify=True)["tables"])
    assert not [row for row in Project(tmp_path).quarantine() if row["entity"] != "sale_line"]


def test_rows_that_were_deleted_leave_the_facts(tmp_path: Path) -> None:
    erp = Erp(tmp_path, "changed")
    erp.mapping(
        "sale_line",
        """SELECT receipt AS sale_id, line AS line_no, 'S1' AS location_id, sku AS product_id,
        sold_at AS sold_at_local, qty AS quantity, price AS unit_price_amount FROM bronze.erp__heads""",
    )
    for number in (1, 2, 3):
        erp.db.execute(f"INSERT INTO sales VALUES ({number}, 'r{number}', 1, 'A', '2024-01-02 10:00:00', 1, {number})")
    erp.run()
    assert erp.ask("SELECT sum(net_amount) FROM gold.fact_sale_line") == [(6,)]
    erp.db.execute("DELETE FROM sales WHERE no = 2")
    erp.run()
    assert erp.ask("SELECT sum(net_amount) FROM gold.fact_sale_line") == [(4,)]
    [known] = erp.ask("SELECT min(known_at) FROM meta.batch")
    assert Project(tmp_path).query(
        "SELECT sum(net_amount) AS net FROM gold.fact_sale_line", known_at=known[0].isoformat()
    ).to_pylist() == [{"net": 6}]
    erp.db.execute("INSERT INTO sales VALUES (2, 'r2', 1, 'A', '2024-01-02 10:00:00', 1, 5)")
    erp.run()
    assert erp.ask("SELECT sum(net_amount) FROM gold.fact_sale_line") == [(9,)]
