"""Transfers with partial, lost, late, early and too large receipts: units and value on hand and in transit change from outside only."""

# fmt: off
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sql.case_runner import computed_tables, create
from systock.data_warehouse.engine.duckdb import DuckDBEngine
from systock.quality.value_conservation import conserves_value

GIVEN = {f"gold.{name}" for name in ("stock_entry", "fact_transfer_line", "dim_product", "dim_location", "dim_date", "exchange_rate_day")}
KINDS = {"receipt": 20, "transfer_in": 30, "transfer_out": 70}
AT = "TIMESTAMPTZ '2024-05-01 00:00:00+00' + INTERVAL '{} hours'"


@dataclass(frozen=True)
class Transfer:
    """Goods sent from S1 to S2: by the movements, and by its paper. Hours may be in any order, quantities need not agree."""

    shipped: int
    shipped_at: int
    receipts: tuple[tuple[int, int], ...]  # hour, units
    lost: int
    paper_says: int | None  # received by the paper, where it differs from the movements
    written_off_at: int
    product: str

    @property
    def received(self) -> int:
        return sum(units for _, units in self.receipts) if self.paper_says is None else self.paper_says

    @property
    def given_up(self) -> int:
        """What leaves the transit: lost less surplus."""
        return self.lost - max(self.received + self.lost - self.shipped, 0)


@contextmanager
def valued(
    transfers: list[Transfer], receipts: list[tuple[int, str, int, int]], method: str, standard: int = 3
) -> Iterator[duckdb.DuckDBPyConnection]:
    """What the tables make of it. receipts at S1: hour, product, units, unit cost."""
    moves = [(f"W{n}", 1, product, hour, "receipt", units, cost, None) for n, (hour, product, units, cost) in enumerate(receipts)]
    for n, t in enumerate(transfers):
        moves.append((f"O{n}", 1, t.product, t.shipped_at, "transfer_out", -t.shipped, None, f"T{n}"))
        moves += [(f"I{n}.{k}", 2, t.product, hour, "transfer_in", units, None, f"T{n}") for k, (hour, units) in enumerate(t.receipts)]

    def fill(connection: duckdb.DuckDBPyConnection) -> None:
        for name in sorted(GIVEN):
            create(connection, name)
        connection.execute(f"INSERT INTO meta.project DEFAULT VALUES; UPDATE meta.project SET cost_method = '{method}'")
        connection.execute("INSERT INTO gold.dim_date (date_key) SELECT DATE '2024-04-30' + CAST(range AS integer) FROM range(9)")
        connection.execute(
            f"""INSERT INTO gold.dim_product BY NAME SELECT code AS product_durable_key, {standard} AS standard_cost_amount,
            'EUR' AS currency_code, TIMESTAMPTZ '1900-01-01 00:00:00+00' AS valid_from_at, TRUE AS is_latest, TRUE AS is_current,
            TIMESTAMPTZ '9999-12-31 00:00:00+00' AS superseded_at FROM (SELECT 65 + CAST(range AS integer) AS code FROM range(8))"""
        )
        for number, place, product, hour, kind, units, cost, transfer in moves:
            connection.execute(
                f"""INSERT INTO gold.stock_entry BY NAME SELECT md5('{number}') AS ledger_entry_key, 'movement' AS entry_kind,
                'stock_movement' AS entity, 'erp' AS source_name, '{number}' AS entry_id, {ord(product)} AS product_durable_key,
                '{product}' AS product_id, {place} AS location_durable_key, '{place}' AS location_id, 'sellable' AS stock_status,
                {AT.format(hour)} AS occurred_at, DATE '2024-05-01' AS business_date, {KINDS[kind]} AS entry_order, '{kind}' AS movement_kind,
                {units} AS quantity_units, TRUE AS is_stocked, TRUE AS starts_at_zero, ? AS unit_cost_amount, 'EUR' AS cost_currency_code,
                ? AS transfer_id""",
                [cost, transfer],
            )
        for n, t in enumerate(transfers):
            written_off_at = AT.format(max(t.shipped_at, t.written_off_at)) if t.lost or t.received > t.shipped else "NULL"
            left = t.shipped - t.received - t.lost
            connection.execute(
                f"""INSERT INTO gold.fact_transfer_line BY NAME SELECT md5('T{n}') AS transfer_line_key, 'erp' AS source_name,
                'T{n}' AS transfer_id, '1' AS line_no, {ord(t.product)} AS product_durable_key, '{t.product}' AS product_id,
                1 AS from_location_durable_key, 2 AS to_location_durable_key, '1' AS from_location_id, '2' AS to_location_id, {AT.format(t.shipped_at)} AS shipped_at,
                {written_off_at} AS written_off_at, {t.lost} AS lost_units, {max(left, 0)} AS in_transit_units, {max(-left, 0)} AS surplus_units"""
            )

    with computed_tables(["gold.stock_cost", "serve.stock_in_transit"], fill, GIVEN) as connection:
        yield connection


PRODUCTS = "ABCDEFGH"
HOURS, UNITS = st.integers(0, 40), st.integers(1, 9)
TRANSFERS = st.lists(st.builds(
    Transfer, UNITS, HOURS, st.lists(st.tuples(HOURS, UNITS), max_size=3).map(tuple), st.integers(0, 4), st.none() | st.integers(0, 12),
    HOURS, st.sampled_from(PRODUCTS),
), min_size=10, max_size=30)
RECEIPTS = st.lists(st.tuples(HOURS, st.sampled_from(PRODUCTS), UNITS, st.integers(1, 9)), max_size=30)
#: One database holds many products, each a world of its own: fewer examples find as much.
FEW = settings(max_examples=max(settings.default.max_examples // 8, 3))
SUMS = """SELECT
    (SELECT COALESCE(SUM(value), 0) FROM (SELECT arg_max(value_after_amount, (occurred_at, entry_order, ledger_entry_key, posting_no)) AS value
        FROM gold.stock_cost WHERE posting_kind <> 'transit_loss' GROUP BY product_durable_key, location_durable_key)) AS on_hand,
    COALESCE(SUM(CASE posting_kind WHEN 'transfer' THEN -cost_amount WHEN 'transit_loss' THEN cost_amount END), 0) AS in_transit,
    COALESCE(SUM(CASE WHEN posting_kind <> 'transfer' THEN cost_amount END), 0) AS outside,
    COALESCE(SUM(CASE WHEN posting_kind = 'transit_loss' THEN cost_amount END), 0) AS given_up FROM gold.stock_cost"""


@pytest.mark.parametrize("method", ["moving_average", "fifo"])
@FEW
@given(transfers=TRANSFERS, receipts=RECEIPTS)
def test_value_changes_from_outside_only(
    method: str, transfers: list[Transfer], receipts: list[tuple[int, str, int, int]]
) -> None:
    with valued(transfers, receipts, method) as connection:
        assert [check for check in conserves_value(DuckDBEngine(connection, None), None) if not check.passed] == []
        [(on_hand, in_transit, outside, _)] = connection.execute(SUMS).fetchall()
        assert on_hand + in_transit == outside


@pytest.mark.parametrize("method", ["moving_average", "fifo"])
@FEW
@given(transfers=TRANSFERS)
def test_where_all_costs_the_same_every_unit_is_worth_it(method: str, transfers: list[Transfer]) -> None:
    """Enough of each is there from the first hour on, at 2 a piece: then value is 2 x units, wherever they are."""
    agreed = [Transfer(t.shipped, t.shipped_at, t.receipts, t.lost, None, t.written_off_at, t.product) for t in transfers]
    with valued(agreed, [(-1, product, 300, 2) for product in PRODUCTS], method, standard=2) as connection:
        [(on_hand, in_transit, _, given_up)] = connection.execute(SUMS).fetchall()
        under_way = sum(max(t.shipped - t.received - t.lost, 0) for t in agreed)
        assert (in_transit, given_up) == (2 * under_way, -2 * sum(t.given_up for t in agreed))
        assert on_hand == 2 * (8 * 300 - sum(t.given_up for t in agreed) - under_way)
        shown = connection.execute("SELECT SUM(reporting_value_amount), SUM(in_transit_units) FROM serve.stock_in_transit").fetchall()
        assert shown == [(Decimal(2 * under_way), Decimal(under_way)) if under_way else (None, None)]
