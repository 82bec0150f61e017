"""A second opinion on the offices' documents: sums of the files' own lines, in Decimals; shares no code with the simulator."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from statistics import stdev
from typing import Any
from zoneinfo import ZoneInfo

from .naive_warehouse import FOUR, Place, Row, State, business_date, instant_of

Rows = Iterator[tuple[Any, ...]]
THREE = Decimal("0.001")


def all_figures(state: State, known: dict[str, Place]) -> dict[str, list[tuple[Any, ...]]]:
    """Every list of the key without its knowledge time."""
    payments, held = _payments(state, known)
    return {
        "purchases": list(_purchases(state, known)),
        "transfers": list(_transfers(state)),
        "web_orders": list(_web_orders(state)),
        "store_days": list(_store_days(state, known)),
        "payments": payments,
        "held_payments": held,
    }


def _factor(state: State, row: Row) -> Decimal:
    return Decimal(state.rows["erp.product_units"][row["artikel"], "CS"]["faktor"] if row["me"] == "CS" else 1)


def _day(text: str, place: Place) -> date:
    return business_date(datetime.fromisoformat(text), place)


def _ratio(part: Decimal | int, whole: Decimal | int) -> Decimal | None:
    return (Decimal(part) / whole).quantize(FOUR, ROUND_HALF_UP) if whole else None


def _last_day(state: State, known: dict[str, Place]) -> date:
    days = [
        business_date(instant_of(row["sold_at"], known["S" + row["store_no"]].zone), known["S" + row["store_no"]])
        for row in state.rows["pos.sales"].values()
    ]
    for row in state.rows["erp.movements"].values():
        if not row["me"].startswith("PAL") or (row["artikel"], row["me"]) in state.rows["erp.product_units"]:
            days.append(_day(row["gebucht"], known[row["werk"]]))
    days += [datetime.strptime(r["zaehldatum"], "%d.%m.%Y").date() for r in state.rows["counts.sheets"].values()]
    days += [_day(row["bestellt"], known[row["werk"]]) for row in state.rows["erp.purchases"].values()]
    return max(days)


def _purchases(state: State, known: dict[str, Place]) -> Rows:
    last = _last_day(state, known)
    suppliers: dict[str, list[Row]] = defaultdict(list)
    for row in state.rows["erp.purchases"].values():
        if row["status"] != "S":
            suppliers[row["lieferant"]].append(row)
    for supplier, rows in suppliers.items():
        lines = due = in_time = 0
        sums: dict[str, Decimal] = defaultdict(lambda: Decimal("0.000"))
        lead = []
        for row in rows:
            place, factor = known[row["werk"]], _factor(state, row)
            ordered, received, rejected = (
                Decimal(row[name]) * factor for name in ("menge", "eingang_menge", "abgelehnt")
            )
            promised = date.fromisoformat(row["bestaetigt_zum"] or row["liefertermin"])
            lines += 1
            sums["received"] += received
            sums["rejected"] += rejected
            if row["status"] == "O":
                sums["on order"] += max(Decimal(0), ordered - (received - rejected))
            if received:
                lead.append((_day(row["eingang"], place) - _day(row["bestellt"], place)).days)
            if promised <= last:
                due += 1
                sums["due"] += ordered
                sums["filled"] += min(ordered, received - rejected)
                in_time += received - rejected >= ordered and _day(row["eingang"], place) <= promised
        yield (
            supplier, lines, due, sums["due"], sums["filled"], _ratio(sums["filled"], sums["due"]), in_time,
            _ratio(in_time, due), len(lead), _ratio(sum(lead), len(lead)),
            Decimal(stdev(lead)).quantize(FOUR) if len(lead) > 1 else None, sums["received"], sums["rejected"], sums["on order"],
        )  # fmt: skip


def _transfers(state: State) -> Rows:
    routes: dict[tuple[str, str], list[Decimal]] = defaultdict(lambda: [Decimal("0.000")] * 4)
    for row in state.rows["erp.transfers"].values():
        sums, factor = routes[row["von"], row["nach"]], _factor(state, row)
        amounts = [Decimal(row[name]) * factor for name in ("menge", "ankunft_menge", "verloren")]
        routes[row["von"], row["nach"]] = [a + b for a, b in zip(sums, [Decimal(1), *amounts], strict=True)]
    for route, (count, shipped, received, lost) in routes.items():
        yield (*route, int(count), shipped, received, lost, shipped - received - lost)


def _web_orders(state: State) -> Rows:
    places: dict[str, list[Decimal]] = defaultdict(lambda: [Decimal("0.000")] * 5)
    for row in state.rows["erp.web_orders"].values():
        amounts = [Decimal(row[name]) for name in ("menge", "abgeholt", "storniert", "reserviert")]
        sums = places[row["filiale"]]
        places[row["filiale"]] = [a + b for a, b in zip(sums, [Decimal(1), *amounts], strict=True)]
    for place, (count, ordered, shipped, cancelled, reserved) in places.items():
        yield place, int(count), ordered, shipped, cancelled, ordered - shipped - cancelled, reserved


def _in_eur(state: State, amount: Decimal, currency: str, day: str) -> Decimal:
    rates = [
        (row["gueltig_ab"], Decimal(row["kurs"]))
        for row in state.rows["erp.exchange_rates"].values()
        if row["von"] == currency and row["gueltig_ab"] <= day
    ]
    return (amount * (Decimal(1) if currency == "EUR" else max(rates)[1])).quantize(FOUR, ROUND_HALF_UP)


def _store_days(state: State, known: dict[str, Place]) -> Rows:
    for row in state.rows["erp.store_days"].values():
        zone: ZoneInfo = known[row["filiale"]].zone
        opened, closed = (datetime.fromisoformat(f"{row['tag']}T{row[name]}") for name in ("auf", "zu"))
        closed += timedelta(days=1) if closed <= opened else timedelta()
        open_for = closed.replace(tzinfo=zone).astimezone(UTC) - opened.replace(tzinfo=zone).astimezone(UTC)
        yield (
            row["filiale"], row["tag"], int(row["besucher"]), Decimal(row["stunden"]),
            (Decimal(int(open_for.total_seconds())) / 3600).quantize(THREE, ROUND_HALF_UP),
            _in_eur(state, Decimal(row["plan"]), row["waehrung"], row["tag"]),
        )  # fmt: skip


def _payments(state: State, known: dict[str, Place]) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    receipts = {}
    for row in state.rows["pos.sales"].values():
        place = "S" + row["store_no"]
        day = business_date(instant_of(row["sold_at"], known[place].zone), known[place]).isoformat()
        receipts[row["receipt"]] = (place, day)
    groups: dict[tuple[str, str, str], list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal("0.00"), Decimal(0)])
    held: list[tuple[Any, ...]] = []
    for row in state.rows["pos.tenders"].values():
        if row["receipt"] not in receipts:
            held.append((row["receipt"], row["tender_no"], "sale not known"))
            continue
        place, day = receipts[row["receipt"]]
        sums = groups[place, day, {"B": "cash", "K": "card", "G": "voucher"}[row["method"]]]
        amount = Decimal(row["amount"])
        sums[0] += 1
        sums[1] += amount
        sums[2] += _in_eur(state, amount, row["currency"], day)
    return [(*group, int(count), amount, eur) for group, (count, amount, eur) in groups.items()], held
