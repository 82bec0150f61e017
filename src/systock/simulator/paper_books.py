"""The offices' documents as known so far, and the figures that follow from them: the simulator's own sums, in whole numbers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from math import isqrt

from systock.simulator.clock import DAY, day_of
from systock.simulator.documents import (
    OrderLine,
    PaperDocument,
    PurchaseLine,
    StoreDay,
    Tender,
    TransferLine,
    half_away,
)
from systock.simulator.erp_papers import key_of
from systock.simulator.paper_figures import (
    HeldPayment,
    PaperAnswers,
    PaymentFigures,
    PurchaseFigures,
    StoreDayFigures,
    TransferFigures,
    WebOrderFigures,
)

#: A currency and a business day -> EUR in 1/100000; None: no rate known.
RateOf = Callable[[str, int], int | None]
#: A known receipt -> where and on which business day it was written.
Receipts = Mapping[str, tuple[str, int]]
_METHODS = {"B": "cash", "K": "card", "G": "voucher"}


def _units(value: int) -> Decimal:
    return Decimal(value).scaleb(-3)


def _ratio(part: int, whole: int) -> Decimal | None:
    return Decimal(half_away(part * 10_000, whole)).scaleb(-4) if whole else None


class PaperBooks:
    """What is known so far; of the states of one document the last changed one holds."""

    def __init__(self) -> None:
        self._current: dict[tuple[str, ...], PaperDocument] = {}

    def learn(self, paper: PaperDocument) -> None:
        """Take one state of a document."""
        key = key_of(paper)
        if key not in self._current or self._current[key].changed <= paper.changed:
            self._current[key] = paper

    def last_day(self) -> int:
        """The latest business day on which anything was bought."""
        return max(
            (p.location.business_day(p.at) for p in self._current.values() if isinstance(p, PurchaseLine)), default=0
        )

    def transfer_lines(self) -> list[TransferLine]:
        """The transfers as they stand."""
        return [paper for paper in self._current.values() if isinstance(paper, TransferLine)]

    def answer(self, asked: str, last_day: int, receipts: Receipts, rate_of: RateOf, into: PaperAnswers) -> None:
        """Add the figures as known now."""
        into.purchases += self._purchases(asked, last_day)
        into.transfers += self._transfers(asked)
        into.web_orders += self._web_orders(asked)
        into.store_days += self._store_days(asked, rate_of)
        payments = [paper for paper in self._current.values() if isinstance(paper, Tender)]
        into.payments += _payments(asked, payments, receipts, rate_of)
        into.held_payments += sorted(
            (HeldPayment(asked, p.receipt, str(p.number)) for p in payments if p.receipt not in receipts),
            key=lambda held: (held.receipt, held.number),
        )

    def _purchases(self, asked: str, last_day: int) -> Iterator[PurchaseFigures]:
        suppliers: dict[str, list[PurchaseLine]] = defaultdict(list)
        for paper in self._current.values():
            if isinstance(paper, PurchaseLine) and paper.status != "S":
                suppliers[paper.supplier].append(paper)
        for supplier, lines in sorted(suppliers.items()):
            due = [line for line in lines if _due_day(line) <= last_day]
            ordered, filled = sum(line.ordered * line.factor for line in due), sum(map(_filled, due))
            in_time = sum(_in_time(line) for line in due)
            days = [_day(line, line.received_at) - _day(line, line.at) for line in lines if line.received]
            yield PurchaseFigures(
                asked,
                supplier,
                len(lines),
                len(due),
                _units(ordered),
                _units(filled),
                _ratio(filled, ordered),
                in_time,
                _ratio(in_time, len(due)),
                len(days),
                _ratio(sum(days), len(days)),
                _deviation(days),
                _units(sum(line.received * line.factor for line in lines)),
                _units(sum(line.rejected * line.factor for line in lines)),
                _units(sum(_on_order(line) for line in lines)),
            )

    def _transfers(self, asked: str) -> Iterator[TransferFigures]:
        routes: dict[tuple[str, str], list[TransferLine]] = defaultdict(list)
        for paper in self._current.values():
            if isinstance(paper, TransferLine):
                routes[paper.sender.location_id, paper.receiver.location_id].append(paper)
        for route, lines in sorted(routes.items()):
            shipped, received, lost = (
                sum(getattr(line, name) * line.factor for line in lines) for name in ("shipped", "received", "lost")
            )
            sums = (shipped, received, lost, shipped - received - lost)
            yield TransferFigures(asked, *route, len(lines), *map(_units, sums))

    def _web_orders(self, asked: str) -> Iterator[WebOrderFigures]:
        places: dict[str, list[OrderLine]] = defaultdict(list)
        for paper in self._current.values():
            if isinstance(paper, OrderLine):
                places[paper.store.location_id].append(paper)
        for place, lines in sorted(places.items()):
            ordered, shipped, cancelled, reserved = (
                sum(getattr(line, name) for line in lines) for name in ("ordered", "shipped", "cancelled", "reserved")
            )
            sums = (ordered, shipped, cancelled, ordered - shipped - cancelled, reserved)
            yield WebOrderFigures(asked, place, len(lines), *map(_units, sums))

    def _store_days(self, asked: str, rate_of: RateOf) -> Iterator[StoreDayFigures]:
        days = [paper for paper in self._current.values() if isinstance(paper, StoreDay)]
        for day in sorted(days, key=lambda day: (day.store.location_id, day.day)):
            opens, closes = (
                day.store.zone.to_instant(day.day * DAY + int(hour * 3600))
                for hour in (day.store.opens, day.store.closes)
            )
            yield StoreDayFigures(
                asked,
                day.store.location_id,
                day_of(day.day).isoformat(),
                day.visitors,
                _units(day.labour),
                _units(half_away((closes - opens) * 1000, 3600)),
                _in_eur(day.target * 100, day.store.currency, day.day, rate_of),
            )


def _payments(asked: str, payments: list[Tender], receipts: Receipts, rate_of: RateOf) -> Iterator[PaymentFigures]:
    groups: dict[tuple[str, int, str], list[Tender]] = defaultdict(list)
    for payment in payments:
        if payment.receipt in receipts:
            groups[(*receipts[payment.receipt], payment.method)].append(payment)
    for (place, day, method), own in sorted(groups.items()):
        in_eur = [_in_eur(payment.amount * 100, payment.store.currency, day, rate_of) for payment in own]
        yield PaymentFigures(
            asked,
            place,
            day_of(day).isoformat(),
            _METHODS[method],
            len(own),
            Decimal(sum(payment.amount for payment in own)).scaleb(-2),
            None if None in in_eur else sum((amount for amount in in_eur if amount is not None), Decimal()),
        )


def _in_eur(amount: int, currency: str, day: int, rate_of: RateOf) -> Decimal | None:
    """An amount in 1/10000, rounded to as much."""
    rate = 100_000 if currency == "EUR" else rate_of(currency, day)
    return None if rate is None else Decimal(half_away(amount * rate, 100_000)).scaleb(-4)


def _day(line: PurchaseLine, at: int) -> int:
    return line.location.business_day(at)


def _due_day(line: PurchaseLine) -> int:
    return line.first_confirmed or line.expected


def _filled(line: PurchaseLine) -> int:
    return min(line.received - line.rejected, line.ordered) * line.factor


def _in_time(line: PurchaseLine) -> bool:
    in_full = line.received - line.rejected >= line.ordered
    return in_full and _day(line, line.received_at) <= _due_day(line)


def _on_order(line: PurchaseLine) -> int:
    return max(0, line.ordered - line.received + line.rejected) * line.factor if line.status == "O" else 0


def _deviation(days: list[int]) -> Decimal | None:
    """Sample standard deviation to four decimals, half up, by whole numbers alone."""
    count = len(days)
    if count < 2:
        return None
    spread = count * sum(day * day for day in days) - sum(days) ** 2
    # 10^5 x the root, cut off; its last digit rounds
    root = isqrt(spread * 10**10 // (count * (count - 1)))
    return Decimal((root + 5) // 10).scaleb(-4)
