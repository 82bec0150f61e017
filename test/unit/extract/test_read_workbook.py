"""Sheets of workbooks: every value to the letter in each format, the sheet that is meant, and what is refused."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import xlsxwriter
import xlwt
from hypothesis import given, settings
from hypothesis import strategies as st
from pyxlsbwriter import XlsbWriter

from systock.extract import extract_files
from systock.extract.batch import FileRejected
from systock.extract.read_workbook import cell_text

from .reading import Read, collect, read, source_settings, version_of, write

Sheets = dict[str, list[list[Any]]]


class Error(str):
    """An error value of a cell."""


_XLSX_FORMATS = {date: "yyyy-mm-dd", datetime: "yyyy-mm-dd hh:mm:ss.000", time: "hh:mm:ss", timedelta: "[h]:mm:ss"}


def xlsx(sheets: Sheets, hidden: tuple[str, ...] = (), merged: tuple[Any, ...] = ()) -> bytes:
    """A workbook in the format of Excel."""
    target = io.BytesIO()
    book = xlsxwriter.Workbook(target, {"in_memory": True})
    formats = {kind: book.add_format({"num_format": text}) for kind, text in _XLSX_FORMATS.items()}
    for name, rows in sheets.items():
        sheet = book.add_worksheet(name)
        for row, cells in enumerate(rows):
            for column, cell in enumerate(cells):
                if isinstance(cell, Error):
                    sheet.write_formula(row, column, "=1/0", None, str(cell))
                elif isinstance(cell, str):
                    sheet.write_string(row, column, cell)
                elif type(cell) in formats:
                    sheet.write_datetime(row, column, cell, formats[type(cell)])
                elif cell is not None:
                    sheet.write(row, column, cell)
        for span in merged:
            sheet.merge_range(*span)
    for name in hidden:
        book.add_worksheet(name).hide()
    book.close()
    return target.getvalue()


def xls(sheets: Sheets) -> bytes:
    """A workbook in the format of Excel 97."""
    book = xlwt.Workbook()
    codes = {"#DIV/0!": 0x07, "#N/A": 0x2A}
    formats = {kind: xlwt.easyxf(num_format_str=text.upper()) for kind, text in _XLSX_FORMATS.items()}
    for name, rows in sheets.items():
        sheet = book.add_sheet(name)
        for row, cells in enumerate(rows):
            for column, cell in enumerate(cells):
                if isinstance(cell, Error):
                    sheet.row(row).set_cell_error(column, codes[cell])
                elif isinstance(cell, timedelta):
                    sheet.write(row, column, cell / timedelta(days=1), formats[timedelta])
                elif cell is not None:
                    sheet.write(row, column, cell, formats.get(type(cell), xlwt.Style.default_style))
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def xlsb(sheets: Sheets, folder: Path) -> bytes:
    """A workbook in the binary format of Excel; its writer knows no errors, so these are put in afterwards."""
    path = folder / "made.xlsb"
    with XlsbWriter(str(path)) as book:
        for name, rows in sheets.items():
            book.add_sheet(name)
            book.write_sheet([[77_000_007 if isinstance(cell, Error) else cell for cell in row] for row in rows])
    number = b"\x02\x0c", struct.pack("<i", (77_000_007 << 2) | 2)
    target = io.BytesIO()
    with zipfile.ZipFile(path) as made, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as changed:
        for part in made.infolist():
            data = made.read(part)
            while (at := data.find(number[1])) > 0 and part.filename.startswith("xl/worksheets"):
                # type and length, column and style, value
                assert data[at - 10 : at - 8] == number[0]
                data = data[: at - 10] + b"\x03\x09" + data[at - 8 : at] + b"\x07" + data[at + 4 :]
            changed.writestr(part.filename, data)
    return target.getvalue()


def _ods_cell(cell: Any) -> str:
    kind, text = "string", str(cell)
    if cell is None:
        return "<table:table-cell/>"
    if isinstance(cell, Error):
        return (
            '<table:table-cell table:formula="of:=1/0" office:value-type="string" office:string-value="" '
            f'calcext:value-type="error"><text:p>{cell}</text:p></table:table-cell>'
        )
    if isinstance(cell, bool):
        kind, value = "boolean", f'office:boolean-value="{str(cell).lower()}"'
    elif isinstance(cell, int | float):
        kind, value = "float", f'office:value="{cell!r}"'
    elif isinstance(cell, date):
        kind, value = "date", f'office:date-value="{cell.isoformat()}"'
    elif isinstance(cell, time):
        kind, value = "time", f'office:time-value="PT{cell.hour:02}H{cell.minute:02}M{cell.second:02}S"'
    elif isinstance(cell, timedelta):
        kind, value = "time", f'office:time-value="PT{int(cell.total_seconds()) // 3600}H00M00S"'
    else:
        value, text = "", text.replace("&", "&amp;").replace("\n", "</text:p><text:p>")
    return f'<table:table-cell office:value-type="{kind}" {value}><text:p>{text}</text:p></table:table-cell>'


def ods_of(tables: str) -> bytes:
    """An OpenDocument workbook with these tables."""
    names = "".join(
        f' xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "text", "table")
    )
    names += ' xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"'
    content = (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document-content{names} office:version="1.3"><office:body>'
        f"<office:spreadsheet>{tables}</office:spreadsheet></office:body></office:document-content>"
    )
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    manifest = (
        '<?xml version="1.0" encoding="UTF-8"?><manifest:manifest manifest:version="1.3" '
        'xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
        f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{kind}"/></manifest:manifest>'
    )
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as packed:
        packed.writestr("mimetype", kind)
        packed.writestr("content.xml", content)
        packed.writestr("META-INF/manifest.xml", manifest)
    return target.getvalue()


def ods(sheets: Sheets) -> bytes:
    """A workbook in the OpenDocument format."""
    return ods_of(
        "".join(
            f'<table:table table:name="{name}">'
            + "".join(f"<table:table-row>{''.join(map(_ods_cell, row))}</table:table-row>" for row in rows)
            + "</table:table>"
            for name, rows in sheets.items()
        )
    )


WRITERS: dict[str, Callable[[Sheets, Path], bytes]] = {
    "xlsx": lambda sheets, folder: xlsx(sheets),
    "xlsm": lambda sheets, folder: xlsx(sheets),
    "xls": lambda sheets, folder: xls(sheets),
    "ods": lambda sheets, folder: ods(sheets),
    "xlsb": xlsb,
}


def read_all(project: Path, content: bytes, name: str, **settings: Any) -> dict[str, Read]:
    """Write a workbook and read all its sheets that are meant."""
    path = write(project / name, content)
    table = source_settings(sales={"path": name, **settings}).tables["sales"]
    return {of: collect(reader) for of, reader in extract_files.read_file(version_of(path, project), table, path)}


@pytest.mark.parametrize("kind", WRITERS)
def test_every_value_is_read_to_the_letter(tmp_path: Path, kind: str) -> None:
    rows = [
        ["id", "text", "units", "price", "on", "at", "ok", "checked"],
        ["007", " Käse & Co\n2 ", 5, 1.1, date(2024, 5, 31), datetime(2024, 5, 31, 9, 12, 33), True, Error("#DIV/0!")],
        ["#N/A", "=1+1", -3.0, 4006381333931, date(2000, 2, 29), datetime(1999, 12, 31, 23, 59, 59), False, None],
        [None, None, None, None, None, None, None, None],
        ["x", None, 0, 0.30000000000000004, None, None, None, 1e-7],
    ]
    found = read(tmp_path, WRITERS[kind]({"Sales": rows}, tmp_path), f"book.{kind}")
    assert found.columns == tuple(rows[0])
    text = " Käse & Co\n2 "
    exact = "0.3" if kind in ("xlsx", "xlsm") else "0.30000000000000004"  # their writer keeps 16 digits
    assert found.rows == {
        2: ("007", text, "5", "1.1", "2024-05-31", "2024-05-31 09:12:33", "true", "#DIV/0!"),
        3: ("#N/A", "=1+1", "-3", "4006381333931", "2000-02-29", "1999-12-31 23:59:59", "false", None),
        5: ("x", None, "0", exact, None, None, None, "0.0000001"),
    }
    assert found.reader.blank == 1


@pytest.mark.parametrize("kind", ["xlsx", "xls", "ods"])
def test_times_of_day_and_spans_of_time(tmp_path: Path, kind: str) -> None:
    rows = [["id", "opens", "worked"], ["1", time(9, 30), timedelta(hours=36)]]
    found = read(tmp_path, WRITERS[kind]({"Sales": rows}, tmp_path), f"book.{kind}")
    assert found.rows == {2: ("1", "09:30:00", "PT36H00M00S" if kind == "ods" else "36:00:00")}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("", None), ("0", "0"), (0.0, "0"), (-0.0, "0"), (5.0, "5"), (100.0, "100"), (1e20, "100000000000000000000"), (1.5e-9, "0.0000000015"),
        (12, "12"), (True, "true"), (datetime(2024, 5, 31, 9, 0, 0, 120_000), "2024-05-31 09:00:00.12"), (time(9, 0, 0, 500_000), "09:00:00.5"),
        (timedelta(hours=-1), "-01:00:00"), (timedelta(days=5, microseconds=1000), "120:00:00.001"),
    ],
)  # fmt: skip
def test_a_value_as_text(value: Any, text: str | None) -> None:
    assert cell_text(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_as_text_is_that_number_in_plain_digits(value: float) -> None:
    text = cell_text(value)
    assert text is not None and float(text) == value and "e" not in text.lower()


def test_a_header_below_junk_and_a_table_that_begins_further_right(tmp_path: Path) -> None:
    rows = [
        [None, None, "Report of May"],
        [None, None, "printed", date(2024, 6, 1)],
        [],
        [None, None, "id", None, "Menge\nStück", "id"],
        [None, None, "1", None, 2.5, None],
        [None, None, "id", None, "Menge\nStück", "id"],
        [None, None, "2", "note", 3],
        [None, None, "sum", None, 5.5],
    ]
    found = read(tmp_path, xlsx({"S": rows}), "book.xlsx", skip_rows=2, skip_footer=1)
    assert found.columns == ("id", "column_2", "Menge Stück", "id_2")
    assert found.rows == {5: ("1", None, "2.5", None), 7: ("2", "note", "3", None)}
    assert found.malformed == {6: ("id\t\tMenge\nStück\tid", "header repeated")}


def test_columns_without_name_and_value_are_left_out(tmp_path: Path) -> None:
    found = read(
        tmp_path, xlsx({"S": [["a", " ", "c", None], ["1", None, "3", None], [None, None, None, " "]]}), "b.xlsx"
    )
    assert found.columns == ("a", "c", "column_4")
    assert found.rows == {2: ("1", "3", None), 3: (None, None, " ")}


def test_of_merged_cells_the_first_has_the_value(tmp_path: Path) -> None:
    content = xlsx({"S": [["store", "sku", "units"], [None, "a", 1], [None, "b", 2]]}, merged=((1, 0, 2, 0, "S01"),))
    assert read(tmp_path, content, "b.xlsx").rows == {2: ("S01", "a", "1"), 3: (None, "b", "2")}


def test_named_columns_and_rows_that_do_not_fit_them(tmp_path: Path) -> None:
    content = xlsx({"S": [["1", "x"], ["2", "y", "z"], ["3"]]})
    found = read(tmp_path, content, "b.xlsx", header=False, columns=["id", "name"])
    assert found.rows == {1: ("1", "x"), 3: ("3", None)}
    assert found.malformed == {2: ("2\ty\tz", "expected 2 columns, found 3")}


def test_the_only_sheet_that_holds_something_is_meant(tmp_path: Path) -> None:
    content = xlsx({"Empty": [], "Data": [["id"], ["1"]]}, hidden=("Notes",))
    assert read(tmp_path, content, "b.xlsx").rows == {2: ("1",)}


def test_of_several_sheets_the_setting_says_which(tmp_path: Path) -> None:
    content = xlsx({"May": [["id"], ["1"]], "June": [["id"], ["2"]]})
    with pytest.raises(FileRejected, match="2 sheets that hold something: 'May', 'June'") as caught:
        read(tmp_path, content, "b.xlsx")
    assert caught.value.todo and 'sources.pos.tables.sales.sheet = "May"' in caught.value.todo
    assert read(tmp_path, content, "b.xlsx", sheet="june").rows == {2: ("2",)}


@pytest.mark.parametrize("sheet", ["July", "J*", "Blank"])
def test_a_sheet_that_is_missing_names_those_there(tmp_path: Path, sheet: str) -> None:
    content = xlsx({"May": [["id"], ["1"]], "Blank": []}, hidden=("Secret",))
    with pytest.raises(FileRejected) as caught:
        read(tmp_path, content, "b.xlsx", sheet=sheet)
    assert caught.value.what == ("the sheet is blank" if sheet == "Blank" else (
        f"the workbook has no sheet '{sheet}' that holds anything; its sheets: 'May', 'Blank', 'Secret'"
    ))  # fmt: skip


def test_with_a_pattern_each_sheet_is_a_batch_of_its_own(tmp_path: Path) -> None:
    content = xlsx({"Store 1": [["id"], ["1"]], "Store 2": [["id"], ["1"]], "Notes": [["x"]], "Store 3": []})
    found = read_all(tmp_path, content, "b.xlsx", sheet="Store *")
    assert {path: part.rows for path, part in found.items()} == {
        "b.xlsx/Store 1": {2: ("1",)},
        "b.xlsx/Store 2": {2: ("1",)},
    }
    # What tells them apart is the sheet's name alone: neither is a repeat of the other.
    assert len({part.reader.content_hash for part in found.values()}) == 2


def test_a_workbook_saved_again_holds_the_same(tmp_path: Path) -> None:
    rows = [["id", "name"], ["1", "x"]]
    one = read(tmp_path, xlsx({"S": rows, "Other": []}), "a.xlsx").reader.content_hash
    assert read(tmp_path, xlsx({"Renamed": rows}), "b.xlsx").reader.content_hash == one
    assert read(tmp_path, xls({"S": rows}), "c.xls").reader.content_hash == one
    assert read(tmp_path, xlsx({"S": [["id", "name"], ["1", "y"]]}), "a.xlsx").reader.content_hash != one
    twice = [*rows, ["id", "name"]]
    assert read(tmp_path, xlsx({"S": twice}), "a.xlsx").reader.content_hash != one


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.one_of(st.none(), st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=5)), max_size=4), max_size=6)
)  # fmt: skip
def test_texts_survive_in_their_places(tmp_path_factory: pytest.TempPathFactory, rows: list[list[str | None]]) -> None:
    folder = tmp_path_factory.mktemp("book")
    content = xlsx({"S": [["a", "b", "c", "d"], *rows]})
    expected = {
        number: tuple((row[place] or None) if place < len(row) else None for place in range(4))
        for number, row in enumerate(rows, 2)
        if any(row)
    }
    found = read(folder, content, "b.xlsx")
    assert {**found.rows, **dict.fromkeys(found.malformed, ("a", "b", "c", "d"))} == expected


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "empty"),
        (b"id;name\n1;x\n", "no workbook, whatever its name says"),
        (b"<html><table>", "no workbook"),
        (b"PK\x03\x04 and then nothing", "damaged"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "cannot be read"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600 + "EncryptedPackage".encode("utf-16-le"), "a password"),
    ],
)
@pytest.mark.parametrize("name", ["b.xlsx", "b.xls"])
def test_what_is_no_workbook_is_refused(tmp_path: Path, content: bytes, what: str, name: str) -> None:
    with pytest.raises(FileRejected, match=what) as caught:
        read(tmp_path, content, name)
    assert caught.value.where == name


def test_another_zip_is_no_workbook(tmp_path: Path) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as packed:
        packed.writestr("a.csv", "id\n1\n")
    with pytest.raises(FileRejected, match="cannot be read"):
        read(tmp_path, target.getvalue(), "b.xlsx")


@pytest.mark.parametrize("kind", ["xlsx", "xlsb", "ods", "xls"])
def test_a_workbook_that_is_cut_or_damaged_is_refused(tmp_path: Path, kind: str) -> None:
    whole = WRITERS[kind]({"S": [["id", "name"], *([str(n), f"name {n * 7919}"] for n in range(300))]}, tmp_path)
    for cut in (len(whole) // 3, len(whole) - 40):
        with pytest.raises(FileRejected):
            read(tmp_path, whole[: cut if kind != "xls" else cut // 2], f"b.{kind}")
    if kind != "xls":  # which has no check sums
        place = whole.index(b"content.xml" if kind == "ods" else b"xl/worksheets/sheet1") + 300
        with pytest.raises(FileRejected, match="damaged"):
            read(tmp_path, whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :], f"b.{kind}")


def _repacked(content: bytes, part: str, data: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            new.writestr(info.filename, data if info.filename == part else old.read(info))
    return target.getvalue()


def test_what_would_unfold_without_end_is_refused_before_it_does(tmp_path: Path) -> None:
    tracemalloc.start()
    with patch("systock.extract.workbook_parts.MAX_UNPACKED_BYTES", 3 << 20):
        with pytest.raises(FileRejected, match="has more than 3 MB"):
            read(tmp_path, _repacked(xlsx({"S": [["id"]]}), "xl/styles.xml", b" " * (4 << 20)), "b.xlsx")
        # A stray value far out makes a sheet of 17 billion cells.
        far = xlsx({"S": [["id"], ["1"]]})
        sheet = (
            b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
            b'<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData></worksheet>'
        )
        with pytest.raises(FileRejected, match=r"spans 17,179,869,184 cells"):
            read(tmp_path, _repacked(far, "xl/worksheets/sheet1.xml", sheet), "b.xlsx")
    repeated = (
        '<table:table table:name="S"><table:table-row table:number-rows-repeated="1000000">'
        '<table:table-cell office:value-type="float" office:value="1" table:number-columns-repeated="1000"/></table:table-row></table:table>'
    )
    with pytest.raises(FileRejected, match=r"spans 1,000,000,000 cells"):
        read(tmp_path, ods_of(repeated), "b.ods")
    assert tracemalloc.get_traced_memory()[1] < 64 << 20
    tracemalloc.stop()


def test_empty_rows_at_the_end_of_an_opendocument_cost_nothing(tmp_path: Path) -> None:
    tables = (
        '<table:table table:name="S"><table:table-row><table:table-cell office:value-type="string"><text:p>id</text:p></table:table-cell>'
        '<table:table-cell table:number-columns-repeated="16383"/></table:table-row>'
        '<table:table-row table:number-rows-repeated="2"><table:table-cell office:value-type="float" office:value="7"/></table:table-row>'
        '<table:table-row table:number-rows-repeated="1048573"><table:table-cell table:number-columns-repeated="16384"/></table:table-row>'
        "</table:table>"
    )
    assert read(tmp_path, ods_of(tables), "b.ods").rows == {2: ("7",), 3: ("7",)}


def test_a_large_sheet_is_handed_over_in_pieces(tmp_path: Path) -> None:
    rows = [["id", "units"], *([str(n), n] for n in range(1000))]
    with patch("systock.extract.read_workbook._BATCH_ROWS", 64):
        found = read(tmp_path, xlsx({"S": rows}), "b.xlsx", skip_footer=2)
    assert found.batches == 16
    assert found.rows == {n + 2: (str(n), str(n)) for n in range(998)}


def test_format_excel_reads_a_workbook_of_any_name(tmp_path: Path) -> None:
    content = xlsx({"S": [["id"], ["1"]]})
    with pytest.raises(FileRejected, match="a zip archive or a workbook"):
        read(tmp_path, content, "export.dat")
    assert read(tmp_path, content, "export.dat", format="excel").rows == {2: ("1",)}
    assert read(tmp_path, content, "export.xls").rows == {2: ("1",)}
