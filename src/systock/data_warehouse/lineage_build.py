"""Building the tree of a query: names resolved by sqlglot, then each SELECT taken apart into what the tree knows of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.schema import MappingSchema

from systock.data_warehouse.lineage_tree import (
    Block,
    Dependent,
    Node,
    NotByKey,
    Opaque,
    Rows,
    Scan,
    Source,
    Union,
    brief,
    conjuncts,
    form,
    is_aggregate,
    own,
    subqueries,
)  # fmt: skip
from systock.errors import DefinitionError

#: Of no table is it known which columns are NOT NULL.
NULLS_UNKNOWN: Mapping[str, frozenset[str]] = {}
_TABLE_FUNCTION_COLUMNS = {"date_spine": ["day"]}
_SELECT_PARTS = {
    "expressions", "from_", "joins", "where", "group", "having", "windows", "distinct", "order", "limit", "offset",
    "with_", "kind",
}  # fmt: skip


def build(
    select: exp.Query, schema: Mapping[str, Sequence[str]], never_null: Mapping[str, frozenset[str]] = NULLS_UNKNOWN
) -> Node:
    """The tree of a query; schema: input table → its columns; never_null: → those that are NOT NULL, where known.

    Raises NotByKey for what has no place in the tree.
    """
    query = select.copy()
    for node in query.walk():
        node._meta = None  # places in the text: nobody asks here, and each of the many copies would carry them
    for item in query.find_all(exp.Table, exp.Lateral):
        names = _TABLE_FUNCTION_COLUMNS.get(item.this.name.lower()) if isinstance(item.this, exp.Anonymous) else None
        alias = item.args.get("alias")
        if names and alias is not None and not alias.args.get("columns"):
            alias.set("columns", [exp.to_identifier(name) for name in names])
    dotted = {name: name.split(".") for name in schema}
    if len({len(parts) for parts in dotted.values()}) > 1:
        raise DefinitionError("Either all input tables are named with their schema, or none is.")
    nested: dict[str, Any] = {}
    for name, parts in dotted.items():
        level = nested
        for part in parts[:-1]:
            level = level.setdefault(part, {})
        level[parts[-1]] = dict.fromkeys(schema[name], "unknown")
    known = MappingSchema(nested, dialect="postgres", normalize=False)  # names as they are, also "Invoice No"
    try:
        query = qualify(query, schema=known, dialect="postgres", quote_identifiers=False, identify=False)
    except SqlglotError as error:
        raise DefinitionError(f"The query can not be resolved: {error}") from error
    return _Builder(schema, never_null).query(query, {}, frozenset())


class _Builder:
    def __init__(self, schema: Mapping[str, Sequence[str]], never_null: Mapping[str, frozenset[str]]) -> None:
        self.schema, self.never_null = schema, never_null

    def query(self, query: exp.Expr, ctes: Mapping[str, Node], outer: frozenset[str]) -> Node:
        while isinstance(query, exp.Subquery):
            if any(query.args.get(name) for name in ("limit", "offset", "joins", "pivots")):
                raise NotByKey(f"a modified parenthesis at {brief(query)}")
            query = query.this
        with_ = query.args.get("with_")
        if with_ is not None:
            if with_.args.get("recursive"):
                raise NotByKey("a recursive WITH")
            if outer:
                raise NotByKey(f"a WITH within a subquery at {brief(query)}")
            ctes = dict(ctes)
            for cte in with_.expressions:
                node = self.query(cte.this, ctes, frozenset())
                node.cte = cte.alias
                ctes[cte.alias] = node
        if isinstance(query, exp.Select):
            return self.block(query, ctes, outer)
        if isinstance(query, exp.SetOperation):
            return self.set_operation(query, ctes, outer)
        raise NotByKey(f"a query of another kind at {brief(query)}")

    def set_operation(self, query: exp.SetOperation, ctes: Mapping[str, Node], outer: frozenset[str]) -> Node:
        branches = [self.query(side, ctes, outer) for side in (query.this, query.expression)]
        if any(query.args.get(name) for name in ("by_name", "side", "kind", "on")):
            raise NotByKey("a union by name")
        visible = branches[0].visible
        if query.args.get("limit") or query.args.get("offset"):
            return Opaque(visible, query, branches, "a LIMIT over a union")
        if not isinstance(query, exp.Union):
            return Opaque(visible, query, branches, type(query).__name__.upper())
        distinct = bool(query.args.get("distinct"))
        columns: dict[str, tuple[str | None, ...]] = dict(
            zip(visible, zip(*(b.visible for b in branches), strict=True), strict=True)
        )
        return Union(visible, query, branches, distinct, columns)

    def block(self, select: exp.Select, ctes: Mapping[str, Node], outer: frozenset[str]) -> Block:
        for name, value in select.args.items():
            if value and name not in _SELECT_PARTS:
                raise NotByKey(f"{name.strip('_').upper()} at {brief(select)}")
        if outer:
            _rename_clashing(select, outer)
        items = [select.args["from_"].this] if select.args.get("from_") else []
        joins: list[exp.Join] = select.args.get("joins") or []
        _drop_coalesce_of_using(select, joins)
        where = conjuncts(select.args["where"].this) if select.args.get("where") else []
        taken = outer | {item.alias_or_name for item in [*items, *(join.this for join in joins)]}
        sources = [self.source(items[0], ctes, outer, [], taken)] if items else []
        for join in joins:
            if join.method or join.args.get("using") or join.kind in ("SEMI", "ANTI"):
                raise NotByKey(f"a join of another kind at {brief(join)}")
            if join.side not in ("", "LEFT"):
                raise NotByKey(f"a {join.side} JOIN at {brief(join)}")
            source = self.source(join.this, ctes, outer, sources, taken)
            on = conjuncts(join.args.get("on"))
            if join.side == "LEFT":
                source.nullable, source.on = True, on
                if any(isinstance(node, exp.Query) for part in on for node in own(part)):
                    raise NotByKey(f"a subquery in the condition of a LEFT JOIN at {brief(join)}")
            else:
                where += on
            sources.append(source)
        visible = _unique([projection.alias_or_name for projection in select.expressions])
        outputs = {name: projection.unalias() for name, projection in zip(visible, select.expressions, strict=True)}
        group, stop = _grouping(select)
        partitions = _partitions(select)
        dependents = self.dependents(select, where, ctes, taken)
        elsewhere = [select.args.get(name) for name in ("order", "distinct", "limit", "offset")] + (
            select.args.get("windows") or []
        )
        if any(isinstance(node, exp.Query) for part in elsewhere for node in own(part)):
            raise NotByKey("a subquery in ORDER BY, DISTINCT ON, WINDOW or LIMIT")
        block = Block(visible, select, sources, where, dependents, outputs, group, partitions, stop)
        for part in where:
            if isinstance(part, exp.EQ) and isinstance(part.left, exp.Column) and isinstance(part.right, exp.Column):
                _join_classes(block, part.left, part.right)
        return block

    def source(
        self,
        item: exp.Expr,
        ctes: Mapping[str, Node],
        outer: frozenset[str],
        before: list[Source],
        taken: frozenset[str],
    ) -> Source:
        """An item of FROM. before: those that a LATERAL one sees; taken: the names it must not use within."""
        alias, lateral, columns = (
            item.alias_or_name,
            isinstance(item, exp.Lateral),
            [c.name for c in _alias_columns(item)],
        )
        inside = item.this if isinstance(item, exp.Subquery) else None
        if isinstance(inside, exp.Table) or any(item.args.get(name) for name in ("joins", "pivots", "sample")):
            raise NotByKey(f"a join within parentheses or a sample at {brief(item)}")
        visible_here = frozenset(source.alias for source in before) | outer
        node: Node
        if isinstance(item, exp.Table) and isinstance(item.this, exp.Identifier):
            node = ctes[item.name] if not item.db and item.name in ctes else self.scan(item)
        elif isinstance(item, exp.Subquery):
            node = self.query(item, ctes, frozenset())
        elif isinstance(item, exp.Lateral) and isinstance(item.this, exp.Query):
            node = self.query(item.this, ctes, taken)
        elif isinstance(item, exp.Table | exp.Lateral | exp.Values | exp.Unnest) and columns:
            if any(isinstance(node, exp.Query) for part in item.iter_expressions() for node in own(part)):
                raise NotByKey(f"a subquery in a table function at {brief(item)}")
            node, lateral = Rows(tuple(columns)), True
        else:
            raise NotByKey(f"a FROM item without named columns at {brief(item)}")
        reads = [column for column in item.find_all(exp.Column) if column.table in visible_here] if lateral else []
        return Source(alias, node, item, False, [], lateral, reads)

    def scan(self, item: exp.Table) -> Scan:
        name = f"{item.db}.{item.name}" if item.db else item.name
        if name not in self.schema:
            raise DefinitionError(f"The query reads {name}, whose columns are not known.")
        return Scan(tuple(self.schema[name]), name, self.never_null.get(name, frozenset()))

    def dependents(
        self, select: exp.Select, where: list[exp.Expr], ctes: Mapping[str, Node], outer: frozenset[str]
    ) -> list[Dependent]:
        found = []
        for query in subqueries(select):
            node = self.query(query, ctes, outer)
            matched: list[exp.Expr] = []
            holder = query.parent
            # only as a filter by itself: elsewhere (NOT, CASE, a column) a NULL among the values would show
            if isinstance(holder, exp.In) and any(holder is part for part in where) and isinstance(node, Block):
                left = holder.this.expressions if isinstance(holder.this, exp.Tuple) else [holder.this]
                distinct_on = (node.select.args.get("distinct") or exp.Distinct()).args.get("on")
                if not node.stop and not distinct_on and len(left) == len(node.visible):
                    matched = [
                        exp.EQ(this=a.copy(), expression=node.outputs[b].copy())
                        for a, b in zip(left, node.visible, strict=True)
                    ]
            found.append(Dependent(node, matched))
        return found


def _alias_columns(item: exp.Expr) -> list[exp.Identifier]:
    alias = item.args.get("alias")
    return list(alias.args.get("columns") or []) if alias is not None else []


def _unique(names: list[str]) -> tuple[str, ...]:
    seen: dict[str, int] = {}
    for name in names:
        seen[name] = seen.get(name, 0) + 1
    done: dict[str, int] = {}
    result = []
    for name in names:
        done[name] = done.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name}#{done[name]}")  # can not be asked for by name
    return tuple(result)


def _rename_clashing(select: exp.Select, outer: frozenset[str]) -> None:
    """Give FROM items of a correlated subquery names that no enclosing SELECT uses: both may come into one FROM."""
    items = [select.args["from_"].this] if select.args.get("from_") else []
    items += [join.this for join in select.args.get("joins") or []]
    for item in items:
        old = item.alias_or_name
        if old not in outer:
            continue
        new, number = f"{old}_2", 2
        while new in outer or any(other.alias_or_name == new for other in items):
            number += 1
            new = f"{old}_{number}"

        def redefines(node: exp.Expr, old: str = old) -> bool:
            if not isinstance(node, exp.Select) or node is select:
                return False
            froms = [node.args["from_"].this] if node.args.get("from_") else []
            return any(
                other.alias_or_name == old for other in [*froms, *(join.this for join in node.args.get("joins") or [])]
            )

        for node in select.walk(prune=redefines):
            if isinstance(node, exp.Column) and node.table == old:
                node.set("table", exp.to_identifier(new))
        columns = _alias_columns(item)
        item.set("alias", exp.TableAlias(this=exp.to_identifier(new), columns=columns or None))


def _drop_coalesce_of_using(select: exp.Select, joins: list[exp.Join]) -> None:
    """COALESCE(a.x, b.x) under `a.x = b.x` of an inner or LEFT join (what USING resolves to) is a.x: keep it plain."""
    follows: dict[str, set[str]] = {}

    def simplify(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Coalesce) and isinstance(node.this, exp.Column):
            known = follows.get(form(node.this), set())
            if node.expressions and all(isinstance(e, exp.Column) and form(e) in known for e in node.expressions):
                return node.this.copy()
        return node

    for join in joins:
        on = join.args.get("on")
        if on is None or join.side not in ("", "LEFT"):
            continue
        join.set("on", on.transform(simplify))
        for part in conjuncts(join.args["on"]):
            if isinstance(part, exp.EQ) and isinstance(part.left, exp.Column) and isinstance(part.right, exp.Column):
                for first, other in ((part.left, part.right), (part.right, part.left)):
                    if other.table == join.this.alias_or_name:
                        follows.setdefault(form(first), set()).add(form(other))
    if follows:
        for name in ("expressions", "where", "group", "having", "order", "windows"):
            value = select.args.get(name)
            if isinstance(value, list):
                select.set(name, [part.transform(simplify) for part in value])
            elif value is not None:
                select.set(name, value.transform(simplify))


def _grouping(select: exp.Select) -> tuple[list[exp.Expr] | None, str | None]:
    """The grouping expressions (None: rows stay rows) and why nothing can be said about this block's rows by key."""
    stop = "a LIMIT or OFFSET" if select.args.get("limit") or select.args.get("offset") else None
    group = select.args.get("group")
    parts: list[exp.Expr | None] = [*select.expressions, select.args.get("having")]
    in_window = {id(window.this) for part in parts for window in own(part) if isinstance(window, exp.Window)}

    def plain(node: exp.Expr) -> bool:
        inside: exp.Expr | None = node
        while (
            inside is not None and id(inside) not in in_window
        ):  # the function of a window, maybe under FILTER, IGNORE NULLS
            if not isinstance(inside.parent, exp.Filter | exp.IgnoreNulls | exp.RespectNulls | exp.WithinGroup):
                return True
            inside = inside.parent
        return False

    aggregated = any(is_aggregate(node) and plain(node) for part in parts for node in own(part))
    if group is None:
        return ([], stop) if aggregated or select.args.get("having") else (None, stop)
    several = any(isinstance(part, exp.Rollup | exp.Cube | exp.GroupingSets) for part in group.expressions)
    if several or group.args.get("totals") or group.args.get("all"):
        return list(group.expressions), "GROUPING SETS, ROLLUP or CUBE"
    return list(group.expressions), stop


def _partitions(select: exp.Select) -> list[list[exp.Expr]]:
    named = {window.name: window for window in select.args.get("windows") or []}
    found = []
    for window in (node for part in select.expressions for node in own(part) if isinstance(node, exp.Window)):
        base = named.get(window.alias) if window.alias else None
        partition = (
            window.args.get("partition_by") or (base.args.get("partition_by") if base is not None else None) or []
        )
        if window.alias and base is None:
            raise NotByKey(f"an unknown window name at {brief(window)}")
        if base is not None and base.alias:
            raise NotByKey(f"a window made from another at {brief(base)}")
        found.append(list(partition))
    distinct = select.args.get("distinct")
    on = distinct.args.get("on") if distinct is not None else None
    if on is not None:
        found.append(list(on.expressions) if isinstance(on, exp.Tuple) else [on])
    return found


def _join_classes(block: Block, left: exp.Column, right: exp.Column) -> None:
    """Note that two columns are equal in every row of the block (only where both sides are certain to be there)."""
    for column in (left, right):
        source = block.source(column.table)
        if source is None or source.nullable:
            return
    members = {form(c): c for side in (left, right) for c in [side, *block.same.get(form(side), [])]}
    for name in members:
        block.same[name] = [c for other, c in members.items() if other != name]
