"""MySQL and MariaDB as a source: the server packs each row into a line of CSV, which Arrow reads in large pieces.

No driver of theirs that hands out Arrow can hold a transaction open. So rows are neither taken apart nor put together
in Python: each comes as one value, quoted by the server, to the letter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from systock.errors import SourceError
from systock.extract.database import Column, Database, DatabaseUnreachable, NoSuchTable, Value, missing_driver

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS = 8_192
_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?)Z")
_OPTIONS = ("ssl_ca", "ssl_cert", "ssl_key", "ssl_verify_cert", "ssl_verify_identity", "ssl_disabled", "unix_socket")
_BINARY = 63
_FLOAT, _TIMESTAMP, _BIT, _GEOMETRY = 4, 7, 16, 255
_NUMBERS = {0, 1, 2, 3, _FLOAT, 5, 8, 9, 13, _BIT, 246}
_BYTES = {15, 249, 250, 251, 252, 253, 254}
_NO_TABLE = 1146
_TRIED = re.compile(r"^Can't connect to \w+ server on '(.*?)' \((?:\[Errno -?\d+\] )?(.*)\)$")
_SETTLED = {
    (1044, 1045, 1698): "Correct user and password in the url of the settings (the password as ${NAME}).",
    (1049,): "Correct the database's name in the url of the settings.",
    (1142, 1143): "Let the user read it: GRANT SELECT ON … TO …;",
    (1054, 1064, _NO_TABLE, 1052, 1060): "Correct the table, its columns or the query in the settings.",
}


class MysqlDatabase(Database):
    """A session on MySQL or MariaDB."""

    quote = "`"

    def __init__(self, url: str, timeout: float, answer_timeout: float) -> None:
        try:
            import pymysql
            from pymysql.converters import encoders
        except ImportError:
            raise missing_driver("MySQL and MariaDB", "mysql") from None
        parts = urlsplit(url)
        options: dict[str, Any] = dict(parse_qsl(parts.query))
        unknown = [name for name in options if name not in _OPTIONS]
        if unknown:
            raise SourceError(f"url: {unknown[0]!r} is not one of: {', '.join(_OPTIONS)}", todo="Correct the url.")
        self._floats: set[str] = set()
        with _errors():
            self._connection = pymysql.connect(
                host=parts.hostname or "localhost", port=parts.port or 3306, user=unquote(parts.username or ""),
                password=unquote(parts.password or ""), database=unquote(parts.path.removeprefix("/")) or None,
                charset="utf8mb4", conv=dict(encoders), cursorclass=pymysql.cursors.SSCursor, connect_timeout=max(1, round(timeout)),
                read_timeout=max(1, round(timeout)), write_timeout=max(1, round(timeout)), **options,
            )  # fmt: skip
            # Once there is a session: an answer may take longer than a connection.
            self._connection._read_timeout = answer_timeout
            try:
                for statement in (
                    "SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES'",
                    "SET SESSION time_zone = '+00:00'",
                    "SET SESSION net_write_timeout = 600",
                    f"SET SESSION lock_wait_timeout = {max(1, round(timeout))}",
                    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
                    "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
                ):
                    self._rows(statement)
            except BaseException:
                self.close()
                raise

    def _rows(self, sql: str) -> Sequence[Any]:
        with _errors(), self._connection.cursor() as cursor:
            cursor.execute(sql)
            rows: Sequence[Any] = cursor.fetchall()
            return rows

    def columns(self, relation: str) -> list[Column]:
        with _errors(), self._connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {relation} LIMIT 0")
            fields = cursor._result.fields
            cursor.fetchall()
        self._floats = {field.name for field in fields if field.type_code == _FLOAT}
        self._numbers = {field.name for field in fields if field.type_code in _NUMBERS}
        return [Column(field.name, _text(self.quoted(field.name), field)) for field in fields]

    def batches(self, columns: Sequence[Column], rest: str) -> Iterator[pa.RecordBatch]:
        names = [column.name for column in columns]
        # NULL is nothing, a value stands in quotes.
        values = [f"ifnull(concat('\"', replace({column.text}, '\"', '\"\"'), '\"'), '')" for column in columns]
        with _errors(), self._connection.cursor() as cursor:
            cursor.execute(f"SELECT concat_ws(',', {', '.join(values)}) {rest}")
            while rows := cursor.fetchmany(_ROWS):
                yield self._read(rows, names)

    def _read(self, rows: Sequence[Any], names: Sequence[str]) -> pa.RecordBatch:
        import pyarrow as pa
        from pyarrow import csv

        lines = [row[0] for row in rows]
        if None in lines:
            raise SourceError(
                "a row is longer than the server may send",
                todo="Raise max_allowed_packet of the server, or leave the long column out with a query.",
            )
        data = "\n".join([*lines, ""]).encode()
        types = [pa.float32() if name in self._floats else pa.string() for name in names]
        numbered = [str(number) for number in range(len(names))]
        table = csv.read_csv(
            pa.py_buffer(data),
            csv.ReadOptions(column_names=numbered, use_threads=False, block_size=len(data) + 1),
            csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
            csv.ConvertOptions(
                column_types=dict(zip(numbered, types, strict=True)), null_values=[""], strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )  # fmt: skip
        [batch] = table.combine_chunks().rename_columns(list(names)).to_batches()
        return batch

    def first(self, columns: Sequence[Column], rest: str) -> list[Value | None] | None:
        rows = self._rows(f"SELECT {', '.join(column.text for column in columns)} {rest} LIMIT 1")
        return [
            None if value is None else Value(value, column.name in self._numbers)
            for value, column in zip(rows[0], columns, strict=True)
        ] if rows else None  # fmt: skip

    def literal(self, value: Value) -> str:
        """The session's zone is UTC: an instant is written without it."""
        instant = _INSTANT.fullmatch(value.text)
        return super().literal(Value(instant[1]) if instant else value)

    def close(self) -> None:
        self._connection.close()


def _text(name: str, field: Any) -> str:
    """SQL that says a column as text: instants with their zone, bytes as UTF-8 or base64, a float with all its digits."""
    if field.type_code == _TIMESTAMP:
        return f"concat(convert({name} USING utf8mb4), 'Z')"
    if field.type_code == _FLOAT:
        return f"convert(cast({name} AS double) USING utf8mb4)"
    if field.type_code == _BIT:
        return f"convert({name} + 0 USING utf8mb4)"
    if field.type_code == _GEOMETRY or (field.type_code in _BYTES and field.charsetnr == _BINARY):
        said = f"convert({name} USING utf8mb4)"
        return (
            f"if(cast({said} AS binary) <=> cast({name} AS binary), {said}, replace(to_base64({name}), char(10), ''))"
        )
    return f"convert({name} USING utf8mb4)"


@contextmanager
def _errors() -> Iterator[None]:
    import pymysql

    try:
        yield
    except (pymysql.MySQLError, OSError) as error:
        code = error.args[0] if error.args else None
        text = _TRIED.sub(r"\1: \2", " ".join(str(error.args[-1] if error.args else error).split()))
        todo = next((todo for codes, todo in _SETTLED.items() if code in codes), None)
        if todo is None and isinstance(error, pymysql.err.OperationalError | pymysql.err.InterfaceError | OSError):
            raise DatabaseUnreachable(
                f"the server did not answer, or hung up: {text}",
                todo="See whether it runs and may be reached, then run again.",
            ) from None
        kind = NoSuchTable if code == _NO_TABLE else SourceError
        raise kind(text, todo=todo or "See what the server says.") from None
