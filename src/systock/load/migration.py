"""What differs between a table as it was made on a server and as it is defined now, what it takes, and what would be lost by it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from systock.data_warehouse.engine.postgres_ddl import constraint_sql, index_sql
from systock.load.target_schema import Parts, TargetTable
from systock.sql_text import quoted

#: Digits before and after the point that a whole number may have.
_WHOLE_DIGITS = {"integer": (10, 0), "bigint": (19, 0)}


@dataclass(frozen=True)
class Alteration:
    """How a table becomes what it is defined to be without being made anew: statements before its rows are written, and after."""

    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True)
class TableChange:
    """One table's difference: in words, which of its columns hold less than before (or are no more), and how it is made in place.

    in_place: None where the table has to be made anew.
    """

    table: str
    text: str
    loses: tuple[str, ...] = ()
    in_place: Alteration | None = None


def table_changes(
    made: Mapping[str, Mapping[str, str]], parts: Mapping[str, Parts], tables: Sequence[TargetTable]
) -> list[TableChange]:
    """What differs. made: of each table on the server, by its name there, the canonical types of its columns by name.

    parts: what they were made of, where that is known.
    """
    wanted = {table.on_server: table for table in tables}
    found = [TableChange(name, "goes", tuple(columns)) for name, columns in made.items() if name not in wanted]
    for name, table in wanted.items():
        if name not in made:
            found.append(TableChange(name, "comes"))
            continue
        names = _renames(table, made[name])
        text, loses = _changed_columns(table, made[name], names)
        altered = _alteration(table, parts[name], names) if name in parts else None
        if text or (name in parts and parts[name] != table.parts):
            found.append(TableChange(name, text or "keys, checks or indexes are made otherwise", loses, altered))
    return sorted(found, key=lambda change: change.table)


def _renames(table: TargetTable, made: Mapping[str, str]) -> dict[str, str]:
    """The columns of the server that have another name now, each with it."""
    now = {column.target for column in table.columns}
    found: dict[str, str] = {}
    for old, new in table.renamed:
        if old in made and old not in now and new not in made and new not in found.values():
            found[old] = new
    return found


def _changed_columns(
    table: TargetTable, made: Mapping[str, str], names: Mapping[str, str]
) -> tuple[str, tuple[str, ...]]:
    """The difference in words, '' for none, and the columns that hold less than before."""
    now = {column.target: column.type for column in table.columns}
    was = {names.get(column, column): type_ for column, type_ in made.items()}
    renamed = [f"{old} becomes {new}" for old, new in names.items()]
    came = [f"{column} comes" for column in now if column not in was]
    went = [column for column in was if column not in now]
    retyped = [column for column in now if column in was and was[column] != now[column]]
    changed = [
        f"{column} {'is widened' if is_wider(was[column], now[column]) else 'is made'} from {was[column]} to {now[column]}"
        for column in retyped
    ]
    lost = [*went, *(column for column in retyped if not is_wider(was[column], now[column]))]
    return ", ".join([*renamed, *came, *changed, *(f"{column} goes" for column in went)]), tuple(lost)


def _alteration(table: TargetTable, was: Parts, names: Mapping[str, str]) -> Alteration | None:
    """How the table is altered: columns get their new names, or come and may be NULL, and what hangs on columns follows.

    None where columns go, or are of another type, default or nullability, where one comes that may not be NULL, or another key.
    """
    now, on = table.parts, f"{quoted(table.schema_there, table.name_there)}"
    columns = {names.get(name, name): definition for name, definition in was["columns"].items()}
    came = {name: definition for name, definition in now["columns"].items() if name not in columns}
    if any(now["columns"].get(name) != definition for name, definition in columns.items()):
        return None
    if any(definition.endswith(" NOT NULL") for definition in came.values()):
        return None
    before = [f"ALTER TABLE {on} RENAME COLUMN {quoted(old)} TO {quoted(new)}" for old, new in names.items()]
    before += [f"ALTER TABLE {on} ADD COLUMN {quoted(name)} {definition}" for name, definition in came.items()]
    after: list[str] = []
    for kind in ("primary key", "checks", "indexes", "references"):
        had = {name: _renamed_in(definition, names) for name, definition in was[kind].items()}
        wanted = dict(now[kind])
        gone = {name: definition for name, definition in had.items() if wanted.get(name) != definition}
        new = {name: definition for name, definition in wanted.items() if had.get(name) != definition}
        if kind == "primary key" and (gone or new):
            return None
        for name, definition in gone.items():
            twin = next((n for n, d in new.items() if d == definition and n not in had), None)
            if kind == "indexes":
                index = quoted(table.schema_there, name)
                before.append(f"ALTER INDEX {index} RENAME TO {quoted(twin)}" if twin else f"DROP INDEX {index}")
            else:
                how = (
                    f"RENAME CONSTRAINT {quoted(name)} TO {quoted(twin)}" if twin else f"DROP CONSTRAINT {quoted(name)}"
                )
                before.append(f"ALTER TABLE {on} {how}")
            new.pop(twin or "", None)
        make = index_sql if kind == "indexes" else constraint_sql
        after += [make(on, name, definition) for name, definition in new.items()]
    return Alteration(tuple(before), tuple(after))


def _renamed_in(definition: str, names: Mapping[str, str]) -> str:
    """A key, check, index or reference with the new names of its table's columns; what it refers to keeps its own."""
    own, refers, other = definition.partition(" REFERENCES ")
    renamed = re.sub(
        r'"((?:[^"]|"")*)"', lambda m: quoted(names.get(m[1].replace('""', '"'), m[1].replace('""', '"'))), own
    )
    return renamed + refers + other


def is_wider(was: str, now: str) -> bool:
    """Does a type hold every value of another? Both canonical."""
    if was == now or now == "text":
        return True
    before, after = _digits(was), _digits(now)
    if before is None or after is None:
        return (was, now) == ("date", "timestamp")
    return after[0] >= before[0] and after[1] >= before[1]


def _digits(type_: str) -> tuple[int, int] | None:
    """Digits before and after the point; None of what is no exact number."""
    match = re.fullmatch(r"numeric\((\d+), (\d+)\)", type_)
    if match:
        return int(match[1]) - int(match[2]), int(match[2])
    return _WHOLE_DIGITS.get(type_)
