"""What the chain's offices write beside the goods: purchase orders, transfers, web orders, store days and payments.

Nothing here takes goods off a shelf but what gets lost on its way to a store; chance is drawn from a source of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from random import Random

from systock.simulator.chain import Chain, Location, Product
from systock.simulator.clock import DAY
from systock.simulator.documents import (
    History,
    OrderLine,
    PurchaseLine,
    SaleLine,
    StoreDay,
    Tender,
    TransferLine,
    half_away,
)

_HOUR = 3600
_CARRIERS = ("Eigene Flotte", "Spedition Krüger", "DHL Freight")


class Office:
    """Writes the papers of what Trade does; every state of a document goes into history.papers."""

    def __init__(self, chain: Chain, history: History, seed: int) -> None:
        self._chain, self._history, self._rng = chain, history, Random(f"{seed}/office")
        self._numbers: dict[tuple[str, str, int], str] = {}
        self._lines: dict[str, int] = defaultdict(int)
        self._end = (chain.first_day + chain.days) * DAY
        self._lead = {supplier.supplier_id: supplier.lead_days for supplier in chain.suppliers}

    def _next_line(self, document: str) -> int:
        self._lines[document] += 1
        return self._lines[document]

    # --- Purchase orders ---------------------------------------------------------------------------------------------

    def order(self, day: int, location: Location, product: Product, units: int, arrival: int) -> PurchaseLine:
        """Goods are ordered that will arrive on a simulated day: now and then more than the supplier will bring."""
        rng, today = self._rng, self._chain.first_day + day
        key = (product.supplier_id, location.location_id, day)
        number = self._numbers.setdefault(key, f"B{len(self._numbers) + 1:06d}")
        at = location.zone.to_instant(today * DAY + 17 * _HOUR) + rng.randint(60, 3000)
        unit, factor = _unit_of(product, units)
        step = 1000 * max(1, product.case_units // factor)
        asked = units // factor + (step * rng.randint(1, 3) if rng.random() < 0.1 else 0)
        lead = self._lead[product.supplier_id] if location.kind == "L" else 3
        line = PurchaseLine(
            number, self._next_line(number), product.supplier_id, location, product, unit, factor, asked,
            product.version_at(at).cost * factor, at, today + lead, at + 300,
        )  # fmt: skip
        self._history.papers.append(line)
        arrives = (self._chain.first_day + arrival) * DAY
        if rng.random() < 0.85:
            confirmed = min(at + rng.randint(3 * _HOUR, 30 * _HOUR), arrives - 1800)
            promised = line.expected + rng.choice((0, 0, 0, 1))
            line = replace(
                line, first_confirmed=promised, expected=promised, confirmed_at=confirmed, changed=confirmed + 600
            )
            self._history.papers.append(line)
        if rng.random() < 0.02:
            withdrawn = replace(line, line=self._next_line(number), first_confirmed=0, confirmed_at=0, changed=at + 300)
            self._history.papers += [withdrawn, replace(withdrawn, status="S", changed=at + DAY)]
        return replace(line, shipped_at=max(line.changed, arrives - rng.randint(6 * _HOUR, 20 * _HOUR)))

    def receive(self, line: PurchaseLine, units: int, at: int) -> None:
        """What was ordered came in; some of it is refused at the ramp, and what is short is given up or still to come."""
        rng, accepted = self._rng, units // line.factor
        rejected = 1000 * rng.randint(1, 2) if rng.random() < 0.05 else 0
        status = "E" if accepted >= line.ordered or rng.random() < 0.5 else "O"
        self._history.papers.append(
            replace(
                line, shipped_at=min(line.shipped_at, at - _HOUR), received_at=at, received=accepted + rejected,
                rejected=rejected, status=status, changed=at + 900,
            )
        )  # fmt: skip

    # --- Transfers ---------------------------------------------------------------------------------------------------

    def ship(self, transfer: str, receiver: Location, product: Product, units: int, at: int) -> TransferLine:
        """Goods leave the warehouse for a store."""
        unit, factor = _unit_of(product, units)
        line = TransferLine(
            transfer, self._next_line(transfer), self._chain.warehouse, receiver, product, unit, factor, units // factor,
            at, self._rng.choice(_CARRIERS), at + 400,
        )  # fmt: skip
        self._history.papers.append(line)
        return line

    def missing(self, line: TransferLine) -> int:
        """How many units (1/1000) of it do not arrive."""
        step = 1000 * max(1, line.product.case_units)
        return step if self._rng.random() < 0.02 and line.shipped * line.factor > step else 0

    def arrive(self, line: TransferLine, units: int, at: int) -> None:
        """The units that arrived; what is missing stays on its way until most of it is given up as lost, days later."""
        arrived = replace(line, received=units // line.factor, received_at=at, changed=at + 900)
        self._history.papers.append(arrived)
        missing = line.shipped - arrived.received
        if missing and self._rng.random() < 0.7:
            given_up = at + self._rng.randint(3, 6) * DAY
            if given_up < self._end:
                self._history.papers.append(replace(arrived, lost=missing, changed=given_up))

    # --- Stores ------------------------------------------------------------------------------------------------------

    def close(self, day: int, store: Location, lines: list[SaleLine]) -> None:
        """A day's receipts are paid, the day is reported, and some of the receipts were web orders picked up."""
        receipts: dict[str, list[SaleLine]] = defaultdict(list)
        for line in lines:
            if line.counts:
                receipts[line.receipt].append(line)
        for receipt, own in receipts.items():
            self._history.papers += self._payments(store, receipt, own)
            if self._rng.random() < 0.03 and all(line.kind == "S" and line.product for line in own):
                self._history.papers += self._web_order(day, store, own)
        rng, today = self._rng, self._chain.first_day + day
        night = (today + 1) * DAY + _HOUR
        sold = sum(line.net for line in lines if line.counts) // 100
        report = StoreDay(
            store, today, len(receipts) * rng.randint(150, 320) // 100 + rng.randint(0, 9),
            rng.randint(60, 240) * 250, max(0, sold * rng.randint(85, 120) // 100), night,
        )  # fmt: skip
        self._history.papers.append(report)
        if rng.random() < 0.04:  # the door counter is read again
            again = replace(report, visitors=report.visitors + rng.randint(1, 12), changed=night + 2 * DAY)
            self._history.papers.append(again)

    def _payments(self, store: Location, receipt: str, lines: list[SaleLine]) -> Iterator[Tender]:
        """Cash, card, or a voucher and the rest by card."""
        due = sum(line.net + line.tax * 100 for line in lines)
        cents, changed = half_away(due, 100), max(line.changed for line in lines)
        kind = self._rng.random()
        if kind < 0.08 and cents > 1000:
            yield Tender(store, receipt, 1, "G", 1000, changed)
            yield Tender(store, receipt, 2, "K", cents - 1000, changed)
        else:
            yield Tender(store, receipt, 1, "B" if kind < 0.4 else "K", cents, changed)

    def _web_order(self, day: int, store: Location, lines: list[SaleLine]) -> Iterator[OrderLine]:
        """A receipt that was ordered on the web one to three days before, reserved, and picked up; or one that never was."""
        rng, days = self._rng, min(day, self._rng.randint(1, 3))
        number = f"W{lines[0].receipt}"
        customer = lines[0].customer or f"C{rng.randint(1, 900):05d}"
        fate = rng.random()
        for count, sale in enumerate(lines, start=1):
            assert sale.product is not None
            wall = sale.wall - days * DAY - rng.randint(0, 7200)
            placed = store.zone.to_instant(wall) + 60
            picked = max(sale.changed, placed + 60)
            line = OrderLine(number, count, store, sale.product, customer, wall, sale.quantity, sale.price, placed)
            yield replace(line, reserved=sale.quantity if rng.random() < 0.9 else 0)
            if fate < 0.1:
                yield replace(line, cancelled=sale.quantity, changed=picked)
            elif fate < 0.9:
                yield replace(line, shipped=sale.quantity, shipped_at=picked - 30, changed=picked)


def _unit_of(product: Product, units: int) -> tuple[str, int]:
    """Whole cases where the ERP knows them, else the base unit, which a launched product comes without."""
    if product.case_units and product.launch_day <= 0 and units % (product.case_units * 1000) == 0:
        return "CS", product.case_units
    return ("" if product.launch_day > 0 else product.base_unit), 1
