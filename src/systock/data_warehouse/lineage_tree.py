"""The query behind a table as a tree of scans, blocks (SELECTs) and unions: what refresh by key reasons on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlglot import exp

# Aggregates that sqlglot does not know as such; any other unknown function is taken as a scalar.
_MORE_AGGREGATES = {
    "quantile",
    "mode",
    "every",
    "json_agg",
    "jsonb_agg",
    "json_object_agg",
    "jsonb_object_agg",
    "xmlagg",
}


class NotByKey(Exception):
    """Why a table, or what one of its inputs touches, can not be worked out by key."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(eq=False)
class Node:
    """A relation. `visible` are the columns that its SQL yields; hidden ones are added when keys are traced.

    parts: a column made by a key function → the columns that it was made of (what the column determines).
    shape: how a column is made, to compare the branches of a union. carried: PARTITION BY columns from inside.
    reasons: why a column can not choose rows before the node is computed, as found so far.
    maybe: a column that is NULL or what this key function makes of these columns.
    """

    visible: tuple[str, ...]
    cte: str | None = field(default=None, kw_only=True)
    parts: dict[str, tuple[str, ...]] = field(default_factory=dict, kw_only=True)
    shape: dict[str, str] = field(default_factory=dict, kw_only=True)
    carried: list[str] = field(default_factory=list, kw_only=True)
    reasons: dict[str, str | None] = field(default_factory=dict, kw_only=True)
    maybe: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict, kw_only=True)
    traced: bool = field(default=False, kw_only=True)


@dataclass(eq=False)
class Scan(Node):
    """One reading of an input table; never_null: its columns that are NOT NULL."""

    table: str
    never_null: frozenset[str] = frozenset()


@dataclass(eq=False)
class Rows(Node):
    """VALUES or a table function: rows that come from no table."""


@dataclass(eq=False)
class Source:
    """One item of FROM. on: the conditions of a LEFT JOIN (those of inner joins are with the block's). outer: columns
    of earlier items that a LATERAL item reads."""

    alias: str
    node: Node
    item: exp.Expr
    nullable: bool
    on: list[exp.Expr]
    lateral: bool
    outer: list[exp.Column]


@dataclass(eq=False)
class Dependent:
    """A subquery within an expression; matched: what `x IN (…)`, where it only filters, holds equal."""

    node: Node
    matched: list[exp.Expr]


@dataclass(eq=False)
class Block(Node):
    """One SELECT: its rows before grouping are the join of `sources` filtered by `where`."""

    select: exp.Select
    sources: list[Source]
    where: list[exp.Expr]
    dependents: list[Dependent]
    outputs: dict[str, exp.Expr]
    group: list[exp.Expr] | None
    partitions: list[list[exp.Expr]]
    stop: str | None
    same: dict[str, list[exp.Column]] = field(default_factory=dict)

    def source(self, alias: str) -> Source | None:
        """The item of FROM with this alias; None for one of an enclosing SELECT."""
        return next((source for source in self.sources if source.alias == alias), None)


@dataclass(eq=False)
class Union(Node):
    """UNION [ALL]. columns: each column, also the hidden ones, → its name in each branch (None: NULL there)."""

    query: exp.Query
    branches: list[Node]
    distinct: bool
    columns: dict[str, tuple[str | None, ...]]


@dataclass(eq=False)
class Opaque(Node):
    """A relation that is only known as a whole: EXCEPT, INTERSECT, a union with LIMIT."""

    query: exp.Query
    branches: list[Node]
    reason: str


Path = tuple[tuple[str, int], ...]


def paths(node: Node) -> Iterator[tuple[str, Path]]:
    """Every way from this node down to a scan, with the scanned table: one per occurrence."""
    if isinstance(node, Scan):
        yield node.table, ()
    elif isinstance(node, Block):
        for step, children in (
            ("source", [s.node for s in node.sources]),
            ("dependent", [d.node for d in node.dependents]),
        ):
            for number, child in enumerate(children):
                for table, path in paths(child):
                    yield table, ((step, number), *path)
    elif isinstance(node, Union | Opaque):
        for number, child in enumerate(node.branches):
            for table, path in paths(child):
                yield table, (("branch", number), *path)


def own(expression: exp.Expr | None) -> Iterator[exp.Expr]:
    """The expression and what is in it, subqueries as one node each."""
    if expression is not None:
        yield from expression.walk(bfs=False, prune=lambda node: isinstance(node, exp.Query))


def columns_of(expression: exp.Expr) -> list[exp.Column]:
    """The columns that the expression reads outside subqueries."""
    found, left = [], [expression]
    while left:  # by far the most frequent question: own() would enter the columns' names, too
        node = left.pop()
        if isinstance(node, exp.Column):
            found.append(node)
        elif not isinstance(node, exp.Query):
            left.extend(node.iter_expressions(reverse=True))
    return found


def form(expression: exp.Expr) -> str:
    """A text that equal expressions share."""
    if isinstance(expression, exp.Column):
        return f"{expression.table}.{expression.name}"
    return expression.sql()


def is_aggregate(node: exp.Expr) -> bool:
    """Whether this node is the call of an aggregate function."""
    return isinstance(node, exp.AggFunc) or (isinstance(node, exp.Anonymous) and node.name.lower() in _MORE_AGGREGATES)


def is_scalar(expression: exp.Expr) -> bool:
    """Whether the expression is a function of one row: no aggregate, window or subquery in it."""
    return not any(is_aggregate(node) or isinstance(node, exp.Window | exp.Query) for node in own(expression))


def conjuncts(expression: exp.Expr | None) -> list[exp.Expr]:
    """The conditions that AND joins."""
    if expression is None:
        return []
    expression = expression.unnest()
    if isinstance(expression, exp.And):
        return conjuncts(expression.left) + conjuncts(expression.right)
    return [expression]


def brief(expression: exp.Expr) -> str:
    """The expression as a user would recognise it in a message."""
    text = expression.sql(dialect="postgres")
    return text if len(text) <= 90 else text[:87] + "..."


def subqueries(select: exp.Select) -> list[exp.Query]:
    """The subqueries in a SELECT's expressions (FROM items aside), always in the same order."""
    parts: list[exp.Expr | None] = [
        *select.expressions,
        select.args.get("where"),
        select.args.get("group"),
        select.args.get("having"),
    ]
    parts += [join.args.get("on") for join in select.args.get("joins") or []]
    return [node for part in parts for node in own(part) if isinstance(node, exp.Query)]
