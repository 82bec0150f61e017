"""Contracts with sources: which columns a raw table may bring, and what happens when it brings others.

*New* is a column that neither an earlier batch of the table, nor a mapping, nor the settings know. *Missing* is a column
that a mapping reads, or that makes the key, and that earlier batches had: unless all mappings read it only in a COALESCE
with another column that is there. *Re-typed* is a contract's column of which more
than half of the values in a batch (of at least RETYPED_LEAST) no longer read as the contract's type, as the mapping has
it now: looked at line by line, so not behind a CTE, an aggregate or a window. What no mapping reads has no type.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from systock.data_warehouse.engine.base import Engine
from systock.etl_pipeline.silver_layer.cast_rules import cast_sql
from systock.etl_pipeline.silver_layer.mapping_sql import RAW_PREFIX, MappingSql, Reading
from systock.extract.pull import DELETED_AT
from systock.sql_text import quoted

if TYPE_CHECKING:
    from systock.source_settings import SourceSettings, TableSettings

Kind = Literal["new", "missing", "retyped"]
RETYPED_LEAST = 5


@dataclass(frozen=True)
class Drift:
    """One column that is not as the contract has it. where: the line of a mapping that it touches."""

    kind: Kind
    column: str
    text: str
    where: str | None = None


def applies(settings: TableSettings, policy: str) -> bool:
    """Is this policy (evolve, freeze, quarantine) set for any kind of drift?"""
    return policy in (settings.new_columns, settings.missing_columns, settings.retyped_columns)


@dataclass(frozen=True)
class SourceContract:
    """What is agreed of one raw table.

    needed: columns that mappings read and the key, each with its place in a mapping.
    alternatives: for those of them that may be missing while others are there, what Mapping.alternatives says.
    """

    source: str
    table: str
    settings: TableSettings
    needed: Mapping[str, str | None]
    readings: tuple[tuple[str, Reading], ...]
    alternatives: Mapping[str, Sequence[Sequence[Sequence[str]]]] = field(default_factory=dict)

    @property
    def setting(self) -> str:
        """The table as settings are named."""
        return f"sources.{self.source}.tables.{self.table}"

    def policy(self, kind: Kind) -> str:
        """evolve, freeze or quarantine."""
        return str(getattr(self.settings, f"{kind}_columns"))

    def columns_drift(self, columns: Sequence[str], before: Iterable[Iterable[str]]) -> Iterator[Drift]:
        """New and missing columns of a batch. before: the columns of each batch that was taken earlier."""
        now = {column.lower(): column for column in columns if column != DELETED_AT}
        if DELETED_AT in columns and now.keys() <= {column.lower() for column in self.settings.key}:
            return  # it only says whose rows are gone
        had = {column.lower() for earlier in before for column in earlier}
        if not had:
            return
        known = had | self.needed.keys() | {column.lower() for column in self.settings.known_columns}
        for name in sorted(now.keys() - known):
            yield Drift("new", now[name], f"new column {now[name]!r}")
        for name in sorted((self.needed.keys() & had) - now.keys()):
            uses = self.alternatives.get(name)
            if uses and all(any(now.keys() >= set(columns) for columns in use) for use in uses):
                continue
            place = self.needed[name]
            yield Drift(
                "missing", name, f"column {name!r} is missing" + (f", which {place} reads" if place else ""), place
            )

    def retyped(self, counts: Counts) -> Iterator[Drift]:
        """Columns of which too many values do not read."""
        for (column, type_, place), (there, odd) in sorted(counts.found.items()):
            if there >= RETYPED_LEAST and 2 * odd > there:
                text = f"{odd:,} of {there:,} values of {column!r} do not read as {type_} ({place})"
                yield Drift("retyped", column, text, place)


@dataclass
class Counts:
    """By contract column, type and place: how many values there are, and how many do not read."""

    found: dict[tuple[str, str, str], tuple[int, int]] = field(default_factory=dict)

    def add(self, engine: Engine, contract: SourceContract) -> None:
        """Count the values of the relation judged_line."""
        for path, (sql, said) in contract.readings:
            types = dict(engine.columns(f"{sql} LIMIT 0"))
            terms = []
            for column, type_, _ in said:
                value, given = quoted(RAW_PREFIX + column), types[RAW_PREFIX + column]
                there = f"nullif(trim({value}), '') IS NOT NULL" if given == "VARCHAR" else f"{value} IS NOT NULL"
                terms += [there, f"{there} AND {cast_sql(value, given, type_)} IS NULL"]
            [row] = engine.rows(f"SELECT {', '.join(f'count(*) FILTER ({term})' for term in terms)} FROM ({sql})")
            for number, (column, type_, line) in enumerate(said):
                key = (column, type_, f"{path}:{line}")
                there_before, odd_before = self.found.get(key, (0, 0))
                self.found[key] = (there_before + row[2 * number], odd_before + row[2 * number + 1])


def contracts_of(
    mappings: Sequence[MappingSql], sources: Mapping[str, SourceSettings]
) -> dict[tuple[str, str], SourceContract]:
    """The contract with every raw table."""
    contracts = {}
    for source, settings in sources.items():
        for table, of in settings.tables.items():
            keys = [name.lower() for name in of.key]
            needed: dict[str, str | None] = dict.fromkeys(keys)
            readings: list[tuple[str, Reading]] = []
            uses: dict[str, list[list[list[str]]]] = {}
            for mapping in mappings:
                if mapping.source == source and table in mapping.raw_tables:
                    path = "/".join(mapping.path.split("/")[-3:])
                    needed |= {name: f"{path}:{line}" for name, line in mapping.places[table].items()}
                    readings += [(path, reading) for reading in mapping.readings.get(table, ())]
                    for name in mapping.columns[table]:  # one that needs the column has no alternative
                        uses.setdefault(name, []).extend(mapping.alternatives[table].get(name, [[]]))
            alternatives = {name: of_all for name, of_all in uses.items() if all(of_all) and name not in keys}
            contracts[source, table] = SourceContract(source, table, of, needed, tuple(readings), alternatives)
    return contracts


def held_for(
    contract: SourceContract, columns: Sequence[str], before: Iterable[Iterable[str]], engine: Engine
) -> str | None:
    """Why a batch, whose lines are the relation judged_line, is held: the drifts that are to be quarantined.

    before: the columns of the batches that were taken earlier.
    """
    drifts = [*contract.columns_drift(columns, before)]
    if contract.policy("retyped") == "quarantine":
        counts = Counts()
        counts.add(engine, contract)
        drifts += contract.retyped(counts)
    return "; ".join(drift.text for drift in drifts if contract.policy(drift.kind) == "quarantine") or None
