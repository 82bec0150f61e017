"""Costs as posted and as restated: a case worked by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

from systock.data_warehouse.posted_cost import Believed, Booking, BridgeLine, ClosedPeriod, book, bridge

JANUARY = ClosedPeriod(date(2024, 1, 1), date(2024, 2, 1), datetime(2024, 2, 3, tzinfo=UTC))
FEBRUARY = ClosedPeriod(date(2024, 2, 1), date(2024, 3, 1), datetime(2024, 3, 3, tzinfo=UTC))


def known(month: int, day: int) -> datetime:
    return datetime(2024, month, day, tzinfo=UTC)


def on(month: int, day: int, amount: int) -> Believed:
    return Believed(date(2024, month, day), Decimal(amount))


def test_late_documents_are_booked_in_the_period_open_when_they_came() -> None:
    bookings = book(
        [
            (known(1, 20), {"sale": on(1, 20, -100), "other": on(1, 21, -7)}),
            (known(2, 2), {"sale": on(1, 20, -110)}),  # January is still open
            (known(2, 10), {"sale": on(1, 20, -130), "february": on(2, 9, -5)}),  # late: 20 more
            (known(3, 3), {"sale": None, "other": on(1, 21, -7)}),  # cancelled in the instant that closes February
            (
                known(3, 4),
                {"february": on(3, 1, -5)},
            ),  # moved to another date: what was in February is taken back in March
        ],
        [FEBRUARY, JANUARY],
    )
    assert [(booking.posting, booking.business_date, booking.booked_date, booking.amount) for booking in bookings] == [
        ("sale", date(2024, 1, 20), date(2024, 1, 20), -100),
        ("other", date(2024, 1, 21), date(2024, 1, 21), -7),
        ("sale", date(2024, 1, 20), date(2024, 1, 20), -10),
        ("sale", date(2024, 1, 20), date(2024, 2, 1), -20),
        ("february", date(2024, 2, 9), date(2024, 2, 9), -5),
        ("sale", date(2024, 1, 20), date(2024, 3, 1), 130),
        ("february", date(2024, 2, 9), date(2024, 3, 1), 5),
        ("february", date(2024, 3, 1), date(2024, 3, 1), -5),
    ]
    assert bridge(bookings, lambda day: f"{day:%Y-%m}") == {
        "2024-01": BridgeLine(Decimal(-7), Decimal(0), Decimal(110), Decimal(-117)),
        "2024-02": BridgeLine(Decimal(0), Decimal(-20), Decimal(5), Decimal(-25)),
        "2024-03": BridgeLine(Decimal(-5), Decimal(135), Decimal(0), Decimal(130)),
    }


def test_without_closed_periods_both_views_are_one() -> None:
    bookings = book([(known(5, 1), {"sale": on(1, 20, -100)})], [])
    assert bookings == [Booking(known(5, 1), "sale", date(2024, 1, 20), date(2024, 1, 20), Decimal(-100))]
    assert bridge(bookings, str) == {"2024-01-20": BridgeLine(Decimal(-100), Decimal(0), Decimal(0), Decimal(-100))}
