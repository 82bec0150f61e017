"""Totals of a warehouse, SyStock's or the bare script's: both sides must have done the same work."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import duckdb

# The tables and columns that are read have the same names on both sides.
_TOTALS = """
SELECT
    (SELECT count(*) FROM fact_sale_line) AS sale_lines,
    (SELECT sum(quantity_units) FROM fact_sale_line WHERE is_counted) AS units,
    (SELECT sum(net_amount) FROM fact_sale_line WHERE is_counted) AS net_amount,
    (SELECT sum(cost_amount) FROM fact_sale_line WHERE is_counted) AS cost_amount,
    (SELECT sum(net_amount * (business_date - DATE '2025-01-01')) FROM fact_sale_line) AS net_amount_by_day,
    (SELECT count(DISTINCT product_key) FROM fact_sale_line) AS product_versions_sold,
    (SELECT count(*) FROM fact_stock_movement) AS movements,
    (SELECT sum(quantity_units) FROM fact_stock_movement) AS moved_units,
    (SELECT sum(cost_amount) FROM fact_stock_movement) AS moved_cost_amount,
    (SELECT sum(on_hand_after_units) FROM fact_stock_movement) AS running_balances,
    (SELECT count(*) FROM fact_stock_interval) AS stock_intervals,
    (SELECT sum(on_hand_units * (least(to_date, DATE '2026-02-01') - from_date)) FROM fact_stock_interval) AS unit_days,
    (SELECT sum(on_hand_units) FROM fact_stock_interval WHERE to_date = DATE '9999-12-31') AS on_hand,
    (SELECT sum(value_amount) FROM fact_stock_interval WHERE to_date = DATE '9999-12-31') AS stock_value
"""


def totals(warehouse: Path) -> dict[str, str]:
    """Name and value of every total, the values as exact decimals in text."""
    with duckdb.connect(str(warehouse), read_only=True) as db:
        schemas = {
            name
            for (name,) in db.execute(
                "SELECT schema_name FROM duckdb_schemas() WHERE database_name = current_database()"
            ).fetchall()
        }
        if "gold" in schemas:
            db.execute("SET schema = 'gold'")
        found = db.execute(_TOTALS)
        names = [column[0] for column in found.description or ()]
        [values] = found.fetchall()
    return {name: str(value) for name, value in zip(names, values, strict=True)}


def main() -> None:
    """Print the totals of a warehouse as JSON."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("warehouse", type=Path)
    print(json.dumps(totals(parser.parse_args().warehouse)))


if __name__ == "__main__":
    main()
