"""What is not portable because of the types of its operands, rule by rule."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from systock.data_warehouse.expression_types import DECIMALS, DOUBLES, INTEGERS, TEXTS, TIMESTAMPS
from systock.data_warehouse.lint_rules import Finding, Rule, said
from systock.data_warehouse.portable_sql import macro_call

_DOUBLES_ONLY = (
    exp.Sqrt, exp.Ln, exp.Exp, exp.Pow, exp.StddevPop, exp.StddevSamp, exp.VariancePop, exp.Variance, exp.Avg,
)  # fmt: skip


def by_type(node: exp.Expr) -> Iterator[Finding]:
    """What is not portable in one node of a query from expression_types.typed()."""
    rule = _BY_TYPE.get(type(node))
    if rule is not None:
        yield from rule(node)


def _kind(node: exp.Expr | None) -> exp.DType | None:
    if node is None or node.type is None or node.type.this is exp.DType.UNKNOWN:
        return None
    kind = node.type.this
    # A number with a point is a decimal on every engine here, whatever sqlglot calls it.
    if isinstance(node, exp.Literal) and not node.is_string and not str(node.this).isdigit():
        return exp.DType.DECIMAL
    return kind if isinstance(kind, exp.DType) else None


def _is_safe_divisor(node: exp.Expr) -> bool:
    node = node.unnest()
    while isinstance(node, exp.Cast | exp.Neg):
        node = node.this.unnest()
    if isinstance(node, exp.Nullif):
        return True
    return isinstance(node, exp.Literal) and not node.is_string and float(node.this) != 0


def _mul(node: exp.Binary) -> Iterator[Finding]:
    kinds = {_kind(node.left), _kind(node.right)}
    sides = [side.unnest() for side in (node.left, node.right)]
    if any(isinstance(side, exp.Interval) for side in sides):
        if not any(_kind(side) in INTEGERS for side in sides):
            found = f"{said(node)} multiplies an interval by no integer"
            yield found, "Cast the number to integer, or write add_days(d, n)."
    elif not kinds <= INTEGERS | DOUBLES:
        why = "a number with decimals" if kinds & DECIMALS else "numbers of unknown type"
        yield (
            f"{said(node)}: * on {why} has other digits on each engine",
            "Write mul(a, b, scale), or cast both to integer or double precision.",
        )


def _div(node: exp.Binary) -> Iterator[Finding]:
    kinds = {_kind(node.left), _kind(node.right)}
    if kinds <= INTEGERS:
        found = f"{said(node)}: / on integers is a fraction or not, by engine"
        yield found, "Write int_div(a, b) or safe_div(a, b, scale)."
    elif not kinds <= INTEGERS | DOUBLES:
        why = "a number with decimals" if kinds & DECIMALS else "numbers of unknown type"
        yield f"{said(node)}: / on {why} has other digits on each engine", "Write safe_div(a, b, scale)."
    elif not _is_safe_divisor(node.right):
        yield f"{said(node)} may divide by zero: an error or infinity, by engine", "Write a / NULLIF(b, 0)."


def _mod(node: exp.Binary) -> Iterator[Finding]:
    if not _is_safe_divisor(node.right):
        yield f"{said(node)} may divide by zero: an error or NULL, by engine", "Write a % NULLIF(b, 0)."


def _sub(node: exp.Binary) -> Iterator[Finding]:
    left, right = _kind(node.left), _kind(node.right)
    if left is exp.DType.DATE and right is exp.DType.DATE:
        yield f"{said(node)}: date - date is a number or an interval, by engine", "Write date_diff(later, earlier)."
    elif left in TIMESTAMPS and right in TIMESTAMPS | {exp.DType.DATE}:
        yield (
            f"{said(node)} differs between engines",
            "Write CAST(instant_text(a) AS bigint) - CAST(instant_text(b) AS bigint): microseconds.",
        )
    elif exp.DType.TIME in (left, right) and left is not None:
        found = f"{said(node)}: no engine but PostgreSQL takes a time from it"
        yield found, "Write business_date(instant, zone, cutover)."
    else:
        yield from _add(node)


def _add(node: exp.Binary) -> Iterator[Finding]:
    kinds = (_kind(node.left), _kind(node.right))
    if exp.DType.DATE in kinds and any(kind in INTEGERS for kind in kinds):
        sign = "-" if isinstance(node, exp.Sub) else ""
        yield f"{said(node)}: date and integer", f"Write add_days(d, {sign}n)."
    elif exp.DType.TIME in kinds and exp.DType.DATE in kinds:
        yield f"{said(node)}: date + time", "Write start_of_business_date(date, zone, cutover)."


def _double_only(node: exp.Func) -> Iterator[Finding]:
    operands = [node.this, node.expression] if isinstance(node, exp.Pow) else [node.this]
    wrong = [side for side in operands if _kind(side) not in DOUBLES]
    if isinstance(node, exp.Pow):  # a whole exponent is exact everywhere
        wrong = [side for side in wrong if side is node.this or _kind(side) not in INTEGERS]
    if wrong:
        name = node.sql_name().lower()
        exact = ", or safe_div(sum(x), count(x), scale) for an exact one" if isinstance(node, exp.Avg) else ""
        form = f"Write {name}(CAST(x AS double precision)){exact}."
        yield f"{said(node)} is double precision or not, by engine", form


def _round(node: exp.Expr) -> Iterator[Finding]:
    if _kind(node.this) in DOUBLES:
        yield f"{said(node)} rounds a double: ties differ between engines", "Write CAST(x AS numeric(18, 4)) first."


def _typed_cast(node: exp.Expr) -> Iterator[Finding]:
    source, target = _kind(node.this), node.args["to"].this
    if target in INTEGERS and source in DECIMALS | DOUBLES:
        if not isinstance(node.this.unnest(), exp.Round | exp.Floor | exp.Ceil | exp.Trunc | exp.Extract):
            yield f"{said(node)} rounds or cuts, by engine", "Write CAST(round(x, 0) AS bigint), or floor, ceil, trunc."
    elif target in INTEGERS and source in TEXTS and not macro_call(node.this)[0]:
        yield (
            f"{said(node)}: text such as '7.5' is an error or 8, by engine",
            "Write CAST(round(try_number(x), 0) AS bigint); a contract's column does its own strict cast.",
        )
    elif target in TEXTS and source in DOUBLES:
        found = f"{said(node)}: a double has another text on each engine"
        yield found, "Write CAST(CAST(x AS numeric(18, 4)) AS text)."
    elif target in TEXTS and source is exp.DType.TIMESTAMPTZ:
        yield f"{said(node)}: an instant has another text on each engine", "Write instant_text(x)."


def _typed_macro(node: exp.Expr) -> Iterator[Finding]:
    macro, args = macro_call(node)
    if macro is None:
        return
    kinds = [_kind(arg) for arg in args]
    if macro.name in ("dim_key", "fact_key"):
        for arg, kind in zip(args, kinds, strict=True):
            if kind is exp.DType.TIMESTAMPTZ:
                yield f"{said(arg)} in {macro.name}() is an instant", f"Write instant_text({said(arg)})."
            elif kind is not None and kind not in TEXTS | {exp.DType.NULL}:
                yield f"{said(arg)} in {macro.name}() is no text", f"Write CAST({said(arg)} AS text)."
    elif macro.name == "row_hash" and any(kind in DOUBLES for kind in kinds):
        yield f"{said(node)} hashes a double", "Cast it to numeric first."
    elif macro.name in ("mul", "safe_div") and any(kind in DOUBLES for kind in kinds[:2]):
        yield f"{said(node)} takes a double: ties differ by engine", "Cast it to numeric first, or use * and /."
    elif macro.name == "int_div" and any(kind is not None and kind not in INTEGERS for kind in kinds):
        yield f"{said(node)} takes a number that is no integer", "Write safe_div(a, b, scale)."


_BY_TYPE: dict[type[exp.Expr], Rule] = {
    exp.Mul: _mul, exp.Div: _div, exp.Mod: _mod, exp.Sub: _sub, exp.Add: _add, exp.Round: _round, exp.Cast: _typed_cast,
    exp.Anonymous: _typed_macro, **dict.fromkeys(_DOUBLES_ONLY, _double_only),
}  # fmt: skip
