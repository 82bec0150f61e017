"""Contract checks: keys, references and CHECKs of the table files as set queries on the rows that a run touched."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from systock.data_warehouse.compiled import CompiledTable, changed
from systock.data_warehouse.engine.base import Engine
from systock.data_warehouse.refresh import Change


@dataclass(frozen=True)
class CheckResult:
    """One check on one table: passed, or how many rows break it and one of them."""

    check: str
    table: str
    passed: bool
    detail: str = ""


def check_contracts(
    engine: Engine, tables: Iterable[CompiledTable], changes: Mapping[str, Change] | None
) -> Iterator[CheckResult]:
    """Check the changed rows of stored tables (all rows where `changes` is None or a table was built whole)."""
    for table in tables:
        change = Change(everything=True) if changes is None else changes.get(table.qualified)
        if change is not None:
            yield from _own(engine, table, change)
        yield from _references(engine, table, changes)


def _own(engine: Engine, table: CompiledTable, change: Change) -> Iterator[CheckResult]:
    rows = table.qualified if change.everything else change.new
    if table.primary_key:
        key = ", ".join(f'"{name}"' for name in table.primary_key)
        touched = "" if change.everything else f"WHERE ({key}) IN (SELECT ({key}) FROM {rows})"
        doubled = f"SELECT {key}, count(*) AS lines FROM {table.qualified} {touched} GROUP BY ALL HAVING count(*) > 1"
        yield _verdict(engine, f"primary key ({key})", table, doubled)
    for check in table.checks:
        yield _verdict(engine, f"CHECK {check.text}", table, f"SELECT * FROM {rows} WHERE ({check.sql}) IS FALSE")


def _references(engine: Engine, table: CompiledTable, changes: Mapping[str, Change] | None) -> Iterator[CheckResult]:
    """New rows must find what they refer to; and no row may refer to what was removed."""
    for name_, parent, target in table.references:
        column, key = f'"{name_}"', f'"{target}"'
        lost = (
            f"""WHERE c.{column} IS NOT NULL AND NOT EXISTS (SELECT 1 FROM {parent} AS p WHERE p.{key} = c.{column})"""
        )
        name = f"{name_} refers to {parent}"
        change = Change(everything=True) if changes is None else changes.get(table.qualified)
        if change is not None:
            rows = table.qualified if change.everything else change.new
            yield _verdict(engine, name, table, f"SELECT c.* FROM {rows} AS c {lost}")
        parent_change = (changes or {}).get(parent)
        if parent_change is not None and not parent_change.everything and not (change and change.everything):
            removed = f"(SELECT {key} FROM {changed(parent)})"
            yield _verdict(
                engine,
                f"{name} (removed rows)",
                table,
                f"SELECT c.* FROM {table.qualified} AS c {lost} AND c.{column} IN {removed}",
            )


def _verdict(engine: Engine, check: str, table: CompiledTable, broken: str) -> CheckResult:
    [(count,)] = engine.rows(f"SELECT count(*) FROM ({broken})")
    if not count:
        return CheckResult(check, table.qualified, True)
    [(example,)] = engine.rows(f"SELECT to_json(b) FROM ({broken} LIMIT 1) AS b")
    return CheckResult(check, table.qualified, False, f"{count} rows break it, such as {example}")
