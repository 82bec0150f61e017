"""What faults work with: the files, a choice of lines that no other fault uses, and notes of what was done where."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from systock.simulator import erp
from systock.simulator.answer_key import FaultKey
from systock.simulator.chain import Chain
from systock.simulator.delivery import (
    COUNTS_SHEETS,
    ERP_MOVEMENTS,
    ERP_PRODUCTS,
    ERP_RATES,
    ERP_UNITS,
    POS_SALES,
    Fate,
    FileFate,
    Line,
    SourceFile,
    quoted,
)
from systock.simulator.documents import Count, History, Movement, ProductRecord, SaleLine

_ERP_FILES = {
    ERP_PRODUCTS: ("products", "jsonl", ()),
    ERP_UNITS: ("units", "csv", erp.UNIT_COLUMNS),
    ERP_RATES: ("rates", "csv", erp.RATE_COLUMNS),
    ERP_MOVEMENTS: ("movements", "csv", erp.MOVEMENT_COLUMNS),
}
#: Faults that no row of a table with a key can have.
_OF_FILES = ("duplicate_line", "tie", "malformed_line")
DELIMITER = {POS_SALES: ",", ERP_MOVEMENTS: ";", COUNTS_SHEETS: ";"}
Choice = tuple[SourceFile, Line]


@dataclass(slots=True)
class _Place:
    fault: str
    found: str
    file: SourceFile
    line: Line | None
    rule: str
    column: str
    detail: str


class Workbench:
    """The files under change; every fault draws from a random source of its own."""

    def __init__(self, chain: Chain, history: History, files: list[SourceFile], seed: int, live: bool = False) -> None:
        self.live = live  # the ERP is a database in the end: what only a file can hold is put into none of its exports
        self.chain, self.history, self.files = chain, history, files
        self.fault = ""
        self.rng = Random(0)
        self._seed = seed
        self._used: set[int] = set()
        self._whole: set[int] = set()
        self._places: list[_Place] = []

    def begin(self, fault: str) -> None:
        """From now on things are done for that fault."""
        self.fault, self.rng = fault, Random(f"{self._seed}/fault/{fault}")

    def note(
        self, found: str, file: SourceFile, line: Line | None = None, rule: str = "", column: str = "", detail: str = ""
    ) -> None:
        """Remember where something must be found."""
        self._places.append(_Place(self.fault, found, file, line, rule, column, detail))

    def moved(self, files: list[SourceFile]) -> None:
        """These hold lines of other files now: what was noted of them must be found here."""
        holders = {id(line): file for file in files for line in file.lines}
        for place in self._places:
            place.file = holders.get(id(place.line), place.file)

    def places(self) -> list[FaultKey]:
        """All notes, with row numbers as the files stand in the end."""
        return [
            FaultKey(
                place.fault,
                place.found,
                place.rule,
                place.column,
                place.file.table,
                place.file.path,
                None if place.line is None else place.file.row_of(place.line),
                place.detail,
            )
            for place in self._places
        ]

    def reserve_file(self, file: SourceFile) -> None:
        """No other fault changes this file."""
        self._whole.add(id(file))

    def use(self, line: Line) -> None:
        """No other fault changes this line."""
        self._used.add(id(line))

    def choose_files(
        self, table: str, count: int, fits: Callable[[SourceFile], bool] = lambda file: True
    ) -> list[SourceFile]:
        """Landed files of a table that no fault has for itself."""
        free = [
            file
            for file in self.files
            if file.table == table
            and file.fate is FileFate.LANDED
            and id(file) not in self._whole
            and len(file.lines) > (0 if table == ERP_PRODUCTS else 3)
            and fits(file)
        ]
        return self.rng.sample(free, k=min(count, len(free)))

    def _choose(self, table: str, count: int, fits: Callable[[Line], bool]) -> list[Choice]:
        chosen: list[Choice] = []
        if self.live and self.fault in _OF_FILES and table in _ERP_FILES:
            return chosen
        for file in self.choose_files(table, len(self.files)):
            if len(chosen) == count:
                break
            free = [line for line in file.lines if line.fate is Fate.KEPT and id(line) not in self._used and fits(line)]
            if free:
                line = self.rng.choice(free)
                self.use(line)
                chosen.append((file, line))
        return chosen

    def choose_sales(self, count: int, fits: Callable[[SaleLine], bool] = lambda sale: True) -> list[Choice]:
        """Ordinary sale lines of known products, each from another file."""

        def ordinary(line: Line) -> bool:
            sale = line.document
            return (
                isinstance(sale, SaleLine)
                and sale.kind == "S"
                and sale.counts
                and sale.product is not None
                and fits(sale)
            )

        return self._choose(POS_SALES, count, ordinary)

    def choose_movements(self, count: int, fits: Callable[[Movement], bool] = lambda movement: True) -> list[Choice]:
        """Goods movements that are no opening, each from another file."""

        def ordinary(line: Line) -> bool:
            return isinstance(line.document, Movement) and line.document.kind != "AB" and fits(line.document)

        return self._choose(ERP_MOVEMENTS, count, ordinary)

    def choose_product_changes(self, count: int) -> list[Choice]:
        """Later versions of products whose first one is known: without it, a unit of them would mean nothing."""

        def later(line: Line) -> bool:
            record = line.document
            return isinstance(record, ProductRecord) and record.version is not record.product.versions[0]

        return self._choose(ERP_PRODUCTS, count, later)

    def choose_counts(self, count: int, fits: Callable[[Count], bool] = lambda count: True) -> list[Choice]:
        """Lines of count sheets that were counted, each from another sheet."""
        return self._choose(COUNTS_SHEETS, count, lambda line: isinstance(line.document, Count) and fits(line.document))

    def free_movements(self) -> Iterator[tuple[SourceFile, Line, Movement]]:
        """Goods movements that are no opening, and that no other fault uses."""
        for file in self.files:
            if file.table == ERP_MOVEMENTS and id(file) not in self._whole:
                for line in file.lines:
                    move = line.document
                    free = line.fate is Fate.KEPT and id(line) not in self._used
                    if free and isinstance(move, Movement) and move.kind != "AB":
                        yield file, line, move

    def insert(self, file: SourceFile, after: Line, line: Line) -> Line:
        """Put a line somewhere behind another one."""
        position = next(place for place, other in enumerate(file.lines) if other is after)
        file.lines.insert(self.rng.randint(position + 1, len(file.lines)), line)
        self.use(line)
        return line

    def night_file(self, table: str, day: int) -> SourceFile:
        """The table's ERP export in the night after a day, made if there is none; a reserved one puts it off."""
        known = erp.known_at(self.chain, day)
        for file in self.files:
            if file.table == table and file.known_at == known:
                return file if id(file) not in self._whole else self.night_file(table, day + 1)
        name, suffix, columns = _ERP_FILES[table]
        head = (";".join(columns),) if columns else ()
        file = SourceFile(table, erp.path_of(name, self.chain, day, suffix, known), known, [], head)
        self.files.append(file)
        return file

    def next_file(self, file: SourceFile, days: int) -> SourceFile | None:
        """The next file of the same table that holds something, some days later."""
        later = [
            other
            for other in self.files
            if other.table == file.table
            and other.known_at >= file.known_at + days * 86_400
            and other.fate is FileFate.LANDED
            and other.lines
            and id(other) not in self._whole
        ]
        return min(later, key=lambda other: other.known_at, default=None)

    def day_of_file(self, file: SourceFile) -> int:
        """The simulated day whose night the file arrived in."""
        return file.known_at // 86_400 - self.chain.first_day - 1

    @staticmethod
    def remove(file: SourceFile, line: Line) -> None:
        """Take a line out of a file."""
        file.lines[:] = [other for other in file.lines if other is not line]

    @staticmethod
    def rewrite(file: SourceFile, line: Line, column: str, value: str) -> None:
        """Put another text into one cell."""
        delimiter = DELIMITER[file.table]
        columns = file.head[-1].split(delimiter)
        cells = next(csv.reader([line.text], delimiter=delimiter))
        cells[columns.index(column)] = value
        line.text = delimiter.join(quoted(cell, delimiter) for cell in cells)

    def quarantine(self, choice: Choice, rule: str, column: str, detail: str) -> None:
        """The line must be found in quarantine."""
        file, line = choice
        line.fate = Fate.QUARANTINED
        self.note("quarantined", file, line, rule, column, detail)
