"""Writes one Parquet part of bronze, aside: rows of one or more batches, row group by row group, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from systock.etl_pipeline.bronze_layer.durable import storage_errors, sync_file

if TYPE_CHECKING:
    import pyarrow as pa

ROW_GROUP_ROWS = 122_880
#: A row group of very wide rows ends earlier.
ROW_GROUP_BYTES = 64 << 20


@lru_cache(maxsize=16)
def part_schema(columns: tuple[str, ...]) -> pa.Schema:
    """The schema of a part with these source columns."""
    import pyarrow as pa

    text = pa.string()
    fixed = [("_batch_no", pa.int32()), ("_row", pa.int64()), ("_malformed", text), ("_reason", text)]
    return pa.schema([*fixed, *((name, text) for name in columns)])


def columns_of(batch: pa.RecordBatch) -> tuple[str, ...]:
    """The source columns of a batch of raw rows: all behind _row, _malformed and _reason."""
    return tuple(batch.schema.names[3:])


def widened(batch: pa.RecordBatch, columns: tuple[str, ...]) -> pa.RecordBatch:
    """The same raw rows with these columns; those that it lacks are NULL."""
    import pyarrow as pa

    from systock.extract.raw_rows import raw_schema

    if columns_of(batch) == columns:
        return batch
    values = dict(zip(batch.schema.names, batch.columns, strict=True))
    none = pa.nulls(batch.num_rows, pa.string())
    return pa.RecordBatch.from_arrays(
        [*batch.columns[:3], *(values.get(name, none) for name in columns)], schema=raw_schema(columns)
    )


class PartWriter:
    """One part in the making. Wider batches may follow narrower ones: the part then gets the columns of the widest."""

    def __init__(self, path: Path, columns: tuple[str, ...]) -> None:
        self.path, self.columns = path, columns
        self._segments: list[Path] = []
        self._writer: Any = None
        self._held: list[pa.RecordBatch] = []
        self._held_rows = self._held_bytes = 0
        self.rows = 0

    def write(self, batch_no: int, rows: pa.RecordBatch) -> None:
        """Add raw rows of a batch."""
        import pyarrow as pa

        found = columns_of(rows)
        if found != self.columns:
            self._close_segment()
            self.columns = found
        number = pa.repeat(pa.scalar(batch_no, pa.int32()), rows.num_rows)
        self.add(pa.RecordBatch.from_arrays([number, *rows.columns], schema=part_schema(self.columns)))

    def add(self, batch: pa.RecordBatch) -> None:
        """Add rows of a part as they are."""
        self.rows += batch.num_rows
        self._held.append(batch)
        self._held_rows += batch.num_rows
        self._held_bytes += batch.nbytes
        if self._held_rows >= ROW_GROUP_ROWS or self._held_bytes >= ROW_GROUP_BYTES:
            self._flush(all_rows=self._held_bytes >= ROW_GROUP_BYTES)

    def _flush(self, all_rows: bool) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        if not self._held:
            return
        schema = part_schema(self.columns)
        table = pa.Table.from_batches(self._held, schema)
        with storage_errors(self.path):
            if self._writer is None:
                segment = self.path.with_name(f"{self.path.name}.{len(self._segments)}")
                self._segments.append(segment)
                self._writer = pq.ParquetWriter(
                    segment,
                    schema,
                    compression="zstd",
                    compression_level=1,
                    # Row numbers are all different, and rise: as differences they take next to nothing.
                    use_dictionary=[name for name in schema.names if name != "_row"],
                    column_encoding={"_row": "DELTA_BINARY_PACKED"},
                    store_schema=False,
                )
            end = table.num_rows if all_rows else table.num_rows // ROW_GROUP_ROWS * ROW_GROUP_ROWS
            self._writer.write_table(table.slice(0, end), row_group_size=ROW_GROUP_ROWS)
        rest = table.slice(end)
        self._held = rest.to_batches() if rest.num_rows else []
        self._held_rows = rest.num_rows
        self._held_bytes = rest.nbytes if rest.num_rows else 0

    def _close_segment(self) -> None:
        self._flush(all_rows=True)
        if self._writer is not None:
            with storage_errors(self.path):
                self._writer.close()
            self._writer = None

    def finish(self) -> None:
        """Bring the part to the disk, read-only, at its path."""
        self._close_segment()
        if len(self._segments) > 1:
            self._merge()
        with storage_errors(self.path):
            self._segments[0].rename(self.path)
            self._segments = []
            sync_file(self.path)

    def _merge(self) -> None:
        """Write the segments again under the columns of the last one, which are the most."""
        merged = PartWriter(self.path.with_name(f"{self.path.name}.merged"), self.columns)
        try:
            for batch in stored_batches(self._segments, self.columns):
                merged.add(batch)
            merged._close_segment()
        except BaseException:
            merged.discard()
            raise
        narrow, self._segments = self._segments, merged._segments
        for segment in narrow:
            segment.unlink()

    def discard(self) -> None:
        """Leave nothing behind."""
        self._held = []
        if self._writer is not None:
            # Closing writes a footer, which a full disk refuses as well.
            with suppress(OSError):
                self._writer.close()
            self._writer = None
        for path in (*self._segments, self.path):
            with suppress(OSError):
                path.unlink()


def stored_batches(segments: Sequence[Path], columns: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
    """The rows of finished parts under these columns; those that a part lacks are NULL."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = part_schema(columns)
    for segment in segments:
        with pq.ParquetFile(segment) as stored:
            for batch in stored.iter_batches():
                values = dict(zip(batch.schema.names, batch.columns, strict=True))
                none = pa.nulls(batch.num_rows, pa.string())
                yield pa.RecordBatch.from_arrays([values.get(name, none) for name in schema.names], schema=schema)
