"""What differs between a table as it was made on a server and as it is defined now, and what would be lost by it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from systock.load.target_schema import TargetTable

#: Digits before and after the point that a whole number may have.
_WHOLE_DIGITS = {"integer": (10, 0), "bigint": (19, 0)}


@dataclass(frozen=True)
class TableChange:
    """One table's difference: in words, and which of its columns hold less than before (or are no more)."""

    table: str
    text: str
    loses: tuple[str, ...] = ()


def table_changes(made: Mapping[str, Mapping[str, str]], tables: Sequence[TargetTable]) -> list[TableChange]:
    """What differs. made: of each table on the server, by its name there, the canonical types of its columns by name."""
    found = []
    wanted = {table.on_server: {column.target: column.type for column in table.columns} for table in tables}
    for name, columns in made.items():
        if name not in wanted:
            found.append(TableChange(name, "goes", tuple(columns)))
    for name, columns in wanted.items():
        if name not in made:
            found.append(TableChange(name, "comes"))
        elif change := _changed_columns(name, made[name], columns):
            found.append(change)
    return sorted(found, key=lambda change: change.table)


def _changed_columns(name: str, was: Mapping[str, str], now: Mapping[str, str]) -> TableChange | None:
    came = [f"{column} comes" for column in now if column not in was]
    went = [f"{column} goes" for column in was if column not in now]
    retyped = [column for column in now if column in was and was[column] != now[column]]
    changed = [
        f"{column} {'is widened' if is_wider(was[column], now[column]) else 'is made'} from {was[column]} to {now[column]}"
        for column in retyped
    ]
    if not came and not went and not changed:
        return None
    lost = [column for column in was if column not in now]
    lost += [column for column in retyped if not is_wider(was[column], now[column])]
    return TableChange(name, ", ".join([*came, *changed, *went]), tuple(lost))


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
