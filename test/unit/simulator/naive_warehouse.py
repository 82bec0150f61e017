"""A second opinion on the simulated files: reads them as they lie there, in the plainest way.

It shares no code with the simulator (nor with SyStock): what it knows are the mappings' rules, written out by hand.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from pathlib import Path
from zoneinfo import ZoneInfo

Row = dict[str, str]
KEYS = {
    "pos.sales": ("receipt", "line"),
    "desk.returns": ("receipt", "line"),
    "erp.movements": ("beleg", "pos"),
    "erp.exchange_rates": ("von", "nach", "gueltig_ab"),
    "erp.product_units": ("art", "einheit"),
    "erp.products": ("art", "geaendert"),
    "counts.sheets": ("beleg", "zeile"),
    "erp.purchases": ("bestellung", "pos"),
    "erp.transfers": ("umlagerung", "pos"),
    "erp.web_orders": ("auftrag", "pos"),
    "erp.store_days": ("filiale", "tag"),
    "pos.tenders": ("receipt", "tender_no"),
}
CHANGED = {
    "pos.sales": "changed_at",
    "desk.returns": "changed_at",
    "pos.tenders": "changed_at",
    "erp.exchange_rates": "gemeldet",
}
FOLDERS = {
    "sales": "pos.sales",
    "inventur": "counts.sheets",
    "movements": "erp.movements",
    "rates": "erp.exchange_rates",
}
FOLDERS |= {"units": "erp.product_units", "products": "erp.products", "purchases": "erp.purchases"}
FOLDERS |= {"transfers": "erp.transfers", "weborders": "erp.web_orders", "storedays": "erp.store_days"}
FOLDERS |= {"tenders": "pos.tenders", "returns": "desk.returns"}
FOUR = Decimal("0.0001")


@dataclass
class Delivered:
    table: str
    path: str
    known_at: str
    columns: list[str]
    rows: list[tuple[int, list[str] | None]]  # physical row, cells (None: cannot be split)


@dataclass
class State:
    """What is known so far."""

    rows: dict[str, dict[tuple[str, ...], Row]] = field(default_factory=lambda: defaultdict(dict))
    seen: dict[str, set[tuple[str, ...]]] = field(default_factory=lambda: defaultdict(set))
    counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))


def deliveries(folder: Path) -> list[Delivered]:
    """All readable files but the full extracts, each content once, in the order in which they became known."""
    found, contents = [], set()
    for path in folder.glob("incoming/*/*"):
        table = FOLDERS.get(path.name.split("_")[0])
        if table is None:
            continue
        stamp = datetime.strptime(re.findall(r"k(\d{8}T\d{6})Z", path.name)[0], "%Y%m%dT%H%M%S")
        content = path.read_bytes()
        if path.suffix == ".gz":
            try:
                content = gzip.decompress(content)
            except EOFError:
                continue
        found.append(
            (
                stamp.strftime("%Y-%m-%dT%H:%M:%SZ"),
                table,
                path.relative_to(folder).as_posix(),
                content.decode("utf-8-sig"),
            )
        )
    made = []
    for known, table, path, text in sorted(found):
        if (table, text) in contents:
            continue
        contents.add((table, text))
        made.append(Delivered(table, path, known, *_split(table, text)))
    return made


def _split(table: str, text: str) -> tuple[list[str], list[tuple[int, list[str] | None]]]:
    if table == "erp.products":
        columns, rows = ["art", "geaendert", "text"], []
        for number, line in enumerate(text.splitlines(), start=1):
            try:
                record = json.loads(line)
                rows.append((number, [record["art"], record["geaendert"], line]))
            except json.JSONDecodeError:
                rows.append((number, None))
        return columns, rows
    lines = list(csv.reader(io.StringIO(text), delimiter="," if table.startswith(("pos.", "desk.")) else ";"))
    width = len(lines[0])
    return lines[0], [
        (number, cells if len(cells) == width else None) for number, cells in enumerate(lines[1:], start=2)
    ]


def _number(text: str, whole: int, decimals: int) -> Decimal:
    number = Decimal(text)
    if number != number.quantize(Decimal(1).scaleb(-decimals)) or abs(number) >= 10**whole:
        raise ValueError(text)
    return number


def is_good(table: str, row: Row) -> bool:
    """Would the contract take the row?"""
    try:
        if table == "pos.sales":
            datetime.strptime(row["sold_at"], "%Y-%m-%d %H:%M:%S")
            _number(row["qty"], 15, 3), _number(row["unit_price"], 12, 6), _number(row["discount"], 14, 4)
            return row["article"] != "" and row["kind"] in ("S", "R")
        if table == "erp.movements":
            datetime.fromisoformat(row["gebucht"])
            _number(row["menge"], 15, 3)
        if table == "counts.sheets":
            datetime.strptime(row["zaehldatum"], "%d.%m.%Y")
            _number(row["menge"].replace(".", "").replace(",", "."), 15, 3)
    except (ValueError, InvalidOperation):
        return False
    return True


def learn(state: State, file: Delivered) -> None:
    """Take one file: quarantine, duplicates, what is superseded in the file, ties, then what is new."""
    counts, groups = state.counts[file.table], defaultdict(list)
    for _, cells in file.rows:
        counts["lines"] += 1
        if cells is None or cells == file.columns:
            counts["malformed"] += 1
            counts["quarantined"] += 1
            continue
        row = dict(zip(file.columns, cells, strict=True))
        if row.get("menge") == "" and file.table == "counts.sheets":
            counts["left_out"] += 1
        elif not is_good(file.table, row):
            counts["quarantined"] += 1
        elif cells in [other for other, _ in groups[tuple(row[name] for name in KEYS[file.table])]]:
            counts["duplicates"] += 1
        else:
            groups[tuple(row[name] for name in KEYS[file.table])].append((cells, row))
    changed = CHANGED.get(file.table, "geaendert")
    for key, versions in groups.items():
        if not versions:
            continue
        last = max(row.get(changed, "") for _, row in versions)
        newest = [version for version in versions if version[1].get(changed, "") == last]
        counts["superseded"] += len(versions) - len(newest)
        if len(newest) > 1:
            counts["quarantined"] += len(newest)
        elif tuple(newest[0][0]) in state.seen[file.table]:
            counts["unchanged"] += 1
        else:
            same_file = [other for other in groups if other[0] == key[0] and file.table == "erp.products"]
            counts["superseded" if key < max(same_file, default=key) else "kept"] += 1
            state.seen[file.table].add(tuple(newest[0][0]))
            before = state.rows[file.table].get(key)
            if before is None or before.get(changed, "") <= last:
                state.rows[file.table][key] = newest[0][1]


@dataclass(frozen=True)
class Place:
    zone: ZoneInfo
    cutover: time
    currency: str


def places(folder: Path) -> dict[str, Place]:
    """From the first location list."""
    path = min(folder.glob("incoming/erp/locations_*.csv"))
    lines = path.read_bytes().decode("cp1252").splitlines()
    records = csv.DictReader(lines[2:-1], delimiter=";")
    return {
        r["werk"]: Place(ZoneInfo(r["zeitzone"]), time.fromisoformat(r["tageswechsel"]), r["waehrung"]) for r in records
    }


def business_date(instant: datetime, place: Place) -> date:
    """The local day, begun at the cutover."""
    local = instant.astimezone(place.zone).replace(tzinfo=None)
    return (local - timedelta(hours=place.cutover.hour, minutes=place.cutover.minute)).date()


def instant_of(text: str, zone: ZoneInfo) -> datetime:
    """Ambiguous: the second; skipped: shifted forward."""
    wall = datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=zone)
    second = wall.replace(fold=1).astimezone(UTC)
    return second if second.astimezone(zone).replace(tzinfo=None) == wall.replace(tzinfo=None) else wall.astimezone(UTC)


def counted_sales(
    state: State, known: dict[str, Place], tables: tuple[str, ...] = ("pos.sales", "desk.returns")
) -> Iterator[tuple[str, date, Row]]:
    for row in [row for table in tables for row in state.rows[table].values()]:
        place = "S" + row["store_no"]
        if row["status"] not in ("V", "T"):
            yield place, business_date(instant_of(row["sold_at"], known[place].zone), known[place]), row


def sales(state: State, known: dict[str, Place]) -> dict[tuple[str, str], dict[str, Decimal]]:
    """(location, business date) -> measures, named as in the answer key."""
    rates = defaultdict(list)
    for row in state.rows["erp.exchange_rates"].values():
        rates[row["von"]].append((row["gueltig_ab"], Decimal(row["kurs"])))
    totals: dict[tuple[str, str], dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for place, day, row in counted_sales(state, known):
        quantity, discount, tax = Decimal(row["qty"]), Decimal(row["discount"]), Decimal(row["tax"])
        gross = quantity * Decimal(row["unit_price"])
        net = gross - discount - (tax if row["tax_included"] == "Y" else 0)
        rate = (
            Decimal(1)
            if row["currency"] == "EUR"
            else max(r for r in rates[row["currency"]] if r[0] <= day.isoformat())[1]
        )
        total = totals[place, day.isoformat()]
        total["lines"] += 1
        total["units"] += quantity
        total["receipt_gross_amount"] += gross
        total["receipt_discount_amount"] += discount
        if row["tax_included"] == "Y" and tax:
            discount = (discount * net / (net + tax)).quantize(FOUR, ROUND_HALF_UP)
        total["gross_amount"] += net + discount
        total["discount_amount"] += discount
        total["tax_amount"] += tax
        total["net_amount"] += net
        total["net_amount_eur"] += (net * rate).quantize(FOUR, ROUND_HALF_UP)
        total["sold_units" if row["kind"] == "S" else "returned_units"] += abs(quantity)
        total["sold_net_amount" if row["kind"] == "S" else "returned_net_amount"] += net if row["kind"] == "S" else -net
    return totals


def on_hand(state: State, known: dict[str, Place], end: str) -> dict[tuple[str, str, str], Decimal]:
    """(location, product, status) -> units at the end of a business date."""
    services = {
        key[0] for key, row in state.rows["erp.products"].items() if not json.loads(row["text"])["bestandsgefuehrt"]
    }
    base = {key[0]: json.loads(row["text"])["basiseinheit"] for key, row in state.rows["erp.products"].items()}
    moves: dict[tuple[str, str, str], list[tuple[str, Decimal]]] = defaultdict(list)
    anchors: dict[tuple[str, str, str], tuple[str, Decimal]] = {}
    for row in state.rows["erp.movements"].values():
        day = business_date(datetime.fromisoformat(row["gebucht"]), known[row["werk"]]).isoformat()
        status = "damaged" if row["bestandsart"] == "D" else "sellable"
        quantity = Decimal(row["menge"]) * (-1 if row["art"] in ("UA", "VE") else 1)
        if row["me"] not in ("", base.get(row["artikel"])):
            unit = state.rows["erp.product_units"].get((row["artikel"], row["me"]))
            if unit is None:
                continue
            quantity *= Decimal(unit["faktor"])
        place = (row["werk"], row["artikel"], status)
        moves[place].append((day, quantity))
        if row["art"] == "AB" and day <= end:
            anchors[place] = ("", Decimal(0))
    for store, when, row in counted_sales(state, known, ("pos.sales",)):
        if row["article"].upper() not in services:
            moves[store, row["article"].upper(), "sellable"].append((when.isoformat(), -Decimal(row["qty"])))
    for row in sorted(state.rows["counts.sheets"].values(), key=lambda row: row["zaehldatum"][::-1]):
        day = datetime.strptime(row["zaehldatum"], "%d.%m.%Y").date().isoformat()
        place = (row["filiale"], row["artikel"].upper(), "sellable")
        if day <= end and day >= anchors.get(place, ("", 0))[0]:
            anchors[place] = (day, Decimal(row["menge"].replace(".", "").replace(",", ".")))
    return {
        place: quantity + sum((moved for day, moved in moves[place] if since < day <= end), Decimal(0))
        for place, (since, quantity) in anchors.items()
    }
