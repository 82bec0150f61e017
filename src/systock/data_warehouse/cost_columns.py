"""The columns that the cost kernel reads and makes, and Arrow values as whole numbers in lists and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from systock.errors import IntegrityError

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


class Codes:
    """Small whole numbers for equal values, over several columns of one type; NULL has none."""

    def __init__(self, *columns: pa.Array) -> None:
        encoded = pa.concat_arrays(columns).dictionary_encode()
        self.values: list[Any] = encoded.dictionary.to_pylist()
        self.numbers: pa.Array = encoded.indices.cast(pa.int64())


def whole(column: pa.Array, scale: int) -> pa.Array:
    """Decimals as whole numbers of their last place."""
    decimals_ = column.cast(pa.decimal128(18, scale))
    numbers = pa.Array.from_buffers(
        pa.decimal128(18, 0), len(decimals_), decimals_.buffers(), decimals_.null_count, decimals_.offset
    )
    return numbers.cast(pa.int64())


def values(column: pa.Array) -> list[Any]:
    """An int64 column as a list, read from its memory: many times as fast as to_pylist."""
    if column.null_count == len(column):
        return [None] * len(column)
    found: list[Any] = memoryview(column.buffers()[1]).cast("q")[column.offset :][: len(column)].tolist()
    if column.null_count:
        for place in memoryview(pc.indices_nonzero(column.is_null()).buffers()[1]).cast("Q")[: column.null_count]:
            found[place] = None
    return found


def decimals(numbers: Sequence[int | None], scale: int) -> pa.Array:
    """Whole numbers of the last place as numeric(18, scale)."""
    try:
        narrow = pa.array(numbers, pa.int64())
        bounds = pc.min_max(narrow).as_py()
        if bounds["max"] is not None and max(-bounds["min"], bounds["max"]) >= 10**18:
            raise OverflowError
    except OverflowError as error:
        raise IntegrityError(
            f"a stock value does not fit numeric(18, {scale})",
            where="the valuation of stock",
            state="Nothing of this run was published.",
            todo="Look for a movement with an impossible quantity or cost, and correct it in its source.",
        ) from error
    wide = narrow.cast(pa.decimal128(19, 0))
    return pa.Array.from_buffers(pa.decimal128(18, scale), len(wide), wide.buffers(), wide.null_count, wide.offset)
