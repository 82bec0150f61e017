"""Printing rows and facts on standard output: as a table to read, as CSV, or as one JSON document."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

from systock.cli.common import Format

Row = Mapping[str, Any]

_CSV_QUOTED = re.compile(r'[",\r\n]')


def print_rows(rows: Iterable[Row], form: Format, columns: Sequence[str] = (), empty: str = "") -> None:
    """Print rows; columns: names and order where known, else those of the first row; empty: said when there is none."""
    if form is Format.json:
        separator = "["
        for row in rows:
            sys.stdout.write(f"{separator}\n  {json_text(dict(row))}")
            separator = ","
        sys.stdout.write("[]\n" if separator == "[" else "\n]\n")
        return
    listed = list(rows)
    names = list(columns) or (list(listed[0]) if listed else [])
    names += [name for row in listed[:1] for name in row if name not in names]
    if form is Format.csv:
        if names:
            sys.stdout.write(",".join(map(_csv_value, names)) + "\n")
        sys.stdout.writelines(",".join(_csv_value(row.get(name)) for name in names) + "\n" for row in listed)
    elif listed:
        print_table(listed, names)
    elif empty:
        note(empty)


def print_facts(facts: Row, form: Format) -> None:
    """Print one document: in a table form its single facts first, then each list of rows under its name."""
    if form is Format.json:
        sys.stdout.write(json_text(dict(facts), indent=0) + "\n")
        return
    flat = list(_flat(facts))
    if form is Format.csv:
        print_rows([{"fact": name, "value": value} for name, value in flat], form, ("fact", "value"))
        return
    single = [(name, value) for name, value in flat if not _is_rows(value)]
    width = max((len(name) for name, _ in single), default=0)
    for name, value in single:
        sys.stdout.write(f"{name:<{width}}  {_cell(name, value)}\n")
    for name, value in flat:
        if _is_rows(value) and value:
            sys.stdout.write(f"\n{name}\n")
            print_table(value, list(value[0]))


def print_table(rows: Sequence[Row], columns: Sequence[str]) -> None:
    """Print an aligned table: wrapped to a terminal's width, never cut where no terminal is."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=sys.stdout, highlight=False)
    if not console.is_terminal:
        console = Console(file=sys.stdout, highlight=False, no_color=True, width=100_000)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for name in columns:
        numeric = any(_is_number(row.get(name)) for row in rows[:100])
        table.add_column(Text(name), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(name, row.get(name))) for name in columns))
    with console.capture() as capture:
        console.print(table)
    # Without a terminal nobody needs the blanks that fill the last column.
    lines = capture.get().split("\n")
    sys.stdout.write("\n".join(lines if console.is_terminal else [line.rstrip() for line in lines]))


def note(text: str) -> None:
    """Say something beside the result, on standard error."""
    sys.stderr.write(text + "\n")


def cell_text(value: Any) -> str:
    """A value for a person: instants to the second, yes and no, control characters made visible."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        text = plain_text(value.replace(microsecond=0)).replace("T", " ")
        return text.removesuffix("Z") + (" UTC" if text.endswith("Z") else "")
    text = plain_text(value)
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def _cell(name: str, value: Any) -> str:
    """As cell_text; an instant that comes as text is known by its column's name."""
    if isinstance(value, str) and name.endswith("_at"):
        with suppress(ValueError):
            value = datetime.fromisoformat(value)
    return cell_text(value)


def plain_text(value: Any) -> str:
    """A value for a program: exact decimals, ISO dates, UTC instants; nothing for NULL."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        if value.tzinfo is None:
            return value.isoformat()
        return value.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")  # noqa: UP017
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return format(value.total_seconds(), "g")
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list | tuple | Mapping):
        return json_text(value)
    return str(value)


def _csv_value(value: Any) -> str:
    """As `systock export` writes it: nothing for NULL, "" for an empty text."""
    text = plain_text(value)
    if value is None or (text and not _CSV_QUOTED.search(text)):
        return text
    return '"' + text.replace('"', '""') + '"'


def json_text(value: Any, indent: int | None = None) -> str:
    """JSON with exact decimals as numbers; with indent each item of the outer levels on a line of its own."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "null"
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    if isinstance(value, Decimal):
        return format(value, "f") if value.is_finite() else "null"
    if isinstance(value, Mapping):
        inner = _deeper(value, indent)
        items = [
            f"{json.dumps(str(name), ensure_ascii=False)}: {json_text(item, inner)}" for name, item in value.items()
        ]
        return _joined(items, "{}", indent)
    if isinstance(value, list | tuple):
        return _joined([json_text(item, None) for item in value], "[]", indent)
    return json.dumps(plain_text(value), ensure_ascii=False)


def _deeper(value: Mapping[Any, Any], indent: int | None) -> int | None:
    return None if indent is None else indent + 1


def _joined(items: list[str], brackets: str, indent: int | None) -> str:
    if not items or indent is None:
        return f"{brackets[0]}{', '.join(items)}{brackets[1]}"
    space = "\n" + "  " * (indent + 1)
    return f"{brackets[0]}{space}{f',{space}'.join(items)}\n{'  ' * indent}{brackets[1]}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _is_rows(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(item, Mapping) for item in value)


def _flat(facts: Row, prefix: str = "") -> Iterable[tuple[str, Any]]:
    """Facts within facts, by dotted names."""
    for name, value in facts.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
