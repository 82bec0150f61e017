"""A whole warehouse in PostgreSQL: the schema of the table files, filled with all rows of a DuckDB file."""

from __future__ import annotations

from typing import Any

from systock.data_warehouse.engine.base import Engine
from systock.data_warehouse.engine.postgres_ddl import name_sql, qualified_sql
from systock.data_warehouse.engine.postgres_schema import PostgresSchema
from systock.data_warehouse.portable_sql import postgres_name
from systock.load.copy_rows import CopiedColumn, copy_rows


def copy_warehouse(engine: Engine, connection: Any, schema: PostgresSchema) -> None:
    """Make the schema in an empty database with the rows of the file that `engine` has open, under all its constraints."""
    for statement in (*schema.schemas(), *schema.tables()):
        connection.execute(statement.sql)
    for table in schema.stored:
        columns = [CopiedColumn(column.name, postgres_name(column.name), column.type) for column in table.columns]
        copy_rows(
            engine,
            f"SELECT * FROM {name_sql(table.schema)}.{name_sql(table.name)}",
            columns,
            connection,
            qualified_sql(table),
        )
    for statement in (*schema.keys_and_indexes(), *schema.views_and_functions()):
        connection.execute(statement.sql)
    connection.execute("ANALYZE")
