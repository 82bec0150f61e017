"""What happens in the simulated chain, as its own people file it: lines of receipts, goods movements, counts, rates.

Amounts are whole numbers: cents for prices as written, 1/10000 for what is computed from them, 1/1000 for quantities.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from systock.simulator.chain import Location, Product, ProductVersion


def half_away(amount: int, divisor: int) -> int:
    """The quotient, rounded half away from zero."""
    whole = (2 * abs(amount) + abs(divisor)) // (2 * abs(divisor))
    return whole if (amount >= 0) == (divisor > 0) else -whole


@dataclass(slots=True)
class SaleLine:
    """One line of a receipt."""

    store: Location
    product: Product | None  # None: a code that no product feed ever names
    article: str  # the code as the till wrote it
    receipt: str
    line: int
    wall: int  # the till's clock
    till: int
    cashier: str
    kind: str  # S sale, R return
    status: str  # N normal, V void, T test
    quantity: int  # 1/1000, signed
    price: int  # cents per unit
    discount: int  # cents of the whole line, signed
    tax: int  # cents of the whole line, signed
    promotion: str
    customer: str
    original: tuple[str, str]  # receipt and line that a return refers to
    changed: int  # instant
    moves_stock: bool = True  # False: the till does not tell the stock books
    shelf: Location | None = None  # where the goods came from; None: the store

    @property
    def counts(self) -> bool:
        """Void and test lines count nowhere."""
        return self.status == "N"

    @property
    def gross(self) -> int:
        """quantity x price in 1/10000: exact, because weighed goods cost whole tens of cents."""
        return self.quantity * self.price // 10

    @property
    def net(self) -> int:
        """Without tax, after discount, in 1/10000."""
        return self.gross - self.discount * 100 - (self.tax * 100 if self.store.prices_include_tax else 0)

    @property
    def discount_without_tax(self) -> int:
        """The discount less the share of the tax in it, in 1/10000."""
        discount = self.discount * 100
        paid = self.gross - discount
        if not (self.store.prices_include_tax and discount and self.tax and paid):
            return discount
        return half_away(discount * self.net, paid)

    @property
    def business_day(self) -> int:
        """By the instant that the wall clock means."""
        return self.store.business_day(self.store.zone.to_instant(self.wall))


@dataclass(slots=True)
class Movement:
    """One line of a goods movement document."""

    document: str
    line: int
    kind: str  # AB opening, WE receipt, UA/UE transfer out/in, KO adjustment, VE write-off
    location: Location
    product: Product
    quantity: int  # 1/1000 of `unit`, signed
    unit: str  # "" = the product's base unit
    factor: int | None  # base units in one unit; None: only a product unit of the ERP says so
    status: str  # "" sellable, D damaged
    cost: int  # EUR per unit, 1/10000; 0 = not stated
    at: int  # instant
    transfer: str
    lot: str
    expiry: int  # days since 1970; 0 = none
    changed: int  # instant
    entered: int  # instant at which it was first filed


@dataclass(slots=True)
class Count:
    """One line of a count sheet, counted when the shop had closed."""

    sheet: str
    line: int
    location: Location
    product: Product
    day: int  # days since 1970
    quantity: int | None  # 1/1000; None = not counted
    area: str


@dataclass(slots=True)
class ProductRecord:
    """One version of a product as the ERP exports it."""

    product: Product
    version: ProductVersion


@dataclass(slots=True)
class UnitRecord:
    """How many base units another unit holds."""

    product: Product
    unit: str
    factor: int
    barcode: str
    changed: int


@dataclass(slots=True)
class Rate:
    """What one unit of a currency was worth in EUR, from a day on."""

    currency: str
    day: int  # days since 1970
    rate: int  # 1/100000
    changed: int


@dataclass(slots=True)
class ExtractRecord:
    """One line of a full extract (location or supplier)."""

    code: str
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PurchaseLine:
    """One line of an order to a supplier as it stands after a change; quantities in 1/1000 of `unit`."""

    order: str
    line: int
    supplier: str
    location: Location
    product: Product
    unit: str  # "" = the product's base unit
    factor: int
    ordered: int
    cost: int  # EUR per unit, 1/10000
    at: int  # instant
    expected: int  # days since 1970
    changed: int  # instant
    first_confirmed: int = 0  # days since 1970; 0 = not confirmed
    confirmed_at: int = 0  # instants; 0 = not yet
    shipped_at: int = 0
    received_at: int = 0
    received: int = 0
    rejected: int = 0
    status: str = "O"  # O open, E done, S withdrawn


@dataclass(frozen=True, slots=True)
class TransferLine:
    """One line of goods sent from the warehouse to a store as it stands after a change; quantities as above."""

    transfer: str
    line: int
    sender: Location
    receiver: Location
    product: Product
    unit: str
    factor: int
    shipped: int
    at: int
    carrier: str
    changed: int
    received_at: int = 0
    received: int = 0
    lost: int = 0


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One line of a web order to be picked up in a store as it stands after a change; 1/1000 base units."""

    order: str
    line: int
    store: Location
    product: Product
    customer: str
    wall: int  # the store's clock
    ordered: int
    price: int  # cents per unit
    changed: int
    reserved: int = 0
    shipped: int = 0
    cancelled: int = 0
    shipped_at: int = 0  # instant


@dataclass(slots=True)
class WebOrder:
    """An order of the web shop as it stands at the end, with what of it was shipped."""

    number: str
    state: str  # draft, open, shipped, cancelled
    test: bool
    customer: str
    coupon: bool
    placed: int  # instant
    changed: int
    lines: list[OrderLine] = field(default_factory=list)
    sales: list[SaleLine] = field(default_factory=list)  # of the lines that were shipped


@dataclass(frozen=True, slots=True)
class WebRefund:
    """Goods of one line that came back."""

    number: str
    back: SaleLine


@dataclass(frozen=True, slots=True)
class WebLine:
    """A line of the web shop's list of order lines: an order's, and a sale's as far as it was shipped."""

    order: OrderLine | None  # None: a draft's or a test's, which is no order
    sale: SaleLine | None


@dataclass(frozen=True, slots=True)
class StoreDay:
    """What a store reports of a day beside its receipts."""

    store: Location
    day: int  # days since 1970
    visitors: int
    labour: int  # 1/1000 hours
    target: int  # cents, in the store's currency
    changed: int


@dataclass(frozen=True, slots=True)
class Tender:
    """One payment of a receipt, or a refund."""

    store: Location
    receipt: str
    number: int
    method: str
    amount: int  # cents, in the store's currency
    changed: int


PaperDocument = PurchaseLine | TransferLine | OrderLine | StoreDay | Tender
Document = SaleLine | Movement | Count | ProductRecord | UnitRecord | Rate | ExtractRecord | PaperDocument | WebLine


@dataclass(slots=True)
class History:
    """All that happened, and what really lay on the shelves at the end of each day."""

    sales: list[tuple[int, Location, list[SaleLine]]] = field(default_factory=list)  # simulated day, store, lines
    movements: list[Movement] = field(default_factory=list)
    counts: list[tuple[int, Location, list[Count]]] = field(default_factory=list)
    rates: list[Rate] = field(default_factory=list)
    papers: list[PaperDocument] = field(default_factory=list)  # every state that a document was in
    unseen: set[tuple[str, int]] = field(default_factory=set)  # location, product: goods disappeared, nobody saw it
    web_orders: list[WebOrder] = field(default_factory=list)
    web_refunds: list[WebRefund] = field(default_factory=list)
    warehouse: dict[str, int] = field(default_factory=dict)  # product -> 1/1000 units that lay there in the end
    true_stock: dict[int, dict[str, int]] = field(default_factory=dict)  # simulated day -> location -> 1/1000 units
    lost_units: int = 0  # 1/1000 units that customers wanted and did not find
