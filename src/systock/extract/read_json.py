"""JSON documents and JSON lines as Arrow batches of text: numbers as written, nested values as compact JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from systock.extract.batch import FileRejected, FileVersion, TableSettings
from systock.extract.content_hash import content_hash
from systock.extract.json_rows import DECODER, JsonColumns, no_row, storable
from systock.extract.quoting import MAX_RECORD_BYTES
from systock.extract.raw_rows import malformed_batch, row_batch
from systock.extract.text_stream import TextFile, at_row

if TYPE_CHECKING:
    import pyarrow as pa

#: The largest JSON document (not JSON lines) that is read, in bytes of text; it is held in memory.
MAX_DOCUMENT_BYTES = 512 << 20
_BATCH_ROWS = 16_384
_BATCH_CHARACTERS = 16 << 20
_WHITE = " \t\r\n"
_SPACE = re.compile(r"[ \t\r\n]*")


@dataclass
class _Gathered:
    """Rows on their way into a batch."""

    rows: list[int] = field(default_factory=list)
    values: list[list[str | None]] = field(default_factory=list)
    wrong: list[tuple[int, str, str]] = field(default_factory=list)
    size: int = 0

    def full(self) -> bool:
        return len(self.rows) + len(self.wrong) >= _BATCH_ROWS or self.size >= _BATCH_CHARACTERS


class JsonReader:
    """One JSON file; `_row` is the element's place in the list, or the line in JSON lines, from 1.

    An element that is no object, and a line that is no JSON, is a malformed row. Columns come in the order in which
    their names appear first; names that differ only in case are told apart as in a CSV header.
    """

    def __init__(
        self, version: FileVersion, settings: TableSettings, file: Path, kind: Literal["json", "jsonl"], auto: bool
    ) -> None:
        self.lines = self.malformed = self.blank = 0
        self._version, self._records = version, settings.records
        self._text = TextFile(version, file, settings.encoding)
        self._text.inspect()
        if self._text.complete and not self._text.head.strip():
            raise FileRejected("the file is empty", where=version.path, todo="Deliver the file again; no rows are [].")
        if auto and kind == "json" and not settings.records and self._has_lines():
            kind = "jsonl"
        if kind == "json" and self._text.size > MAX_DOCUMENT_BYTES:
            raise FileRejected(
                f"the JSON document has {self._text.size >> 20:,} MB, more than {MAX_DOCUMENT_BYTES >> 20} MB",
                where=version.path,
                todo="Deliver it in several files, or as JSON lines.",
            )
        self._kind = kind
        self._columns = JsonColumns()
        self.content_hash = content_hash(
            self._text.content_digest,
            kind=(kind, None),
            encoding=(self._text.encoding, "utf-8"),
            records=(settings.records, ""),
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns met so far."""
        return self._columns.columns

    @property
    def small(self) -> bool:
        """The whole file is in memory."""
        return self._text.complete

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        gathered = _Gathered()
        for row, found, text in self._document() if self._kind == "json" else self._json_lines():
            gathered.size += len(text)
            wrong = found.reason if isinstance(found, _Unread) else no_row(found)
            if wrong is None:
                try:
                    gathered.values.append(self._columns.values(found))
                    gathered.rows.append(row)
                except RecursionError:
                    wrong = "nested too deeply"
            if wrong is not None:
                gathered.wrong.append((row, text, wrong))
            if gathered.full():
                yield from self._batches(gathered)
                gathered = _Gathered()
        yield from self._batches(gathered)
        self._text.confirm()

    def _batches(self, gathered: _Gathered) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        if gathered.rows:
            self.lines += len(gathered.rows)
            columns = self._columns.arrays(gathered.values)
            yield row_batch(self.columns, pa.array(gathered.rows, pa.int64()), columns)
        if gathered.wrong:
            self.lines += len(gathered.wrong)
            self.malformed += len(gathered.wrong)
            yield malformed_batch(self.columns, [(row, storable(text), why) for row, text, why in gathered.wrong])

    def _has_lines(self) -> bool:
        """Whether the text is one object a line, although the file is called .json."""
        first, _, rest = self._text.head.decode("utf-8", errors="replace").lstrip().partition("\n")
        if not (first.startswith("{") and rest.lstrip().startswith("{")):
            return False
        try:
            return isinstance(DECODER.decode(first), dict)
        except (ValueError, RecursionError):
            return False

    def _json_lines(self) -> Iterator[tuple[int, Any, str]]:
        for number, line in enumerate(self._split_lines(), 1):
            text = line.decode()
            if not text.strip(_WHITE):
                self.blank += 1
                continue
            try:
                yield number, DECODER.decode(text), text
            except json.JSONDecodeError as error:
                yield number, _Unread(f"not JSON: {error.msg} at character {error.pos + 1}"), text
            except RecursionError:
                yield number, _Unread("nested too deeply"), text

    def _split_lines(self) -> Iterator[bytes]:
        pending: list[bytes] = []
        size = number = 0
        for chunk in self._text.chunks():
            *lines, rest = chunk.split(b"\n")
            if lines:
                lines[0] = b"".join([*pending, lines[0]])
                yield from lines
                number += len(lines)
                pending, size = [], 0
            pending.append(rest)
            size += len(rest)
            if size > MAX_RECORD_BYTES:
                raise FileRejected(
                    f"the line is longer than {MAX_RECORD_BYTES >> 20} MB",
                    where=at_row(self._version, number + 1),
                    todo="If the file is one JSON document, set format = 'json'.",
                )
        if size:
            yield b"".join(pending)

    def _document(self) -> Iterator[tuple[int, Any, str]]:
        text = b"".join(self._text.chunks()).decode()
        try:
            position = yield from self._walk(text, _skip(text, 0), self._records.split(".") if self._records else [])
            if position < len(text):
                raise json.JSONDecodeError("Extra data", text, position)
        except json.JSONDecodeError as error:
            raise FileRejected(
                f"not JSON: {error.msg}, at line {error.lineno}, character {error.colno}",
                where=self._version.path,
                todo="Deliver the file again, complete; for one object a line set format = 'jsonl'.",
            ) from None
        except RecursionError:
            raise FileRejected("the JSON is nested too deeply", where=self._version.path) from None

    def _walk(self, text: str, position: int, path: list[str]) -> Generator[tuple[int, Any, str], None, int]:
        """Hand over the records that the path leads to; returns the position behind the value, all of it being JSON."""
        if not path:
            return (yield from _elements(text, position))
        if not text.startswith("{", position):
            raise self._no_records(f"{path[0]!r} is looked for in something that is no object")
        names: list[str] = []
        found = False
        more, position = _open(text, position, "}")
        while more:
            name, position = DECODER.raw_decode(text, position)
            position = _skip(text, position)
            if type(name) is not str or not text.startswith(":", position):
                raise json.JSONDecodeError("Expecting a name and ':'", text, position)
            names.append(name)
            position = _skip(text, position + 1)
            if name == path[0]:
                if found:
                    raise FileRejected(
                        f"{name!r} stands twice in the document: which records are meant cannot be known",
                        where=self._version.path,
                        todo="Deliver it again, with one of them.",
                    )
                found = True
                position = yield from self._walk(text, position, path[1:])
            else:
                _, position = DECODER.raw_decode(text, position)
            more, position = _next(text, position, "}")
        if not found:
            listed = ", ".join(names[:10]) or "nothing"
            raise self._no_records(f"there is no {path[0]!r}; there are: {listed}")
        return position

    def _no_records(self, what: str) -> FileRejected:
        setting = f"sources.{self._version.source}.tables.{self._version.table}.records"
        return FileRejected(
            f"records = {self._records!r} leads nowhere: {what}", where=self._version.path, todo=f"Correct {setting}."
        )


@dataclass(frozen=True)
class _Unread:
    """A line that is no JSON."""

    reason: str


def _elements(text: str, position: int) -> Generator[tuple[int, Any, str], None, int]:
    """The elements of a list, or a single value as the only one."""
    if not text.startswith("[", position):
        value, end = DECODER.raw_decode(text, position)
        if value is not None:
            yield 1, value, text[position:end]
        return _skip(text, end)
    number = 0
    more, position = _open(text, position, "]")
    while more:
        number += 1
        value, end = DECODER.raw_decode(text, position)
        yield number, value, text[position:end]
        more, position = _next(text, end, "]")
    return position


def _skip(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _open(text: str, position: int, close: str) -> tuple[bool, int]:
    """Step into a list or object: whether there is a first item, and where it (or what follows the whole) begins."""
    position = _skip(text, position + 1)
    if text.startswith(close, position):
        return False, _skip(text, position + 1)
    return True, position


def _next(text: str, position: int, close: str) -> tuple[bool, int]:
    """Step behind an item: whether there is another, and where it (or what follows the whole) begins."""
    position = _skip(text, position)
    if text.startswith(close, position):
        return False, _skip(text, position + 1)
    if not text.startswith(",", position):
        raise json.JSONDecodeError(f"Expecting ',' or '{close}'", text, position)
    return True, _skip(text, position + 1)
