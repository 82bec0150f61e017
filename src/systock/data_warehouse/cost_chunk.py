"""A few whole cost groups between Arrow and the replay: entries in, postings and states out."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from systock.data_warehouse.cost_columns import (
    INPUT_COLUMNS,
    OUTPUT_COLUMNS,
    PLACE_COLUMNS,
    Codes,
    decimals,
    values,
    whole,
)
from systock.data_warehouse.cost_pools import AveragePool, FifoPool
from systock.data_warehouse.cost_replay import (
    KINDS,
    PLAIN,
    RECEIPT,
    TRANSFER,
    TRANSFER_IN,
    TRANSFER_LOSS,
    TRANSFER_OUT,
    Entries,
    Posted,
    Receipt,
    Replay,
)
from systock.data_warehouse.cost_state import Names, ReadState, State, kept_instants, state_rows, written

CostMethod = Literal["moving_average", "fifo"]

# posting_kind of an entry's own posting, by the code of its kind
_OWN_KINDS = ["entry"] * (PLAIN + 1)
_OWN_KINDS[TRANSFER_OUT] = _OWN_KINDS[TRANSFER_IN] = TRANSFER
_OWN_KINDS[TRANSFER_LOSS] = "transit_loss"


@dataclass(frozen=True)
class Before:
    """What entries follow. states: by cost group, those of the instants from which on its entries are given.

    entries: earlier receipts and sales that the given ones refer to, and of each transfer that they receive the last shipment, with
    INPUT_COLUMNS and the `cost_amount` they were posted at.
    """

    states: Mapping[int, str]
    entries: pa.Table


class Chunk:
    """Entries of a few whole cost groups, the replay that values them, and what its rows and codes stand for.

    Rows from the number of entries on are earlier entries, then the pools of states: they have a place, and nothing is posted for them.
    """

    def __init__(self, table: pa.Table, method: CostMethod, before: Before | None = None) -> None:
        self._table, self._follows_goods = table, method == "fifo"
        column = {name: table.column(name).combine_chunks() for name in INPUT_COLUMNS}
        groups = Codes(column["cost_group"])
        states = [] if before is None else [
            (code, ReadState(before.states[group])) for code, group in enumerate(groups.values) if group in before.states
        ]  # fmt: skip
        earlier = _earlier(before, table)
        self._state_keys = [key for _, state in states for key in state.keys]
        places = [place for _, state in states for place in state.places]

        def also(name: str, keys: Sequence[Any]) -> pa.Array:
            return pa.array(keys, column[name].type)

        self._places = {
            name: pa.concat_arrays([column[name], earlier[name], also(name, [place[number] for place in places])])
            for number, name in enumerate(PLACE_COLUMNS)
        }
        self._transfers = pa.concat_arrays(
            [
                column["transfer_id"],
                earlier["transfer_id"],
                also("transfer_id", [name for _, state in states for name in state.transfers]),
            ]
        )
        product = Codes(
            self._places["product_durable_key"],
            also("product_durable_key", [key for _, state in states for key in state.products]),
        )
        location, status, transfer = (
            Codes(keys)
            for keys in (self._places["location_durable_key"], self._places["stock_status"], self._transfers)
        )
        document = Codes(column["document_id"], earlier["document_id"])
        products, documents, transfers = (values(codes.numbers) for codes in (product, document, transfer))
        rows, given, known = len(location.numbers), table.num_rows, len(earlier["document_id"])
        place = pc.add(pc.multiply(product.numbers[:rows], len(location.values)), location.numbers)
        pools = values(pc.add(pc.multiply(place, len(status.values)), status.numbers))
        self._names = Names(
            product.values, location.values, status.values, transfer.values,
            values(location.numbers), values(status.numbers), transfers,
        )  # fmt: skip
        self._units_before = values(whole(earlier["quantity_units"], 3))
        posted = zip(products[given:], self._units_before, values(whole(earlier["cost_amount"], 4)), strict=False)
        self._entries = Entries(
            kind=_kinds(column["movement_kind"]),
            group=values(groups.numbers),
            product=products[:given],
            pool=pools[:given],
            units=values(whole(column["quantity_units"], 3)),
            after=values(whole(column["balance_after_units"], 3)),
            unit_cost=values(whole(column["unit_cost_amount"], 6)),
            standard_cost=values(whole(column["standard_cost_amount"], 6)),
            amount=values(whole(column["value_amount"], 4)),
            original=self._originals(column["original_entry_key"], earlier["ledger_entry_key"]),
            transfer=transfers[:given],
            document=documents[:given],
            posted_before=[Posted(*entry) for entry in posted],
        )
        self.replay = Replay(
            self._entries, FifoPool if self._follows_goods else AveragePool, follows_goods=self._follows_goods
        )
        # The entries that states refer to have negative rows, in their order; before them those that only late costs look for. Goods that
        # were received before their shipment came in by that, which is one of the given entries: it has its own row.
        first = -len(self._state_keys)
        given_rows = values(
            pc.index_in(also("ledger_entry_key", self._state_keys), value_set=column["ledger_entry_key"]).cast(
                pa.int64()
            )
        )
        of_entries = iter([first + number if row is None else row for number, row in enumerate(given_rows)])
        own = {key: first + number for number, key in enumerate(self._state_keys)} if known else {}
        for number, (kind, key) in enumerate(
            zip(_kinds(earlier["movement_kind"]), earlier["ledger_entry_key"].to_pylist(), strict=True)
        ):
            paper = documents[given + number]
            if kind == RECEIPT and paper is not None:
                receipt = Receipt(own.get(key, first - 1 - number), self._units_before[number], pools[given + number])
                self.replay.bring_in(products[given + number], paper, receipt)
            elif kind == TRANSFER_OUT and self._units_before[number] < 0:
                self.replay.shipped[products[given + number], transfers[given + number]] = number - known
        of_products = iter(products[rows:])
        of_pools = zip(pools[given + known :], range(given + known, rows), strict=True)
        of_transfers = zip(transfers[given + known :], range(given + known, len(transfers)), strict=True)
        for group, state in states:
            its_entries = list(islice(of_entries, len(state.keys)))
            state.restore(self.replay, group, its_entries, of_products, of_pools, of_transfers)

    def _originals(self, original: pa.Array, earlier: pa.Array) -> list[int | None]:
        """The rows of the sales that returns give back; what is none of the entries has none."""
        if not self._follows_goods or original.null_count == len(original):
            return [None] * len(original)
        keys = pa.concat_arrays([earlier, self._table.column("ledger_entry_key").combine_chunks()])
        return values(pc.subtract(pc.index_in(original, value_set=keys).cast(pa.int64()), len(earlier)))

    def states(self) -> Iterator[State]:
        """Post the entries, and tell the states that are worth keeping on the way."""
        ends = pc.run_end_encode(self._table.column("cost_group").combine_chunks())
        times = values(self._table.column("occurred_at").combine_chunks().cast(pa.timestamp("us")).cast(pa.int64()))
        spans: dict[int, list[tuple[int, int]]] = {}
        for (code, _), production in self.replay.productions.items():
            spans.setdefault(code, []).append((times[production.first], times[production.last]))
        begin = 0
        for code, (group, end) in enumerate(zip(ends.values.to_pylist(), ends.run_ends.to_pylist(), strict=True)):
            for entries, at in kept_instants(times[begin:end], spans.get(code, ())).items():
                self.replay.run(begin + entries)
                products = self.replay.groups[code]
                rows = state_rows(products.values())
                yield State(group, at, written(products, self._names, rows, self._keys(rows)))
            begin = end

    def _keys(self, rows: list[int]) -> list[Any]:
        if not rows:
            return []
        known = bisect_left(rows, 0)
        given = self._table.column("ledger_entry_key").take(pa.array(rows[known:], pa.int64()))
        return [*(self._state_keys[row] for row in rows[:known]), *given.to_pylist()]

    def posted(self) -> Iterator[pa.RecordBatch]:
        """The postings as batches: those of the entries themselves, then the further ones."""
        table = self._table
        self.replay.run(table.num_rows)
        costs = self.replay.costs
        further = costs.further
        numbers = [1] if further else []
        for before, posting in pairwise(further):
            numbers.append(numbers[-1] + 1 if before.row == posting.row else 1)
        rows = pa.array([posting.row for posting in further], pa.int64())
        places = pa.array([posting.pool.row for posting in further], pa.int64())
        transits = pa.array([posting.transfer_row for posting in further], pa.int64())
        own = {
            "posting_no": pa.repeat(pa.scalar(0, pa.int32()), table.num_rows),
            "posting_kind": pa.array(_OWN_KINDS).take(pa.array(self._entries.kind, pa.int64())),
            "transfer_id": table.column("transfer_id"),
            "cost_amount": decimals(costs.amount, 4),
            "unit_cost_after_amount": decimals(costs.unit_cost, 6),
            "value_after_amount": decimals(costs.value, 4),
        }
        more = {
            "posting_no": pa.array(numbers, pa.int32()),
            "posting_kind": pa.array([posting.kind for posting in further], pa.string()),
            "transfer_id": self._transfers.take(transits),
            "cost_amount": decimals([posting.amount for posting in further], 4),
            "unit_cost_after_amount": decimals([posting.unit_cost for posting in further], 6),
            "value_after_amount": decimals([posting.value for posting in further], 4),
        }
        for name in ("ledger_entry_key", "cost_group", "occurred_at"):
            own[name], more[name] = table.column(name), table.column(name).take(rows)
        for name in PLACE_COLUMNS:
            own[name], more[name] = table.column(name), self._places[name].take(places)
        for columns in (own, more):
            yield from pa.table({name: columns[name] for name in OUTPUT_COLUMNS}).to_batches()


def _kinds(movement_kind: pa.Array) -> list[int]:
    return values(pc.fill_null(pc.index_in(movement_kind, value_set=pa.array(KINDS)), PLAIN).cast(pa.int64()))


def _earlier(before: Before | None, table: pa.Table) -> dict[str, pa.Array]:
    """The earlier entries of the groups of a table, by column."""
    if before is None:
        found = table.slice(0, 0).append_column("cost_amount", pa.array([], pa.decimal128(18, 4)))
    else:
        group, of = table.column("cost_group"), before.entries.column("cost_group")
        found = before.entries.filter(pc.and_(pc.greater_equal(of, group[0]), pc.less_equal(of, group[-1])))
    return {name: found.column(name).combine_chunks() for name in (*INPUT_COLUMNS, "cost_amount")}
