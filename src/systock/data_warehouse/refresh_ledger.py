"""The stock ledger's refresh: per stock, from the earliest touched instant on, starting from the balance before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlglot import exp

from systock.data_warehouse.portable_sql import compile_sql, compile_text
from systock.data_warehouse.table_file import TableFile

ENTRIES, LEDGER = "gold.stock_entry", "gold.stock_ledger"
#: The relation that stands for the entries while a part of the ledger is computed.
_SUFFIX = "ledger_suffix"

_SAME = """{0}.product_durable_key = t.product_durable_key AND {0}.location_durable_key = t.location_durable_key
            AND {0}.stock_status = t.stock_status"""

# A stock starts at zero if any of its entries says so: the first one to say it, or the last to have said it, moves its beginning.
_TOUCHED = f"""
    WITH moved AS (
        SELECT product_durable_key, location_durable_key, stock_status, MIN(occurred_at) AS from_at,
            MAX(CASE WHEN starts_at_zero THEN 1 ELSE 0 END) AS starts_at_zero
        FROM gold_stock_entry_changed
        GROUP BY product_durable_key, location_durable_key, stock_status
    ),

    said_before AS (
        SELECT DISTINCT entry.product_durable_key, entry.location_durable_key, entry.stock_status
        FROM {ENTRIES} AS entry
        INNER JOIN moved AS t ON {_SAME.format("entry")}
        WHERE entry.starts_at_zero AND t.starts_at_zero = 1 AND entry.occurred_at < t.from_at
    )

    SELECT t.product_durable_key, t.location_durable_key, t.stock_status,
        CASE WHEN t.starts_at_zero = 1 AND said.stock_status IS NULL THEN TIMESTAMPTZ '0001-01-01 00:00:00+00' ELSE t.from_at END AS from_at
    FROM moved AS t
    LEFT JOIN said_before AS said ON {_SAME.format("said")}"""

# The balance of the last entry before, where it is known, comes as an entry that sets it.
_CARRIED = f"""
    SELECT
        old.ledger_entry_key, 'carried' AS entry_kind, old.entity, old.source_name, old.entry_id, old.product_durable_key, old.product_id,
        old.location_durable_key, old.location_id, old.stock_status, old.occurred_at, old.business_date, old.entry_order,
        NULL AS movement_kind, 0 AS quantity_units, old.balance_after_units AS counted_units, TRUE AS is_stocked, FALSE AS starts_at_zero
    FROM {LEDGER} AS old
    WHERE old.balance_after_units IS NOT NULL AND old.rowid IN (
        SELECT arg_max(old.rowid, (old.occurred_at, old.entry_order, old.ledger_entry_key))
        FROM {LEDGER} AS old
        INNER JOIN touched AS t ON {_SAME.format("old")} AND old.occurred_at < t.from_at
        GROUP BY old.product_durable_key, old.location_durable_key, old.stock_status
    )"""


def compile_ledger(table: TableFile) -> dict[str, Any]:
    """How the ledger is refreshed: {touched: each stock and its instant, then: what makes the entries to post, stale, fresh}."""
    columns = [
        "ledger_entry_key", "entry_kind", "entity", "source_name", "entry_id", "product_durable_key", "product_id",
        "location_durable_key", "location_id", "stock_status", "occurred_at", "business_date", "entry_order", "movement_kind",
        "quantity_units", "counted_units", "is_stocked", "starts_at_zero",
    ]  # fmt: skip
    since = f"{_SAME.format('old')} AND old.occurred_at >= t.from_at"
    return {
        "whole": None,
        "touched": {ENTRIES: [compile_text(_TOUCHED)]},
        "then": [
            f"CREATE OR REPLACE TEMP TABLE {_SUFFIX} AS {rows_that_match(ENTRIES, columns, since)} UNION ALL {_CARRIED}"
        ],
        "stale": rows_that_match(LEDGER, table.column_names, since),
        "fresh": compile_reading(table, {ENTRIES: _SUFFIX}),
    }


def compile_reading(table: TableFile, parts: Mapping[str, str]) -> str:
    """The table's SELECT, with relations (by table) that hold a part of its inputs in their place."""
    assert table.select is not None
    select = table.select.copy()
    for read in select.find_all(exp.Table):
        if part := parts.get(f"{read.db}.{read.name}"):
            read.this.set("this", part)
            read.set("db", None)
    return compile_sql(select, zones_defined=True)


def rows_that_match(table: str, columns: Sequence[str], condition: str, touched: str = "touched") -> str:
    """The rows of a stored table (`old`) that match a row of `touched` (`t`).

    The condition: equalities and instants, of which the engine makes filters of the scan, so that it reads few other columns.
    """
    chosen = ", ".join(f'old."{name}"' for name in columns) or "old.*"
    return f"SELECT {chosen} FROM {table} AS old SEMI JOIN {touched} AS t ON {condition}"
