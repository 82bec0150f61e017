"""The SQL that makes one column: a table's SELECT without what neither the column nor the choice of rows needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlglot import exp
from sqlglot.optimizer.eliminate_ctes import eliminate_ctes
from sqlglot.optimizer.pushdown_projections import pushdown_projections
from sqlglot.optimizer.qualify import qualify
from sqlglot.schema import MappingSchema

from systock.data_warehouse.lineage_tree import is_aggregate, own
from systock.data_warehouse.table_file import TableFile


def select_of(table: TableFile, column: str | None, columns: Mapping[str, Sequence[str]]) -> str:
    """The SELECT as it stands in the table file; of one column, only what makes it.

    columns: those of each table that it may read.
    """
    assert table.select is not None
    if column is None or table.refresh == "kernel":
        return "\n".join(table.text.splitlines()[table.select_line - 1 :]).strip()
    nested: dict[str, Any] = {}
    for name, names in columns.items():
        schema, _, bare = name.partition(".")
        nested.setdefault(schema, {})[bare] = dict.fromkeys(names, "unknown")
    query = table.select.copy()
    kept = {column, *table.primary_key}
    for select in _branches(query):
        chosen = zip(table.made_columns, select.selects, strict=True)
        select.set("expressions", [expression for name, expression in chosen if name in kept])
    known = MappingSchema(nested, dialect="postgres", normalize=False)
    query = qualify(query, schema=known, dialect="postgres", quote_identifiers=False, identify=False)
    _drop_idle_joins(query)
    query = eliminate_ctes(pushdown_projections(query))
    return str(
        query.sql(dialect="postgres", pretty=True, comments=False, normalize_functions=False, max_text_width=110)
    )


def _drop_idle_joins(query: exp.Query) -> None:
    """Take out LEFT JOINs of which no column is read, where nothing counts the rows: they found one row at most."""
    for select in _branches(query):
        counts = any(is_aggregate(node) or isinstance(node, exp.Window) for e in select.selects for node in own(e))
        if counts or select.args.get("group") or select.args.get("distinct"):
            continue
        joins: list[exp.Join] = select.args.get("joins") or []
        for join in reversed(list(joins)):
            parts = [*select.selects, select.args.get("where"), *(other for other in joins if other is not join)]
            read = {column.table for part in parts if part is not None for column in part.find_all(exp.Column)}
            if join.side == "LEFT" and join.alias_or_name not in read:
                joins.remove(join)


def _branches(query: exp.Expr) -> list[exp.Select]:
    """The SELECTs of which the query's rows are the union."""
    if isinstance(query, exp.SetOperation):
        return [*_branches(query.this), *_branches(query.expression)]
    return [query] if isinstance(query, exp.Select) else _branches(query.this)
