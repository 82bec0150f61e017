"""The simulated chain as it stands on its first day: locations, suppliers, products with their versions, promotions."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from random import Random

from systock.simulator.catalogue import BRANDS, CATEGORIES, CET, MORE_CITIES, PRICE_LEVEL, STORES, SUPPLIERS
from systock.simulator.clock import DAY, Zone, day_number, zone


@dataclass(frozen=True, slots=True)
class Location:
    """A store, the warehouse or the web shop."""

    location_id: str
    name: str
    kind: str  # F = store (Filiale), L = warehouse (Lager), O = web shop (Online)
    region: str
    city: str
    country: str
    zone: Zone
    cutover: int  # seconds after local midnight at which the business day begins
    currency: str
    prices_include_tax: bool
    opened: date
    area: str
    opens: int  # hour of the wall clock
    closes: float  # hour of the wall clock; over 24 = after midnight
    open_on_sunday: bool
    supplied_by_warehouse: bool
    busy: float

    @property
    def number(self) -> str:
        """The store number that the tills know: S01 is 01 to them."""
        return self.location_id[1:]

    def business_day(self, instant: int) -> int:
        """Business day (days since 1970) of an instant."""
        return (self.zone.to_wall(instant) - self.cutover) // DAY


@dataclass(frozen=True, slots=True)
class Supplier:
    """A company that goods are bought from."""

    supplier_id: str
    name: str
    country: str
    lead_days: int


@dataclass(frozen=True, slots=True)
class ProductVersion:
    """What the ERP says about a product from one instant on."""

    at: int
    price: int  # EUR cents
    cost: int  # EUR, 1/10000
    name: str
    status: str


@dataclass(slots=True)
class Product:
    """An article; `versions` in order of time."""

    index: int
    product_id: str
    brand: str
    category: tuple[str, str, str]
    supplier_id: str
    base_unit: str
    case_units: int  # 0 = not bought in cases
    stocked: bool
    food: bool
    fresh: bool
    season: str
    popularity: float
    gtin: str
    size: str
    colour: str
    launch_day: int  # index of the simulated day; 0 or below = in the range from the start
    versions: list[ProductVersion] = field(default_factory=list)

    def version_at(self, instant: int) -> ProductVersion:
        """The version valid at an instant."""
        current = self.versions[0]
        for version in self.versions[1:]:
            if version.at <= instant:
                current = version
        return current

    def price_in(self, currency: str, instant: int) -> int:
        """Shelf price in cents; weighed goods in tens of cents, so that weight x price is exact to 1/10000."""
        scaled = self.version_at(instant).price * PRICE_LEVEL[currency] // 100
        return max(10, scaled // 10 * 10) if self.base_unit == "KG" else max(9, scaled // 10 * 10 + 9)


@dataclass(frozen=True, slots=True)
class Promotion:
    """Some products cheaper for some days."""

    promotion_id: str
    first_day: int
    last_day: int
    products: frozenset[int]
    percent: int


@dataclass(frozen=True, slots=True)
class Chain:
    """Everything that exists before the first sale."""

    start: date
    days: int
    locations: tuple[Location, ...]
    suppliers: tuple[Supplier, ...]
    products: tuple[Product, ...]
    promotions: tuple[Promotion, ...]
    web_shop: Location | None = None  # sells what lies in the warehouse; no goods are ever in it

    @property
    def places(self) -> tuple[Location, ...]:
        """Everything that the ERP lists as a location."""
        return (*self.locations, self.web_shop) if self.web_shop else self.locations

    @property
    def first_day(self) -> int:
        """Days since 1970 of the first simulated day."""
        return day_number(self.start)

    @property
    def stores(self) -> tuple[Location, ...]:
        """The locations that sell."""
        return tuple(location for location in self.locations if location.kind == "F")

    @property
    def warehouse(self) -> Location:
        """The one warehouse."""
        return next(location for location in self.locations if location.kind == "L")


def gtin(body: str) -> str:
    """A GS1 number with its check digit: weights 3 and 1 from the right."""
    total = sum(int(digit) * (1 if place % 2 else 3) for place, digit in enumerate(reversed(body)))
    return f"{body}{-total % 10}"


def _locations(rng: Random, stores: int) -> tuple[Location, ...]:
    opened = date(2015, 1, 5)
    made = [
        Location(
            "W01",
            "Zentrallager Hamburg",
            "L",
            "Nord",
            "Hamburg",
            "DE",
            zone("Europe/Berlin"),
            0,
            "EUR",
            True,
            opened,
            "8400",
            6,
            20,
            False,
            False,
            0.0,
        )
    ]
    for number in range(stores):
        if number < len(STORES):
            (
                name,
                region,
                city,
                country,
                (where, currency),
                cutover,
                included,
                opens,
                closes,
                sunday,
                fed,
                busy,
                area,
            ) = STORES[number]
        else:
            city = MORE_CITIES[(number - len(STORES)) % len(MORE_CITIES)]
            name, region, country, (where, currency) = f"{city} {number + 1}", "Deutschland", "DE", CET
            cutover, included, opens, closes, sunday, fed, busy, area = (
                0,
                True,
                8,
                20,
                False,
                True,
                rng.uniform(0.5, 1.2),
                "410",
            )
        first = date(rng.randint(2016, 2022), rng.randint(1, 12), rng.randint(1, 28))
        made.append(
            Location(
                f"S{number + 1:02d}",
                name,
                "F",
                region,
                city,
                country,
                zone(where),
                cutover * 3600,
                currency,
                included,
                first,
                area,
                opens,
                closes,
                sunday,
                fed,
                busy,
            )
        )
    return tuple(made)


def _versions(
    rng: Random, first_day: int, days: int, launch: int, name: str, price: int, goods: bool
) -> list[ProductVersion]:
    """The first description, then a few price and cost changes, made in the afternoon."""
    created = (
        (first_day + (launch - 3 if launch > 0 else -rng.randint(40, 900))) * DAY
        + rng.randint(8, 16) * 3600
        + rng.randint(1, 3599)
    )
    cost = price * rng.randint(48, 68) if goods else 0
    versions = [ProductVersion(created, price, cost, name, "active")]
    changes = sorted(
        rng.sample(range(max(launch, 0) + 1, max(launch, 0) + 2 + days), k=min(days, rng.choice((0, 0, 1, 1, 2, 3))))
    )
    for day in changes if goods else []:
        if day >= days:
            continue
        last = versions[-1]
        new_price = max(29, last.price * rng.randint(92, 111) // 100) if rng.random() < 0.7 else last.price
        new_cost = last.cost * rng.randint(96, 106) // 100 if rng.random() < 0.6 else last.cost
        renamed = f"{last.name} neu" if rng.random() < 0.05 and not last.name.endswith("neu") else last.name
        if (new_price, new_cost, renamed) == (last.price, last.cost, last.name):
            new_price += 10
        at = (first_day + day) * DAY + rng.randint(12, 16) * 3600 + rng.randint(1, 3599)
        versions.append(ProductVersion(at, new_price, new_cost, renamed, "active"))
    return versions


def _products(
    rng: Random, first_day: int, days: int, count: int, suppliers: tuple[Supplier, ...]
) -> tuple[Product, ...]:
    products: list[Product] = []
    numbers = dict.fromkeys((category[0] for category in CATEGORIES), 0)
    services = (("Carrier bag", 15), ("Home delivery", 490))
    launches = max(1, count // 50)
    for index in range(count - len(services)):
        code, top, second, thirds, unit, case, food, fresh, season, (low, high), _ = (
            CATEGORIES[index]
            if index < len(CATEGORIES)
            else rng.choices(CATEGORIES, weights=[row[-1] for row in CATEGORIES])[0]
        )
        numbers[code] += 1
        third, brand, size = (
            rng.choice(thirds),
            rng.choice(BRANDS),
            rng.choice(("250 g", "500 g", "1,5 l", "S", "L", '12"', "")),
        )
        price = rng.randint(low, high) // 10 * 10 + (0 if unit == "KG" else 9)
        # the last goods of the list are launched during the simulated time
        launch = max(2, days // 4) + index % 5 if index >= count - len(services) - launches and days >= 12 else 0
        name = f"{brand} {third} {size}".strip()
        product = Product(
            index,
            f"{code}-{numbers[code]:03d}",
            brand,
            (top, second, third),
            rng.choice(suppliers).supplier_id,
            unit,
            case,
            True,
            food,
            fresh,
            season,
            rng.paretovariate(1.3) + 0.4,
            gtin(f"40{index + 1:010d}"),
            size,
            rng.choice(("", "", "red", "blau", "weiß")),
            launch,
        )
        product.popularity = min(product.popularity, 12.0)
        product.versions = _versions(rng, first_day, days, launch, name, price, True)
        products.append(product)
    for number, (name, price) in enumerate(services):
        service = Product(
            len(products),
            f"SV-{number + 1:03d}",
            "",
            ("Services", "At the till", name),
            "",
            "EA",
            0,
            False,
            False,
            False,
            "",
            6.0 if number == 0 else 0.6,
            "",
            "",
            "",
            0,
        )
        service.versions = _versions(rng, first_day, days, 0, name, price, False)
        products.append(service)
    return tuple(products)


def _promotions(rng: Random, days: int, products: tuple[Product, ...]) -> tuple[Promotion, ...]:
    goods = [product.index for product in products if product.stocked]
    made = []
    for number, first in enumerate(range(3, days, 9)):
        chosen = frozenset(rng.sample(goods, k=max(1, len(goods) // 20)))
        made.append(Promotion(f"P{number + 1:03d}", first, first + 5, chosen, rng.choice((10, 15, 20, 25, 30))))
    return tuple(made)


def _web_shop() -> Location:
    return Location(
        "WEB", "Webshop", "O", "Online", "Hamburg", "DE", zone("Europe/Berlin"), 0, "EUR", True, date(2020, 3, 2), "0",
        0, 24, True, False, 0.0,
    )  # fmt: skip


def build_chain(seed: int, start: date, days: int, stores: int, products: int, *, web_shop: bool = False) -> Chain:
    """The same chain for the same arguments."""
    rng = Random(f"{seed}/chain")
    suppliers = tuple(
        Supplier(f"{70_000 + number}", name, country, rng.randint(3, 9))
        for number, (name, country) in enumerate(SUPPLIERS)
    )
    made = _products(rng, day_number(start), days, products, suppliers)
    promotions = _promotions(rng, days, made)
    web = _web_shop() if web_shop else None
    return Chain(start, days, _locations(rng, stores), suppliers, made, promotions, web)
