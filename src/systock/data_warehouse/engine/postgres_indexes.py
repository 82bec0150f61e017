"""The indexes that tables in PostgreSQL have beside their primary keys (measured: docs/decisions/15-postgres.md)."""

from __future__ import annotations

from systock.data_warehouse.table_file import TableFile


def indexes_of(table: TableFile) -> tuple[tuple[str, ...], ...]:
    """The columns of each index, in order."""
    return ()
