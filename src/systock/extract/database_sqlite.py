"""SQLite as a source: its values have types of their own, whatever their column is declared as."""

from __future__ import annotations

import operator
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from systock.errors import SourceError
from systock.extract.arrow_text import bytes_text
from systock.extract.database import Column, Database, DatabaseUnreachable, NoSuchTable, Value

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS = 8_192
_PASSING = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_SCHEMA)


class SqliteDatabase(Database):
    """An SQLite file, opened to read. While its rows are read, a file without WAL lets nobody commit."""

    def __init__(self, url: str, timeout: float, project_dir: Path) -> None:
        path = project_dir / unquote(url.partition("://")[2].partition("?")[0].removeprefix("/"))
        if not path.is_file():
            raise SourceError("there is no such file", where=str(path), todo="Correct the url in the settings.")
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with _errors():
            self._connection = sqlite3.connect(
                uri, uri=True, timeout=timeout, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("PRAGMA query_only = 1")
            self._connection.execute("BEGIN")
            self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()

    def columns(self, relation: str) -> list[Column]:
        with _errors():
            found = self._connection.execute(f"SELECT * FROM {relation} LIMIT 0").description
        return [Column(name, self.quoted(name)) for name, *_ in found]

    def batches(self, columns: Sequence[Column], rest: str) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        names = [column.name for column in columns]
        with _errors():
            for rows in self._rows(_select(columns, rest)):
                yield pa.RecordBatch.from_arrays([_texts(values) for values in zip(*rows, strict=True)], names=names)

    def _rows(self, sql: str) -> Iterator[list[Any]]:
        cursor = self._connection.execute(sql)
        done = 0
        try:
            while rows := cursor.fetchmany(_ROWS):
                yield rows
                done += len(rows)
        except sqlite3.OperationalError as error:
            if "Could not decode to UTF-8" not in str(error) or self._connection.text_factory is not str:
                raise
            # Text that is no UTF-8 must not stop all other rows: on from here, and more slowly.
            self._connection.text_factory = operator.methodcaller("decode", "utf-8", "replace")
            left = islice((row for rows in self._rows(sql) for row in rows), done, None)
            while rows := list(islice(left, _ROWS)):
                yield rows

    def first(self, columns: Sequence[Column], rest: str) -> list[Value | None] | None:
        with _errors():
            row = self._connection.execute(f"{_select(columns, rest)} LIMIT 1").fetchone()
        return row and [
            None if value is None else Value(_text(value), bare=isinstance(value, int | float)) for value in row
        ]

    def close(self) -> None:
        self._connection.close()


def _select(columns: Sequence[Column], rest: str) -> str:
    return f"SELECT {', '.join(column.text for column in columns)} {rest}"


def _texts(values: Sequence[Any]) -> pa.Array:
    """The values of one column, as they are where Arrow has one type for them that says each to the letter."""
    import pyarrow as pa
    import pyarrow.compute as pc

    with suppress(pa.ArrowException):
        return pa.array(values, pa.string())
    kinds = set(map(type, values)) - {type(None)}
    if kinds == {int}:
        return pa.array(values, pa.int64())
    if kinds == {float}:
        return pa.array(values, pa.float64())
    floats = pa.array([value if type(value) is float else None for value in values], pa.float64()).cast(pa.string())
    others = [None if value is None or type(value) is float else _text(value) for value in values]
    return pc.coalesce(floats, pa.array(others, pa.string()))


def _text(value: Any) -> str:
    return bytes_text(value) if isinstance(value, bytes) else str(value)


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _PASSING:
            raise DatabaseUnreachable(f"the file cannot be read now: {error}", todo="Try again.") from None
        todo = "Correct the table, its columns or the query in the settings."
        if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_CANTOPEN):
            todo = "See whether the url in the settings names an SQLite file that may be read."
        kind = NoSuchTable if str(error).startswith("no such table") else SourceError
        raise kind(str(error), todo=todo) from None
