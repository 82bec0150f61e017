"""The count sheets: a spreadsheet export per place and count: semicolons, decimal commas, day before month."""

from __future__ import annotations

from systock.simulator.chain import Chain
from systock.simulator.clock import DAY, day_of, stamp
from systock.simulator.delivery import COUNTS_SHEETS, Fate, Line, SourceFile, thousandths
from systock.simulator.documents import Count, History

COLUMNS = ("beleg", "zeile", "filiale", "artikel", "zaehldatum", "menge", "bereich")


def german(quantity: int) -> str:
    """1250000 -> 1.250,000."""
    whole, rest = thousandths(quantity).split(".")
    return f"{whole[:-3]}.{whole[-3:]},{rest}" if len(whole) > 3 else f"{whole},{rest}"


def line_text(count: Count) -> str:
    """One line of the sheet."""
    quantity = "" if count.quantity is None else german(count.quantity)
    cells = (
        count.sheet,
        str(count.line),
        count.location.location_id,
        count.product.product_id,
        f"{day_of(count.day):%d.%m.%Y}",
        quantity,
        count.area,
    )
    return ";".join(cells)


def files(chain: Chain, history: History, suffix: str = "csv") -> list[SourceFile]:
    """One file per count, csv or xlsx; lines that nobody counted are left out by the mapping."""
    made = []
    for day, location, counts in history.counts:
        known = (chain.first_day + day + 1) * DAY + (10 * 3600 + 1800 if location.country == "US" else 4 * 3600 + 1800)
        counted = f"{day_of(chain.first_day + day):%Y-%m-%d}"
        path = f"incoming/counts/inventur_{location.location_id}_{counted}_{stamp(known)}.{suffix}"
        lines = [
            Line(count, line_text(count), Fate.KEPT if count.quantity is not None else Fate.LEFT_OUT)
            for count in counts
        ]
        # spreadsheets write a byte order mark and Windows line ends
        made.append(
            SourceFile(
                COUNTS_SHEETS, path, known, lines, head=(";".join(COLUMNS),), encoding="utf-8-sig", newline="\r\n"
            )
        )
    return made
