"""Stock as the cost kernel holds it: one pool per product, place and status, valued by moving average or by FIFO layers.

All numbers are whole: units in thousandths, amounts in ten-thousandths; a cost is a fraction, amount / units, so that nothing
but amounts is ever rounded, half away from zero. A pool's `units` is None while the balance is not known, its `cost` is None while
no cost is; its `value` is 0 then.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from systock.data_warehouse.cost_transit import Transit

Cost = tuple[int, int]  # an amount, and the units that have it; the units are positive

# From a unit cost in millionths to a Cost: amount = units * unit cost / 100,000, in ten-thousandths, thousandths, millionths.
UNIT_COST_SCALE = 100_000


def rounded(numerator: int, denominator: int) -> int:
    """numerator / denominator, half away from zero; the denominator is positive."""
    if numerator >= 0:
        return (2 * numerator + denominator) // (2 * denominator)
    return -((denominator - 2 * numerator) // (2 * denominator))


class Parcel(NamedTuple):
    """Goods on their way with what they cost; origin = the entry that first brought them in, by its row."""

    units: int
    amount: int
    origin: int


class Product:
    """What the pools of a product share: has a document stated a cost so far, and which was the last; what transfers have under way."""

    __slots__ = ("last_cost", "pools", "transits")

    def __init__(self) -> None:
        self.last_cost: Cost | None = None
        self.pools: list[Pool] = []
        self.transits: dict[int | None, Transit] = {}  # by transfer, in the order in which goods of it came under way


class Pool(Protocol):
    """The stock of a product at a place in a status. row = an entry of it; standard = the standard cost it stands at."""

    product: Product
    row: int
    units: int | None
    value: int
    cost: Cost | None
    standard: int | None

    @property
    def unit_cost(self) -> int | None:
        """In millionths, for people: the cost itself is the fraction."""
        ...

    def __init__(self, product: Product, row: int) -> None: ...

    def move(self, units: int, after: int | None, row: int) -> int | None:
        """Goods that leave, or come in without a cost of their own: the signed amount; None = cost not known."""
        ...

    def leaving(self, units: int, amount: int, row: int) -> list[Parcel]:
        """What the last move took out, as parcels."""
        ...

    def receive(self, parcels: list[Parcel], after: int | None, cost: Cost, row: int) -> int:
        """Goods that come in at a cost: what else changes in value because the balance was not positive."""
        ...

    def revalue(self, cost: Cost) -> int:
        """Everything there at another cost: the change in value."""
        ...

    def would_leave(self, units: int, row: int) -> list[Parcel]:
        """What a move out of so many units would take now; a cost is known."""
        ...

    def held(self, units: int, rows: set[int], *, arrived: bool) -> int:
        """How many of the units that rows brought in, first or (arrived) here, are still there."""
        ...

    def add_value(self, amount: int, rows: set[int] | None, *, arrived: bool) -> int:
        """Put a late cost on those goods (rows None = all there is); never below zero, so what was really added."""
        ...


class AveragePool:
    """Moving average: a receipt makes a new average, everything else keeps it."""

    __slots__ = ("cost", "product", "row", "standard", "unit_cost", "units", "value")

    def __init__(self, product: Product, row: int) -> None:
        self.product, self.row = product, row
        self.units: int | None = None
        self.value = 0
        self.cost: Cost | None = None
        self.unit_cost: int | None = None
        self.standard: int | None = None

    def set_cost(self, cost: Cost) -> None:
        """Everything there at this average from now on."""
        self.cost = cost
        self.unit_cost = rounded(cost[0] * UNIT_COST_SCALE, cost[1])

    def move(self, units: int, after: int | None, row: int) -> int | None:
        if self.cost is None:
            self.units = after
            return None
        amount, of_units = self.cost
        if after is None:
            return rounded(units * amount, of_units)
        value = rounded(after * amount, of_units)
        change = value - self.value
        self.value, self.units = value, after
        return change

    def leaving(self, units: int, amount: int, row: int) -> list[Parcel]:
        return [Parcel(units, amount, row)]

    def receive(self, parcels: list[Parcel], after: int | None, cost: Cost, row: int) -> int:
        if after is None:
            self.set_cost(cost)
            return 0
        value = self.value + sum(parcel.amount for parcel in parcels)
        if self.units is not None and self.units > 0:
            self.value, self.units = value, after
            self.set_cost((value, after))
            return 0
        if after > 0 or self.cost is None:
            self.set_cost(cost)
        self.units = after
        assert self.cost is not None
        self.value = rounded(after * self.cost[0], self.cost[1])
        return self.value - value

    def revalue(self, cost: Cost) -> int:
        self.set_cost(cost)
        before = self.value
        self.value = rounded((self.units or 0) * cost[0], cost[1])
        return self.value - before

    def would_leave(self, units: int, row: int) -> list[Parcel]:
        assert self.cost is not None
        amount, of_units = self.cost
        left = (self.units or 0) - units
        return [Parcel(units, self.value - rounded(left * amount, of_units), row)]

    def held(self, units: int, rows: set[int], *, arrived: bool) -> int:
        return min(max(self.units or 0, 0), units)

    def add_value(self, amount: int, rows: set[int] | None, *, arrived: bool) -> int:
        assert self.units
        added = max(amount, -self.value)
        self.value += added
        self.set_cost((self.value, self.units))
        return added


class Layer:
    """Goods of one cost in a FIFO pool: origin = the entry that first brought them in, arrived = that brought them here."""

    __slots__ = ("amount", "arrived", "origin", "units")

    def __init__(self, units: int, amount: int, origin: int, arrived: int) -> None:
        self.units, self.amount, self.origin, self.arrived = units, amount, origin, arrived

    def take(self, units: int) -> int:
        """Take so many units out, at most all: their amount."""
        amount = self.amount if units == self.units else rounded(self.amount * units, self.units)
        self.units -= units
        self.amount -= amount
        return amount


class FifoPool:
    """Layers, oldest first by the day the goods first came in; a shortage is a layer of units still owed."""

    __slots__ = ("cost", "layers", "product", "row", "shortages", "standard", "taken", "units", "value")

    def __init__(self, product: Product, row: int) -> None:
        self.product, self.row = product, row
        self.units: int | None = None
        self.value = 0
        self.cost: Cost | None = None
        self.standard: int | None = None
        self.layers: deque[Layer] = deque()
        self.shortages: deque[Layer] = deque()
        self.taken: list[Parcel] = []

    @property
    def unit_cost(self) -> int | None:
        if self.cost is not None and self.units is not None and self.units > 0:
            return rounded(self.value * UNIT_COST_SCALE, self.units)
        return None if self.cost is None else rounded(self.cost[0] * UNIT_COST_SCALE, self.cost[1])

    def _worth(self, units: int) -> int:
        return 0 if self.cost is None else rounded(units * self.cost[0], self.cost[1])

    def move(self, units: int, after: int | None, row: int) -> int | None:
        if after is None:
            return None if self.cost is None else self._worth(units)
        change = after - (self.units or 0)
        self.units = after
        amount = self._put_back(change, row) if change >= 0 else -self._take(-change, row)
        self.value += amount
        return None if self.cost is None else amount

    def _take(self, units: int, row: int) -> int:
        total, self.taken = 0, []
        while units and self.layers:
            layer = self.layers[0]
            part = min(units, layer.units)
            amount = layer.take(part)
            self.taken.append(Parcel(part, amount, layer.origin))
            units -= part
            total += amount
            if not layer.units:
                self.layers.popleft()
        if units:
            amount = self._worth(units)
            self.shortages.append(Layer(units, amount, row, row))
            self.taken.append(Parcel(units, amount, row))
            total += amount
        return total

    def _put_back(self, units: int, row: int) -> int:
        """Goods without a cost of their own: what was owed comes back as it was costed, the rest at the last known cost."""
        total = 0
        while units and self.shortages:
            part, amount = self._pay(units)
            units -= part
            total += amount
        if units:
            amount = self._worth(units)
            self._lay(Layer(units, amount, row, row))
            total += amount
        return total

    def _pay(self, units: int) -> tuple[int, int]:
        """Deliver up to so many units on the oldest shortage: how many, and what they had been costed at."""
        shortage = self.shortages[0]
        part = min(units, shortage.units)
        amount = shortage.take(part)
        if not shortage.units:
            self.shortages.popleft()
        return part, amount

    def _lay(self, layer: Layer) -> None:
        newer: list[Layer] = []
        while self.layers and self.layers[-1].origin > layer.origin:
            newer.append(self.layers.pop())
        self.layers.append(layer)
        self.layers.extend(reversed(newer))

    def leaving(self, units: int, amount: int, row: int) -> list[Parcel]:
        return self.taken if self.units is not None else [Parcel(units, amount, row)]

    def receive(self, parcels: list[Parcel], after: int | None, cost: Cost, row: int) -> int:
        self.cost = cost
        if after is None:
            return 0
        before, came_in = self.value, 0
        for units, amount, origin in parcels:
            came_in += amount
            goods = Layer(units, amount, origin, row)
            while goods.units and self.shortages:
                part, costed = self._pay(goods.units)
                goods.take(part)
                self.value += costed
            if goods.units:
                self._lay(goods)
                self.value += goods.amount
        self.units = after
        return self.value - before - came_in

    def revalue(self, cost: Cost) -> int:
        self.cost = cost
        before, self.value = self.value, 0
        for sign, layers in ((1, self.layers), (-1, self.shortages)):
            for layer in layers:
                layer.amount = self._worth(layer.units)
                self.value += sign * layer.amount
        return self.value - before

    def would_leave(self, units: int, row: int) -> list[Parcel]:
        parcels: list[Parcel] = []
        for layer in self.layers:
            part = min(units, layer.units)
            if part:
                parcels.append(Parcel(part, Layer(layer.units, layer.amount, 0, 0).take(part), layer.origin))
                units -= part
        return parcels + ([Parcel(units, self._worth(units), row)] if units else [])

    def _of(self, rows: set[int] | None, arrived: bool) -> list[Layer]:
        return [layer for layer in self.layers if rows is None or (layer.arrived if arrived else layer.origin) in rows]

    def held(self, units: int, rows: set[int], *, arrived: bool) -> int:
        return min(units, sum(layer.units for layer in self._of(rows, arrived)))

    def add_value(self, amount: int, rows: set[int] | None, *, arrived: bool) -> int:
        layers = self._of(rows, arrived)
        units, added = sum(layer.units for layer in layers), 0
        for layer in layers:
            share = rounded(amount * layer.units, units)
            amount, units = amount - share, units - layer.units
            share = max(share, -layer.amount)
            layer.amount += share
            added += share
        self.value += added
        return added
