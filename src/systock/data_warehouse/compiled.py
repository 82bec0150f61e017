"""Compiled definitions: table files as the SQL that a run executes, kept between runs so that unchanged files are never parsed.

Parsing and rewriting a project's SQL takes seconds; its result depends on the definitions alone. The book keeps it in one
file beside the build, thrown away whole when any definition changes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from sqlglot import exp

from systock.data_warehouse.dependency_order import inputs
from systock.data_warehouse.portable_sql import compile_sql, compile_text
from systock.data_warehouse.refresh_cost import COSTS, GROUPING, GROUPS, also_touched, compile_costs, kernel_key
from systock.data_warehouse.refresh_interval import INTERVALS, compile_intervals
from systock.data_warehouse.refresh_keys import RefreshPlan, plan_refresh
from systock.data_warehouse.refresh_ledger import compile_ledger, rows_that_match
from systock.data_warehouse.table_file import ASKED_KINDS, KNOWN_COLUMNS, TableFile

#: The open end of every interval, as an SQL literal.
FOREVER = "TIMESTAMPTZ '9999-12-31 00:00:00+00'"
#: The row that stands for meta.capture where states are asked for many moments at once.
MOMENT = "systock_moment"


class Book:
    """Keeps compiled SQL by key, in a file; `edition` names the definitions that it holds for."""

    #: What this process compiled already, for whichever project.
    _made: ClassVar[dict[tuple[str, str], Any]] = {}

    def __init__(self, path: Path, edition: str) -> None:
        self._path, self._edition = path, edition
        self._entries: dict[str, Any] = {}
        self._is_new = False
        with suppress(OSError, ValueError, KeyError, TypeError):  # lost or damaged: it is compiled again
            kept = json.loads(path.read_bytes())
            if kept["edition"] == edition:
                self._entries = kept["entries"]

    def get(self, key: str, make: Callable[[], Any]) -> Any:
        """The entry, made (as JSON values) when it is not there yet."""
        if key not in self._entries:
            made = (self._edition, key)
            if made not in self._made:
                self._made[made] = make()
            self._entries[key] = self._made[made]
            self._is_new = True
        return self._entries[key]

    def save(self) -> None:
        """Keep the book for the next run; a disk that refuses costs only time."""
        if self._is_new:
            aside = self._path.with_suffix(".new")
            with suppress(OSError):
                aside.write_text(json.dumps({"edition": self._edition, "entries": self._entries}))
                aside.replace(self._path)


@dataclass(frozen=True)
class CompiledColumn:
    """A column of a contract; default_sql is the engine's."""

    name: str
    type: str
    nullable: bool
    default_sql: str | None


@dataclass(frozen=True)
class CompiledCheck:
    """A CHECK: its text, its first column, its condition in the engine's SQL."""

    text: str
    column: str
    sql: str


@dataclass(frozen=True)
class CompiledTable:
    """What a run needs to know of a table file; select is the engine's SQL, empty for contracts.

    select_each: of a snapshot's state, the same for the moment in the row MOMENT, to be asked for many at once; empty if
    it can only be asked for one after the other.
    """

    schema: str
    name: str
    sentence: str
    refresh: str | None
    history: str | None
    columns: tuple[CompiledColumn, ...]
    primary_key: tuple[str, ...]
    references: tuple[tuple[str, str, str], ...]
    checks: tuple[CompiledCheck, ...]
    reads: tuple[str, ...]
    select: str
    kept_since: str | None = None
    select_each: str = ""
    renamed: tuple[tuple[str, str], ...] = ()

    @property
    def qualified(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def is_stored(self) -> bool:
        """Does it hold rows, or is it a question asked each time?"""
        return self.refresh not in ASKED_KINDS


def compile_table(table: TableFile, *, zones_defined: bool = False) -> dict[str, Any]:
    """A table file as the JSON values of a CompiledTable. zones_defined: see compile_sql."""
    return asdict(
        CompiledTable(
            table.schema, table.name, table.sentence, table.refresh, table.history,
            tuple(CompiledColumn(c.name, c.type, c.nullable, compile_text(c.default_sql) if c.default_sql else None) for c in table.columns),
            table.primary_key,
            tuple((r.column, r.table, r.target_column) for r in table.references),
            tuple(CompiledCheck(c.text, c.columns[0] if c.columns else "", compile_sql(c.expression)) for c in table.checks),
            tuple(found.qualified for found in inputs(table)),
            compile_sql(table.select, zones_defined=zones_defined) if table.select is not None else "",
            table.kept_since,
            _select_each(table.select) if table.refresh == "snapshot" and table.select is not None else "",
            table.renamed,
        )
    )  # fmt: skip


#: What a state made for many moments at once is not trusted with: engines flatten such a query in ways of their own.
_ONE_AFTER_THE_OTHER = (exp.Subquery, exp.Exists, exp.SetOperation, exp.Lateral, exp.Limit, exp.Fetch, exp.Offset)


def _select_each(select: exp.Query) -> str:
    """The engine's SQL of a snapshot's SELECT, its meta.capture the row MOMENT of an outer query; empty where that is not safe."""
    select = select.copy()
    with_ = select.args.get("with_")
    if (
        select.find(*_ONE_AFTER_THE_OTHER)
        or (with_ is not None and with_.recursive)
        or any(join.side == "FULL" for join in select.find_all(exp.Join))
        or any(column.args.get("db") for column in select.find_all(exp.Column))
    ):
        return ""
    for found in [table for table in select.find_all(exp.Table) if f"{table.db}.{table.name}" == "meta.capture"]:
        asked = exp.select(*(exp.column(name, MOMENT) for name in ("as_of", "as_of_date", "ended_by_at")))
        found.replace(asked.subquery(found.alias_or_name))
    return compile_sql(select)


def read_compiled(entry: Mapping[str, Any]) -> CompiledTable:
    """A CompiledTable from its JSON values."""
    return CompiledTable(**{
        **entry,
        "columns": tuple(CompiledColumn(**column) for column in entry["columns"]),
        "checks": tuple(CompiledCheck(**check) for check in entry["checks"]),
        "references": tuple((column, table, target) for column, table, target in entry["references"]),
        "primary_key": tuple(entry["primary_key"]),
        "reads": tuple(entry["reads"]),
        "renamed": tuple((old, name) for old, name in entry["renamed"]),
    })  # fmt: skip


def before(qualified: str) -> str:
    """The temporary relation that reads a table as it was before the run."""
    return qualified.replace(".", "_") + "_before"


def changed(qualified: str) -> str:
    """The temporary relation of a table's changed rows, old and new versions."""
    return qualified.replace(".", "_") + "_changed"


def gone(qualified: str) -> str:
    """The temporary relation of the rows that a refresh took out of a table."""
    return qualified.replace(".", "_") + "_gone"


def new(qualified: str) -> str:
    """The temporary relation of the rows that a refresh put into a table."""
    return qualified.replace(".", "_") + "_new"


def plan_of(table: TableFile, tables: Mapping[str, TableFile], columns: Mapping[str, Sequence[str]]) -> RefreshPlan:
    """The refresh plan of a table file. tables: the files of the tables it may read; columns: of all it may read."""
    assert table.select is not None
    if table.refresh == "versions":  # follows the rows of its one table (see _compile_versions)
        return RefreshPlan(None, ())
    reads = [found.qualified for found in inputs(table)]
    made_by = {
        name: select
        for name in reads
        if name in tables and (select := tables[name].select) is not None and tables[name].refresh != "kernel"
    }
    key = kernel_key(table.qualified) if table.refresh == "kernel" else table.primary_key
    if not key:
        return RefreshPlan("small table", ())
    return plan_refresh(
        table.select,
        table.select.named_selects,
        key,
        {name: columns[name] for name in reads},
        made_by,
        {name: _never_null(tables[name]) for name in reads if name in tables},
    )


def _never_null(table: TableFile) -> frozenset[str]:
    """The columns of a table file that are NOT NULL; of an entity those of its key: what was deleted has no other."""
    if table.schema == "silver":
        return frozenset(table.primary_key)
    return frozenset(column.name for column in table.columns if not column.nullable)


def compile_refresh(table: TableFile, plan: RefreshPlan) -> dict[str, Any]:
    """How a table is refreshed by key: {whole: why it can't be}, or {stale, fresh: its touched rows as they were and are}."""
    if table.refresh == "ledger":
        return compile_ledger(table)
    if table.refresh == "versions":
        return _compile_versions(table)
    if plan.whole:
        return {"whole": plan.whole} | ({"only_if": GROUPING} if table.qualified == GROUPS else {})
    if table.qualified == COSTS:
        return compile_costs(table)
    fresh = compile_sql(plan.recompute("touched", {}), zones_defined=True)
    names, certain = [column.name for column in table.columns], _never_null(table)
    if all(
        column in names for column in plan.key_columns.values()
    ):  # the table itself still holds the rows as they were
        matched = " AND ".join(
            f'old."{column}" {"=" if column in certain else "IS NOT DISTINCT FROM"} t."{key}"'
            for key, column in plan.key_columns.items()
        )
        # Keys come in no order, so the scan can't be cut by them: only key columns are read of all rows.
        found = rows_that_match(table.qualified, ("rowid",), matched)
        chosen = ", ".join(f'"{name}"' for name in names)
        stale = f"SELECT {chosen} FROM {table.qualified} WHERE rowid IN ({found})"
        by_key = {"whole": None, "stale": stale, "fresh": fresh}
        return by_key | ({"suffix": compile_intervals(table)} if table.qualified == INTERVALS else {})
    then = {found.qualified: before(found.qualified) for found in inputs(table)}
    return {"whole": None, "stale": compile_sql(plan.recompute("touched", then), zones_defined=True), "fresh": fresh}


def _compile_versions(table: TableFile) -> dict[str, Any]:
    """How versions are kept: {gone, new: the SELECT over the rows that its table lost and got; same: what names a row in both}."""
    assert table.select is not None
    [read] = inputs(table)
    made = {}
    for which, relation in (("gone", gone), ("new", new)):
        select = table.select.copy()
        for found in list(select.find_all(exp.Table)):
            found.replace(exp.alias_(exp.to_table(relation(read.qualified)), found.alias_or_name, table=True))
        made[which] = compile_sql(select, zones_defined=True)
    same = " AND ".join(f'old."{name}" = t."{name}"' for name in table.primary_key if name not in KNOWN_COLUMNS)
    return {"whole": None, **made, "same": same}


def compile_touched(table: TableFile, plan: RefreshPlan, moved: str) -> list[str]:
    """Queries of the keys that an input's changed rows touch, over all inputs as they were and as they are."""
    then = {found.qualified: before(found.qualified) for found in inputs(table)}
    more = also_touched(moved, changed(moved)) if table.qualified == COSTS else []
    return more + [
        compile_sql(query, zones_defined=True)
        for relation in (then, {})
        for query in plan.touched(moved, changed(moved), relation)
    ]
