"""The indexes that tables in PostgreSQL have beside their primary keys (measured: docs/decisions/15-postgres-schema.md)."""

from __future__ import annotations

from collections.abc import Iterator

from systock.data_warehouse.portable_sql import postgres_name
from systock.data_warehouse.table_file import TableFile
from systock.sql_text import quoted

#: The days that questions ask about: of what happened, and of what holds from then on.
_DAYS = ("business_date", "from_date")
#: The day on which something holds no more: what holds on a late day is found by it, as what holds on an early one is by its first.
_UNTIL = "to_date"
_PLACE, _PRODUCT = "location_durable_key", "product_durable_key"
#: The sale that a return takes back: its returns are looked for by it, and there are few of one sale.
_RETURNED = "original_sale_id"
#: A text is in an index by its first so many characters, which always fit; questions name them as `serve.returns` does.
_BEGINNING = 200
#: References to these: the calendar and lists of kinds, whose rows do not go while facts name them.
_NEVER_GONE = ("gold.dim_date", "gold.dim_channel", "gold.dim_movement_kind")


def indexes_of(table: TableFile) -> tuple[tuple[str, ...], ...]:
    """The columns of each index, in order: what questions choose rows by, and what a dimension's row is looked for by when it goes.

    Only of gold: all else is small, or asked by its key.
    """
    if table.schema != "gold":
        return ()
    return tuple(dict.fromkeys(columns for columns in _wanted(table) if columns != table.primary_key[: len(columns)]))


def index_definition(table: TableFile, columns: tuple[str, ...]) -> str:
    """What follows ON and the table in the statement that makes an index.

    A B-tree refuses a text that compressed takes more than 2,704 bytes, and with it the whole publication. So the sale that a
    return names is there by its beginning; a text that refers to a dimension is there by its hash, as PostgreSQL itself looks for it.
    """
    names = ", ".join(quoted(postgres_name(name)) for name in columns)
    if columns == (_RETURNED,):
        return f"(left({names}, {_BEGINNING}))"
    types = {column.name: column.type for column in table.columns}
    return f"USING hash ({names})" if any(types[name] == "text" for name in columns) else f"({names})"


def _wanted(table: TableFile) -> Iterator[tuple[str, ...]]:
    names = table.column_names
    day = next((name for name in _DAYS if name in names), None)
    if day and _PLACE in names:
        yield (_PLACE, day)
        if _UNTIL in names:
            yield (_PLACE, _UNTIL)
    if day == "business_date":
        yield (day,)
    if _PRODUCT in names:
        yield (_PRODUCT,)
    if _RETURNED in names:
        yield (_RETURNED,)
    yield from ((reference.column,) for reference in table.references if reference.table not in _NEVER_GONE)
