"""The ledger and the stock intervals against a plain fold in Python over random entries of several stocks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import duckdb
from hypothesis import given
from hypothesis import strategies as st

from sql.case_runner import computed_tables
from systock.data_warehouse.macros import fact_key_of

DAY = datetime(2024, 5, 1, tzinfo=UTC)
ORDER = {"opening": 10, "receipt": 20, "customer_return": 50, "sale": 90, "adjustment": 110, "count": 1000}
Known = Decimal | None


@dataclass(frozen=True)
class Entry:
    """A movement or a count of a stock, at an hour counted from the first day."""

    source: str
    product: str
    hour: int
    kind: str
    quantity: int

    @property
    def occurred_at(self) -> datetime:
        return DAY + timedelta(hours=self.hour)


ENTRIES = st.lists(
    st.builds(
        Entry,
        source=st.sampled_from(["plain", "zero"]),
        product=st.sampled_from("AABBC"),
        hour=st.integers(0, 100),
        kind=st.sampled_from(["opening", "receipt", "customer_return", "sale", "adjustment", "count", "count"]),
        quantity=st.integers(0, 9),
    ),
    max_size=40,
)


def fold(entries: list[tuple[str, Entry]]) -> dict[str, tuple[Known, Known]]:
    """Balance before and after each entry of one stock: movements add, counts set, unknown before the first anchor."""

    def place(named: tuple[str, Entry]) -> tuple[int, int, str]:
        entity = "stock_count" if named[1].kind == "count" else "stock_movement"
        return named[1].hour, ORDER[named[1].kind], str(fact_key_of(entity, named[1].source, named[0]))

    zero = any(entry.source == "zero" and entry.kind != "count" for _, entry in entries)
    balance: Known = None
    found: dict[str, tuple[Known, Known]] = {}
    for name, entry in sorted(entries, key=place):
        quantity = Decimal(-entry.quantity if entry.kind == "sale" else entry.quantity)
        if entry.kind != "count" and balance is None and zero:
            balance = Decimal(0)
        before = balance
        if entry.kind == "count" or (entry.kind == "opening" and balance is None):
            balance = quantity
        elif balance is not None:
            balance += quantity
        found[name] = (before, balance)
    return found


def fill(connection: duckdb.DuckDBPyConnection, entries: list[tuple[str, Entry]]) -> None:
    connection.execute("INSERT INTO meta.project DEFAULT VALUES")
    connection.execute("INSERT INTO meta.source VALUES ('plain', FALSE, 'count'), ('zero', FALSE, 'zero')")
    for name, entry in entries:
        table, column = (
            ("stock_count", "count_id, counted_at")
            if entry.kind == "count"
            else ("stock_movement", "movement_kind, movement_id, occurred_at")
        )
        quantity = -entry.quantity if entry.kind == "sale" else entry.quantity
        kind = [] if entry.kind == "count" else [entry.kind]
        values = ["erp", "S1", "erp", entry.product, entry.source, quantity, *kind, name, entry.occurred_at]
        connection.execute(
            f"INSERT INTO silver.{table} (location_source_name, location_id, product_source_name, product_id, "
            f"source_name, quantity, {column}) VALUES ({', '.join('?' * len(values))})",
            values,
        )


@given(ENTRIES)
def test_balances_and_spans_are_those_of_a_fold(drawn: list[Entry]) -> None:
    entries = [(f"E{number}", entry) for number, entry in enumerate(drawn)]
    with computed_tables(["gold.stock_ledger", "gold.fact_stock_interval"], lambda db: fill(db, entries)) as connection:
        rows = connection.execute(
            "SELECT entry_id, balance_before_units, balance_after_units, variance_units, counted_units "
            "FROM gold.stock_ledger"
        ).fetchall()
        spans = connection.execute(
            "SELECT product_id, from_date, to_date, on_hand_units FROM gold.fact_stock_interval ORDER BY 1, 2"
        ).fetchall()
    expected: dict[str, tuple[Known, Known]] = {}
    ends: dict[str, dict[date, Known]] = {}
    for product in sorted({entry.product for _, entry in entries}):
        own = [named for named in entries if named[1].product == product]
        balances = fold(own)
        expected |= balances
        # fold() keeps its order: the last balance of a day is the one that stays
        hours = dict(own)
        for name, (_, after) in balances.items():
            ends.setdefault(product, {})[hours[name].occurred_at.date()] = after
    assert {name: (before, after) for name, before, after, _, _ in rows} == expected
    for _, before, _, variance, counted in rows:
        assert variance == (None if before is None or counted is None else counted - before)
    assert spans == [span for product in sorted(ends) for span in spans_of(product, ends[product])]


def spans_of(product: str, ends: dict[date, Known]) -> list[tuple[str, date, date, Known]]:
    """Run-length coding of the end-of-day balances."""
    starts: list[tuple[date, Known]] = []
    for day in sorted(ends):
        if ends[day] is not None and (not starts or starts[-1][1] != ends[day]):
            starts.append((day, ends[day]))
    following = [day for day, _ in starts[1:]] + [date(9999, 12, 31)]
    return [(product, day, to, units) for (day, units), to in zip(starts, following, strict=False)]
