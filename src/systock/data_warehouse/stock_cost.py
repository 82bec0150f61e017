"""The value of stock: ledger entries in, what each is worth out, as Arrow batches in whole numbers.

The rules. Each product × place × status is a pool with an average of its own, or FIFO layers of its own. (Alternative: one average over
the company, as SAP's valuation area and Odoo have it; then a cheap receipt in one town changes the margin of another.)

*Known and unknown.* A pool has a value from its first known balance on; that entry starts it at the pool's cost. Without known balance
entries are still costed. Where no cost is known: the product's standard cost at that instant, else the last cost stated for the product
anywhere, else no cost and no value (NULL) until one is; the first then values what is there, by a revaluation. As long as no
document has stated a cost for a product, it stands at standard cost: a new standard revalues each pool at its next entry, late costs
are variances.

*Moving average* (average = (value + receipt value) / (quantity + receipt quantity); Weygandt, Kimmel, Kieso, Financial Accounting,
"perpetual average-cost"). The average is kept as a fraction, so issues keep it exactly and the last unit takes the last cent. While the
balance is not positive the last cost holds; a receipt that turns it positive sets its own cost, the difference is a revaluation.

*FIFO.* Issues take the oldest layer, by the day on which its goods first came in. A shortage is costed at the last known cost, and the
next goods with a cost settle it: the difference is a revaluation. What comes in without one is at the last known cost, on a
shortage at what that was costed at.

*Movements.* What comes in with a stated cost comes in at it; other entries move at the pool's cost: sales, returns to the supplier
(alternative: at the supplier's credit, the difference a variance), write-offs, adjustments, the variance of a count. A customer's
return comes in at the pool's cost; by FIFO at that of its sale, where `original_entry_key` names one.

*Transfers* carry what their goods cost from place to transit to place, per `transfer_id` and product, in the order of shipment; those
without id share one transit per product. Goods received before their shipment cost what that would cost at this moment; what is
received and never shipped costs what the receipt states, else per unit what the last shipment did when it left, be its goods under way,
received or lost, in one document or in several, else the receiver's cost. (Alternative: as the goods that come with it; then the cost
hangs on how the receipts are split.) It stays a negative stock in transit, until it is shipped (the true cost is then posted to the
receiver as a late cost) or struck off by a positive `transfer_loss`. A negative one is goods that will not arrive: they leave the
transit at their cost. Losses post to no place.

*Production.* All that the production_out entries of a `document_id` (within the cost group) cost, now for those still to come, goes to
its production_in entries by quantity; what the components then cost otherwise follows as a late cost.

*Late costs.* A revaluation with a `value_amount` adds it to the receipts of its document and product: those at its place, else at
others; without such to all that is there. Only the part of goods that are still there is put on them, the rest is a variance: cost
of goods sold that came late. By moving average that part is min(balance, quantity received) / quantity received, at the place of the
receipt ("stock coverage": SAP Library, Material with MAP without stock coverage); by FIFO it is the layers themselves, wherever
transfers took them. Value never falls below zero by it. A revaluation with a unit cost instead puts all that is there at that cost.

*Conservation*, exact, for pools with a known balance and cost:
    value of a pool = sum of its postings = value_after_amount of its last posting;
    value in transit = - sum of `transfer` + sum of `transit_loss`;
    change of value on hand + in transit = sum of all postings but `transfer`.
A transfer whose losses are posted and whose units are all received sums to 0; so does the production of a document whose components
all have a cost.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.compute as pc

from systock.data_warehouse.cost_chunk import Before, Chunk, CostMethod
from systock.data_warehouse.cost_columns import INPUT_COLUMNS, PLACE_COLUMNS, decimals
from systock.data_warehouse.cost_pools import FifoPool
from systock.data_warehouse.cost_state import State
from systock.errors import IntegrityError

#: So many entries, and the rest of the last cost group, are valued in one go.
ROWS_AT_ONCE = 50_000


def cost_postings(
    batches: Iterable[pa.RecordBatch],
    method: CostMethod,
    before: Before | None = None,
    keep: Callable[[State], None] | None = None,
) -> Iterator[pa.RecordBatch]:
    """What each ledger entry is worth: OUTPUT_COLUMNS for INPUT_COLUMNS, a few whole cost groups at a time.

    before: the entries are those of each group from the instant of its state on. keep: takes states to go on from another time.
    """
    for table in _whole_groups(batches):
        with _collector_paused():
            chunk = Chunk(table, method, before)
            if keep is not None:
                for state in chunk.states():
                    keep(state)
            posted = list(chunk.posted())
        yield from posted


@contextmanager
def _collector_paused() -> Iterator[None]:
    """A replay makes objects by the million, all in use: looking through them for garbage took a third of its time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def layers_on_hand(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The FIFO layers left after all entries: where, how many units at which amount, and the entry that first brought them in.

    Input as for cost_postings; a layer's age is the distance from layer_at. A transfer carries its layers' dates, what a count
    found is dated at the count.
    """
    for table in _whole_groups(batches):
        replay = Chunk(table, "fifo").replay
        replay.run(table.num_rows)
        layers = [
            (pool.row, layer) for pool in replay.pools.values() if isinstance(pool, FifoPool) for layer in pool.layers
        ]
        places = pa.array([row for row, _ in layers], pa.int64())
        origins = pa.array([layer.origin for _, layer in layers], pa.int64())
        columns = {name: table.column(name).take(places) for name in PLACE_COLUMNS}
        columns["origin_entry_key"] = table.column("ledger_entry_key").take(origins)
        columns["layer_at"] = table.column("occurred_at").take(origins)
        columns["layer_units"] = decimals([layer.units for _, layer in layers], 3)
        columns["layer_amount"] = decimals([layer.amount for _, layer in layers], 4)
        yield from pa.table(columns).combine_chunks().to_batches()


def _whole_groups(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """The batches put together anew, so that no cost group is cut; checked for order."""
    waiting: list[pa.RecordBatch] = []
    last: int | None = None
    for batch in batches:
        waiting.append(batch.select(INPUT_COLUMNS))
        if sum(part.num_rows for part in waiting) < ROWS_AT_ONCE:
            continue
        table = pa.Table.from_batches(waiting)
        group = table.column("cost_group")
        whole = pc.index(group, group[-1]).as_py()
        if whole:
            last = _check_order(table.slice(0, whole), last)
            yield table.slice(0, whole).combine_chunks()
        waiting = table.slice(whole).to_batches()
    if waiting and (rest := pa.Table.from_batches(waiting)).num_rows:
        _check_order(rest, last)
        yield rest.combine_chunks()


def _check_order(table: pa.Table, last_group: int | None) -> int:
    """Refuse entries out of order; the last cost group."""
    group, at = table.column("cost_group").combine_chunks(), table.column("occurred_at").combine_chunks()
    again = pc.and_(pc.equal(group[1:], group[:-1]), pc.less(at[1:], at[:-1]))
    wrong = pc.any(pc.or_(pc.less(group[1:], group[:-1]), again)).as_py()
    if wrong or (last_group is not None and group[0].as_py() <= last_group):
        raise IntegrityError(
            "ledger entries are not in the order in which they are valued",
            where="the valuation of stock",
            state="Nothing of them was valued.",
            todo="Order them by cost_group, occurred_at, entry_order, ledger_entry_key.",
        )
    last: int = group[-1].as_py()
    return last
