"""The keys that a table held at the last extraction, kept with its cursor: what is no longer among them is gone."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING

from systock.extract.arrow_text import as_text
from systock.extract.pull import DELETED_AT

if TYPE_CHECKING:
    import pyarrow as pa


def keys_table(batches: Sequence[pa.RecordBatch], columns: Sequence[str], key: Sequence[str]) -> pa.Table:
    """Rows of key columns (and of updated_at) as one table of text, in the order of the keys; NULL is no key."""
    import pyarrow as pa

    schema = pa.schema([(name, pa.string()) for name in columns])
    texts = [pa.RecordBatch.from_arrays([as_text(c) for c in batch.columns], schema=schema) for batch in batches]
    table = pa.Table.from_batches(texts, schema)
    for name in key:
        table = table.filter(table[name].is_valid())
    return table.sort_by([(name, "ascending") for name in key])


def gone(known: pa.Table, present: pa.Table, key: Sequence[str], since: str) -> list[pa.RecordBatch]:
    """A row for each known key that is no longer present, which says so."""
    import pyarrow as pa

    missing = without(known, [present], key)
    marked: list[pa.RecordBatch] = missing.append_column(
        DELETED_AT, pa.array([since] * missing.num_rows, pa.string())
    ).to_batches()
    return marked


def without(keys: pa.Table, others: Sequence[pa.Table], key: Sequence[str]) -> pa.Table:
    """The keys that none of the other tables has, in their order."""
    left = keys
    for other in others:
        left = left.join(other.select(list(key)), list(key), join_type="left anti")
    return left.select(keys.column_names).sort_by([(name, "ascending") for name in key])


def rows_of(batch: pa.RecordBatch, keys: pa.RecordBatch, wanted: pa.Table) -> pa.RecordBatch:
    """The rows of a batch whose keys, which stand beside it, are among those wanted."""
    import pyarrow as pa

    texts = [as_text(column) for column in keys.columns]
    numbered = pa.Table.from_arrays([*texts, pa.array(range(batch.num_rows))], [*wanted.column_names, ""])
    found = numbered.join(wanted, wanted.column_names, join_type="left semi")
    return batch.take(found[""].combine_chunks().sort())


def packed_keys(table: pa.Table) -> str:
    """The keys as text."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table.combine_chunks())
    return base64.b64encode(sink.getvalue()).decode()


def unpacked_keys(text: str) -> pa.Table:
    """The keys in such a text."""
    import pyarrow as pa

    return pa.ipc.open_stream(base64.b64decode(text)).read_all()
