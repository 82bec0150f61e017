"""Which input rows some rows of a query are made from: followed down its tree, block by block, by the values read on the way.

What is found is enough: the query over only these rows makes the wanted rows as they are (its joins are tried before that is
said). Of a block's FROM items those rows take part that are joined into wanted ones; of a group or a window all its rows, save
that where one row decides (the least, the greatest, any) only that one does, and that windows which look back leave out what
comes later.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from sqlglot import exp

from systock.data_warehouse.engine.base import Engine
from systock.data_warehouse.lineage_trace import determined, substituted
from systock.data_warehouse.lineage_tree import (
    Block,
    Node,
    Opaque,
    Rows,
    Scan,
    Source,
    Union,
    columns_of,
    form,
    is_scalar,
    paths,
    subqueries,
)
from systock.data_warehouse.portable_sql import compile_sql
from systock.data_warehouse.restrict_keys import RestrictingWriter
from systock.data_warehouse.trace_windows import UsedWindow, deciding, one_direction, used_windows

_NONE: Mapping[str, str] = {}
# Rows are chosen early by so many columns (a table's key comes first), exactly by all of them afterwards: shorter SQL.
_PUSHED = 5


@dataclass
class Taken:
    """What of one input takes part. relation: the identities of its rows, None for all rows; columns: those that are read."""

    relation: str | None
    columns: set[str] = field(default_factory=set)


@dataclass
class _Joined:
    """The joined rows of a block: those that the keys choose, and of these those that are looked at.

    sure: the columns that are made of what is asked about (keys may be made of more). counted: does it matter how often a row
    is there?
    """

    flat: Block
    keys: Mapping[str, str]
    wanted: str
    sure: Collection[str]
    counted: bool
    chosen: str
    looked_at: str


class RowTracer:
    """Traces rows over an engine's tables; each step is a temporary table there.

    identity: the columns that tell an input's rows apart; none for settings, of which every row is taken to take part.
    relation: what to read in place of an input, if not the input itself.
    """

    _numbers = count(1)

    def __init__(
        self, engine: Engine, identity: Callable[[str], Sequence[str]], relation: Mapping[str, str] = _NONE
    ) -> None:
        self.engine, self.identity, self.relation = engine, identity, relation
        self.taken: dict[str, Taken] = {}
        self._joined: list[_Joined] = []
        self._matches_whole = False

    def trace(self, tree: Node, wanted: str, keys: Mapping[str, str], asked: Collection[str]) -> dict[str, Taken]:
        """What of each input takes part in the tree's rows that equal a row of `wanted`.

        keys: column of `wanted` → column of the tree. asked: the columns of the tree that are asked about.
        """
        # Two rows that each take part may meet although they make no wanted row; where their match in a LEFT JOIN then is
        # missing they make another one. That is rare, and seen by joining what was found: then the joined items are taken whole.
        for self._matches_whole in (False, True):
            self.taken, self._joined = {}, []
            self._node(tree, wanted, keys, set(asked), False, outermost=True)
            if self._joined_again():
                return self.taken
        self.taken = {}
        self._everything(tree)
        return self.taken

    def _joined_again(self) -> bool:
        """Whether what was taken joins to the rows that it was taken for, and to none that do not belong to them."""
        scanned = {table for joined in self._joined for table, _ in paths(joined.flat)}
        relation = {table: self._part(table) for table in scanned}
        return all(self._is_same(joined, relation) for joined in self._joined)

    def _part(self, table: str) -> str:
        """The rows of an input that take part, as a relation."""
        whole = self.relation.get(table, table)
        if table not in self.taken:
            return self.keep(f"SELECT * FROM {whole} LIMIT 0")
        relation = self.taken[table].relation
        return whole if relation is None else self.keep(rows_of(whole, relation, self.identity(table)))

    def united(self, some: str | None, more: str | None) -> str | None:
        """The rows that either relation names (None: all)."""
        if some is None or more is None or some == more:
            return some and more
        return self.keep(f"SELECT * FROM {some} UNION SELECT * FROM {more}")

    def _is_same(self, joined: _Joined, relation: Mapping[str, str]) -> bool:
        """Whether these parts of the inputs join to what this block was followed for."""
        keys = {key: name for key, name in joined.keys.items() if name in joined.sure}
        again = self._rows(joined.flat, keys, joined.wanted, relation)
        columns = ", ".join(joined.sure) or "1"

        def within(some: str, whole: str, less: str) -> bool:
            return not self.engine.rows(f"SELECT {columns} FROM {some} {less} SELECT {columns} FROM {whole} LIMIT 1")

        if not within(joined.looked_at, again, "EXCEPT ALL" if joined.counted else "EXCEPT"):
            return False
        if keys == joined.keys:
            return within(again, joined.chosen, "EXCEPT ALL")
        # without any key the whole table would be joined
        return not keys or within(again, self._rows(joined.flat, keys, joined.wanted, self.relation), "EXCEPT ALL")

    def keep(self, sql: str) -> str:
        """The rows of a query as a temporary table; its name."""
        name = f"traced_{next(self._numbers)}"
        self.engine.execute(f"CREATE TEMP TABLE {name} AS {sql}")
        return name

    def _node(
        self, node: Node, wanted: str, keys: Mapping[str, str], asked: set[str], counted: bool, outermost: bool = False
    ) -> None:
        """counted: does something above count the rows? Then a join matters even if no column of it is asked for."""
        if isinstance(node, Union):
            asked = set(node.visible) if node.distinct else asked  # all columns decide how many rows are left
            for number, branch in enumerate(node.branches):
                inner = {key: name for key, column in keys.items() if (name := node.columns[column][number])}
                names = {name for column in asked if (name := node.columns[column][number])}
                self._node(branch, wanted, inner, names, counted, outermost)
        elif isinstance(node, Block):
            self._block(node, wanted, keys, asked, counted, outermost)
        else:
            self._everything(node)

    def _everything(self, node: Node) -> None:
        """Where nothing can be told apart every row takes part."""
        if isinstance(node, Scan):
            self._take(node, None, node.visible)
        elif isinstance(node, Block):
            for child in [*(s.node for s in node.sources), *(d.node for d in node.dependents)]:
                self._everything(child)
        elif isinstance(node, Union | Opaque):
            for branch in node.branches:
                self._everything(branch)

    def _take(self, scan: Scan, relation: str | None, columns: Collection[str]) -> None:
        """Note rows of an input, beside those that other readings of it take."""
        taken = self.taken.setdefault(scan.table, Taken(relation, set()))
        taken.columns.update(columns)
        taken.relation = self.united(taken.relation, relation)

    def _block(
        self, block: Block, wanted: str, keys: Mapping[str, str], asked: set[str], counted: bool, outermost: bool
    ) -> None:
        """Make a block's joined rows, as few as is sound, and follow them into each of its FROM items."""
        for dependent in block.dependents:
            self._everything(dependent.node)
        group, having, distinct = block.group, block.select.args.get("having"), block.select.args.get("distinct")
        if distinct is not None and not distinct.args.get("on"):
            asked = set(block.visible)  # all columns decide how many rows are left
            group = [block.outputs[name] for name in block.visible] if group is None else group
        outputs = [block.outputs[name] for name in sorted(asked)]
        windows = used_windows(block, outputs)
        whole = bool(block.stop)
        inner = {key: substituted(block, exp.column(name)) for key, name in keys.items()}
        scalar = {key: e for key, e in inner.items() if is_scalar(e) and (group is None or determined(block, e, group))}
        pushed = [k for k, e in scalar.items() if not whole and all(determined(block, e, w.partition) for w in windows)]
        counted = counted or group is not None or bool(windows) or whole
        read = [*outputs, *(group or ()), *(e for window in windows for e in window.expressions)]
        shape = _Shape(block, self.identity, _used_columns(block, read, counted))
        matched = dict(zip(scalar, shape.add("m", scalar.values()), strict=True))
        told = group is None and not whole and all(is_scalar(e) for window in windows for e in window.expressions)
        shape.add("w", [e for window in windows for e in window.expressions] if told else [])
        alone = group is not None and all(map(is_scalar, group)) and not (windows or whole or having)
        least = deciding(outputs) if alone else None
        shape.add("g", [*(group or ()), *(node.this for node in least)] if least is not None else [])
        flat, chosen_by = shape.flat(), {key: matched[key] for key in pushed}
        chosen = rows = self._rows(flat, chosen_by, wanted, self.relation)
        if windows and told:
            rows = self.keep(_in_windows(rows, shape, windows, wanted, matched))
        if least is not None and group is not None:
            rows = self.keep(_that_decide(rows, shape, group, least))
        if outermost:
            self._joined.append(_Joined(flat, chosen_by, wanted, shape.sure(), counted, chosen, rows))
        if self.engine.rows(f"SELECT 1 FROM {rows} LIMIT 1"):
            for source in shape.sources:
                self._source(source, rows, shape, counted)

    def _rows(self, flat: Block, keys: Mapping[str, str], wanted: str, relation: Mapping[str, str]) -> str:
        """The joined rows of a block before it groups them, only those that the keys choose."""
        writer, first = RestrictingWriter(relation), list(keys)[:_PUSHED]
        restricted = {key: exp.column(keys[key]) for key in first}
        query = writer.restrict(flat, restricted, wanted) if restricted else writer.exact(flat)
        rows = self.keep(compile_sql(writer.finish(query)))
        if len(keys) == len(first):
            return rows
        return self.keep(f"SELECT r.* FROM {rows} AS r SEMI JOIN {wanted} AS w ON {_is_wanted(keys)}")

    def _source(self, source: Source, rows: str, shape: _Shape, counted: bool) -> None:
        """Follow the rows of a FROM item that are in `rows`."""
        places, used = shape.places[source.alias], shape.used[source.alias]
        if source.lateral or not places or (source.nullable and self._matches_whole):
            self._everything(source.node)
            return
        is_scan = isinstance(source.node, Scan)
        labels = {name: name if is_scan else f"c{number}" for number, name in enumerate(places)}
        chosen = ", ".join(f'{place} AS "{labels[name]}"' for name, place in places.items())
        found = " OR ".join(f"{place} IS NOT NULL" for place in places.values()) if source.nullable else "TRUE"
        relation = self.keep(f"SELECT DISTINCT {chosen} FROM {rows} WHERE {found}")
        if isinstance(source.node, Scan):
            self._take(source.node, relation, used)
        else:
            self._node(source.node, relation, {label: name for name, label in labels.items()}, set(used), counted)


class _Shape:
    """The joined rows of a block as columns: of each FROM item what its rows are told apart by, and what else is asked of them."""

    def __init__(
        self, block: Block, identity: Callable[[str], Sequence[str]], used: Mapping[str, Sequence[str]]
    ) -> None:
        self.block, self.used = block, used
        self.outputs: dict[str, exp.Expr] = {}
        self._names: dict[str, str] = {}
        self.sources = [s for s in block.sources if s.alias in used and not isinstance(s.node, Rows)]
        self.places: dict[str, dict[str, str]] = {}
        for source in self.sources:
            names = identity(source.node.table) if isinstance(source.node, Scan) else used[source.alias]
            columns = [exp.column(name, table=source.alias) for name in names]
            self.places[source.alias] = dict(zip(names, self.add("s", columns), strict=True))

    def add(self, prefix: str, expressions: Collection[exp.Expr]) -> list[str]:
        """The columns that hold these expressions."""
        names = []
        for expression in expressions:
            name = self._names.setdefault(form(expression), f"{prefix}{len(self._names)}")
            self.outputs[name] = expression
            names.append(name)
        return names

    def sure(self) -> list[str]:
        """The columns that are made only of what is used: of whole rows of a table, of the used columns of other FROM items."""
        scans = {s.alias for s in self.sources if isinstance(s.node, Scan)}
        return [
            name
            for name, e in self.outputs.items()
            if all(c.table in scans or c.name in self.used.get(c.table, ()) for c in columns_of(e))
        ]

    def flat(self) -> Block:
        """The block without grouping, windows and limits, yielding these columns."""
        outputs = self.outputs or {"one": exp.Literal.number(1)}
        select = exp.select(*(exp.alias_(e.copy(), name) for name, e in outputs.items()))
        whole = self.block.select
        for part in ("from_", "where"):
            if whole.args.get(part):
                select.set(part, whole.args[part].copy())
        select.set("joins", [join.copy() for join in whole.args.get("joins") or []])
        dependents = dict(zip((form(query) for query in subqueries(whole)), self.block.dependents, strict=True))
        return Block(
            tuple(outputs), select, self.block.sources, self.block.where,
            [dependents[form(query)] for query in subqueries(select)], dict(outputs), None, [], None, self.block.same,
        )  # fmt: skip


def _used_columns(block: Block, read: Sequence[exp.Expr], counted: bool) -> dict[str, list[str]]:
    """FROM item → its columns that matter; a LEFT JOIN of which none does is left out, unless rows are counted."""
    select = block.select
    parts: list[exp.Expr] = [
        *read,
        *block.where,
        *(part for name in ("having", "order") if (part := select.args.get(name))),
    ]
    parts += subqueries(select)
    used: dict[str, list[str]] = {}

    def note(expressions: Sequence[exp.Expr]) -> None:
        for column in (column for part in expressions for column in part.find_all(exp.Column)):
            names = used.setdefault(column.table, [])
            if column.name not in names:
                names.append(column.name)

    note(parts)
    for source in reversed(block.sources):
        if counted or not source.nullable or source.alias in used:
            used.setdefault(source.alias, [])
            note([*source.on, *source.outer])
    kept = (source for source in block.sources if source.alias in used)
    return {s.alias: sorted(used[s.alias], key=s.node.visible.index) for s in kept}


def _in_windows(
    rows: str, shape: _Shape, windows: Sequence[UsedWindow], wanted: str, matched: Mapping[str, str]
) -> str:
    """Of the joined rows those in the partitions of wanted rows; up to the last of them, where all windows look back."""
    partitions = {tuple(shape.add("w", window.partition)) for window in windows}
    if len(partitions) > 1:  # a row of one window's partition would lack those of another's
        return f"SELECT * FROM {rows}"
    [partition] = partitions
    order = one_direction(windows)
    by = f"PARTITION BY {', '.join(partition)}" if partition else ""
    places = ", ".join(_ordered(shape, part) for part in order) if order else "1"
    decide = [w for w in windows if w.extreme and w.function is not None] if order else []
    extremes = "".join(
        f", row_number() OVER ({by} ORDER BY {shape.add('w', [w.function.this])[0]} {_direction(w.function)}, {places}) AS e{n}"
        for n, w in enumerate(decide)
        if w.function is not None
    )
    reach = ", ".join(["max(t.place)", *(f"max(r.place) FILTER (r.e{n} = 1)" for n in range(len(decide)))])
    beside = ", ".join(["place", *(f"e{n}" for n in range(len(decide)))])
    chosen = "".join(f"r.{name}, " for name in partition)
    return f"""
        WITH placed AS (SELECT *, rank() OVER ({by} ORDER BY {places}) AS place{extremes} FROM {rows}),
        asked AS (SELECT {chosen}max(r.place) AS place FROM placed AS r SEMI JOIN {wanted} AS w ON {_is_wanted(matched)} GROUP BY ALL),
        reached AS (
            SELECT {chosen}greatest({reach}) AS last_place FROM placed AS r JOIN asked AS t ON {_same("t", "r", partition)} GROUP BY ALL
        )
        SELECT r.* EXCLUDE ({beside}) FROM placed AS r JOIN reached AS t ON {_same("t", "r", partition)} AND r.place <= t.last_place"""


def rows_of(table: str, relation: str | None, identity: Sequence[str]) -> str:
    """The SELECT of a table's rows that a relation of identities names (None: all)."""
    if relation is None:
        return f"SELECT t.* FROM {table} AS t"
    same = " AND ".join(f't."{name}" IS NOT DISTINCT FROM w."{name}"' for name in identity)
    return f"SELECT t.* FROM {table} AS t SEMI JOIN {relation} AS w ON {same}"


def _is_wanted(matched: Mapping[str, str]) -> str:
    return " AND ".join(f'w."{key}" IS NOT DISTINCT FROM r.{name}' for key, name in matched.items()) or "TRUE"


def _that_decide(rows: str, shape: _Shape, group: Sequence[exp.Expr], least: Sequence[exp.Min | exp.Max]) -> str:
    """Of each group the row that decides, per aggregate; any one, always the same, where there is no aggregate."""
    every = ", ".join(shape.outputs)
    leading = [f"{name} {_direction(node)}, " for node in least for name in shape.add("g", [node.this])] or [""]
    orders = [f"ORDER BY {each}{every}" for each in dict.fromkeys(leading)]
    if not group:
        return " UNION ".join(f"(SELECT * FROM {rows} {order} LIMIT 1)" for order in orders)
    by = ", ".join(shape.add("g", group))
    first = (f"row_number() OVER (PARTITION BY {by} {order}) = 1" for order in orders)
    return f"SELECT * FROM {rows} QUALIFY {' OR '.join(first)}"


def _direction(node: exp.Expr) -> str:
    return "DESC NULLS LAST" if isinstance(node, exp.Max) else "ASC NULLS LAST"


def _ordered(shape: _Shape, part: exp.Ordered) -> str:
    [name] = shape.add("w", [part.this])
    direction = "DESC" if part.args.get("desc") else "ASC"
    return f"{name} {direction} NULLS {'FIRST' if part.args.get('nulls_first') else 'LAST'}"


def _same(left: str, right: str, names: Sequence[str]) -> str:
    return " AND ".join(f"{left}.{name} IS NOT DISTINCT FROM {right}.{name}" for name in names) or "TRUE"
