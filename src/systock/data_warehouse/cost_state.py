"""The state of a cost replay between two instants as text, so that the entries that follow can be valued without those before.

It is a function of the entries before its instant and of what the replay looks up of later ones. Entries that goods came in by are in it
by their keys, in their order; in a replay that goes on from it the earlier ones have negative rows.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from systock.data_warehouse.cost_pools import AveragePool, Cost, FifoPool, Layer, Parcel, Product
from systock.data_warehouse.cost_replay import Replay
from systock.data_warehouse.cost_transit import Debt, Transit

_DAY = 86_400_000_000

#: How long before the end of what is valued a state is kept, in microseconds: most documents that come late are days late, few weeks.
AGES = (100 * _DAY, 20 * _DAY, 4 * _DAY)


class State(NamedTuple):
    """The state of a cost group after all its entries before an instant (in microseconds since 1970)."""

    cost_group: int
    valid_at: int
    content: str


@dataclass
class Names:
    """What the rows and codes of a replay stand for: lists by code, and codes by row."""

    products: Sequence[Any]
    locations: Sequence[Any]
    statuses: Sequence[Any]
    transfers: Sequence[Any]
    location_of: Sequence[int]
    status_of: Sequence[int]
    transfer_of: Sequence[int | None]


def state_rows(products: Iterable[Product]) -> list[int]:
    """The rows that the state of products refers to, in order."""
    rows: set[int] = set()
    for product in products:
        for pool in product.pools:
            if isinstance(pool, FifoPool):
                for layer in pool.layers:
                    rows.add(layer.origin)
                    rows.add(layer.arrived)
        for transit in product.transits.values():
            rows.update(parcel.origin for parcel in transit.parcels)
            rows.update(debt.row for debt in transit.debts)
    return sorted(rows)


def written(products: Mapping[int, Product], names: Names, rows: Sequence[int], keys: Sequence[Any]) -> str:
    """The state of a group's products, by code. rows: those of state_rows, keys: theirs."""
    number = {row: place for place, row in enumerate(rows)}
    found = []
    for code, product in products.items():
        pools = []
        for pool in product.pools:
            place = names.locations[names.location_of[pool.row]], names.statuses[names.status_of[pool.row]]
            goods: list[Any] = []
            if isinstance(pool, FifoPool):
                layers = [(layer.units, layer.amount, number[layer.origin], number[layer.arrived]) for layer in pool.layers]  # fmt: skip
                goods = [layers, [(shortage.units, shortage.amount) for shortage in pool.shortages]]
            pools.append((*place, pool.units, pool.value, pool.cost, pool.standard, *goods))
        transits = []
        for transit in product.transits.values():
            transfer = names.transfer_of[transit.row]
            parcels = [(parcel.units, parcel.amount, number[parcel.origin]) for parcel in transit.parcels]
            debts = [(d.units, d.amount, product.pools.index(d.pool), number[d.row], d.came_units) for d in transit.debts]  # fmt: skip
            transits.append((None if transfer is None else names.transfers[transfer], transit.unknown, parcels, debts))
        found.append((names.products[code], product.last_cost, pools, transits))
    return json.dumps([keys, found], separators=(",", ":"))


class ReadState:
    """A state read back; `keys` are those of the entries that it refers to."""

    def __init__(self, content: str) -> None:
        self.keys, self._products = json.loads(content)

    @property
    def products(self) -> list[Any]:
        """The keys of the products."""
        return [key for key, *_ in self._products]

    @property
    def places(self) -> list[tuple[Any, Any, Any]]:
        """Product, location and status of each pool."""
        return [(key, pool[0], pool[1]) for key, _, pools, _ in self._products for pool in pools]

    @property
    def transfers(self) -> list[Any]:
        """The transfers that have goods under way."""
        return [transfer for _, _, _, transits in self._products for transfer, *_ in transits]

    def restore(
        self,
        replay: Replay,
        group: int,
        entries: Sequence[int],
        products: Iterator[int],
        pools: Iterator[tuple[int, int]],
        transfers: Iterator[tuple[int | None, int]],
    ) -> None:
        """Put it into a replay that has not begun. entries: the rows of its keys.

        products: their codes; pools and transfers: code and row of each.
        """
        for _, last_cost, its_pools, its_transits in self._products:
            product = replay.add_product(group, next(products))
            product.last_cost = _cost(last_cost)
            for _, _, units, value, cost, standard, *goods in its_pools:
                pool = replay.add_pool(*next(pools), product)
                if isinstance(pool, AveragePool) and cost is not None:
                    pool.set_cost((cost[0], cost[1]))
                pool.units, pool.value, pool.cost, pool.standard = units, value, _cost(cost), standard
                if isinstance(pool, FifoPool):
                    layers, shortages = goods
                    for layer_units, amount, origin, arrived in layers:
                        pool.layers.append(Layer(layer_units, amount, entries[origin], entries[arrived]))
                    pool.shortages.extend(Layer(owed, amount, 0, 0) for owed, amount in shortages)
            for _, unknown, parcels, debts in its_transits:
                transfer, row = next(transfers)
                transit = product.transits[transfer] = Transit(row)
                transit.unknown = unknown
                transit.parcels.extend(
                    Parcel(under_way, amount, entries[origin]) for under_way, amount, origin in parcels
                )
                for owed, amount, place, debtor, came_units in debts:
                    transit.debts.append(Debt(owed, amount, product.pools[place], entries[debtor], came_units))


def _cost(stored: list[int] | None) -> Cost | None:
    return None if stored is None else (stored[0], stored[1])


def kept_instants(times: Sequence[int], spans: Sequence[tuple[int, int]]) -> dict[int, int]:
    """When states of a group are kept, by the number of entries before: at its end, and some time before.

    Never within a production: what that cost so far is in no state. spans: first and last instant of each.
    """
    kept = {}
    for age in AGES:
        at = times[-1] + 1 - age
        while at > times[0] and (over := [first for first, last in spans if first < at <= last]):
            at = min(over)
        if before := bisect_left(times, at):
            kept[before] = at
    kept[len(times)] = times[-1] + 1
    return kept
