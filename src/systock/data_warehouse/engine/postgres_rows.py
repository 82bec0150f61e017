"""Which rows of a table belong to a place, as a condition of PostgreSQL that holds for the places that a role may see.

Which those are stands in `systock.visible_location` (see load/row_access.py). What the condition reads beside it is read with
the rights of whoever asks.
"""

from __future__ import annotations

from systock.data_warehouse.engine.postgres_ddl import name_sql, qualified_sql
from systock.data_warehouse.table_file import TableFile
from systock.sql_text import quoted

#: What a table's columns call a place, before `location_durable_key` and `location_id`: of a transfer either end will do.
_ENDS = ("", "from_", "to_")
#: Lists that belong to no place, and whose rows tell nothing of one.
_LISTS = (
    "gold.cost_group", "gold.exchange_rate_day", "gold.last_day", "gold.product_component", "gold.product_component__versions",
    "silver.period_close__versions", "snapshot.taken",
)  # fmt: skip
#: What goods on their way are worth is posted at both ends of a transfer: whoever sees the transfer sees all of it.
_TRANSFERS = (
    "\"posting_kind\" IN ('transfer', 'transit_loss') AND \"transfer_id\" IN "
    '(SELECT line.source_name || \'/\' || line.transfer_id FROM "gold"."fact_transfer_line" AS line)'
)
#: Entries of the stock ledger, whose place a table without one is asked for by `ledger_entry_key`.
_LEDGER, _ENTRY = "gold.stock_ledger", "ledger_entry_key"


def place_condition(table: TableFile) -> str:
    """The condition under which a role with places of its own sees a row; '' where it sees all.

    By the key of the place; else by its code and the source whose code it is; else by the code alone, if the role sees every place
    of that code. A place that is not known is nobody's. What names no place is seen by all where it is a dimension, a list or
    meta, and by none of these roles otherwise: it would be a sum over places that they may not see.
    """
    keys = _named(table, "location_durable_key")
    if table.qualified == "gold.dim_location":
        return f"{_key(keys[0])} OR {name_sql(keys[0])} = 0"
    if table.qualified == "gold.stock_cost":
        return f"{_key(keys[0])} OR {_TRANSFERS}"
    if keys:
        return " OR ".join(map(_key, keys))
    codes = _named(table, "location_id")
    if codes and "location_source_name" in table.column_names:
        return " OR ".join(
            f"({name_sql('location_source_name')}, {name_sql(code)}) IN ({_visible('v.source_name, v.location_id')})"
            for code in codes
        )
    if codes:
        return " OR ".join(f"{name_sql(code)} IN ({_visible('v.location_id')} AND v.is_whole_code)" for code in codes)
    if _ENTRY in table.column_names:
        entry = ".".join(map(quoted, _LEDGER.split(".")))
        return f"EXISTS (SELECT FROM {entry} AS e WHERE e.{quoted(_ENTRY)} = {qualified_sql(table)}.{name_sql(_ENTRY)})"
    is_list = table.schema == "meta" or table.name.startswith("dim_") or table.qualified in _LISTS
    return "" if is_list else "false"


def _named(table: TableFile, ending: str) -> list[str]:
    return [name for end in _ENDS if (name := end + ending) in table.column_names]


def _key(column: str) -> str:
    # An array is made once per query, and an index can be asked for it.
    return f"{name_sql(column)} = ANY (ARRAY({_visible('v.location_durable_key')}))"


def _visible(columns: str) -> str:
    # Of a role that was dropped there is no number: nobody has it.
    return (
        f"SELECT {columns} FROM systock.visible_location AS v "
        "WHERE pg_has_role(CAST(to_regrole(quote_ident(v.role_name)) AS oid), 'USAGE')"
    )
