"""The content hash of a table: the same for the same rows in any order, on every engine.

Each row becomes one text, defined per type so that every engine can write the same; the hash of a row is the first
60 bits of md5 over that text, and the hash of a table is the number of rows and the sum of the rows' hashes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import cast

from systock.data_warehouse.engine.base import Engine
from systock.data_warehouse.table_file import KNOWN_COLUMNS
from systock.errors import DefinitionError
from systock.sql_text import quoted

# Canonical text by type ({0} = the column), per engine. All but text are made of characters other than ';'.
_TEXTS: dict[str, dict[str, str]] = {
    "duckdb": {
        "boolean": "CAST({0} AS VARCHAR)",
        "integer": "{0}",
        "bigint": "{0}",
        "numeric": "{0}",
        "date": "{0}",
        "time": "epoch_us({0})",
        "timestamp": "epoch_us({0})",
        "timestamptz": "epoch_us({0})",
        "uuid": "{0}",
        # Nine digits: sums of doubles differ in their last places with the order of the addends.
        "double precision": "format('{{:.8e}}', {0} + CAST(0 AS DOUBLE))",
    },
    "postgres": {
        "boolean": "CAST({0} AS text)",
        "integer": "{0}",
        "bigint": "{0}",
        "numeric": "{0}",
        "date": "to_char({0}, 'YYYY-MM-DD')",
        "time": "CAST(extract(epoch FROM {0}) * 1000000 AS bigint)",
        "timestamp": "CAST(extract(epoch FROM {0}) * 1000000 AS bigint)",
        "timestamptz": "CAST(extract(epoch FROM {0}) * 1000000 AS bigint)",
        "uuid": "{0}",
        "double precision": "trim(to_char({0} + 0, '9.99999999EEEE'))",
    },
}
_WITHOUT_ZERO = r"regexp_replace(CAST({0} AS text), '^(-?)0', '\1')"
_SUMS = {
    "duckdb": "CAST(coalesce(sum(CAST('0x' || substr(md5({0}), 1, 15) AS BIGINT)), 0) AS VARCHAR)",
    "postgres": "CAST(coalesce(sum(CAST(CAST('x' || substr(md5({0}), 1, 15) AS bit(60)) AS bigint)), 0) AS text)",
}
_ENGINE_TYPES = {
    "VARCHAR": "text", "BOOLEAN": "boolean", "INTEGER": "integer", "BIGINT": "bigint", "DATE": "date", "TIME": "time",
    "TIMESTAMP": "timestamp", "TIMESTAMP WITH TIME ZONE": "timestamptz", "DOUBLE": "double precision", "UUID": "uuid",
    "CHARACTER VARYING": "text", "TIMESTAMP WITHOUT TIME ZONE": "timestamp", "DOUBLE PRECISION": "double precision",
    "TIME WITHOUT TIME ZONE": "time", "HUGEINT": "bigint", "UBIGINT": "bigint", "UINTEGER": "bigint",
    "SMALLINT": "integer", "TINYINT": "integer", "FLOAT": "double precision", "TEXT": "text",
}  # fmt: skip


def row_text_sql(columns: Sequence[tuple[str, str]], dialect: str = "duckdb") -> str:
    """SQL of the canonical text of a row. columns: names with canonical types.

    A text is its length, ':' and itself; any other value its text and ';'. NULL is the mark without the value.
    """
    parts: list[str] = []
    for name, type_ in columns:
        column = quoted(name)
        if type_ == "text":
            parts.append(f"length({column}), ':', {column}")
            continue
        template = _TEXTS[dialect].get(type_.partition("(")[0])
        if dialect == "postgres" and _has_no_whole_digits(type_):
            template = _WITHOUT_ZERO
        if template is None:
            raise DefinitionError(
                f"the content hash knows no type {type_!r} (column {name})",
                todo=f"Use text, numeric(p, s) or one of: {', '.join(_TEXTS[dialect])}.",
            )
        parts.append(f"{template.format(column)}, ';'")
    # concat() takes NULL as '' on DuckDB and PostgreSQL.
    return f"concat({', '.join(parts)})" if parts else "''"


def _has_no_whole_digits(type_: str) -> bool:
    """Is it a number all of whose digits are decimals, numeric(p, p)? DuckDB writes .5 then, where PostgreSQL writes 0.5."""
    precision, _, scale = type_.removeprefix("numeric(").rstrip(")").partition(", ")
    return precision == scale


def content_hash_sql(qualified: str, columns: Sequence[tuple[str, str]], dialect: str = "duckdb") -> str:
    """A query of one row: row_count, and content_hash as text. columns: names with canonical types, in table order."""
    if dialect not in _SUMS:
        raise DefinitionError(f"there is no content hash on {dialect!r}", todo=f"Use one of: {', '.join(_SUMS)}.")
    total = _SUMS[dialect].format(row_text_sql(columns, dialect))
    return f"SELECT count(*) AS row_count, {total} AS content_hash FROM {qualified}"


def content_hash(engine: Engine, qualified: str, columns: Sequence[tuple[str, str]]) -> tuple[int, str]:
    """Row count and content hash of a table or view."""
    [(count, total)] = engine.rows(content_hash_sql(qualified, columns, engine.dialect))
    return int(count), str(total)


def canonical_columns(engine: Engine, qualified: str) -> list[tuple[str, str]]:
    """Names and canonical types of a table's or view's columns, from the engine's own."""
    return [(name, _canonical(type_)) for name, type_ in engine.columns(f"SELECT * FROM {qualified}")]


def _canonical(engine_type: str) -> str:
    head, _, rest = engine_type.partition("(")
    if head.upper() in ("DECIMAL", "NUMERIC"):
        digits = [digit.strip() for digit in rest.rstrip(")").split(",")]
        return f"numeric({', '.join(digits)})"
    return _ENGINE_TYPES.get(engine_type.upper(), engine_type.lower())


def table_hashes(
    engine: Engine, schemas: Sequence[str] = ("silver", "gold", "serve", "snapshot"), since: datetime | None = None
) -> dict[str, tuple[int, str]]:
    """Row count and content hash of every stored table of the schemas, by qualified name.

    since: of gold's tables of versions only what was believed from this instant on.
    """
    names = ", ".join(f"'{schema}'" for schema in schemas)
    found = engine.rows(
        "SELECT table_schema, table_name FROM information_schema.tables "
        f"WHERE table_schema IN ({names}) AND table_type = 'BASE TABLE' ORDER BY table_schema, table_name"
    )
    hashes = {}
    for schema, name in found:
        rows = table = f'"{schema}"."{name}"'
        columns = canonical_columns(engine, table)
        if (
            since is not None
            and schema == "gold"
            and columns[-2:] == [(known, "timestamptz") for known in KNOWN_COLUMNS]
        ):
            instant = f"TIMESTAMPTZ '{since.isoformat()}'"
            kept = ", ".join(f'"{column}"' for column, _ in columns[:-2])
            rows = f"""(SELECT {kept}, greatest(known_from_at, {instant}) AS known_from_at, known_to_at
                FROM {table} WHERE known_to_at > {instant}) AS kept"""
        hashes[f"{schema}.{name}"] = content_hash(engine, rows, columns)
    return hashes


def kept_from(engine: Engine) -> datetime:
    """From when on a warehouse's tables of versions tell every state of knowledge."""
    [(since,)] = engine.rows("SELECT history_from_at FROM meta.progress")
    return cast(datetime, since)
