"""The catalogue of faults, and the faults of single lines: what cannot be read, typed, checked or decided."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from systock.errors import UsageError
from systock.simulator import erp, faults_in_counts, faults_in_time, pos
from systock.simulator.chain import Chain
from systock.simulator.delivery import (
    ERP_PRODUCTS,
    ERP_SUPPLIERS,
    ERP_UNITS,
    Fate,
    Line,
    SourceFile,
)
from systock.simulator.documents import History, Movement, ProductRecord, SaleLine, UnitRecord
from systock.simulator.sales import tax_of
from systock.simulator.workbench import DELIMITER, Choice, Workbench


def duplicate_lines(bench: Workbench) -> None:
    """The same line again in the same file: counted as a duplicate, read once."""
    for file, line in bench.choose_sales(4) + bench.choose_movements(2):
        bench.note("duplicate", file, bench.insert(file, line, Line(None, line.text, Fate.DUPLICATE)))


def tied_lines(bench: Workbench) -> None:
    """The same key with other values and the same changed_at in one file: nobody can tell which is right."""
    for file, line in bench.choose_sales(2) + bench.choose_movements(1):
        column, other = ("qty", "97.000") if DELIMITER[file.table] == "," else ("menge", "96.000")
        twin = bench.insert(file, line, Line(None, line.text))
        bench.rewrite(file, twin, column, other)
        for one in (line, twin):
            bench.quarantine((file, one), "tie", "", "same key and changed_at, other quantity")


def superseded_lines(bench: Workbench) -> None:
    """The same key twice in one file with different changed_at: the later one counts, wherever it stands."""
    for number, (file, line) in enumerate(
        bench.choose_sales(3, lambda sale: sale.quantity % 1000 == 0 and not sale.discount)
    ):
        newer = more(line, 1, 300)
        # the later version's place in the file must not matter
        newest = bench.insert(file, line, Line(newer, pos.line_text(newer, pos.NEW_COLUMN in file.head[0])))
        if number % 2:
            first, second = (
                next(place for place, other in enumerate(file.lines) if other is one) for one in (line, newest)
            )
            file.lines[first], file.lines[second] = newest, line
        line.fate = Fate.SUPERSEDED
        bench.note("superseded", file, line)


def more(line: Line, pieces: int, later: int) -> SaleLine:
    """The sale with some more pieces, changed so many seconds later."""
    sale = line.document
    assert isinstance(sale, SaleLine) and sale.product is not None
    changed = replace(sale, quantity=sale.quantity + pieces * 1000, changed=sale.changed + later)
    changed.tax = tax_of(sale.store, sale.product, changed.gross, changed.discount)
    return changed


def malformed_lines(bench: Workbench) -> None:
    """Lines with too few or too many cells, and one JSON line that was cut off (sent again two nights later)."""
    for number, choice in enumerate(bench.choose_sales(4) + bench.choose_movements(1)):
        file, line = choice
        delimiter = DELIMITER[file.table]
        line.text = (
            delimiter.join(line.text.split(delimiter)[:-3])
            if number % 2 == 0
            else f"{line.text}{delimiter}{delimiter}77"
        )
        line.malformed = True
        bench.quarantine(choice, "malformed", "", "too few cells" if number % 2 == 0 else "too many cells")
    for file, line in bench.choose_product_changes(1):
        again = Line(line.document, line.text)
        bench.night_file(ERP_PRODUCTS, bench.day_of_file(file) + 2).lines.append(again)
        bench.use(again)
        line.text, line.malformed = line.text[: len(line.text) // 2], True
        bench.quarantine((file, line), "malformed", "", "half a JSON line")


def _rewritten(
    bench: Workbench, choices: Iterable[Choice], rule: str, contract_column: str, column: str, value: str
) -> None:
    for choice in choices:
        bench.rewrite(*choice, column, value)
        bench.quarantine(choice, rule, contract_column, f"{column} = '{value}'")


def bad_numbers(bench: Workbench) -> None:
    """Numbers that are none."""
    _rewritten(bench, bench.choose_sales(2), "cast", "quantity", "qty", "l2.5O")
    _rewritten(bench, bench.choose_sales(1), "cast", "unit_price_amount", "unit_price", "n/a")
    _rewritten(bench, bench.choose_sales(1), "cast", "discount_amount", "discount", "--")
    _rewritten(bench, bench.choose_movements(1), "cast", "quantity", "menge", "12..0")
    _rewritten(bench, bench.choose_counts(1), "cast", "quantity", "menge", "1O,000")


def impossible_dates(bench: Workbench) -> None:
    """Days that no calendar has."""
    _rewritten(bench, bench.choose_sales(2), "cast", "sold_at_local", "sold_at", "2024-02-30 12:00:00")
    _rewritten(bench, bench.choose_movements(1), "cast", "occurred_at", "gebucht", "2024-13-01T09:15:00+01:00")
    _rewritten(bench, bench.choose_counts(1), "cast", "counted_date", "zaehldatum", "31.04.2024")


def amounts_too_wide(bench: Workbench) -> None:
    """More digits before the point than the contract's type holds."""
    _rewritten(bench, bench.choose_sales(2), "cast", "unit_price_amount", "unit_price", "1234567890123.45")


def too_many_decimals(bench: Workbench) -> None:
    """More digits after the point than the contract's type holds: rounding would be silent."""
    _rewritten(bench, bench.choose_sales(1), "cast", "quantity", "qty", "1.2345")


def missing_products(bench: Workbench) -> None:
    """No product code."""
    _rewritten(bench, bench.choose_sales(3), "not_null", "product_id", "article", "")


def unknown_sale_kinds(bench: Workbench) -> None:
    """A kind of line that the mapping does not know."""
    _rewritten(bench, bench.choose_sales(2), "check", "sale_kind", "kind", "Q")


def unknown_products(bench: Workbench) -> None:
    """A code that no product feed ever names: the line counts, its product is the unknown member."""
    for number, (file, line) in enumerate(bench.choose_sales(4)):
        assert isinstance(line.document, SaleLine)
        line.document = replace(line.document, product=None, article=f"ZZ-{901 + number}")
        line.text = pos.line_text(line.document, pos.NEW_COLUMN in file.head[0])
        bench.note("unknown_member", file, line, detail=line.document.article)


def codes_in_lower_case(bench: Workbench) -> None:
    """Product codes that differ from the product feed's only in case: the same product."""
    for file, line in bench.choose_sales(30):
        assert isinstance(line.document, SaleLine)
        bench.rewrite(file, line, "article", line.document.article.lower())
        bench.note("kept", file, line, detail=line.document.article.lower())
    for file, line in bench.choose_counts(2):
        code = line.text.split(";")[3].lower()
        bench.rewrite(file, line, "artikel", code)
        bench.note("kept", file, line, detail=code)


def units_without_conversion(bench: Workbench) -> None:
    """Goods booked in pallets that no unit list explains: held back. The first one is explained nine nights later."""
    fits = bench.choose_movements(
        3, lambda move: move.factor is not None and move.quantity > 0 and move.unit != "" and move.status == ""
    )
    for number, (file, line) in enumerate(fits):
        move = line.document
        assert isinstance(move, Movement) and move.factor is not None
        units = move.quantity * move.factor
        line.document = replace(move, unit=f"PAL{number}", quantity=1000, factor=None, cost=0)
        line.text = erp.movement_text(line.document)
        detail = f"PAL{number}"
        if number == 0 and units % 1000 == 0:
            later = bench.day_of_file(file) + 9
            record = UnitRecord(move.product, "PAL0", units // 1000, "", erp.known_at(bench.chain, later) - 9000)
            night = bench.night_file(ERP_UNITS, later)
            night.lines.append(Line(record, erp.unit_text(record)))
            detail += f" explained by {night.path}"
        bench.note("unconverted", file, line, detail=detail)


def repeated_headers(bench: Workbench) -> None:
    """Column names in the middle of a file that was put together from two: a line, but none of the table's."""
    for file, line in bench.choose_sales(2):
        header = bench.insert(file, line, Line(None, file.head[-1], malformed=True))
        bench.quarantine((file, header), "malformed", "", "header repeated")


def incomplete_extract(bench: Workbench) -> None:
    """A line of a full extract that cannot be read: what is missing from this extract must not be closed."""
    extracts = sorted((file for file in bench.files if file.table == ERP_SUPPLIERS), key=lambda file: file.known_at)
    for file in extracts[1:][len(extracts) // 3 :][:1]:
        line = file.lines[4]
        line.text, line.malformed = ";".join(line.text.split(";")[:2]), True
        bench.quarantine((file, line), "malformed", "", "supplier line with two cells")


def unchanged_lines(bench: Workbench) -> None:
    """Lines sent again as they were, among others: no new version."""
    products = bench.choose_files(ERP_PRODUCTS, 1)
    chosen: list[Choice] = [
        (file, line) for file in products for line in file.lines[:2] if isinstance(line.document, ProductRecord)
    ]
    for file, line in chosen + bench.choose_movements(3):
        if line.malformed or line.fate is not Fate.KEPT:
            continue
        # among others: a file that holds nothing else could be the earlier file again, as a whole
        night = bench.next_file(file, 3)
        if night is None:
            continue
        again = Line(line.document, line.text, Fate.UNCHANGED)
        night.lines.append(again)
        bench.use(again)
        bench.note("unchanged", night, again)


# in the order in which they are applied: what takes whole files for itself comes first
FAULTS: dict[str, Callable[[Workbench], None]] = {
    "late_file": faults_in_time.late_files,
    "truncated_gzip": faults_in_time.truncated_gzip,
    "late_product": faults_in_time.late_product,
    "older_version_late": faults_in_time.older_versions_late,
    "backdated_movement": faults_in_time.backdated_movements,
    "unit_without_conversion": units_without_conversion,
    "late_posting": faults_in_counts.late_postings,
    "count_in_cases": faults_in_counts.counts_in_cases,
    "unposted_return": faults_in_counts.unposted_returns,
    "unknown_product": unknown_products,
    "duplicate_line": duplicate_lines,
    "tie": tied_lines,
    "superseded_line": superseded_lines,
    "malformed_line": malformed_lines,
    "bad_number": bad_numbers,
    "impossible_date": impossible_dates,
    "amount_too_wide": amounts_too_wide,
    "too_many_decimals": too_many_decimals,
    "missing_product": missing_products,
    "unknown_sale_kind": unknown_sale_kinds,
    "code_case": codes_in_lower_case,
    "repeated_header": repeated_headers,
    "incomplete_extract": incomplete_extract,
    "corrected_document": faults_in_time.corrected_documents,
    "corrected_receipt": faults_in_time.corrected_receipts,
    "corrected_rate": faults_in_time.corrected_rates,
    "unchanged_line": unchanged_lines,
    "repeated_file": faults_in_time.repeated_files,
}


#: Faults of an ERP that delivers files: a database has no extract that is cut, and no line twice.
FILE_FAULTS = ("incomplete_extract", "unchanged_line")


def asked_faults(faults: str | Iterable[str]) -> list[str]:
    """The names behind "all", "none", a comma list or a collection."""
    names = [name.strip() for name in faults.split(",") if name.strip()] if isinstance(faults, str) else list(faults)
    if names == ["all"]:
        return list(FAULTS)
    if names in (["none"], []):
        return []
    unknown = [name for name in names if name not in FAULTS]
    if unknown:
        raise UsageError(
            f"There is no fault named {', '.join(repr(name) for name in unknown)}.",
            where="faults",
            todo=f"Use all, none, or a comma list of: {', '.join(FAULTS)}.",
        )
    return [name for name in FAULTS if name in names]


def put_in(
    chain: Chain, history: History, files: list[SourceFile], names: list[str], seed: int, *, live: bool = False
) -> Workbench:
    """Apply the named faults to the files; the bench knows where each must be found."""
    bench = Workbench(chain, history, files, seed, live)
    for name in names:
        if live and name in FILE_FAULTS:
            continue
        bench.begin(name)
        FAULTS[name](bench)
    files[:] = [file for file in files if file.lines]
    return bench
