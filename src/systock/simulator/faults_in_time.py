"""Faults of delivery and time: files and documents that come late, twice, cut off, backdated or corrected."""

from __future__ import annotations

from dataclasses import replace

from systock.simulator import erp, pos
from systock.simulator.chain import ProductVersion
from systock.simulator.clock import DAY, stamp
from systock.simulator.delivery import (
    COUNTS_SHEETS,
    ERP_MOVEMENTS,
    ERP_PRODUCTS,
    ERP_RATES,
    POS_SALES,
    Fate,
    FileFate,
    Line,
    SourceFile,
)
from systock.simulator.documents import Movement, ProductRecord, Rate, SaleLine
from systock.simulator.expectation import knowledge_days
from systock.simulator.sales import tax_of
from systock.simulator.workbench import Workbench


def _day_of_sales(file: SourceFile) -> int:
    sale = file.lines[0].document
    assert isinstance(sale, SaleLine)
    return (sale.wall - sale.store.cutover) // DAY


def _arrive_later(file: SourceFile, days: int, mark: str) -> tuple[str, int]:
    """Path and known time of the same day's file when it arrives so many days later."""
    sale = file.lines[0].document
    assert isinstance(sale, SaleLine)
    known = file.known_at + days * DAY
    return pos.path_of(sale.store, _day_of_sales(file), known, mark), known


def late_files(bench: Workbench) -> None:
    """A store's day that arrives days later than the others: the answers in between lack it."""
    for asked, days in zip(knowledge_days(bench.chain), (4, 9), strict=False):

        def just_before(file: SourceFile, first: int = (asked - days + 1) * DAY, last: int = asked * DAY) -> bool:
            return first <= file.known_at <= last

        file = next(iter(bench.choose_files(POS_SALES, 1, just_before)), None)
        if file is None:
            continue
        file.path, file.known_at = _arrive_later(file, days, "")
        bench.reserve_file(file)
        bench.note("restated", file, detail=f"{days} days late")


def truncated_gzip(bench: Workbench) -> None:
    """A file cut off on its way is rejected whole; the whole one arrives next night under another name."""
    for file in bench.choose_files(POS_SALES, 1):
        path, known = _arrive_later(file, 1, "_resent")
        whole = SourceFile(POS_SALES, path, known, file.lines, file.head)
        file.fate, file.keep_bytes = FileFate.REJECTED, 60
        bench.files.append(whole)
        bench.reserve_file(file)
        bench.reserve_file(whole)
        bench.note("rejected_file", file, detail=f"whole in {path}")


def repeated_files(bench: Workbench) -> None:
    """A file delivered again, byte for byte, under another name: nothing lands twice."""
    for file in bench.choose_files(POS_SALES, 1) + bench.choose_files(COUNTS_SHEETS, 1):
        known = file.known_at + 2 * DAY
        stem, suffix = file.path.split("_k")[0], file.path.split(".", 1)[1]
        path = f"{stem}_again_{stamp(known)}.{suffix}"
        again = replace(file, path=path, known_at=known, fate=FileFate.REPEATED, content_of=file.path)
        bench.files.append(again)
        bench.note("repeated_file", again, detail=f"same as {file.path}")


def late_product(bench: Workbench) -> None:
    """A product is sold before its master record arrives: its lines point to the unknown member until then."""
    launched = [product for product in bench.chain.products if product.launch_day > 0][:1]
    for product in launched:
        night = product.launch_day + 6
        arrival = bench.night_file(ERP_PRODUCTS, night)
        bench.reserve_file(arrival)
        for file in bench.files:
            if file.table != ERP_PRODUCTS or file.known_at >= arrival.known_at:
                continue
            for line in [
                line
                for line in file.lines
                if isinstance(line.document, ProductRecord) and line.document.product is product
            ]:
                bench.remove(file, line)
                arrival.lines.append(line)
                bench.use(line)
                bench.note(
                    "unknown_member",
                    arrival,
                    line,
                    detail=f"{product.product_id} is sold from day {product.launch_day} on",
                )


def older_versions_late(bench: Workbench) -> None:
    """An older version of a product arrives after a newer one: it takes its place in time and moves nothing else."""
    changed = [product for product in bench.chain.products if len(product.versions) > 1 and product.launch_day <= 0]
    for product in bench.rng.sample(changed, k=min(2, len(changed))):
        newest = product.versions[-1]
        at = max(newest.at - 3 * DAY - 977, product.versions[-2].at + 61)
        older = ProductVersion(at, newest.price + 20, newest.cost + 10, newest.name, newest.status)
        night = bench.night_file(ERP_PRODUCTS, newest.at // DAY - bench.chain.first_day + 5)
        line = Line(ProductRecord(product, older), erp.product_text(ProductRecord(product, older)))
        night.lines.append(line)
        bench.use(line)
        bench.note("restated", night, line, detail=f"{product.product_id} has a newer version already")


def send_later(bench: Workbench, line: Line, move: Movement, night: int) -> SourceFile:
    """Append a movement, changed in that night's day, to the export of that night."""
    move = replace(move, changed=(bench.chain.first_day + night) * DAY + 15 * 3600 + bench.rng.randint(1, 3000))
    line.document, line.text = move, erp.movement_text(move)
    file = bench.night_file(ERP_MOVEMENTS, night)
    file.lines.append(line)
    bench.use(line)
    return file


def enter_later(bench: Workbench, line: Line, night: int) -> SourceFile:
    """Nobody filed the movement before that night's day."""
    assert isinstance(line.document, Movement)
    file = send_later(bench, line, line.document, night)
    line.document = replace(line.document, entered=line.document.changed)
    line.text = erp.movement_text(line.document)
    return file


def backdated_movements(bench: Workbench) -> None:
    """Documents entered days after what they tell: the stock of the days between is restated."""
    for (file, line), days in zip(bench.choose_movements(4), (3, 8, 15, 30), strict=False):
        bench.remove(file, line)
        later = enter_later(bench, line, bench.day_of_file(file) + days)
        bench.note("restated", later, line, detail=f"{days} days after it happened")


def corrected_documents(bench: Workbench) -> None:
    """A document is sent again with another quantity and a later changed_at."""
    choices = bench.choose_movements(4, lambda move: move.factor is not None and abs(move.quantity) >= 2000)
    for (file, line), days in zip(choices, (1, 5, 10, 21), strict=False):
        move = line.document
        assert isinstance(move, Movement)
        step = 1000 if move.quantity > 0 else -1000
        corrected = Line(None, "")
        later = send_later(
            bench, corrected, replace(move, quantity=move.quantity - step), bench.day_of_file(file) + days
        )
        bench.note("restated", later, corrected, detail=f"corrects {file.path}")


def corrected_receipts(bench: Workbench) -> None:
    """A receipt is sent again days later: one line has changed, the others are as they were."""
    choices = bench.choose_sales(5, lambda sale: sale.quantity % 1000 == 0 and not sale.discount)
    for (file, line), days in zip(choices, (2, 3, 5, 8, 12), strict=False):
        sale = line.document
        assert isinstance(sale, SaleLine) and sale.product is not None
        known = file.known_at + days * DAY
        wide = pos.NEW_COLUMN in file.head[0]
        corrected = replace(sale, quantity=sale.quantity + 1000, changed=known - 5 * 3600)
        corrected.tax = tax_of(sale.store, sale.product, corrected.gross, corrected.discount)
        changed = Line(corrected, pos.line_text(corrected, wide))
        lines = []
        for other in file.lines:
            if other is line:
                lines.append(changed)
            elif (
                isinstance(other.document, SaleLine)
                and other.document.receipt == sale.receipt
                and other.fate is Fate.KEPT
            ):
                lines.append(Line(None, other.text, Fate.UNCHANGED))
        path = pos.path_of(sale.store, _day_of_sales(file), known, f"_corr{sale.receipt[-4:]}")
        sent = SourceFile(POS_SALES, path, known, lines, file.head)
        bench.files.append(sent)
        bench.reserve_file(sent)
        for one in lines:
            bench.note("restated" if one is changed else "unchanged", sent, one, detail=f"corrects {file.path}")


def corrected_rates(bench: Workbench) -> None:
    """The bank corrects a rate of a day that has been reported."""
    asked = knowledge_days(bench.chain)[-2:]
    dollars = [
        rate
        for rate in bench.history.rates
        if rate.currency == "USD" and any(day - 5 <= rate.day < day for day in asked)
    ]
    for rate in bench.rng.sample(dollars, k=min(2, len(dollars))):
        night = rate.day - bench.chain.first_day + 6
        corrected = Rate(rate.currency, rate.day, rate.rate + 350, (rate.day + 6) * DAY + 11 * 3600)
        file = bench.night_file(ERP_RATES, night)
        line = Line(corrected, erp.rate_text(corrected))
        file.lines.append(line)
        bench.note("restated", file, line, detail=f"rate of day {night - 6}")
