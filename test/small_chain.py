"""A small project that tests fill with deliveries: a till, an ERP, a web shop with header and lines, and counts."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

from systock import Project
from systock.pipeline_manager.definitions import Definitions

SETTINGS = """
[project]
name = "small"
currency = "EUR"
timezone = "Europe/Berlin"
calendar_from = 2023-12-01
calendar_to = 2024-12-31

[sources.pos]
type = "files"
known_at = "{known_at}"
moves_stock = true
codes_of = {{ product = "erp", location = "erp" }}
[sources.pos.tables.sales]
path = "incoming/pos_sales_*.csv"
mode = "changes"
key = ["receipt", "line"]
updated_at = "changed_at"

[sources.erp]
type = "files"
known_at = "{known_at}"
[sources.erp.tables.products]
path = "incoming/erp_products_*.jsonl"
mode = "changes"
key = ["code"]
updated_at = "changed_at"
[sources.erp.tables.locations]
path = "incoming/erp_locations_*.csv"
mode = "full"
key = ["code"]
[sources.erp.tables.movements]
path = "incoming/erp_movements_*.csv"
mode = "changes"
key = ["document"]
updated_at = "changed_at"
[sources.erp.tables.units]
path = "incoming/erp_units_*.csv"
mode = "changes"
key = ["code", "unit"]

[sources.shop]
type = "files"
known_at = "{known_at}"
codes_of = {{ product = "erp", location = "erp" }}
[sources.shop.tables.orders]
path = "incoming/shop_orders_*.csv"
mode = "changes"
key = ["order_id"]
updated_at = "changed_at"
[sources.shop.tables.lines]
path = "incoming/shop_lines_*.csv"
mode = "changes"
key = ["order_id", "line"]
updated_at = "changed_at"

[sources.counts]
type = "files"
known_at = "{known_at}"
codes_of = {{ product = "erp", location = "erp" }}
[sources.counts.tables.counts]
path = "incoming/counts_counts_*.csv"
mode = "append"
"""

MAPPINGS = {
    "pos/sale_line": """SELECT receipt AS sale_id, line AS line_no, store AS location_id, product AS product_id, sold_at AS sold_at,
        quantity AS quantity, unit AS unit, price AS unit_price_amount, changed_at AS updated_at
        FROM bronze.pos__sales WHERE COALESCE(status, '') <> 'draft'""",
    "erp/product": """SELECT code AS product_id, name AS product_name, cost AS standard_cost_amount, unit AS base_unit, changed_at AS updated_at
        FROM bronze.erp__products""",
    "erp/location": "SELECT code AS location_id, name AS location_name, zone AS timezone FROM bronze.erp__locations",
    "erp/stock_movement": """SELECT document AS movement_id, store AS location_id, product AS product_id, at AS occurred_at, kind AS movement_kind,
        quantity AS quantity, changed_at AS updated_at FROM bronze.erp__movements""",
    "erp/product_unit": "SELECT code AS product_id, unit AS unit, factor AS base_units FROM bronze.erp__units",
    "shop/sale_line": """SELECT l.order_id AS sale_id, l.line AS line_no, 'S1' AS location_id, l.product AS product_id, o.ordered_at AS sold_at,
        l.quantity AS quantity, l.price AS unit_price_amount FROM bronze.shop__lines AS l JOIN bronze.shop__orders AS o ON o.order_id = l.order_id""",
    "counts/stock_count": """SELECT store || '/' || product || '/' || day AS count_id, store AS location_id, product AS product_id, day AS counted_date,
        quantity AS quantity FROM bronze.counts__counts""",
}

#: The columns of each table's files, in order.
COLUMNS = {
    "pos_sales": [
        "receipt",
        "line",
        "store",
        "product",
        "sold_at",
        "quantity",
        "unit",
        "price",
        "status",
        "changed_at",
    ],
    "erp_products": ["code", "name", "cost", "unit", "changed_at"],
    "erp_locations": ["code", "name", "zone"],
    "erp_movements": ["document", "store", "product", "at", "kind", "quantity", "changed_at"],
    "erp_units": ["code", "unit", "factor"],
    "shop_orders": ["order_id", "ordered_at", "changed_at"],
    "shop_lines": ["order_id", "line", "product", "quantity", "price", "changed_at"],
    "counts_counts": ["store", "product", "day", "quantity"],
}


def make_project(folder: Path, known_at: str = "landing") -> Path:
    """Write the project's settings and mappings into `folder`."""
    return write_project(folder, SETTINGS.format(known_at=known_at), MAPPINGS)


def write_project(folder: Path, settings: str, mappings: Mapping[str, str]) -> Path:
    """Write settings and mappings (by source/entity) into a new folder, with one for deliveries."""
    (folder / "incoming").mkdir(parents=True)
    (folder / "systock.toml").write_text(settings)
    for name, sql in mappings.items():
        path = folder / "sources" / f"{name}.sql"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(sql + "\n")
    return folder


def deliver(
    project: Path,
    table: str,
    rows: Iterable[Sequence[str] | Mapping[str, str]],
    name: str,
    modified: float | None = None,
) -> Path:
    """Drop one file of a table into incoming/, whole at once, with a stated modification time."""
    columns = COLUMNS[table]
    lines = [dict(zip(columns, row, strict=False)) if not isinstance(row, Mapping) else dict(row) for row in rows]
    if table == "erp_products":
        path = project / "incoming" / f"{table}_{name}.jsonl"
        text = "".join(json.dumps(line) + "\n" for line in lines)
    else:
        path = project / "incoming" / f"{table}_{name}.csv"
        text = (
            "\n".join([",".join(columns), *(",".join(str(line.get(c, "")) for c in columns) for line in lines)]) + "\n"
        )
    aside = path.with_name(f".{path.name}")
    aside.write_text(text)
    moment = modified if modified is not None else path.stat().st_mtime if path.exists() else 1_704_067_200.0
    os.utime(aside, (moment, moment))
    aside.rename(path)
    return path


def compile_ahead(project: Path) -> None:
    """Put the compiled SQL beside a project before it runs, for the processes that a test starts: each would take seconds to make it."""
    _compile_all()
    definitions = Definitions(project, Project(project).settings)
    book = definitions.book
    for edition, key in list(book._made):
        if edition == book._edition and not key.startswith("mappings "):
            book.get(key, dict)
    assert definitions.mapping_sql
    (project / ".systock").mkdir(exist_ok=True)
    book.save()


@cache
def _compile_all() -> None:
    """Have this process compile what a first run, one after it and closes need; from then on it remembers."""
    with tempfile.TemporaryDirectory(prefix="systock_") as folder:
        project = make_project(Path(folder) / "small")
        for number, price in enumerate(("1.50", "2.50")):
            at = "2024-03-01T10:00:00+00:00"
            deliver(project, "pos_sales", [("1", "1", "S1", "P1", at, "2", "", price, "", at)], f"{number}")
            Project(project).run()
        Project(project).snapshot_take("sales", "2024-03-01")


def take_compiled(made: Path, project: Path) -> None:
    """Take over the compiled SQL of a project that ran: it depends on SyStock's own tables alone, and takes seconds to make."""
    (project / ".systock").mkdir()
    shutil.copy(made / ".systock" / "compiled.json", project / ".systock")
