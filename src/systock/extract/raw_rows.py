"""Arrow batches of raw rows: `_row`, `_malformed`, `_reason`, then a file's columns, all text."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


@lru_cache(maxsize=16)
def raw_schema(columns: tuple[str, ...]) -> pa.Schema:
    """The schema of raw rows with these columns."""
    import pyarrow as pa

    text = pa.string()
    fixed = [("_row", pa.int64()), ("_malformed", text), ("_reason", text)]
    return pa.schema([*fixed, *((name, text) for name in columns)])


def row_batch(columns: tuple[str, ...], rows: pa.Array, values: Sequence[pa.Array]) -> pa.RecordBatch:
    """Rows that could be split into the columns."""
    import pyarrow as pa

    none = pa.nulls(len(rows), pa.string())
    return pa.RecordBatch.from_arrays([rows, none, none, *values], schema=raw_schema(columns))


def malformed_batch(columns: tuple[str, ...], lines: Sequence[tuple[int, str, str]]) -> pa.RecordBatch:
    """Rows that could not: number, raw text, reason."""
    import pyarrow as pa

    rows, texts, reasons = zip(*lines, strict=True)
    none = pa.nulls(len(lines), pa.string())
    kept = [pa.array(rows, pa.int64()), pa.array(texts, pa.string()), pa.array(reasons, pa.string())]
    return pa.RecordBatch.from_arrays([*kept, *([none] * len(columns))], schema=raw_schema(columns))
