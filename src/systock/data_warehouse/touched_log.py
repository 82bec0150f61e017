"""What each generation touched, by table and key: kept in the build file, so that a server that lags behind gets only that.

Tables of versions need no log (their own spans of knowledge tell), nor do those that only grow by landing commits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from systock.data_warehouse.compiled import CompiledTable, changed
from systock.data_warehouse.engine.base import Engine
from systock.data_warehouse.refresh import Change

#: So many generations are kept: more than a day of runs at each quarter of an hour.
KEPT_GENERATIONS = 100

#: Beside what else runs keep for the next one: nobody asks about it.
_SCHEMA = "work"
_SINCE, _WHOLE = f"{_SCHEMA}.touched_since", f"{_SCHEMA}.touched_whole"


class TouchedLog:
    """The log in one build file, for its stored tables that are refreshed by key; to read it, they need not be known.

    It knows what generations after `since()` touched: None while nothing is logged.
    """

    def __init__(self, engine: Engine, tables: Sequence[CompiledTable] = ()) -> None:
        self._engine = engine
        self._tables = {table.qualified: table for table in tables if is_logged(table)}

    def since(self) -> int | None:
        """The last generation that the log does not tell of."""
        if not self._exists(_SINCE):
            return None
        rows = self._engine.rows(f"SELECT generation FROM {_SINCE}")
        return int(rows[0][0]) if rows else None

    def start(self, generation: int) -> None:
        """Begin to log what comes after a generation."""
        self._engine.execute(f"CREATE SCHEMA IF NOT EXISTS {_SCHEMA}")
        self._engine.execute(f"CREATE TABLE {_SINCE} (generation BIGINT NOT NULL)")
        self._engine.execute(f"INSERT INTO {_SINCE} VALUES ({generation})")
        self._engine.execute(f"CREATE TABLE {_WHOLE} (generation BIGINT NOT NULL, table_name VARCHAR NOT NULL)")
        for table in self._tables.values():
            types = dict(zip((c.name for c in table.columns), self._engine.column_types(table), strict=True))  # type: ignore[arg-type]  # reads names and types only
            key = ", ".join(f'"{name}" {types[name]} NOT NULL' for name in table.primary_key)
            self._engine.execute(f"CREATE TABLE {log_of(table.qualified)} (generation BIGINT NOT NULL, {key})")

    def stop(self) -> None:
        """Forget everything: nobody asks for it."""
        if self._exists(_SINCE):
            for relation in (_SINCE, _WHOLE, *(log_of(name) for name in self._tables)):
                self._engine.execute(f"DROP TABLE {relation}")

    def add(self, generation: int, changes: Mapping[str, Change]) -> None:
        """Note the keys that a generation changed; forget those of generations long gone."""
        for name, change in changes.items():
            table = self._tables.get(name)
            if table is None:
                continue
            if change.everything:
                self._engine.execute(f"INSERT INTO {_WHOLE} VALUES ({generation}, '{name}')")
            else:
                key = ", ".join(f'"{column}"' for column in table.primary_key)
                self._engine.execute(
                    f"INSERT INTO {log_of(name)} SELECT DISTINCT {generation}, {key} FROM {changed(name)}"
                )
        oldest, since = generation - KEPT_GENERATIONS, self.since()
        if since is not None and since < oldest:
            self._engine.execute(f"UPDATE {_SINCE} SET generation = {oldest}")
            for relation in (_WHOLE, *(log_of(name) for name in self._tables)):
                self._engine.execute(f"DELETE FROM {relation} WHERE generation <= {oldest}")

    def keys_sql(self, table: str, key: Sequence[str], after: int) -> str | None:
        """The keys of a table that generations after one touched, as a query; None: it was made anew meanwhile."""
        made = f"SELECT 1 FROM {_WHOLE} WHERE table_name = '{table}' AND generation > {after} LIMIT 1"
        if self._engine.rows(made):
            return None
        names = ", ".join(f'"{column}"' for column in key)
        return f"SELECT DISTINCT {names} FROM {log_of(table)} WHERE generation > {after}"

    def _exists(self, qualified: str) -> bool:
        schema, _, name = qualified.partition(".")
        return bool(
            self._engine.rows(
                f"SELECT 1 FROM information_schema.tables WHERE table_schema = '{schema}' AND table_name = '{name}'"
            )
        )


def is_logged(table: CompiledTable) -> bool:
    """Is what a generation touches of a table known only from the log?"""
    return table.is_stored and table.refresh != "versions" and bool(table.primary_key)


def log_of(table: str) -> str:
    """The relation that holds a table's log."""
    return f'{_SCHEMA}."touched__{table.replace(".", "__")}"'
