"""Refresh by key: from a table's SELECT, the queries for the keys that a change touches and for these keys' rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlglot import exp

from systock.data_warehouse.lineage_build import NULLS_UNKNOWN, build
from systock.data_warehouse.lineage_sql import Writer
from systock.data_warehouse.lineage_trace import Tracer, blocked
from systock.data_warehouse.lineage_tree import Block, Node, NotByKey, Opaque, Path, Union, brief, form, paths
from systock.data_warehouse.reliable_columns import Reliability
from systock.data_warehouse.restrict_keys import restricted
from systock.data_warehouse.touched_keys import touched_queries
from systock.errors import DefinitionError

_NONE: Mapping[str, str] = {}
_NO_DEFINITIONS: Mapping[str, exp.Query] = {}


@dataclass(frozen=True)
class RefreshPlan:
    """How a table follows its inputs.

    The touched keys are not the table's own key: they are columns, of its inputs where possible, whose values cut the
    table's rows into classes that can be worked out apart from each other. For the rows to be right afterwards:
        touched keys = for every changed input, `touched` over the inputs as they were, and over them as they are
        rows that go = `recompute` over the inputs as they were; rows that come = `recompute` over them as they are
    """

    whole: str | None
    """Why the table can only be refreshed whole; None: by key."""
    columns: tuple[str, ...]
    """The columns of a relation of touched keys: k1, k2, …"""
    meanings: tuple[str, ...] = ()
    """What each touched-key column holds, to be shown to users."""
    whole_for: Mapping[str, str] = field(default_factory=dict)
    """The inputs of which any change touches everything, each with the reason: `touched` then yields every key."""
    inputs: frozenset[str] = frozenset()
    """The tables that the SELECT reads."""
    _tree: Node | None = field(default=None, repr=False, compare=False)
    _keys: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    _reliability: Reliability | None = field(default=None, repr=False, compare=False)

    @property
    def key_columns(self) -> Mapping[str, str]:
        """Touched-key column → the column of the query that it stands for (of the output, or one inside)."""
        return self._keys

    def why_whole(self, table: str) -> str | None:
        """Why a change of this input needs the whole table; None: it goes by key."""
        return self.whole or self.whole_for.get(table)

    def touched(self, table: str, changed: str, relation: Mapping[str, str] = _NONE) -> list[exp.Query]:
        """Queries (one per occurrence of `table`) for the keys, as columns k1…, that rows of `changed` can influence.

        changed: a relation with the table's columns, holding the changed rows in their old and new versions.
        relation: what to read in place of an input, if not the input itself. Rows may repeat.
        """
        tree, reliability = self._by_key()
        if table in self.whole_for:
            writer = Writer(relation)
            every = writer.exact(tree, list(self._keys.values())).subquery("row", copy=False)
            chosen = [exp.alias_(exp.column(name, table="row"), key) for key, name in self._keys.items()]
            return [writer.finish(exp.select(*chosen).distinct().from_(every))] if table in self.inputs else []
        occurrences = [path for name, path in paths(tree) if name == table]
        return touched_queries(tree, reliability, occurrences, self._keys, changed, relation)

    def recompute(self, touched: str, relation: Mapping[str, str] = _NONE) -> exp.Query:
        """The SELECT, only its rows whose key is in the relation `touched` (columns k1…; NULL equals NULL)."""
        tree, _ = self._by_key()
        return restricted(tree, self._keys, touched, relation)

    def _by_key(self) -> tuple[Node, Reliability]:
        if self.whole is not None or self._tree is None or self._reliability is None:
            raise DefinitionError(f"This can only be refreshed whole: {self.whole}.")
        return self._tree, self._reliability


def plan_refresh(
    select: exp.Query,
    output_columns: Sequence[str],
    key: Sequence[str],
    schema: Mapping[str, Sequence[str]],
    definitions: Mapping[str, exp.Query] = _NO_DEFINITIONS,
    never_null: Mapping[str, frozenset[str]] = NULLS_UNKNOWN,
) -> RefreshPlan:
    """Plan the refresh of a table made by `select`.

    output_columns: the table's columns in the order of the SELECT's. key: those of its primary key.
    schema: each input table, as named in the query → its columns.
    definitions: the SELECTs that make input tables, where known: from them it is seen that
        COALESCE(place.location_durable_key, dim_key(source_name, location_id)) is dim_key(source_name, location_id).
    never_null: each input table → its columns that are NOT NULL, where known: they are compared by plain equality, of which
        engines make filters of the scan; NULL-safe equality has them read every row.
    """
    inputs = frozenset(
        f"{table.db}.{table.name}" if table.db else table.name
        for table in select.find_all(exp.Table)
        if isinstance(table.this, exp.Identifier) and (f"{table.db}.{table.name}" if table.db else table.name) in schema
    )
    try:
        return _plan(build(select, schema, never_null), inputs, output_columns, key, definitions)
    except NotByKey as error:
        return RefreshPlan(error.reason, (), inputs=inputs)


def _plan(
    tree: Node,
    inputs: frozenset[str],
    output_columns: Sequence[str],
    key: Sequence[str],
    definitions: Mapping[str, exp.Query],
) -> RefreshPlan:
    if len(output_columns) != len(tree.visible):
        raise DefinitionError(f"The query has {len(tree.visible)} columns, the table {len(output_columns)}.")
    if missing := [name for name in key if name not in output_columns]:
        raise DefinitionError(f"The key column {missing[0]} is not a column of the table.")
    if isinstance(tree, Opaque):
        raise NotByKey(tree.reason)
    tracer = Tracer(definitions)
    tracer.trace(tree)
    reliability = Reliability()
    occurrences = [path for _, path in paths(tree)]

    def certain(name: str) -> bool:
        return blocked(tree, exp.column(name)) is None and all(
            name in reliability.reliable(tree, p) for p in occurrences
        )

    own_key = [tree.visible[list(output_columns).index(name)] for name in key]
    candidates = []
    for name in dict.fromkeys(leaf for own in own_key for leaf in tracer.leaves(tree, own)):
        behind = tracer.columns_behind(tree, name)
        candidates += behind if behind and all(map(certain, behind)) else [name]
    if not all(map(certain, candidates)):
        candidates += [leaf for name in tree.carried for leaf in tracer.leaves(tree, name)]
    candidates = list(dict.fromkeys(candidates))
    reasons = {name: blocked(tree, exp.column(name)) for name in candidates}
    possible = [name for name in candidates if reasons[name] is None and not _is_constant(tree, name)]
    if not possible:
        raise NotByKey(next((reason for reason in reasons.values() if reason), "a key without a column of an input"))
    chosen, whole_for = _reliable_for_most(tree, reliability, possible)
    columns = _without_doubles(tree, chosen)
    keys = {f"k{number}": name for number, name in enumerate(columns, 1)}
    for table, path in paths(tree):
        if table not in whole_for:
            try:
                touched_queries(tree, reliability, [path], keys, "changed", {})
            except NotByKey as error:
                whole_for[table] = error.reason
    tables = {table for table, _ in paths(tree)}
    if tables and tables <= whole_for.keys():
        raise NotByKey(next(iter(whole_for.values())))
    meanings = tuple(_meaning(tree, name) for name in columns)
    return RefreshPlan(None, tuple(keys), meanings, whole_for, inputs, tree, keys, reliability)


def _reliable_for_most(tree: Node, reliability: Reliability, possible: list[str]) -> tuple[list[str], dict[str, str]]:
    """The candidates reliable for every occurrence; an input that would leave none touches everything instead."""
    kept = list(possible)
    whole_for: dict[str, str] = {}
    found: list[tuple[str, Path]] = list(paths(tree))
    for table, path in sorted(found, key=lambda each: -len(reliability.reliable(tree, each[1]) & set(possible))):
        reliable = reliability.reliable(tree, path)
        left = [name for name in kept if name in reliable]
        if left:
            kept = left
        else:
            whole_for[table] = (
                f"no key column of the rows that a change of it touches is certain ({_path_reason(tree, path, kept)})"
            )
    return kept, whole_for


def _path_reason(tree: Node, path: Path, names: Sequence[str]) -> str:
    """The first thing on the way up from an occurrence that keeps key columns from being told."""
    node = tree
    for _, number in path[:-1] if path else ():
        if isinstance(node, Block):
            children = [s.node for s in node.sources] if _ == "source" else [d.node for d in node.dependents]
            source = node.sources[number] if _ == "source" else None
            if source is not None and source.nullable:
                return f"a LEFT JOIN of {source.alias}"
            node = children[number]
        elif isinstance(node, Union | Opaque):
            node = node.branches[number]
        reason = next((r for name in list(node.visible)[:1] if (r := blocked(node, exp.column(name)))), None)
        if reason:
            return reason
    return ", ".join(_meaning(tree, name) for name in names)


def _without_doubles(tree: Node, names: list[str]) -> list[str]:
    """Leave out a column that equals another one in every row."""
    if not isinstance(tree, Block):
        return names
    kept: list[str] = []
    for name in names:
        expression = form(tree.outputs[name])
        known = {form(tree.outputs[other]) for other in kept}
        equal = {form(column) for column in tree.same.get(expression, [])}
        if expression not in known and not equal & known:
            kept.append(name)
    return kept


def _is_constant(node: Node, name: str) -> bool:
    return node.shape.get(name) == "constant"


def _meaning(node: Node, name: str) -> str:
    if isinstance(node, Block):
        expression = node.outputs[name]
        if isinstance(expression, exp.Column) and (source := node.source(expression.table)) is not None:
            inner = source.node
            return (
                _meaning(inner, expression.name)
                if isinstance(inner, Block | Union)
                else f"{expression.table}.{expression.name}"
            )
        return brief(expression)
    if isinstance(node, Union):
        if name in node.visible:
            return name
        return next(
            (_meaning(b, n) for b, n in zip(node.branches, node.columns[name], strict=True) if n is not None), name
        )
    return name
