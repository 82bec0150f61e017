"""DuckDB: the embedded engine, one private file per project or an in-memory database."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import duckdb

from systock.data_warehouse.engine.base import Capabilities, OutOfMemory, QueryError, Transactional
from systock.data_warehouse.function_arguments import arguments_of, with_arguments
from systock.data_warehouse.portable_sql import compile_sql
from systock.errors import BusyError, IntegrityError, NotWritable, StorageError, SystockError
from systock.sql_text import literal, quoted

if TYPE_CHECKING:
    import pyarrow as pa

    from systock.data_warehouse.table_file import TableFile

# The oldest DuckDB that shall open our files; newer storage features stay off.
STORAGE_VERSION = "v1.0.0"

# What a small piece of work may keep in memory, in bytes: at least so much, and so much for each row that it is about.
_LEAST_MEMORY, _MEMORY_PER_ROW = 256 * 1024**2, 8 * 1024
_UNITS = {"bytes": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3, "TiB": 1024**4}

_PART = re.compile(r"[^'\"\n]*/bronze/[^'\"\n]*\.parquet")
_DISK_SAYS = ("no space left", "could not write", "disk quota", "input/output error")
_FORBIDDEN = ("read-only file system", "permission denied", "operation not permitted")
# What does not fit into memory is put aside on disk; the engine's own limit for that is the room that the disk has.
_NO_ROOM_ASIDE = ("failed to offload", "max_temp_directory_size")


def connect(
    path: Path | None,
    *,
    read_only: bool = False,
    memory_limit: str | None = None,
    threads: int | None = None,
    temp_directory: Path | None = None,
    keep_order: bool = False,
) -> DuckDBEngine:
    """Open a database file, or one in memory when path is None.

    keep_order: rows without ORDER BY come in the order they were inserted; costs memory, only for readers that need it.
    """
    # Two different intervals on one column in one SELECT come out equal under common_subexpressions (1.5.5 to 2.0.0).
    # Extensions are never fetched or loaded: what is bundled is all there is. Python variables are no tables.
    config: dict[str, str | bool | int | float | list[str]] = {
        "disabled_optimizers": "common_subexpressions",
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "preserve_insertion_order": keep_order,
        "storage_compatibility_version": STORAGE_VERSION,
    }
    if memory_limit:
        config["memory_limit"] = memory_limit
    if threads:
        config["threads"] = threads
    if temp_directory is not None:
        config["temp_directory"] = str(temp_directory)
    where = str(path) if path is not None else None
    with _errors(where=where):
        connection = duckdb.connect(str(path) if path is not None else ":memory:", read_only=read_only, config=config)
    try:
        with _errors(where=where):
            connection.execute("SET GLOBAL TimeZone = 'UTC'")
            connection.execute("SET python_enable_replacements = false")
            # It costs a fifth of writing a fact and saves a twentieth of the file.
            connection.execute("SET GLOBAL disabled_compression_methods = 'fsst'")
    except BaseException:
        connection.close()
        raise
    return DuckDBEngine(connection, path)


@lru_cache(maxsize=256)
def _asked(table: TableFile) -> str:
    """The SELECT of a question in SQL of DuckDB."""
    if table.select is None:
        raise ValueError(f"{table.qualified} has no SELECT")
    return compile_sql(with_arguments(table) if table.refresh == "function" else table.select)


class DuckDBEngine(Transactional):
    """One connection to DuckDB. Not for use from several threads at once: take a cursor() for each."""

    name = "duckdb"
    dialect = "duckdb"
    capabilities = Capabilities(
        enforces_constraints=False, can_delete_by_key=True, has_transactions=True, keeps_comments=True, is_file=True
    )

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path | None) -> None:
        self.connection, self.path = connection, path
        self._in_transaction = False
        self._most_memory: int | None = None
        self._memory = self._memory_between = 0

    def __enter__(self) -> Self:
        """The engine itself, closed at the end of the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self.close()

    def cursor(self) -> DuckDBEngine:
        """Another connection to the same open database, with a transaction of its own."""
        cursor = self.connection.cursor()
        cursor.execute("SET python_enable_replacements = false")
        return DuckDBEngine(cursor, self.path)

    def execute(self, sql: str, parameters: Sequence[Any] | None = None) -> int:
        """Run one statement; the number of rows that it inserted, updated or deleted, else 0."""
        with _errors(sql, file=self.path):
            done = self.connection.execute(sql, parameters)
            if done.description and [column[0] for column in done.description] == ["Count"]:
                row = done.fetchone()
                return int(row[0]) if row else 0
            return 0

    def rows(self, sql: str, parameters: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
        """All rows of a query as tuples; instants are aware datetimes in UTC."""
        return self._fetch(sql, parameters)[1]

    def dicts(self, sql: str, parameters: Sequence[Any] | None = None) -> list[dict[str, Any]]:
        """All rows of a query as dictionaries by column name."""
        names, rows = self._fetch(sql, parameters)
        return [dict(zip(names, row, strict=True)) for row in rows]

    def _fetch(self, sql: str, parameters: Sequence[Any] | None) -> tuple[list[str], list[tuple[Any, ...]]]:
        with _errors(sql, file=self.path):
            done = self.connection.execute(sql, parameters)
            names, types = [c[0] for c in done.description or []], [str(c[1]) for c in done.description or []]
            if "TIMESTAMP WITH TIME ZONE" not in types:
                return names, done.fetchall()
            # DuckDB needs pytz to hand out instants itself; Arrow does not.
            table = done.to_arrow_table()
        return names, list(zip(*map(_python_values, table.columns, types), strict=True))

    def arrow(self, sql: str, parameters: Sequence[Any] | None = None) -> pa.Table:
        """All rows of a query as an Arrow table."""
        with _errors(sql, file=self.path):
            return self.connection.execute(sql, parameters).to_arrow_table()

    def batches(self, sql: str, rows_per_batch: int = 100_000) -> pa.RecordBatchReader:
        """The rows of a query as a stream of Arrow batches; read it before the next statement."""
        with _errors(sql, file=self.path):
            return self.connection.execute(sql).to_arrow_reader(rows_per_batch)

    def columns(self, sql: str) -> list[tuple[str, str]]:
        """Names and DuckDB types of the columns that a query makes, without running it."""
        return [(str(row[0]), str(row[1])) for row in self.rows(f"DESCRIBE {sql}")]

    def insert(self, table: str, rows: pa.Table | pa.RecordBatchReader | Sequence[Sequence[Any]]) -> int:
        """Append rows to 'schema.table': Arrow data by column name, sequences by position."""
        if isinstance(rows, Sequence):
            if not rows:
                return 0
            marks = ", ".join("?" * len(rows[0]))
            sql = f"INSERT INTO {table} VALUES ({marks})"
            with _errors(sql, file=self.path):
                self.connection.executemany(sql, rows)
            return len(rows)
        name = f"arrow_{uuid.uuid4().hex}"
        with _errors(table, file=self.path):
            self.connection.register(name, rows)
        try:
            return self.execute(f"INSERT INTO {table} BY NAME SELECT * FROM {name}")
        finally:
            self.connection.unregister(name)

    def column_types(self, table: TableFile) -> list[str]:
        """DuckDB's types of a table file's columns: it reads the canonical names themselves."""
        return [column.type for column in table.columns]

    def create_table_sql(self, table: TableFile) -> list[str]:
        """Statements that make the empty table: types and NOT NULL. Keys, references and CHECKs run as queries.

        (A PRIMARY KEY costs 3 times the CPU and 6 times the file, a foreign key blocks rewriting a dimension row.)
        """
        columns = ",\n    ".join(
            f"{quoted(column.name)} {type_}{'' if column.nullable else ' NOT NULL'}"
            for column, type_ in zip(table.columns, self.column_types(table), strict=True)
        )
        return [
            f"CREATE SCHEMA IF NOT EXISTS {quoted(table.schema)}",
            f"CREATE TABLE {_table(table)} (\n    {columns}\n)",
            *self._comments(table, "TABLE"),
        ]

    def create_view_sql(self, table: TableFile) -> list[str]:
        """Statements that make (or replace) the view of a `refresh: view` file, with the types it states."""
        return [
            f"CREATE SCHEMA IF NOT EXISTS {quoted(table.schema)}",
            f"CREATE OR REPLACE VIEW {_table(table)} AS {self._typed(table)}",
            *self._comments(table, "VIEW"),
        ]

    def create_function_sql(self, table: TableFile) -> list[str]:
        """Statements that make (or replace) the table macro of a `refresh: function` file, with the types it states."""
        return [
            f"CREATE SCHEMA IF NOT EXISTS {quoted(table.schema)}",
            f"CREATE OR REPLACE MACRO {_table(table)}({', '.join(arguments_of(table))}) AS TABLE {self._typed(table)}",
            f"COMMENT ON MACRO TABLE {_table(table)} IS {literal(table.sentence)}",
        ]

    def _typed(self, table: TableFile) -> str:
        """The SELECT in the types that the file states."""
        columns = ", ".join(
            f"CAST(made.{quoted(column.name)} AS {type_}) AS {quoted(column.name)}"
            for column, type_ in zip(table.columns, self.column_types(table), strict=True)
        )
        return f"SELECT {columns} FROM ({_asked(table)}) AS made"

    def _comments(self, table: TableFile, kind: str) -> list[str]:
        return [
            f"COMMENT ON {kind} {_table(table)} IS {literal(table.sentence)}",
            *(f"COMMENT ON COLUMN {_table(table)}.{quoted(c.name)} IS {literal(c.comment)}" for c in table.columns),
        ]

    def expect_rows(self, rows: int) -> None:
        """Tell that the work at hand is about so many rows: what is kept of the file in memory follows it, up to the limit."""
        if self._most_memory is None:
            self._most_memory = self._memory_limit()
        wanted = min(self._most_memory, max(_LEAST_MEMORY, rows * _MEMORY_PER_ROW))
        if wanted > self._memory:
            self._memory = wanted
            self.execute(f"SET memory_limit = '{wanted}B'")
        self._memory_between = self._memory_between or wanted

    def expect_no_more(self) -> None:
        """Tell that a piece of work is done: the next one has the memory of what was expected first."""
        if self._memory_between and self._memory_between < self._memory:
            with suppress(OutOfMemory):  # what is still in use stays until it is not
                self.execute(f"SET memory_limit = '{self._memory_between}B'")
                self._memory = self._memory_between

    def keep_all_memory(self) -> None:
        """Let the work at hand have all memory that the settings allow, whatever is told of its rows."""
        self._most_memory = self._memory = self._memory_between = self._memory_limit()

    def _memory_limit(self) -> int:
        [(limit,)] = self.rows("SELECT current_setting('memory_limit')")
        number, unit = str(limit).split()
        return int(float(number) * _UNITS[unit])

    def take_all_memory(self) -> bool:
        """Let the work have all memory that the settings allow; False where it had it already."""
        if self._most_memory is None or self._memory == self._most_memory:
            return False
        self._memory = self._memory_between = self._most_memory
        self.execute(f"SET memory_limit = '{self._most_memory}B'")
        return True

    def begin(self) -> None:
        """Open a transaction."""
        with _errors("BEGIN", file=self.path):
            self.connection.begin()
        self._in_transaction = True

    def commit(self) -> None:
        """Commit the open transaction."""
        with _errors("COMMIT", file=self.path):
            self.connection.commit()
        self._in_transaction = False

    def rollback(self) -> None:
        """Undo the open transaction; nothing happens when none is open."""
        if not self._in_transaction:
            return
        self._in_transaction = False
        try:
            with _errors("ROLLBACK", file=self.path):
                self.connection.rollback()
        except (QueryError, IntegrityError):
            # A failed COMMIT has already rolled back; a damaged file answers nothing any more.
            pass

    def checkpoint(self) -> None:
        """Write everything committed into the database file, so that the file alone can be copied."""
        with _errors("CHECKPOINT", file=self.path):
            self.connection.execute("CHECKPOINT")

    def interrupt(self) -> None:
        """Stop the statement that runs now, from another thread."""
        self.connection.interrupt()

    def close(self) -> None:
        """Close the connection; an open transaction is undone."""
        self.connection.close()


def _python_values(column: pa.ChunkedArray, type_: str) -> list[Any]:
    import pyarrow as pa

    if type_ == "TIMESTAMP WITH TIME ZONE":
        # Through the plain timestamp: naming the zone would need a time zone database.
        naive = column.cast(pa.timestamp("us")).to_pylist()
        return [None if value is None else value.replace(tzinfo=UTC) for value in naive]
    values: list[Any] = column.to_pylist()
    convert: Any = {"UUID": uuid.UUID, "HUGEINT": int, "UHUGEINT": int}.get(type_)
    return [None if value is None else convert(value) for value in values] if convert else values


@contextmanager
def _errors(sql: str | None = None, where: str | None = None, file: Path | None = None) -> Iterator[None]:
    """DuckDB's errors as SyStock's: busy, storage, damaged file, or a refused statement.

    file: the database that a statement works on.
    """
    try:
        yield
    except duckdb.Error as error:
        raise _translated(error, sql, where, file) from error


def _translated(error: duckdb.Error, sql: str | None, where: str | None, file: Path | None = None) -> SystockError:
    text = str(error).strip()
    first, low = text.splitlines()[0] if text else type(error).__name__, text.lower()
    if isinstance(error, duckdb.IOException) and "lock" in low and "conflicting" in low:
        return BusyError(
            "another process has the database file open", where=where, todo="Wait until it is done, then run again."
        )
    # A failure while rows are fetched comes as another kind of error that quotes this one.
    if any(words in low for words in _NO_ROOM_ASIDE):
        what = f"the disk is full: what does not fit into memory finds no room beside the database: {first}"
        return OutOfMemory(what, where=where, todo="Free space on the project's disk, then try again.")
    if isinstance(error, duckdb.OutOfMemoryException):
        return OutOfMemory(
            f"memory ran out: {first}", where=where,
            todo="Free memory, or ask for less; a run takes more by memory_limit, and needs less with fewer threads, under [run].",
        )  # fmt: skip
    if isinstance(error, duckdb.IOException | duckdb.FatalException | duckdb.TransactionException):
        if any(words in low for words in _FORBIDDEN):
            return NotWritable(f"the disk refused: {first}", where=where, todo="Mend the permissions, then try again.")
        if any(words in low for words in _DISK_SAYS):
            return StorageError(f"the disk refused: {first}", where=where, todo="Free space, then try again.")
    if isinstance(error, duckdb.IOException | duckdb.InvalidInputException) and (found := _PART.search(text)):
        return IntegrityError(
            f"a part of bronze is missing or damaged: {first}", where=found[0], state="What is published stays in place.",
            todo="Put back a copy of this file, or of the .systock/bronze folder, then run again.",
        )  # fmt: skip
    if sql is None and isinstance(error, duckdb.IOException) and "cannot open" in low:
        what = f"the database file cannot be opened: {first}"
        return StorageError(what, where=where, todo="Look at its path and permissions.")
    # A damaged block is found when it is read, by whatever statement reads it.
    faults = duckdb.IOException | duckdb.FatalException | duckdb.InvalidInputException
    if sql is None or (isinstance(error, faults) and "corrupt database file" in low):
        return IntegrityError(
            f"the database file is damaged or of another version: {first}",
            where=where or (str(file) if file else None),
            todo="Make it anew with 'systock rebuild'.",
        )
    what = text.split("\n\nLINE ")[0].replace("\n", " ")
    return QueryError(what, sql=sql, where=where)


def _table(table: TableFile) -> str:
    return quoted(table.schema, table.name)
