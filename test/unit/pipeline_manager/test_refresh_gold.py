"""Which landings are taken in one by one even when they are too many: those on which a close hangs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import duckdb
import pytest

from systock.data_warehouse.engine.duckdb import DuckDBEngine
from systock.pipeline_manager.refresh_gold import steps_for_closes

FIRST = datetime(2024, 7, 1, tzinfo=UTC)
ALWAYS = datetime(9999, 12, 31, tzinfo=UTC)


def day(number: float) -> datetime:
    return FIRST + timedelta(days=number)


@pytest.mark.parametrize(
    ("closes", "steps"),
    [
        ([], [9]),
        # a close binds what comes after its landing
        ([(3, None, None)], [3, 9]),
        # a withdrawal what comes with it: the state before it is needed
        ([(3, None, 6)], [3, 5, 9]),
        # a close for later binds what comes after its instant
        ([(3, 6.5, None)], [3, 6, 9]),
        ([(3, 6, None)], [3, 6, 9]),
        # told anew: both
        ([(3, None, 6), (6, None, None)], [3, 5, 6, 9]),
        # what was known before these landings, or hangs on the last
        ([(-2, None, None), (9, None, None)], [9]),
        ([(-2, None, 9)], [8, 9]),
    ],
)
def test_steps_for_closes(closes: list[tuple[float, float | None, float | None]], steps: list[int]) -> None:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'; CREATE SCHEMA silver")
        connection.execute(
            "CREATE TABLE silver.period_close__versions (closed_at TIMESTAMPTZ, known_from_at TIMESTAMPTZ, known_to_at TIMESTAMPTZ)"
        )
        for known_from, closed_at, known_to in closes:
            row = [
                None if closed_at is None else day(closed_at),
                day(known_from),
                ALWAYS if known_to is None else day(known_to),
            ]
            connection.execute("INSERT INTO silver.period_close__versions VALUES (?, ?, ?)", row)
        moments = [day(number) for number in range(10)]
        assert steps_for_closes(DuckDBEngine(connection, None), moments) == [day(number) for number in steps]
