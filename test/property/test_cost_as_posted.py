"""Random postings, closes, reopenings: what is booked is what a plain replay of the landings says, and closed days never change."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise, zip_longest
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sql.case_runner import computed_tables, create

FIRST_DAY, FIRST_LANDING = date(2024, 1, 1), datetime(2024, 2, 1, tzinfo=UTC)
FOREVER = datetime(9999, 12, 31, tzinfo=UTC)
LANDINGS, DAYS = 12, 40
GIVEN = (
    "gold.stock_cost__versions", "gold.stock_cost", "gold.stock_ledger", "silver.period_close__versions",
    "silver.stock_movement__versions", "silver.sale_line__versions", "silver.stock_count__versions", "silver.transfer_line__versions",
)  # fmt: skip
# A booking: (posting, currency, own day, day of the books)
Booking = tuple[str, str, date, date]


class Books:
    """A life of postings and closes: what each landing says, in words of its own."""

    def __init__(self, seed: int) -> None:
        chance = random.Random(seed)
        # posting → its value (own day, amount), or None, after each landing that changes it
        self.told: dict[str, dict[int, tuple[date, int] | None]] = {}
        for number in range(chance.randint(1, 5)):
            changes = chance.sample(range(LANDINGS), chance.randint(1, 4))
            self.told[f"p{number}"] = {
                at: (FIRST_DAY + timedelta(chance.randrange(DAYS)), chance.choice([-3, -1, 1, 2, 5])) if chance.random() < 0.8 else None
                for at in sorted(changes)
            }  # fmt: skip
        # day → is it closed (and from which hour on at the earliest), or not, after each landing that says so
        self.closes: dict[date, dict[int, float | None]] = {}
        for day in chance.sample(range(DAYS), chance.randint(0, 4)):
            said = sorted(chance.sample(range(LANDINGS), chance.randint(1, 4)))
            self.closes[FIRST_DAY + timedelta(day)] = {
                at: chance.choice([0, 0, at + 0.5, at + 1, at + 2]) if chance.random() < 0.7 else None for at in said
            }

    def currency(self, posting: str) -> str:
        return "EUR" if int(posting[1:]) % 2 else "USD"

    def replay(self) -> tuple[dict[Booking, int], list[tuple[date, dict[date, int]]]]:
        """All bookings, nothing left out; and after each landing the last closed day with the sum booked on each day by then."""
        bookings: dict[Booking, int] = defaultdict(int)
        stand: dict[str, tuple[date, int]] = {}
        states = []
        for landing in range(LANDINGS):
            closed = min(
                self._closed(landing, landing - 1, strictly=True), self._closed(landing, landing, strictly=False)
            )
            for posting, told in self.told.items():
                if landing in told:
                    before, now = stand.pop(posting, None), told[landing]
                    if now is not None:
                        stand[posting] = now
                    for value, sign in ((before, -1), (now, 1)):
                        if value is not None:
                            booked = closed + timedelta(1) if value[0] <= closed else value[0]
                            bookings[posting, self.currency(posting), value[0], booked] += sign * value[1]
            sums: dict[date, int] = defaultdict(int)
            for (_, _, _, booked), amount in bookings.items():
                sums[booked] += amount
            states.append((closed, dict(sums)))
        return {booking: amount for booking, amount in bookings.items() if amount}, states

    def _closed(self, now: int, known: int, *, strictly: bool) -> date:
        """The last day closed at a landing, by what was known after landing `known`."""
        closed = date.min
        for day, said in self.closes.items():
            last = max((at for at in said if at <= known), default=None)
            since = None if last is None else said[last]
            if since is not None and (since < now if strictly else since <= now):
                closed = max(closed, day)
        return closed

    def put(self, connection: duckdb.DuckDBPyConnection) -> None:
        """The tables of versions that these landings leave behind."""
        for table in GIVEN:
            connection.execute(f"DELETE FROM {table}")
        for posting, told in self.told.items():
            # a landing that says the same again makes no version
            said: list[tuple[int, tuple[date, int] | None]] = []
            for at, value in told.items():
                if value != (said[-1][1] if said else None):
                    said.append((at, value))
            for (at, value), until in zip_longest(said, said[1:]):
                if value is not None:
                    row = [
                        int(posting[1:]),
                        value[0],
                        posting,
                        self.currency(posting),
                        value[1],
                        landed(at),
                        landed(until[0]) if until else FOREVER,
                    ]
                    connection.execute("""INSERT INTO gold.stock_cost__versions (ledger_entry_key, posting_no, posting_kind, product_durable_key,
                        location_durable_key, stock_status, movement_kind, business_date, entity, source_name, entry_id, currency_code,
                        cost_amount, known_from_at, known_to_at) VALUES (CAST(lpad(CAST(? AS VARCHAR), 32, '0') AS UUID), 0, 'entry', 1, 1, 'sellable', 'sale', ?,
                        'stock_movement', 'erp', ?, ?, ?, ?, ?)""", row)  # fmt: skip
        for day, closed in self.closes.items():
            for (at, since), until in zip_longest(closed.items(), list(closed)[1:]):
                row = [
                    day,
                    landed(since) if since else None,
                    since is None,
                    landed(at),
                    FOREVER if until is None else landed(until),
                ]
                connection.execute("""INSERT INTO silver.period_close__versions (source_name, closed_through_date, closed_at, is_deleted,
                    known_from_at, known_to_at) VALUES ('erp', ?, ?, ?, ?, ?)""", row)  # fmt: skip


def landed(at: float) -> datetime:
    return FIRST_LANDING + timedelta(hours=at)


@pytest.fixture(scope="module")
def views() -> Iterator[duckdb.DuckDBPyConnection]:
    def fill(connection: duckdb.DuckDBPyConnection) -> None:
        for table in GIVEN:
            create(connection, table)
        create(connection, "meta.project")
        connection.execute("INSERT INTO meta.project (calendar_from_date) VALUES (DATE '2023-01-01')")

    with computed_tables(["serve.cost_bridge"], fill, GIVEN) as connection:
        yield connection


def rows(connection: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
    return connection.execute(sql).fetchall()


@given(seed=st.integers(0, 2**32))
def test_what_is_booked_is_what_the_landings_say(views: duckdb.DuckDBPyConnection, seed: int) -> None:
    for number in range(5):
        holds(views, Books(seed * 5 + number))


def holds(views: duckdb.DuckDBPyConnection, books: Books) -> None:
    books.put(views)
    bookings, states = books.replay()
    if not books.closes:  # then the ledger itself is asked, which is empty here
        return
    found = rows(
        views, "SELECT entry_id, currency_code, business_date, posted_date, cost_amount FROM serve.cost_as_posted"
    )
    assert {tuple(row[:4]): row[4] for row in found} == bookings

    # of the replay itself: a closed day never changes, as long as it is closed
    for (_, before), (closed, after) in pairwise(states):
        assert {d: a for d, a in before.items() if d <= closed and a} == {
            d: a for d, a in after.items() if d <= closed and a
        }

    ends = sorted(day for day, said in books.closes.items() if any(since is not None for since in said.values()))

    def end(day: date) -> date:
        return next((last for last in ends if last >= day), FOREVER.date())

    wanted: dict[tuple[str, date, date], list[int]] = defaultdict(lambda: [0, 0])
    for (_, currency, own, booked), amount in bookings.items():
        wanted[currency, end(own), end(booked)][0] += amount
        wanted[currency, end(booked), end(own)][1] += amount
    bridge = rows(views, """SELECT currency_code, period_last_date, other_period_last_date, restated_amount, posted_amount,
        difference_amount, late_amount + corrected_amount + withdrawn_amount + revalued_amount FROM serve.cost_bridge""")  # fmt: skip
    assert {tuple(row[:3]): list(row[3:5]) for row in bridge} == wanted
    assert all(row[5] == row[4] - row[3] == row[6] for row in bridge)
    for currency in ("EUR", "USD"):
        assert sum((row[5] for row in bridge if row[0] == currency), Decimal(0)) == 0
