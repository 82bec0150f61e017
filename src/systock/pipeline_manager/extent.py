"""What of the sources a run extracts: a selection along the graph of tables, and a span of stated time.

Only extraction is limited. What landed is always taken in whole, by every table: gold stays a function of what landed,
and readers never see tables of different generations.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from systock.config import Settings
from systock.errors import UsageError
from systock.setting_values import hint

if TYPE_CHECKING:
    from systock.pipeline_manager.definitions import Definitions

#: First and last instant, both included.
Span = tuple[datetime, datetime]
_SELECTOR = re.compile(r"(\+?)([^+]+)(\+?)")


@dataclass(frozen=True)
class Extent:
    """The sources (with the tables of them) that a run extracts, and the span that a file's stated time must lie in."""

    sources: Mapping[str, Any]
    span: Span | None = None

    def only(self, tables: Collection[tuple[str, str | None]]) -> Extent:
        """The same span of these tables only; a table None stands for all of its source."""
        return Extent(
            _narrowed(self.sources, lambda source, table: bool({(source, table), (source, None)} & set(tables))),
            self.span,
        )


def extent_of(
    settings: Settings,
    definitions: Callable[[], Definitions],
    select: Sequence[str] = (),
    since: str | None = None,
    until: str | None = None,
) -> Extent:
    """What a run extracts; raises UsageError for what does not exist or selects nothing.

    definitions: read only when a selector follows the graph or names a table of the warehouse.
    """
    return Extent(_selected(settings, definitions, select), span_of(since, until, ZoneInfo(settings.project.timezone)))


def span_of(since: str | None, until: str | None, zone: ZoneInfo) -> Span | None:
    """From the beginning of a day (or an instant) to the end of a day (or an instant)."""
    if since is None and until is None:
        return None
    first = _instant(since, "--from", zone, time.min) if since else datetime.min.replace(tzinfo=UTC)
    last = _instant(until, "--to", zone, time.max) if until else datetime.max.replace(tzinfo=UTC)
    if last < first:
        raise UsageError(f"--to {until} is before --from {since}", where="--to", todo="Give the earlier one as --from.")
    return first, last


def _instant(text: str, option: str, zone: ZoneInfo, of_day: time) -> datetime:
    try:
        if len(text) == 10:
            day = date.fromisoformat(text)
            if of_day == time.min:
                return datetime.combine(day, time.min, zone).astimezone(UTC)
            return datetime.combine(day + timedelta(days=1), time.min, zone).astimezone(UTC) - timedelta(microseconds=1)
        instant = datetime.fromisoformat(text)
        return (instant if instant.tzinfo else instant.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(
            f"{text!r} is neither a day nor an instant",
            where=option,
            todo="Write 2024-05-31 or 2024-05-31T18:00:00+02:00.",
        ) from None


def _selected(settings: Settings, definitions: Callable[[], Definitions], select: Sequence[str]) -> Mapping[str, Any]:
    selectors = [word for text in select for word in text.split()]
    if not selectors:
        return settings.sources
    raw = {f"{source}.{table}" for source, of in settings.sources.items() for table in of.tables}
    chosen: set[str] = set()
    for selector in selectors:
        # A source or a raw table has nothing upstream, and only what is raw can be extracted: no graph is needed.
        plain = selector.strip("+")
        direct = {table for table in raw if plain in (table, table.partition(".")[0])}
        found = direct if direct and _SELECTOR.fullmatch(selector) else _along_the_graph(definitions(), raw, selector)
        if not found:
            raise UsageError(
                f"{selector!r} selects no source",
                where="--select",
                state="A selection limits what is extracted; what landed is always taken in by every table.",
                todo=f"Write '+{plain}' for the raw tables that {plain} is made from.",
            )
        chosen |= found
    return _narrowed(settings.sources, lambda source, table: f"{source}.{table}" in chosen)


def _narrowed(sources: Mapping[str, Any], wanted: Callable[[str, str], bool]) -> dict[str, Any]:
    """The sources with the wanted tables only, without those that have none."""
    return {
        source: of.model_copy(update={"tables": {t: v for t, v in of.tables.items() if wanted(source, t)}})
        for source, of in sources.items()
        if any(wanted(source, table) for table in of.tables)
    }


def _along_the_graph(definitions: Definitions, raw: Iterable[str], selector: str) -> set[str]:
    """The raw tables among a table, what it is made from (+x) and what is made from it (x+)."""
    parents = table_graph(definitions)
    match = _SELECTOR.fullmatch(selector)
    name = match[2] if match else ""
    named = [node for node in parents if name in (node, node.partition(".")[2])]
    if len(named) != 1:
        valid = sorted([*definitions.settings.sources, *parents])
        what = (
            f"{name or selector!r} could be any of: {', '.join(sorted(named))}"
            if named
            else f"there is no source or table {selector!r}"
        )
        raise UsageError(
            what, where="--select",
            todo=f"Select a source, a raw table or, with '+' before it, what is made from them: {', '.join(valid)}.{hint(name, valid)}",
        )  # fmt: skip
    assert match is not None
    selected = {named[0]}
    if match[1]:
        selected |= _reached(named[0], parents)
    if match[3]:
        children: dict[str, set[str]] = {node: set() for node in parents}
        for node, above in parents.items():
            for parent in above:
                children[parent].add(node)
        selected |= _reached(named[0], children)
    return selected & set(raw)


def table_graph(definitions: Definitions) -> dict[str, set[str]]:
    """What each table is made from: raw tables (source.table), entities (silver.entity), tables of the warehouse."""
    from systock.data_warehouse.dependency_order import inputs_of

    parents: dict[str, set[str]] = {
        f"{source}.{table}": set() for source, of in definitions.settings.sources.items() for table in of.tables
    }
    parents |= {f"silver.{entity}": set() for entity in definitions.contracts}
    for mapping in definitions.mappings:
        parents[f"silver.{mapping.entity}"] |= {f"{mapping.source}.{table}" for table in mapping.raw_tables}
    for table in definitions.tables:
        parents[table.qualified] = {name for name in inputs_of(table) if name in parents}
    return parents


def _reached(start: str, edges: Mapping[str, set[str]]) -> set[str]:
    reached: set[str] = set()
    left = [start]
    while left:
        for node in edges[left.pop()] - reached:
            reached.add(node)
            left.append(node)
    return reached
