"""A small world for refresh by key: inputs in a state before and a state after, and the protocol that a caller follows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import duckdb
from sqlglot import exp

from systock.data_warehouse.portable_sql import compile_sql, parse
from systock.data_warehouse.refresh_keys import RefreshPlan, plan_refresh

Rows = Sequence[tuple[str, ...]]
"""Rows as SQL literals, so that NULL and instants need no conversion."""


@dataclass(frozen=True)
class Followed:
    """What one refresh did."""

    before: Counter[tuple[object, ...]]
    after: Counter[tuple[object, ...]]
    old: Counter[tuple[object, ...]]
    new: Counter[tuple[object, ...]]
    touched: set[tuple[object, ...]]


@dataclass
class World:
    """tables: 'silver.line' → its columns with their types."""

    tables: Mapping[str, Mapping[str, str]]
    write: Callable[[exp.Query], str] = compile_sql
    _compiled: dict[object, object] = field(default_factory=dict)
    _plans: list[RefreshPlan] = field(default_factory=list)  # kept alive: what is compiled is remembered by their id

    def __post_init__(self) -> None:
        self.connection = duckdb.connect(config={"threads": 1})
        self.connection.execute("SET TimeZone = 'UTC'; SET disabled_optimizers = 'common_subexpressions'")
        for state in ("before", "after", "changed"):
            self.connection.execute(f"CREATE SCHEMA {state}")
            for table, columns in self.tables.items():
                definition = ", ".join(f"{name} {type_}" for name, type_ in columns.items())
                self.connection.execute(f"CREATE TABLE {place(state, table)} ({definition})")

    def plan(self, sql: str, key: Sequence[str], definitions: Mapping[str, str] | None = None) -> RefreshPlan:
        """The plan for a SELECT whose columns are the table's."""
        query = self.query(sql)
        made = {name: self.query(text) for name, text in (definitions or {}).items()}
        schema = {name: tuple(columns) for name, columns in self.tables.items()}
        self._plans.append(plan_refresh(query, query.named_selects, key, schema, made))
        return self._plans[-1]

    @staticmethod
    def query(sql: str) -> exp.Query:
        """The parsed SELECT."""
        query = parse(sql)
        assert isinstance(query, exp.Query)
        return query

    def fill(self, state: str, rows: Mapping[str, Rows]) -> None:
        """Put these rows, and no others, into the inputs' state (or their changed rows)."""
        for table in self.tables:
            name = place(state, table)
            self.connection.execute(f"TRUNCATE {name}")
            if lines := rows.get(table):
                self.connection.execute(
                    f"INSERT INTO {name} VALUES " + ", ".join(f"({', '.join(row)})" for row in lines)
                )

    def rows(self, query: exp.Query | str) -> Counter[tuple[object, ...]]:
        """The rows of a query, as a bag."""
        sql = query if isinstance(query, str) else self.write(query)
        return Counter(self._fetch(sql))

    def _fetch(self, sql: str) -> list[tuple[object, ...]]:
        result = self.connection.execute(sql)
        if all("TIME ZONE" not in str(column[1]) for column in result.description or ()):
            return result.fetchall()
        columns = [column.to_pylist() for column in result.to_arrow_table().columns]  # DuckDB itself would need pytz
        return list(zip(*columns, strict=True))

    def whole(self, sql: str, state: str) -> Counter[tuple[object, ...]]:
        """The rows of the SELECT over a state."""
        return self.rows(str(self._cached((sql, state), lambda: self._whole(sql, state))))

    def _whole(self, sql: str, state: str) -> str:
        query = self.query(sql)
        for table in list(query.find_all(exp.Table)):
            name = f"{table.db}.{table.name}"
            if name in self.tables:
                alias = table.args.get("alias") or exp.TableAlias(this=exp.to_identifier(table.name))
                read = exp.to_table(place(state, name))
                read.set("alias", alias)
                read.set("joins", table.args.get("joins"))
                table.replace(read)
        return self.write(query)

    def touched(
        self, plan: RefreshPlan, changed: Iterable[str], states: Sequence[str] = ("before", "after")
    ) -> set[tuple[object, ...]]:
        """Fill the relation of touched keys by the rows in `changed`; its keys."""
        columns = ", ".join(plan.columns)
        queries = [
            self._cached(
                (id(plan), "touched", table, state),
                lambda t=table, s=state: [self.write(q) for q in self._touched(plan, t, s)],
            )
            for table in changed
            for state in states
        ]
        texts = [f"SELECT {columns} FROM ({text})" for group in queries for text in group]  # type: ignore[attr-defined]
        if not texts:  # no key, but of the right types
            queries_of_any = [query for table in sorted(plan.inputs) for query in self._touched(plan, table, "after")]
            text = self.write(queries_of_any[0])
            texts = [f"SELECT {columns} FROM ({text}) LIMIT 0"]
        self.connection.execute("CREATE OR REPLACE TEMP TABLE touched AS " + " UNION ".join(texts))
        return set(self._fetch("FROM touched"))

    def _touched(self, plan: RefreshPlan, table: str, state: str) -> list[exp.Query]:
        return plan.touched(table, place("changed", table), {name: place(state, name) for name in self.tables})

    def recompute(self, plan: RefreshPlan, state: str) -> Counter[tuple[object, ...]]:
        """The rows of the touched keys over a state."""
        relation = {name: place(state, name) for name in self.tables}
        text = self._cached((id(plan), "recompute", state), lambda: self.write(plan.recompute("touched", relation)))
        return self.rows(str(text))

    def _cached(self, key: object, make: Callable[[], object]) -> object:
        if key not in self._compiled:
            self._compiled[key] = make()
        return self._compiled[key]

    def follow(self, plan: RefreshPlan, sql: str, before: Mapping[str, Rows], after: Mapping[str, Rows]) -> Followed:
        """Refresh by key from one state to the other, as a caller does, and compare with the SELECT over the state after."""
        changed = {name: difference(before.get(name, ()), after.get(name, ())) for name in self.tables}
        self.fill("before", before)
        self.fill("after", after)
        self.fill("changed", changed)
        touched = self.touched(plan, [name for name in sorted(plan.inputs) if changed[name]])
        was, now = self.whole(sql, "before"), self.whole(sql, "after")
        old, new = self.recompute(plan, "before"), self.recompute(plan, "after")
        assert not old - was, "rows that were not there are said to go"
        assert was - old + new == now
        return Followed(was, now, old, new, touched)


def write_plainly(query: exp.Query) -> str:
    """A query without macros as DuckDB's SQL."""
    return query.sql(dialect="duckdb")


def place(state: str, table: str) -> str:
    """Where an input's state is kept."""
    return f"{state}.{table.replace('.', '_')}"


def difference(before: Rows, after: Rows) -> list[tuple[str, ...]]:
    """The rows of either state that the other one lacks: old and new versions."""
    was, now = Counter(before), Counter(after)
    return [*(was - now).elements(), *(now - was).elements()]
