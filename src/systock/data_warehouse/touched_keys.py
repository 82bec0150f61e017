"""What a change touches: the query with one occurrence of an input replaced by its changed rows, yielding only keys.

Outer joins onto the occurrence become inner ones; windows, aggregates and whatever reads unreliable columns is left
out; so are joins that the keys need not. What is yielded too much is only recomputed in vain.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import count

from sqlglot import exp

from systock.data_warehouse.lineage_sql import named
from systock.data_warehouse.lineage_trace import blocked
from systock.data_warehouse.lineage_tree import (
    Block,
    Node,
    NotByKey,
    Opaque,
    Path,
    Rows,
    Scan,
    Source,
    Union,
    columns_of,
    form,
    is_scalar,
)
from systock.data_warehouse.reliable_columns import CONSTANT, Item, Reliability
from systock.data_warehouse.restrict_keys import RestrictingWriter, keys_of_source, without_table


def touched_queries(
    tree: Node,
    reliability: Reliability,
    occurrences: Iterable[Path],
    columns: Mapping[str, str],
    changed: str,
    relation: Mapping[str, str],
) -> list[exp.Query]:
    """The keys (touched-key column → column of the tree) that `changed`, as each of these occurrences of an input, touches.

    An occurrence whose keys the query of another one yields anyway has none. What a relation within the query changes in the rows
    of a key are its own rows of that key, by whichever ways it is joined to them: a way up that hands on all its keys leaves nothing
    to find to the ways around it.
    """
    found = []
    for path in occurrences:
        finder = _Finder(reliability, changed, relation, columns)
        query = finder.finish(finder.find(tree, path, dict(columns)))
        if query.args.get("with_") or not isinstance(query, exp.Select):  # so that UNION can join it to others
            query = exp.select(*(exp.column(key, table="found") for key in columns)).from_(
                query.subquery("found", copy=False)
            )
        found.append((query, finder))

    def is_left_out(number: int) -> bool:
        own = found[number][1]
        return any(
            other.handed_on & own.passed and (place < number or not own.handed_on & other.passed)
            for place, (_, other) in enumerate(found)
            if place != number
        )

    return [query for number, (query, _) in enumerate(found) if not is_left_out(number)]


_Place = tuple[int, Path, tuple[tuple[str, str], ...]]


class _Finder(RestrictingWriter):
    """Writes the touched-key query of an occurrence."""

    def __init__(
        self, reliability: Reliability, changed: str, relation: Mapping[str, str], keys: Iterable[str]
    ) -> None:
        super().__init__(relation)
        self.reliability = reliability
        self.changed = changed
        self.numbers = count(1)
        #: The relations on the way from the occurrence up in which every touched key is a column, and those of them whose keys are all
        #: yielded: as the relation, the occurrence within it, and which column is which key.
        self.passed: set[_Place] = set()
        self.handed_on: set[_Place] = set()
        self._hands_on_all = True
        # the names of what is wanted → the keys that they are; empty from where not all are told
        self._keys = {key: key for key in keys}

    def find(self, node: Node, path: Path | None, wanted: Mapping[str, str]) -> exp.Query:
        """wanted: name to yield → column of the node. A path of None writes the hull."""
        if isinstance(node, Union):
            numbers = list(range(len(node.branches))) if path is None else [path[0][1]]
            parts = [self._branch(node, number, path, wanted) for number in numbers]
            result = parts[0]
            for part in parts[1:]:
                result = exp.union(result, part, distinct=False, copy=False)
            return result
        if isinstance(node, Scan):
            return exp.select(*(exp.alias_(exp.column(c, table="t"), name) for name, c in wanted.items())).from_(
                self.table(node, "t")
            )
        if not isinstance(node, Block):
            raise NotByKey(node.reason if isinstance(node, Opaque) else "rows that come from no table")
        return self._block(node, path, {name: node.outputs[column] for name, column in wanted.items()})

    def _branch(self, node: Union, number: int, path: Path | None, wanted: Mapping[str, str]) -> exp.Query:
        inner = {name: node.columns[column][number] for name, column in wanted.items()}
        if any(column is None for column in inner.values()):  # a NULL without a type would be taken for a number
            raise NotByKey("a literal row beside rows with keys")
        return self.find(
            node.branches[number], path and path[1:], {name: c for name, c in inner.items() if c is not None}
        )

    def _block(self, block: Block, path: Path | None, wanted: Mapping[str, exp.Expr]) -> exp.Query:
        told = self._told(block, path, wanted)
        if path and told and told.keys() == wanted.keys() and (source := block.sources[path[0][1]]).nullable:
            # What it changes is in rows of the same keys, whatever it is joined to.
            self._pass(source, path[1:], told, whole=True)
            changed = self._changed(Item(source, path[1:], False, False), list(dict.fromkeys(told.values())))
            columns_told = (exp.alias_(exp.column(name, table=source.alias), wish) for wish, name in told.items())
            return exp.select(*columns_told).from_(named(changed, source.alias))
        items, conditions = self.reliability.items(block, path)
        filters, joins, _ = self.reliability.usable(items)
        plain = [c for c in conditions if _reads_only(c, filters)]
        for item in items:
            if item.path is not None and item.source.nullable:
                plain += [c for c in item.source.on if _reads_only(c, joins)]
        occurrence = next((item for item in items if item.path is not None), None)
        if any(isinstance(expression, exp.Null) for expression in wanted.values()):
            raise NotByKey("a literal row beside rows with keys")
        if occurrence is not None:  # a filter is not worth the joins that its columns would need further in
            plain = [c for c in plain if _links([c]) or self._at_hand(occurrence, columns_of(c))]
        chosen = _choose(items, conditions, plain, wanted, path)
        chosen |= {
            item.alias
            for item in items
            if _is_setting(item) and any(item.alias in link and link & chosen for link in _links(plain))
        }
        kept = [item for item in items if item.alias in chosen]
        where = [c for c in plain if columns_of(c) and {r.table for r in columns_of(c)} <= chosen]
        # what must match first, the occurrence foremost; then what rows may be without, in its order
        first = sorted((item for item in kept if not item.optional), key=lambda item: item.path is None)
        while more := [i for i in kept if i not in first and not i.source.lateral and _rejects_null(i, where)]:
            first += more  # a condition drops the rows without a match: as well an inner join
            where += [part for item in more for part in item.source.on]
        last = [item for item in kept if item not in first]
        reads = [*wanted.values(), *where, *(part for item in last for part in item.source.on)]
        columns: dict[str, list[str]] = {item.alias: [] for item in items}
        for column in [c for e in reads for c in columns_of(e)] + [c for item in last for c in item.source.outer]:
            if column.name not in columns.setdefault(column.table, []):
                columns[column.table].append(column.name)
        rows = list(_rows_with_and_without(occurrence, wanted))
        if told and path and len(rows) == 1:
            self._pass(block.sources[path[0][1]], path[1:], told, whole=len(kept) == 1 and not where)
        elif path:
            self._keys = {}
        result: exp.Query | None = None
        for row in rows:
            chosen_columns = [exp.alias_(expression.copy(), name) for name, expression in row.items()]
            select = exp.select(*chosen_columns) if chosen_columns else exp.select("1")
            part = self._joined(select, first, last, where, columns)
            result = part if result is None else exp.union(result, part, distinct=False, copy=False)
        assert result is not None
        return result

    def _told(self, block: Block, path: Path | None, wanted: Mapping[str, exp.Expr]) -> dict[str, str]:
        """What is wanted, by name, as far as it is a column of the relation that the occurrence is in, or equals one."""
        if not path or path[0][0] != "source" or isinstance(block.sources[path[0][1]].node, Scan):
            return {}
        source = block.sources[path[0][1]]
        reliable = self.reliability.reliable(source.node, path[1:])
        found = keys_of_source(block, source, wanted)
        return {name: e.name for name, e in found.items() if isinstance(e, exp.Column) and e.name in reliable}

    def _pass(self, source: Source, path: Path, told: Mapping[str, str], *, whole: bool) -> None:
        """Note the relation on the way and how its columns are called that hold the keys; whole: all of its keys are handed on."""
        held = {told[name]: key for name, key in self._keys.items() if name in told}
        self._keys = held if len(held) == len(self._keys) else {}
        if self._keys:
            self._hands_on_all &= whole
            place = (id(source.node), path, tuple(sorted(held.items())))
            self.passed.add(place)
            if self._hands_on_all:
                self.handed_on.add(place)

    def _at_hand(self, occurrence: Item, reads: Sequence[exp.Column]) -> bool:
        """Whether what is read of the occurrence's FROM item comes with its changed rows, without another join."""
        node, path = occurrence.source.node, occurrence.path
        names = {column.name for column in reads if column.table == occurrence.alias}
        while isinstance(node, Union) and path:
            _, number = path[0]
            inner = (node.columns[name][number] for name in names)
            names, node, path = {name for name in inner if name is not None}, node.branches[number], path[1:]
        if not isinstance(node, Block) or not names:
            return True
        within = next(item for item in self.reliability.items(node, path)[0] if item.path is not None)
        deeper = [column for name in names for column in columns_of(node.outputs[name])]
        return all(column.table == within.alias for column in deeper) and self._at_hand(within, deeper)

    def _joined(
        self,
        select: exp.Select,
        first: Sequence[Item],
        last: Sequence[Item],
        where: Sequence[exp.Expr],
        columns: Mapping[str, Sequence[str]],
    ) -> exp.Select:
        occurrence = next((item for item in first if item.path is not None), None)
        changed = self._changed(occurrence, columns[occurrence.alias]) if occurrence is not None else ""
        placed: set[str] = set()
        rest = list(where)
        for item in _in_order(first, last, where):
            if item is occurrence:
                written: exp.Expr = named(changed, item.alias)
            else:
                found = _matched_keys(occurrence, item, rest + item.source.on) if occurrence is not None else {}
                written = self._item(item, columns[item.alias], found, changed)
            placed.add(item.alias)
            on = [c for c in rest if item in first and {r.table for r in columns_of(c)} <= placed]
            rest = [c for c in rest if not any(c is other for other in on)]
            if not select.args.get("from_"):
                select.from_(written, copy=False)
                rest = on + rest
                continue
            kind = "" if on else "cross"
            if item in last and item.source.nullable:
                on, kind = item.source.on or [exp.true()], "left"
            select.join(written, on=exp.and_(*on) if on else None, join_type=kind, copy=False)
        for part in rest:
            select.where(part.copy(), copy=False)
        return select

    def _changed(self, item: Item, columns: Sequence[str]) -> str:
        """The name of the relation that stands for the occurrence's FROM item: what it touches of that item."""
        if isinstance(item.source.node, Scan):
            return self.changed
        wanted = list(columns) or sorted(self.reliability.reliable(item.source.node, item.path))[:1]
        if not wanted:
            raise NotByKey(f"no column of {item.alias} that tells what changed")
        name = f"changed_{next(self.numbers)}"
        body = self.find(item.source.node, item.path, {column: column for column in wanted})
        self.ctes.append((name, body))
        return name

    def _item(self, item: Item, columns: Sequence[str], keys: Mapping[str, exp.Expr], changed: str) -> exp.Expr:
        """A FROM item beside the occurrence; keys: what of it matches which column of the changed rows."""
        node = item.source.node
        if isinstance(node, Scan | Rows):
            return self.source(item.source)
        extra = [name for name in columns if name not in node.visible]
        if item.hull and self.reliability.strength(node) > CONSTANT:
            wanted = {name: name for name in columns} or {"one": sorted(self.reliability.reliable(node, None))[0]}
            key: tuple[object, ...] = ("hull", *columns)
            return self.relation_of(node, item.alias, key, lambda: self.find(node, None, wanted), item.source.item)
        if keys and not item.source.lateral:
            key = (changed, *((key, form(expression)) for key, expression in keys.items()), *extra)
            return self.relation_of(node, item.alias, key, lambda: self.restrict(node, keys, changed, extra))
        return self.source(item.source, extra)


def _is_setting(item: Item) -> bool:
    """Whether an inner join is to a table of settings: it is small, and what it leaves out touches nothing."""
    node = item.source.node
    return item.path is None and not item.optional and isinstance(node, Scan) and node.table.startswith("meta.")


def _rows_with_and_without(occurrence: Item | None, wanted: Mapping[str, exp.Expr]) -> Iterable[Mapping[str, exp.Expr]]:
    """What to yield; where it reads an occurrence joined LEFT, also with NULL in its place: a row without match."""
    yield wanted
    reads = (column for expression in wanted.values() for column in columns_of(expression))
    if occurrence is None or not occurrence.source.nullable or all(c.table != occurrence.alias for c in reads):
        return

    def without(node: exp.Expr) -> exp.Expr:
        return exp.null() if isinstance(node, exp.Column) and node.table == occurrence.alias else node

    yield {name: expression.copy().transform(without) for name, expression in wanted.items()}


def _reads_only(condition: exp.Expr, columns: set[tuple[str, str]]) -> bool:
    return is_scalar(condition) and all((c.table, c.name) in columns for c in columns_of(condition))


def _matched_keys(occurrence: Item, item: Item, conditions: Iterable[exp.Expr]) -> dict[str, exp.Expr]:
    """Column of the occurrence → what equals it in the other item: its other rows need not be computed."""
    found: dict[str, exp.Expr] = {}
    for condition in conditions:
        if not isinstance(condition, exp.EQ):
            continue
        for column, other in ((condition.left, condition.right), (condition.right, condition.left)):
            inner = without_table(other)
            if (
                isinstance(column, exp.Column)
                and column.table == occurrence.alias
                and {c.table for c in columns_of(other)} == {item.alias}
                and not blocked(item.source.node, inner)
            ):
                found[column.name] = inner
    return found


def _rejects_null(item: Item, join: Iterable[exp.Expr]) -> bool:
    """Whether a condition on the joined rows drops those without a match: then a LEFT JOIN is an inner one."""
    compared = (c for c in join if isinstance(c, exp.EQ | exp.LT | exp.LTE | exp.GT | exp.GTE))
    sides = (side for condition in compared for side in (condition.left, condition.right))
    return any(isinstance(side, exp.Column) and side.table == item.alias for side in sides)


def _in_order(first: Sequence[Item], last: Sequence[Item], where: Sequence[exp.Expr]) -> list[Item]:
    """The FROM items, each joined by an equality to those before it if possible; `last` ones after what they read."""
    links = _links(where)
    plain = {item.alias for item in first}
    occurrence = [item for item in first if item.path is not None]
    linked = any(occurrence and occurrence[0].alias in link and link <= plain for link in links)
    todo = sorted(first, key=lambda item: (item.path is not None) != linked)
    waiting = list(last)
    ordered: list[Item] = []
    placed: set[str] = set()
    while todo or waiting:
        following = next(
            (i for i in todo if any(i.alias in link and link <= placed | {i.alias} for link in links)), None
        )
        if following is None and placed:
            following = next((i for i in waiting if _reads(i) <= placed | {i.alias}), None)
        following = following or (todo or waiting)[0]
        (todo if following in todo else waiting).remove(following)
        ordered.append(following)
        placed.add(following.alias)
    return ordered


def _reads(item: Item) -> set[str]:
    """The FROM items that an optional item is joined to."""
    return {c.table for part in item.source.on for c in columns_of(part)} | {c.table for c in item.source.outer}


def _links(conditions: Iterable[exp.Expr]) -> list[set[str]]:
    """The sets of FROM items that an equality joins."""
    found = []
    for condition in conditions:
        if isinstance(condition, exp.EQ):
            left, right = ({c.table for c in columns_of(side)} for side in (condition.left, condition.right))
            if left and right and left != right:
                found.append(left | right)
    return found


def _component(start: str, among: set[str], links: Sequence[set[str]]) -> set[str]:
    reached = {start}
    grown = True
    while grown:
        grown = False
        for link in links:
            if link <= among and link & reached and not link <= reached:
                reached |= link
                grown = True
    return reached


def _choose(
    items: Sequence[Item],
    conditions: Sequence[exp.Expr],
    usable: Sequence[exp.Expr],
    wanted: Mapping[str, exp.Expr],
    path: Path | None,
) -> set[str]:
    """The FROM items that the wanted columns need: the occurrence, those with the columns, those between them."""
    by_alias = {item.alias: item for item in items}
    reads = [c for e in wanted.values() for c in columns_of(e) if c.table in by_alias]

    def closed(aliases: set[str]) -> set[str]:
        grown = set(aliases)
        for alias in aliases:
            item = by_alias[alias]
            if item.optional:
                parts = [c for part in item.source.on for c in columns_of(part)] + item.source.outer
                grown |= {c.table for c in parts if c.table in by_alias}
        return grown if grown == aliases else closed(grown)

    start = next((item.alias for item in items if item.path is not None), None)
    need = {c.table for c in reads} | ({start} if start is not None else set())
    # what bounds the occurrence's matches (a span of validity) is worth a join; an equality to something else is not
    for condition in usable:
        tables = {c.table for c in columns_of(condition)}
        if start in tables and (by_alias[start].source.nullable or not _links([condition])):
            need |= tables & by_alias.keys()
    if start is None:
        if not reads:
            return set()
        start = reads[0].table
    need = closed(need)
    links = _links(usable)
    # an outer join joins its sides only where something more is asked of it
    filtering = [item for item in items if item.optional and any(item.alias in link for link in links)]
    links += [link for item in filtering for link in _links(item.source.on)]
    links += [{item.alias, c.table} for item in filtering for c in item.source.outer if c.table in by_alias]
    original = _links([*(part for item in items for part in item.source.on), *conditions])
    among = need | {item.alias for item in items if not item.optional}
    attached = {item.alias for item in items if item.optional}
    if not need - attached <= _component(start, among, links):
        among = set(by_alias)
    reached = _component(start, among, links)
    for alias in need - reached - attached:
        apart = _component(alias, among, original)
        if start in apart:
            raise NotByKey(
                f"a join of {start} whose conditions read computed values, or a subquery not joined by equality"
            )
        # crossed on purpose: fine for the larger side, whose rows each touch their own keys; not for settings beside it
        mine = _component(start, set(by_alias), original)
        weight = [(len(side), len({form(c) for c in reads if c.table in side})) for side in (mine, apart)]
        if path is not None and (weight[0] < weight[1] or not {c.table for c in reads} & mine):
            raise NotByKey(f"{start} is joined to all rows, by no equality")
    chosen = closed(need | reached)
    for size_down in sorted(chosen - need, reverse=True):
        smaller = chosen - {size_down}
        if closed(smaller) == smaller and (need & reached) - attached <= _component(start, smaller, links):
            chosen = smaller
    return chosen
