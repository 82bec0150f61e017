"""The web shop's days: orders that the warehouse sends home, what of them is shipped or cancelled, and what comes back."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from random import Random

from systock.simulator.chain import Chain, Location, Product
from systock.simulator.clock import DAY
from systock.simulator.documents import History, OrderLine, SaleLine, WebOrder, WebRefund, half_away
from systock.simulator.sales import tax_of

_HOUR = 3600
_FREE_DELIVERY = 400_000  # 1/10000 EUR
_COUPON = 10  # percent
Take = Callable[[Product, int], int]


class WebShop:
    """Takes orders and ships them the morning after; `take(product, quantity)` says how much of it the warehouse gave."""

    def __init__(self, chain: Chain, history: History, seed: int) -> None:
        assert chain.web_shop is not None
        self._chain, self._history, self._shop = chain, history, chain.web_shop
        self._rng = Random(f"{seed}/web shop")
        self._waiting: list[WebOrder] = []
        self._returnable: list[SaleLine] = []
        self._delivery = chain.products[-1]  # the last service of the list
        self._goods = [product for product in chain.products if product.stocked and product.base_unit != "KG"]

    def trade(self, day: int, take: Take) -> None:
        """One day: yesterday's orders are shipped, some goods come back, new orders come in."""
        self._ship(day, take)
        self._refund(day, take)
        weights = [product.popularity if product.launch_day <= day else 0.0 for product in self._goods]
        count = max(2, int((6 + len(self._goods) / 8) * self._rng.gauss(1, 0.15)))
        for at in sorted(self._instant(day, self._rng.uniform(7, 23)) for _ in range(count)):
            self._order(at, list(accumulate(weights)))

    def _instant(self, day: int, hour: float) -> int:
        wall = (self._chain.first_day + day) * DAY + int(hour * _HOUR)
        return self._shop.zone.to_instant(wall)

    def _order(self, at: int, cumulated: list[float]) -> None:
        rng = self._rng
        number = f"W-{100_001 + len(self._history.web_orders)}"
        customer = f"C{rng.randint(1, 900):05d}" if rng.random() < 0.8 else ""
        picks = rng.choices(range(len(self._goods)), cum_weights=cumulated, k=rng.choice((1, 1, 2, 2, 3, 4)))
        wanted = [(self._goods[place], rng.choice((1, 1, 1, 2, 3)) * 1000) for place in dict.fromkeys(picks)]
        gross = sum(quantity * product.price_in(self._shop.currency, at) // 10 for product, quantity in wanted)
        if gross < _FREE_DELIVERY:
            wanted.append((self._delivery, 1000))
        order = WebOrder(number, "open", rng.random() < 0.02, customer, rng.random() < 0.2, at, at)
        fate = rng.random()
        if fate < 0.03:
            order.state = "draft"
        elif fate < 0.07:
            order.state, order.changed = "cancelled", at + rng.randint(300, 5400)
        for line, (product, quantity) in enumerate(wanted, start=1):
            price = product.price_in(self._shop.currency, at)
            wall = self._shop.zone.to_wall(at)
            order.lines.append(
                OrderLine(
                    number, line, self._chain.warehouse, product, customer, wall, quantity, price, order.changed,
                    reserved=quantity if order.state == "open" and product.stocked and not order.test else 0,
                    cancelled=quantity if order.state == "cancelled" else 0,
                )
            )  # fmt: skip
        self._history.web_orders.append(order)
        if order.state == "open":
            self._waiting.append(order)

    def _ship(self, day: int, take: Take) -> None:
        """What the warehouse has of each order leaves in the morning; the rest of it is cancelled."""
        waiting, self._waiting = self._waiting, []
        for order in waiting:
            at = self._instant(day, self._rng.uniform(6, 11))
            given = {
                line.line: line.ordered if order.test else take(line.product, line.ordered)
                for line in order.lines
                if line.product.stocked
            }
            sent = any(given.values())
            order.state, order.changed = ("shipped" if sent else "cancelled"), at + 600
            for place, line in enumerate(order.lines):
                shipped = given.get(line.line, line.ordered if sent else 0)
                order.lines[place] = OrderLine(
                    line.order, line.line, line.store, line.product, line.customer, line.wall, line.ordered, line.price,
                    order.changed, shipped=shipped, cancelled=line.ordered - shipped, shipped_at=at if shipped else 0,
                )  # fmt: skip
                if shipped:
                    order.sales.append(self._sale(order, order.lines[place]))
            if not order.test:
                self._returnable += [sale for sale in order.sales if sale.product is not self._delivery]

    def _sale(self, order: WebOrder, line: OrderLine) -> SaleLine:
        gross = line.shipped * line.price // 10
        discount = half_away(gross * _COUPON, 10_000) if order.coupon and line.product.stocked else 0
        return SaleLine(
            self._shop, line.product, line.product.product_id, order.number, line.line,
            self._shop.zone.to_wall(line.shipped_at), 0, "", "S", "T" if order.test else "N", line.shipped, line.price, discount,
            tax_of(self._shop, line.product, gross, discount), "", order.customer, ("", ""), order.changed,
            shelf=self._warehouse,
        )  # fmt: skip

    @property
    def _warehouse(self) -> Location:
        return self._chain.warehouse

    def _refund(self, day: int, take: Take) -> None:
        """Some of what was shipped comes back whole or in part, and goes back on the warehouse's shelf."""
        rng = self._rng
        for sold in [sale for sale in self._returnable if rng.random() < 0.006]:
            self._returnable.remove(sold)
            assert sold.product is not None
            pieces = rng.randint(1, sold.quantity // 1000) * 1000
            at = self._instant(day, rng.uniform(11, 18))
            discount = half_away(sold.discount * pieces, sold.quantity)
            number = f"R-{5_001 + len(self._history.web_refunds)}"
            take(sold.product, -pieces)
            back = SaleLine(
                self._shop, sold.product, sold.article, number, 1, self._shop.zone.to_wall(at), 0, "", "R", "N", -pieces,
                sold.price, -discount, tax_of(self._shop, sold.product, -pieces * sold.price // 10, -discount), "",
                sold.customer, (sold.receipt, str(sold.line)), at + 60, shelf=self._warehouse,
            )  # fmt: skip
            self._history.web_refunds.append(WebRefund(number, back))
