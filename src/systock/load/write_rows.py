"""Writing rows on the server: staged aside by COPY, then only what differs is written; readers wait for nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from systock.data_warehouse.engine.postgres_ddl import type_sql
from systock.errors import TargetError
from systock.load.changed_rows import BuildFile, Changed
from systock.load.copy_rows import CopiedColumn, copy_rows
from systock.load.target_schema import TargetTable
from systock.load.target_session import TargetSession
from systock.sql_text import quoted

#: The server's code for what goes beyond its bounds: here, an entry of an index, which takes about a third of 8 kB.
_TOO_LONG = "54000"
#: So many characters of a value are shown.
_SHOWN = 40
#: The server's code for a character that it can't store: NUL.
_NO_SUCH_CHARACTER = "22021"


@dataclass
class Staged:
    """What changed in a table, in temporary tables of the server: the rows, and the touched keys if any may be gone."""

    table: TargetTable
    rows: str
    keys: str | None
    whole: bool
    written: int = 0
    removed: int = 0


class Writer:
    """Writes one generation, inside one transaction."""

    def __init__(self, session: TargetSession, build: BuildFile) -> None:
        self._session, self._build = session, build
        self._staged = 0

    def load(self, table: TargetTable) -> int:
        """Copy all rows of a table into the empty one on the server; their number."""
        return self._copy(table, f"{there(table)}", table.columns, f"SELECT * FROM {_relation(table)}")

    def stage(self, table: TargetTable, changed: Changed) -> Staged | None:
        """Bring what changed to the server, aside; None when nothing did."""
        self._staged += 1
        rows, keys = f"pg_temp.{quoted(f'rows_{self._staged}')}", None
        if changed.keys is not None and not self._build.engine.rows(f"SELECT 1 FROM ({changed.keys}) LIMIT 1"):
            return None
        self._session.execute(f"CREATE TEMP TABLE {_columns(f'rows_{self._staged}', table.columns)} ON COMMIT DROP")
        copied = self._copy(table, rows, table.columns, changed.rows)
        if changed.keys is not None:
            keys = f"pg_temp.{quoted(f'keys_{self._staged}')}"
            self._session.execute(f"CREATE TEMP TABLE {_columns(f'keys_{self._staged}', table.key)} ON COMMIT DROP")
            self._copy(table, keys, table.key, changed.keys)
            self._session.execute(f"ANALYZE {keys}")
        elif not copied and not changed.whole:
            return None
        self._session.execute(f"ANALYZE {rows}")
        return Staged(table, rows, keys, changed.whole)

    def put(self, staged: Staged) -> None:
        """Write the staged rows that the table has not, or has otherwise."""
        table = staged.table
        if not table.key:
            self._replace(staged)
            return
        names = [quoted(column.target) for column in table.columns]
        others = [name for name in names if name not in {quoted(column.target) for column in table.key}]
        update = ""
        if others:
            was, now = (", ".join(f"{of}.{name}" for name in others) for of in ("t", "s"))
            update = (
                f"WHEN MATCHED AND ROW({was}) IS DISTINCT FROM ROW({now}) "
                f"THEN UPDATE SET {', '.join(f'{name} = s.{name}' for name in others)}"
            )
        with self.keys_that_fit(table):
            staged.written = self._session.execute(
                f"""MERGE INTO {there(table)} AS t USING {staged.rows} AS s ON {_same(table.key, "t", "s")} {update}
                WHEN NOT MATCHED THEN INSERT ({", ".join(names)}) VALUES ({", ".join(f"s.{name}" for name in names)})"""
            )

    def take_out(self, staged: Staged) -> None:
        """Delete the rows of touched keys that are no more."""
        table = staged.table
        gone = f"NOT EXISTS (SELECT FROM {staged.rows} AS s WHERE {_same(table.key, 't', 's')})"
        if staged.keys is not None:
            staged.removed = self._session.execute(
                f"DELETE FROM {there(table)} AS t USING {staged.keys} AS k WHERE {_same(table.key, 't', 'k')} AND {gone}"
            )
        elif staged.whole and table.key:
            staged.removed = self._session.execute(f"DELETE FROM {there(table)} AS t WHERE {gone}")

    @contextmanager
    def keys_that_fit(self, table: TargetTable) -> Iterator[None]:
        """Say which key of a table is too long for its index, and what to do, where the server only says that one is."""
        try:
            yield
        except TargetError as error:
            if error.sqlstate == _TOO_LONG:
                names = ", ".join(quoted(column.name) for column in table.key)
                bytes_ = " + ".join(f"strlen(CAST({quoted(column.name)} AS VARCHAR))" for column in table.key)
                [key] = self._build.engine.rows(
                    f"SELECT {names} FROM {_relation(table)} ORDER BY {bytes_} DESC LIMIT 1"
                )
                told = ", ".join(f"{column.name} {_short(value)}" for column, value in zip(table.key, key, strict=True))
                error.what = f"a key of {table.qualified} is too long for PostgreSQL's index: {told} ({error.what})"
                error.todo = (
                    "Correct it where it comes from, or shorten it in the mapping, and wherever it is named (md5 of it, for one), "
                    "then run again."
                )
            raise

    def _replace(self, staged: Staged) -> None:
        """A table without a key: all of it, where anything differs."""
        names = ", ".join(quoted(column.target) for column in staged.table.columns)
        here, now = f"SELECT {names} FROM {there(staged.table)}", f"SELECT {names} FROM {staged.rows}"
        [(differs,)] = self._session.rows(
            f"SELECT EXISTS ((({here}) EXCEPT ALL ({now})) UNION ALL (({now}) EXCEPT ALL ({here})))"
        )
        if differs:
            staged.removed = self._session.execute(f"DELETE FROM {there(staged.table)}")
            staged.written = self._session.execute(f"INSERT INTO {there(staged.table)} ({names}) {now}")

    def _copy(self, table: TargetTable, into: str, columns: Sequence[CopiedColumn], query: str) -> int:
        try:
            with self._session.errors():
                return copy_rows(self._build.engine, query, columns, self._session.connection, into)
        except TargetError as error:
            if error.sqlstate == _NO_SUCH_CHARACTER:
                error.what = (
                    f"a text of {table.qualified} holds the character NUL, which PostgreSQL can't: {error.what}"
                )
                error.todo = "Leave it out in the mapping or model that makes it, then run again."
            raise


def there(table: TargetTable) -> str:
    """The quoted name of a table on the server."""
    return quoted(table.schema_there, table.name_there)


def _short(value: object) -> str:
    text = str(value)
    return repr(text) if len(text) <= _SHOWN else f"{text[:_SHOWN]!r}… ({len(text):,} characters)"


def _columns(name: str, columns: Sequence[CopiedColumn]) -> str:
    """A table's name and columns, as tables of the server have them now or will have."""
    return f"{quoted(name)} ({', '.join(f'{quoted(column.target)} {type_sql(column.type)}' for column in columns)})"


def _relation(table: TargetTable) -> str:
    return quoted(table.schema, table.name)


def _same(key: Sequence[CopiedColumn], left: str, right: str) -> str:
    return " AND ".join(f"{left}.{quoted(column.target)} = {right}.{quoted(column.target)}" for column in key)
