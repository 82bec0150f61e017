"""PostgreSQL as a source, through ADBC: the server says every value as text, and rows come in Arrow batches."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from systock.errors import SourceError
from systock.extract.database import Column, Database, DatabaseUnreachable, NoSuchTable, Value, missing_driver
from systock.extract.watched_calls import NoAnswer, WatchedCalls

if TYPE_CHECKING:
    import pyarrow as pa

#: What text the server makes of values must not depend on how it is set up.
_SESSION = {
    "timezone": "UTC",
    "datestyle": "ISO, YMD",
    "intervalstyle": "iso_8601",
    "extra_float_digits": "1",
    "standard_conforming_strings": "on",
}
_BATCH_BYTES = 4 << 20
_SETTLED = {
    "28": "Correct user and password in the url of the settings (the password as ${NAME}).",
    "3D": "Correct the database's name in the url of the settings.",
    "42501": "Let the user read it: GRANT SELECT ON … TO …;",
    "42": "Correct the table, its columns or the query in the settings.",
    "22": "Correct cursor or query in the settings: the column's type may have changed.",
}
_NO_TABLE = "42P01"
#: What has no code, but says so.
_WORDS = {
    "password authentication failed": "28P01",
    "FATAL: database": "3D000",
    "FATAL: role": "28000",
    "does not exist": _NO_TABLE,
    "canceling statement": "57014",
}
#: Around what the server says: what the driver puts before it, and what it adds of its own.
_DRIVER = re.compile(r"^.*?(?:(?:ERROR|FATAL|PANIC): +|Failed to connect: )")
_AROUND = re.compile(r"\n\s*Query was: |\.? ?\bSQLSTATE: ")
_TRIED = re.compile(r"\bconnection to server (?:at|on) (.*?) failed: ")
_FILLING = ("^", "Is the server running")
#: Faults that pass by themselves, by the beginning of their code.
PASSING = ("08", "40", "53", "55P03", "57")


def whole_seconds(timeout: float) -> int:
    """A time-out as libpq takes it: whole seconds, at least 2."""
    return max(2, round(timeout))


def bounded_url(url: str, seconds: int) -> str:
    """A URL with which no server is waited for without end: with time-outs and our name, where it does not say otherwise itself."""
    waits = {
        "connect_timeout": seconds,
        "keepalives_idle": seconds,
        "keepalives_interval": max(1, seconds // 3),
        "keepalives_count": 3,
        "tcp_user_timeout": 2 * seconds * 1000,
        "application_name": "systock",
    }
    given = url.partition("?")[2]
    added = urlencode({name: value for name, value in waits.items() if f"{name}=" not in given})
    return f"{url}{'&' if given else '?'}{added}"


class PostgresDatabase(Database):
    """A session on PostgreSQL.

    answer_timeout: seconds that the server may be silent, from a statement to its first rows, and from rows to the next.
    """

    def __init__(self, url: str, timeout: float, answer_timeout: float) -> None:
        try:
            import adbc_driver_postgresql.dbapi as driver
        except ImportError:
            raise missing_driver("PostgreSQL", "postgres") from None
        seconds = whole_seconds(timeout)
        self._answer_timeout = answer_timeout
        with self._errors():
            # The driver's own transactions know no way back to a savepoint: these are plain statements.
            self._connection = driver.connect(bounded_url(url, seconds), autocommit=True)
            # Keep-alive packets tell of a machine that is gone, not of one that holds the line and says nothing.
            self._wait_for = WatchedCalls(answer_timeout, self._connection.close)
            try:
                self._execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                for name, value in {**_SESSION, "lock_timeout": str(seconds * 1000)}.items():
                    self._execute(f"SET LOCAL {name} = '{value}'")
            except BaseException:
                self.close()
                raise

    def _execute(self, sql: str) -> None:
        def execute() -> None:
            with self._connection.cursor() as cursor:
                cursor.execute(sql)

        self._wait_for(execute)

    @contextmanager
    def _asked(self, sql: str) -> Iterator[Any]:
        """A cursor with the answer; a statement that fails does not end the transaction of the other tables."""

        def ask() -> Any:
            cursor = self._connection.cursor()
            cursor.adbc_statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": _BATCH_BYTES})
            asked.append(cursor)
            cursor.execute(sql)
            return cursor

        asked: list[Any] = []
        with self._errors():
            self._execute("SAVEPOINT systock")
            try:
                yield self._wait_for(ask)
            except GeneratorExit:
                self._closed(asked)
                raise
            except NoAnswer:
                raise
            except BaseException:
                self._closed(asked)
                self._execute("ROLLBACK TO SAVEPOINT systock")
                raise
            self._closed(asked)

    def _closed(self, cursors: list[Any]) -> None:
        for cursor in cursors:
            self._wait_for(cursor.close)

    def columns(self, relation: str) -> list[Column]:
        with self._asked(f"SELECT * FROM {relation} LIMIT 0") as cursor:
            schema = self._wait_for(cursor.fetch_arrow_table).schema
        return [Column(field.name, _text(self.quoted(field.name), field)) for field in schema]

    def batches(self, columns: Sequence[Column], rest: str) -> Iterator[pa.RecordBatch]:
        names = [column.name for column in columns]
        with self._asked(_select(columns, rest)) as cursor:
            found = iter(self._wait_for(cursor.fetch_record_batch))
            while (batch := self._wait_for(lambda: next(found, None))) is not None:
                yield batch.rename_columns(names)

    def first(self, columns: Sequence[Column], rest: str) -> list[Value | None] | None:
        with self._asked(f"{_select(columns, rest)} LIMIT 1") as cursor:
            row = self._wait_for(cursor.fetchone)
        return row and [None if value is None else Value(str(value)) for value in row]

    def close(self) -> None:
        self._wait_for.end()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            with _errors():
                yield
        except NoAnswer:
            raise DatabaseUnreachable(
                f"the server took the statement and has said nothing for {self._answer_timeout:g} seconds",
                todo="See whether it, and the network on the way, are at work, then run again. If the query takes so long to its "
                "first row, raise answer_timeout of the source.",
            ) from None


def _select(columns: Sequence[Column], rest: str) -> str:
    # Under names of their own: ORDER BY takes an output column before one of the table, and text sorts otherwise.
    named = (f'{column.text} AS "said {number}"' for number, column in enumerate(columns))
    return f"SELECT {', '.join(named)} {rest}"


def _text(name: str, field: pa.Field) -> str:
    """SQL that says a column as text: lists and records as JSON; bytes stay bytes."""
    import pyarrow as pa

    kind = (field.metadata or {}).get(b"POSTGRESQL:type")
    if kind == b"bytea":
        return name
    if kind == b"money":
        return f"{name}::numeric::text"
    return f"to_json({name})::text" if pa.types.is_nested(field.type) else f"{name}::text"


@contextmanager
def _errors() -> Iterator[None]:
    import adbc_driver_manager as adbc

    try:
        yield
    except (adbc.Error, OSError) as error:  # what fails while rows come is an OSError, and has no code
        state = getattr(error, "sqlstate", None) or ""
        text = " ".join(str(error).split())
        known = state or next((state for words, state in _WORDS.items() if words in text), "")
        todo = next((todo for start, todo in _SETTLED.items() if known.startswith(start)), None)
        if known.startswith(PASSING) or (not known and "ERROR: " not in text):
            what = "cannot do it now" if known else "did not answer, or hung up"
            raise DatabaseUnreachable(
                f"the server {what}: {_said(str(error))}",
                todo="See whether it runs and may be reached, then run again.",
            ) from None
        kind = NoSuchTable if known == _NO_TABLE else SourceError
        raise kind(_said(str(error)), todo=todo or "See what the server says.") from None


def _said(text: str) -> str:
    """What the server says, or why it is not reached, without the driver's own words and the statement around it."""
    text, *_ = _AROUND.split(text)
    lines = (line.strip() for line in text.splitlines())
    first, *others = [_TRIED.sub(r"\1: ", line) for line in lines if line and not line.startswith(_FILLING)]
    return "; ".join([_DRIVER.sub("", first), *others])
