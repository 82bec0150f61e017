"""Business days on the clock of a zone: cases by hand, and the macros that date gold."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest

from systock.data_warehouse.engine.duckdb import connect
from systock.data_warehouse.portable_sql import compile_text
from systock.pipeline_manager.business_days import day_of, end_of, instant_of

MICROSECOND = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("day", "zone", "next_begins"),
    [
        (date(2024, 3, 29), "Europe/Berlin", "2024-03-30T03:00:00+00:00"),
        (date(2024, 3, 30), "Europe/Berlin", "2024-03-31T02:00:00+00:00"),  # the night is an hour short
        (date(2024, 10, 26), "Europe/Berlin", "2024-10-27T03:00:00+00:00"),  # and an hour longer
        (date(2024, 10, 26), "Asia/Kathmandu", "2024-10-26T22:15:00+00:00"),
        (date(1969, 12, 31), "UTC", "1970-01-01T04:00:00+00:00"),
    ],
)
def test_a_day_ends_where_the_next_begins(day: date, zone: str, next_begins: str) -> None:
    begins, cutover = datetime.fromisoformat(next_begins), time(4)
    assert end_of(day, zone, cutover) == begins - MICROSECOND
    assert day_of(begins - MICROSECOND, zone, cutover) == day
    assert day_of(begins, zone, cutover) == day + timedelta(days=1)


@pytest.mark.parametrize("zone", ["America/Vancouver", "Africa/Casablanca"])
def test_the_day_is_that_of_gold(zone: str) -> None:
    # where editions of the time zone database differ, whatever Python's is
    cutover = time(3)
    with connect(None) as engine:
        for hours in range(0, 365 * 24, 53):
            instant = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
            sql = f"SELECT business_date(TIMESTAMPTZ '{instant.isoformat()}', '{zone}', TIME '03:00')"
            assert engine.rows(compile_text(sql)) == [(day_of(instant, zone, cutover),)]


def test_a_time_without_a_zone_is_that_of_the_zone() -> None:
    assert instant_of(datetime(2024, 7, 1, 2), "Europe/London") == datetime(2024, 7, 1, 1, tzinfo=UTC)
