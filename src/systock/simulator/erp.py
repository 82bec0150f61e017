"""The ERP: nightly change feeds of products (JSON lines), movements, units and rates (CSV), weekly full lists."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable

from systock.simulator.chain import Chain, Location, Supplier, gtin
from systock.simulator.clock import DAY, day_of, iso_offset, iso_utc, stamp
from systock.simulator.delivery import (
    ERP_LOCATIONS,
    ERP_MOVEMENTS,
    ERP_PRODUCTS,
    ERP_RATES,
    ERP_SUPPLIERS,
    ERP_UNITS,
    Fate,
    Line,
    SourceFile,
    cents,
    quoted,
    ten_thousandths,
    thousandths,
)
from systock.simulator.documents import ExtractRecord, History, Movement, ProductRecord, Rate, UnitRecord

UNIT_COLUMNS = ("art", "einheit", "faktor", "ean", "geaendert")
RATE_COLUMNS = ("von", "nach", "gueltig_ab", "kurs", "gemeldet")
MOVEMENT_COLUMNS = (
    "beleg",
    "pos",
    "art",
    "werk",
    "artikel",
    "menge",
    "me",
    "bestandsart",
    "ek_preis",
    "waehrung",
    "gebucht",
    "umlagerung",
    "charge",
    "mhd",
    "erfasst",
    "geaendert",
)
SUPPLIER_COLUMNS = ("lifnr", "name1", "land1", "plifz")
LOCATION_COLUMNS = (
    "werk",
    "bezeichnung",
    "typ",
    "region",
    "ort",
    "land",
    "zeitzone",
    "tageswechsel",
    "waehrung",
    "eroeffnet",
    "flaeche",
)
UNSIGNED_KINDS = ("UA", "VE")  # documents whose kind says that goods leave: the quantity has no sign


def known_at(chain: Chain, day: int) -> int:
    """The nightly export after a simulated day; -1 is the one before the first day."""
    return (chain.first_day + day + 1) * DAY + 2 * 3600


def night_of(chain: Chain, changed: int) -> int:
    """The simulated day whose export first holds what was changed at an instant."""
    return max(-1, changed // DAY - chain.first_day)


def path_of(name: str, chain: Chain, day: int, suffix: str, known: int) -> str:
    """Where a file of that export lies."""
    return f"incoming/erp/{name}_{day_of(chain.first_day + day):%Y-%m-%d}_{stamp(known)}.{suffix}"


def product_text(record: ProductRecord) -> str:
    """One line of the product feed: prices as objects, the category path as a list, decimals as text."""
    product, version = record.product, record.version
    return json.dumps(
        {
            "art": product.product_id,
            "ean": product.gtin or None,
            "bezeichnung": version.name,
            "marke": product.brand or None,
            "warengruppe": list(product.category),
            "groesse": product.size or None,
            "farbe": product.colour or None,
            "lieferant": product.supplier_id or None,
            "basiseinheit": product.base_unit,
            "preis": {"betrag": cents(version.price), "waehrung": "EUR"},
            "ek": ten_thousandths(version.cost),
            "bestandsgefuehrt": product.stocked,
            "status": version.status,
            "geaendert": iso_utc(version.at),
        },
        ensure_ascii=False,
    )


def unit_text(record: UnitRecord) -> str:
    """One line of the units."""
    return f"{record.product.product_id};{record.unit};{record.factor};{record.barcode};{iso_utc(record.changed)}"


def rate_text(rate: Rate) -> str:
    """One line of the rates."""
    value = f"{rate.rate // 100_000}.{rate.rate % 100_000:05d}"
    return f"{rate.currency};EUR;{day_of(rate.day):%Y-%m-%d};{value};{iso_utc(rate.changed)}"


def movement_text(movement: Movement) -> str:
    """One line of the goods movements."""
    quantity = abs(movement.quantity) if movement.kind in UNSIGNED_KINDS else movement.quantity
    cost, currency = (ten_thousandths(movement.cost), "EUR") if movement.cost else ("", "")
    expiry = f"{day_of(movement.expiry):%Y-%m-%d}" if movement.expiry else ""
    booked = iso_offset(movement.at, movement.location.zone)
    return (
        f"{movement.document};{movement.line};{movement.kind};{movement.location.location_id};{movement.product.product_id};"
        f"{thousandths(quantity)};{movement.unit};{movement.status};{cost};{currency};"
        f"{booked};{movement.transfer};{movement.lot};{expiry};{iso_utc(movement.entered)};{iso_utc(movement.changed)}"
    )


def _products(chain: Chain) -> list[SourceFile]:
    nights: dict[int, list[Line]] = defaultdict(list)
    for product in chain.products:
        for version in product.versions:
            record = ProductRecord(product, version)
            nights[night_of(chain, version.at)].append(Line(record, product_text(record)))
    return [
        SourceFile(
            ERP_PRODUCTS,
            path_of("products", chain, night, "jsonl", known_at(chain, night)),
            known_at(chain, night),
            lines,
        )
        for night, lines in sorted(nights.items())
    ]


def nightly(
    chain: Chain, table: str, name: str, columns: tuple[str, ...], lines: Iterable[tuple[int, Line]]
) -> list[SourceFile]:
    """A file a night with what was changed since the one before; lines: when each was changed."""
    nights: dict[int, list[Line]] = defaultdict(list)
    for changed, line in lines:
        nights[night_of(chain, changed)].append(line)
    return [
        SourceFile(
            table,
            path_of(name, chain, night, "csv", known_at(chain, night)),
            known_at(chain, night),
            made,
            head=(";".join(columns),),
        )
        for night, made in sorted(nights.items())
    ]


def _units(chain: Chain) -> list[SourceFile]:
    lines = []
    for product in chain.products:
        if product.case_units:
            changed = product.versions[0].at
            lines.append(
                (changed, UnitRecord(product, "CS", product.case_units, gtin(f"1{product.gtin[:-1]}"), changed))
            )
    return nightly(
        chain,
        ERP_UNITS,
        "units",
        UNIT_COLUMNS,
        ((changed, Line(record, unit_text(record))) for changed, record in lines),
    )


def supplier_cells(supplier: Supplier) -> tuple[str, ...]:
    """One line of the supplier list."""
    return (supplier.supplier_id, quoted(supplier.name, ";"), supplier.country, str(supplier.lead_days))


def location_cells(location: Location) -> tuple[str, ...]:
    """One line of the location list."""
    cutover = f"{location.cutover // 3600:02d}:00:00"
    return (
        location.location_id,
        location.name,
        location.kind,
        location.region,
        location.city,
        location.country,
        location.zone.name,
        cutover,
        location.currency,
        f"{location.opened:%d.%m.%Y}",
        location.area,
    )


def _extracts(
    chain: Chain, table: str, name: str, title: str, columns: tuple[str, ...], weekly: list[list[tuple[str, ...]]]
) -> list[SourceFile]:
    """A full extract a week, cp1252 with Windows line ends, two lines of title above and a total below."""
    made: list[SourceFile] = []
    before: dict[str, tuple[str, ...]] = {}
    for week, rows in enumerate(weekly):
        night = week * 7 - 1
        known = known_at(chain, night)
        lines = [
            Line(
                ExtractRecord(cells[0], cells),
                ";".join(cells),
                Fate.UNCHANGED if before.get(cells[0]) == cells else Fate.KEPT,
            )
            for cells in rows
        ]
        head = (title, f"Stand: {day_of(chain.first_day + night + 1):%d.%m.%Y} 02:00", ";".join(columns))
        made.append(
            SourceFile(
                table,
                path_of(name, chain, night + 1, "csv", known),
                known,
                lines,
                head,
                (f"Anzahl Datensätze: {len(rows)}",),
                "cp1252",
                "\r\n",
            )
        )
        before = {cells[0]: cells for cells in rows}
    return made


def _supplier_weeks(chain: Chain) -> list[list[tuple[str, ...]]]:
    """One supplier changes its lead time, one goes, one comes."""
    weeks = []
    count = (chain.days + 6) // 7
    for week in range(count):
        rows = {supplier.supplier_id: supplier_cells(supplier) for supplier in chain.suppliers}
        first, last = chain.suppliers[0], chain.suppliers[-1]
        if week >= count // 2 > 0:
            rows[first.supplier_id] = supplier_cells(
                Supplier(first.supplier_id, first.name, first.country, first.lead_days + 2)
            )
            rows["70099"] = ("70099", "Nachfolger Öko-Handel", "AT", "5")
        if week >= (count * 2) // 3 > 0:
            del rows[last.supplier_id]
        weeks.append(list(rows.values()))
    return weeks


def _location_weeks(chain: Chain) -> list[list[tuple[str, ...]]]:
    """The first store is enlarged and renamed halfway."""
    weeks = []
    count = (chain.days + 6) // 7
    for week in range(count):
        rows = [location_cells(location) for location in chain.places]
        if week >= count // 2 > 0:
            cells = list(rows[1])
            cells[1], cells[-1] = f"{cells[1]} (Umbau)", "698,75"
            rows[1] = tuple(cells)
        weeks.append(rows)
    return weeks


def files(chain: Chain, history: History) -> list[SourceFile]:
    """All exports."""
    movements = sorted(history.movements, key=lambda movement: (movement.changed, movement.document, movement.line))
    return [
        *_products(chain),
        *_units(chain),
        *_extracts(chain, ERP_SUPPLIERS, "suppliers", "Lieferantenübersicht", SUPPLIER_COLUMNS, _supplier_weeks(chain)),
        *_extracts(chain, ERP_LOCATIONS, "locations", "Standortliste", LOCATION_COLUMNS, _location_weeks(chain)),
        *nightly(
            chain,
            ERP_RATES,
            "rates",
            RATE_COLUMNS,
            ((rate.changed, Line(rate, rate_text(rate))) for rate in history.rates),
        ),
        *nightly(
            chain,
            ERP_MOVEMENTS,
            "movements",
            MOVEMENT_COLUMNS,
            ((m.changed, Line(m, movement_text(m))) for m in movements),
        ),
    ]
