"""Faults that make a count differ from the book for a reason that the documents tell."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from systock.simulator import counts, pos
from systock.simulator.clock import DAY, day_of, stamp
from systock.simulator.delivery import DESK_RETURNS, Line, SourceFile
from systock.simulator.documents import Count, SaleLine
from systock.simulator.faults_in_time import enter_later
from systock.simulator.sales import tax_of
from systock.simulator.workbench import Workbench


def late_postings(bench: Workbench) -> None:
    """Goods were moved before a count, and the document was entered two days after it."""
    moves: dict[tuple[str, str], list[tuple[int, SourceFile, Line]]] = defaultdict(list)
    for sent, told, move in bench.free_movements():
        if not move.status:
            day = move.location.business_day(move.at)
            moves[move.location.location_id, move.product.product_id].append((day, sent, told))

    def before(count: Count) -> list[tuple[int, SourceFile, Line]]:
        """What was moved in the ten days up to it."""
        own = moves[count.location.location_id, count.product.product_id]
        return [move for move in own if count.day - 10 < move[0] <= count.day]

    for file, line in bench.choose_counts(4, lambda count: bool(before(count))):
        assert isinstance(line.document, Count)
        _, sent, told = bench.rng.choice(before(line.document))
        bench.remove(sent, told)
        later = enter_later(bench, told, line.document.day - bench.chain.first_day + 2)
        bench.note("restated", later, told, detail=f"entered after {file.path} row {file.row_of(line)}")


def counts_in_cases(bench: Workbench) -> None:
    """Whole cases were counted, and the sheet has no column for the unit."""

    def in_cases(count: Count) -> bool:
        """Nothing else is known to be wrong with it."""
        units, product = count.quantity, count.product
        case = product.case_units * 1000
        unseen = (count.location.location_id, product.index) in bench.history.unseen
        return bool(units and case and units % case == 0 and not unseen and product.launch_day <= 0)

    for file, line in bench.choose_counts(6, in_cases):
        count = line.document
        assert isinstance(count, Count) and count.quantity is not None
        line.document = replace(count, quantity=count.quantity // count.product.case_units)
        line.text = counts.line_text(line.document)
        bench.note("kept", file, line, detail=f"cases of {count.product.case_units}")


def unposted_returns(bench: Workbench) -> None:
    """A service desk that takes goods back does not tell the stock books: they lie on the shelf, and are counted."""
    fits = bench.choose_counts(4, lambda count: count.location.kind == "F" and count.product.base_unit != "KG")
    for number, (file, line) in enumerate(fits, start=1):
        count = line.document
        assert isinstance(count, Count) and count.quantity is not None
        line.document = replace(count, quantity=count.quantity + 2000)
        line.text = counts.line_text(line.document)
        store, product, wall = count.location, count.product, count.day * DAY + 15 * 3600 + number
        at = store.zone.to_instant(wall)
        price, receipt = product.price_in(store.currency, at), f"D{store.number}-{day_of(count.day):%y%m%d}-{number}"
        back = SaleLine(
            store, product, product.product_id, receipt, 1, wall, 9, f"{store.number}90", "R", "N", -2000, price, 0, 0, "", "",
            ("", ""), at, moves_stock=False,
        )  # fmt: skip
        back.tax = tax_of(store, product, back.gross, 0)
        known = file.known_at - 1800
        day = f"{day_of(count.day):%Y-%m-%d}"
        path = f"incoming/desk/returns_{store.location_id}_{day}_{number}_{stamp(known)}.csv"
        told = Line(back, pos.line_text(back, wide=False))
        sent = SourceFile(DESK_RETURNS, path, known, [told], head=(pos.header(wide=False),))
        bench.files.append(sent)
        bench.use(told)
        bench.note("kept", sent, told, detail=f"counted in {file.path} row {file.row_of(line)}")
