"""Queries that others write: what may be asked of a published file, and the answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from systock.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa

    from systock.data_warehouse.engine.base import Engine


def check_reading(sql: str) -> None:
    """Raise UsageError unless it is one statement that only reads."""
    import duckdb

    try:
        sql.encode()
    except UnicodeEncodeError:  # bytes of a command line that are no text arrive as halves of characters
        raise UsageError(
            "a query is text, and this one holds bytes that are not UTF-8",
            where="query",
            todo="Write it in UTF-8; nothing was run.",
        ) from None
    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error:
        return  # the engine says better what is wrong when it runs
    reading = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
    if len(statements) != 1 or statements[0].type not in reading:
        raise UsageError("a query is exactly one SELECT", where="query", todo="Write one SELECT; nothing was run.")


def answer(engine: Engine, sql: str) -> pa.Table:
    """The rows of a query, each column by a name of its own."""
    table = engine.arrow(sql)
    return table.rename_columns(distinct_names(table.column_names))


def distinct_names(names: Sequence[str]) -> list[str]:
    """Each name once, whatever its case: later ones are numbered (a, a_1), as DuckDB does in CREATE TABLE AS."""
    last_number: dict[str, int] = {}
    distinct = []
    for name in names:
        new, number = name, last_number.get(name.lower(), 0)
        while new.lower() in last_number:
            number += 1
            new = f"{name}_{number}"
        last_number[name.lower()] = number
        last_number.setdefault(new.lower(), 0)
        distinct.append(new)
    return distinct
