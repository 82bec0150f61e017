"""The tills: gzipped CSVs of receipts and payments per store and business day, in the store's wall clock and currency."""

from __future__ import annotations

from systock.simulator.chain import Chain, Location
from systock.simulator.clock import DAY, day_of, iso_utc, iso_wall, stamp
from systock.simulator.delivery import POS_SALES, POS_TENDERS, Line, SourceFile, cents, quoted, thousandths
from systock.simulator.documents import History, SaleLine, Tender

COLUMNS = (
    "receipt",
    "line",
    "store_no",
    "till",
    "cashier",
    "sold_at",
    "kind",
    "status",
    "article",
    "article_text",
    "qty",
    "unit_price",
    "discount",
    "tax",
    "currency",
    "tax_included",
    "promo",
    "customer",
    "orig_receipt",
    "orig_line",
    "changed_at",
)
TENDER_COLUMNS = ("receipt", "tender_no", "method", "amount", "currency", "changed_at")
NEW_COLUMN = "loyalty_points"  # a till release in the middle of the simulated time adds it


def known_at(chain: Chain, store: Location, day: int) -> int:
    """When the file of a simulated day arrives: the night after, American stores some hours later."""
    return (chain.first_day + day + 1) * DAY + (10 * 3600 + 1800 if store.country == "US" else 4 * 3600 + 1800)


def has_new_column(chain: Chain, known: int) -> bool:
    """Is a file that arrives then written by the new till release?"""
    return known >= (chain.first_day + chain.days // 2 + 1) * DAY


def header(wide: bool) -> str:
    """The line with the column names."""
    return ",".join((*COLUMNS, NEW_COLUMN) if wide else COLUMNS)


def line_text(sale: SaleLine, wide: bool) -> str:
    """One line of the export."""
    store, product = sale.store, sale.product
    name = quoted(product.versions[0].name, ",") if product else "?"
    text = (
        f"{sale.receipt},{sale.line},{store.number},{sale.till},{sale.cashier},{iso_wall(sale.wall)},{sale.kind},{sale.status},"
        f"{sale.article},{name},{thousandths(sale.quantity)},{cents(sale.price)},{cents(sale.discount)},{cents(sale.tax)},"
        f"{store.currency},{'Y' if store.prices_include_tax else 'N'},{sale.promotion},{sale.customer},"
        f"{sale.original[0]},{sale.original[1]},{iso_utc(sale.changed)}"
    )
    if wide:
        text += f",{max(0, sale.gross // 10_000)}" if sale.customer else ","
    return text


def path_of(store: Location, day: int, known: int, mark: str = "", name: str = "sales") -> str:
    """Where a file lies; `day` since 1970, `mark` for files beside the daily one."""
    return f"incoming/pos/{name}_{store.location_id}_{day_of(day):%Y-%m-%d}{mark}_{stamp(known)}.csv.gz"


def files(chain: Chain, history: History) -> list[SourceFile]:
    """A file of receipts and one of payments per store and day on which it traded."""
    payments: dict[str, list[Line]] = {}
    for paper in history.papers:
        if isinstance(paper, Tender):
            text = f"{paper.receipt},{paper.number},{paper.method},{cents(paper.amount)},{paper.store.currency}"
            payments.setdefault(paper.receipt, []).append(Line(paper, f"{text},{iso_utc(paper.changed)}"))
    made = []
    for day, store, sales in history.sales:
        known, today = known_at(chain, store, day), chain.first_day + day
        wide = has_new_column(chain, known)
        lines = [Line(sale, line_text(sale, wide)) for sale in sales]
        made.append(SourceFile(POS_SALES, path_of(store, today, known), known, lines, head=(header(wide),)))
        paid = [line for receipt in dict.fromkeys(sale.receipt for sale in sales) for line in payments.get(receipt, [])]
        path = path_of(store, today, known, name="tenders")
        made.append(SourceFile(POS_TENDERS, path, known, paid, head=(",".join(TENDER_COLUMNS),)))
    return made
