"""Stock valued from a kept state on, at any instant, is what it is valued at from the beginning."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pyarrow as pa
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from ledger_entries import Balanced, Entry, balanced, batch, decimals
from systock.data_warehouse import cost_chunk
from systock.data_warehouse.cost_chunk import Before, CostMethod
from systock.data_warehouse.cost_state import State, kept_instants
from systock.data_warehouse.stock_cost import cost_postings

from .test_stock_cost import documents, odd_documents

HOUR = 3_600_000_000


def every_instant(times: Sequence[int], spans: Sequence[tuple[int, int]]) -> dict[int, int]:
    """Every hour at which a state can be kept."""
    return {
        sum(time < at for time in times): at
        for at in range(times[0] + 1, times[-1] + 2 * HOUR, HOUR)
        if not any(first < at <= last for first, last in spans)
    }


def valued(rows: list[Balanced], method: CostMethod, before: Before | None, keep: list[State]) -> list[dict]:
    found = pa.Table.from_batches(cost_postings([batch(rows)], method, before, keep.append)).to_pylist()
    place = {row.key: number for number, row in enumerate(rows)}
    return sorted(found, key=lambda row: (place[row["ledger_entry_key"]], row["posting_no"]))


def referred(earlier: list[Balanced], later: list[Balanced], posted: dict) -> pa.Table:
    """The earlier entries that later ones look for, by what their documents say alone."""
    papers = {(row.entry.product, row.entry.document) for row in later if row.entry.kind == "revaluation"}
    sales = {row.entry.gives_back for row in later}
    received = {(row.entry.product, row.entry.transfer) for row in later if row.entry.kind == "transfer_in"}
    shipped = {(row.entry.product, row.entry.transfer): row.key for row in earlier if row.entry.kind == "transfer_out"}
    needed = [
        row
        for row in earlier
        if row.key in sales
        or (row.entry.kind == "receipt" and (row.entry.product, row.entry.document) in papers)
        or row.key in (shipped[transfer] for transfer in received & shipped.keys())
    ]
    amounts = decimals([posted[row.key] for row in needed], 4)
    return pa.Table.from_batches([batch(needed)]).append_column("cost_amount", amounts)


@pytest.fixture(autouse=True)
def states_at_every_instant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost_chunk, "kept_instants", every_instant)


def alike(method: CostMethod, entries: list[Entry], zero_start: bool) -> int:
    """Valued from each state on, the entries are worth what they are worth from the beginning; how many states there are."""
    rows = balanced(entries, zero_start)
    states: list[State] = []
    whole = valued(rows, method, None, states)
    posted = {row["ledger_entry_key"]: row["cost_amount"] for row in whole if row["posting_no"] == 0}
    times = {row["ledger_entry_key"]: int(row["occurred_at"].timestamp()) * 1_000_000 for row in whole}
    for state in states:
        earlier, later = ([row for row in rows if (times[row.key] < state.valid_at) == side] for side in (True, False))
        if not later:
            continue
        before = Before({1: state.content}, referred(earlier, later, posted))
        again: list[State] = []
        keys = {row.key for row in later}
        assert valued(later, method, before, again) == [row for row in whole if row["ledger_entry_key"] in keys]
        # and what it keeps on the way is what the whole keeps
        assert [a for a in again if a.valid_at > state.valid_at and a not in states] == []
    return len(states)


@pytest.mark.parametrize("method", ["moving_average", "fifo"])
def test_goods_received_before_their_shipment_came_in_by_it(method: CostMethod) -> None:
    # The layer of the goods received first is younger than that of the ones bought before they were shipped.
    alike(
        method,
        [
            Entry(0, "transfer_in", 2, 1, transfer="T"), Entry(1, "opening", 1, 1), Entry(2, "transfer_out", -3, transfer="T"),
            Entry(3, "receipt", 1, 5), Entry(4, "sale", -1),
        ],
        zero_start=True,
    )  # fmt: skip


@pytest.mark.parametrize("method", ["moving_average", "fifo"])
@given(entries=documents() | odd_documents(), zero_start=st.booleans())
def test_from_a_state_on_is_from_the_beginning(method: CostMethod, entries: list[Entry], zero_start: bool) -> None:
    event(f"{alike(method, entries, zero_start) // 4 * 4} states or more")


@given(
    times=st.lists(st.integers(0, 300), min_size=1).map(sorted),
    spans=st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)).map(lambda span: (min(span), max(span))), max_size=3),
)  # fmt: skip
def test_states_are_kept_at_the_end_and_some_time_before(times: list[int], spans: list[tuple[int, int]]) -> None:
    day = 24 * HOUR
    spans = [(first, last) for first, last in spans if last <= times[-1]]
    kept = kept_instants([time * day for time in times], [(first * day, last * day) for first, last in spans])
    assert kept[len(times)] == times[-1] * day + 1
    assert list(kept) == sorted(kept)
    assert len(kept) <= 4
    for before, at in kept.items():
        assert before == sum(time * day < at for time in times) > 0
        assert not any(first * day < at <= last * day for first, last in spans)
    if not spans:
        ages = Counter(before for before, at in kept.items() if at <= times[-1] * day - 3 * day)
        assert bool(ages) == (times[-1] - times[0] >= 4)
