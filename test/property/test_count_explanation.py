"""What explains a variance: the parts against a plain replay of random documents, a product each, that shares no code with the tables."""

# fmt: off
from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from sql.case_runner import computed_tables, create

GIVEN = {f"gold.{name}" for name in ("stock_entry", "fact_transfer_line", "fact_sale_line")}
AT = "TIMESTAMPTZ '2024-05-01 00:00:00+00' + INTERVAL '{} hours'"


@dataclass(frozen=True)
class Move:
    hour: int
    units: int  # in the stated unit
    factor: int
    entered_late: int | None
    kind: str  # adjustment, transfer_in of T, customer_return, or a sale
    @property
    def moved(self) -> int:
        return self.units * self.factor


@dataclass(frozen=True)
class Paper:
    shipped: int
    received: int
    lost: int
    shipped_at: int
    received_at: int | None


@dataclass(frozen=True)
class World:
    """All that is known of one product at one place; its stock starts at zero."""

    moves: list[Move]
    counts: dict[int, tuple[int, int]]  # hour: units, factor
    papers: list[Paper]
    back: list[tuple[int, int]] = field(default_factory=list)  # hour and units of goods brought back
    units: tuple[int, ...] = ()  # factors of the product's units beside the base unit

    def explained(self) -> dict[int, tuple[int, ...]]:
        """Hour of each count → its parts, in their order."""
        found, before, balance = {}, None, 0
        for hour, (counted, factor) in sorted(self.counts.items()):
            span = [move for move in self.moves if (before is None or move.hour > before) and move.hour <= hour]
            if before is not None or span:
                late = sum(m.moved for m in span if m.entered_late is not None and m.entered_late > hour)
                left = counted * factor - balance - sum(move.moved for move in span)
                coming = self._coming(hour, left)
                left -= coming
                others = {1, *self.units} if self.units else set()
                readings = [counted * factor - counted * other for other in others]
                readings += [m.units * other - m.moved for m in span for other in others if m.kind != "sale"]
                misread = left if left != 0 and left in readings else 0
                left -= misread
                returned = sum(units for at, units in self.back if (before is None or at > before) and at <= hour)
                returned -= sum(move.moved for move in span if move.kind == "customer_return")
                returned = min(max(returned, 0), left) if left > 0 else 0
                found[hour] = (late, coming, misread, returned, left - returned)
            before, balance = hour, counted * factor
        return found

    def _coming(self, hour: int, variance: int) -> int:
        under_way = arrived = 0
        for paper in self.papers:
            if paper.shipped_at <= hour and paper.received_at is None:
                under_way += max(paper.shipped - paper.received - paper.lost, 0)
                arrived += paper.received
            elif paper.shipped_at <= hour and paper.received_at is not None and paper.received_at > hour:
                under_way += paper.shipped
        booked = sum(move.moved for move in self.moves if move.kind == "transfer_in" and move.hour <= hour)
        ahead = min(max(booked - arrived, 0), under_way)
        return min(variance, under_way - ahead) if variance > 0 else -min(-variance, ahead)


HOURS = st.integers(0, 12)
MOVES = st.builds(Move, HOURS, st.integers(-4, 6), st.sampled_from([1, 1, 6]), st.none() | st.integers(0, 14),
                  st.sampled_from(["adjustment", "transfer_in", "customer_return", "sale"]))
WORLDS = st.lists(st.builds(
    World, st.lists(MOVES, max_size=5), st.dictionaries(HOURS, st.tuples(st.integers(0, 9), st.sampled_from([1, 1, 6])), min_size=1, max_size=3),
    st.lists(st.builds(Paper, st.integers(1, 6), st.integers(0, 4), st.integers(0, 2), HOURS, st.none() | HOURS), max_size=2),
    st.lists(st.tuples(HOURS, st.integers(1, 5)), max_size=2), st.sampled_from([(), (6,), (6, 12)]),
), min_size=20, max_size=60)


def fill(connection: duckdb.DuckDBPyConnection, worlds: list[World]) -> None:
    for name in sorted(GIVEN):
        create(connection, name)
    connection.execute("INSERT INTO meta.project DEFAULT VALUES")
    connection.execute("INSERT INTO meta.source (source_name, moves_stock, stock_starts) VALUES ('shop', false, 'zero')")
    entries, lines, sales, units = [], [], [], []
    for product, world in enumerate(worlds):
        for n, m in enumerate(world.moves):
            late = "NULL" if m.entered_late is None else AT.format(m.entered_late)
            entries.append(f"(md5('m{product}.{n}'), 'movement', '{'sale_line' if m.kind == 'sale' else 'stock_movement'}', {product}, {AT.format(m.hour)}, {n}, '{m.kind}', {m.moved}, NULL, {m.factor}, {late})")
        for hour, (counted, factor) in world.counts.items():
            entries.append(f"(md5('c{product}.{hour}'), 'count', 'stock_count', {product}, {AT.format(hour)}, 1000, NULL, 0, {counted * factor}, {factor}, NULL)")
        for p in world.papers:
            received_at = "NULL" if p.received_at is None else AT.format(p.received_at)
            lines.append(f"({product}, {AT.format(p.shipped_at)}, {received_at}, {p.shipped}, {p.received}, {max(p.shipped - p.received - p.lost, 0)})")
        sales += [f"({product}, {AT.format(hour)}, {-count})" for hour, count in world.back]
        units += [f"({product}, 'u{factor}', {factor})" for factor in world.units]
    for sql, rows in (
        ("""gold.stock_entry BY NAME SELECT *, 'erp' AS source_name, '1' AS entry_id, 'erp' AS product_source_name, '1' AS location_id, CAST(product_durable_key AS text) AS product_id,
            1 AS location_durable_key, 'sellable' AS stock_status, DATE '2024-05-01' AS business_date, TRUE AS is_stocked, entry_kind = 'movement' AS starts_at_zero,
            CASE WHEN movement_kind = 'transfer_in' THEN 'T' END AS transfer_id FROM (VALUES {}) AS e (ledger_entry_key, entry_kind, entity,
            product_durable_key, occurred_at, entry_order, movement_kind, quantity_units, counted_units, base_units, entered_late_at)""", entries),
        ("""gold.fact_transfer_line BY NAME SELECT *, 'erp' AS source_name, 'T' AS transfer_id, 1 AS to_location_durable_key FROM (VALUES {})
            AS l (product_durable_key, shipped_at, received_at, shipped_units, received_units, in_transit_units)""", lines),
        ("""gold.fact_sale_line BY NAME SELECT *, 'shop' AS source_name, 1 AS location_durable_key, TRUE AS is_counted FROM (VALUES {})
            AS s (product_durable_key, sold_at, quantity_units)""", sales),
        ("silver.product_unit BY NAME SELECT *, 'erp' AS source_name FROM (VALUES {}) AS u (product_id, unit, base_units)", units),
    ):
        if rows:
            connection.execute(f"INSERT INTO {sql.format(', '.join(rows))}")


@settings(max_examples=max(settings.default.max_examples // 8, 3))
@given(worlds=WORLDS)
def test_the_parts_are_those_of_a_plain_replay(worlds: list[World]) -> None:
    expected = {(product, hour): parts for product, world in enumerate(worlds) for hour, parts in world.explained().items()}
    with computed_tables(["gold.stock_count_explanation"], lambda connection: fill(connection, worlds), GIVEN) as connection:
        found = connection.execute("""SELECT span.product_durable_key, CAST(date_diff('hour', TIMESTAMPTZ '2024-05-01 00:00:00+00', span.counted_at) AS integer),
            late_posting_units, in_transit_units, unit_error_units, unposted_return_units, unexplained_units, variance_at_count_units
            FROM gold.stock_count_explanation JOIN gold.stock_count_span AS span USING (ledger_entry_key)""").fetchall()
    assert {(product, hour): tuple(parts) for product, hour, *parts, _ in found} == {place: tuple(map(Decimal, parts)) for place, parts in expected.items()}
    assert all(sum(parts) == variance for _, _, *parts, variance in found)
