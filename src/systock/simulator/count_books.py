"""What explains the variance of every count: the simulator's own sums over its documents, in whole numbers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from systock.simulator.clock import DAY, day_of
from systock.simulator.documents import Count, Movement, SaleLine, TransferLine

_STOCK = tuple[str, str]  # location, product: what lies there to be sold


@dataclass(frozen=True, slots=True)
class CountFigures:
    """A count at the end of a business date; the parts sum to variance_at_count_units. None: the book was not known."""

    known_at: str
    count_id: str
    location_id: str
    product_id: str
    business_date: str
    counted_units: Decimal
    book_units: Decimal | None
    variance_at_count_units: Decimal | None
    late_posting_units: Decimal | None
    in_transit_units: Decimal | None
    unit_error_units: Decimal | None
    unposted_return_units: Decimal | None
    unexplained_units: Decimal | None


@dataclass(slots=True)
class _Move:
    """What a document moved on a business day; factor: base units in one of its unit."""

    day: int
    units: int
    factor: int = 1
    entered_day: int = 0
    document: Movement | None = None


def explained_counts(
    asked: str,
    counts: Iterable[Count],
    movements: Iterable[Movement],
    sales: Iterable[SaleLine],
    transfers: Iterable[TransferLine],
    unit_factors: Mapping[tuple[str, str], int],
) -> list[CountFigures]:
    """All counts by the documents that are known."""
    moves: dict[_STOCK, list[_Move]] = defaultdict(list)
    for movement in movements:
        factor = movement.factor or unit_factors.get((movement.product.product_id, movement.unit))
        if factor and not movement.status:
            place, stock = movement.location, (movement.location.location_id, movement.product.product_id)
            entered = place.business_day(movement.entered)
            day = place.business_day(movement.at)
            moves[stock].append(_Move(day, movement.quantity * factor, factor, entered, movement))
    returns: dict[_STOCK, list[_Move]] = defaultdict(list)
    for sale in sales:
        if sale.counts and sale.product is not None and sale.product.stocked:
            stock = ((sale.shelf or sale.store).location_id, sale.product.product_id)
            (moves if sale.moves_stock else returns)[stock].append(_Move(sale.business_day, -sale.quantity))
    papers: dict[_STOCK, list[TransferLine]] = defaultdict(list)
    for line in transfers:
        papers[line.receiver.location_id, line.product.product_id].append(line)
    units: dict[str, set[int]] = defaultdict(lambda: {1})
    for (product, _), factor in unit_factors.items():
        units[product].add(factor)
    sheets: dict[_STOCK, list[Count]] = defaultdict(list)
    for count in counts:
        sheets[count.location.location_id, count.product.product_id].append(count)
    return [
        figures
        for stock in sorted(sheets)
        for figures in _explained(asked, sheets[stock], moves[stock], returns[stock], papers[stock], units[stock[1]])
    ]


def _explained(
    asked: str,
    counts: list[Count],
    moves: list[_Move],
    returns: list[_Move],
    papers: list[TransferLine],
    units: set[int],
) -> Iterator[CountFigures]:
    opened = min((m.day for m in moves if m.document is not None and m.document.kind == "AB"), default=None)
    since, balance = (None, 0) if opened is None else (opened - 1, 0)
    for count in sorted(counts, key=lambda one: one.day):
        assert count.quantity is not None
        book = None
        parts: list[int | None] = [None] * 6
        if since is not None and since < count.day:
            span = [move for move in moves if since < move.day <= count.day]
            book = balance + sum(move.units for move in span)
            late = sum(move.units for move in span if move.entered_day > count.day)
            variance = count.quantity - book
            coming = _in_transit(count, variance, moves, papers)
            rest = variance - coming
            misread = rest if rest and _is_misread(rest, count.quantity, span, units) else 0
            back = sum(move.units for move in returns if since < move.day <= count.day)
            returned = min(back, rest - misread) if rest > misread else 0
            parts = [variance + late, late, coming, misread, returned, rest - misread - returned]
        yield CountFigures(
            asked,
            f"{count.sheet}-{count.line}",
            count.location.location_id,
            count.product.product_id,
            day_of(count.day).isoformat(),
            _units(count.quantity),
            None if book is None else _units(book),
            *(None if part is None else _units(part) for part in parts),
        )
        since, balance = count.day, count.quantity


def _in_transit(count: Count, variance: int, moves: list[_Move], papers: list[TransferLine]) -> int:
    """A gain of goods that the book has not received yet, a loss of goods that it received ahead of the papers."""
    place = count.location
    end = place.zone.to_instant((count.day + 1) * DAY + place.cutover)
    transfers: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for line in papers:
        if line.at < end and not 0 < line.received_at < end:
            shipped, received, lost = line.shipped, line.received, line.lost
            transfers[line.transfer][0] += (shipped if line.received_at else shipped - received - lost) * line.factor
            transfers[line.transfer][1] += 0 if line.received_at else received * line.factor
    unbooked = ahead = 0
    for transfer, (under_way, arrived) in transfers.items():
        booked = sum(
            move.units
            for move in moves
            if move.document is not None
            and (move.document.kind, move.document.transfer) == ("UE", transfer)
            and move.day <= count.day
        )
        early = min(max(booked - arrived, 0), under_way)
        ahead += early
        unbooked += under_way - early
    return min(variance, unbooked) if variance > 0 else max(variance, -ahead)


def _is_misread(rest: int, counted: int, span: list[_Move], units: set[int]) -> bool:
    """Would the count, or one movement, read in another unit, make the book agree?"""
    if any(rest == counted - counted * factor for factor in units):
        return True
    papers = [move for move in span if move.document is not None]
    return any(rest == move.units // move.factor * factor - move.units for move in papers for factor in units)


def _units(value: int) -> Decimal:
    return Decimal(value).scaleb(-3)
