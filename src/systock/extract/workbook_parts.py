"""What a workbook is packed of: looked through before it unfolds in memory, its errors made to read as text."""

from __future__ import annotations

import re
import struct
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Protocol
from zipfile import BadZipFile, ZipFile, ZipInfo

from systock.extract.batch import FileRejected, FileVersion

CHUNK = 1 << 20
#: A workbook is held in memory: so much of it at most, unpacked, and so many cells from the first to the last of a sheet.
MAX_UNPACKED_BYTES = 1 << 30
MAX_CELLS = 40_000_000

_TODO = "Deliver the file again, complete; a sheet as large as that as CSV."
_ERROR_NAMES = {
    0x00: "#NULL!", 0x07: "#DIV/0!", 0x0F: "#VALUE!", 0x17: "#REF!", 0x1D: "#NAME?", 0x24: "#NUM!", 0x2A: "#N/A", 0x2B: "#GETTING_DATA",
}  # fmt: skip
_BROKEN = (BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, ValueError)


class _Part(Protocol):
    """Looks through one sheet's part: `cells` from the first to the last; `errors`: it holds error values."""

    cells: int
    errors: bool

    def texts(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The part, with every error value as text."""
        ...


def readable(file: Path, version: FileVersion) -> IO[bytes]:
    """A zipped workbook (.xlsx, .xlsb, .ods), opened: as it is, or a copy in which error values are texts.

    The reader behind this drops error values, and it unfolds whatever the file claims: so both are seen to here.
    """
    try:
        with ZipFile(file) as packed:
            if sum(part.file_size for part in packed.infolist()) > MAX_UNPACKED_BYTES:
                raise _rejected(version, f"unpacked, the workbook has more than {MAX_UNPACKED_BYTES >> 20:,} MB")
            if any(part.flag_bits & 1 for part in packed.infolist()):
                raise _rejected(version, "the workbook is encrypted", "Deliver it without a password.")
            found = [(part, _sheet_part(part)) for part in packed.infolist()]
            for part, sheet in found:
                # To its end in any case: a part that is cut, damaged or larger than it says is no delivery.
                for _ in _looked_through(packed, part, sheet):
                    pass
                if sheet is not None and sheet.cells > MAX_CELLS:
                    raise _rejected(version, f"a sheet spans {sheet.cells:,} cells, more than {MAX_CELLS:,}")
            if not any(sheet is not None and sheet.errors for _, sheet in found):
                return open(file, "rb")
            return _with_errors_as_text(packed, found)
    except _BROKEN as error:
        raise _rejected(version, f"the workbook is damaged: {error or type(error).__name__}") from None


def _rejected(version: FileVersion, what: str, todo: str = _TODO) -> FileRejected:
    return FileRejected(what, where=version.path, todo=todo)


def _chunks(packed: ZipFile, part: ZipInfo) -> Iterator[bytes]:
    with packed.open(part) as stream:
        while chunk := stream.read(CHUNK):
            yield chunk


def _looked_through(packed: ZipFile, part: ZipInfo, sheet: _Part | None) -> Iterable[bytes]:
    return _chunks(packed, part) if sheet is None else sheet.texts(_chunks(packed, part))


def _with_errors_as_text(packed: ZipFile, found: list[tuple[ZipInfo, _Part | None]]) -> IO[bytes]:
    copy = tempfile.TemporaryFile()  # noqa: SIM115 (the caller's)
    with ZipFile(copy, "w") as rewritten:
        for part, sheet in found:
            with rewritten.open(part.filename, "w", force_zip64=True) as target:
                for chunk in _looked_through(packed, part, sheet):
                    target.write(chunk)
    copy.seek(0)
    return copy


def _sheet_part(part: ZipInfo) -> _Part | None:
    name = part.filename.lower().lstrip("/")
    if name == "content.xml":
        return _OpenDocument()
    if name.startswith("xl/worksheets/") and name.endswith(".xml"):
        return _SheetXml()
    return _SheetRecords() if name.startswith("xl/worksheets/") and name.endswith(".bin") else None


def _whole_tags(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """XML in pieces that cut no tag."""
    held = b""
    for chunk in chunks:
        held += chunk
        cut = held.rfind(b"<")
        if cut > 0:
            yield held[:cut]
            held = held[cut:]
    yield held


class _SheetXml:
    """A sheet of .xlsx."""

    _ROW = re.compile(rb'<(?:\w+:)?row\b[^<>]*?\sr="(\d{1,9})"')
    _COLUMN = re.compile(rb'<(?:\w+:)?c\b[^<>]*?\sr="([A-Z]{1,3})')
    _ERROR = re.compile(rb'(<(?:\w+:)?c\b[^<>]*?\st=)(["\'])e\2')

    def __init__(self) -> None:
        self.cells, self.errors = 0, False

    def texts(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        rows, columns = 0, set[bytes]()
        for text in _whole_tags(chunks):
            rows = max(rows, *map(int, self._ROW.findall(text)), 0)
            columns.update(self._COLUMN.findall(text))
            rewritten, count = self._ERROR.subn(rb"\1\2str\2", text)
            self.errors = self.errors or count > 0
            yield rewritten
        self.cells = rows * max(map(_column_number, columns), default=0)


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = 26 * number + letter - 64
    return number


class _OpenDocument:
    """All sheets of .ods; an error's text stands in the cell, behind an empty value that would be taken for it."""

    _TAG = re.compile(rb"<table:(table-row|(?:covered-)?table-cell|table)((?:\s[^<>]*)?/?)>")
    _ROWS = re.compile(rb'\stable:number-rows-repeated="(\d{1,9})"')
    _COLUMNS = re.compile(rb'\stable:number-columns-repeated="(\d{1,9})"')
    _VALUE = re.compile(rb'\soffice:string-value="[^"<>]*"')

    def __init__(self) -> None:
        self.cells, self.errors = 0, False
        self._row = self._last_row = self._column = self._last_column = self._repeated = 0

    def texts(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        self._row = self._last_row = self._column = self._last_column = self._repeated = 0
        for text in _whole_tags(chunks):
            yield self._TAG.sub(self._tag, text)

    def _tag(self, found: re.Match[bytes]) -> bytes:
        kind, attributes = found[1], found[2]
        if kind == b"table":
            self._row = self._last_row = self._last_column = self._repeated = 0
        elif kind == b"table-row":
            repeated = self._ROWS.search(attributes)
            self._row, self._column = self._row + self._repeated, 0
            self._repeated = int(repeated[1]) if repeated else 1
        else:
            repeated = self._COLUMNS.search(attributes)
            self._column += int(repeated[1]) if repeated else 1
            if b"office:value-type=" in attributes:
                self._last_row = self._row + self._repeated
                self._last_column = max(self._last_column, self._column)
                self.cells = max(self.cells, self._last_row * self._last_column)
            if b'calcext:value-type="error"' in attributes:
                self.errors = True
                return self._VALUE.sub(b"", found[0])
        return found[0]


class _SheetRecords:
    """A sheet of .xlsb: records of type, length and content; a cell's content begins with its column."""

    _ROW, _ERRORS, _CELLS, _TEXT = 0, (3, 11), range(1, 12), b"\x06"

    def __init__(self) -> None:
        self.cells, self.errors = 0, False

    def texts(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        data = b"".join(chunks)
        position = kept = rows = columns = 0
        while position < len(data):
            start = position
            kind, position = _variable(data, position, 2)
            length, position = _variable(data, position, 4)
            content, position = position, position + length
            if kind == self._ROW and length >= 4:
                rows = max(rows, struct.unpack_from("<I", data, content)[0] + 1)
            elif kind in self._CELLS and length >= 8:
                columns = max(columns, struct.unpack_from("<I", data, content)[0] + 1)
                if kind in self._ERRORS and length >= 9:
                    self.errors = True
                    name = error_name(data[content + 8])
                    text = struct.pack("<I", len(name)) + name.encode("utf-16-le")
                    yield data[kept:start] + self._TEXT + bytes([8 + len(text)]) + data[content : content + 8] + text
                    kept = position
        self.cells = rows * columns
        yield data[kept:]


def error_name(code: int) -> str:
    """How a workbook shows the error of this number."""
    return _ERROR_NAMES.get(code, f"#ERROR {code}")


def _variable(data: bytes, position: int, most: int) -> tuple[int, int]:
    """A number in bytes of seven bits, and where it ends."""
    number = 0
    for place in range(most):
        byte = data[position] if position < len(data) else 0
        number |= (byte & 0x7F) << 7 * place
        position += 1
        if byte < 0x80:
            break
    return number, position
