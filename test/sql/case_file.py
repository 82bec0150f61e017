"""The text of a case: the rule it proves, the rows that go in and the rows that must come out.

A case file, test/sql/<table>/<rule>.case, reads

    -- The rule, in a sentence or more.
    given silver.product
    source_name | product_id | product_name
    erp         | A          | New
    expect gold.dim_product where product_key <> 0
    product_id | product_name | valid_from_at
    A          | New          | 1900-01-01 00:00:00+00

Cells are texts that are cast to their column's type; an empty cell is NULL, '' is the empty text, and a cell that
begins with = is portable SQL. Columns left out of a `given` take their DEFAULT, else NULL; an `expect` compares only
the columns it names, in any order of the rows. Lines that begin with -- are comments anywhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"(given|expect) (\w+\.\w+)(?: where (.+))?")


@dataclass(frozen=True)
class Rows:
    """Rows of one table as written: cells are texts, None is NULL."""

    table: str
    where: str | None
    columns: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]
    line: int


@dataclass(frozen=True)
class Case:
    """One case: given rows of tables, expected rows of tables."""

    path: Path
    rule: str
    given: tuple[Rows, ...]
    expected: tuple[Rows, ...]


def read_case(path: Path) -> Case:
    """Read a case file; a ValueError names the file and the line that does not fit."""
    rule: list[str] = []
    blocks: dict[str, list[Rows]] = {"given": [], "expect": []}
    kind, table, where, start = "", "", None, 0
    columns: tuple[str, ...] = ()
    rows: list[tuple[str | None, ...]] = []

    def close() -> None:
        if kind:
            blocks[kind].append(Rows(table, where, columns, tuple(rows), start))

    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        said = line.strip()
        if said.startswith("--"):
            if not kind:
                rule.append(said[2:].strip())
        elif opened := _BLOCK.fullmatch(said):
            close()
            kind, table, where = opened[1], opened[2], opened[3]
            start, columns, rows = number, (), []
        elif said:
            cells = tuple(cell.strip() for cell in line.split("|"))
            if not kind:
                raise ValueError(f"{path}:{number}: rows before the first 'given'")
            if not columns:
                columns = cells
            elif len(cells) != len(columns):
                raise ValueError(f"{path}:{number}: {len(cells)} cells for {len(columns)} columns")
            else:
                rows.append(tuple({"": None, "''": ""}.get(cell, cell) for cell in cells))
    close()
    if not rule or not blocks["expect"]:
        raise ValueError(f"{path}: a case needs its rule as a comment on top and at least one 'expect'")
    return Case(path, " ".join(rule), tuple(blocks["given"]), tuple(blocks["expect"]))
