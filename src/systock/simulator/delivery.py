"""Files as they are delivered: their lines, what stands behind each and must become of it, and how they are written."""

from __future__ import annotations

import gzip
import io
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from systock.simulator.documents import Document
from systock.simulator.workbook import workbook

POS_SALES = "pos.sales"
ERP_PRODUCTS = "erp.products"
ERP_UNITS = "erp.product_units"
ERP_SUPPLIERS = "erp.suppliers"
ERP_LOCATIONS = "erp.locations"
ERP_RATES = "erp.exchange_rates"
ERP_MOVEMENTS = "erp.movements"
ERP_PURCHASES = "erp.purchases"
ERP_TRANSFERS = "erp.transfers"
ERP_ORDERS = "erp.web_orders"
ERP_STORE_DAYS = "erp.store_days"
POS_TENDERS = "pos.tenders"
COUNTS_SHEETS = "counts.sheets"
DESK_RETURNS = "desk.returns"


class Fate(StrEnum):
    """What must become of a delivered line."""

    KEPT = "kept"
    UNCHANGED = "unchanged"
    SUPERSEDED = "superseded"
    DUPLICATE = "duplicate"
    QUARANTINED = "quarantined"
    LEFT_OUT = "left_out"


class FileFate(StrEnum):
    """What must become of a delivered file."""

    LANDED = "landed"
    REPEATED = "repeated"
    REJECTED = "rejected"


@dataclass(slots=True)
class Line:
    """One physical line; `document` is None where nothing of the chain's books stands behind it."""

    document: Document | None
    text: str
    fate: Fate = Fate.KEPT
    malformed: bool = False


@dataclass(slots=True)
class SourceFile:
    """One delivered file: `head` (junk, then the column names) and `foot` stand around its lines."""

    table: str
    path: str
    known_at: int
    lines: list[Line]
    head: tuple[str, ...] = ()
    foot: tuple[str, ...] = ()
    encoding: str = "utf-8"
    newline: str = "\n"
    fate: FileFate = FileFate.LANDED
    keep_bytes: int = 0  # of a file cut off on its way: how many bytes of it arrived, in 1/100
    content_of: str = field(default="")  # path of the file that this one repeats
    is_live: bool = False  # a table of a system that is asked: no file, its rows are counted from 1

    @property
    def is_gzip(self) -> bool:
        """By its name."""
        return self.path.endswith(".gz")

    def row_of(self, line: Line) -> int:
        """Physical record number: the first line of the file is 1, header and junk counted."""
        before = 0 if self.is_live else len(self.head)
        return next(place for place, other in enumerate(self.lines) if other is line) + before + 1

    def content(self) -> bytes:
        """The file as it arrives."""
        if self.path.endswith(".xlsx"):
            return workbook([*self.head, *(line.text for line in self.lines)])
        text = self.newline.join([*self.head, *(line.text for line in self.lines), *self.foot, ""])
        plain = text.encode(self.encoding)
        if not self.is_gzip:
            return plain
        packed = io.BytesIO()
        # no file name, no time, no operating system in the header: the same lines give the same bytes everywhere
        with gzip.GzipFile(filename="", mode="wb", compresslevel=5, fileobj=packed, mtime=0) as stream:
            stream.write(plain)
        whole = packed.getvalue()
        return whole[: max(24, len(whole) * self.keep_bytes // 100)] if self.keep_bytes else whole

    def write(self, project: Path) -> int:
        """Write the file below the project; its size in bytes."""
        target = project / self.path
        target.parent.mkdir(parents=True, exist_ok=True)
        return target.write_bytes(self.content())


def cents(value: int) -> str:
    """1250 cents -> 12.50."""
    sign, value = ("-", -value) if value < 0 else ("", value)
    return f"{sign}{value // 100}.{value % 100:02d}"


def thousandths(value: int) -> str:
    """1500 -> 1.500."""
    sign, value = ("-", -value) if value < 0 else ("", value)
    return f"{sign}{value // 1000}.{value % 1000:03d}"


def ten_thousandths(value: int) -> str:
    """71234 -> 7.1234."""
    sign, value = ("-", -value) if value < 0 else ("", value)
    return f"{sign}{value // 10_000}.{value % 10_000:04d}"


def quoted(text: str, delimiter: str) -> str:
    """A CSV cell, quoted only where it must be."""
    return '"' + text.replace('"', '""') + '"' if delimiter in text or '"' in text else text
