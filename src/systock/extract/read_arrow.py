"""Arrow tables and Parquet files as Arrow batches of text."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from systock.extract.arrow_text import as_text
from systock.extract.batch import FileRejected, FileVersion
from systock.extract.column_names import unique_names
from systock.extract.content_hash import content_hash
from systock.extract.raw_rows import row_batch
from systock.extract.text_stream import SMALL_BYTES, confirm, raw_chunks

if TYPE_CHECKING:
    import pyarrow as pa

_TODO = "Deliver the file again, complete."


class _ArrowReader:
    """What tables in memory and in Parquet files have in common."""

    def __init__(self, names: Iterable[str], hashed: str, small: bool) -> None:
        self.lines = self.malformed = self.blank = 0
        self.columns = unique_names(names)
        self.content_hash = hashed
        self.small = small

    def _rows(self, found: pa.RecordBatch) -> pa.RecordBatch:
        import pyarrow as pa

        first = self.lines + 1
        self.lines += found.num_rows
        rows = pa.arange(first, first + found.num_rows)
        return row_batch(self.columns, rows, [as_text(column) for column in found.columns])


class TableReader(_ArrowReader):
    """A table in memory; its content hash is over the names and the text of all values, in order."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table
        super().__init__(table.column_names, table_hash(table), small=table.nbytes <= SMALL_BYTES)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for batch in self._table.to_batches(max_chunksize=65_536):
            yield self._rows(batch)


class ParquetReader(_ArrowReader):
    """A Parquet file; `_row` counts its rows from 1."""

    def __init__(self, version: FileVersion, file: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._version, self._path = version, file
        hasher = hashlib.sha256()
        for chunk in raw_chunks(version, file, decompress=False):
            hasher.update(chunk)
        try:
            self._file = pq.ParquetFile(file)
            names = self._file.schema_arrow.names
        except (pa.ArrowException, OSError) as error:
            raise self._unreadable(error) from None
        if not names:
            raise FileRejected("the file has no columns", where=version.path, todo=_TODO)
        confirm(version, file)
        super().__init__(names, content_hash(hasher.hexdigest()), small=version.size <= SMALL_BYTES >> 2)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        # Fewer rows at a time of a wide file.
        size = max(1_000, min(65_536, 4_000_000 // max(1, len(self.columns))))
        try:
            for batch in self._file.iter_batches(batch_size=size, use_threads=False):
                yield self._rows(batch)
        except (pa.ArrowException, OSError) as error:
            raise self._unreadable(error) from None
        finally:
            self._file.close()
        confirm(self._version, self._path)

    def _unreadable(self, error: Exception) -> FileRejected:
        return FileRejected(
            f"the Parquet data cannot be read: {error}",
            where=self._version.path,
            todo=_TODO,
        )


def table_hash(table: pa.Table) -> str:
    """SHA-256 over the names and the text of all values, in order."""
    import pyarrow as pa
    import pyarrow.compute as pc

    hasher = hashlib.sha256()
    for name, column in zip(table.column_names, table.columns, strict=True):
        encoded = name.encode()
        hasher.update(struct.pack("<qq", len(encoded), table.num_rows) + encoded)
        texts = [as_text(chunk) for chunk in column.chunks]
        for text in texts:
            # The lengths say where values begin and which are NULL (-1); then all values in a row.
            lengths = pc.fill_null(pc.binary_length(text), -1)
            hasher.update(pa.concat_arrays([lengths]).buffers()[1].slice(0, 4 * len(lengths)))
        for text in texts:
            offsets = memoryview(text.buffers()[1]).cast("i")
            start, end = offsets[text.offset], offsets[text.offset + len(text)]
            data = text.buffers()[2]
            if data is not None and end > start:
                hasher.update(memoryview(data)[start:end])
    return hasher.hexdigest()
