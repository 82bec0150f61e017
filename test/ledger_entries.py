"""Ledger entries for tests of the cost kernel: written briefly, balanced and put in order, valued, and read back per posting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pyarrow as pa

from systock.data_warehouse.cost_chunk import CostMethod
from systock.data_warehouse.stock_cost import cost_postings, layers_on_hand

START = datetime(2024, 1, 1, tzinfo=UTC)
ORDER = {
    "opening": 10, "receipt": 20, "transfer_in": 30, "production_in": 40, "customer_return": 50, "supplier_return": 60,
    "transfer_out": 70, "production_out": 80, "sale": 90, "write_off": 100, "adjustment": 110, "revaluation": 120,
    "transfer_loss": 130, "count": 1000,
}  # fmt: skip
Number = str | int | Decimal


@dataclass(frozen=True)
class Entry:
    """A movement (units, signed) or a count (units = what was counted) at an hour."""

    hour: int
    kind: str
    units: Number = 0
    cost: Number | None = None
    place: str = "store"
    product: str = "P"
    status: str = "sellable"
    standard: Number | None = None
    amount: Number | None = None
    gives_back: str | None = None
    transfer: str | None = None
    document: str | None = None
    group: int = 1


@dataclass(frozen=True)
class Balanced:
    """An entry with its key and the balance after it."""

    key: str
    entry: Entry
    after: Decimal | None


def balanced(entries: Sequence[Entry], zero_start: bool = True) -> list[Balanced]:
    """The entries in ledger order, named e0, e1, ... as written, with balances: movements add, a count or an opening starts."""
    balances: dict[tuple[str, str, str], Decimal] = {}
    found = []
    numbered = sorted(enumerate(entries), key=lambda pair: (pair[1].group, pair[1].hour, ORDER[pair[1].kind], pair[0]))
    for number, entry in numbered:
        pool, units = (entry.product, entry.place, entry.status), Decimal(entry.units)
        before = balances.get(pool, Decimal(0) if zero_start else None)
        after: Decimal | None = None
        if entry.kind != "transfer_loss":
            if entry.kind == "count" or (entry.kind == "opening" and before is None):
                after = units
            elif before is not None:
                after = before + units
            if after is not None:
                balances[pool] = after
        found.append(Balanced(f"e{number}", entry, after))
    return found


def decimals(values: Sequence[Number | None], scale: int) -> pa.Array:
    return pa.array([None if value is None else Decimal(value) for value in values], pa.decimal128(18, scale))


def batch(rows: Sequence[Balanced]) -> pa.RecordBatch:
    """The rows as the kernel reads them."""
    entries = [row.entry for row in rows]
    columns = {
        "ledger_entry_key": pa.array([row.key for row in rows], pa.string()),
        "cost_group": pa.array([entry.group for entry in entries], pa.int64()),
        "product_durable_key": pa.array([entry.product for entry in entries], pa.string()),
        "location_durable_key": pa.array([entry.place for entry in entries], pa.string()),
        "stock_status": pa.array([entry.status for entry in entries], pa.string()),
        "occurred_at": pa.array([START + timedelta(hours=entry.hour) for entry in entries], pa.timestamp("us", "UTC")),
        "movement_kind": pa.array([None if entry.kind == "count" else entry.kind for entry in entries], pa.string()),
        "quantity_units": decimals([0 if entry.kind == "count" else entry.units for entry in entries], 3),
        "balance_after_units": decimals([row.after for row in rows], 3),
        "unit_cost_amount": decimals([entry.cost for entry in entries], 6),
        "standard_cost_amount": decimals([entry.standard for entry in entries], 6),
        "value_amount": decimals([entry.amount for entry in entries], 4),
        "original_entry_key": pa.array([entry.gives_back for entry in entries], pa.string()),
        "transfer_id": pa.array([entry.transfer for entry in entries], pa.string()),
        "document_id": pa.array([entry.document for entry in entries], pa.string()),
    }
    return pa.record_batch(columns)


def postings(entries: Sequence[Entry], method: CostMethod, zero_start: bool = True) -> list[dict]:
    """All postings, in the order of their entries and numbers."""
    rows = balanced(entries, zero_start)
    place = {row.key: number for number, row in enumerate(rows)}
    found = [row for part in cost_postings([batch(rows)], method) for row in part.to_pylist()]
    return sorted(found, key=lambda row: (place[row["ledger_entry_key"]], row["posting_no"]))


def layers(entries: Sequence[Entry], zero_start: bool = True) -> list[dict]:
    """The FIFO layers left."""
    return [row for part in layers_on_hand([batch(balanced(entries, zero_start))]) for row in part.to_pylist()]
