"""The rows of an extraction as raw rows of text; what they hash to is known at their end."""

from __future__ import annotations

import hashlib
import struct
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from systock.extract.arrow_text import as_text, without_nul
from systock.extract.column_names import extended_names
from systock.extract.pull import DELETED_AT, MALFORMED, Pull
from systock.extract.raw_rows import malformed_batch, row_batch

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS = 65_536


class PullReader:
    """Iterates over a Pull once, however its batches are cut; counts, columns and content hash are right at the end.

    The content hash is over the columns by name, the texts of all values in order, which of them are NULL, and whether
    rows are missing: an extraction that is complete says more than the same rows that are not all.
    """

    small = False
    blank = 0

    def __init__(self, pull: Pull) -> None:
        self._pull = pull
        self.lines = self.malformed = 0
        self.columns: tuple[str, ...] = ()
        self._places: dict[tuple[str, int], int] = {}
        self._hashes: list[_ColumnHash] = []
        self._wrong = _ColumnHash(absent=0)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for found in self._pull.batches:
            read = self._malformed if found.schema.names == MALFORMED else self._rows
            for start in range(0, found.num_rows, _ROWS):
                yield read(found.slice(start, _ROWS))

    def _rows(self, found: pa.RecordBatch) -> pa.RecordBatch:
        import pyarrow as pa

        places = self._places_of(found.schema.names)
        values = [pa.nulls(found.num_rows, pa.string())] * len(self.columns)
        for place, column in zip(places, found.columns, strict=True):
            values[place] = as_text(column)
        for place, value in enumerate(values):
            self._hashes[place].add(value)
        first = self.lines + 1
        self.lines += found.num_rows
        return row_batch(self.columns, pa.arange(first, first + found.num_rows), values)

    def _malformed(self, found: pa.RecordBatch) -> pa.RecordBatch:
        """What is no row, numbered with the rows."""
        text, reason = found.columns
        self._wrong.add(text)
        self.malformed += found.num_rows
        first = self.lines + 1
        self.lines += found.num_rows
        for column in self._hashes:
            column.skip(found.num_rows)
        numbers = range(first, first + found.num_rows)
        lines = zip(numbers, without_nul(text).to_pylist(), reason.to_pylist(), strict=True)
        return malformed_batch(self.columns, list(lines))

    def _places_of(self, names: list[str]) -> list[int]:
        """Where columns of these names stand; a query may name two of its columns the same."""
        met: Counter[str] = Counter()
        places = []
        for name in names:
            met[name] += 1
            column = (name, met[name])
            if column not in self._places:
                self._places[column] = len(self.columns)
                self.columns = (*self.columns, name) if name == DELETED_AT else extended_names(self.columns, [name])
                self._hashes.append(_ColumnHash(absent=self.lines))
            places.append(self._places[column])
        return places

    @property
    def content_hash(self) -> str:
        """Of what was read so far."""
        hasher = hashlib.sha256(b"" if self._pull.complete else b"incomplete")
        if self.malformed:
            hasher.update(self._wrong.digest())
        for name, column in sorted(zip(self.columns, self._hashes, strict=True), key=lambda pair: pair[0]):
            encoded = name.encode()
            hasher.update(struct.pack("<qq", len(encoded), self.lines) + encoded + column.digest())
        return hasher.hexdigest()


class _ColumnHash:
    """The lengths of a column's values, which say where they begin and which are NULL, and all the values in a row."""

    def __init__(self, absent: int) -> None:
        self._lengths, self._values = hashlib.sha256(), hashlib.sha256()
        self.skip(absent)

    def skip(self, rows: int) -> None:
        """Rows that have no value here."""
        for start in range(0, rows, _ROWS):
            self._lengths.update(struct.pack("<i", -1) * min(_ROWS, rows - start))

    def add(self, text: pa.Array) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        lengths = pa.concat_arrays([pc.fill_null(pc.binary_length(text), -1)])
        self._lengths.update(lengths.buffers()[1].slice(0, 4 * len(lengths)))
        if text.null_count == len(text):
            return
        if text.null_count:  # the bytes behind a NULL are nobody's
            text = text.drop_null()
        offsets = memoryview(text.buffers()[1]).cast("i")
        start, end = offsets[text.offset], offsets[text.offset + len(text)]
        if end > start:
            self._values.update(memoryview(text.buffers()[2])[start:end])

    def digest(self) -> bytes:
        return self._lengths.digest() + self._values.digest()
