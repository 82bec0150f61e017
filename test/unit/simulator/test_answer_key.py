"""The answer key against a second, plain reading of the written files."""

from __future__ import annotations

import dataclasses
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from systock.simulator import AnswerKey, load_answer_key, simulate
from systock.simulator.answer_key import SalesDay

from . import naive_papers
from . import naive_warehouse as naive

MEASURES = [field.name for field in dataclasses.fields(SalesDay)][4:]
MEASURES.remove("receipts")


@pytest.fixture(scope="module", params=["all", "none"])
def chain(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, AnswerKey]:
    folder = tmp_path_factory.mktemp(f"chain_{request.param}")
    return folder, simulate(
        folder, seed=3, days=34, stores=4, products=60, start=date(2024, 3, 5), faults=request.param
    )


def test_sales_and_stock_are_those_of_the_files_known_by_then(chain: tuple[Path, AnswerKey]) -> None:
    folder, key = chain
    known, state = naive.places(folder), naive.State()
    files = naive.deliveries(folder)
    for asked in key.knowledge_times:
        while files and files[0].known_at <= asked:
            naive.learn(state, files.pop(0))
        expected = naive.sales(state, known)
        told = {(row.location_id, row.business_date): row for row in key.sales if row.known_at == asked}
        assert told.keys() == expected.keys()
        for place, row in told.items():
            assert {name: getattr(row, name) for name in MEASURES} == {
                name: expected[place][name] for name in MEASURES
            }, (asked, place)
        for total in [total for total in key.stock_totals if total.known_at == asked]:
            rows = [row for row in key.on_hand if (row.known_at, row.business_date) == (asked, total.business_date)]
            stock = {(row.location_id, row.product_id, row.stock_status): row.units for row in rows}
            assert stock == naive.on_hand(state, known, total.business_date)
            assert total.units == sum(stock.values())
    assert not files


def test_the_offices_figures_are_those_of_the_files_known_by_then(chain: tuple[Path, AnswerKey]) -> None:
    folder, key = chain
    known, state = naive.places(folder), naive.State()
    files = naive.deliveries(folder)
    for asked in key.knowledge_times:
        while files and files[0].known_at <= asked:
            naive.learn(state, files.pop(0))
        for name, expected in naive_papers.all_figures(state, known).items():
            rows = [dataclasses.astuple(row)[1:] for row in getattr(key, name) if row.known_at == asked]
            assert sorted(rows) == sorted(expected), (asked, name)


def test_the_offices_documents_are_of_every_kind(chain: tuple[Path, AnswerKey]) -> None:
    _, key = chain
    last = {
        name: [row for row in getattr(key, name) if row.known_at == key.latest]
        for name in ("purchases", "transfers", "web_orders", "payments")
    }
    assert any(row.on_time_in_full_lines < row.due_lines and row.rejected_units for row in last["purchases"])
    assert any(row.filled_units < row.due_units for row in last["purchases"])
    assert any(row.on_order_units for row in last["purchases"])
    assert any(row.lost_units for row in last["transfers"]) and any(row.in_transit_units for row in last["transfers"])
    assert any(row.reserved_units and row.open_units and row.cancelled_units for row in last["web_orders"])
    assert {row.method for row in last["payments"]} == {"cash", "card", "voucher"}
    # only a fault takes a whole receipt away from its payment
    assert bool(key.held_payments) == bool(key.faults_asked)


def test_line_counts_are_those_of_the_files(chain: tuple[Path, AnswerKey]) -> None:
    folder, key = chain
    state = naive.State()
    for file in naive.deliveries(folder):
        naive.learn(state, file)
    for table in key.tables:
        terms = ("kept", "unchanged", "superseded", "duplicates", "quarantined", "left_out")
        assert table.lines == sum(getattr(table, name) for name in terms)
        if table.table in naive.KEYS:
            names = ("lines", "malformed", *terms)
            assert {name: getattr(table, name) for name in names} == {
                name: state.counts[table.table][name] for name in names
            }, table.table


def test_product_versions_are_those_of_the_feed(chain: tuple[Path, AnswerKey]) -> None:
    folder, key = chain
    state = naive.State()
    for file in naive.deliveries(folder):
        naive.learn(state, file)
    assert [(row.product_id, row.version_at) for row in key.product_versions] == sorted(state.rows["erp.products"])


def test_it_reads_back_as_it_was_written(chain: tuple[Path, AnswerKey]) -> None:
    folder, key = chain
    assert load_answer_key(folder) == key
    assert load_answer_key(folder / "answer_key.json") == key


def test_later_knowledge_changes_earlier_days(chain: tuple[Path, AnswerKey]) -> None:
    _, key = chain
    if not key.faults_asked:
        pytest.skip("only documents that come late change what was said")
    first, *_, last = key.knowledge_times
    net = {
        time: {(r.location_id, r.business_date): r.net_amount for r in key.sales if r.known_at == time}
        for time in (first, last)
    }
    assert any(
        net[first].get(place, Decimal(0)) != amount for place, amount in net[last].items() if place[1] < first[:10]
    )
    units = {
        t.known_at: t.units
        for t in key.stock_totals
        if t.business_date == min(t.business_date for t in key.stock_totals)
    }
    assert len(set(units.values())) > 1
