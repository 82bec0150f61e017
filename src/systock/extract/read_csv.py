"""CSV files as Arrow batches of text: streamed, every value to the letter, lines that do not fit kept as they are."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from systock.extract.batch import FileRejected, FileVersion, TableSettings
from systock.extract.content_hash import content_hash
from systock.extract.csv_layout import CsvLayout, csv_layout
from systock.extract.quoting import MAX_RECORD_BYTES, QuoteCheck, QuoteFilter, UnclosedQuote, drop_last_lines
from systock.extract.raw_rows import malformed_batch, row_batch
from systock.extract.text_stream import CHUNK, TextFile, at_row

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.csv as pa_csv

#: So much text of lines in a row that do not fit the columns is a wrong delimiter, not bad lines.
MAX_MALFORMED_BYTES = 64 << 20

_LINE_ENDS = (b"\n", b"\r")
_WRONG_QUOTES = "text follows a closing quote"


class CsvReader:
    """One CSV file. A record without any value (blank, or delimiters only) is counted in `blank`, not handed over."""

    def __init__(self, version: FileVersion, settings: TableSettings, file: Path) -> None:
        self.lines = self.malformed = self.blank = 0
        self._version, self._settings = version, settings
        self._text = text = TextFile(version, file, settings.encoding)
        if text.complete and not text.head:
            raise FileRejected(
                "the file is empty (0 bytes)" if not text.size else "the file holds no text",
                where=version.path,
                todo="Deliver the file again; a delivery without rows still has its header.",
            )
        encoding = text.encoding
        layout = csv_layout(text.head, text.complete, settings, version)
        check = QuoteCheck(layout.delimiter, layout.quote) if layout.quote else None
        if check is not None:
            check.feed(text.head[layout.start :] if layout.start else text.head)
        text.inspect(check.feed if check is not None else None)
        if text.encoding != encoding:
            layout = csv_layout(text.head, text.complete, settings, version)
        self._layout: CsvLayout = layout
        self._well_formed = check is None or check.well_formed()
        self.columns = layout.columns
        self.content_hash = content_hash(
            text.content_digest,
            delimiter=(layout.delimiter.decode(), ","),
            quote=(settings.quote, '"'),
            encoding=(text.encoding, "utf-8"),
            skip_rows=(settings.skip_rows, 0),
            skip_footer=(settings.skip_footer, 0),
            header=(settings.header, True),
            columns=(list(settings.columns), []),
        )

    @property
    def small(self) -> bool:
        """The whole file is in memory."""
        return self._text.complete

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        # Wide rows in larger blocks: what a batch costs grows with its columns.
        block_size = CHUNK * max(1, min(32, len(self.columns) // 256))
        if self._text.complete:
            block_size = max(len(self._text.head), 1)
        done = self._layout.first_row - 1
        while True:
            attempt = _Attempt(self, block_size, done)
            try:
                yield from attempt.batches()
                break
            except pa.ArrowInvalid as error:
                if "straddling" not in str(error) or block_size >= MAX_RECORD_BYTES:
                    raise self._unreadable(error, attempt.done + 1) from None
                # A record longer than the block: begin again with a larger one, and pass over what was handed over.
                block_size = min(8 * block_size, MAX_RECORD_BYTES)
                done = attempt.done
        self._text.confirm()

    def _unreadable(self, error: Exception, row: int) -> FileRejected:
        if "straddling" in str(error):
            what = f"a record is longer than {MAX_RECORD_BYTES >> 20} MB"
        else:
            what = f"the text cannot be split into records: {error}"
        setting = f"sources.{self._version.source}.tables.{self._version.table}"
        return FileRejected(
            what, where=f"{at_row(self._version, row)} or later", todo=f"Check {setting}.quote and delimiter."
        )


class _Attempt:
    """One pass over the records with one block size; `done` is the last row that was handed over."""

    def __init__(self, reader: CsvReader, block_size: int, done: int) -> None:
        self._reader, self._layout, self._block_size = reader, reader._layout, block_size
        self.done = done
        self._filter = None if reader._well_formed else QuoteFilter(self._layout.delimiter, self._layout.quote)
        self._uneven: list[tuple[int, int, str]] = []
        self._uneven_bytes = 0

    def batches(self) -> Iterator[pa.RecordBatch]:
        body = self._body()
        if body is None:
            return
        _layout, next_row = self._layout, self._layout.first_row
        for found in self._open(body):
            rows, next_row = _row_numbers(next_row, found.num_rows, {row for row, _, _ in self._uneven})
            yield from self._hand_over(found, rows, next_row)
        yield from self._malformed(None)

    def _hand_over(self, found: pa.RecordBatch, rows: pa.Array, next_row: int) -> Iterator[pa.RecordBatch]:
        import pyarrow.compute as pc

        if found.num_rows and rows[0].as_py() <= self.done:
            keep = pc.greater(rows, self.done)
            found, rows = found.filter(keep), rows.filter(keep)
        found, rows = self._without_blank(found, rows)
        found, rows, repeats = self._without_headers(found, rows)
        reader = self._reader
        if found.num_rows:
            reader.lines += found.num_rows
            yield row_batch(self._layout.columns, rows, found.columns)
        if len(repeats):
            reader.lines += len(repeats)
            reader.malformed += len(repeats)
            numbers = repeats.to_pylist()
            yield malformed_batch(
                self._layout.columns, [(row, self._layout.header_text, "header repeated") for row in numbers]
            )
        yield from self._malformed(next_row)
        self.done = max(self.done, next_row - 1)

    def _without_blank(self, found: pa.RecordBatch, rows: pa.Array) -> tuple[pa.RecordBatch, pa.Array]:
        import pyarrow.compute as pc

        blank = None
        for column in found.columns:
            if not column.null_count:
                return found, rows
            blank = column.is_null() if blank is None else pc.and_(blank, column.is_null())
            if not blank.true_count:
                return found, rows
        if blank is None:
            return found, rows
        count = blank.true_count
        if self._filter is not None:
            # The filter left a blank line for each record that it took out.
            taken = {self._layout.first_row - 1 + number for number, _ in self._filter.bad}
            count -= sum(row in taken for row in rows.filter(blank).to_pylist())
        self._reader.blank += count
        keep = pc.invert(blank)
        return found.filter(keep), rows.filter(keep)

    def _without_headers(self, found: pa.RecordBatch, rows: pa.Array) -> tuple[pa.RecordBatch, pa.Array, pa.Array]:
        import pyarrow.compute as pc

        header = self._layout.header
        repeated = None
        for place, cell in enumerate(header or ()):
            column = found.column(place)
            same = column.is_null() if cell == "" else pc.equal(column, cell).fill_null(False)
            if place == 0:
                same = pc.or_(same, pc.equal(column, "\ufeff" + cell).fill_null(False))
            repeated = same if repeated is None else pc.and_(repeated, same)
            if not repeated.true_count:
                return found, rows, rows.slice(0, 0)
        if repeated is None:
            return found, rows, rows.slice(0, 0)
        keep = pc.invert(repeated)
        return found.filter(keep), rows.filter(keep), rows.filter(repeated)

    def _malformed(self, before: int | None) -> Iterator[pa.RecordBatch]:
        """The lines that did not fit, up to a row: pyarrow reads ahead of what it hands over."""
        offset = self._layout.first_row - 1
        found = [
            (row, text, f"expected {len(self._layout.columns)} columns, found {count}")
            for row, count, text in self._uneven
        ]
        if self._filter is not None:
            found += [(offset + number, text.decode(), _WRONG_QUOTES) for number, text in self._filter.bad]
        if not found:
            return
        found.sort()
        due = [line for line in found if line[0] > self.done and (before is None or line[0] < before)]
        self._uneven = [line for line in self._uneven if before is not None and line[0] >= before]
        self._uneven_bytes = sum(len(line[2]) for line in self._uneven)
        if self._filter is not None:
            self._filter.bad = [line for line in self._filter.bad if before is not None and offset + line[0] >= before]
        if due:
            self._reader.lines += len(due)
            self._reader.malformed += len(due)
            yield malformed_batch(self._layout.columns, due)

    def _body(self) -> Any:
        """The records as something that pyarrow reads; None if there are none."""
        import pyarrow as pa

        reader, layout = self._reader, self._layout
        footer = reader._settings.skip_footer
        text = reader._text
        # Without a line end at the very end, pyarrow takes an empty last field for quoted if the one before it is.
        if text.complete and not footer and self._filter is None and text.head.endswith(_LINE_ENDS):
            rest = memoryview(text.head)[layout.start :]
            return pa.BufferReader(pa.py_buffer(rest)) if rest else None
        chunks: Iterable[bytes] = text.chunks(layout.start)
        if footer:
            chunks = drop_last_lines(chunks, footer)
        if self._filter is not None:
            chunks = self._filtered(self._filter, chunks)
        stream = _ChunkFile(_with_line_end(chunks), self)
        return pa.PythonFile(stream, mode="r") if stream.fill(1) else None

    def _filtered(self, quotes: QuoteFilter, chunks: Iterable[bytes]) -> Iterator[bytes]:
        try:
            yield from quotes.filter(chunks)
        except UnclosedQuote as error:
            limit = f" within {MAX_RECORD_BYTES >> 20} MB" if error.too_long else ""
            raise FileRejected(
                f"a quote is opened in this row and never closed{limit}",
                where=at_row(self._reader._version, self._layout.first_row - 1 + error.record),
                todo="Correct the quote, or deliver the file complete; if it quotes nothing, set quote = ''.",
            ) from None

    def check_memory(self) -> None:
        """Called between blocks: lines that do not fit gather until the next row that does."""
        if self._uneven_bytes > MAX_MALFORMED_BYTES:
            row, count, _ = self._uneven[0]
            raise FileRejected(
                f"{len(self._uneven):,} lines in a row have not the {len(self._layout.columns)} columns of the header "
                f"(the first of them {count})",
                where=at_row(self._reader._version, row),
                todo="Check the table's delimiter, quote and header settings against the file.",
            )

    def _open(self, body: Any) -> Iterator[pa.RecordBatch]:
        import pyarrow.csv as pa_csv

        offset = self._layout.first_row - 1

        def keep_aside(row: pa_csv.InvalidRow) -> str:
            # The number is given because use_threads is False.
            self._uneven.append((offset + row.number, row.actual_columns, row.text))
            self._uneven_bytes += len(row.text)
            return "skip"

        layout = self._layout
        read, convert = _options(layout.columns, self._block_size)
        parse = pa_csv.ParseOptions(
            delimiter=layout.delimiter.decode(),
            quote_char=layout.quote.decode() or False,
            double_quote=bool(layout.quote),
            newlines_in_values=bool(layout.quote),
            ignore_empty_lines=False,
            invalid_row_handler=keep_aside,
        )
        yield from pa_csv.open_csv(body, read, parse, convert)


@lru_cache(maxsize=16)
def _options(columns: tuple[str, ...], block_size: int) -> tuple[pa_csv.ReadOptions, pa_csv.ConvertOptions]:
    import pyarrow as pa
    import pyarrow.csv as pa_csv

    text = pa.string()
    return (
        pa_csv.ReadOptions(use_threads=False, block_size=block_size, column_names=list(columns)),
        pa_csv.ConvertOptions(
            column_types=dict.fromkeys(columns, text),
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            null_values=[""],
            check_utf8=False,
        ),
    )


def _row_numbers(first: int, count: int, taken: set[int]) -> tuple[pa.Array, int]:
    """The numbers of the next rows, passing over those that others took; and the number after them."""
    import pyarrow as pa

    if not taken:
        return pa.arange(first, first + count), first + count
    numbers: list[int] = []
    row = first
    while len(numbers) < count:
        if row not in taken:
            numbers.append(row)
        row += 1
    while row in taken:
        row += 1
    return pa.array(numbers, pa.int64()), row


def _with_line_end(chunks: Iterable[bytes]) -> Iterator[bytes]:
    last = b"\n"
    for chunk in chunks:
        if chunk:
            yield chunk
            last = chunk
    if not last.endswith(_LINE_ENDS):
        yield b"\n"


class _ChunkFile(io.RawIOBase):
    """Pieces of text as a file."""

    def __init__(self, chunks: Iterable[bytes], attempt: _Attempt) -> None:
        self._chunks, self._attempt = iter(chunks), attempt
        self._held: list[bytes] = []
        self._size = 0

    def readable(self) -> bool:
        return True

    def fill(self, size: int) -> bool:
        """Hold at least so many bytes, or all that is left; False at the end."""
        while self._size < size:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            self._held.append(chunk)
            self._size += len(chunk)
        return self._size > 0

    def read(self, size: int = -1) -> bytes:
        self._attempt.check_memory()
        size = MAX_RECORD_BYTES if size < 0 else size
        self.fill(size + 1)
        text = self._held[0] if len(self._held) == 1 else b"".join(self._held)
        # pyarrow drops a "\n" at the start of a block after a "\r" at the end of the last one, in quotes as well.
        if size > 1 and text[size - 1 : size + 1] == b"\r\n":
            size -= 1
        self._held = [text[size:]] if len(text) > size else []
        self._size = max(0, len(text) - size)
        return text[:size]
