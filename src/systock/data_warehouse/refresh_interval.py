"""The stock intervals' refresh where only the ledger and its costs moved: per stock, from the first touched day on.

What a day says hangs on the last entry and the last posting of the days up to it. The interval that holds before the first touched day
tells both, and comes as an entry and a posting of its own first day. Postings are found by their instant, two days before at most: of
those days nothing changed, and the same interval comes out. By standard cost nothing is posted, and the cost is that of the product.
"""

from __future__ import annotations

from typing import Any

from systock.data_warehouse.refresh_cost import COSTS
from systock.data_warehouse.refresh_ledger import LEDGER, compile_reading, rows_that_match
from systock.data_warehouse.table_file import TableFile

INTERVALS = "gold.fact_stock_interval"

_STOCK = ("product_durable_key", "location_durable_key", "stock_status")
_SAME = " AND ".join(f"old.{name} = t.{name}" for name in _STOCK)
_KEYS = ", ".join(_STOCK)

_FIRST_DAY = {
    LEDGER: f"SELECT {_KEYS}, business_date AS from_date FROM gold_stock_ledger_changed",
    COSTS: f"SELECT {_KEYS}, CAST(occurred_at AT TIME ZONE 'UTC' AS date) - 2 AS from_date FROM gold_stock_cost_changed",
}

# Per stock its first touched day, and the first day of the interval that holds before it, if there is one.
_FIRST_TOUCHED = f"""
    SELECT t.*, MAX(old.from_date) AS held_from_date
    FROM (SELECT {_KEYS}, MIN(from_date) AS from_date FROM found GROUP BY {_KEYS}) AS t
    LEFT JOIN {INTERVALS} AS old ON {_SAME} AND old.from_date < t.from_date
    GROUP BY ALL"""

_ENTRY = (
    *_STOCK, "product_id", "location_id", "business_date", "occurred_at", "entry_order", "ledger_entry_key", "balance_after_units",
)  # fmt: skip
_POSTING = (
    *_STOCK, "business_date", "occurred_at", "entry_order", "ledger_entry_key", "posting_no", "unit_cost_after_amount",
    "value_after_amount", "currency_code",
)  # fmt: skip

_CARRIED = f"""
    CREATE OR REPLACE TEMP TABLE interval_carried AS
    SELECT old.*, old.from_date AS business_date, CAST(old.from_date AS timestamptz) AS occurred_at, 0 AS entry_order,
        CAST('00000000-0000-0000-0000-000000000000' AS uuid) AS ledger_entry_key, 0 AS posting_no,
        old.on_hand_units AS balance_after_units, old.unit_cost_amount AS unit_cost_after_amount, old.value_amount AS value_after_amount
    FROM {INTERVALS} AS old INNER JOIN touched AS t ON {_SAME} AND old.from_date = t.held_from_date"""


def compile_intervals(table: TableFile) -> dict[str, Any]:
    """How the intervals are refreshed from the first touched day on, when nothing but the tables of `follows` changed, by how stock is valued."""
    parts = (
        ("interval_entry", LEDGER, _ENTRY, "old.business_date >= t.from_date"),
        ("interval_posting", COSTS, _POSTING, "old.occurred_at >= CAST(t.from_date - 2 AS timestamptz)"),
    )
    return {
        "whole": None,
        "follows": {"standard": [LEDGER], "posted": [LEDGER, COSTS, "gold.dim_product"]},  # of a product only its standard cost is read
        "touched": {name: [query] for name, query in _FIRST_DAY.items()},
        "gather": _FIRST_TOUCHED,
        "then": [_CARRIED] + [
            f"CREATE OR REPLACE TEMP TABLE {part} AS {rows_that_match(source, columns, f'{_SAME} AND {since}')} "
            f"UNION ALL SELECT {', '.join(columns)} FROM interval_carried"
            for part, source, columns, since in parts
        ],
        "stale": rows_that_match(
            INTERVALS, table.column_names, f"{_SAME} AND old.from_date >= COALESCE(t.held_from_date, t.from_date)"
        ),
        "fresh": compile_reading(table, {source: part for part, source, _, _ in parts}),
    }  # fmt: skip
