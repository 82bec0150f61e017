"""What of a block's rows its windows and groups look at: only what is asked about, and of that no more than decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from systock.data_warehouse.lineage_tree import Block, form, is_aggregate, is_scalar, own

_LOOKS_BACK = (exp.RowNumber, exp.Rank, exp.DenseRank, exp.Lag)
_BY_FRAME = (exp.Sum, exp.Count, exp.Min, exp.Max, exp.Avg, exp.FirstValue)


@dataclass(frozen=True)
class UsedWindow:
    """A window that an asked column is made by; function is None for DISTINCT ON."""

    function: exp.Expr | None
    partition: list[exp.Expr]
    order: list[exp.Ordered]
    spec: exp.WindowSpec | None

    @property
    def extreme(self) -> bool:
        """Does one row of the whole partition decide, the least or the greatest?"""
        return not self.order and isinstance(self.function, exp.Min | exp.Max) and is_scalar(self.function.this)

    @property
    def looks_back(self) -> bool:
        """Does nothing that comes later in the window's order matter?"""
        if not self.order or self.function is None:
            return False
        if isinstance(self.function, _LOOKS_BACK):
            return True
        end = str(self.spec.args.get("end") or "CURRENT ROW") if self.spec is not None else "CURRENT ROW"
        side = str(self.spec.args.get("end_side") or "") if self.spec is not None else ""
        return isinstance(self.function, _BY_FRAME) and (end == "CURRENT ROW" or side == "PRECEDING")

    @property
    def expressions(self) -> list[exp.Expr]:
        """What decides which rows are in the window."""
        extreme = [self.function.this] if self.extreme and self.function is not None else []
        return [*self.partition, *(part.this for part in self.order), *extreme]


def used_windows(block: Block, asked: Sequence[exp.Expr]) -> list[UsedWindow]:
    """The windows of the asked expressions, and DISTINCT ON."""
    named = {window.name: window for window in block.select.args.get("windows") or []}
    found = []
    for window in (node for expression in asked for node in own(expression) if isinstance(node, exp.Window)):
        base = named.get(window.alias) if window.alias else None
        parts = {
            name: window.args.get(name) or (base.args.get(name) if base is not None else None)
            for name in ("partition_by", "order", "spec")
        }
        order = parts["order"].expressions if parts["order"] is not None else []
        function = window.this
        while isinstance(function, exp.IgnoreNulls | exp.RespectNulls):
            function = function.this
        found.append(UsedWindow(function, list(parts["partition_by"] or []), list(order), parts["spec"]))
    distinct = block.select.args.get("distinct")
    on = distinct.args.get("on") if distinct is not None else None
    if on is not None:
        found.append(UsedWindow(None, list(on.expressions) if isinstance(on, exp.Tuple) else [on], [], None))
    return found


def one_direction(windows: Sequence[UsedWindow]) -> list[exp.Ordered] | None:
    """The order of windows of one partition that all look back along it, but for extremes; None: some look elsewhere."""
    ordered = [window for window in windows if not window.extreme]
    if not ordered or not all(window.looks_back for window in ordered):
        return None
    if len({tuple(form(part) for part in window.order) for window in ordered}) > 1:
        return None
    return ordered[0].order


def deciding(asked: Sequence[exp.Expr]) -> list[exp.Min | exp.Max] | None:
    """The aggregates, if for each the least or the greatest row decides (without any: any row does); None: all rows count."""
    found: list[exp.Min | exp.Max] = []
    for node in (node for expression in asked for node in own(expression) if is_aggregate(node)):
        if not isinstance(node, exp.Min | exp.Max) or isinstance(node.parent, exp.Filter) or not is_scalar(node.this):
            return None
        found.append(node)
    return found
