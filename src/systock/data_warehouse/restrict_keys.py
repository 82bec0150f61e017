"""Recomputing some keys: the query with its rows restricted to touched keys, as near to the scans as is sound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlglot import exp

from systock.data_warehouse.lineage_sql import Writer, named
from systock.data_warehouse.lineage_trace import blocked, column, in_branch, substituted
from systock.data_warehouse.lineage_tree import Block, Node, NotByKey, Rows, Scan, Source, Union, columns_of, form

TOUCHED = "touched_key"

# touched-key column → the expression over a node's columns that must equal it
Keys = Mapping[str, exp.Expr]


def restricted(tree: Node, columns: Mapping[str, str], touched: str, relation: Mapping[str, str]) -> exp.Query:
    """The tree's query, only the rows whose `columns` (touched-key column → column of the tree) are in `touched`."""
    writer = RestrictingWriter(relation)
    keys = {key: exp.column(name) for key, name in columns.items()}
    return writer.finish(writer.restrict(tree, keys, touched))


class RestrictingWriter(Writer):
    """Writes σ(keys in touched) of a node: exactly those rows of it, never a part of what a key's rows are made of."""

    def restrict(self, node: Node, keys: Keys, touched: str, extra: Sequence[str] = ()) -> exp.Query:
        """The node's rows whose `keys` are in the relation `touched`; extra: hidden columns to yield as well."""
        if isinstance(node, Union):
            parts = []
            for number, branch in enumerate(node.branches):
                inside = {key: in_branch(node, e, number) for key, e in keys.items()}
                parts.append(self.restrict(branch, inside, touched, self.branch_extra(node, number, extra)))
            return self.union(node, parts, extra)
        if not isinstance(node, Block):
            raise NotByKey("a relation that can not be restricted")
        inner = {key: substituted(node, expression) for key, expression in keys.items()}
        here = {s.alias: keys_of_source(node, s, inner) for s in node.sources}
        # an item that holds every key column restricts the whole SELECT by itself; else the SELECT itself is
        whole = [
            s for s in node.sources if not s.nullable and inner.keys() == here[s.alias].keys() and columns_in(inner)
        ]
        restricted_items: dict[int, Source] = {}
        if len(node.sources) > 1 or not any(isinstance(s.node, Scan) for s in node.sources):
            for number, source in enumerate(node.sources):
                spared = source.nullable or (whole and source not in whole)
                if columns_in(here[source.alias]) and not (isinstance(source.node, Scan) and spared):
                    restricted_items[number] = source
        done = any(source in whole for source in restricted_items.values())
        reads = columns_in(inner if not done else {}) + [c for name in extra for c in columns_of(node.outputs[name])]
        items = {
            number: self.restricted_source(node, source, here[source.alias], touched, self.hidden(source, reads))
            for number, source in restricted_items.items()
        }
        select = self.block(node, items, extra, reads)
        if not done:
            self.keep_touched(select, inner, touched, [source for source in node.sources if not source.nullable])
        return select

    def restricted_source(
        self, block: Block, source: Source, keys: Keys, touched: str, extra: Sequence[str]
    ) -> exp.Expr:
        """A FROM item with its rows restricted."""
        if isinstance(source.node, Scan):
            names = list(
                dict.fromkeys(
                    c.name
                    for c in block.select.find_all(exp.Column)
                    if c.table == source.alias and c.name in source.node.visible
                )
            )
            names += [c.name for e in keys.values() for c in columns_of(e) if c.name not in names]
            placed = {key: placed_in(source.alias, expression) for key, expression in keys.items()}
            scan = exp.select(*(exp.column(name, table=source.alias) for name in dict.fromkeys(names)))
            scan = scan.from_(self.table(source.node, source.alias))
            self.keep_touched(scan, placed, touched, [source])
            return scan.subquery(source.alias, copy=False)
        key = tuple((key, form(expression)) for key, expression in sorted(keys.items()))
        node = source.node
        return self.relation_of(
            node, source.alias, (touched, key, *extra), lambda: self.restrict(node, keys, touched, extra), source.item
        )

    @staticmethod
    def keep_touched(select: exp.Select, keys: Keys, touched: str, present: Sequence[Source]) -> None:
        """Join the SELECT's rows to the touched keys, null-safe. present: the FROM items that every row has a row of."""
        matched = exp.and_(
            *(_equals(column(TOUCHED, key), expression, present) for key, expression in keys.items()), copy=False
        )
        if select.args.get("from_"):
            # A join, not EXISTS: where NULL equals NULL the engine decorrelates EXISTS by grouping all rows.
            select.append("joins", exp.Join(this=named(touched, TOUCHED), kind="SEMI", on=matched))
        else:
            select.where(exp.Exists(this=exp.select("1").from_(named(touched, TOUCHED)).where(matched)), copy=False)


def keys_of_source(block: Block, source: Source, keys: Keys) -> dict[str, exp.Expr]:
    """The keys that can be told from this FROM item alone, over its own columns, also by equal ones of other items."""
    if isinstance(source.node, Rows) or source.lateral:
        return {}
    stand_in: dict[str, exp.Column] = {}
    if source.nullable:  # its rows only matter where they meet rows that are wanted
        for part in source.on:
            if isinstance(part, exp.EQ) and isinstance(part.left, exp.Column) and isinstance(part.right, exp.Column):
                for mine, other in ((part.left, part.right), (part.right, part.left)):
                    if mine.table == source.alias and other.table != source.alias:
                        for same in [other, *block.same.get(form(other), [])]:
                            stand_in[form(same)] = mine
    found: dict[str, exp.Expr] = {}
    for key, expression in keys.items():
        told: dict[int, exp.Column] = {}
        for read in columns_of(expression):
            equal = [read, *block.same.get(form(read), [])] if not source.nullable else []
            mine_ = next((c for c in equal if c.table == source.alias), None) or stand_in.get(form(read))
            if mine_ is None:
                break
            told[id(read)] = mine_
        else:
            own_form = _replaced(expression, told)
            if blocked(source.node, own_form) is None:
                found[key] = own_form
    return found


def _replaced(expression: exp.Expr, told: Mapping[int, exp.Column]) -> exp.Expr:
    """The expression over the FROM item's own columns: named without table, as seen from within it."""
    names = [told[id(read)].name for read in columns_of(expression)]
    copy = expression.copy()
    if isinstance(copy, exp.Column):
        return exp.column(names[0])
    for read, name in zip(columns_of(copy), names, strict=True):
        read.replace(exp.column(name))
    return copy


def without_table(expression: exp.Expr) -> exp.Expr:
    """An expression over one FROM item as one over that relation's own columns, named without table."""
    if isinstance(expression, exp.Column):
        return exp.column(expression.name)
    copy = expression.copy()
    for read in columns_of(copy):
        read.replace(exp.column(read.name))
    return copy


def placed_in(alias: str, expression: exp.Expr) -> exp.Expr:
    """An expression over a relation's columns, with the relation's alias."""
    copy = expression.copy()
    if isinstance(copy, exp.Column):
        return column(alias, copy.name)
    for read in columns_of(copy):
        read.replace(column(alias, read.name))
    return copy


def columns_in(keys: Keys) -> list[exp.Column]:
    """The columns that the key expressions read; without any they choose nothing."""
    return [read for expression in keys.values() for read in columns_of(expression)]


def _equals(key: exp.Column, expression: exp.Expr, present: Sequence[Source]) -> exp.Expr:
    """The touched key equals the expression, NULL equal to NULL: plain equality where the expression is never NULL."""
    plain = expression.this if isinstance(expression, exp.Cast) else expression
    if isinstance(plain, exp.Null):
        return exp.Is(this=key, expression=exp.null())
    equality = exp.EQ if _never_null(expression, present) else exp.NullSafeEQ
    return equality(this=key, expression=_operand(expression))


def _never_null(expression: exp.Expr, present: Sequence[Source]) -> bool:
    if isinstance(expression, exp.Column):
        return any(s.alias == expression.table and _holds_no_null(s.node, expression.name) for s in present)
    return isinstance(expression, exp.Literal)


def _holds_no_null(node: Node, name: str) -> bool:
    """Whether a column of a node is never NULL, as far as its scans tell."""
    if isinstance(node, Scan):
        return name in node.never_null
    if isinstance(node, Block):
        present = [source for source in node.sources if not source.nullable]
        return node.group is None and name in node.outputs and _never_null(node.outputs[name], present)
    if isinstance(node, Union):
        inner = zip(node.branches, node.columns.get(name, ()), strict=False)
        return name in node.columns and all(own is not None and _holds_no_null(branch, own) for branch, own in inner)
    return False


def _operand(expression: exp.Expr) -> exp.Expr:
    simple = isinstance(expression, exp.Column | exp.Literal | exp.Null | exp.Func | exp.Paren)
    simple = simple and not isinstance(expression, exp.Connector)  # AND and OR count as functions
    return expression.copy() if simple else exp.paren(expression.copy())
