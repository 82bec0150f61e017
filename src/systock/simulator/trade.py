"""The chain's days one after another: arrivals, trade, losses, replenishment and counts, with the true stock."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from random import Random

from systock.simulator.chain import Chain, Location, Product
from systock.simulator.clock import DAY, day_of
from systock.simulator.documents import Count, History, Movement, PurchaseLine, Rate, TransferLine
from systock.simulator.office import Office
from systock.simulator.sales import Shop
from systock.simulator.web_shop import WebShop

_START_RATES = {"USD": 92_140, "GBP": 116_890, "CHF": 104_450}  # EUR, 1/100000
_COUNT_EVERY = 14


class Trade:
    """Runs the chain; `history` holds what happened."""

    def __init__(self, chain: Chain, seed: int) -> None:
        self.chain, self.history = chain, History()
        self._office = Office(chain, self.history, seed)
        self._rng = Random(f"{seed}/trade")
        self._web_shop = WebShop(chain, self.history, seed) if chain.web_shop else None
        self._shops = {store.location_id: Shop(chain, store, seed) for store in chain.stores}
        self._stock: dict[str, list[int]] = {
            location.location_id: [0] * len(chain.products) for location in chain.locations
        }
        self._damaged: dict[str, dict[int, int]] = {location.location_id: {} for location in chain.locations}
        self._on_order: dict[str, list[int]] = {
            location.location_id: [0] * len(chain.products) for location in chain.locations
        }
        # what arrives on a simulated day: (location, product, base units, the paper that it comes with)
        self._arrivals: dict[int, list[tuple[Location, Product, int, PurchaseLine | TransferLine | None]]]
        self._arrivals = defaultdict(list)
        self._documents: dict[tuple[str, str, int], list[int]] = {}
        self._document_count = 0
        self._daily: dict[str, list[float]] = {
            store.location_id: [shop.expected_units(product) for product in chain.products]
            for store, shop in zip(chain.stores, self._shops.values(), strict=True)
        }
        fed = [self._daily[store.location_id] for store in chain.stores if store.supplied_by_warehouse]
        self._daily[chain.warehouse.location_id] = (
            [sum(units) for units in zip(*fed, strict=True)] if fed else [0.0] * len(chain.products)
        )

    def run(self, progress: Callable[[float], None]) -> History:
        """All days in order."""
        self._open()
        self._publish_rates()
        for day in range(self.chain.days):
            self._launch(day)
            self._arrive(day)
            for store in self.chain.stores:
                if self._shops[store.location_id].trades_on(day):
                    self._sell(day, store)
            if self._web_shop:
                self._web_shop.trade(day, self._taker(self.chain.warehouse))
            for location in self.chain.locations:
                self._lose(day, location)
            self._order(day)
            for number, location in enumerate(self.chain.locations):
                self._count(day, number, location)
            self.history.true_stock[day] = {
                name: sum(units) + sum(self._damaged[name].values()) for name, units in self._stock.items()
            }
            progress((day + 1) / self.chain.days)
        stock = self._stock[self.chain.warehouse.location_id]
        self.history.warehouse = {product.product_id: stock[product.index] for product in self.chain.products}
        return self.history

    def _instant(self, day: int, location: Location, hour: int) -> int:
        """Some time within the hour of a simulated day's wall clock, never on the full hour."""
        wall = (self.chain.first_day + day) * DAY + hour * 3600 + self._rng.randint(61, 3500)
        return location.zone.to_instant(wall)

    def _post(
        self,
        kind: str,
        location: Location,
        product: Product,
        units: int,
        at: int,
        *,
        cases: bool = False,
        status: str = "",
        transfer: str = "",
        changed: int = 0,
    ) -> None:
        """File a movement; lines of one kind, place and hour share a document."""
        key = (kind + transfer, location.location_id, at // 3600)
        if key not in self._documents:
            self._document_count += 1
            self._documents[key] = [self._document_count, 0]
        self._documents[key][1] += 1
        number, line = self._documents[key]
        by_case = (
            cases and product.case_units > 0 and product.launch_day <= 0 and units % (product.case_units * 1000) == 0
        )
        # launched products come without a unit: until their master record arrives nothing says what a unit of them is
        unit = "CS" if by_case else "" if product.launch_day > 0 else product.base_unit
        factor = product.case_units if by_case else 1
        priced = kind in ("AB", "WE")
        cost = product.version_at(at).cost * factor if priced else 0
        expiry = at // DAY + self._rng.randint(6, 24) if kind == "WE" and product.fresh else 0
        filed = changed or at + self._rng.randint(20, 900)
        lot = f"L{at // DAY % 10_000:04d}{product.index:03d}" if expiry else ""
        self.history.movements.append(
            Movement(
                f"{kind}{number:07d}",
                line,
                kind,
                location,
                product,
                units // factor,
                unit,
                factor,
                status,
                cost,
                at,
                transfer,
                lot,
                expiry,
                filed,
                filed,
            )
        )

    def _open(self) -> None:
        """Opening stock of every product in the range, half a day before the first trade."""
        for location in self.chain.locations:
            days = 22 if location.kind == "L" else 11
            at = self._instant(0, location, max(location.cutover // 3600, 4))
            for product in self.chain.products:
                if not product.stocked or product.launch_day > 0:
                    continue
                units = self._round_up(
                    product, self._daily[location.location_id][product.index] * days * self._rng.uniform(0.7, 1.4)
                )
                self._stock[location.location_id][product.index] = units
                self._post("AB", location, product, units, at)
                if self._rng.random() < 0.12:
                    damaged = self._rng.randint(0, 3) * 1000
                    self._damaged[location.location_id][product.index] = damaged
                    self._post("AB", location, product, damaged, at, status="D")

    def _launch(self, day: int) -> None:
        """A new product opens with nothing on its launch day, and its first goods are on their way."""
        for product in self.chain.products:
            if product.launch_day == day and day > 0:
                for location in self.chain.locations:
                    self._post(
                        "AB", location, product, 0, self._instant(day, location, max(location.cutover // 3600, 4))
                    )
                    units = self._round_up(product, max(8.0, self._daily[location.location_id][product.index] * 14))
                    self._arrivals[day].append((location, product, units, None))
                    self._on_order[location.location_id][product.index] += units

    def _round_up(self, product: Product, units: float) -> int:
        """Whole cases, pieces or kilograms, in 1/1000."""
        step = max(product.case_units, 1)
        return (int(units) // step + 1) * step * 1000

    def _arrive(self, day: int) -> None:
        for location, product, units, paper in self._arrivals.pop(day, []):
            self._on_order[location.location_id][product.index] -= units
            if isinstance(paper, TransferLine):
                units -= self._office.missing(paper)
            self._stock[location.location_id][product.index] += units
            # some goods are put on the shelf at once and booked two evenings later: the books go below zero in between
            late = location.kind == "F" and self._rng.random() < 0.02
            at = self._instant(day + 2, location, 19) if late else self._instant(day, location, 7)
            if isinstance(paper, TransferLine):
                self._office.arrive(paper, units, at)
                self._post("UE", location, product, units, at, cases=True, transfer=paper.transfer)
                continue
            if paper:
                self._office.receive(paper, units, at)
            self._post("WE", location, product, units, at, cases=True)

    def _sell(self, day: int, store: Location) -> None:
        lines = self._shops[store.location_id].trade(day, self._taker(store))
        self.history.sales.append((day, store, lines))
        self._office.close(day, store, lines)

    def _taker(self, location: Location) -> Callable[[Product, int], int]:
        """Says how much of what is wanted a location's shelf gives."""
        stock = self._stock[location.location_id]

        def take(product: Product, quantity: int) -> int:
            given = min(quantity, stock[product.index])
            if given < quantity and product.base_unit != "KG":
                given = given // 1000 * 1000
            stock[product.index] -= given
            self.history.lost_units += quantity - given
            return given

        return take

    def _lose(self, day: int, location: Location) -> None:
        """Breakage (to the damaged stock, thrown away later), goods past their date, and what nobody saw disappear."""
        rng, stock, damaged = self._rng, self._stock[location.location_id], self._damaged[location.location_id]
        evening = 17
        for index in sorted(damaged):
            product = self.chain.products[index]
            if rng.random() < 0.04 and stock[index] >= 2000:
                stock[index] -= 1000
                damaged[index] += 1000
                at = self._instant(day, location, evening)
                self._post("KO", location, product, -1000, at)
                self._post("KO", location, product, 1000, at, status="D")
            elif rng.random() < 0.03 and damaged[index] > 0:
                self._post("VE", location, product, -damaged[index], self._instant(day, location, evening), status="D")
                damaged[index] = 0
        for product in rng.sample(self.chain.products, k=max(1, len(self.chain.products) // 40)):
            if product.stocked and stock[product.index] >= 3000:
                if product.fresh:
                    stock[product.index] -= 2000
                    self._post("VE", location, product, -2000, self._instant(day, location, evening))
                elif rng.random() < 0.5:
                    stock[product.index] -= 1000
                    self.history.unseen.add((location.location_id, product.index))

    def _order(self, day: int) -> None:
        """Stores order from the warehouse for the next open day, the warehouse and far stores from suppliers."""
        warehouse = self.chain.warehouse
        for store in self.chain.stores:
            tomorrow = next(
                (later for later in range(day + 1, day + 5) if self._shops[store.location_id].trades_on(later)), day + 1
            )
            transfer, at = f"T{day:04d}{store.number}", self._instant(day, warehouse, 18)
            for product, needed in self._needs(store, 4, 11):
                if not store.supplied_by_warehouse:
                    self._buy(day, day + self._rng.randint(2, 4), store, product, needed)
                    continue
                shipped = min(needed, self._stock[warehouse.location_id][product.index])
                shipped -= shipped % (max(product.case_units, 1) * 1000)
                if shipped > 0:
                    self._stock[warehouse.location_id][product.index] -= shipped
                    self._post("UA", warehouse, product, -shipped, at, cases=True, transfer=transfer)
                    self._expect(
                        tomorrow, store, product, shipped, self._office.ship(transfer, store, product, shipped, at)
                    )
        lead = {supplier.supplier_id: supplier.lead_days for supplier in self.chain.suppliers}
        for product, needed in self._needs(warehouse, 10, 24):
            arrival = day + max(1, lead[product.supplier_id] + self._rng.randint(-1, 4))
            self._buy(day, arrival, warehouse, product, needed)

    def _buy(self, day: int, arrival: int, location: Location, product: Product, units: int) -> None:
        self._expect(arrival, location, product, units, self._office.order(day, location, product, units, arrival))

    def _needs(self, location: Location, below: int, up_to: int) -> list[tuple[Product, int]]:
        name = location.location_id
        stock, ordered, daily = self._stock[name], self._on_order[name], self._daily[name]
        return [
            (product, self._round_up(product, daily[product.index] * up_to - have / 1000))
            for product in self.chain.products
            if product.stocked
            and (product.launch_day <= 0 or stock[product.index])
            and (have := stock[product.index] + ordered[product.index]) < daily[product.index] * below * 1000
        ]

    def _expect(
        self, day: int, location: Location, product: Product, units: int, paper: PurchaseLine | TransferLine
    ) -> None:
        self._on_order[location.location_id][product.index] += units
        self._arrivals[day].append((location, product, units, paper))

    def _count(self, day: int, number: int, location: Location) -> None:
        """Every fortnight a third of the range is counted after closing; some lines of the sheet stay empty."""
        turn, place = divmod(day - 5 - 2 * number, _COUNT_EVERY)
        if turn < 0 or place or (location.kind == "F" and not self._shops[location.location_id].trades_on(day)):
            return
        today = self.chain.first_day + day
        sheet = f"INV-{location.location_id}-{day_of(today):%Y%m%d}"
        stock = self._stock[location.location_id]
        due = [
            product
            for product in self.chain.products
            if product.stocked and product.launch_day < day and product.index % 3 == turn % 3
        ]
        lines = [
            Count(
                sheet,
                line,
                location,
                product,
                today,
                None if self._rng.random() < 0.03 else stock[product.index],
                "Lager" if product.index % 4 == 0 else "Verkaufsraum",
            )
            for line, product in enumerate(due, start=1)
        ]
        if lines:
            self.history.counts.append((day, location, lines))

    def _publish_rates(self) -> None:
        """Rates of every weekday, from a week before the start."""
        rates = dict(_START_RATES)
        for day in range(-7, self.chain.days):
            today = self.chain.first_day + day
            if day_of(today).isoweekday() > 5:
                continue
            for currency in sorted(rates):
                rates[currency] += self._rng.randint(-450, 450)
                self.history.rates.append(Rate(currency, today, rates[currency], today * DAY + 15 * 3600 + 12))
