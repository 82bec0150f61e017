"""Sheets of workbooks (.xlsx, .xlsm, .xlsb, .xls, .ods) as Arrow batches of text: each cell's value, not what its format shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fnmatch import fnmatchcase
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from systock.extract.arrow_text import without_nul
from systock.extract.batch import FileRejected, FileVersion, TableSettings
from systock.extract.column_names import unique_names
from systock.extract.content_hash import content_hash
from systock.extract.raw_rows import malformed_batch, row_batch
from systock.extract.read_arrow import table_hash
from systock.extract.text_stream import SMALL_BYTES, confirm, raw_chunks
from systock.extract.workbook_parts import error_name, readable

if TYPE_CHECKING:
    import pyarrow as pa
    from python_calamine import CalamineSheet, CalamineWorkbook

#: Signs that make `sheet` a pattern; a sheet's name holds none of them.
PATTERN_SIGNS = "*?["
_ZIP, _COMPOUND = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_PROTECTED = "EncryptedPackage".encode("utf-16-le")
_BATCH_ROWS = 16_384

Row = list[str | None]


def read_sheets(version: FileVersion, settings: TableSettings, file: Path) -> list[tuple[str, SheetReader]]:
    """A reader for every sheet that `sheet` names, with the path that its batch goes by.

    Without `sheet` it is the only visible one that holds anything. With a pattern the batches are `<file>/<sheet>`, and
    blank and hidden sheets are passed over.
    """
    import python_calamine

    setting = f"sources.{version.source}.tables.{version.table}"
    try:
        with _opened(version, file) as stream, python_calamine.load_workbook(stream) as book:
            errors = _error_cells(version, file)
            wanted = _wanted(book, version, settings.sheet, setting)
            several = any(sign in settings.sheet for sign in PATTERN_SIGNS)
            readers = [
                (
                    f"{version.path}/{sheet.name}" if several else version.path,
                    SheetReader(version, settings, sheet, errors(sheet.name), several),
                )
                for sheet in wanted
            ]
    except python_calamine.PasswordError:
        raise _protected(version) from None
    except python_calamine.CalamineError as error:
        raise _unreadable(version, error) from None
    confirm(version, file)
    return readers


def _opened(version: FileVersion, file: Path) -> IO[bytes]:
    chunks = raw_chunks(version, file, decompress=False)
    head = next(chunks, b"")
    if head.startswith(_ZIP):
        return readable(file, version)
    if not head.startswith(_COMPOUND):
        raise FileRejected(
            "this is no workbook, whatever its name says" if head else "the file is empty (0 bytes)",
            where=version.path,
            todo="Open it in a text editor: if it holds lines of text, set the table's format to 'csv'.",
        )
    if _PROTECTED in head or any(_PROTECTED in chunk for chunk in chunks):
        raise _protected(version)
    return open(file, "rb")


def _protected(version: FileVersion) -> FileRejected:
    return FileRejected(
        "the workbook is protected by a password", where=version.path, todo="Deliver it without a password."
    )


def _unreadable(version: FileVersion, error: Exception) -> FileRejected:
    return FileRejected(
        f"the workbook cannot be read: {error}", where=version.path, todo="Deliver the file again, complete."
    )


def _error_cells(version: FileVersion, file: Path) -> Callable[[str], dict[tuple[int, int], str]]:
    """The error values of a sheet of .xls, by row and column; in the other formats they are texts by now."""
    with open(file, "rb") as stream:
        if stream.read(len(_COMPOUND)) != _COMPOUND:
            return lambda name: {}
    import xlrd

    try:
        book = xlrd.open_workbook(str(file), logfile=_Silent(), on_demand=True)
    except Exception as error:  # whatever it stumbles over in a damaged file
        raise _unreadable(version, error) from None

    def of(name: str) -> dict[tuple[int, int], str]:
        sheet = book.sheet_by_name(name)
        cells = {
            (row, column): error_name(int(sheet.cell_value(row, column)))
            for row in range(sheet.nrows)
            for column, kind in enumerate(sheet.row_types(row))
            if kind == xlrd.XL_CELL_ERROR
        }
        book.unload_sheet(name)
        return cells

    return of


class _Silent:
    def write(self, text: str) -> None: ...


def _wanted(book: CalamineWorkbook, version: FileVersion, wanted: str, setting: str) -> Iterator[CalamineSheet]:
    from python_calamine import SheetTypeEnum, SheetVisibleEnum

    sheets = [sheet for sheet in book.sheets_metadata if sheet.typ == SheetTypeEnum.WorkSheet]
    visible = [sheet.name for sheet in sheets if sheet.visible == SheetVisibleEnum.Visible]
    there = ", ".join(repr(sheet.name) for sheet in sheets) or "none"
    several = any(sign in wanted for sign in PATTERN_SIGNS)
    if wanted and not several:
        names = [sheet.name for sheet in sheets if sheet.name.casefold() == wanted.casefold()]
    else:
        names = [name for name in visible if not several or fnmatchcase(name.casefold(), wanted.casefold())]
    filled = [sheet for sheet in map(book.get_sheet_by_name, names) if sheet.start is not None or len(names) == 1]
    if not filled:
        what = f"no sheet {wanted!r} that holds anything" if wanted else "no visible sheet that holds anything"
        raise FileRejected(
            f"the workbook has {what}; its sheets: {there}",
            where=version.path,
            todo=f"Correct {setting}.sheet, or deliver the file again.",
        )
    if len(filled) > 1 and not several:
        raise FileRejected(
            f"the workbook has {len(filled)} sheets that hold something: {', '.join(repr(s.name) for s in filled)}",
            where=version.path,
            todo=f'Name the one to read: {setting}.sheet = "{filled[0].name}"; or all of them: sheet = "*".',
        )
    yield from filled


def cell_text(value: Any) -> str | None:
    """A cell's value as bronze keeps it; None for an empty cell.

    Numbers in plain digits, as far as a workbook has them (15 to 17); dates and times ISO, spans of time H:MM:SS.
    """
    if isinstance(value, str):
        return value or None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return format(Decimal(repr(value)).normalize(), "f") if value else "0"
    if isinstance(value, datetime):
        return _without_zeros(value.isoformat(sep=" "))
    if isinstance(value, time):
        return _without_zeros(value.isoformat())
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return _span(value)
    return str(value)


def _without_zeros(text: str) -> str:
    return text.rstrip("0") if "." in text else text


def _span(value: timedelta) -> str:
    sign, value = ("-", -value) if value < timedelta() else ("", value)
    minutes, seconds = divmod(value.days * 86_400 + value.seconds, 60)
    fraction = f".{value.microseconds:06}".rstrip("0") if value.microseconds else ""
    return f"{sign}{minutes // 60:02}:{minutes % 60:02}:{seconds:02}{fraction}"


class SheetReader:
    """One sheet; `_row` is the row's number there. Of merged cells the first has the value.

    A row without any value is counted in `blank`; a column without a name and any value is left out. The content hash
    is over names and values: a workbook that was only saved again holds the same.
    """

    def __init__(
        self, version: FileVersion, settings: TableSettings, sheet: CalamineSheet, errors: dict[tuple[int, int], str],
        several: bool,
    ) -> None:  # fmt: skip
        self.lines = self.malformed = self.blank = 0
        self._pieces: list[tuple[pa.Array, list[pa.Array]]] = []
        self._wrong: list[tuple[int, str, str]] = []
        rows = _numbered(sheet, errors)
        for number, row in rows:
            if number > settings.skip_rows and any(cell is not None for cell in row):
                break
        else:
            raise FileRejected(
                "the sheet is blank", where=f"{version.path}, sheet {sheet.name!r}",
                todo=f"Check sources.{version.source}.tables.{version.table}.skip_rows, or deliver the file again.",
            )  # fmt: skip
        self._header = row if settings.header else None
        names = list(settings.columns) or [cell or "" for cell in row]
        self._gather(rows if settings.header else chain([(number, row)], rows), len(names), settings.skip_footer)
        every = unique_names(names)
        kept = [
            place for place, name in enumerate(names)
            if name.strip() or any(columns[place].null_count < len(numbers) for numbers, columns in self._pieces)
        ]  # fmt: skip
        self.columns = tuple(every[place] for place in kept)
        self._pieces = [(numbers, [columns[place] for place in kept]) for numbers, columns in self._pieces]
        self.content_hash = content_hash(
            table_hash(self._table()),
            malformed=([line[1:] for line in self._wrong], []),
            sheet=(sheet.name if several else "", ""),
        )
        self.small = sum(column.nbytes for _, columns in self._pieces for column in columns) <= SMALL_BYTES

    def _gather(self, rows: Iterator[tuple[int, Row]], width: int, footer: int) -> None:
        """Rows as columns of text, in pieces; what does not fit the columns aside."""
        held: list[tuple[int, Row]] = []
        for number, row in rows:
            if not any(cell is not None for cell in row):
                self.blank += 1
                continue
            held.append((number, row))
            if len(held) >= _BATCH_ROWS + footer:
                self._piece(held[: len(held) - footer], width)
                held = held[len(held) - footer :]
        self._piece(held[: len(held) - footer], width)

    def _piece(self, rows: list[tuple[int, Row]], width: int) -> None:
        import pyarrow as pa

        fitting: list[tuple[int, Row]] = []
        for number, row in rows:
            reach = max(place for place, cell in enumerate(row, 1) if cell is not None)
            if row == self._header:
                self._wrong.append((number, _line(row), "header repeated"))
            elif reach > width:
                self._wrong.append((number, _line(row), f"expected {width} columns, found {reach}"))
            else:
                fitting.append((number, row))
        if fitting:
            columns = [
                without_nul(pa.array([row[place] if place < len(row) else None for _, row in fitting], pa.string()))
                for place in range(width)
            ]
            self._pieces.append((pa.array([number for number, _ in fitting], pa.int64()), columns))

    def _table(self) -> pa.Table:
        import pyarrow as pa

        text = pa.string()
        return pa.Table.from_arrays(
            [
                pa.chunked_array([columns[place] for _, columns in self._pieces], text)
                for place in range(len(self.columns))
            ],
            names=list(self.columns),
        )

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for numbers, columns in self._pieces:
            self.lines += len(numbers)
            yield row_batch(self.columns, numbers, columns)
        if self._wrong:
            self.lines += len(self._wrong)
            self.malformed = len(self._wrong)
            yield malformed_batch(self.columns, self._wrong)


def _numbered(sheet: CalamineSheet, errors: dict[tuple[int, int], str]) -> Iterator[tuple[int, Row]]:
    """The rows of a sheet as text, numbered from 1 as the sheet does; blank columns at its left are not in them."""
    left = sheet.start[1] if sheet.start else 0
    in_row: dict[int, dict[int, str]] = {}
    for (row, column), text in errors.items():
        in_row.setdefault(row, {})[column - left] = text
    for number, cells in enumerate(sheet.iter_rows()):
        found = [cell_text(cell) for cell in cells]
        for place, text in in_row.get(number, {}).items():
            found[place] = text
        yield number + 1, found


def _line(row: Row) -> str:
    """A row as text, for one that is set aside."""
    return "\t".join(cell or "" for cell in row)
