"""The check of what explains the counts against the answer key: each part of each count, asked in SQL of what is published."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from systock.simulator.answer_key import AnswerKey
from systock.simulator.comparison import Figure, Group

Rows = Callable[[str], list[tuple[Any, ...]]]
_PARTS = {
    "book at counts": "book_units",
    "variance seen at counts": "variance_at_count_units",
    "of it: late postings": "late_posting_units",
    "of it: in transit": "in_transit_units",
    "of it: unit errors": "unit_error_units",
    "of it: unposted returns": "unposted_return_units",
    "of it: unexplained": "unexplained_units",
}


def compare_counts(key: AnswerKey, known_at: str, rows: Rows) -> Iterable[Group]:
    """Every count at one of the key's knowledge times, part by part."""
    told = {row.count_id: row for row in key.counts if row.known_at == known_at}
    names = list(_PARTS.values())
    found = {row[0]: dict(zip(names, row[1:], strict=True)) for row in rows(
        f"SELECT count_id, {', '.join(names)} FROM gold.fact_stock_count WHERE source_name = 'counts'"
    )}  # fmt: skip
    for title, name in _PARTS.items():
        figures = (
            # a count that one side does not have differs from one without a book
            Figure(
                count_id,
                getattr(told[count_id], name) if count_id in told else "no such count",
                found[count_id][name] if count_id in found else "no such count",
                "units" if count_id in told and count_id in found else None,
            )
            for count_id in sorted(told.keys() | found.keys())
        )
        yield Group(title, "counts", tuple(figures))
