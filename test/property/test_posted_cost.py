"""Random changes over closing periods: closed ones stay, nothing is lost, and the bridge sums to 0.00."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from systock.data_warehouse.posted_cost import Believed, ClosedPeriod, book, bridge

FIRST = date(2024, 1, 1)
PERIOD = 10  # days; each may be closed once


def at(hour: int) -> datetime:
    return datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=hour)


def period_of(day: date) -> str:
    return f"{(day - FIRST).days // PERIOD:02d}"


BELIEF = st.none() | st.builds(
    Believed,
    st.integers(0, 39).map(lambda day: FIRST + timedelta(days=day)),
    st.decimals(-99, 99, places=4),
)
RESULTS = st.lists(st.dictionaries(st.sampled_from("abcdef"), BELIEF, max_size=3), max_size=12)
# the hours at which the periods close, in their order; fewer than all
CLOSINGS = st.lists(st.integers(0, 12), max_size=4).map(sorted)


@given(results=RESULTS, closings=CLOSINGS)
def test_closed_periods_stay_and_the_bridge_sums_to_nothing(results: list[dict], closings: list[int]) -> None:
    closed = [
        ClosedPeriod(FIRST + timedelta(days=PERIOD * number), FIRST + timedelta(days=PERIOD * (number + 1)), at(hour))
        for number, hour in enumerate(closings)
    ]
    timed = [(at(hour), changes) for hour, changes in enumerate(results)]
    believed: dict = {}
    frozen: dict = {}
    for hour, changes in enumerate(results):
        believed |= changes
        lines = bridge(book(timed[: hour + 1], closed), period_of)
        restated: dict = {}
        for belief in believed.values():
            if belief is not None:
                name = period_of(belief.business_date)
                restated[name] = restated.get(name, Decimal(0)) + belief.amount
        assert {name: line.restated for name, line in lines.items() if line.restated} == {
            name: amount for name, amount in restated.items() if amount
        }
        assert sum((line.posted - line.restated for line in lines.values()), Decimal(0)) == 0
        assert sum((line.late_in - line.late_out for line in lines.values()), Decimal(0)) == 0
        first_open = sum(closing <= hour for closing in closings)
        for number in range(first_open):  # what was closed before this hour is as it was
            name = f"{number:02d}"
            assert (lines[name].posted if name in lines else 0) == frozen.get(name, 0)
        for name, line in lines.items():  # an open period beyond the first takes nothing late
            if int(name) > first_open:
                assert line.late_in == 0
        frozen = {name: line.posted for name, line in lines.items()}
