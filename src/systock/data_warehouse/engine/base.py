"""What every engine offers to the rest of SyStock, and the flags that tell engines apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from systock.errors import StorageError, SystockError

if TYPE_CHECKING:
    import pyarrow as pa

    from systock.data_warehouse.table_file import TableFile


class QueryError(SystockError):
    """The engine refused a statement: wrong SQL, a value that does not fit, a constraint. `sql` is the statement."""

    def __init__(self, what: str, *, sql: str | None = None, **more: str | None) -> None:
        super().__init__(what, **more)
        self.sql = sql


class OutOfMemory(StorageError):
    """The work needs more memory, or room on disk beside it, than it may have."""


@dataclass(frozen=True)
class Capabilities:
    """Where engines truly differ.

    enforces_constraints: PRIMARY KEY, REFERENCES and CHECK are part of its tables; else they run as queries.
    can_delete_by_key: rows can be deleted and inserted by key in one transaction; else whole partitions are written.
    has_transactions: several statements commit or roll back as one, DDL included.
    keeps_comments: COMMENT ON is stored and can be read back.
    is_file: the whole database is one local file that can be copied.
    """

    enforces_constraints: bool
    can_delete_by_key: bool
    has_transactions: bool
    keeps_comments: bool
    is_file: bool


class Engine(Protocol):
    """A connection that runs SQL of its own dialect. Errors are SystockError: BusyError, StorageError, QueryError."""

    name: str
    dialect: str
    capabilities: Capabilities

    def __enter__(self) -> Self:
        """The engine itself, closed at the end of the block."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        ...

    def execute(self, sql: str, parameters: Sequence[Any] | None = None) -> int:
        """Run one statement; the number of rows that it inserted, updated or deleted, else 0."""
        ...

    def rows(self, sql: str, parameters: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
        """All rows of a query as tuples; instants are aware datetimes in UTC."""
        ...

    def dicts(self, sql: str, parameters: Sequence[Any] | None = None) -> list[dict[str, Any]]:
        """All rows of a query as dictionaries by column name."""
        ...

    def arrow(self, sql: str, parameters: Sequence[Any] | None = None) -> pa.Table:
        """All rows of a query as an Arrow table."""
        ...

    def batches(self, sql: str, rows_per_batch: int = 100_000) -> pa.RecordBatchReader:
        """The rows of a query as a stream of Arrow batches; read it before the next statement."""
        ...

    def columns(self, sql: str) -> list[tuple[str, str]]:
        """Names and engine types of the columns that a query makes, without running it."""
        ...

    def insert(self, table: str, rows: pa.Table | pa.RecordBatchReader | Sequence[Sequence[Any]]) -> int:
        """Append rows to 'schema.table': Arrow data by column name, sequences by position."""
        ...

    def column_types(self, table: TableFile) -> list[str]:
        """The engine's types of a table file's columns, in order."""
        ...

    def create_table_sql(self, table: TableFile) -> list[str]:
        """Statements that make the empty table (and its schema) with what the engine keeps of its contract."""
        ...

    def create_view_sql(self, table: TableFile) -> list[str]:
        """Statements that make (or replace) the view of a `refresh: view` file, with the types it states."""
        ...

    def create_function_sql(self, table: TableFile) -> list[str]:
        """Statements that make (or replace) the table function of a `refresh: function` file, with the types it states."""
        ...

    def expect_rows(self, rows: int) -> None:
        """Tell that the work at hand is about so many rows: memory follows the work, not the size of the warehouse."""
        ...

    def expect_no_more(self) -> None:
        """Tell that a piece of work is done: the next one has the memory of what was expected first."""
        ...

    def keep_all_memory(self) -> None:
        """Let the work at hand have all memory that the settings allow, whatever is told of its rows."""
        ...

    def take_all_memory(self) -> bool:
        """Let the work have all memory that the settings allow; False where it had it already."""
        ...

    def begin(self) -> None:
        """Open a transaction."""
        ...

    def commit(self) -> None:
        """Commit the open transaction."""
        ...

    def rollback(self) -> None:
        """Undo the open transaction; nothing happens when none is open."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """All statements inside commit together, or none does."""
        ...

    def checkpoint(self) -> None:
        """Bring everything committed into the main storage."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class Transactional:
    """Mixin: transaction() out of begin, commit and rollback."""

    @contextmanager
    def transaction(self: Any) -> Iterator[None]:
        """All statements inside commit together, or none does."""
        self.begin()
        try:
            yield
        except BaseException:
            self.rollback()
            raise
        self.commit()
