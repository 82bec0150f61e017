"""Conservation of value: postings add up to what each stock is worth, and goods that all arrived leave nothing in transit.

So value on hand and in transit together changes only by what comes from outside. At a run only the cost groups that it touched are
checked, at `systock check` all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from systock.data_warehouse.compiled import changed
from systock.data_warehouse.engine.base import Engine
from systock.data_warehouse.refresh import Change
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
