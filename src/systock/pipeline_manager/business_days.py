"""Business days on the clock of a zone, by the rules of the engine that dates gold.

Python has rules of its own, of another edition of the time zone database where the machine brings one: around a change of the
law the two would keep the same instant under different days.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Any

from systock.data_warehouse.engine.duckdb import DuckDBEngine, connect
from systock.sql_text import literal


def instant_of(local: datetime, zone: str) -> datetime:
    """The instant at which the clocks of a zone show a time."""
    instant: datetime = _asked(f"timezone({literal(zone)}, TIMESTAMP '{local.isoformat()}')")
    return instant


def day_of(instant: datetime, zone: str, cutover: time) -> date:
    """The business day that an instant belongs to."""
    local = f"timezone({literal(zone)}, TIMESTAMPTZ '{instant.isoformat()}')"
    day: date = _asked(f"CAST({local} - to_microseconds(epoch_us(TIME '{cutover.isoformat()}')) AS DATE)")
    return day


def end_of(day: date, zone: str, cutover: time) -> datetime:
    """The last instant of a business day. Raises OverflowError past the last day there is."""
    return instant_of(datetime.combine(day + timedelta(days=1), cutover), zone) - timedelta(microseconds=1)


def _asked(expression: str) -> Any:
    [(found,)] = _engine().cursor().rows(f"SELECT {expression}")
    return found


@cache
def _engine() -> DuckDBEngine:
    return connect(None)
