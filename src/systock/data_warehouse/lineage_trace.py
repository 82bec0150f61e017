"""Where columns come from: what columns determine, the columns behind a key function, what a restriction may pass."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import count

from sqlglot import exp

from systock.data_warehouse.lineage_tree import (
    Block,
    Node,
    Opaque,
    Rows,
    Scan,
    Union,
    brief,
    columns_of,
    form,
    is_scalar,
    own,
    paths,
)

# Functions whose value determines their arguments. Of hashes it may be assumed that they meet no literal either.
_HASHES = {"dim_key", "fact_key", "row_hash"}
_DETERMINES_ITS_ARGUMENTS = _HASHES | {"instant_text"}


def key_function(expression: exp.Expr) -> str | None:
    """The name of the function, if equal values mean equal arguments."""
    if isinstance(expression, exp.Anonymous) and expression.name.lower() in _DETERMINES_ITS_ARGUMENTS:
        return expression.name.lower()
    return None


def column(alias: str, name: str) -> exp.Column:
    """The column `alias.name`."""
    return exp.column(name, table=alias)


def determined(block: Block, expression: exp.Expr, by: Iterable[exp.Expr]) -> bool:
    """Whether rows of the block that agree on `by` also agree on the expression."""
    known: set[str] = set()
    todo = list(by)
    while todo:
        part = todo.pop().unnest()
        if form(part) in known:
            continue
        known.add(form(part))
        if isinstance(part, exp.Column):
            todo += block.same.get(form(part), [])
            source = block.source(part.table)
            if source is not None:
                todo += [column(source.alias, name) for name in source.node.parts.get(part.name, ())]
        elif key_function(part):
            todo += part.expressions

    def holds(part: exp.Expr) -> bool:
        if form(part) in known:
            return True
        inner = columns_of(part)
        if isinstance(part, exp.Column) or not is_scalar(part):
            return False
        # a known expression within counts as a whole: GROUP BY f(a) determines g(f(a))
        return not inner or all(holds(child) for child in part.iter_expressions() if columns_of(child))

    return holds(expression.unnest())


class Tracer:
    """Gives the columns of a tree their parts, adding hidden columns where the parts are not columns themselves."""

    def __init__(self, definitions: Mapping[str, exp.Query]) -> None:
        """definitions: the SELECTs that make input tables, where there are any."""
        self.numbers = count(1)
        self.definitions = definitions

    def trace(self, node: Node) -> None:
        """Fill in parts, shape and carried of the node and all below it."""
        if node.traced:
            return
        node.traced = True
        if isinstance(node, Scan) and node.table in self.definitions:
            node.maybe = {
                n: made for n, made in made_by_functions(self.definitions[node.table]).items() if n in node.visible
            }
        elif isinstance(node, Block):
            for child in [s.node for s in node.sources] + [d.node for d in node.dependents]:
                self.trace(child)
            for name in node.visible:
                node.outputs[name] = _without_detours(node, node.outputs[name])
            node.group = node.group and [_without_detours(node, part) for part in node.group]
            node.partitions = [[_without_detours(node, part) for part in partition] for partition in node.partitions]
            for name in node.visible:
                self._trace_output(node, name)
            self._pass_on(node)
            self._carry(node)
        elif isinstance(node, Union | Opaque):
            for branch in node.branches:
                self.trace(branch)
            if isinstance(node, Union):
                for name in node.visible:
                    self._trace_branches(node, name)
                for name in node.visible:
                    pairs = zip(node.branches, node.columns[name], strict=True)
                    inside = [inner in branch.carried for branch, inner in pairs if any(paths(branch))]
                    if inside and all(inside):
                        node.carried.append(name)

    def leaves(self, node: Node, name: str) -> list[str]:
        """The column, or instead of it the columns that it was made of, down to where they are plain."""
        parts = node.parts.get(name)
        return [leaf for part in parts for leaf in self.leaves(node, part)] if parts else [name]

    def columns_behind(self, node: Node, name: str) -> list[str]:
        """The columns that an expression reads, as columns of the node: finer than its value, nearer to the scans."""
        if not isinstance(node, Block) or node.group is not None or node.select.args.get("distinct"):
            return []
        expression = node.outputs[name]
        if isinstance(expression, exp.Column) or not is_scalar(expression):
            return []
        names = [self._output(node, read) for read in columns_of(expression)]
        return list(dict.fromkeys(leaf for each in names for leaf in self.leaves(node, each)))

    def _output(self, block: Block, expression: exp.Expr) -> str:
        text = form(expression)
        for name, existing in block.outputs.items():
            if form(existing) == text:
                self._trace_output(block, name)
                return name
        name = f"_part_{next(self.numbers)}"
        block.outputs[name] = expression.copy()
        self._trace_output(block, name)
        return name

    def _trace_output(self, block: Block, name: str) -> None:
        if name in block.shape:
            return
        expression = block.outputs[name].unnest()
        if not is_scalar(expression) or (block.group is not None and not determined(block, expression, block.group)):
            block.shape[name] = "computed"
            return
        function = key_function(expression)
        block.shape[name] = "plain" if columns_of(expression) else "constant"
        arguments: list[exp.Expr] = []
        if isinstance(expression, exp.Column):
            source = block.source(expression.table)
            if source is not None and not source.nullable and source.node.shape.get(expression.name) == "constant":
                block.shape[name] = "constant"
            elif source is not None and expression.name in source.node.parts:
                arguments = [column(source.alias, part) for part in source.node.parts[expression.name]]
                block.shape[name] = source.node.shape[expression.name]
        elif function:
            arguments = expression.expressions
        if arguments and any(columns_of(argument) for argument in arguments):
            block.parts[name] = tuple(self._output(block, argument) for argument in arguments)
            if function:
                shapes = (block.shape[part] for part in block.parts[name])
                block.shape[name] = f"{function}({','.join('plain' if s == 'constant' else s for s in shapes)})"

    def _pass_on(self, block: Block) -> None:
        for name in block.visible:
            expression = block.outputs[name]
            made = _maybe_of(block, expression) if isinstance(expression, exp.Column) else None
            if made is not None:
                plain = block.group is None and not block.select.args.get("distinct")
                known = {form(output) for output in block.outputs.values()}
                if plain or all(form(part) in known for part in made[1]):
                    block.maybe[name] = (made[0], tuple(self._output(block, part) for part in made[1]))

    def _carry(self, block: Block) -> None:
        """Bring PARTITION BY columns up: when a key column is a window's value, they take its place."""
        wanted = [expression for partition in block.partitions for expression in partition]
        wanted += [
            column(s.alias, name) for s in block.sources if not s.nullable and not s.lateral for name in s.node.carried
        ]
        distinct = block.select.args.get("distinct")
        visible = [block.outputs[name] for name in block.visible]
        for expression in wanted:
            grown = distinct is not None and not distinct.args.get("on") and not determined(block, expression, visible)
            lost = block.group is not None and not determined(block, expression, block.group)
            if is_scalar(expression) and columns_of(expression) and not grown and not lost:
                name = self._output(block, expression)
                if name not in block.carried:
                    block.carried.append(name)

    def _trace_branches(self, union: Union, name: str) -> None:
        inner = union.columns[name]
        shapes = {
            b.shape.get(n, "plain") if n is not None else "constant" for b, n in zip(union.branches, inner, strict=True)
        }
        if shapes == {"constant"}:
            literals = {
                form(b.outputs[n]) for b, n in zip(union.branches, inner, strict=True) if isinstance(b, Block) and n
            }
            union.shape[name] = "constant" if len(literals) == 1 else "plain"
            return
        shapes.discard("constant")
        shape = shapes.pop() if len(shapes) == 1 else "plain"
        union.shape[name] = shape
        if shapes or "(" not in shape:
            return
        constants = [n is None or b.shape.get(n) == "constant" for b, n in zip(union.branches, inner, strict=True)]
        if any(constants) and shape.split("(")[0] not in _HASHES:
            return
        split = [
            None if c or n is None else b.parts[n] for b, n, c in zip(union.branches, inner, constants, strict=True)
        ]
        if len({len(parts) for parts in split if parts is not None}) != 1 or any(
            not isinstance(b, Block | Union)
            for b, parts in zip(union.branches, split, strict=True)
            if parts is not None
        ):
            return
        size = next(len(parts) for parts in split if parts is not None)
        union.parts[name] = tuple(
            self._union_column(union, [p[i] if p is not None else None for p in split]) for i in range(size)
        )

    def _union_column(self, union: Union, inner: list[str | None]) -> str:
        for name, existing in union.columns.items():
            if list(existing) == inner:
                return name
        name = f"_part_{next(self.numbers)}"
        union.columns[name] = tuple(inner)
        self._trace_branches(union, name)
        return name


def _without_detours(block: Block, expression: exp.Expr) -> exp.Expr:
    """COALESCE(place.key, f(a, b)), where place is joined on a and b and its key is f of the same, is f(a, b)."""

    def straight(node: exp.Expr) -> exp.Expr:
        last: exp.Expr | None = node.expressions[-1] if isinstance(node, exp.Coalesce) and node.expressions else None
        function = key_function(last) if last is not None else None
        if last is None or function is None:
            return node
        for detour in [node.this, *node.expressions[:-1]]:
            made = _maybe_of(block, detour) if isinstance(detour, exp.Column) else None
            if made is None or made[0] != function or len(made[1]) != len(last.expressions):
                return node
            for part, argument in zip(made[1], last.expressions, strict=True):
                if form(argument) not in [form(part), *map(form, block.same.get(form(part), []))]:
                    return node
        return last

    return expression.copy().transform(straight)


def _maybe_of(block: Block, column_: exp.Column) -> tuple[str, list[exp.Column]] | None:
    """The key function that the column holds, if anything, over columns that stay where its FROM item has no match."""
    source = block.source(column_.table)
    made = source.node.maybe.get(column_.name) if source is not None else None
    if source is None or made is None:
        return None
    found = []
    for name in made[1]:
        own_column = column(source.alias, name)
        if source.nullable:
            equal = [
                pair
                for part in source.on
                if isinstance(part, exp.EQ)
                for pair in ((part.left, part.right), (part.right, part.left))
            ]
            stand_in = next((b for a, b in equal if form(a) == form(own_column) and isinstance(b, exp.Column)), None)
            if stand_in is None or stand_in.table == source.alias:
                return None
            own_column = stand_in.copy()
        found.append(own_column)
    return made[0], found


def made_by_functions(query: exp.Query) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Columns that a query makes by a hash of other columns of its own, one literal row (the unknown member) aside."""
    names = query.named_selects
    branches = _branches(query)
    if len(set(names)) != len(names) or any(len(branch.selects) != len(names) for branch in branches):
        return {}
    found: list[dict[str, tuple[str, tuple[str, ...]]]] = []
    literals: list[set[str]] = []
    for branch in branches:
        reads = {name: projection.unalias() for name, projection in zip(names, branch.selects, strict=True)}
        plain = {form(expression): name for name, expression in reads.items() if isinstance(expression, exp.Column)}
        literals.append({name for name, expression in reads.items() if isinstance(expression, exp.Literal)})
        found.append({})
        for name, expression in reads.items():
            arguments = [plain.get(form(argument), "") for argument in expression.expressions]
            function = key_function(expression)
            if function in _HASHES and arguments and all(arguments):
                found[-1][name] = (function, tuple(arguments))
    result = {}
    for name in names:
        ways = {made[name] for made in found if name in made}
        others = [literal for made, literal in zip(found, literals, strict=True) if name not in made]
        if len(ways) == 1 and len(others) <= 1:
            [made_of] = ways
            if all({name, *made_of[1]} <= literal for literal in others):
                result[name] = made_of
    return result


def _branches(query: exp.Expr) -> list[exp.Select]:
    """The SELECTs of a union; none for any other set operation."""
    if isinstance(query, exp.Subquery):
        return _branches(query.this)
    if isinstance(query, exp.Union):
        sides = [_branches(query.this), _branches(query.expression)]
        return [*sides[0], *sides[1]] if all(sides) else []
    return [query] if isinstance(query, exp.Select) else []


def substituted(block: Block, expression: exp.Expr) -> exp.Expr:
    """An expression over the block's output columns (named without table) as one over its FROM items."""

    if isinstance(expression, exp.Column):
        return block.outputs[expression.name].copy()

    def replace(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Column) and not node.table:
            inner = block.outputs[node.name]
            return (
                inner.copy()
                if isinstance(inner, exp.Column | exp.Literal | exp.Null | exp.Func)
                else exp.paren(inner.copy())
            )
        return node

    return expression.copy().transform(replace)


def in_branch(union: Union, expression: exp.Expr, number: int) -> exp.Expr:
    """An expression over the union's columns as one over the columns of a branch."""

    def replace(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Column) and not node.table:
            name = union.columns[node.name][number]
            return exp.null() if name is None else exp.column(name)
        return node

    return expression.copy().transform(replace)


def blocked(node: Node, expression: exp.Expr) -> str | None:
    """Why rows can not be chosen by this expression over the node's columns before it is computed; None: they can."""
    if isinstance(node, Scan):
        return None
    if isinstance(expression, exp.Column) and not expression.table:
        if expression.name not in node.reasons:
            node.reasons[expression.name] = _find_blocked(node, expression)
        return node.reasons[expression.name]
    return _find_blocked(node, expression)


def _find_blocked(node: Node, expression: exp.Expr) -> str | None:
    if isinstance(node, Rows):
        return "rows that come from no table"
    if isinstance(node, Opaque):
        return node.reason
    if isinstance(node, Union):
        reasons = (blocked(branch, in_branch(node, expression, number)) for number, branch in enumerate(node.branches))
        return next((reason for reason in reasons if reason), None)
    assert isinstance(node, Block)
    inner = substituted(node, expression)
    if node.stop:
        return f"{node.stop} at {brief(node.select)}"
    for partition in node.partitions:
        if not partition:
            return f"a window without PARTITION BY at {_first_window(node)}"
    if not is_scalar(inner):
        return f"a key computed by a window, an aggregate or a subquery at {brief(inner)}"
    for partition in node.partitions:
        if not determined(node, inner, partition):
            return f"PARTITION BY {', '.join(brief(part) for part in partition)}, which does not hold {brief(inner)}"
    if node.group is not None and not determined(node, inner, node.group):
        return f"GROUP BY {', '.join(brief(part) for part in node.group) or '()'}, which does not hold {brief(inner)}"
    return None


def _first_window(block: Block) -> str:
    for projection in block.select.expressions:
        for node in own(projection):
            if isinstance(node, exp.Window) and not node.args.get("partition_by"):
                return brief(node)
    return brief(block.select)
