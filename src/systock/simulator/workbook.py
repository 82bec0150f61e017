"""The count sheets as workbooks: dates and numbers are typed where the text is one, as a spreadsheet takes what is typed in."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from datetime import datetime

import xlsxwriter

_NUMBER = re.compile(r"-?\d{1,3}(\.\d{3})*,\d+")
_DAY = re.compile(r"\d{2}\.\d{2}\.\d{4}")
_MADE = datetime(2024, 1, 1)


def _typed(text: str) -> str | float | datetime:
    """What a German spreadsheet makes of a text."""
    if _NUMBER.fullmatch(text):
        return float(text.replace(".", "").replace(",", "."))
    if _DAY.fullmatch(text):
        try:
            return datetime.strptime(text, "%d.%m.%Y")
        except ValueError:
            return text
    return text


def workbook(lines: Iterable[str]) -> bytes:
    """Lines of cells parted by semicolons as the only sheet of a workbook; the same lines give the same bytes."""
    packed = io.BytesIO()
    with xlsxwriter.Workbook(packed, {"in_memory": True, "strings_to_formulas": False}) as book:
        book.set_properties({"created": _MADE})
        day, quantity = book.add_format({"num_format": "dd.mm.yyyy"}), book.add_format({"num_format": "#,##0.000"})
        sheet = book.add_worksheet("Inventur")
        for row, text in enumerate(lines):
            for column, cell in enumerate(next(csv.reader([text], delimiter=";"))):
                value = _typed(cell)
                if isinstance(value, datetime):
                    sheet.write_datetime(row, column, value, day)
                elif isinstance(value, float):
                    sheet.write_number(row, column, value, quantity)
                elif value:
                    sheet.write_string(row, column, value)
    return packed.getvalue()
