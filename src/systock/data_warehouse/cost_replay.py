"""One pass over ledger entries in their order, by the rules that stand in `stock_cost`: what each is worth and what follows."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from systock.data_warehouse.cost_pools import UNIT_COST_SCALE, Cost, Parcel, Pool, Product, rounded
from systock.data_warehouse.cost_transit import Debt, Production, Transit

# The kinds of movement with a rule of their own, in the order of their codes; every other, and a count, is PLAIN.
KINDS = ("receipt", "transfer_out", "transfer_in", "transfer_loss", "production_out", "production_in", "revaluation")
RECEIPT, TRANSFER_OUT, TRANSFER_IN, TRANSFER_LOSS, PRODUCTION_OUT, PRODUCTION_IN, REVALUATION, PLAIN = range(8)

# Kinds of further postings, see `stock_cost`.
TRANSFER, SETTLEMENT, REVALUED, VARIANCE = "transfer", "settlement", "revaluation", "variance"


@dataclass
class Entries:
    """Columns of ledger entries in whole numbers, None = NULL: whole groups, in order. pool and product are any equal-only codes."""

    kind: list[int]
    group: list[int]
    product: list[int]
    pool: list[int]
    units: list[int]
    after: list[int | None]
    unit_cost: list[int | None]
    standard_cost: list[int | None]
    amount: list[int | None]
    original: list[
        int | None
    ]  # the row of the sale that a return gives back; negative: in `posted_before`, from the end
    transfer: list[int | None]
    document: list[int | None]
    posted_before: Sequence[Posted] = ()  # entries before all of these, to which they refer


class Posted(NamedTuple):
    """An entry and what it was posted at."""

    product: int
    units: int
    amount: int | None


class Receipt(NamedTuple):
    """Goods that came in by a document, to which a late cost may be added."""

    row: int
    units: int
    pool: int


@dataclass
class Posting:
    """A posting beside an entry's own: caused by row, to pool; of kind TRANSFER: from the transit of the entry transfer_row."""

    row: int
    kind: str
    pool: Pool
    amount: int
    transfer_row: int | None
    unit_cost: int | None = None
    value: int | None = None


@dataclass
class Costs:
    """Per entry its own amount, and the unit cost and value of its pool after all it caused; then the further postings."""

    amount: list[int | None] = field(default_factory=list)
    unit_cost: list[int | None] = field(default_factory=list)
    value: list[int | None] = field(default_factory=list)
    further: list[Posting] = field(default_factory=list)


def _known_value(pool: Pool) -> int | None:
    return None if pool.units is None or pool.cost is None else pool.value


class Replay:
    """The state between entries. follows_goods: can goods be told apart, so that a late cost finds them wherever they went?

    What it knows of earlier entries (see cost_state) has negative rows, in their order.
    """

    def __init__(self, entries: Entries, pool_type: type[Pool], *, follows_goods: bool) -> None:
        self.entries, self.pool_type, self.follows_goods = entries, pool_type, follows_goods
        self.pools: dict[int, Pool] = {}
        self.products: dict[int, Product] = {}
        self.groups: dict[int, dict[int, Product]] = {}  # the products of each group
        self.shipments: dict[tuple[int, int], deque[int]] = {}  # the rows that ship a transfer, those to come
        self.shipped: dict[tuple[int, int | None], int] = {}  # the row that shipped it last; negative as in `original`
        self.productions: dict[tuple[int, int], Production] = {}
        self.receipts: dict[tuple[int, int], list[Receipt]] = {}
        self.costs = Costs()
        self._look_ahead()

    def _look_ahead(self) -> None:
        """Which rows will ship a transfer, use and produce for a document, bring in what a late cost is for."""
        entries = self.entries
        for row, kind in enumerate(entries.kind):
            if kind == PLAIN:
                continue
            units, document = entries.units[row], entries.document[row]
            if kind == TRANSFER_OUT:
                transfer = entries.transfer[row]
                if units < 0 and transfer is not None:
                    self.shipments.setdefault((entries.product[row], transfer), deque()).append(row)
            elif document is None:
                continue
            elif kind == RECEIPT:
                self.bring_in(entries.product[row], document, Receipt(row, units, entries.pool[row]))
            elif kind in (PRODUCTION_OUT, PRODUCTION_IN):
                production = self.productions.setdefault((entries.group[row], document), Production(row))
                production.last = row
                if kind == PRODUCTION_OUT and units < 0:
                    production.uses.append(row)
                elif kind == PRODUCTION_IN and units > 0:
                    production.outputs_units += units

    def bring_in(self, product: int, document: int, receipt: Receipt) -> None:
        """Remember a receipt, for late costs."""
        if receipt.units > 0:
            self.receipts.setdefault((product, document), []).append(receipt)

    def run(self, until: int) -> Costs:
        """Post the entries that are not posted yet, up to a row."""
        entries, costs, pools = self.entries, self.costs, self.pools
        amounts, unit_costs, values, further = costs.amount, costs.unit_cost, costs.value, costs.further
        special = {
            TRANSFER_OUT: self._transfer_out,
            TRANSFER_IN: self._transfer_in,
            PRODUCTION_OUT: self._production_out,
            PRODUCTION_IN: self._production_in,
            REVALUATION: self._revaluation,
        }
        begin, done = len(amounts), len(further)
        for row, (kind, code, units, after, stated, standard) in enumerate(
            zip(
                entries.kind[begin:until],
                entries.pool[begin:until],
                entries.units[begin:until],
                entries.after[begin:until],
                entries.unit_cost[begin:until],
                entries.standard_cost[begin:until],
                strict=True,
            ),
            begin,
        ):
            if kind == TRANSFER_LOSS:
                amounts.append(self._transfer_loss(row))
                unit_costs.append(None)
                values.append(None)
                continue
            pool = pools.get(code)
            if pool is None:
                pool = self._pool(row)
            if pool.cost is None or (standard != pool.standard and pool.product.last_cost is None):
                self._set_first_cost(row, pool)
            handle = special.get(kind)
            if handle is not None:
                amounts.append(handle(row, pool))
            elif units > 0 and (stated is not None or entries.original[row] is not None):
                amounts.append(self._plain(row, pool))
            else:
                amounts.append(pool.move(units, after, row))
            unit_costs.append(pool.unit_cost)
            values.append(_known_value(pool))
            if len(further) > done:
                for posting in further[done:]:
                    posting.unit_cost = posting.pool.unit_cost
                    posting.value = _known_value(posting.pool)
                done = len(further)
        return costs

    def _pool(self, row: int) -> Pool:
        """The pool of an entry, made on first use."""
        code = self.entries.pool[row]
        pool = self.pools.get(code)
        if pool is None:
            pool = self.add_pool(code, row, self._product(row))
        return pool

    def add_pool(self, code: int, row: int, product: Product) -> Pool:
        """Another pool of a product; row: an entry of it."""
        pool = self.pools[code] = self.pool_type(product, row)
        product.pools.append(pool)
        return pool

    def _product(self, row: int) -> Product:
        """The product of an entry, made on first use."""
        code = self.entries.product[row]
        product = self.products.get(code)
        return self.add_product(self.entries.group[row], code) if product is None else product

    def add_product(self, group: int, code: int) -> Product:
        """Another product of a group."""
        product = self.products[code] = self.groups.setdefault(group, {})[code] = Product()
        return product

    def _transit(self, row: int) -> Transit:
        """What the transfer of an entry has under way; kept by `_keep`, unless it is over."""
        transit = self._product(row).transits.get(self.entries.transfer[row])
        return Transit(row) if transit is None else transit

    def _keep(self, row: int, transit: Transit) -> None:
        """Remember what the transfer of an entry has under way, as long as it has."""
        transits, transfer = self._product(row).transits, self.entries.transfer[row]
        if not transit.is_over:
            transits[transfer] = transit
        elif transfer in transits:
            del transits[transfer]

    def _post(self, row: int, kind: str, pool: Pool, amount: int, transfer_row: int | None = None) -> None:
        if amount:
            self.costs.further.append(Posting(row, kind, pool, amount, transfer_row))

    def _first_cost(self, row: int, pool: Pool) -> Cost | None:
        """What goods cost where the pool knows no cost: the standard of the moment, the product's last, what the entry states."""
        standard, stated = self.entries.standard_cost[row], self.entries.unit_cost[row]
        if standard is not None:
            return standard, UNIT_COST_SCALE
        if pool.product.last_cost is not None:
            return pool.product.last_cost
        return None if stated is None else (stated, UNIT_COST_SCALE)

    def _set_first_cost(self, row: int, pool: Pool) -> None:
        """Start a pool's cost; and follow the standard cost while no document has stated one."""
        standard = self.entries.standard_cost[row]
        if standard is None and pool.cost is not None:
            return
        cost = self._first_cost(row, pool)
        pool.standard = standard
        if cost is not None:
            self._post(row, REVALUED, pool, pool.revalue(cost))

    def _plain(self, row: int, pool: Pool) -> int | None:
        """An entry that comes in at a cost of its own, if it has one, or moves at the pool's."""
        entries = self.entries
        units, stated, sale = entries.units[row], entries.unit_cost[row], entries.original[row]
        if units > 0:
            if stated is not None:
                cost = pool.product.last_cost = stated, UNIT_COST_SCALE
                return self._receive(row, pool, [Parcel(units, rounded(units * stated, UNIT_COST_SCALE), row)], cost)
            if sale is not None and sale < row:
                product, sold, amount = self._posted(sale)
                if product == entries.product[row] and sold < 0 and amount is not None:
                    parcel = Parcel(units, rounded(-amount * units, -sold), row)
                    return self._receive(row, pool, [parcel], pool.cost or (-amount, -sold))
        return pool.move(units, entries.after[row], row)

    def _posted(self, row: int) -> Posted:
        entries = self.entries
        return entries.posted_before[row] if row < 0 else Posted(entries.product[row], entries.units[row], self.costs.amount[row])  # fmt: skip

    def _receive(self, row: int, pool: Pool, parcels: list[Parcel], cost: Cost) -> int:
        """Goods that come in at a cost; what that changes in value beside it is a revaluation."""
        revalued = pool.revalue(cost) if pool.cost is None else 0
        revalued += pool.receive(parcels, self.entries.after[row], cost, row)
        standard = self.entries.standard_cost[row]
        if standard is not None and pool.product.last_cost is None:
            revalued += pool.revalue((standard, UNIT_COST_SCALE))
        self._post(row, REVALUED, pool, revalued)
        return sum(parcel.amount for parcel in parcels)

    def _would_leave(self, row: int, units: int) -> list[Parcel] | None:
        """What so many units would cost if the entry of a later row took them now; None = not known."""
        pool = self._pool(row)
        if pool.cost is not None:
            return pool.would_leave(units, row)
        cost = self._first_cost(row, pool)
        return None if cost is None else [Parcel(units, rounded(units * cost[0], cost[1]), row)]

    def _transfer_out(self, row: int, pool: Pool) -> int | None:
        units = self.entries.units[row]
        amount = pool.move(units, self.entries.after[row], row)
        if units < 0:
            transit = self._transit(row)
            transit.unknown |= amount is None
            transit.ship(
                pool.leaving(-units, -(amount or 0), row),
                lambda debt, difference: self._settle(row, debt, difference, row),
            )
            self._keep(row, transit)
            self.shipped[self.entries.product[row], self.entries.transfer[row]] = row
        return amount

    def _transfer_in(self, row: int, pool: Pool) -> int | None:
        units = self.entries.units[row]
        if units <= 0:
            return self._plain(row, pool)
        transit = self._transit(row)
        parcels = transit.take(units)
        missing = units - sum(parcel.units for parcel in parcels)
        if missing:
            advance = self._unshipped(row, pool, missing)
            transit.debts.append(Debt(missing, sum(parcel.amount for parcel in advance), pool, row, units))
            parcels += advance
        self._keep(row, transit)
        amount = sum(parcel.amount for parcel in parcels)
        if amount == 0 and (transit.unknown or pool.cost is None):
            self._post(row, REVALUED, pool, pool.move(units, self.entries.after[row], row) or 0)
            return None
        return self._receive(row, pool, parcels, (amount, units))

    def _unshipped(self, row: int, pool: Pool, units: int) -> list[Parcel]:
        """What goods cost that are received before, or without, their shipment."""
        entries, transfer = self.entries, self.entries.transfer[row]
        shipments = None if transfer is None else self.shipments.get((entries.product[row], transfer))
        while shipments and shipments[0] < row:
            shipments.popleft()
        if shipments:
            parcels = self._would_leave(shipments[0], units)
            if parcels is not None:
                return parcels
        stated, shipped = entries.unit_cost[row], self.shipped.get((entries.product[row], transfer))
        if stated is not None:
            cost = stated, UNIT_COST_SCALE
        elif shipped is not None:  # the whole of it, so that it is the same into how many receipts its goods are split
            _, sent, amount = self._posted(shipped)
            cost = -(amount or 0), -sent
        else:
            cost = pool.cost or (0, 1)
        return [Parcel(units, rounded(units * cost[0], cost[1]), row)]

    def _transfer_loss(self, row: int) -> int:
        """Goods that will not arrive leave the transit; goods that were never shipped (positive) are struck off its debts."""
        units, transit = self.entries.units[row], self._transit(row)
        amount = transit.forgive(units) if units > 0 else -sum(parcel.amount for parcel in transit.take(-units))
        self._keep(row, transit)
        return amount

    def _settle(self, row: int, debt: Debt, difference: int, transfer_row: int | None) -> None:
        """The true cost of goods already received: on what is still there of them, the rest is a variance."""
        pool = debt.pool
        self._post(row, SETTLEMENT if transfer_row is None else TRANSFER, pool, difference, transfer_row)
        if pool.units is not None and difference:
            added = self._add_value(pool, difference, debt.came_units, {debt.row}, arrived=True)
            self._post(row, VARIANCE, pool, added - difference)

    def _add_value(self, pool: Pool, amount: int, units: int, rows: set[int], *, arrived: bool) -> int:
        """Put the part of a late cost of so many units on those still there; not where the cost is the standard, or not known."""
        held = pool.held(units, rows, arrived=arrived)
        if not held or pool.cost is None or pool.product.last_cost is None:
            return 0
        return pool.add_value(rounded(amount * held, units), rows, arrived=arrived)

    def _production(self, row: int) -> Production | None:
        document = self.entries.document[row]
        return None if document is None else self.productions[self.entries.group[row], document]

    def _production_out(self, row: int, pool: Pool) -> int | None:
        units, production = self.entries.units[row], self._production(row)
        amount = pool.move(units, self.entries.after[row], row)
        if units < 0 and production is not None:
            if amount is None:
                production.unknown = True
            else:
                production.use(row, -amount, lambda debt, difference: self._settle(row, debt, difference, None))
        return amount

    def _production_in(self, row: int, pool: Pool) -> int | None:
        units, production = self.entries.units[row], self._production(row)
        if units <= 0 or production is None or not production.uses or not self._estimate(row, production):
            return self._plain(row, pool)
        amount = production.make(units, pool, row)
        cost = pool.product.last_cost = amount, units
        return self._receive(row, pool, [Parcel(units, amount, row)], cost)

    def _estimate(self, row: int, production: Production) -> bool:
        """Add what the components that are still to be used would cost now; is the whole cost known?"""
        for use in production.uses:
            if use > row and use not in production.estimates and not production.unknown:
                parcels = self._would_leave(use, -self.entries.units[use])
                if parcels is None:
                    production.unknown = True
                else:
                    production.estimates[use] = sum(parcel.amount for parcel in parcels)
                    production.cost += production.estimates[use]
        return not production.unknown

    def _revaluation(self, row: int, pool: Pool) -> int | None:
        """Another cost per unit of what is there; or an amount that is added to the goods it was for."""
        entries = self.entries
        unit_cost, amount = entries.unit_cost[row], entries.amount[row]
        pool.move(0, entries.after[row], row)
        if amount is None:
            if unit_cost is None:
                return 0
            cost = pool.product.last_cost = unit_cost, UNIT_COST_SCALE
            return pool.revalue(cost)
        if pool.units is not None:
            self._post(row, VARIANCE, pool, self._late_cost(row, pool, amount) - amount)
        return amount

    def _late_cost(self, row: int, pool: Pool, amount: int) -> int:
        """Spread a late cost over the goods of its document, else over all that is there: what of it found goods to be put on."""
        entries = self.entries
        product, document = entries.product[row], entries.document[row]
        known = () if document is None else self.receipts.get((product, document), ())
        before = [receipt for receipt in known if receipt.row < row]
        receipts = [receipt for receipt in before if receipt.pool == entries.pool[row]] or before
        if not receipts:
            there = pool.units is not None and pool.units > 0 and pool.product.last_cost is not None
            return pool.add_value(amount, None, arrived=False) if there else 0
        units, rows, found = sum(receipt.units for receipt in receipts), {receipt.row for receipt in receipts}, 0
        for holder in pool.product.pools:
            # by moving average goods can't be told apart once they have left the place where they came in
            came = sum(
                receipt.units for receipt in receipts if self.follows_goods or self.pools[receipt.pool] is holder
            )
            added = self._add_value(holder, rounded(amount * came, units), came, rows, arrived=False)
            if holder is not pool:
                self._post(row, SETTLEMENT, pool, -added)
                self._post(row, SETTLEMENT, holder, added)
            found += added
        if self.follows_goods:
            for transit in pool.product.transits.values():
                added = transit.add_value(amount, rows, units)
                self._post(row, TRANSFER, pool, -added, transit.row)
                found += added
        return found
