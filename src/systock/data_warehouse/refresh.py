"""Refreshing stored tables: exactly the keys that changed inputs touch, whole only where that can't be told."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from systock.data_warehouse.compiled import FOREVER, CompiledTable, before, changed, gone, new
from systock.data_warehouse.engine.base import Engine
from systock.data_warehouse.refresh_cost import run_kernel, values_stock


@dataclass(frozen=True)
class Change:
    """What a run changed in one table.

    everything: the table was built from nothing; otherwise `new` is a relation of its new rows, and the relations
    changed(table) and before(table) hold its changed rows and the table as it was.
    """

    everything: bool = False
    new: str = ""


@dataclass(frozen=True)
class Refreshed:
    """One table's part of a run: how it was refreshed, how many keys were touched, how many rows written or removed."""

    table: str
    how: str
    touched: int
    written: int
    removed: int
    seconds: float


class RefreshSql(Protocol):
    """Where the compiled SQL of refreshing by key comes from (see compiled.compile_refresh and compile_touched)."""

    def refresh(self, table: CompiledTable) -> dict[str, Any]: ...
    def touched(self, table: CompiledTable, moved: str) -> list[str]: ...


@dataclass
class Refresh:
    """One refresh of stored tables, in dependency order.

    changes: what changed so far, by table; the caller puts in the changes of silver, `table` adds that of each table.
    known_at: the instant at which this became known, as an SQL literal; only tables of versions need it.
    """

    engine: Engine
    sql: RefreshSql
    changes: dict[str, Change]
    known_at: str = ""
    done: list[Refreshed] = field(default_factory=list)

    def table(self, table: CompiledTable, *, exists: bool) -> None:
        """Refresh one table; `exists` tells whether an earlier run has filled it."""
        started = time.perf_counter()
        if table.refresh == "kernel" and not values_stock(self.engine):
            return
        if table.refresh == "versions":
            self._keep_versions(table, exists, started)
            return
        if not exists:
            if table.refresh == "kernel":
                run_kernel(self.engine, table.qualified, table.select, table.qualified)
            else:
                self.engine.execute(f"INSERT INTO {table.qualified} {table.select}")
            written = self._count(table.qualified)
            if written:
                self.changes[table.qualified] = Change(everything=True)
            self._record(table, "built", written, written, 0, started)
            return
        moved = [name for name in table.reads if name in self.changes]
        if not moved:
            return
        sql: dict[str, Any] = {"whole": "small table"} if table.refresh == "full" else self.sql.refresh(table)
        if "suffix" in sql:
            follows = sql["suffix"]["follows"]["posted" if values_stock(self.engine) else "standard"]
            sql = sql["suffix"] if set(moved) <= set(follows) else sql
        if set(moved) <= set(sql.get("only_if", ())) and not any(
            self._matters(name, sql["only_if"][name]) for name in moved
        ):
            return
        if sql["whole"] or any(self.changes[name].everything for name in moved):
            self.engine.expect_rows(self._count(table.qualified))
            self._make_fresh(table, table.select, since=False)
            touched, old, how = self._count("fresh"), table.qualified, "whole"
        else:
            how = "from the first touched instant" if "then" in sql else "by key"
            touched, old = self._touch(table, sql, moved), "stale"
        written, removed = self._apply(table, old) if touched or how == "whole" else (0, 0)
        self._record(table, how, touched, written, removed, started)
        self.engine.expect_no_more()

    def _matters(self, moved: str, query: str) -> bool:
        """Can a change of an input change the table? A query over the changed rows, each of whose rows says yes."""
        return self.changes[moved].everything or has_rows(self.engine, f"({query})")

    def _record(self, table: CompiledTable, how: str, touched: int, written: int, removed: int, started: float) -> None:
        self.done.append(Refreshed(table.qualified, how, touched, written, removed, time.perf_counter() - started))

    def _touch(self, table: CompiledTable, sql: dict[str, Any], moved: Sequence[str]) -> int:
        """Fill `stale` and `fresh`: the touched rows as they were and as they are."""
        still = {before(name): name for name in table.reads if name not in self.changes}

        def now(query: str) -> str:
            """The query with inputs that did not change read as they are: over them, what was and what is are the same."""
            return re.sub(r"\b\w+_before\b", lambda found: still.get(found[0], found[0]), query)

        # One after the other: together they would hold the joins of all of them in memory at once. Each in a table of its own: one
        # made of no row and then filled is what some versions of the engine lose rows from.
        for statement in sql.get("first", ()):
            self.engine.execute(statement)
        stated = sql.get("touched")
        asked = [q for n in moved for q in (self.sql.touched(table, n) if stated is None else stated.get(n, ()))]
        queries = list(dict.fromkeys(map(now, asked)))
        if not queries:
            return 0
        for number, query in enumerate(queries):
            self.engine.execute(f"CREATE OR REPLACE TEMP TABLE found_{number} AS {query}")
        found = " UNION ".join(f"SELECT * FROM found_{number}" for number in range(len(queries)))
        self.engine.execute(f"CREATE OR REPLACE TEMP VIEW found AS {found}")
        gather = sql.get("gather", "SELECT DISTINCT * FROM found")
        self.engine.execute(f"CREATE OR REPLACE TEMP TABLE touched AS {gather}")
        touched = self._count("touched")
        self.engine.expect_rows(touched)
        if touched:
            for statement in sql.get("then", ()):
                self.engine.execute(statement)
            self.engine.execute(f"CREATE OR REPLACE TEMP TABLE stale AS {self._typed(table, now(sql['stale']))}")
            self.engine.expect_rows(self._count("stale"))
            self._make_fresh(table, sql["fresh"], since=True)
        return touched

    def _make_fresh(self, table: CompiledTable, select: str, *, since: bool) -> None:
        """Fill `fresh` with the rows that a SELECT makes, by way of the kernel where the table has one. since: only touched ones."""
        if table.refresh == "kernel":
            types = self.engine.column_types(table)  # type: ignore[arg-type]  # reads names and types only
            columns = ", ".join(f'"{c.name}" {type_}' for c, type_ in zip(table.columns, types, strict=True))
            self.engine.execute(f"CREATE OR REPLACE TEMP TABLE fresh ({columns})")
            run_kernel(self.engine, table.qualified, select, "fresh", since=since)
        else:
            self.engine.execute(f"CREATE OR REPLACE TEMP TABLE fresh AS {self._typed(table, select)}")

    def _apply(self, table: CompiledTable, old: str) -> tuple[int, int]:
        """Write what differs between the old rows and `fresh`, and nothing else; remember it as the table's change."""
        name, key = table.qualified, ", ".join(f'"{column}"' for column in table.primary_key)
        self.engine.execute(
            f"CREATE OR REPLACE TEMP TABLE {gone(name)} AS SELECT * FROM {old} EXCEPT SELECT * FROM fresh"
        )
        self.engine.execute(
            f"CREATE OR REPLACE TEMP TABLE {new(name)} AS SELECT * FROM fresh EXCEPT SELECT * FROM {old}"
        )
        removed, written = self._count(gone(name)), self._count(new(name))
        if not removed and not written:
            return 0, 0
        if removed:
            self.engine.execute(f"DELETE FROM {name} WHERE ({key}) IN (SELECT ({key}) FROM {gone(name)})")
        self.engine.execute(f"INSERT INTO {name} SELECT * FROM {new(name)}")
        self.changes[name] = show_change(self.engine, table)
        return written, removed

    def _keep_versions(self, table: CompiledTable, exists: bool, started: float) -> None:
        """Close the versions of rows that are gone, open those of new ones: what the SELECT makes now is known from now on."""
        [read] = table.reads
        change = self.changes.get(read)
        if table.kept_since:
            if not self._was_known(table.kept_since):
                change = None
            elif not has_rows(self.engine, table.qualified):  # it begins with what holds now
                change = Change(everything=True)
        if change is None:
            if not exists:
                self._record(table, "built", 0, 0, 0, started)
            return
        closed, opened = 0, table.select
        if not change.everything:
            sql = self.sql.refresh(table)
            opened = f"{sql['new']} EXCEPT {sql['gone']}"
            closed = self.engine.execute(f"""UPDATE {table.qualified} SET known_to_at = {self.known_at} WHERE rowid IN (
                SELECT old.rowid FROM {table.qualified} AS old SEMI JOIN ({sql["gone"]} EXCEPT {sql["new"]}) AS t ON {sql["same"]}
                WHERE old.known_to_at = {FOREVER})""")
        name = table.qualified
        spanned = f"SELECT *, {self.known_at} AS known_from_at, {FOREVER} AS known_to_at FROM ({opened})"
        self.engine.execute(f"CREATE OR REPLACE TEMP TABLE {new(name)} AS {self._typed(table, spanned)}")
        written = self.engine.execute(f"INSERT INTO {name} SELECT * FROM {new(name)}")
        if written or closed:
            self.changes[name] = Change(new=new(name))
            self._record(table, "by key" if exists else "built", written + closed, written, 0, started)

    def _was_known(self, entity: str) -> bool:
        """Was there any row of an entity of silver by now?"""
        return has_rows(self.engine, f"{entity}__versions WHERE known_from_at <= {self.known_at}")

    def _typed(self, table: CompiledTable, select: str) -> str:
        """The SELECT's rows in the table's own types, so that old and new rows compare."""
        types = self.engine.column_types(table)  # type: ignore[arg-type]  # reads names and types only
        columns = ", ".join(
            f'CAST("{c.name}" AS {type_}) AS "{c.name}"' for c, type_ in zip(table.columns, types, strict=True)
        )
        return f"SELECT {columns} FROM ({select})"

    def _count(self, relation: str) -> int:
        [(rows,)] = self.engine.rows(f"SELECT count(*) FROM {relation}")
        return int(rows)


def has_rows(engine: Engine, relation: str) -> bool:
    """Has a relation, maybe with a WHERE behind it, any row?"""
    return bool(engine.rows(f"SELECT 1 FROM {relation} LIMIT 1"))


def show_change(engine: Engine, table: CompiledTable) -> Change:
    """The change of a table whose rows gone(table) and new(table) hold: makes changed(table) and before(table)."""
    name, key = table.qualified, ", ".join(f'"{column}"' for column in table.primary_key)
    engine.execute(
        f"CREATE OR REPLACE TEMP VIEW {changed(name)} AS SELECT * FROM {gone(name)} UNION ALL SELECT * FROM {new(name)}"
    )
    engine.execute(f"""CREATE OR REPLACE TEMP VIEW {before(name)} AS
        SELECT * FROM {name} ANTI JOIN {new(name)} USING ({key}) UNION ALL SELECT * FROM {gone(name)}""")
    return Change(new=new(name))


@dataclass
class NetChanges:
    """What several refreshes, one after the other, changed in tables altogether."""

    engine: Engine
    _changed: dict[str, CompiledTable] = field(default_factory=dict)
    _built: set[str] = field(default_factory=set)

    def add(self, tables: Sequence[CompiledTable], changes: dict[str, Change]) -> None:
        """The changes of one more refresh."""
        for table in tables:
            name = table.qualified
            change = changes.get(name)
            if change is None or name in self._built:
                continue
            if change.everything:
                self._built.add(name)
            elif name not in self._changed:
                self._changed[name] = table
                for which in (gone(name), new(name)):
                    self.engine.execute(f"CREATE OR REPLACE TEMP TABLE {which}_net AS SELECT * FROM {which}")
            else:
                left, came = f"{gone(name)}_net", f"{new(name)}_net"
                self.engine.execute(f"""CREATE OR REPLACE TEMP TABLE net_left AS
                    SELECT * FROM {left} UNION (SELECT * FROM {gone(name)} EXCEPT SELECT * FROM {came})""")
                self.engine.execute(f"""CREATE OR REPLACE TEMP TABLE net_came AS
                    (SELECT * FROM {came} EXCEPT SELECT * FROM {gone(name)}) UNION SELECT * FROM {new(name)}""")
                self.engine.execute(
                    f"CREATE OR REPLACE TEMP TABLE {left} AS SELECT * FROM net_left EXCEPT SELECT * FROM net_came"
                )
                self.engine.execute(
                    f"CREATE OR REPLACE TEMP TABLE {came} AS SELECT * FROM net_came EXCEPT SELECT * FROM net_left"
                )

    def changes(self) -> dict[str, Change]:
        """The whole change of each table."""
        found = {name: Change(everything=True) for name in self._built}
        for name, table in self._changed.items():
            if name not in found:
                for which in (gone(name), new(name)):
                    self.engine.execute(f"CREATE OR REPLACE TEMP TABLE {which} AS SELECT * FROM {which}_net")
                found[name] = show_change(self.engine, table)
        return found
