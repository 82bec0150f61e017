"""Copying the rows of a query from the build's engine into a table of PostgreSQL, as a stream of its binary format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from systock.data_warehouse.engine.base import Engine
from systock.sql_text import quoted

if TYPE_CHECKING:
    import psycopg
    import pyarrow as pa

#: So many rows are encoded at a time: it bounds the memory that copying takes.
_ROWS_PER_BATCH = 20_000


@dataclass(frozen=True)
class CopiedColumn:
    """A column: its name in the query, its name in the table, and its canonical type."""

    name: str
    target: str
    type: str


def copy_rows(
    engine: Engine,
    query: str,
    columns: Iterable[CopiedColumn],
    connection: psycopg.Connection[Any],
    table: str,
) -> int:
    """Append the rows of a query to a table; their number. table: its quoted name.

    Every value arrives as it is, to the last digit. Errors of the server are psycopg's, those of the engine SystockError; the
    transaction is the caller's. PostgreSQL's text takes every character but NUL.
    """
    carried = tuple(columns)
    selected = ", ".join(f"{_carried_sql(column)} AS {quoted(column.name)}" for column in carried)
    into = ", ".join(quoted(column.target) for column in carried)
    copied = 0
    # Closed in any case: an answer that is not read to its end keeps the file open for as long as an error quotes it.
    with engine.batches(f"SELECT {selected} FROM ({query}) AS rows", _ROWS_PER_BATCH) as rows:
        if connection.info.parameter_status("client_encoding") != "UTF8":  # what the encoder writes
            connection.execute("SET client_encoding TO 'UTF8'")
        with connection.cursor().copy(f"COPY {table} ({into}) FROM STDIN (FORMAT BINARY)".encode()) as copy:
            for part, count in _encoded(rows):
                copy.write(part)
                copied += count
    return copied


def _encoded(rows: pa.RecordBatchReader) -> Iterator[tuple[bytes, int]]:
    """The rows in the binary format of COPY: parts of it, with the number of rows in each."""
    from pgpq import ArrowToPostgresBinaryEncoder

    encoder = ArrowToPostgresBinaryEncoder(rows.schema)
    yield encoder.write_header(), 0
    for batch in rows:
        yield encoder.write_batch(batch), batch.num_rows
    yield encoder.finish(), 0


def _carried_sql(column: CopiedColumn) -> str:
    # Arrow gets a uuid as text, which PostgreSQL would not read as one: its 16 bytes are what the server takes.
    name = quoted(column.name)
    return f"CAST({name} AS BLOB)" if column.type == "uuid" else name
