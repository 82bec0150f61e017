"""Which table reads which: read from the SELECTs, never declared."""

from __future__ import annotations

import difflib
import heapq
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from sqlglot import exp

from systock.data_warehouse.portable_sql import position
from systock.data_warehouse.table_file import TableFile
from systock.errors import DefinitionError


@dataclass(frozen=True)
class Input:
    """One table that a SELECT reads: 'schema.name' and the first line it is named on."""

    qualified: str
    line: int


def inputs_of_query(query: exp.Expr, where: str = "the query") -> tuple[Input, ...]:
    """The tables that a query reads, in the order of their names; its own CTEs are not among them.

    A name without a schema that is no CTE is a DefinitionError.
    """
    ctes = {cte.alias for cte in query.find_all(exp.CTE)}
    found: dict[str, int] = {}
    for table in query.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier):  # a table function
            continue
        at = position(table)
        line = at[0] if at else 1
        if table.catalog:
            raise DefinitionError(
                f"{table.sql()} names a database", where=f"{where}:{line}", todo="Write schema.table only."
            )
        if not table.db:
            if table.name in ctes:
                continue
            raise DefinitionError(
                f"{table.name} is no CTE of this query and has no schema",
                where=f"{where}:{line}",
                todo=f"Write schema.{table.name}." + _close(table.name, ctes),
            )
        name = f"{table.db}.{table.name}"
        found[name] = min(line, found.get(name, line))
    return tuple(Input(name, found[name]) for name in sorted(found))


@lru_cache(maxsize=512)
def inputs(table: TableFile) -> tuple[Input, ...]:
    """The tables that a table's SELECT reads; none for a contract."""
    return inputs_of_query(table.select, str(table.path)) if table.select is not None else ()


def inputs_of(table: TableFile) -> tuple[str, ...]:
    """The names of the tables that a table's SELECT reads, sorted."""
    return tuple(source.qualified for source in inputs(table))


def order(
    tables: Mapping[str, TableFile],
    outside: Collection[str] = (),
    extra: Mapping[str, Collection[str]] | None = None,
) -> list[TableFile]:
    """The table files so that each comes after all that it reads; see DependencyOrder."""
    return [tables[name] for name in DependencyOrder(tables, outside, extra).order]


class DependencyOrder:
    """The tables in an order in which each comes after all that it reads, ties by name.

    tables: the table files by qualified name. outside: names that may be read and are no table file (meta.*, bronze.*).
    extra: what tables read that have no SELECT (the ledger), by qualified name.
    """

    def __init__(
        self,
        tables: Mapping[str, TableFile],
        outside: Collection[str] = (),
        extra: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        """Reads every SELECT; an unknown input or a circle is a DefinitionError."""
        self.reads: dict[str, tuple[str, ...]] = {}
        self.read_by: dict[str, tuple[str, ...]] = {}
        known = set(tables) | set(outside)
        for name in sorted(tables):
            table = tables[name]
            found = inputs(table)
            for source in found:
                if source.qualified not in known:
                    raise DefinitionError(
                        f"{name} reads {source.qualified}, which does not exist",
                        where=f"{table.path}:{source.line}",
                        todo=f"Define it in a table file or correct the name.{_close(source.qualified, known)}",
                    )
            more = extra.get(name, ()) if extra else ()
            self.reads[name] = tuple(sorted({source.qualified for source in found} | set(more)))
        readers: dict[str, list[str]] = {}
        for name, sources in self.reads.items():
            for read in sources:
                readers.setdefault(read, []).append(name)
        self.read_by = {name: tuple(sorted(users)) for name, users in readers.items()}
        self._tables = tables
        self.order: tuple[str, ...] = self._sort()

    def _sort(self) -> tuple[str, ...]:
        waiting = {name: sum(source in self.reads for source in sources) for name, sources in self.reads.items()}
        ready = [name for name, count in waiting.items() if count == 0]
        heapq.heapify(ready)
        order: list[str] = []
        while ready:
            name = heapq.heappop(ready)
            order.append(name)
            for user in self.read_by.get(name, ()):
                waiting[user] -= 1
                if waiting[user] == 0:
                    heapq.heappush(ready, user)
        if len(order) < len(waiting):
            cycle = self._cycle({name for name, count in waiting.items() if count > 0})
            table = self._tables[cycle[0]]
            lines = [source.line for source in inputs(table) if source.qualified == cycle[1]]
            raise DefinitionError(
                f"tables read each other in a circle: {' reads '.join(cycle)}",
                where=f"{table.path}:{lines[0] if lines else table.line}",
                todo="Break the circle: let one of them read the inputs of the other instead.",
            )
        return tuple(order)

    def _cycle(self, stuck: set[str]) -> list[str]:
        # Every stuck table reads a stuck one (or the circle itself), so walking upstream must come round.
        path: list[str] = []
        name = min(stuck)
        while name not in path:
            path.append(name)
            name = min(source for source in self.reads[name] if source in stuck)
        circle = path[path.index(name) :]
        first = circle.index(min(circle))
        circle = circle[first:] + circle[:first]
        return [*circle, circle[0]]

    def downstream(self, names: Iterable[str]) -> frozenset[str]:
        """The tables that read any of the names, directly or through others; the names themselves are not added."""
        return self._closure(names, self.read_by)

    def upstream(self, names: Iterable[str]) -> frozenset[str]:
        """All that the names read, directly or through others, outside names included."""
        return self._closure(names, self.reads)

    @staticmethod
    def _closure(names: Iterable[str], edges: Mapping[str, tuple[str, ...]]) -> frozenset[str]:
        found: set[str] = set()
        todo = list(names)
        while todo:
            for other in edges.get(todo.pop(), ()):
                if other not in found:
                    found.add(other)
                    todo.append(other)
        return frozenset(found)


def _close(name: str, known: Collection[str]) -> str:
    """' Did you mean …?' with the known names closest to a name, or nothing."""
    matches = difflib.get_close_matches(name, sorted(known), n=3, cutoff=0.6)
    return f" Did you mean {' or '.join(matches)}?" if matches else ""
