"""Where the records of a CSV text begin, what parts their fields, and what its columns are called."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from typing import Literal

from systock.errors import SettingsError
from systock.extract.batch import FileRejected, FileVersion, TableSettings
from systock.extract.column_names import unique_names
from systock.extract.quoting import UnclosedQuote, record_end
from systock.extract.text_stream import SMALL_BYTES, at_row

DELIMITERS = (b",", b";", b"\t", b"|")

_LINE = re.compile(rb"[^\r\n]*(?:\r\n?|\n)")
_BLANK_LINES = re.compile(rb"[ \t]*(?:\r\n?|\n)")


@dataclass(frozen=True)
class CsvLayout:
    """How one CSV text is read.

    header: the header's cells as they stand there, to find repeats of it; None without a header.
    start: where the first record begins in the text, in bytes; first_row: its number in the file.
    """

    delimiter: bytes
    quote: bytes
    columns: tuple[str, ...]
    header: tuple[str, ...] | None
    header_text: str
    start: int
    first_row: int


def csv_layout(head: bytes, complete: bool, settings: TableSettings, version: FileVersion) -> CsvLayout:
    """Read the beginning of a text; complete says that it is the whole text."""
    setting = f"sources.{version.source}.tables.{version.table}"
    quote = _single_byte(settings.quote, f"{setting}.quote") if settings.quote else b""
    delimiter = None if settings.delimiter == "auto" else _single_byte(settings.delimiter, f"{setting}.delimiter")
    position, row = 0, 1
    for _ in range(settings.skip_rows):
        line = _LINE.match(head, position)
        if line is None:
            break
        position, row = line.end(), row + 1
    while blank := _BLANK_LINES.match(head, position):
        position, row = blank.end(), row + 1

    if delimiter is None:
        line = _LINE.match(head, position)
        delimiter = _sniff(line[0] if line else head[position:], quote, len(settings.columns))
    if not settings.header and settings.columns:
        # Whatever the first record looks like: it is judged like all others.
        return CsvLayout(delimiter, quote, unique_names(settings.columns), None, "", position, row)
    end = _end_of_first(head, position, delimiter, quote, complete, at_row(version, row), setting)
    text = head[position:end].strip(b"\r\n")
    if settings.header and not text.strip():
        raise FileRejected(
            f"the file holds no header: it ends after {row - 1} {'line' if row == 2 else 'lines'}"
            if position
            else "the file is blank",
            where=version.path,
            todo=f"Check {setting}.skip_rows, or deliver the file again.",
        )
    cells = _cells(text, delimiter, quote, at_row(version, row))
    if not settings.header:
        return CsvLayout(delimiter, quote, unique_names([""] * len(cells)), None, "", position, row)
    if settings.columns and len(settings.columns) != len(cells):
        raise FileRejected(
            f"the header has {len(cells)} columns, the settings name {len(settings.columns)}",
            where=at_row(version, row),
            todo=f"Correct {setting}.columns.",
        )
    return CsvLayout(delimiter, quote, unique_names(settings.columns or cells), cells, _text(text), end, row + 1)


def _end_of_first(
    head: bytes, start: int, delimiter: bytes, quote: bytes, complete: bool, where: str, setting: str
) -> int:
    """Where the header ends."""
    try:
        end = record_end(head, start, delimiter, quote, complete)
    except UnclosedQuote:
        raise FileRejected(
            "a quote in the header is never closed, or text follows the closing one",
            where=where,
            todo="Correct the quote; if the file quotes nothing, set quote = ''.",
        ) from None
    if end is None:
        raise FileRejected(
            f"the header does not end within {SMALL_BYTES >> 20} MB",
            where=where,
            todo=f"Check {setting}.skip_rows and quote against the file.",
        )
    return end


def _single_byte(text: str, setting: str) -> bytes:
    encoded = text.encode("utf-8")
    if len(encoded) != 1 or encoded in b"\r\n":
        raise SettingsError(f"{text!r} must be one ASCII character", where=setting)
    return encoded


def _text(found: bytes) -> str:
    # Before the encoding is settled the text may not be valid UTF-8; the layout is then read once more.
    return found.decode("utf-8", errors="replace")


def _sniff(record: bytes, quote: bytes, columns: int) -> bytes:
    """The delimiter that gives the configured number of columns, else the one that gives most fields."""
    if quote:
        q = re.escape(quote)
        record = re.sub(rb"%b[^%b]*(?:%b|\Z)" % (q, q, q), b"", record)
    counts = {delimiter: record.count(delimiter) for delimiter in DELIMITERS}
    for delimiter, count in counts.items():
        if columns > 1 and count == columns - 1:
            return delimiter
    return max(DELIMITERS, key=lambda delimiter: counts[delimiter])


def _cells(record: bytes, delimiter: bytes, quote: bytes, where: str) -> tuple[str, ...]:
    text = io.StringIO(_text(record), newline="")
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE
    try:
        rows = csv.reader(text, delimiter=delimiter.decode(), quotechar=quote.decode() or None, quoting=quoting)
        return tuple(next(rows, [""]))
    except csv.Error as error:
        raise FileRejected(
            f"the header cannot be read: {error}", where=where, todo="Check skip_rows and quote."
        ) from None
