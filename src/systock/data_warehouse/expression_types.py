"""Types of the expressions in a query, as far as the columns of its inputs tell; and columns that no input has."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, traverse_scope
from sqlglot.schema import MappingSchema

from systock.data_warehouse.portable_sql import PortableSql, macro_call
from systock.data_warehouse.table_file import TableFile

Schema = Mapping[str, Mapping[str, str]]
"""Columns with canonical types by qualified table name."""

INTEGERS = frozenset({exp.DType.INT, exp.DType.BIGINT, exp.DType.SMALLINT, exp.DType.TINYINT})
DOUBLES = frozenset({exp.DType.DOUBLE, exp.DType.FLOAT})
DECIMALS = frozenset({exp.DType.DECIMAL})
TEXTS = frozenset({exp.DType.TEXT, exp.DType.VARCHAR, exp.DType.CHAR})
TIMESTAMPS = frozenset({exp.DType.TIMESTAMP, exp.DType.TIMESTAMPTZ})


def schema_of(tables: Iterable[TableFile]) -> dict[str, dict[str, str]]:
    """The columns that queries can read of these tables; a contract's also has version_at and is_deleted.

    Beside them the histories: every version of a contract's rows, every change that a snapshot brought.
    """
    schema: dict[str, dict[str, str]] = {}
    for table in tables:
        columns = {column.name: column.type for column in table.columns}
        if table.history is not None:
            columns |= {"version_at": "timestamptz", "is_deleted": "boolean"}
            schema[f"{table.qualified}__versions"] = columns | {
                "known_from_at": "timestamptz",
                "known_to_at": "timestamptz",
            }
        if table.refresh == "snapshot":
            schema[f"{table.qualified}__changes"] = columns | {"snapshot_no": "bigint", "is_removed": "boolean"}
        schema[table.qualified] = columns
    return schema


@dataclass(frozen=True)
class UnknownColumn:
    """A column that none of the inputs has, and the names it may have meant."""

    node: exp.Column
    close: tuple[str, ...]


def typed(query: exp.Expr, schema: Schema | None = None) -> exp.Expr:
    """A copy of the query whose expressions carry `.type` where the schema, casts and functions tell it."""
    copy = query.copy()
    for spine in _spines(copy):
        _stand_in(spine)
    nested = _nested(schema or {})
    if isinstance(copy, exp.Query):
        try:
            qualified = qualify(
                copy.copy(),
                schema=nested,
                dialect=PortableSql,
                validate_qualify_columns=False,
                identify=False,
                quote_identifiers=False,
            )
            return annotate_types(qualified, schema=nested, dialect=PortableSql)
        except SqlglotError:
            pass  # what cannot be resolved is linted without types
    return annotate_types(copy, schema=nested, dialect=PortableSql)


def unknown_columns(typed_query: exp.Expr, schema: Schema) -> Iterator[UnknownColumn]:
    """Columns of a query from typed() that its inputs do not have; inputs without a schema are trusted."""
    for scope in traverse_scope(typed_query) if isinstance(typed_query, exp.Query) else ():
        for column in scope.columns:
            if isinstance(column.this, exp.Star):
                continue
            if column.table:
                names = _names(scope.sources.get(column.table), schema)
                if names is not None and column.name not in names:
                    yield UnknownColumn(column, _close(column.name, names))
            elif not scope.can_be_correlated or not scope.parent:
                sources = [_names(source, schema) for source in scope.sources.values()]
                aliases = {projection.alias_or_name for projection in getattr(scope.expression, "selects", ())}
                if sources and None not in sources and column.name not in aliases:
                    every = [name for names in sources if names is not None for name in names]
                    if column.name not in every:
                        yield UnknownColumn(column, _close(column.name, every))


def _names(source: exp.Expr | Scope | None, schema: Schema) -> list[str] | None:
    """Column names of one source of a scope; None when nobody knows."""
    if isinstance(source, Scope):
        query = source.expression
        if not isinstance(query, exp.Query) or any(projection.is_star for projection in query.selects):
            return None
        return list(_aliased(query) or query.named_selects)
    if isinstance(source, exp.Table):
        columns = schema.get(f"{source.db}.{source.name}")
        return list(columns) if columns is not None else None
    return None


def _aliased(query: exp.Query) -> list[str]:
    """The names that an alias gives a subquery's or CTE's columns, such as AS d (day)."""
    parent = query.parent
    alias = parent.args.get("alias") if parent is not None else None
    return [column.name for column in alias.args.get("columns") or []] if isinstance(alias, exp.TableAlias) else []


def _close(name: str, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(difflib.get_close_matches(name, sorted(set(names)), n=3, cutoff=0.6))


def _nested(schema: Schema) -> MappingSchema:
    nested: dict[str, object] = {}
    for qualified, columns in schema.items():
        db, _, name = qualified.rpartition(".")
        folder = nested.setdefault(db, {})
        assert isinstance(folder, dict)
        folder[name] = dict(columns)
    return MappingSchema(nested, dialect=PortableSql)


def _spines(query: exp.Expr) -> list[exp.Expr]:
    return [node for node in query.find_all(exp.Anonymous) if (macro_call(node)[0] or node).name == "date_spine"]


def _stand_in(spine: exp.Expr) -> None:
    """Put a subquery with the column that date_spine makes in its place, its arguments kept where they can be seen."""
    day = exp.alias_(exp.cast(exp.null(), "date"), "day")
    wheres = [argument.copy().is_(exp.null()) for argument in spine.expressions]
    subquery = exp.Subquery(this=exp.select(day).where(*wheres))
    parent = spine.parent
    if isinstance(parent, exp.Table | exp.Lateral):
        subquery.set("alias", parent.args.get("alias"))
        parent.replace(subquery)
    else:
        spine.replace(subquery)
