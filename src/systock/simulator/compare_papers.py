"""The check of the offices' documents against the answer key: facts and questions, asked in SQL of what is published."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from systock.simulator.answer_key import AnswerKey
from systock.simulator.comparison import Figure, Group, Value
from systock.simulator.paper_figures import ROWS

Rows = Callable[[str], list[tuple[Any, ...]]]


@dataclass(frozen=True)
class _Kind:
    """One list of the key; sql: its columns (without known_at), the first `keys` of them saying what a row is of."""

    name: str
    of: str
    attribute: str
    keys: int
    sql: str
    summed: str  # the figure that is summed up for show
    unit: str


_KINDS = (
    _Kind(
        "purchase orders", "figures of suppliers", "purchases", 1,
        """SELECT supplier_id, order_lines, due_lines, due_units, filled_units, fill_ratio, on_time_in_full_lines,
            on_time_in_full_ratio, received_lines, mean_lead_time_days, lead_time_deviation_days, received_units, rejected_units,
            on_order_units
        FROM serve.supplier_performance JOIN (
            SELECT supplier_id, SUM(received_units) AS received_units, SUM(rejected_units) AS rejected_units,
                SUM(on_order_units) AS on_order_units
            FROM gold.fact_purchase_order_line WHERE NOT is_cancelled GROUP BY supplier_id
        ) AS line USING (supplier_id)""",
        "order_lines", "lines",
    ),
    _Kind(
        "transfers", "figures of routes", "transfers", 2,
        """SELECT from_location_id, to_location_id, COUNT(*), SUM(shipped_units), SUM(received_units), SUM(lost_units),
            (SELECT COALESCE(SUM(way.in_transit_units), 0) FROM serve.stock_in_transit AS way
             WHERE way.from_location_id = line.from_location_id AND way.to_location_id = line.to_location_id)
        FROM gold.fact_transfer_line AS line GROUP BY from_location_id, to_location_id""",
        "in_transit_units", "units in transit",
    ),
    _Kind(
        "web orders", "figures of places", "web_orders", 1,
        """SELECT location_id, COUNT(*), SUM(ordered_units), SUM(shipped_units), SUM(cancelled_units), SUM(open_units),
            SUM(reserved_units)
        FROM gold.fact_order_line GROUP BY location_id""",
        "open_units", "units open",
    ),
    _Kind(
        "store days", "figures of store-days", "store_days", 2,
        """SELECT location_id, business_date, visitors, labour_hours, open_hours, reporting_target_amount
        FROM gold.fact_store_day WHERE visitors IS NOT NULL""",
        "visitors", "visitors",
    ),
    _Kind(
        "payments", "figures of store-days", "payments", 3,
        """SELECT location_id, business_date, tender_method, COUNT(*), SUM(amount), SUM(reporting_amount)
        FROM gold.fact_tender GROUP BY location_id, business_date, tender_method""",
        "amount_eur", "EUR",
    ),
    _Kind(
        "payments held back", "payments", "held_payments", 2,
        """SELECT split_part(natural_key, ' / ', 1), split_part(natural_key, ' / ', 2), reason
        FROM gold.unconverted_document_line""",
        "", "",
    ),
)  # fmt: skip


def compare_papers(key: AnswerKey, known_at: str, rows: Rows) -> Iterable[Group]:
    """Every figure of every list at one of the key's knowledge times."""
    for kind in _KINDS:
        names = [field.name for field in fields(ROWS[kind.attribute])][1:]
        told = [row for row in getattr(key, kind.attribute) if row.known_at == known_at]
        expected = _figures(([getattr(row, name) for name in names] for row in told), names, kind.keys)
        found = _figures(rows(kind.sql), names, kind.keys)
        figures = (
            Figure(" ".join(one), expected.get(one), found.get(one), kind.unit if one[-1] == kind.summed else None)
            for one in sorted(expected.keys() | found.keys())
        )
        yield Group(kind.name, kind.of, tuple(figures))


def _figures(rows: Iterable[Sequence[Any]], names: Sequence[str], keys: int) -> dict[tuple[str, ...], Value]:
    """What a row is of, and the name of a figure in it -> the figure."""
    return {
        (*map(str, row[:keys]), name): value
        for row in rows
        for name, value in zip(names[keys:], row[keys:], strict=True)
    }
