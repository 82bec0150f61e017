"""Costs as posted beside costs as restated: closed periods stay as they were, late documents are booked in the open one.

As restated: every posting at its own business date, as believed now. As posted: what changed after a period was closed is booked on the
first day that was still open when the change became known. Both views have the same total at every knowledge time; the bridge
says per period what makes them differ.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal


@dataclass(frozen=True)
class Believed:
    """A posting as it is believed from some knowledge time on."""

    business_date: date
    amount: Decimal


@dataclass(frozen=True)
class ClosedPeriod:
    """Business dates from from_date up to, not with, to_date: what becomes known at closed_at or later is late for them."""

    from_date: date
    to_date: date
    closed_at: datetime


@dataclass(frozen=True)
class Booking:
    """What a change of a posting adds to the books, on which date; late if that is not its own."""

    known_at: datetime
    posting: Hashable
    business_date: date
    booked_date: date
    amount: Decimal


@dataclass(frozen=True)
class BridgeLine:
    """A reporting period: posted = restated + late_in - late_out. Over all periods late_in and late_out are the same."""

    restated: Decimal
    late_in: Decimal  # of other periods' documents, booked in this one
    late_out: Decimal  # of this period's documents, booked in others
    posted: Decimal


def book(
    results: Iterable[tuple[datetime, Mapping[Hashable, Believed | None]]], closed: Sequence[ClosedPeriod]
) -> list[Booking]:
    """Bookings of results in the order of their knowledge times: each has the postings that changed, None = no longer there.

    A posting that changes is taken back at its old date and booked at its new one, both as of the time of the change.
    """
    believed: dict[Hashable, Believed] = {}
    bookings: list[Booking] = []
    for known_at, changes in results:
        for posting, now in changes.items():
            effect: dict[date, Decimal] = defaultdict(Decimal)
            before = believed.pop(posting, None)
            if before is not None:
                effect[before.business_date] -= before.amount
            if now is not None:
                believed[posting] = now
                effect[now.business_date] += now.amount
            bookings += [
                Booking(known_at, posting, own, _open_date(own, known_at, closed), amount)
                for own, amount in effect.items()
                if amount
            ]
    return bookings


def _open_date(business_date: date, known_at: datetime, closed: Sequence[ClosedPeriod]) -> date:
    """The date itself, or the first day after it that no period closed by then holds."""
    for period in sorted(closed, key=lambda period: period.from_date):
        if period.closed_at <= known_at and period.from_date <= business_date < period.to_date:
            business_date = period.to_date
    return business_date


def bridge(bookings: Iterable[Booking], period_of: Callable[[date], str]) -> dict[str, BridgeLine]:
    """Per reporting period, named by period_of, both views and what lies between them."""
    restated: dict[str, Decimal] = defaultdict(Decimal)
    late_in: dict[str, Decimal] = defaultdict(Decimal)
    late_out: dict[str, Decimal] = defaultdict(Decimal)
    for booking in bookings:
        own, booked = period_of(booking.business_date), period_of(booking.booked_date)
        restated[own] += booking.amount
        if own != booked:
            late_out[own] += booking.amount
            late_in[booked] += booking.amount
    return {
        period: BridgeLine(
            restated[period], late_in[period], late_out[period], restated[period] + late_in[period] - late_out[period]
        )
        for period in sorted({*restated, *late_in})
    }
