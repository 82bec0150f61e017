"""The rows of a query for printing: what no Python value can hold is the text that DuckDB prints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

_AT_ONCE = 10_000


def rows_of(table: pa.Table) -> Iterator[dict[str, Any]]:
    """The rows of a table whose columns have different names.

    Python's calendar has the years 1 to 9999 and counts microseconds: infinity, days before Christ and nanoseconds come
    as text.
    """
    for batch in table.to_batches(max_chunksize=_AT_ONCE):
        columns = [_values(column) for column in batch.columns]
        for row in zip(*columns, strict=True):
            yield dict(zip(batch.schema.names, row, strict=True))


def _values(column: pa.Array) -> list[Any]:
    try:
        values: list[Any] = column.to_pylist()
    except (OverflowError, ValueError):
        return [_value(value, text) for value, text in zip(column, _texts(column), strict=True)]
    return values


def _value(value: pa.Scalar, text: str | None) -> Any:
    try:
        return value.as_py()
    except (OverflowError, ValueError):
        return text


def _texts(column: pa.Array) -> list[str | None]:
    """Each value as DuckDB prints it."""
    import pyarrow as pa

    from systock.data_warehouse.engine.duckdb import connect

    with connect(None, keep_order=True) as engine:
        engine.connection.register("printed", pa.table({"value": column}))
        return [text for (text,) in engine.rows("SELECT CAST(value AS VARCHAR) FROM printed")]
