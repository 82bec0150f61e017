"""Which columns of a query tell what a change of an input touches, and which runs find it.

For an occurrence of an input, a column of a relation is *reliable* when the relation's rows, cut into classes by that
column, change only in the classes that the touched-key query yields. Every class whose rows differ between the state
before and the state after must be yielded by the run over one of the two. The strength of a relation tells by which:
    strong  in both runs (a scan, and anything over one scan)
    mono    rows that go in the run before, rows that come in the run after (joins of these)
    weak    in one of them (aggregates, windows and outer joins over joins)
Two weak relations that are joined may change together so that neither run sees both: then the other one is read as its
hull, the classes that it can have at all, and nothing but its reliable columns counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from systock.data_warehouse.lineage_trace import blocked
from systock.data_warehouse.lineage_tree import (
    Block,
    Dependent,
    Node,
    NotByKey,
    Opaque,
    Path,
    Rows,
    Scan,
    Source,
    Union,
    columns_of,
    is_scalar,
    paths,
)  # fmt: skip

CONSTANT, STRONG, MONO, WEAK = range(4)
Columns = set[tuple[str, str]]


@dataclass(eq=False)
class Item:
    """A FROM item in the join that finds touched keys. path: where in it the occurrence is; inner: from a subquery."""

    source: Source
    path: Path | None
    inner: bool
    weak: bool
    hull: bool = False

    @property
    def alias(self) -> str:
        return self.source.alias

    @property
    def optional(self) -> bool:
        """Joined so that rows of the others stay without it."""
        return self.path is None and (self.source.nullable or self.source.lateral)


class Reliability:
    """Which columns of which node are reliable, and how its changes show. Keeps what it found."""

    def __init__(self) -> None:
        self._strengths: dict[int, int] = {}
        self._reliable: dict[tuple[int, Path | None], frozenset[str]] = {}

    def reliable(self, node: Node, path: Path | None) -> frozenset[str]:
        """The columns of a node that are reliable for the occurrence at `path`; for every one if that is None."""
        key = (id(node), path)
        if key not in self._reliable:
            self._reliable[key] = self._find_reliable(node, path)
        return self._reliable[key]

    def strength(self, node: Node) -> int:
        """How changes of the node show in the runs before and after."""
        if id(node) not in self._strengths:
            self._strengths[id(node)] = self._find_strength(node)
        return self._strengths[id(node)]

    def _find_strength(self, node: Node) -> int:
        if isinstance(node, Scan):
            return STRONG
        if isinstance(node, Union):
            return max(self.strength(branch) for branch in node.branches)
        if isinstance(node, Opaque):
            return WEAK
        if not isinstance(node, Block):
            return CONSTANT
        found = []
        for source in node.sources:
            strength = self.strength(source.node)
            found.append(WEAK if (source.nullable or source.lateral) and strength > STRONG else strength)
        found += [WEAK if self.strength(d.node) > STRONG else self.strength(d.node) for d in node.dependents]
        found = [strength for strength in found if strength > CONSTANT]
        if not found:
            return CONSTANT
        strength = found[0] if len(found) == 1 and not node.dependents else max(MONO, *found)
        return WEAK if strength == MONO and (node.group is not None or node.partitions) else strength

    def _find_reliable(self, node: Node, path: Path | None) -> frozenset[str]:
        if isinstance(node, Scan):
            return frozenset(node.visible)
        if isinstance(node, Opaque):
            return frozenset()
        if isinstance(node, Union):
            numbers = range(len(node.branches)) if path is None else [path[0][1]]
            result = frozenset(node.columns)
            for number in numbers:
                branch = node.branches[number]
                if path is None and not any(paths(branch)):
                    continue
                inside = self.reliable(branch, path and path[1:])
                result = frozenset(
                    n for n in result if node.columns[n][number] is None or node.columns[n][number] in inside
                )
            return result
        if not isinstance(node, Block):
            return frozenset(node.visible)
        try:
            items, _ = self.items(node, path)
        except NotByKey:
            return frozenset()
        _, _, usable = self.usable(items)
        names = [
            name
            for name, e in node.outputs.items()
            if is_scalar(e) and all((c.table, c.name) in usable for c in columns_of(e))
        ]
        result = frozenset(name for name in names if blocked(node, exp.column(name)) is None)
        if path is None:  # what the hull yields must hold for every occurrence
            for _, each in paths(node):
                result &= self.reliable(node, each)
        return result

    def items(self, block: Block, path: Path | None) -> tuple[list[Item], list[exp.Expr]]:
        """The FROM items and conditions whose join, with the occurrence at `path`, finds what it touches.

        An occurrence within a subquery of an expression, or within a LATERAL item, touches the rows that its rows are
        correlated with: the subquery's FROM and WHERE join the block's.
        """
        conditions = list(block.where)
        items = [Item(s, None, False, self._is_weak(s)) for s in block.sources]
        if path is None:
            for item in items:
                item.hull = item.weak or self.strength(item.source.node) > CONSTANT
            return items, conditions
        step, number = path[0]
        inside: Dependent | Source
        if step == "source" and not block.sources[number].lateral:
            found = items[number]
            found.path = path[1:]
            both = found.weak
        else:
            inside = block.dependents[number] if step == "dependent" else block.sources[number]
            if not isinstance(inside.node, Block):
                raise NotByKey("a set operation within a subquery")
            if isinstance(inside, Source):
                items.remove(items[number])
            more, conditions_within = self.items(inside.node, path[1:])
            for item in more:
                item.inner = True
            conditions += conditions_within + (inside.matched if isinstance(inside, Dependent) else [])
            both = self.strength(inside.node) > STRONG or any(item.path is not None and item.weak for item in more)
            items += more
        if both:
            for item in items:
                item.hull = item.hull or (item.weak and item.path is None)
        return items, conditions

    def _is_weak(self, source: Source) -> bool:
        strength = self.strength(source.node)
        return strength == WEAK or ((source.nullable or source.lateral) and strength > STRONG)

    def usable(self, items: Sequence[Item]) -> tuple[Columns, Columns, Columns]:
        """The columns that can be read by a filter, by a condition that joins the occurrence, and by an output.

        Of an occurrence that is joined LEFT an output may read columns (once as they are and once as NULL, for the rows
        that had no match before or have none after), but no filter may: it could drop one of the two.
        """
        filters: Columns = set()
        joins: Columns = set()
        outputs: Columns = set()
        for item in items:
            node = item.source.node
            if item.path is not None:
                columns = self.reliable(node, item.path)
                joins |= {(item.alias, name) for name in columns}
                outputs |= {(item.alias, name) for name in columns}
                if item.source.nullable:
                    continue
            elif item.hull:
                columns = frozenset() if item.optional and not isinstance(node, Rows) else self.reliable(node, None)
            else:
                columns = all_columns(node)
            if item.optional:
                reads = [c for part in item.source.on for c in columns_of(part)] + item.source.outer
                if not all(
                    (c.table, c.name) in filters or (c.table == item.alias and c.name in columns) for c in reads
                ):
                    continue
            filters |= {(item.alias, name) for name in columns}
        return filters, filters | joins, filters | outputs


def all_columns(node: Node) -> frozenset[str]:
    """The columns of a node, hidden ones among them."""
    if isinstance(node, Block):
        return frozenset(node.outputs)
    return frozenset(node.columns) if isinstance(node, Union) else frozenset(node.visible)
