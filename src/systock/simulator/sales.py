"""A day at a store's tills: customers, baskets, discounts, returns, voids, and what they take off the shelf."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable
from itertools import accumulate
from math import cos, pi
from random import Random

from systock.simulator.catalogue import TAX_RATES
from systock.simulator.chain import Chain, Location, Product
from systock.simulator.clock import DAY, day_of
from systock.simulator.documents import SaleLine

_WEEKDAY = (0.88, 0.85, 0.92, 1.0, 1.22, 1.38, 0.75)
_BASKETS = ((1, 2, 3, 4, 5, 7, 10), (30, 55, 73, 85, 92, 97, 100))
_PEAK_DAY = {"summer": 200, "spring": 110}
_PUBLIC_HOLIDAYS = {(1, 1), (5, 1), (12, 25), (12, 26)}


def tax_of(store: Location, product: Product, gross: int, discount: int) -> int:
    """Tax in cents on a line of `gross` (1/10000) less `discount` (cents), half a cent away from zero."""
    rate = TAX_RATES[store.country][0 if product.food else 1]
    base = gross - discount * 100
    whole = (100_000 + rate if store.prices_include_tax else 100_000) * 100
    cents = (2 * abs(base) * rate + whole) // (2 * whole)
    return cents if base >= 0 else -cents


class Shop:
    """One store's tills; `take(product, quantity)` says how much of it the shelf gave."""

    def __init__(self, chain: Chain, store: Location, seed: int) -> None:
        self.chain, self.store = chain, store
        self._rng = Random(f"{seed}/sales/{store.location_id}")
        self._lines_a_day = (60 + len(chain.products)) * store.busy
        self._returnable: list[SaleLine] = []
        self._base_weights = [self._rng.uniform(0.6, 1.4) * product.popularity for product in chain.products]

    def trades_on(self, day: int) -> bool:
        """Is the store open on that simulated day?"""
        today = day_of(self.chain.first_day + day)
        if self.store.opened > today or (today.month, today.day) in _PUBLIC_HOLIDAYS:
            return False
        return self.store.open_on_sunday or today.isoweekday() != 7

    def expected_units(self, product: Product) -> float:
        """Mean units a day, for whoever orders the goods."""
        return (
            self._lines_a_day
            * self._base_weights[product.index]
            / sum(self._base_weights)
            * (0.5 if product.base_unit == "KG" else 1.4)
        )

    def _weights(self, day: int) -> list[float]:
        year_day = day_of(self.chain.first_day + day).timetuple().tm_yday
        season = {name: 1 + 0.55 * cos(2 * pi * (year_day - peak) / 365) for name, peak in _PEAK_DAY.items()}
        season[""] = 1.0
        weights = [
            weight * season[product.season] if product.launch_day <= day else 0.0
            for weight, product in zip(self._base_weights, self.chain.products, strict=True)
        ]
        for promotion in self.chain.promotions:
            if promotion.first_day <= day <= promotion.last_day:
                for index in promotion.products:
                    weights[index] *= 1 + promotion.percent / 11
        return weights

    def trade(self, day: int, take: Callable[[Product, int], int]) -> list[SaleLine]:
        """All receipts' lines of a business day, in the order of their receipts."""
        rng, store = self._rng, self.store
        today = self.chain.first_day + day
        opens = store.zone.to_instant(today * DAY + store.opens * 3600)
        closes = store.zone.to_instant(today * DAY + int(store.closes * 3600))
        weekday = day_of(today).weekday()
        wanted = max(4, int(self._lines_a_day * _WEEKDAY[weekday] * rng.gauss(1, 0.07)))
        picks = iter(rng.choices(self.chain.products, cum_weights=list(accumulate(self._weights(day))), k=wanted))
        baskets: list[int] = []
        while sum(baskets) < wanted:
            baskets.append(min(wanted - sum(baskets), _BASKETS[0][bisect(_BASKETS[1], rng.randrange(100))]))
        times = sorted(opens + 60 + int((closes - opens - 120) * self._share_of_day()) for _ in baskets)
        promotions = {
            index: promotion
            for promotion in self.chain.promotions
            if promotion.first_day <= day <= promotion.last_day
            for index in promotion.products
        }
        lines: list[SaleLine] = []
        date_text = day_of(today).strftime("%y%m%d")
        number = 0
        for size, at in zip(baskets, times, strict=True):
            number += 1
            receipt = f"{store.number}-{date_text}-{number:04d}"
            till = rng.randint(1, 3)
            wall = self._till_clock(at, till)
            customer = f"C{rng.randint(1, 900):05d}" if rng.random() < 0.35 else ""
            status = "T" if rng.random() < 0.003 else "N"
            basket: list[SaleLine] = []
            for _ in range(size):
                product = next(picks)
                quantity = self._quantity(product)
                if status == "N" and product.stocked:
                    quantity = take(product, quantity)
                    if quantity <= 0:
                        continue
                price = product.price_in(store.currency, at)
                promotion = promotions.get(product.index)
                gross = quantity * price // 10
                discount = (gross * promotion.percent // 100 + 50) // 100 if promotion else 0
                basket.append(
                    SaleLine(
                        store,
                        product,
                        product.product_id,
                        receipt,
                        len(basket) + 1,
                        wall,
                        till,
                        f"{store.number}{till}{number % 4}",
                        "S",
                        status,
                        quantity,
                        price,
                        discount,
                        0,
                        promotion.promotion_id if promotion else "",
                        customer,
                        ("", ""),
                        at,
                    )
                )
            self._basket_discount(basket)
            for line in basket:
                assert line.product is not None
                line.tax = tax_of(store, line.product, line.gross, line.discount)
            lines += basket
            if status == "N":
                self._void(basket, take)
                self._returnable += [
                    line for line in basket if line.product is not None and line.product.stocked and line.status == "N"
                ]
            if rng.random() < 0.015 and len(self._returnable) > 20:
                number += 1
                lines.append(self._return(f"{store.number}-{date_text}-{number:04d}", wall, at, till, take))
        del self._returnable[:-1500]
        return lines

    def _till_clock(self, at: int, till: int) -> int:
        """What the till shows: till 2 does not switch to summer time before the shop has closed."""
        zone = self.store.zone
        before = zone.offset(at - 3600)
        return at + before if till == 2 and zone.offset(at) > before else zone.to_wall(at)

    def _share_of_day(self) -> float:
        """Most customers come around the middle of the day, some at any time; where it is open at night, also late."""
        kind, draw = self._rng.random(), self._rng.random()
        if kind < 0.15 and self.store.closes > 24:
            return 1 - draw / 8
        return draw if kind < 0.4 else (draw + self._rng.random()) / 2

    def _quantity(self, product: Product) -> int:
        draw = self._rng.random()
        if product.base_unit == "KG":
            return 150 + int(draw * 1100)
        return 1000 if draw < 0.76 else 2000 if draw < 0.93 else 3000 if draw < 0.98 else 6000

    def _basket_discount(self, basket: list[SaleLine]) -> None:
        """5.00 off, spread over the lines by amount, the remainder on the largest."""
        total = sum(line.gross for line in basket)
        if total < 400_000 or self._rng.random() > 0.3:
            return
        shares = [500 * line.gross // total for line in basket]
        largest = max(range(len(basket)), key=lambda place: basket[place].gross)
        shares[largest] += 500 - sum(shares)
        for line, share in zip(basket, shares, strict=True):
            line.discount += min(share, line.gross // 100 - line.discount)

    def _void(self, basket: list[SaleLine], take: Callable[[Product, int], int]) -> None:
        """Now and then the last line is struck out at the till: the goods stay on the shelf."""
        if len(basket) > 1 and self._rng.random() < 0.012:
            line = basket[-1]
            line.status = "V"
            if line.product is not None and line.product.stocked:
                take(line.product, -line.quantity)

    def _return(self, receipt: str, wall: int, at: int, till: int, take: Callable[[Product, int], int]) -> SaleLine:
        sold = self._returnable.pop(self._rng.randrange(len(self._returnable)))
        assert sold.product is not None
        take(sold.product, -sold.quantity)
        return SaleLine(
            sold.store,
            sold.product,
            sold.article,
            receipt,
            1,
            wall,
            till,
            sold.cashier,
            "R",
            "N",
            -sold.quantity,
            sold.price,
            -sold.discount,
            -sold.tax,
            sold.promotion,
            sold.customer,
            (sold.receipt, str(sold.line)),
            at,
        )
