"""The rules of costing once more, unit by unit in fractions: slow, plain, and sharing nothing with the kernel but the words.

Every unit of stock is an object with its cost; by moving average all units of a pool are given the same one.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from fractions import Fraction

from ledger_entries import Balanced, Entry

Known = Fraction | None
Place = tuple[str, str, str]


@dataclass
class Unit:
    cost: Fraction
    origin: int  # which entry first brought it in
    arrived: int  # which entry brought it here


@dataclass
class Stock:
    place: Place
    units: int | None = None
    there: list[Unit] = field(default_factory=list)
    owed: list[Fraction] = field(default_factory=list)  # what units sold short were costed at
    cost: Known = None
    standard: Known = None

    @property
    def value(self) -> Fraction:
        return sum((unit.cost for unit in self.there), Fraction(0)) - sum(self.owed, Fraction(0))


@dataclass
class OnTheWay:
    units: list[Unit] = field(default_factory=list)
    debts: list[tuple[Fraction, Stock, int]] = field(default_factory=list)
    unknown: bool = False
    each: Known = None  # what a unit of the last shipment cost


@dataclass
class Job:
    cost: Fraction = Fraction(0)
    guesses: dict[int, Fraction] = field(default_factory=dict)
    made: list[tuple[int, Stock, Fraction]] = field(default_factory=list)
    unknown: bool = False


class Oracle:
    """Values entries in order; `posted` has (key, kind, place) -> amount, `after` the value after each entry by its key."""

    def __init__(self, rows: list[Balanced], fifo: bool) -> None:
        self.rows, self.fifo = rows, fifo
        self.entries = [row.entry for row in rows]
        self.stocks: dict[Place, Stock] = {}
        self.last: dict[str, Fraction] = {}
        self.ways: dict[tuple[str, str | None], OnTheWay] = defaultdict(OnTheWay)
        self.jobs: dict[tuple[int, str], Job] = defaultdict(Job)
        self.posted: dict[tuple[str, str, Place | None], Fraction] = defaultdict(Fraction)
        self.own: list[Known] = []
        self.after: dict[str, Known] = {}
        for number in range(len(rows)):
            self.own.append(self.value(number))

    def post(self, number: int, kind: str, place: Place | None, amount: Fraction) -> None:
        self.posted[self.rows[number].key, kind, place] += amount

    def stock(self, number: int) -> Stock:
        entry = self.entries[number]
        place = entry.product, entry.place, entry.status
        return self.stocks.setdefault(place, Stock(place))

    def value(self, number: int) -> Known:
        entry, after = self.entries[number], self.rows[number].after
        if entry.kind == "transfer_loss":
            amount = self.lose(entry)
            self.post(number, "transit_loss", None, amount)
            return amount
        stock = self.stock(number)
        standard = None if entry.standard is None else Fraction(entry.standard)
        never_stated = entry.product not in self.last
        if stock.cost is None or (never_stated and standard not in (None, stock.standard)):
            first = self.first_cost(number)
            stock.standard = standard
            if first is not None:
                self.post(number, "revaluation", stock.place, self.reprice(stock, first))
        handler = getattr(self, f"on_{entry.kind}", self.on_other)
        amount = handler(number, stock)
        kind = "transfer" if entry.kind.startswith("transfer") else "entry"
        self.post(number, kind, stock.place, amount or Fraction(0))
        assert stock.units == (None if after is None else int(after))
        self.after[self.rows[number].key] = None if stock.units is None or stock.cost is None else stock.value
        return amount

    def first_cost(self, number: int) -> Known:
        entry = self.entries[number]
        if entry.standard is not None:
            return Fraction(entry.standard)
        if entry.product in self.last:
            return self.last[entry.product]
        return None if entry.cost is None else Fraction(entry.cost)

    def reprice(self, stock: Stock, cost: Fraction) -> Fraction:
        before = stock.value
        for unit in stock.there:
            unit.cost = cost
        stock.owed = [cost] * len(stock.owed)
        stock.cost = cost
        return stock.value - before

    def level(self, stock: Stock) -> None:
        """By moving average all units cost the same."""
        if not self.fifo and stock.there:
            stock.cost = stock.value / len(stock.there)
            for unit in stock.there:
                unit.cost = stock.cost

    def move(self, number: int, stock: Stock) -> tuple[Known, list[Unit]]:
        """At the stock's cost; also what left."""
        entry, after = self.entries[number], self.rows[number].after
        if after is None:
            units = 0 if entry.kind == "count" else int(entry.units)
            if stock.cost is None:
                return None, [Unit(Fraction(0), number, number) for _ in range(-units)]
            return units * stock.cost, [Unit(stock.cost, number, number) for _ in range(-units)]
        before, change, left = stock.value, int(after) - (stock.units or 0), []
        cost = stock.cost or Fraction(0)
        for _ in range(change):
            if stock.owed:
                stock.owed.pop(0)
            else:
                stock.there.append(Unit(cost, number, number))
        for _ in range(-change):
            if stock.there:
                oldest = min(stock.there, key=lambda unit: unit.origin)
                stock.there.remove(oldest)
                left.append(oldest)
            else:
                stock.owed.append(cost)
                left.append(Unit(cost, number, number))
        stock.units = int(after)
        return (None if stock.cost is None else stock.value - before), left

    def receive(self, number: int, stock: Stock, units: list[Unit], cost: Fraction) -> Fraction:
        amount = sum((unit.cost for unit in units), Fraction(0))
        revalued = self.reprice(stock, cost) if stock.cost is None else Fraction(0)
        after = self.rows[number].after
        before = stock.value
        if after is None:
            stock.cost = cost
        elif self.fifo:
            for unit in units:
                if stock.owed:
                    stock.owed.pop(0)
                else:
                    stock.there.append(replace(unit, arrived=number))
            stock.units, stock.cost = int(after), cost
            revalued += stock.value - before - amount
        else:
            was = stock.units or 0
            stock.there += [replace(unit, arrived=number) for unit in units]
            stock.units = int(after)
            if was > 0:
                self.level(stock)
            else:
                if after > 0:
                    stock.cost = cost
                stock.there = [Unit(stock.cost, number, number) for _ in range(max(stock.units, 0))]
                stock.owed = [stock.cost] * max(-stock.units, 0)
                revalued += stock.value - before - amount
        entry = self.entries[number]
        if entry.product not in self.last and entry.standard is not None:
            revalued += self.reprice(stock, Fraction(entry.standard))
        self.post(number, "revaluation", stock.place, revalued)
        return amount

    def on_other(self, number: int, stock: Stock) -> Known:
        entry = self.entries[number]
        units = 0 if entry.kind == "count" else int(entry.units)
        if units > 0 and entry.cost is not None:
            cost = self.last[entry.product] = Fraction(entry.cost)
            return self.receive(number, stock, [Unit(cost, number, number) for _ in range(units)], cost)
        if units > 0 and entry.gives_back is not None and self.fifo:
            for sale, row in enumerate(self.rows[:number]):
                sold = self.own[sale]
                is_its_sale = row.key == entry.gives_back and row.entry.product == entry.product
                if is_its_sale and sold is not None and row.entry.kind != "count" and int(row.entry.units) < 0:
                    cost = sold / int(row.entry.units)
                    goods = [Unit(cost, number, number) for _ in range(units)]
                    return self.receive(number, stock, goods, cost if stock.cost is None else stock.cost)
        return self.move(number, stock)[0]

    def would_leave(self, number: int, units: int) -> list[Unit] | None:
        stock = self.stock(number)
        cost = stock.cost if stock.cost is not None else self.first_cost(number)
        if cost is None:
            return None
        waiting = sorted(stock.there, key=lambda unit: unit.origin) if stock.cost is not None else []
        return (waiting + [Unit(cost, number, number)] * units)[:units]

    def on_transfer_out(self, number: int, stock: Stock) -> Known:
        entry = self.entries[number]
        amount, left = self.move(number, stock)
        way = self.ways[entry.product, entry.transfer]
        way.unknown |= amount is None
        if left:
            way.each = sum((unit.cost for unit in left), Fraction(0)) / len(left)
        corrections: dict[int, tuple[Stock, Fraction]] = {}
        for unit in left:
            if way.debts:
                guess, debtor, row = way.debts.pop(0)
                corrections[row] = debtor, corrections.get(row, (debtor, Fraction(0)))[1] + unit.cost - guess
            else:
                way.units.append(replace(unit))
        for row, (debtor, difference) in corrections.items():
            self.correct(number, "transfer", debtor, row, difference)
        return amount

    def on_transfer_in(self, number: int, stock: Stock) -> Known:
        entry, count = self.entries[number], int(self.entries[number].units)
        way = self.ways[entry.product, entry.transfer]
        arriving, way.units = way.units[:count], way.units[count:]
        missing = count - len(arriving)
        if missing:
            ships = [
                later
                for later in range(number + 1, len(self.rows))
                if entry.transfer is not None
                and self.entries[later].kind == "transfer_out"
                and (self.entries[later].product, self.entries[later].transfer) == (entry.product, entry.transfer)
            ]
            advance = self.would_leave(ships[0], missing) if ships else None
            if advance is None:
                if entry.cost is not None:
                    cost = Fraction(entry.cost)
                elif way.each is not None:
                    cost = way.each
                else:
                    cost = stock.cost if stock.cost is not None else Fraction(0)
                advance = [Unit(cost, number, number)] * missing
            guess = sum((unit.cost for unit in advance), Fraction(0)) / missing
            way.debts += [(guess, stock, number)] * missing
            arriving = arriving + advance
        amount = sum((unit.cost for unit in arriving), Fraction(0))
        if amount == 0 and (way.unknown or stock.cost is None):
            self.post(number, "revaluation", stock.place, self.move(number, stock)[0] or Fraction(0))
            return None
        return self.receive(number, stock, [replace(unit) for unit in arriving], amount / count)

    def lose(self, entry: Entry) -> Fraction:
        way, count = self.ways[entry.product, entry.transfer], int(entry.units)
        if count > 0:
            struck, way.debts = way.debts[:count], way.debts[count:]
            return sum((guess for guess, _, _ in struck), Fraction(0))
        lost, way.units = way.units[:-count], way.units[-count:]
        return -sum((unit.cost for unit in lost), Fraction(0))

    def still_there(self, stock: Stock, rows: set[int], received: int, arrived: bool) -> list[Unit]:
        if self.fifo:
            return [unit for unit in stock.there if (unit.arrived if arrived else unit.origin) in rows]
        return stock.there[:received]

    def put_on(self, stock: Stock, units: list[Unit], each: Fraction) -> Fraction:
        """A late cost per unit on goods, never below zero: what was put on."""
        before = stock.value
        if stock.place[0] not in self.last or stock.cost is None:
            return Fraction(0)
        if self.fifo:
            for unit in units:
                unit.cost = max(unit.cost + each, Fraction(0))
        elif units:
            total = max(stock.value + each * len(units), Fraction(0))
            for unit in stock.there:
                unit.cost = total / len(stock.there)
            self.level(stock)
        return stock.value - before

    def correct(self, number: int, kind: str, stock: Stock, row: int, difference: Fraction) -> None:
        self.post(number, kind, stock.place, difference)
        if stock.units is not None:
            received = int(self.entries[row].units)
            units = self.still_there(stock, {row}, received, arrived=True)
            added = self.put_on(stock, units, difference / received)
            self.post(number, "variance", stock.place, added - difference)

    def on_production_out(self, number: int, stock: Stock) -> Known:
        entry = self.entries[number]
        amount, _ = self.move(number, stock)
        if entry.document is not None:
            job = self.jobs[entry.group, entry.document]
            if amount is None:
                job.unknown = True
            elif not job.unknown:
                job.cost += -amount - job.guesses.pop(number, Fraction(0))
                for place, (row, made_at, had) in enumerate(job.made):
                    share = job.cost * int(self.entries[row].units) / self.outputs(entry)
                    job.made[place] = row, made_at, share
                    self.correct(number, "settlement", made_at, row, share - had)
        return amount

    def outputs(self, entry: Entry) -> int:
        return sum(int(other.units) for other in self.of_job(entry, "production_in"))

    def of_job(self, entry: Entry, kind: str) -> list[Entry]:
        job = entry.group, entry.document, kind
        return [other for other in self.entries if (other.group, other.document, other.kind) == job]

    def on_production_in(self, number: int, stock: Stock) -> Known:
        entry = self.entries[number]
        if entry.document is None or not self.of_job(entry, "production_out"):
            return self.on_other(number, stock)
        job = self.jobs[entry.group, entry.document]
        for later in range(number + 1, len(self.rows)):
            other = self.entries[later]
            same = (other.group, other.document, other.kind) == (entry.group, entry.document, "production_out")
            if same and later not in job.guesses and not job.unknown:
                guess = self.would_leave(later, -int(other.units))
                job.unknown = guess is None
                if guess is not None:
                    job.guesses[later] = sum((unit.cost for unit in guess), Fraction(0))
                    job.cost += job.guesses[later]
        if job.unknown:
            return self.on_other(number, stock)
        units = int(entry.units)
        amount = job.cost * units / self.outputs(entry)
        job.made.append((number, stock, amount))
        cost = self.last[entry.product] = amount / units
        return self.receive(number, stock, [Unit(cost, number, number) for _ in range(units)], cost)

    def on_revaluation(self, number: int, stock: Stock) -> Known:
        entry = self.entries[number]
        self.move(number, stock)
        if entry.amount is None:
            if entry.cost is None:
                return Fraction(0)
            self.last[entry.product] = Fraction(entry.cost)
            return self.reprice(stock, Fraction(entry.cost))
        amount = Fraction(entry.amount)
        if stock.units is not None:
            self.post(number, "variance", stock.place, self.late(number, stock, amount) - amount)
        return amount

    def late(self, number: int, stock: Stock, amount: Fraction) -> Fraction:
        entry = self.entries[number]
        receipts = {
            row
            for row, other in enumerate(self.entries[:number])
            if other.kind == "receipt"
            and entry.document is not None
            and (other.product, other.document) == (entry.product, entry.document)
        }
        here = {row for row in receipts if self.stock(row) is stock}
        receipts = here or receipts
        if not receipts:
            if not stock.there:
                return Fraction(0)
            return self.put_on(stock, stock.there, amount / len(stock.there))
        received = sum(int(self.entries[row].units) for row in receipts)
        each = amount / received
        added = Fraction(0)
        for other in self.stocks.values():
            if other.place[0] == entry.product:
                came = sum(int(self.entries[row].units) for row in receipts if self.fifo or self.stock(row) is other)
                found = self.put_on(other, self.still_there(other, receipts, came, arrived=False), each)
                added += found
                if other is not stock:
                    self.post(number, "settlement", stock.place, -found)
                    self.post(number, "settlement", other.place, found)
        if not self.fifo:
            return added
        for (product, _), way in self.ways.items():
            for unit in way.units:
                if product == entry.product and unit.origin in receipts:
                    put = max(each, -unit.cost)
                    unit.cost += put
                    self.post(number, "transfer", stock.place, -put)
                    added += put
        return added
