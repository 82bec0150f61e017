"""Explaining a number of gold or serve: the rows it is made from, table by table down to the landed lines, and the SQL that made it."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from sqlglot import exp

from systock.data_warehouse.dependency_order import inputs, inputs_of
from systock.data_warehouse.engine.base import Engine
from systock.data_warehouse.lineage_build import build
from systock.data_warehouse.lineage_trace import Tracer
from systock.data_warehouse.lineage_tree import Node, NotByKey
from systock.data_warehouse.table_file import TableFile
from systock.data_warehouse.trace_rows import RowTracer, Taken, rows_of
from systock.data_warehouse.trace_sql import select_of
from systock.errors import UsageError
from systock.etl_pipeline.bronze_layer.landing_log import LandingLog
from systock.etl_pipeline.silver_layer.trace_lines import LineTracer
from systock.pipeline_manager.definitions import Definitions

#: Types whose values a stored row shares exactly with what its SELECT yields.
_EXACT = ("text", "uuid", "bigint", "boolean")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass
class _Part:
    """A table's part in the number: the relation of its rows' identities (None: all), what is read of it, who reads it."""

    relation: str | None
    columns: set[str] = field(default_factory=set)
    read_by: list[str] = field(default_factory=list)


class Explanation:
    """One row of the published warehouse, traced; the engine holds the steps as temporary tables."""

    def __init__(
        self, engine: Engine, definitions: Definitions, table: str, key: str | Mapping[str, Any], column: str | None
    ) -> None:
        self.engine, self.definitions = engine, definitions
        if engine.rows("SELECT definition_hash FROM meta.definition") != [(definitions.hash,)]:
            raise UsageError(
                "the definitions changed since this was published", todo="Run 'systock run' first, then explain."
            )
        self._files = {file.qualified: file for file in definitions.tables}
        self._columns = definitions.columns()
        self.file = self._table(table)
        if column is not None and column not in self.file.column_names:
            raise _unknown("column", column, self.file.column_names, self.file.qualified)
        self.column = column
        self._tracer = RowTracer(engine, self.identity)
        self.parts: dict[str, _Part] = {}
        self.notes: list[str] = []
        self._find(_conditions(self.file, key))

    def _table(self, name: str) -> TableFile:
        found = [file for file in self._files.values() if name in (file.qualified, file.name)]
        if len(found) != 1:
            valid = sorted(name for name, file in self._files.items() if file.refresh != "function")
            raise _unknown("table", name, valid, "explain")
        [file] = found
        if file.refresh == "function":
            raise UsageError(
                "it is asked with arguments, so that no row of it lies anywhere", where=file.qualified,
                todo="Explain the rows of what it reads: " + ", ".join(sorted(read.qualified for read in inputs(file))) + ".",
            )  # fmt: skip
        return file

    def _find(self, conditions: Sequence[tuple[str, str]]) -> None:
        """The one row that is asked for."""
        types = {column.name: column.type for column in self.file.columns}
        tests, values = [], []
        for name, value in conditions:
            type_ = types[name]
            is_one = type_ != "date" or _DAY.fullmatch(
                value
            )  # the engine takes a day with anything after it for that day
            if value and not (
                is_one and self.engine.rows(f"SELECT TRY_CAST(? AS {type_}) IS NOT NULL", [value]) == [(True,)]
            ):
                raise UsageError(
                    f"{value!r} is no {type_}",
                    where=f"{self.file.qualified}.{name}",
                    todo="Write it as 'systock query' shows it.",
                )
            if not value:
                tests.append(f"""COALESCE(CAST("{name}" AS text), '') = ''""")
                continue
            # an instant is shown to the second
            held = (
                f"""CAST(? AS {type_}) IN ("{name}", date_trunc('second', "{name}"))"""
                if type_ == "timestamptz"
                else ""
            )
            tests.append(held or f'"{name}" = CAST(? AS {type_})')
            values.append(value)
        found = self.engine.dicts(
            f"SELECT * FROM {self.file.qualified} WHERE {' AND '.join(tests)} ORDER BY ALL LIMIT 6", values
        )
        said = ", ".join(f"{name}={value}" for name, value in conditions)
        if not found:
            raise UsageError(
                f"no row with {said}",
                where=self.file.qualified,
                todo=f"Its key is {', '.join(self.file.primary_key)}: see 'systock query \"SELECT * FROM {self.file.qualified}\"'.",
            )
        if len(found) > 1:
            rows = "\n".join(",".join(f"{name}={row[name]}" for name in self.file.primary_key) for row in found[:5])
            raise UsageError(f"several rows with {said}", where=self.file.qualified, todo=f"Name one of them:\n{rows}")
        self.row = found[0]
        identity = self.identity(self.file.qualified)
        chosen = " AND ".join(f'"{name}" IS NOT DISTINCT FROM CAST(? AS {types[name]})' for name in identity)
        names = _listed(identity)
        relation = self._tracer.keep(f"SELECT {names} FROM {self.file.qualified} WHERE FALSE")
        self.engine.execute(
            f"INSERT INTO {relation} SELECT {names} FROM {self.file.qualified} WHERE {chosen}",
            [self.row[name] for name in identity],
        )
        asked = {self.column, *self.file.primary_key} if self.column else set(self.file.column_names)
        self.parts[self.file.qualified] = _Part(relation, {name for name in asked if name})

    def identity(self, table: str) -> Sequence[str]:
        """The columns that tell a table's rows apart; none for settings."""
        schema, _, name = table.partition(".")
        entity = name.removesuffix("__versions")
        if schema == "silver" and entity in self.definitions.contracts:
            told_by = ("version_at", "known_from_at") if entity != name else ("version_at",)
            return (*self.definitions.contracts[entity].primary_key, *told_by)
        if table in self._files:
            return self._files[table].primary_key or self._files[table].column_names
        return () if schema == "meta" else self._columns[table]

    def trace(self) -> None:
        """Follow the row down to silver: each table once, after all that read it."""
        for file in reversed(self.definitions.tables):
            part = self.parts.get(file.qualified)
            if part and (part.relation is None or self.engine.rows(f"SELECT 1 FROM {part.relation} LIMIT 1")):
                self._trace_table(file, part)

    def _trace_table(self, file: TableFile, part: _Part) -> None:
        assert file.select is not None
        reads = inputs_of(file)
        try:
            # What is no longer chosen stands there still: a sale that was voided since is in no version that is believed now.
            select = _unfiltered(file.select) if file.refresh == "versions" else file.select
            tree = build(select, {name: self._columns[name] for name in reads})
        except NotByKey as reason:
            self.notes.append(f"{file.qualified}: all rows of what it reads, for {reason} can not be followed")
            for name in reads:
                self._add(name, None, set(self._columns[name]), file.qualified)
            return
        Tracer({n: s for n in reads if n in self._files and (s := self._files[n].select) is not None}).trace(tree)
        if file.refresh == "kernel":
            self._take(file, self._tracer.trace(tree, *self._kernel_rows(file, tree), set(tree.visible)))
            return
        places = dict(zip(file.made_columns, tree.visible, strict=True))
        identity = self.identity(file.qualified)
        plain = {
            name
            for name, place in places.items()
            if tree.shape.get(place) != "computed" and file.column(name).type in _EXACT
        }
        # Of a table of versions the rows that stand now in place of those that were believed: their lines have all that came before.
        told_by = set(identity) if file.refresh == "versions" else {*identity, *plain}
        keys = {name: place for name, place in places.items() if name in told_by}
        wanted = self._tracer.keep(f"SELECT DISTINCT {_listed(list(keys))} FROM ({self.rows_sql(file.qualified)})")
        taken = self._tracer.trace(tree, wanted, keys, {places[name] for name in part.columns if name in places})
        self._take(file, taken)
        if file.refresh == "versions":
            self._note_versions(file, taken)

    def _note_versions(self, file: TableFile, taken: Mapping[str, Taken]) -> None:
        """Say what of rows that were believed can not be told from what stands now."""
        if file.kept_since:  # that it was kept at all hangs on these
            self._add(file.kept_since, None, set(self._columns[file.kept_since]), file.qualified)
        inputs_taken = (one.relation for name, one in taken.items() if not name.startswith("meta."))
        if not any(some is None or self.engine.rows(f"FROM {some} LIMIT 1") for some in inputs_taken):
            self.notes.append(
                f"{file.qualified}: nothing stands now in place of what was believed; explain with --known-at a time when it was"
            )

    def _kernel_rows(self, file: TableFile, tree: Node) -> tuple[str, dict[str, str]]:
        """What of a kernel's input its rows hang on: all that is valued together; as the wanted keys and where they stand."""
        key = "product_durable_key" if file.qualified == "gold.cost_group" else "cost_group"
        groups = f"SELECT DISTINCT cost_group FROM ({self.rows_sql(file.qualified)})"
        wanted = self._tracer.keep(f"SELECT DISTINCT {key} FROM {file.qualified} WHERE cost_group IN ({groups})")
        return wanted, {key: tree.visible[list(file.select.named_selects).index(key)]}  # type: ignore[union-attr]

    def _take(self, file: TableFile, taken: Mapping[str, Taken]) -> None:
        for name, one in sorted(taken.items()):
            self._add(name, one.relation, one.columns, file.qualified)

    def _add(self, table: str, relation: str | None, columns: set[str], read_by: str) -> None:
        part = self.parts.setdefault(table, _Part(relation))
        part.columns |= columns
        part.read_by.append(read_by)
        part.relation = self._tracer.united(part.relation, relation)

    def rows_sql(self, table: str) -> str:
        """The rows of a table that take part."""
        return rows_of(table, self.parts[table].relation, self.identity(table))

    def lines(self, log: LandingLog, bronze: Path, limit: int | None) -> tuple[dict[str, int], list[dict[str, Any]]]:
        """How many landed lines of each entity are behind it, and (the newest of) them."""
        tracer = LineTracer(self.engine, self.definitions.stored_tables)
        for table in sorted(name for name in self.parts if name.startswith("silver.")):
            entity = table.removeprefix("silver.").removesuffix("__versions")
            rows, contract = self.parts[table].relation or table, self.definitions.compiled_contracts[entity]
            if table.endswith("__versions"):
                tracer.versions(contract, rows)
            else:
                mappings = [mapping for mapping in self.definitions.mappings if mapping.entity == entity]
                tracer.entity(contract, rows, mappings, self.definitions.contracts[entity])
        return tracer.counts(), tracer.lines(bronze, {batch.no: batch for batch in log.batches()}, limit)

    def told(self, log: LandingLog, bronze: Path, limit: int | None) -> dict[str, Any]:
        """All of it as one document."""
        self.trace()
        tables = [
            self._told_table(name, limit)
            for name in [f.qualified for f in reversed(self.definitions.tables)]
            if name in self.parts
        ]
        tables += [self._told_table(name, limit) for name in sorted(self.parts) if name not in self._files]
        counts, lines = self.lines(log, bronze, limit)
        if not any(counts.values()) and not self.notes:
            self.notes.append("no landed line is behind it: it is made of settings, or stands for what is not known")
        return {
            "table": self.file.qualified, "key": {name: self.row[name] for name in self.file.primary_key}, "column": self.column,
            "value": self.row[self.column] if self.column else None, "row": self.row, "path": self._path(self.file),
            "sql": select_of(self.file, self.column, self._columns), "tables": tables, "line_counts": counts, "lines": lines, "notes": self.notes,
        }  # fmt: skip

    def _path(self, file: TableFile) -> str:
        own = file.path.is_relative_to(self.definitions.project_dir)
        return file.path.relative_to(self.definitions.project_dir if own else Path(__file__).parents[2]).as_posix()

    def _told_table(self, name: str, limit: int | None) -> dict[str, Any]:
        part, rows = self.parts[name], self.rows_sql(name)
        [(count,)] = self.engine.rows(f"SELECT count(*) FROM ({rows})")
        file = self._files.get(name)
        identity = self.identity(name) or self._columns[name]
        newest = _newest(file) if file else "version_at" if name.startswith("silver.") else None
        order = [f'"{newest}" DESC'] * bool(newest) + [f'"{column}"' for column in identity]
        columns = [column for column in self._columns[name] if column in part.columns or column in identity]
        some = f" LIMIT {limit}" if limit else ""
        shown = self.engine.dicts(f"SELECT {_listed(columns)} FROM ({rows}) ORDER BY {', '.join(order)}{some}")
        return {
            "table": name, "read_by": list(dict.fromkeys(part.read_by)), "row_count": count, "path": self._path(file) if file else None,
            "columns": [column for column in self._columns[name] if column in part.columns], "rows": shown,
        }  # fmt: skip


def _unfiltered(select: exp.Query) -> exp.Query:
    """A SELECT of versions without its own WHERE."""
    whole = select.copy()
    whole.set("where", None)
    return whole


def _conditions(file: TableFile, key: str | Mapping[str, Any]) -> list[tuple[str, str]]:
    """Column and value (empty: NULL or an empty text) of each part of a key: values of the primary key's columns, or NAME=VALUE of any."""
    if isinstance(key, Mapping):
        pairs = [(name, "" if value is None else str(value)) for name, value in key.items()]
    else:
        [parts] = list(csv.reader([key])) or [[]]
        named = [part.partition("=") for part in parts]
        if parts and all(sign and name.strip() in file.column_names for name, sign, _ in named):
            pairs = [(name.strip(), value) for name, _, value in named]
        elif len(parts) == len(file.primary_key):
            pairs = list(zip(file.primary_key, parts, strict=True))
        else:
            wrong = next((name for name, sign, _ in named if sign and name not in file.column_names), None)
            if wrong is not None:
                raise _unknown("column", wrong, file.column_names, file.qualified)
            raise UsageError(
                f"the key has {len(file.primary_key)} parts, {len(parts)} are given", where=file.qualified,
                todo=f"Write the values of {', '.join(file.primary_key)}, separated by commas; or NAME=VALUE of any of its columns: "
                f"{', '.join(file.column_names)}.",
            )  # fmt: skip
    for name, _ in pairs:
        if name not in file.column_names:
            raise _unknown("column", name, file.column_names, file.qualified)
    return pairs


def _unknown(kind: str, name: str, valid: Sequence[str], where: str) -> UsageError:
    close = get_close_matches(name, [each.rpartition(".")[2] for each in valid], n=1)
    meant = f"; did you mean {close[0]!r}?" if close else ""
    return UsageError(f"there is no {kind} {name!r}{meant}", where=where, todo=f"Valid: {', '.join(valid)}.")


def _newest(file: TableFile) -> str | None:
    """The column that tells which rows are newer: the first instant, else the first date."""
    return next((c.name for type_ in ("timestamptz", "date") for c in file.columns if c.type == type_), None)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
