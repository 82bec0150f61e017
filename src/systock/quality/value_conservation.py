"""Conservation of value: postings add up to what each stock is worth, and goods that all arrived leave nothing in transit.

So value on hand and in transit together changes only by what comes from outside. Where books were ever closed, they have every posting as it
stands, so that what is posted and what is restated have one sum. At a run only the cost groups that it touched are
checked, at `systock check` all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from systock.data_warehouse.compiled import FOREVER, changed
from systock.data_warehouse.engine.base import Engine
from systock.data_warehouse.refresh import Change, has_rows
from systock.quality.contract_checks import CheckResult

_TABLE = "gold.stock_cost"

# A stock has a value from its first known balance on: what was posted before is not in it.
_STOCKS = """
    SELECT product_durable_key, location_durable_key, stock_status,
        SUM(COALESCE(cost_amount, 0)) AS posted_amount,
        arg_max(value_after_amount, (occurred_at, entry_order, ledger_entry_key, posting_no)) AS value_amount
    FROM {postings}
    WHERE posting_kind <> 'transit_loss' AND value_after_amount IS NOT NULL
    GROUP BY product_durable_key, location_durable_key, stock_status
    HAVING posted_amount <> value_amount"""

# In transit is what transfers took from places and neither brought to others nor gave up.
_TRANSITS = """
    SELECT posting.product_durable_key, posting.transfer_id,
        SUM(CASE WHEN posting.posting_kind = 'transfer' THEN -posting.cost_amount ELSE posting.cost_amount END) AS in_transit_amount
    FROM {postings} AS posting
    LEFT JOIN gold.stock_ledger AS entry ON entry.ledger_entry_key = posting.ledger_entry_key
    LEFT JOIN gold.fact_transfer_line AS line ON line.transfer_line_key = posting.ledger_entry_key
    WHERE posting.posting_kind IN ('transfer', 'transit_loss')
    GROUP BY posting.product_durable_key, posting.transfer_id
    HAVING in_transit_amount <> 0 AND SUM(CASE
        WHEN posting.posting_no > 0 THEN 0 WHEN posting.posting_kind = 'transfer' THEN -entry.quantity_units
        ELSE line.surplus_units - line.lost_units END) = 0"""

# Changes of versions are what is booked: the last of them all is what stands.
_BOOKS = """
    SELECT ledger_entry_key, posting_no
    FROM (
        SELECT ledger_entry_key, posting_no, business_date, currency_code, cost_amount FROM gold.stock_cost WHERE cost_amount <> 0{touched}
        UNION ALL
        SELECT ledger_entry_key, posting_no, business_date, currency_code, cost_amount FROM gold.stock_cost__versions
        WHERE known_to_at = {forever}{touched}
    )
    GROUP BY ledger_entry_key, posting_no, business_date, currency_code, cost_amount
    HAVING count(*) <> 2"""


def conserves_value(engine: Engine, changes: Mapping[str, Change] | None) -> Iterator[CheckResult]:
    """Check the postings of the cost groups that a run changed; all of them where `changes` is None or the table was built whole."""
    change = Change(everything=True) if changes is None else changes.get(_TABLE)
    if change is None:
        return
    touched = "" if change.everything else f" WHERE cost_group IN (SELECT cost_group FROM {changed(_TABLE)})"
    postings = f"(SELECT * FROM {_TABLE}{touched})"
    for check, sql, told in (
        ("the postings of a stock add up to its value", _STOCKS, "{0} at {1} ({2}): {3} posted, {4} of value"),
        (
            "goods that all arrived or were given up leave nothing in transit",
            _TRANSITS,
            "{0} of transfer {1}: {2} is left",
        ),
    ):
        broken = engine.rows(f"{sql.format(postings=postings)} ORDER BY ALL")
        detail = f"{len(broken)} differ; first product {told.format(*broken[0])}" if broken else ""
        yield CheckResult(check, _TABLE, not broken, detail)


def books_are_whole(engine: Engine, changes: Mapping[str, Change] | None) -> Iterator[CheckResult]:
    """Check of the entries that a run changed, where books were ever closed, that the books have them as they stand; all as above."""
    change = Change(everything=True) if changes is None else changes.get(_TABLE)
    if change is None or not has_rows(engine, "silver.period_close__versions"):
        return
    touched = "" if change.everything else f" AND ledger_entry_key IN (SELECT ledger_entry_key FROM {changed(_TABLE)})"
    broken = engine.rows(f"{_BOOKS.format(touched=touched, forever=FOREVER)} ORDER BY ALL")
    detail = f"{len(broken)} differ; first posting {broken[0][1]} of entry {broken[0][0]}" if broken else ""
    yield CheckResult("the books have every posting as it stands", f"{_TABLE}__versions", not broken, detail)
