"""Writing a query tree back as SQL: exactly as it was, or with FROM items, conditions and columns put in."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB

from systock.data_warehouse.lineage_tree import (
    Block,
    Node,
    NotByKey,
    Opaque,
    Rows,
    Scan,
    Source,
    Union,
    columns_of,
    subqueries,
)

_PLAIN_NAME = re.compile("[a-z_][a-z0-9_]*")
_RESERVED = {*DuckDB.Generator.RESERVED_KEYWORDS, "at"}


class Writer:
    """Writes relations, reading each input table T as `relation.get(T, T)`. A WITH query is written once per form."""

    def __init__(self, relation: Mapping[str, str]) -> None:
        self.relation = relation
        self.ctes: list[tuple[str, exp.Query]] = []
        self.written: dict[tuple[object, ...], str] = {}

    def finish(self, query: exp.Query) -> exp.Query:
        """The query with the WITH queries that it needs."""
        for name, body in self.ctes:
            query = query.with_(exp.TableAlias(this=exp.to_identifier(name)), as_=body, copy=False)
        for alias in query.find_all(exp.TableAlias):
            holder = alias.parent
            function = holder.this if isinstance(holder, exp.Table | exp.Lateral) else None
            if isinstance(function, exp.Anonymous) and function.name.lower() == "date_spine":
                alias.set("columns", None)  # named when resolved; the macro names it itself
        for word in query.find_all(exp.Identifier):
            if not _PLAIN_NAME.fullmatch(word.this) or word.this in _RESERVED:
                word.set("quoted", True)
        return query

    def table(self, scan: Scan, alias: str) -> exp.Table:
        """The input table of a scan, under this alias."""
        return named(self.relation.get(scan.table, scan.table), alias)

    def exact(self, node: Node, extra: Sequence[str] = ()) -> exp.Query:
        """The node's own query; extra: hidden columns to yield as well."""
        if isinstance(node, Block):
            return self.block(node, extra=extra)
        if isinstance(node, Union):
            parts = [
                self.exact(branch, self.branch_extra(node, number, extra))
                for number, branch in enumerate(node.branches)
            ]
            return self.union(node, parts, extra)
        if isinstance(node, Opaque) and not extra:
            query = node.query.copy()
            query.set("with_", None)
            for side, branch in zip(("this", "expression"), node.branches, strict=True):
                query.set(side, self.exact(branch).subquery(copy=False))
            return query
        raise NotByKey("a relation whose inner columns can not be reached")

    @staticmethod
    def branch_extra(union: Union, number: int, extra: Sequence[str]) -> list[str]:
        """The hidden columns that a branch has to yield for these of the union."""
        inner = (union.columns[name][number] for name in extra)
        return list(
            dict.fromkeys(name for name in inner if name is not None and name not in union.branches[number].visible)
        )

    def union(self, node: Union, parts: Sequence[exp.Query], extra: Sequence[str] = ()) -> exp.Query:
        """The union of its branches as written; with extra columns each is wrapped, to bring all into one order."""
        if extra:
            parts = [self.reordered(node, number, part, extra) for number, part in enumerate(parts)]
        last = len(parts) - 1
        sides = [
            part.subquery(copy=False)
            if part.args.get("order")
            or part.args.get("limit")
            or (number == last and isinstance(part, exp.SetOperation))
            else part
            for number, part in enumerate(parts)
        ]
        return exp.union(sides[0], sides[1], distinct=node.distinct, copy=False)

    @classmethod
    def reordered(cls, node: Union, number: int, part: exp.Query, extra: Sequence[str]) -> exp.Select:
        """A branch with the union's columns first, under its names, then the extra ones."""
        yielded = [*node.branches[number].visible, *cls.branch_extra(node, number, extra)]
        places = {name: f"c{place}" for place, name in enumerate(yielded)}
        inner = ((name, node.columns[name][number]) for name in [*node.visible, *extra])
        chosen = [
            exp.alias_(exp.null() if n is None else exp.column(places[n], table="part"), name) for name, n in inner
        ]
        wrapped = part.subquery("part", copy=False)
        wrapped.args["alias"].set("columns", [exp.to_identifier(place) for place in places.values()])
        return exp.select(*chosen).from_(wrapped)

    def relation_of(
        self,
        node: Node,
        alias: str,
        key: tuple[object, ...],
        write: Callable[[], exp.Query],
        item: exp.Expr | None = None,
    ) -> exp.Expr:
        """A derived relation as a FROM item; WITH queries are written once per key (how they were changed)."""
        if item is not None and isinstance(item, exp.Lateral):
            copy = item.copy()
            copy.set("this", write().subquery(copy=False))
            return copy
        if node.cte is None:
            return write().subquery(alias, copy=False)
        key = (id(node), *key)
        if key not in self.written:
            body = write()
            taken = {name for name, _ in self.ctes}
            number, name = 1, node.cte
            while name in taken:
                number += 1
                name = f"{node.cte}_{number}"
            self.ctes.append((name, body))
            self.written[key] = name
        return named(self.written[key], alias)

    def source(self, source: Source, extra: Sequence[str] = ()) -> exp.Expr:
        """A FROM item as it was."""
        if isinstance(source.node, Scan):
            return self.table(source.node, source.alias)
        if isinstance(source.node, Rows):
            return source.item.copy()
        node = source.node
        return self.relation_of(node, source.alias, ("exact", *extra), lambda: self.exact(node, extra), source.item)

    @staticmethod
    def hidden(source: Source, reads: Sequence[exp.Column]) -> list[str]:
        """The hidden columns that a FROM item has to yield when these columns are read."""
        if isinstance(source.node, Scan | Rows):
            return []
        names = dict.fromkeys(column.name for column in reads if column.table == source.alias)
        return [name for name in names if name not in source.node.visible]

    def block(
        self,
        block: Block,
        items: Mapping[int, exp.Expr] | None = None,
        extra: Sequence[str] = (),
        reads: Sequence[exp.Column] | None = None,
    ) -> exp.Select:
        """The SELECT as it was, with other FROM items at some positions and hidden columns to yield.

        reads: the columns that the additions read, if not only those of `extra`.
        """
        reads = [c for name in extra for c in columns_of(block.outputs[name])] if reads is None else reads
        select = block.select.copy()
        select.set("with_", None)
        for query, dependent in zip(subqueries(select), block.dependents, strict=True):
            body = self.exact(dependent.node)
            if isinstance(query, exp.Subquery):
                query.set("this", body)
            else:
                query.replace(body)
        written = [
            (items or {}).get(number) or self.source(source, self.hidden(source, reads))
            for number, source in enumerate(block.sources)
        ]
        if written:
            select.args["from_"].set("this", written[0])
            for join, item in zip(select.args.get("joins") or [], written[1:], strict=True):
                join.set("this", item)
        for name in extra:
            expression = block.outputs[name]
            select.append("expressions", exp.alias_(expression.copy(), name))
            if block.group and columns_of(expression):
                select.args["group"].append("expressions", expression.copy())
        return select


def named(relation: str, alias: str) -> exp.Table:
    """A table by its dotted name, under an alias."""
    table = exp.to_table(relation, dialect="postgres")
    table.set("alias", exp.TableAlias(this=exp.to_identifier(alias)))
    return table
