"""What a right warehouse says of the offices' documents at a knowledge time: rows of the answer key."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class PurchaseFigures:
    """Orders to one supplier; withdrawn lines left out. Due: to be delivered by the last day with any fact."""

    known_at: str
    supplier_id: str
    order_lines: int
    due_lines: int
    due_units: Decimal
    filled_units: Decimal  # the smaller of accepted and ordered, per line due
    fill_ratio: Decimal | None
    on_time_in_full_lines: int
    on_time_in_full_ratio: Decimal | None
    received_lines: int
    mean_lead_time_days: Decimal | None
    lead_time_deviation_days: Decimal | None
    received_units: Decimal
    rejected_units: Decimal
    on_order_units: Decimal


@dataclass(frozen=True, slots=True)
class TransferFigures:
    """Goods sent from one place to another."""

    known_at: str
    from_location_id: str
    to_location_id: str
    lines: int
    shipped_units: Decimal
    received_units: Decimal
    lost_units: Decimal
    in_transit_units: Decimal


@dataclass(frozen=True, slots=True)
class WebOrderFigures:
    """Web orders to be picked up at one place."""

    known_at: str
    location_id: str
    lines: int
    ordered_units: Decimal
    shipped_units: Decimal
    cancelled_units: Decimal
    open_units: Decimal
    reserved_units: Decimal


@dataclass(frozen=True, slots=True)
class StoreDayFigures:
    """A reported day; the target in EUR at the latest known rate up to that day."""

    known_at: str
    location_id: str
    business_date: str
    visitors: int
    labour_hours: Decimal
    open_hours: Decimal
    target_amount_eur: Decimal | None


@dataclass(frozen=True, slots=True)
class PaymentFigures:
    """Payments of one kind at one place and business date, of receipts that are known."""

    known_at: str
    location_id: str
    business_date: str
    method: str
    payments: int
    amount: Decimal
    amount_eur: Decimal | None


@dataclass(frozen=True, slots=True)
class HeldPayment:
    """A payment of a receipt of which no line is known."""

    known_at: str
    receipt: str
    number: str
    reason: str = "sale not known"


ROWS: dict[str, type[Any]] = {
    "purchases": PurchaseFigures,
    "transfers": TransferFigures,
    "web_orders": WebOrderFigures,
    "store_days": StoreDayFigures,
    "payments": PaymentFigures,
    "held_payments": HeldPayment,
}


@dataclass(slots=True)
class PaperAnswers:
    """All of them, at all knowledge times."""

    purchases: list[PurchaseFigures] = field(default_factory=list)
    transfers: list[TransferFigures] = field(default_factory=list)
    web_orders: list[WebOrderFigures] = field(default_factory=list)
    store_days: list[StoreDayFigures] = field(default_factory=list)
    payments: list[PaymentFigures] = field(default_factory=list)
    held_payments: list[HeldPayment] = field(default_factory=list)
