"""The ERP's nightly exports of what the offices write: purchase orders, transfers, web orders and store days (CSV)."""

from __future__ import annotations

from systock.simulator.chain import Chain
from systock.simulator.clock import day_of, iso_utc, iso_wall
from systock.simulator.delivery import (
    ERP_ORDERS,
    ERP_PURCHASES,
    ERP_STORE_DAYS,
    ERP_TRANSFERS,
    Line,
    SourceFile,
    cents,
    ten_thousandths,
    thousandths,
)
from systock.simulator.documents import History, OrderLine, PaperDocument, PurchaseLine, StoreDay, TransferLine
from systock.simulator.erp import night_of, nightly

PURCHASE_COLUMNS = (
    "bestellung", "pos", "lieferant", "werk", "artikel", "menge", "me", "ek_preis", "bestellt", "liefertermin",
    "bestaetigt_zum", "bestaetigt", "versandt", "eingang", "eingang_menge", "abgelehnt", "status", "geaendert",
)  # fmt: skip
TRANSFER_COLUMNS = (
    "umlagerung", "pos", "von", "nach", "artikel", "menge", "me", "versandt", "spedition", "angekommen", "ankunft_menge",
    "verloren", "geaendert",
)  # fmt: skip
ORDER_COLUMNS = (
    "auftrag", "pos", "filiale", "artikel", "kunde", "bestellt", "menge", "preis", "waehrung", "reserviert", "abgeholt",
    "storniert", "abgeholt_am", "geaendert",
)  # fmt: skip
STORE_DAY_COLUMNS = ("filiale", "tag", "auf", "zu", "besucher", "stunden", "plan", "waehrung", "geaendert")


def _instant(at: int) -> str:
    return iso_utc(at) if at else ""


def _date(day: int) -> str:
    return f"{day_of(day):%Y-%m-%d}" if day else ""


def _purchase_text(line: PurchaseLine) -> str:
    return ";".join(
        (
            line.order, str(line.line), line.supplier, line.location.location_id, line.product.product_id,
            thousandths(line.ordered), line.unit, ten_thousandths(line.cost), iso_utc(line.at), _date(line.expected),
            _date(line.first_confirmed), _instant(line.confirmed_at), _instant(line.shipped_at), _instant(line.received_at),
            thousandths(line.received), thousandths(line.rejected), line.status, iso_utc(line.changed),
        )
    )  # fmt: skip


def _transfer_text(line: TransferLine) -> str:
    return ";".join(
        (
            line.transfer, str(line.line), line.sender.location_id, line.receiver.location_id, line.product.product_id,
            thousandths(line.shipped), line.unit, iso_utc(line.at), line.carrier, _instant(line.received_at),
            thousandths(line.received), thousandths(line.lost), iso_utc(line.changed),
        )
    )  # fmt: skip


def _order_text(line: OrderLine) -> str:
    return ";".join(
        (
            line.order, str(line.line), line.store.location_id, line.product.product_id, line.customer, iso_wall(line.wall),
            thousandths(line.ordered), cents(line.price), line.store.currency, thousandths(line.reserved),
            thousandths(line.shipped), thousandths(line.cancelled), _instant(line.shipped_at), iso_utc(line.changed),
        )
    )  # fmt: skip


def _store_day_text(day: StoreDay) -> str:
    closes = int(day.store.closes * 60) % (24 * 60)
    return ";".join(
        (
            day.store.location_id, _date(day.day), f"{day.store.opens:02d}:00", f"{closes // 60:02d}:{closes % 60:02d}",
            str(day.visitors), thousandths(day.labour), cents(day.target), day.store.currency, iso_utc(day.changed),
        )
    )  # fmt: skip


def key_of(paper: PaperDocument) -> tuple[str, ...]:
    """What the states of one document have in common."""
    if isinstance(paper, PurchaseLine):
        return ("purchase", paper.order, str(paper.line))
    if isinstance(paper, TransferLine):
        return ("transfer", paper.transfer, str(paper.line))
    if isinstance(paper, OrderLine):
        return ("order", paper.order, str(paper.line))
    if isinstance(paper, StoreDay):
        return ("store day", paper.store.location_id, str(paper.day))
    return ("tender", paper.receipt, str(paper.number))


def files(chain: Chain, history: History) -> list[SourceFile]:
    """All exports; each holds the last state of the day."""
    last: dict[tuple[object, ...], PaperDocument] = {}
    for paper in sorted(history.papers, key=lambda paper: (paper.changed, key_of(paper))):
        last[(*key_of(paper), night_of(chain, paper.changed))] = paper
    exports: dict[str, list[tuple[int, Line]]] = {
        table: [] for table in (ERP_PURCHASES, ERP_TRANSFERS, ERP_ORDERS, ERP_STORE_DAYS)
    }
    for paper in last.values():
        if isinstance(paper, PurchaseLine):
            exports[ERP_PURCHASES].append((paper.changed, Line(paper, _purchase_text(paper))))
        elif isinstance(paper, TransferLine):
            exports[ERP_TRANSFERS].append((paper.changed, Line(paper, _transfer_text(paper))))
        elif isinstance(paper, OrderLine):
            exports[ERP_ORDERS].append((paper.changed, Line(paper, _order_text(paper))))
        elif isinstance(paper, StoreDay):
            exports[ERP_STORE_DAYS].append((paper.changed, Line(paper, _store_day_text(paper))))
    columns = (PURCHASE_COLUMNS, TRANSFER_COLUMNS, ORDER_COLUMNS, STORE_DAY_COLUMNS)
    names = ("purchases", "transfers", "weborders", "storedays")
    return [
        file
        for name, named, (table, lines) in zip(names, columns, exports.items(), strict=True)
        for file in nightly(chain, table, name, named, lines)
    ]
