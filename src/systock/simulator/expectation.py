"""From the delivered lines to the answer key: a fold of the simulator's own documents, in whole numbers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from decimal import Decimal

from systock.simulator.answer_key import FileKey, OnHand, ProductVersionKey, SalesDay, StockTotal, TableKey
from systock.simulator.chain import Chain
from systock.simulator.clock import DAY, day_of, iso_utc
from systock.simulator.count_books import CountFigures, explained_counts
from systock.simulator.delivery import Fate, FileFate, Line, SourceFile
from systock.simulator.documents import (
    Count,
    History,
    Movement,
    PaperDocument,
    ProductRecord,
    Rate,
    SaleLine,
    UnitRecord,
    WebLine,
    half_away,
)
from systock.simulator.paper_books import PaperBooks
from systock.simulator.paper_figures import PaperAnswers

_STATUS = {"": "sellable", "D": "damaged"}
_PLACE = tuple[str, str, str]  # location, product, status


def knowledge_days(chain: Chain) -> list[int]:
    """The days (since 1970) at whose noon (UTC) the earlier questions are asked."""
    return sorted({chain.first_day + max(1, chain.days * share // 100) for share in (35, 60, 85)})


def _amount(value: int) -> Decimal:
    return Decimal(value).scaleb(-4)


def _units(value: int) -> Decimal:
    return Decimal(value).scaleb(-3)


class Expectation:
    """What is known so far; `learn` takes lines in the order in which they become known."""

    def __init__(self, chain: Chain, history: History) -> None:
        self._chain, self._history = chain, history
        self._current: dict[tuple[str, ...], tuple[int, SaleLine | Movement | Rate]] = {}
        # location, business day -> lines, units, sold, returned, printed gross and discount, discount without tax, tax,
        # net, sold net, returned net
        self._days: dict[tuple[str, int], list[int]] = defaultdict(lambda: [0] * 11)
        self._nets: dict[tuple[str, int], Counter[int]] = defaultdict(Counter)
        self._receipts: dict[tuple[str, int], Counter[str]] = defaultdict(Counter)
        self._moved: dict[_PLACE, dict[int, int]] = defaultdict(lambda: defaultdict(int))
        self._openings: dict[_PLACE, int] = {}
        self._counted: dict[_PLACE, dict[int, int]] = defaultdict(dict)
        self._unconverted: dict[tuple[str, ...], Movement] = {}
        self._unit_factors: dict[tuple[str, str], int] = {}
        self._currency = {location.location_id: location.currency for location in chain.places}
        self._papers = PaperBooks()
        self._sheets: list[Count] = []
        self.product_versions: list[ProductVersionKey] = []

    def learn(self, line: Line, known_at: int) -> None:
        """Take one delivered line; what is quarantined, superseded or repeated changes nothing."""
        document = line.document
        if line.fate is not Fate.KEPT:
            return
        if isinstance(document, WebLine):
            for part in (document.order, document.sale):
                self.learn(Line(part, line.text), known_at)
        elif isinstance(document, SaleLine):
            self._replace(("sale", document.receipt, str(document.line)), document)
        elif isinstance(document, Movement):
            self._replace(("movement", document.document, str(document.line)), document)
        elif isinstance(document, Rate):
            self._replace(("rate", document.currency, str(document.day)), document)
        elif isinstance(document, Count):
            assert document.quantity is not None
            place = (document.location.location_id, document.product.product_id, "sellable")
            self._counted[place][document.day] = document.quantity
            self._sheets.append(document)
        elif isinstance(document, PaperDocument):
            self._papers.learn(document)
        elif isinstance(document, UnitRecord):
            self._unit_factors[document.product.product_id, document.unit] = document.factor
        elif isinstance(document, ProductRecord):
            version = document.version
            self.product_versions.append(
                ProductVersionKey(
                    document.product.product_id,
                    iso_utc(version.at),
                    iso_utc(known_at),
                    version.name,
                    _amount(version.price * 100),
                    Decimal(version.cost * 100).scaleb(-6),
                    version.status,
                )
            )

    def _replace(self, key: tuple[str, ...], document: SaleLine | Movement | Rate) -> None:
        before = self._current.get(key)
        if before is not None:
            if before[0] > document.changed:
                return
            self._book(key, before[1], -1)
        self._current[key] = (document.changed, document)
        self._book(key, document, 1)

    def _book(self, key: tuple[str, ...], document: SaleLine | Movement | Rate, sign: int) -> None:
        if isinstance(document, SaleLine):
            self._book_sale(document, sign)
        elif isinstance(document, Movement):
            place = (document.location.location_id, document.product.product_id, _STATUS[document.status])
            day = document.location.business_day(document.at)
            if document.kind == "AB":
                self._openings[place] = day
            if document.factor is not None:
                self._moved[place][day] += sign * document.quantity * document.factor
            elif sign > 0:
                self._unconverted[key] = document
            else:
                del self._unconverted[key]

    def _book_sale(self, sale: SaleLine, sign: int) -> None:
        if not sale.counts:
            return
        where, day, net = sale.store.location_id, sale.business_day, sale.net
        sold = sale.kind == "S"
        totals = self._days[where, day]
        for place, value in enumerate(
            (
                1,
                sale.quantity,
                sale.quantity if sold else 0,
                0 if sold else -sale.quantity,
                sale.gross,
                sale.discount * 100,
                sale.discount_without_tax,
                sale.tax * 100,
                net,
                net if sold else 0,
                0 if sold else -net,
            )
        ):
            totals[place] += sign * value
        self._receipts[where, day][sale.receipt] += sign
        if sale.store.currency != "EUR":
            self._nets[where, day][net] += sign
        if sale.product is not None and sale.product.stocked and sale.moves_stock:
            shelf = sale.shelf.location_id if sale.shelf else where
            self._moved[shelf, sale.product.product_id, "sellable"][day] -= sign * sale.quantity

    def sales(self, asked: str) -> list[SalesDay]:
        """Sales of all business dates as known now."""
        rate_of = self._rate_of()
        answer = []
        for (where, day), totals in sorted(self._days.items()):
            if not totals[0]:
                continue
            currency, eur, rate = self._currency[where], totals[8], None
            if currency != "EUR":
                rate = rate_of(currency, day)
                eur = (
                    sum(half_away(net * rate, 100_000) * count for net, count in self._nets[where, day].items())
                    if rate
                    else 0
                )
            known = currency == "EUR" or rate is not None
            receipts = sum(1 for lines in self._receipts[where, day].values() if lines)
            answer.append(
                SalesDay(
                    known_at=asked,
                    location_id=where,
                    business_date=day_of(day).isoformat(),
                    currency_code=currency,
                    lines=totals[0],
                    receipts=receipts,
                    units=_units(totals[1]),
                    sold_units=_units(totals[2]),
                    returned_units=_units(totals[3]),
                    receipt_gross_amount=_amount(totals[4]),
                    receipt_discount_amount=_amount(totals[5]),
                    gross_amount=_amount(totals[6] + totals[8]),
                    discount_amount=_amount(totals[6]),
                    tax_amount=_amount(totals[7]),
                    net_amount=_amount(totals[8]),
                    sold_net_amount=_amount(totals[9]),
                    returned_net_amount=_amount(totals[10]),
                    net_amount_eur=_amount(eur) if known else None,
                )
            )
        return answer

    def _rate_of(self) -> Callable[[str, int], int | None]:
        """EUR in 1/100000 for a currency on a day: the latest known rate up to it."""
        rates: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for _, document in self._current.values():
            if isinstance(document, Rate):
                rates[document.currency].append((document.day, document.rate))

        def rate_of(currency: str, day: int) -> int | None:
            return max((entry for entry in rates[currency] if entry[0] <= day), default=(0, None))[1]

        return rate_of

    def papers(self, asked: str, into: PaperAnswers) -> None:
        """What the offices' documents say as known now; what is due by the last day with any fact."""
        receipts: dict[str, tuple[str, int]] = {}
        last_day = self._papers.last_day()
        for _, document in self._current.values():
            if isinstance(document, SaleLine):
                receipts[document.receipt] = (document.store.location_id, document.business_day)
                last_day = max(last_day, document.business_day)
        for days in (*self._moved.values(), *self._counted.values()):
            last_day = max([last_day, *days])
        self._papers.answer(asked, last_day, receipts, self._rate_of(), into)

    def on_hand(self, asked: str, day: int) -> list[OnHand]:
        """Stock at the end of a business day as known now; a count sets it, movements of later days add to it."""
        late: dict[_PLACE, list[tuple[int, int]]] = defaultdict(list)
        for movement in self._unconverted.values():
            factor = self._unit_factors.get((movement.product.product_id, movement.unit))
            if factor is not None:
                place = (movement.location.location_id, movement.product.product_id, _STATUS[movement.status])
                late[place].append((movement.location.business_day(movement.at), movement.quantity * factor))
        answer = []
        for place in sorted(self._openings.keys() | self._counted.keys()):
            counted = [(when, quantity) for when, quantity in self._counted[place].items() if when <= day]
            if counted:
                since, balance = max(counted)
            elif self._openings.get(place, day + 1) <= day:
                since, balance = self._openings[place] - 1, 0
            else:
                continue
            moves = [*self._moved[place].items(), *late[place]]
            balance += sum(quantity for when, quantity in moves if since < when <= day)
            answer.append(OnHand(asked, day_of(day).isoformat(), *place, _units(balance)))
        return answer

    def counts(self, asked: str) -> list[CountFigures]:
        """What every count known now found, and what explains it."""
        documents = [document for _, document in self._current.values()]
        return explained_counts(
            asked,
            self._sheets,
            [document for document in documents if isinstance(document, Movement)],
            [document for document in documents if isinstance(document, SaleLine)],
            self._papers.transfer_lines(),
            self._unit_factors,
        )

    def total(self, asked: str, day: int, rows: list[OnHand]) -> StockTotal:
        """The sum of on_hand beside the truth."""
        truth = self._history.true_stock.get(day - self._chain.first_day)
        true_units = None if truth is None else _units(sum(truth.values()))
        return StockTotal(
            asked, day_of(day).isoformat(), sum((row.units for row in rows), Decimal("0.000")), true_units
        )


Answers = tuple[
    list[str], list[SalesDay], list[OnHand], list[StockTotal], list[ProductVersionKey], PaperAnswers, list[CountFigures]
]


def answers(chain: Chain, history: History, files: list[SourceFile], progress: Callable[[float], None]) -> Answers:
    """Learn file by file in the order of their known times; answer at every knowledge time."""
    expectation = Expectation(chain, history)
    landed = sorted(
        (file for file in files if file.fate is FileFate.LANDED), key=lambda file: (file.known_at, file.path)
    )
    early = knowledge_days(chain)
    last = max(file.known_at for file in files) // DAY + 1
    dates = [day - 1 for day in early]
    times, sales, on_hand, totals, position = [], [], [], [], 0
    papers, counts = PaperAnswers(), list[CountFigures]()
    for number, asked_day in enumerate([*early, last]):
        asked = asked_day * DAY + DAY // 2
        while position < len(landed) and landed[position].known_at <= asked:
            for line in landed[position].lines:
                expectation.learn(line, landed[position].known_at)
            position += 1
        times.append(iso_utc(asked))
        sales += expectation.sales(times[-1])
        counts += expectation.counts(times[-1])
        expectation.papers(times[-1], papers)
        for day in dates[: number + 1] if asked_day != last else sorted({*dates, chain.first_day + chain.days - 1}):
            rows = expectation.on_hand(times[-1], day)
            on_hand += rows
            totals.append(expectation.total(times[-1], day, rows))
        progress((number + 1) / (len(early) + 1))
    return times, sales, on_hand, totals, expectation.product_versions, papers, counts


def _fates(file: SourceFile) -> Counter[Fate]:
    """How many lines of a file take which way."""
    fates = Counter(line.fate for line in file.lines)
    known = (Fate.KEPT, Fate.UNCHANGED)
    records = [
        (line.fate, line.document.product.product_id, line.document.version.at)
        for line in file.lines
        if line.fate in known and isinstance(line.document, ProductRecord)
    ]
    newest: dict[str, int] = {}
    for _, code, at in records:
        newest[code] = max(newest.get(code, at), at)
    # an older version of the same file stays in the product's history, but is counted as superseded
    older = sum(fate is Fate.KEPT and at < newest[code] for fate, code, at in records)
    fates[Fate.KEPT] -= older
    fates[Fate.SUPERSEDED] += older
    return fates


def line_counts(files: list[SourceFile]) -> tuple[list[FileKey], list[TableKey]]:
    """What must become of every file's and every table's lines."""
    keys = []
    for file in sorted(files, key=lambda file: (file.table, file.known_at, file.path)):
        fates = _fates(file) if file.fate is FileFate.LANDED else Counter[Fate]()
        malformed = sum(line.malformed for line in file.lines) if file.fate is FileFate.LANDED else 0
        keys.append(
            FileKey(
                file.table,
                file.path,
                iso_utc(file.known_at),
                str(file.fate),
                len(file.lines),
                fates[Fate.KEPT],
                fates[Fate.UNCHANGED],
                fates[Fate.SUPERSEDED],
                fates[Fate.DUPLICATE],
                fates[Fate.QUARANTINED],
                malformed,
                fates[Fate.LEFT_OUT],
                file.is_live,
            )
        )
    tables = []
    for table in sorted({key.table for key in keys}):
        own = [key for key in keys if key.table == table]
        landed = [key for key in own if key.fate == FileFate.LANDED]
        repeated = [key for key in own if key.fate == FileFate.REPEATED]
        tables.append(
            TableKey(
                table,
                len(landed),
                len(repeated),
                len(own) - len(landed) - len(repeated),
                sum(key.lines for key in landed),
                sum(key.kept for key in landed),
                sum(key.unchanged for key in landed),
                sum(key.superseded for key in landed),
                sum(key.duplicates for key in landed),
                sum(key.quarantined for key in landed),
                sum(key.malformed for key in landed),
                sum(key.left_out for key in landed),
                sum(key.lines for key in repeated),
            )
        )
    return keys, tables
