"""Random documents valued by the kernel: what a plain replay says of each, and not a cent lost."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from ledger_entries import Entry, balanced, layers, postings
from systock.data_warehouse.cost_chunk import CostMethod

from .cost_oracle import Oracle

IN = ["opening", "receipt", "receipt", "customer_return", "transfer_in", "transfer_in", "production_in"]
OUT = ["sale", "sale", "supplier_return", "write_off", "transfer_out", "transfer_out", "production_out"]
COSTS = st.one_of(st.none(), st.integers(1, 9).map(lambda cost: 10 * cost))


@st.composite
def transfers(draw: st.DrawFn) -> list[Entry]:
    """A transfer sent in one document or more, and received in others: in part, in whole, beyond it, before it, after it was lost."""
    product, transfer = draw(st.sampled_from("AK")), draw(st.sampled_from(["V", "V", None]))
    documents = st.tuples(st.integers(0, 15), st.integers(1, 4))
    return [
        Entry(hour, kind, sign * units, place=place, product=product, transfer=transfer)
        for kind, sign, place, least, most in (
            ("transfer_out", -1, "depot", 1, 3), ("transfer_in", 1, "store", 2, 4), ("transfer_loss", -1, "store", 0, 1),
        )
        for hour, units in draw(st.lists(documents, min_size=least, max_size=most))
    ]  # fmt: skip


@st.composite
def documents(draw: st.DrawFn) -> list[Entry]:
    """Up to 40 entries of two products at two places, and a transfer; standard costs change by the hour, or there are none."""
    standards = {product: draw(st.none() | st.lists(st.integers(1, 3).map(lambda cost: 10 * cost), min_size=4, max_size=4)) for product in "AK"}  # fmt: skip
    entries = []
    for _ in range(draw(st.integers(5, 40))):
        kind = draw(st.sampled_from([*IN, *OUT, "adjustment", "count", "revaluation", "revaluation", "transfer_loss"]))
        units = draw(st.integers(1, 7))
        if kind in OUT or (kind in ("adjustment", "transfer_loss") and draw(st.booleans())):
            units = -units
        product, hour = draw(st.sampled_from("AAK")), draw(st.integers(0, 15))
        standard = standards[product]
        entries.append(
            Entry(
                hour,
                kind,
                0 if kind == "revaluation" else units,
                draw(COSTS) if kind != "count" else None,
                place=draw(st.sampled_from(["depot", "store"])),
                product=product,
                status=draw(st.sampled_from(["sellable", "sellable", "sellable", "hold"])),
                standard=None if standard is None else standard[hour // 4],
                amount=draw(st.none() | st.integers(-20, 60)) if kind == "revaluation" else None,
                gives_back=draw(st.none() | st.integers(0, 40).map("e{}".format))
                if kind == "customer_return"
                else None,
                transfer=draw(st.sampled_from(["T", "T", "U", None])),
                document=draw(st.sampled_from(["D", "D", "E", None])),
            )
        )
    return entries + draw(transfers())


def place(row: dict) -> tuple[str, str, str] | None:
    if row["posting_kind"] == "transit_loss":
        return None
    return row["product_durable_key"], row["location_durable_key"], row["stock_status"]


@pytest.mark.parametrize("method", ["moving_average", "fifo"])
@given(entries=documents(), zero_start=st.booleans())
def test_every_posting_is_that_of_a_plain_replay(method: CostMethod, entries: list[Entry], zero_start: bool) -> None:
    found: dict = defaultdict(Fraction)
    after = {}
    for row in postings(entries, method, zero_start):
        found[row["ledger_entry_key"], row["posting_kind"], place(row)] += Fraction(row["cost_amount"] or 0)
        if row["posting_no"] == 0 and row["posting_kind"] != "transit_loss":
            after[row["ledger_entry_key"]] = row["value_after_amount"]
        event(row["posting_kind"])
    expected = Oracle(balanced(entries, zero_start), method == "fifo")
    # the replay does not round: a ten-thousandth here and there, where a wrong rule makes tenths
    differences = {
        key: (float(found.get(key, 0)), float(expected.posted.get(key, 0)))
        for key in {*found, *expected.posted}
        if abs(found.get(key, 0) - expected.posted.get(key, 0)) > Fraction(1, 100)
    }
    assert not differences
    assert after.keys() == expected.after.keys()
    for key, value in after.items():
        known = expected.after[key]
        assert (value is None) == (known is None), key
        assert value is None or known is None or abs(Fraction(value) - known) <= Fraction(1, 100), key


# Odd quantities and costs, so that everything has to be rounded.
ODD_COSTS = st.none() | st.decimals("0.000001", "99.999999", places=6)


@st.composite
def odd_documents(draw: st.DrawFn) -> list[Entry]:
    found = []
    for entry in draw(documents()):
        units = Decimal(entry.units) * draw(st.decimals("0.001", "2.000", places=3)).quantize(Decimal("0.001"))
        amount = None if entry.amount is None else draw(st.decimals("-9.9999", "99.9999", places=4))
        cost = None if entry.cost is None else draw(ODD_COSTS)
        found.append(replace(entry, units=units, cost=cost, amount=amount))
    return found


@pytest.mark.parametrize("method", ["moving_average", "fifo"])
@given(entries=odd_documents(), zero_start=st.booleans())
def test_not_a_cent_is_lost(method: CostMethod, entries: list[Entry], zero_start: bool) -> None:
    rows = postings(entries, method, zero_start)
    of_place: dict = defaultdict(Decimal)
    value: dict = {}
    in_transit: dict = defaultdict(Decimal)
    external = outside = Decimal(0)
    for row in rows:
        amount, kind = row["cost_amount"] or Decimal(0), row["posting_kind"]
        in_transit[row["product_durable_key"], row["transfer_id"]] += {"transit_loss": amount, "transfer": -amount}.get(
            kind, Decimal(0)
        )
        if kind == "transit_loss":
            external += amount
        elif row["value_after_amount"] is not None:
            of_place[place(row)] += amount
            value[place(row)] = row["value_after_amount"]
            external += amount if kind != "transfer" else 0
        elif kind == "transfer":
            outside -= amount  # goods that come from, or go to, a place whose stock is not known
    assert of_place == value
    assert sum(value.values()) + sum(in_transit.values()) == external + outside
    for (product, transfer), amount in in_transit.items():
        shipped = sum(
            Decimal(entry.units)
            for entry in entries
            if entry.kind in ("transfer_out", "transfer_in", "transfer_loss")
            and (entry.product, entry.transfer) == (product, transfer)
        )
        lost = any(entry.kind == "transfer_loss" for entry in entries)
        if shipped == 0 and not lost:
            assert amount == 0


@pytest.mark.parametrize("method", ["moving_average", "fifo"])
@given(entries=odd_documents(), zero_start=st.booleans())
def test_what_a_document_produces_costs_what_it_used(
    method: CostMethod, entries: list[Entry], zero_start: bool
) -> None:
    # a standard cost, so that none is unknown
    entries = [replace(entry, standard=Decimal("3.333333")) for entry in entries]
    cost: dict = defaultdict(Decimal)
    kinds: dict = defaultdict(set)
    for row in postings(entries, method, zero_start):
        entry = entries[int(row["ledger_entry_key"][1:])]
        if entry.kind.startswith("production") and row["posting_kind"] in ("entry", "settlement"):
            cost[entry.document] += row["cost_amount"]
            kinds[entry.document].add(entry.kind)
    for document, amount in cost.items():
        if document is not None and len(kinds[document]) == 2:
            assert amount == 0


@given(entries=odd_documents())
def test_layers_left_are_the_stock_on_hand(entries: list[Entry]) -> None:
    units: dict = defaultdict(Decimal)
    amounts: dict = defaultdict(Decimal)
    for row in layers(entries):
        key = row["product_durable_key"], row["location_durable_key"], row["stock_status"]
        units[key] += row["layer_units"]
        amounts[key] += row["layer_amount"]
        assert row["layer_units"] > 0
    last = {
        (row.entry.product, row.entry.place, row.entry.status): row.after
        for row in balanced(entries)
        if row.after is not None
    }
    assert units == {key: after for key, after in last.items() if after > 0}
    value = {place(row): row["value_after_amount"] for row in postings(entries, "fifo") if place(row) is not None}
    assert amounts == {key: value[key] or 0 for key in units}
