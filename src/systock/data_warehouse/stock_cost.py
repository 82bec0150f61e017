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
received and never shipped costs what the receipt states, else as what was shipped, else the receiver's cost. It stays a negative
stock in transit, until it is shipped (the true cost is then posted to the receiver as a late cost) or struck off by a positive
`transfer_loss`. A negative one is goods that will not arrive: they leave the transit at their cost. Losses post to no place.

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

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from systock.data_warehouse.cost_pools import AveragePool, FifoPool
from systock.data_warehouse.cost_replay import (
    KINDS,
    PLAIN,
    TRANSFER,
    TRANSFER_IN,
    TRANSFER_LOSS,
    TRANSFER_OUT,
    Costs,
    Entries,
    Replay,
)
from systock.errors import IntegrityError

CostMethod = Literal["moving_average", "fifo"]

# What the kernel reads, ordered by cost_group, occurred_at, entry_order, ledger_entry_key. All amounts of a cost group are in one
# currency. Keys may be of any type; they are passed on as they are.
INPUT_COLUMNS = (
    "ledger_entry_key",
    "cost_group",  # the product, or all products that kits connect: an integer; a product is in one
    "product_durable_key",
    "location_durable_key",
    "stock_status",
    "occurred_at",
    "movement_kind",  # NULL for counts; transfer_loss = goods of a transfer that will not arrive
    "quantity_units",
    "balance_after_units",  # NULL = not known
    "unit_cost_amount",  # as the document states it
    "standard_cost_amount",  # of the product's version at occurred_at
    "value_amount",  # what a revaluation adds
    "original_entry_key",  # the sale that a return gives back
    "transfer_id",
    "document_id",
)

# Postings: per entry one with posting_no 0, then what else it caused, at its own place or another's.
#   entry         what the entry itself moves
#   transfer      the same between a place and the transit; with posting_no > 0 a true cost that follows goods in or out of it
#   transit_loss  goods in transit that will not arrive: in no place
#   settlement    a true cost that follows goods already produced or moved on
#   revaluation   a change of cost of what is there
#   variance      a late cost of goods that are gone
# unit_cost_after_amount and value_after_amount are those of the posting's pool after all postings of the entry.
PLACE_COLUMNS = ("product_durable_key", "location_durable_key", "stock_status")
OUTPUT_COLUMNS = (
    "ledger_entry_key",
    "posting_no",
    "posting_kind",
    "cost_group",
    *PLACE_COLUMNS,
    "occurred_at",
    "transfer_id",
    "cost_amount",
    "unit_cost_after_amount",
    "value_after_amount",
)

# posting_kind of an entry's own posting, by the code of its kind
_OWN_KINDS = ["entry"] * (PLAIN + 1)
_OWN_KINDS[TRANSFER_OUT] = _OWN_KINDS[TRANSFER_IN] = TRANSFER
_OWN_KINDS[TRANSFER_LOSS] = "transit_loss"

_ROWS_AT_ONCE = 50_000


def cost_postings(batches: Iterable[pa.RecordBatch], method: CostMethod) -> Iterator[pa.RecordBatch]:
    """What each ledger entry is worth: OUTPUT_COLUMNS for INPUT_COLUMNS, a few whole cost groups at a time."""
    for table in _whole_groups(batches):
        replay = _replay(table, method)
        yield from _posted(table, replay.run(), replay.entries.kind)


def layers_on_hand(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The FIFO layers left after all entries: where, how many units at which amount, and the entry that first brought them in.

    Input as for cost_postings; a layer's age is the distance from layer_at. A transfer carries its layers' dates, what a count
    found is dated at the count.
    """
    for table in _whole_groups(batches):
        replay = _replay(table, "fifo")
        replay.run()
        layers = [
            (pool.row, layer) for pool in replay.pools.values() if isinstance(pool, FifoPool) for layer in pool.layers
        ]
        places = pa.array([row for row, _ in layers], pa.int64())
        origins = pa.array([layer.origin for _, layer in layers], pa.int64())
        columns = {name: table.column(name).take(places) for name in PLACE_COLUMNS}
        columns["origin_entry_key"] = table.column("ledger_entry_key").take(origins)
        columns["layer_at"] = table.column("occurred_at").take(origins)
        columns["layer_units"] = _decimals([layer.units for _, layer in layers], 3)
        columns["layer_amount"] = _decimals([layer.amount for _, layer in layers], 4)
        yield from pa.table(columns).combine_chunks().to_batches()


def _whole_groups(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """The batches put together anew, so that no cost group is cut; checked for order."""
    waiting: list[pa.RecordBatch] = []
    last: int | None = None
    for batch in batches:
        waiting.append(batch.select(INPUT_COLUMNS))
        if sum(part.num_rows for part in waiting) < _ROWS_AT_ONCE:
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


def _replay(table: pa.Table, method: CostMethod) -> Replay:
    column = {name: table.column(name).combine_chunks() for name in INPUT_COLUMNS}
    kinds = pc.fill_null(pc.index_in(column["movement_kind"], value_set=pa.array(KINDS)), PLAIN)
    product = _codes(column["product_durable_key"])
    place, status = _codes(column["location_durable_key"]), _codes(column["stock_status"])
    places, statuses = (pc.add(pc.max(code), 1) for code in (place, status))
    original = column["original_entry_key"]
    follows_goods = method == "fifo"
    entries = Entries(
        kind=_values(kinds.cast(pa.int64())),
        group=_values(_codes(column["cost_group"])),
        product=_values(product),
        pool=_values(pc.add(pc.multiply(pc.add(pc.multiply(product, places), place), statuses), status)),
        units=_values(_whole(column["quantity_units"], 3)),
        after=_values(_whole(column["balance_after_units"], 3)),
        unit_cost=_values(_whole(column["unit_cost_amount"], 6)),
        standard_cost=_values(_whole(column["standard_cost_amount"], 6)),
        amount=_values(_whole(column["value_amount"], 4)),
        original=(
            _values(pc.index_in(original, value_set=column["ledger_entry_key"]).cast(pa.int64()))
            if follows_goods and original.null_count < len(original)
            else [None] * len(original)
        ),
        transfer=_values(_codes(column["transfer_id"])),
        document=_values(_codes(column["document_id"])),
    )
    return Replay(entries, FifoPool if follows_goods else AveragePool, follows_goods=follows_goods)


def _posted(table: pa.Table, costs: Costs, kinds: list[int]) -> Iterator[pa.RecordBatch]:
    """The postings as batches: those of the entries themselves, then the further ones."""
    further = costs.further
    numbers = [1] if further else []
    for before, posting in pairwise(further):
        numbers.append(numbers[-1] + 1 if before.row == posting.row else 1)
    rows = pa.array([posting.row for posting in further], pa.int64())
    places = pa.array([posting.pool.row for posting in further], pa.int64())
    transits = pa.array([posting.transfer_row for posting in further], pa.int64())
    own = {
        "posting_no": pa.repeat(pa.scalar(0, pa.int32()), table.num_rows),
        "posting_kind": pa.array(_OWN_KINDS).take(pa.array(kinds, pa.int64())),
        "transfer_id": table.column("transfer_id"),
        "cost_amount": _decimals(costs.amount, 4),
        "unit_cost_after_amount": _decimals(costs.unit_cost, 6),
        "value_after_amount": _decimals(costs.value, 4),
    }
    more = {
        "posting_no": pa.array(numbers, pa.int32()),
        "posting_kind": pa.array([posting.kind for posting in further], pa.string()),
        "transfer_id": table.column("transfer_id").take(transits),
        "cost_amount": _decimals([posting.amount for posting in further], 4),
        "unit_cost_after_amount": _decimals([posting.unit_cost for posting in further], 6),
        "value_after_amount": _decimals([posting.value for posting in further], 4),
    }
    for name in ("ledger_entry_key", "cost_group", "occurred_at"):
        own[name], more[name] = table.column(name), table.column(name).take(rows)
    for name in PLACE_COLUMNS:
        own[name], more[name] = table.column(name), table.column(name).take(places)
    for columns in (own, more):
        yield from pa.table({name: columns[name] for name in OUTPUT_COLUMNS}).to_batches()


def _codes(column: pa.Array) -> pa.Array:
    """Small whole numbers for equal values; NULL stays NULL."""
    return column.dictionary_encode().indices.cast(pa.int64())


def _whole(column: pa.Array, scale: int) -> pa.Array:
    """Decimals as whole numbers of their last place."""
    decimals = column.cast(pa.decimal128(18, scale))
    whole = pa.Array.from_buffers(
        pa.decimal128(18, 0), len(decimals), decimals.buffers(), decimals.null_count, decimals.offset
    )
    return whole.cast(pa.int64())


def _values(column: pa.Array) -> list[Any]:
    """An int64 column as a list, read from its memory: many times as fast as to_pylist."""
    if column.null_count == len(column):
        return [None] * len(column)
    values: list[Any] = memoryview(column.buffers()[1]).cast("q")[column.offset :][: len(column)].tolist()
    if column.null_count:
        for place in memoryview(pc.indices_nonzero(column.is_null()).buffers()[1]).cast("Q")[: column.null_count]:
            values[place] = None
    return values


def _decimals(values: Sequence[int | None], scale: int) -> pa.Array:
    """Whole numbers of the last place as numeric(18, scale)."""
    try:
        whole = pa.array(values, pa.int64())
        bounds = pc.min_max(whole).as_py()
        if bounds["max"] is not None and max(-bounds["min"], bounds["max"]) >= 10**18:
            raise OverflowError
    except OverflowError as error:
        raise IntegrityError(
            f"a stock value does not fit numeric(18, {scale})",
            where="the valuation of stock",
            state="Nothing of this run was published.",
            todo="Look for a movement with an impossible quantity or cost, and correct it in its source.",
        ) from error
    wide = whole.cast(pa.decimal128(19, 0))
    return pa.Array.from_buffers(pa.decimal128(18, scale), len(wide), wide.buffers(), wide.null_count, wide.offset)
