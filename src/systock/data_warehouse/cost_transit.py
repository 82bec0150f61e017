"""Goods between two documents of the cost kernel: shipped and not yet received, used in production and not yet produced."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from systock.data_warehouse.cost_pools import Parcel, Pool, rounded


class Debt:
    """Goods received before they were shipped: at which amount, by which entry, of came_units in all, into which pool."""

    __slots__ = ("amount", "came_units", "pool", "row", "units")

    def __init__(self, units: int, amount: int, pool: Pool, row: int, came_units: int) -> None:
        self.units, self.amount, self.pool, self.row, self.came_units = units, amount, pool, row, came_units

    def pay(self, units: int) -> int:
        """Strike off so many units, at most all: their amount."""
        amount = self.amount if units == self.units else rounded(self.amount * units, self.units)
        self.units -= units
        self.amount -= amount
        return amount


class Transit:
    """What one transfer of a product has under way, in the order of shipment; negative while more was received than shipped."""

    __slots__ = ("debts", "parcels", "row", "unknown")

    def __init__(self, row: int) -> None:
        self.row = row  # an entry of it
        self.parcels: deque[Parcel] = deque()
        self.debts: deque[Debt] = deque()
        self.unknown = False  # was anything shipped without a known cost?

    @property
    def is_over(self) -> bool:
        """Is nothing under way, and nothing to be remembered?"""
        return not (self.parcels or self.debts or self.unknown)

    def ship(self, parcels: list[Parcel], settle: Callable[[Debt, int], None]) -> None:
        """Goods leave their place; what was received before goes to its debts. settle(debt, difference)."""
        for units, amount, origin in parcels:
            while units and self.debts:
                debt = self.debts[0]
                part = min(units, debt.units)
                cost = amount if part == units else rounded(amount * part, units)
                settle(debt, cost - debt.pay(part))
                units, amount = units - part, amount - cost
                if not debt.units:
                    self.debts.popleft()
            if units:
                self.parcels.append(Parcel(units, amount, origin))

    def take(self, units: int) -> list[Parcel]:
        """Goods that arrive, or are lost: as many of the units as are under way."""
        taken: list[Parcel] = []
        while units and self.parcels:
            parcel = self.parcels.popleft()
            if parcel.units > units:
                amount = rounded(parcel.amount * units, parcel.units)
                self.parcels.appendleft(Parcel(parcel.units - units, parcel.amount - amount, parcel.origin))
                parcel = Parcel(units, amount, parcel.origin)
            taken.append(parcel)
            units -= parcel.units
        return taken

    def forgive(self, units: int) -> int:
        """Goods received that nobody will ship: strike off their debts; their amount."""
        total = 0
        while units and self.debts:
            part = min(units, self.debts[0].units)
            total += self.debts[0].pay(part)
            units -= part
            if not self.debts[0].units:
                self.debts.popleft()
        return total

    def add_value(self, amount: int, rows: set[int], units: int) -> int:
        """Put a late cost of the units that rows brought in on those of them under way: what was added."""
        added = 0
        for place, parcel in enumerate(self.parcels):
            if parcel.origin in rows:
                share = max(rounded(amount * parcel.units, units), -parcel.amount)
                self.parcels[place] = parcel._replace(amount=parcel.amount + share)
                added += share
        return added


class Production:
    """One production document: what its components cost, estimated until they are used, and who got which part of it."""

    __slots__ = ("cost", "estimates", "first", "last", "made", "made_units", "outputs_units", "unknown", "uses")

    def __init__(self, row: int) -> None:
        self.first = self.last = row  # its rows lie between
        self.uses: list[int] = []  # the rows of components
        self.outputs_units = 0  # all that the document produces
        self.cost = 0  # of the components used, and estimated of the others
        self.estimates: dict[int, int] = {}
        self.made: list[Debt] = []  # what was produced so far, at which amount
        self.made_units = 0
        self.unknown = False  # is the cost of any component not known?

    def make(self, units: int, pool: Pool, row: int) -> int:
        """So many units are produced: their part of the cost, so that all parts together are all of it."""
        amount = self._share(self.made_units, units)
        self.made_units += units
        self.made.append(Debt(units, amount, pool, row, units))
        return amount

    def _share(self, before: int, units: int) -> int:
        through = rounded(self.cost * (before + units), self.outputs_units)
        return through - rounded(self.cost * before, self.outputs_units)

    def use(self, row: int, amount: int, settle: Callable[[Debt, int], None]) -> None:
        """A component is used: where it was only estimated, what was produced takes the difference."""
        self.cost += amount - self.estimates.pop(row, 0)
        before = 0
        for debt in self.made:
            share = self._share(before, debt.units)
            before += debt.units
            if share != debt.amount:
                difference, debt.amount = share - debt.amount, share
                settle(debt, difference)
