"""The answer key: what a right warehouse says after reading the simulated files, at several knowledge times.

Everything here comes from the simulator's own books, never from SyStock's SQL. Instants are ISO texts in UTC, dates are
ISO texts, numbers are Decimals.

    sales             per knowledge time, location and business date: what was sold and returned
    on_hand           per knowledge time and business date: stock at the end of that business day, per product, location
                      and status, where an opening or a count anchors it (elsewhere it is unknown)
    stock_totals      the sums of on_hand, and for information what really lay on the shelves
    product_versions  every version of every product, with the time at which it became known
    purchases, transfers, web_orders, store_days, payments, held_payments
                      per knowledge time: what the offices' documents say (see paper_figures)
    counts            per knowledge time: what every count found and what explains its variance (see count_books)
    files, tables     what must become of every file and of every table's lines:
                      lines = kept + unchanged + superseded + duplicates + quarantined + left_out
                      (malformed ones are among the quarantined). Lines of repeated files stand apart, lines of rejected
                      files count nowhere
    faults            every fault that was put in, with the file and row where it must be found

What was agreed where several answers are possible:
    - of several versions of a product in one file, all stay in its history, and the older are counted as superseded;
    - a line in quarantine counts nowhere until a good one replaces it; void and test lines count nowhere at all;
    - a product whose master record is missing is taken as stocked, in its base unit;
    - a wall clock that a switch made ambiguous is the second hour, a skipped one is shifted forward, and the business
      date follows from that instant;
    - a discount on a price that includes tax loses the tax's share: discount x net / (net + tax), rounded once,
      to four decimals, half away from zero;
    - amounts in EUR are rounded per line to four decimals, half away from zero, at the latest known rate up to the
      business date;
    - a movement whose unit has no conversion is kept in silver, but moves nothing until the conversion is known.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from systock.simulator import paper_figures
from systock.simulator.count_books import CountFigures
from systock.simulator.paper_figures import (
    HeldPayment,
    PaymentFigures,
    PurchaseFigures,
    StoreDayFigures,
    TransferFigures,
    WebOrderFigures,
)

FILE_NAME = "answer_key.json"


@dataclass(frozen=True, slots=True)
class SalesDay:
    """Sales of one location on one business date, as known at `known_at`; amounts in currency_code."""

    known_at: str
    location_id: str
    business_date: str
    currency_code: str
    lines: int  # sale and return lines that count
    receipts: int  # distinct receipts among them
    units: Decimal  # signed: returns are negative
    sold_units: Decimal  # of sale lines
    returned_units: Decimal  # of return lines, as a positive number
    receipt_gross_amount: Decimal  # quantity x unit price as printed: with the tax where prices include it; signed
    receipt_discount_amount: Decimal  # discounts as printed, likewise
    gross_amount: Decimal  # without tax: net_amount + discount_amount
    discount_amount: Decimal  # without tax: per line, times net / (net + tax) where prices include it
    tax_amount: Decimal  # sum of line taxes, signed
    net_amount: Decimal  # after discounts and returns, without tax
    sold_net_amount: Decimal  # of sale lines only
    returned_net_amount: Decimal  # of return lines, as a positive number
    net_amount_eur: Decimal | None  # None: no rate known


@dataclass(frozen=True, slots=True)
class OnHand:
    """Stock at the end of a business date, as known at `known_at`."""

    known_at: str
    business_date: str
    location_id: str
    product_id: str
    stock_status: str
    units: Decimal


@dataclass(frozen=True, slots=True)
class StockTotal:
    """All stock at the end of a business date; true_units is what really lay there, for information."""

    known_at: str
    business_date: str
    units: Decimal
    true_units: Decimal | None


@dataclass(frozen=True, slots=True)
class ProductVersionKey:
    """One version of a product."""

    product_id: str
    version_at: str
    known_at: str
    product_name: str
    list_price_amount: Decimal
    standard_cost_amount: Decimal
    status: str


@dataclass(frozen=True, slots=True)
class FileKey:
    """What must become of one file and its lines; `fate` is landed, repeated or rejected."""

    table: str
    path: str
    known_at: str
    fate: str
    lines: int
    kept: int
    unchanged: int
    superseded: int
    duplicates: int
    quarantined: int
    malformed: int
    left_out: int
    is_live: bool = False  # a table of a database or an API: known from when it was asked, whatever known_at says


@dataclass(frozen=True, slots=True)
class TableKey:
    """Sums over the files of a table; the line counts are those of its landed files."""

    table: str
    files_landed: int
    files_repeated: int
    files_rejected: int
    lines: int
    kept: int
    unchanged: int
    superseded: int
    duplicates: int
    quarantined: int
    malformed: int
    left_out: int
    repeated_lines: int


@dataclass(frozen=True, slots=True)
class FaultKey:
    """One place where a fault must be found.

    found: quarantined | superseded | duplicate | unchanged | left_out | kept | restated | unknown_member |
    unconverted | repeated_file | rejected_file.
    rule, column: of a quarantined line, malformed | cast | not_null | check | tie, and the contract's column.
    row: physical record number (first line of the file = 1); None: the whole file.
    """

    fault: str
    found: str
    rule: str
    column: str
    table: str
    path: str
    row: int | None
    detail: str


@dataclass(frozen=True, slots=True)
class AnswerKey:
    """See the module's description."""

    seed: int
    start_date: str
    days: int
    currency_code: str
    faults_asked: list[str]
    knowledge_times: list[str]  # ascending; the last one is after everything
    lost_units: Decimal  # wanted and not found on the shelf, for information
    sales: list[SalesDay]
    on_hand: list[OnHand]
    stock_totals: list[StockTotal]
    product_versions: list[ProductVersionKey]
    purchases: list[PurchaseFigures]
    transfers: list[TransferFigures]
    web_orders: list[WebOrderFigures]
    store_days: list[StoreDayFigures]
    payments: list[PaymentFigures]
    held_payments: list[HeldPayment]
    counts: list[CountFigures]
    files: list[FileKey]
    tables: list[TableKey]
    faults: list[FaultKey]

    @property
    def latest(self) -> str:
        """The knowledge time after everything."""
        return self.knowledge_times[-1]

    def fault_counts(self) -> dict[str, int]:
        """Places per fault."""
        counts = dict.fromkeys(sorted({place.fault for place in self.faults}), 0)
        for place in self.faults:
            counts[place.fault] += 1
        return counts

    def save(self, path: Path) -> None:
        """Write the JSON form: tables as a list of columns and a list of rows, decimals as text."""
        parts = []
        for name in [field.name for field in fields(self)]:
            value = getattr(self, name)
            if name in _ROWS:
                columns = [column.name for column in fields(_ROWS[name])]
                rows = ",\n".join(_dump([getattr(row, column) for column in columns]) for row in value)
                parts.append(f'"{name}": {{"columns": {_dump(columns)}, "rows": [\n{rows}\n]}}')
            else:
                parts.append(f'"{name}": {_dump(value)}')
        path.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


_ROWS: dict[str, type[Any]] = {
    "sales": SalesDay,
    "on_hand": OnHand,
    "stock_totals": StockTotal,
    "product_versions": ProductVersionKey,
    **paper_figures.ROWS,
    "counts": CountFigures,
    "files": FileKey,
    "tables": TableKey,
    "faults": FaultKey,
}
T = TypeVar("T")


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str, separators=(",", ":"))


def _read_rows(kind: type[T], table: dict[str, Any]) -> list[T]:
    hints = get_type_hints(kind)
    decimals = [hints[name] in (Decimal, Decimal | None) for name in table["columns"]]
    return [
        kind(
            **{
                name: Decimal(value) if is_decimal and value is not None else value
                for name, value, is_decimal in zip(table["columns"], row, decimals, strict=True)
            }
        )
        for row in table["rows"]
    ]


def load_answer_key(path: Path | str) -> AnswerKey:
    """Read what AnswerKey.save wrote; `path` is the file or the folder that holds it."""
    target = Path(path)
    if target.is_dir():
        target = target / FILE_NAME
    whole: dict[str, Any] = json.loads(target.read_text(encoding="utf-8"))
    for name, kind in _ROWS.items():
        whole[name] = _read_rows(kind, whole[name])
    whole["lost_units"] = Decimal(whole["lost_units"])
    return AnswerKey(**whole)
