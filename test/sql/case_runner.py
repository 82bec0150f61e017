"""Running a case: the given rows go into real tables, what is asked for is computed by the tables' own SELECTs, and the
rows that come out are compared. What is computed must also keep its table's own constraints. So on DuckDB, and then on PostgreSQL,
where only what a kernel makes is taken from there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

import systock
from sql.case_file import Case, Rows
from systock.data_warehouse.dependency_order import inputs_of
from systock.data_warehouse.engine.duckdb import DuckDBEngine
from systock.data_warehouse.portable_sql import compile_sql, compile_text
from systock.data_warehouse.refresh_cost import run_kernel, values_stock
from systock.data_warehouse.table_file import TableFile, load_folder

PACKAGE = Path(systock.__file__).parent

# What silver adds to a contract's columns: name, type.
VERSION = {"version_at": "timestamptz", "is_deleted": "boolean"}

# What columns hold that a case does not name, where the file states no DEFAULT.
DEFAULTS = {
    "meta.project": {
        "project_name": "'case'",
        "currency_code": "'EUR'",
        "timezone": "'UTC'",
        "business_day_cutover": "'00:00:00'",
        "retail_year_start_month": "2",
        "cost_method": "'standard'",
        "calendar_from_date": "'2023-01-01'",
        "calendar_to_date": "'2025-12-31'",
    },
    "meta.source": {"moves_stock": "FALSE", "stock_starts": "'count'"},
}
VERSION_DEFAULTS = {"version_at": "'2023-01-01 00:00:00+00'", "is_deleted": "FALSE"}


class CaseFailed(AssertionError):
    """The rows that came out are not those that were expected, or they break their table's constraints."""


@cache
def table_files() -> dict[str, TableFile]:
    """All contracts and all tables of the warehouse, by qualified name."""
    return load_folder(PACKAGE / "etl_pipeline" / "silver_layer" / "contracts", PACKAGE / "data_warehouse" / "schema")


@cache
def _select(name: str, dialect: str = "duckdb") -> str:
    select = table_files()[name].select
    assert select is not None, f"{name} has no SELECT"
    return compile_sql(select, dialect)


@cache
def _columns(name: str) -> dict[str, tuple[str, str | None]]:
    """Column → type and DEFAULT of any table that a case may name."""
    if name.endswith("__versions"):
        known = dict.fromkeys(("known_from_at", "known_to_at"), ("timestamptz", None))
        return _columns(name.removesuffix("__versions")) | known
    if name.endswith("__changes"):
        return _columns(name.removesuffix("__changes")) | {
            "snapshot_no": ("bigint", None),
            "is_removed": ("boolean", "FALSE"),
        }
    table = table_files()[name]
    columns = {column.name: (column.type, column.default_sql) for column in table.columns}
    if table.schema == "silver":
        columns |= {column: (type_, VERSION_DEFAULTS[column]) for column, type_ in VERSION.items()}
    for column, default in DEFAULTS.get(name, {}).items():
        columns[column] = (columns[column][0], default)
    return columns


def run_case(case: Case, postgres: Any = None) -> None:
    """Run a case; CaseFailed says which rows are missing and which are too many. postgres: a connection to a database made by `prepare`."""
    given = {rows.table for rows in case.given}

    def fill(connection: Any, dialect: str = "duckdb") -> None:
        for name in sorted(given):
            create(connection, name)
        for rows in case.given:
            _insert(connection, rows, dialect)
        if "meta.project" not in given:
            connection.execute("INSERT INTO meta.project DEFAULT VALUES")

    with computed_tables((rows.table for rows in case.expected), fill, given) as connection:
        _compare(connection, case)
        if postgres is not None:
            with _computed_there(postgres, connection, case, fill):
                _compare(postgres, case, "postgres")


def _compare(connection: Any, case: Case, dialect: str = "duckdb") -> None:
    failures = [failure for rows in case.expected for failure in _differences(connection, rows, dialect)]
    if failures:
        raise CaseFailed("\n".join([f"{case.rule} (on {dialect})", *failures]))


@contextmanager
def computed_tables(
    asked: Iterable[str], fill: Callable[[duckdb.DuckDBPyConnection], None], given: Collection[str] = ()
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database with the tables asked for, computed from what `fill` puts in; those that are `given` are left alone."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'; SET threads = 1; SET disabled_optimizers = 'common_subexpressions'")
        prepare(connection)
        fill(connection)
        _must_hold(rule for name in _to_compute(asked, given) for rule in _compute(connection, table_files()[name]))
        yield connection


@contextmanager
def _computed_there(
    postgres: Any, connection: duckdb.DuckDBPyConnection, case: Case, fill: Callable[[Any, str], None]
) -> Iterator[None]:
    """The same on PostgreSQL, undone at the end."""
    try:
        fill(postgres, "postgres")
        given = {rows.table for rows in case.given}
        for name in _to_compute((rows.table for rows in case.expected), given):
            table = table_files()[name]
            if table.refresh == "kernel":
                create(postgres, name)
                marks = ", ".join(["%s"] * len(table.columns))
                rows = DuckDBEngine(connection, None).rows(f"SELECT * FROM {name}")
                postgres.cursor().executemany(f"INSERT INTO {name} VALUES ({marks})", rows)
            else:
                _must_hold(_compute(postgres, table, "postgres"))
        yield
    finally:
        postgres.rollback()


def prepare(connection: Any) -> None:
    """The schemas, and an empty table for each that has no SELECT."""
    for schema in sorted({table.schema for table in table_files().values()}):
        connection.execute(f"CREATE SCHEMA {schema}")
    for name in (name for name, table in table_files().items() if table.select is None):
        create(connection, name)


def _must_hold(broken: Iterable[str]) -> None:
    if found := list(broken):
        raise CaseFailed("\n".join(found))


def _to_compute(asked: Iterable[str], given: Collection[str]) -> list[str]:
    """The tables with a SELECT that are needed and not given, each after what it reads and refers to."""
    done: dict[str, None] = {}

    def need(name: str) -> None:
        if name in done or name in given or name.endswith(("__versions", "__changes")):
            return
        table = table_files()[name]
        if table.select is None:
            return
        for source in [*inputs_of(table), *(reference.table for reference in table.references)]:
            need(source)
        done[name] = None

    for name in sorted(asked):
        need(name)
    return list(done)


def create(connection: Any, name: str) -> None:
    """An empty table of this name, all of whose columns may be left out."""
    columns = [
        f'"{column}" {type_}' + (f" DEFAULT {default}" if default is not None else "")
        for column, (type_, default) in _columns(name).items()
    ]
    connection.execute(f"CREATE TABLE IF NOT EXISTS {name} ({', '.join(columns)})")


def _insert(connection: Any, rows: Rows, dialect: str) -> None:
    types = _typed(rows)
    names = ", ".join(f'"{column}"' for column in rows.columns)
    for row in rows.rows:
        connection.execute(f"INSERT INTO {rows.table} ({names}) SELECT {_values(row, types, dialect)}")


def _compute(connection: Any, table: TableFile, dialect: str = "duckdb") -> list[str]:
    """Fill the table from its SELECT, in its own types; what breaks its constraints is returned."""
    columns = ", ".join(f'CAST("{column.name}" AS {column.type}) AS "{column.name}"' for column in table.columns)
    kind = "VIEW" if table.refresh == "view" else "TABLE"
    if table.refresh == "kernel":
        create(connection, table.qualified)
        if values_stock(engine := DuckDBEngine(connection, None)):
            run_kernel(engine, table.qualified, _select(table.qualified), table.qualified)
    else:
        connection.execute(
            f"CREATE {kind} {table.qualified} AS SELECT {columns} FROM ({_select(table.qualified, dialect)}) AS made"
        )
    broken = {f"{column.name} is NULL": f'"{column.name}" IS NULL' for column in table.columns if not column.nullable}
    for check in table.checks:
        broken[f"CHECK {check.text}"] = f"NOT ({compile_sql(check.expression, dialect)})"
    for reference in table.references:
        broken[f"{reference.column} is not in {reference.table}"] = (
            f'"{reference.column}" IS NOT NULL AND "{reference.column}" NOT IN '
            f'(SELECT "{reference.target_column}" FROM {reference.table})'
        )
    of_rows = f"SELECT * FROM {table.qualified} WHERE "
    found = [
        f"{table.qualified}: {rule}: {row}"
        # one question for all of them, and each on its own only where something is broken
        for rule, condition in (broken.items() if _rows(connection, of_rows + " OR ".join(broken.values())) else ())
        for row in _rows(connection, f"{of_rows}{condition} LIMIT 3")
    ]
    key = ", ".join(f'"{column}"' for column in table.primary_key)
    doubles = _rows(connection, f"SELECT {key} FROM {table.qualified} GROUP BY {key} HAVING count(*) > 1")
    return found + [f"{table.qualified}: the key {row} comes twice" for row in doubles]


def _differences(connection: Any, rows: Rows, dialect: str) -> list[str]:
    types = _typed(rows)
    names = ", ".join(f'"{column}"' for column in rows.columns)
    where = f" WHERE {_fragment(rows.where, dialect)}" if rows.where else ""
    got = f"SELECT {names} FROM {rows.table}{where}"
    connection.execute("DROP TABLE IF EXISTS expected")
    connection.execute(f"CREATE TEMP TABLE expected AS {got} LIMIT 0")
    for row in rows.rows:
        connection.execute(f"INSERT INTO expected SELECT {_values(row, types, dialect)}")
    found = []
    for said, sql in (
        ("missing", f"SELECT * FROM expected EXCEPT ALL {got}"),
        ("too many", f"{got} EXCEPT ALL SELECT * FROM expected"),
    ):
        found += [f"{rows.table} (line {rows.line}) {said}: {row}" for row in _rows(connection, sql)]
    return found


def _rows(connection: Any, sql: str) -> list[str]:
    """The rows of a query as texts, column by column."""
    rows = connection.execute(f"SELECT CAST(found AS VARCHAR) FROM ({sql}) AS found").fetchall()
    return sorted(str(row) for (row,) in rows)


def _typed(rows: Rows) -> list[str]:
    known = _columns(rows.table)
    missing = [column for column in rows.columns if column not in known]
    if missing:
        raise ValueError(f"line {rows.line}: {rows.table} has no column {missing[0]}")
    return [known[column][0] for column in rows.columns]


def _values(row: tuple[str | None, ...], types: list[str], dialect: str) -> str:
    return ", ".join(f"CAST({_value(cell, dialect)} AS {type_})" for cell, type_ in zip(row, types, strict=True))


def _value(cell: str | None, dialect: str) -> str:
    if cell is None:
        return "NULL"
    if cell.startswith("="):
        return f"({_fragment(cell[1:], dialect)})"
    return "'" + cell.replace("'", "''") + "'"


def _fragment(sql: str, dialect: str) -> str:
    return compile_text(f"SELECT {sql.strip()}", dialect).removeprefix("SELECT ")
