"""The ERP as a live database: one SQLite file with what the nightly exports tell, as it stands at an instant."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from systock.simulator import erp, erp_papers
from systock.simulator.delivery import (
    ERP_LOCATIONS,
    ERP_MOVEMENTS,
    ERP_PRODUCTS,
    ERP_PURCHASES,
    ERP_RATES,
    ERP_STORE_DAYS,
    ERP_SUPPLIERS,
    ERP_TRANSFERS,
    ERP_UNITS,
    Fate,
    FileFate,
    Line,
    SourceFile,
)

FILE_NAME = "erp.sqlite"
# The key of each table. A product has a row for each of its versions, as the ERP keeps them.
KEYS = {
    ERP_PRODUCTS: ("art", "geaendert"),
    ERP_UNITS: ("art", "einheit"),
    ERP_SUPPLIERS: ("lifnr",),
    ERP_LOCATIONS: ("werk",),
    ERP_RATES: ("von", "nach", "gueltig_ab"),
    ERP_MOVEMENTS: ("beleg", "pos"),
    ERP_PURCHASES: ("bestellung", "pos"),
    ERP_TRANSFERS: ("umlagerung", "pos"),
    ERP_STORE_DAYS: ("filiale", "tag"),
}
#: The columns of each, in the order of its exports.
_COLUMNS = {
    ERP_PRODUCTS: (
        "art", "ean", "bezeichnung", "marke", "warengruppe", "groesse", "farbe", "lieferant", "basiseinheit", "preis", "ek",
        "bestandsgefuehrt", "status", "geaendert",
    ),
    ERP_UNITS: erp.UNIT_COLUMNS,
    ERP_SUPPLIERS: erp.SUPPLIER_COLUMNS,
    ERP_LOCATIONS: erp.LOCATION_COLUMNS,
    ERP_RATES: erp.RATE_COLUMNS,
    ERP_MOVEMENTS: erp.MOVEMENT_COLUMNS,
    ERP_PURCHASES: erp_papers.PURCHASE_COLUMNS,
    ERP_TRANSFERS: erp_papers.TRANSFER_COLUMNS,
    ERP_STORE_DAYS: erp_papers.STORE_DAY_COLUMNS,
}  # fmt: skip
#: Lists that are whole in each extract; the others tell what changed, and in their last column when.
FULL = (ERP_SUPPLIERS, ERP_LOCATIONS)
Row = dict[str, str | None]


def _cells(table: str, text: str) -> Row:
    """A line's columns; what is nested in a product stays JSON text."""
    if table == ERP_PRODUCTS:
        record = json.loads(text)
        return {
            name: value if isinstance(value, str | None) else json.dumps(value, ensure_ascii=False)
            for name, value in record.items()
        }
    return dict(zip(_COLUMNS[table], next(csv.reader([text], delimiter=";")), strict=True))


def tables(files: Iterable[SourceFile], until: int, known_at: int) -> list[SourceFile]:
    """What each table holds at an instant after all exports of before: one line a row, by key.

    The lines are those of the exports, so that whoever noted one finds it here.
    """
    held: dict[str, dict[tuple[str | None, ...], tuple[str, Line]]] = {table: {} for table in KEYS}
    for file in sorted(files, key=lambda file: (file.known_at, file.path)):
        if file.table not in KEYS or file.known_at > until or file.fate is not FileFate.LANDED:
            continue
        rows = held[file.table]
        if file.table in FULL:
            rows.clear()
        for line in file.lines:
            if line.malformed or line.fate not in (Fate.KEPT, Fate.UNCHANGED, Fate.QUARANTINED):
                continue
            cells = _cells(file.table, line.text)
            key = tuple(cells[name] for name in KEYS[file.table])
            changed = "" if file.table in FULL else list(cells.values())[-1] or ""
            if key not in rows or rows[key][0] <= changed:
                rows[key] = (changed, line)
    made = []
    for table, rows in held.items():
        lines = []
        for key in sorted(rows, key=lambda key: [str(part) for part in key]):
            line = rows[key][1]
            line.fate = Fate.KEPT if line.fate is Fate.UNCHANGED else line.fate  # an extract's, that said it before
            lines.append(line)
        made.append(SourceFile(table, f"erp: {table.partition('.')[2]}", known_at, lines, is_live=True))
    return made


def write(folder: Path, made: Iterable[SourceFile]) -> None:
    """Bring the database to what the tables hold: rows that are gone are deleted, the others put in or updated."""
    with closing(sqlite3.connect(folder / FILE_NAME)) as database, database:
        for file in made:
            name, key = file.table.partition(".")[2], KEYS[file.table]
            rows = [_cells(file.table, line.text) for line in file.lines]
            columns = _COLUMNS[file.table]
            listed = ", ".join(f'"{column}"' for column in columns)
            typed = ", ".join(f'"{column}" TEXT' for column in columns)
            keyed = ", ".join(f'"{column}"' for column in key)
            database.execute(f'CREATE TABLE IF NOT EXISTS "{name}" ({typed}, PRIMARY KEY ({keyed}))')
            stays = {tuple(row[column] for column in key) for row in rows}
            gone = [one for one in database.execute(f'SELECT {keyed} FROM "{name}"') if one not in stays]
            chosen = " AND ".join(f'"{column}" = ?' for column in key)
            database.executemany(f'DELETE FROM "{name}" WHERE {chosen}', gone)
            marks = ", ".join("?" * len(columns))
            database.executemany(
                f'INSERT OR REPLACE INTO "{name}" ({listed}) VALUES ({marks})', [tuple(row.values()) for row in rows]
            )
