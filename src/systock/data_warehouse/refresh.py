"""Refreshing stored tables: exactly the keys that changed inputs touch, whole only where that can't be told."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from systock.data_warehouse.compiled import CompiledTable, before, changed
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
    """One run's refresh of all stored tables, in dependency order.

    changes: what changed so far, by table; the caller puts in the changes of silver, `table` adds that of each table.
    """

    engine: Engine
    sql: RefreshSql
    changes: dict[str, Change]
    done: list[Refreshed] = field(default_factory=list)
    _read_as_before: set[str] = field(default_factory=set)

    def table(self, table: CompiledTable, *, exists: bool) -> None:
        """Refresh one table; `exists` tells whether an earlier run has filled it."""
        started = time.perf_counter()
        if table.refresh == "kernel" and not values_stock(self.engine):
            return
        if not exists:
            if table.refresh == "kernel":
                run_kernel(self.engine, table.qualified, table.select, table.qualified)
            else:
                self.engine.execute(f"INSERT INTO {table.qualified} {table.select}")
            self.changes[table.qualified] = Change(everything=True)
            written = self._count(table.qualified)
            self._record(table, "built", written, written, 0, started)
            return
        moved = [name for name in table.reads if name in self.changes]
        if not moved:
            return
        sql = {"whole": "small table"} if table.refresh == "full" else self.sql.refresh(table)
        if sql["whole"] or any(self.changes[name].everything for name in moved):
            self.engine.expect_rows(self._count(table.qualified))
            self._make_fresh(table, table.select, since=False)
            touched, old, how = self._count("fresh"), table.qualified, "whole"
        else:
            how = "from the first touched instant" if "then" in sql else "by key"
            touched, old = self._touch(table, sql, moved), "stale"
        written, removed = self._apply(table, old) if touched or how == "whole" else (0, 0)
        self._record(table, how, touched, written, removed, started)

    def _record(self, table: CompiledTable, how: str, touched: int, written: int, removed: int, started: float) -> None:
        self.done.append(Refreshed(table.qualified, how, touched, written, removed, time.perf_counter() - started))

    def _touch(self, table: CompiledTable, sql: dict[str, Any], moved: Sequence[str]) -> int:
        """Fill `stale` and `fresh`: the touched rows as they were and as they are."""
        for name in table.reads:
            if name not in self.changes and name not in self._read_as_before:
                self.engine.execute(f"CREATE OR REPLACE TEMP VIEW {before(name)} AS SELECT * FROM {name}")
                self._read_as_before.add(name)
        # One after the other: together they would hold the joins of all of them in memory at once. Each in a table of its own: one
        # made of no row and then filled is what some versions of the engine lose rows from.
        for statement in sql.get("first", ()):
            self.engine.execute(statement)
        queries = [sql["touched"]] if "touched" in sql else [q for n in moved for q in self.sql.touched(table, n)]
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
            self.engine.execute(f"CREATE OR REPLACE TEMP TABLE stale AS {self._typed(table, sql['stale'])}")
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
        gone, new = (f"{table.schema}_{table.name}_{which}" for which in ("gone", "new"))
        self.engine.execute(f"CREATE OR REPLACE TEMP TABLE {gone} AS SELECT * FROM {old} EXCEPT SELECT * FROM fresh")
        self.engine.execute(f"CREATE OR REPLACE TEMP TABLE {new} AS SELECT * FROM fresh EXCEPT SELECT * FROM {old}")
        removed, written = self._count(gone), self._count(new)
        if not removed and not written:
            return 0, 0
        if removed:
            self.engine.execute(f"DELETE FROM {name} WHERE ({key}) IN (SELECT ({key}) FROM {gone})")
        self.engine.execute(f"INSERT INTO {name} SELECT * FROM {new}")
        self.engine.execute(
            f"CREATE OR REPLACE TEMP VIEW {changed(name)} AS SELECT * FROM {gone} UNION ALL SELECT * FROM {new}"
        )
        self.engine.execute(f"""CREATE OR REPLACE TEMP VIEW {before(name)} AS
            SELECT * FROM {name} ANTI JOIN {new} USING ({key}) UNION ALL SELECT * FROM {gone}""")
        self.changes[name] = Change(new=new)
        return written, removed

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
