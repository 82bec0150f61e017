"""What is not portable by its form, rule by rule, whatever the types of its operands.

A rule yields what it found and the portable form. Everything that is not on the list of portable functions is found
too, so a function that nobody has tried on all engines cannot slip in.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from typing import Any

from sqlglot import exp

from systock.data_warehouse.macros import MACROS
from systock.data_warehouse.portable_sql import PortableSql, literal, macro_call
from systock.data_warehouse.table_file import canonical_type
from systock.errors import DefinitionError

Finding = tuple[str, str]
Rule = Callable[[Any], Iterator[Finding]]

# Functions that agree on DuckDB, PostgreSQL and Spark, by the class sqlglot reads them into; "" = plain syntax.
# Some only with conditions, which the rules below state.
PORTABLE: dict[type[exp.Expr], str] = {
    exp.Abs: "abs", exp.Avg: "avg", exp.Case: "", exp.Cast: "cast", exp.Ceil: "ceil", exp.Coalesce: "coalesce",
    exp.Count: "count", exp.CumeDist: "cume_dist", exp.DenseRank: "dense_rank", exp.Exists: "exists", exp.Exp: "exp",
    exp.Extract: "extract", exp.FirstValue: "first_value", exp.Floor: "floor", exp.Greatest: "greatest",
    exp.GroupConcat: "string_agg", exp.Grouping: "grouping", exp.If: "", exp.Lag: "lag", exp.LastValue: "last_value",
    exp.Lead: "lead", exp.Least: "least", exp.Left: "left", exp.Length: "length", exp.Ln: "ln",
    exp.LogicalAnd: "bool_and", exp.LogicalOr: "bool_or", exp.MD5: "md5", exp.Max: "max", exp.Min: "min",
    exp.Ntile: "ntile", exp.Nullif: "nullif", exp.Pad: "lpad", exp.PercentRank: "percent_rank", exp.Pow: "power",
    exp.Rank: "rank", exp.RegexpLike: "", exp.RegexpReplace: "regexp_replace", exp.Repeat: "repeat",
    exp.Reverse: "reverse", exp.Right: "right", exp.Round: "round", exp.RowNumber: "row_number", exp.Sign: "sign",
    exp.SplitPart: "split_part", exp.Sqrt: "sqrt", exp.StartsWith: "starts_with", exp.StddevPop: "stddev_pop",
    exp.StddevSamp: "stddev_samp", exp.StrPosition: "strpos", exp.Substring: "substring", exp.Sum: "sum",
    exp.TimestampTrunc: "date_trunc", exp.Translate: "translate", exp.Trim: "trim", exp.Trunc: "trunc",
    exp.VariancePop: "var_pop", exp.Variance: "var_samp", exp.And: "", exp.Or: "",
    exp.Replace: "replace",
}  # fmt: skip
PORTABLE_BY_NAME = frozenset({"make_date"})

# What people write by habit, and what to write here. By class, by name, or by the part of extract().
_PLAIN_TIME = "Time is a parameter: read it from a column, such as that of a snapshot or of meta.project."
_INSTEAD: dict[type[exp.Expr], str] = {
    exp.CurrentTimestamp: _PLAIN_TIME, exp.CurrentDate: _PLAIN_TIME, exp.CurrentTime: _PLAIN_TIME,
    exp.Localtimestamp: _PLAIN_TIME, exp.Localtime: _PLAIN_TIME, exp.CurrentDatetime: _PLAIN_TIME,
    exp.Upper: "Write upper_ascii(x).", exp.Lower: "Write lower_ascii(x).", exp.Initcap: "Write upper_ascii(x).",
    exp.ILike: "Write lower_ascii(x) LIKE 'pattern in small letters'.",
    exp.RegexpILike: "Write lower_ascii(x) ~ 'pattern in small letters'.",
    exp.Concat: "Write a || b, with COALESCE(x, '') where NULL shall count as empty.",
    exp.ConcatWs: "Write a || ', ' || b: concat_ws drops NULLs.",
    exp.SimilarTo: "Write x ~ '^(pattern)$'.",
    exp.SHA: "Write md5(x), row_hash(…), dim_key(…) or fact_key(…).",
    exp.SHA2: "Write md5(x), row_hash(…), dim_key(…) or fact_key(…).",
    exp.SHA2Digest: "Write md5(x), row_hash(…), dim_key(…) or fact_key(…).",
    exp.TimeToStr: "Write day_name_en(d), month_name_en(d), or CAST(d AS text) for an ISO date.",
    exp.StrToDate: "Write CAST(iso_date(x, '%d/%m/%Y') AS date).",
    exp.StrToTime: "Write CAST(iso_timestamp(x, '%d/%m/%Y %H:%M') AS timestamp).",
    exp.UnixToTime: "Write instant_of_epoch(seconds).",
    exp.GenerateSeries: "Write FROM date_spine(first, last) AS spine.",
    exp.ExplodingGenerateSeries: "Write FROM date_spine(first, last) AS spine.",
    exp.TryCast: "Write try_number(x), or let the contract's own cast set the row aside.",
    exp.AtTimeZone: "Write local_to_utc(ts, zone) or utc_to_local(instant, zone).",
    exp.DateAdd: "Write add_days(d, n) or d + INTERVAL '1 month'.",
    exp.DateSub: "Write add_days(d, -n) or d - INTERVAL '1 month'.",
    exp.TsOrDsAdd: "Write add_days(d, n).", exp.DateDiff: "Write date_diff(later, earlier).",
    exp.PercentileCont: "Write quantile(x, share).", exp.PercentileDisc: "Write quantile(x, share).",
    exp.Quantile: "Write quantile(x, share).", exp.Median: "Write quantile(x, 0.5).",
    exp.WithinGroup: "Write quantile(x, share).", exp.IntDiv: "Write int_div(a, b).",
    exp.AnyValue: "Write min(x) or max(x).", exp.ArgMax: "Write a CTE with row_number() OVER (… ORDER BY …) = 1.",
    exp.ArgMin: "Write a CTE with row_number() OVER (… ORDER BY …) = 1.",
    exp.Stddev: "Write stddev_samp(x).", exp.Log: "Write ln(x) / ln(base).",
    exp.ArrayAgg: "Write string_agg(x, ',' ORDER BY x), or one row per element.",
    exp.Explode: "Write one row per element: FROM (VALUES (…), (…)) AS name (column), or split in the source.",
    exp.Array: "Write one row per element.", exp.Bracket: "Write split_part(x, ',', n).",
    exp.Rand: "Nothing here may depend on chance.", exp.Uuid: "Write fact_key(…).",
    exp.MakeInterval: "Write INTERVAL '1 day' or add_days(d, n).",
    exp.JSONExtract: "Write json_get(x, 'a.b.0').", exp.JSONExtractScalar: "Write json_get(x, 'a.b.0').",
    exp.JSONBExtract: "Write json_get(x, 'a.b.0').", exp.JSONBExtractScalar: "Write json_get(x, 'a.b.0').",
    exp.JSONBContains: "Write json_get(x, 'a.b.0') = 'value'.", exp.ParseJSON: "Write json_get(x, 'a.b.0').",
    exp.TableSample: "Nothing here may depend on chance.",
    exp.Overlaps: "Write a.from_at < b.to_at AND b.from_at < a.to_at.",
    exp.Collate: "Leave it away: text sorts by its bytes.",
    exp.BitwiseAnd: "Write it with comparisons.", exp.BitwiseOr: "Write it with comparisons.",
    exp.BitwiseXor: "Write it with comparisons.", exp.BitwiseNot: "Write it with comparisons.",
    exp.BitwiseLeftShift: "Write it with comparisons.", exp.BitwiseRightShift: "Write it with comparisons.",
    exp.Parameter: "Read the value from a table.", exp.Placeholder: "Read the value from a table.",
    exp.Struct: "Write one column per value.", exp.Lambda: "Write it in plain SQL.",
}  # fmt: skip
_INSTEAD_BY_NAME = {
    "age": "Write date_diff(later, earlier).", "clock_timestamp": _PLAIN_TIME, "statement_timestamp": _PLAIN_TIME,
    "transaction_timestamp": _PLAIN_TIME, "timezone": _INSTEAD[exp.AtTimeZone], "every": "Write bool_and(x).",
    "json_extract_path_text": "Write json_get(x, 'a.b.0').", "strftime": _INSTEAD[exp.TimeToStr],
    "row": "Write (a, b).",
}  # fmt: skip
_PARTS = frozenset({"year", "quarter", "month", "day", "hour", "minute", "doy", "dayofyear"})
_PARTS_INSTEAD = {
    "dow": "Write iso_day_of_week(d): 1 = Monday.", "dayofweek": "Write iso_day_of_week(d): 1 = Monday.",
    "isodow": "Write iso_day_of_week(d).", "dayofweekiso": "Write iso_day_of_week(d).", "week": "Write iso_week(d).",
    "isoyear": "Write iso_year(d).", "yearofweekiso": "Write iso_year(d).",
    "epoch": "Write instant_text(x), or date_diff(later, earlier) for days.",
}  # fmt: skip
_TRUNC = frozenset({"year", "quarter", "month", "week", "day", "hour", "minute", "second"})
_NEED_ORDER = (
    exp.RowNumber, exp.Rank, exp.DenseRank, exp.Ntile, exp.PercentRank, exp.CumeDist, exp.Lag, exp.Lead, exp.FirstValue,
    exp.LastValue, exp.NthValue,
)  # fmt: skip


def by_form(node: exp.Expr) -> Iterator[Finding]:
    """What is not portable in one node, whatever the types."""
    special = _SPECIAL.get(type(node))
    if special is not None:
        yield from special(node)
    elif type(node) in _INSTEAD:
        yield f"{said(node)} is not portable", _INSTEAD[type(node)]
    elif isinstance(node, exp.Anonymous):
        yield from _function(node)
    elif isinstance(node, exp.Func) and type(node) not in PORTABLE:
        yield _unknown(node.sql_name().lower())


def said(node: exp.Expr) -> str:
    """The SQL of a node, cut to what a message can hold."""
    text = " ".join(node.sql(dialect=PortableSql, comments=False).split())
    return text if len(text) <= 60 else text[:57] + "..."


def _unknown(name: str) -> Finding:
    names = sorted({*PORTABLE.values(), *PORTABLE_BY_NAME, *MACROS} - {""})
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    return (
        f"{name}() is no portable function",
        f"Did you mean {' or '.join(close)}?" if close else f"Portable are: {', '.join(names)}.",
    )


def _function(node: exp.Expr) -> Iterator[Finding]:
    name = node.name.lower()
    macro, args = macro_call(node)
    if macro is not None:
        try:
            macro.check([literal(arg) for arg in args])
        except DefinitionError as error:
            yield error.what, error.todo or ""
        in_from = isinstance(node.parent, exp.Table | exp.Lateral)
        if (macro.returns == "table") != in_from:
            form = f"FROM {macro.name}(…) AS spine" if macro.returns == "table" else f"SELECT {macro.name}(…)"
            yield f"{macro.name}() stands where it cannot", f"Write {form}."
        elif isinstance(node.parent, exp.Table) and any(arg.find(exp.Column) for arg in args):
            yield f"{said(node)} reads columns", f"Write CROSS JOIN LATERAL {macro.signature()} AS spine."
    elif name in _INSTEAD_BY_NAME:
        yield f"{said(node)} is not portable", _INSTEAD_BY_NAME[name]
    elif name not in PORTABLE_BY_NAME:
        yield _unknown(name)


def _star(node: exp.Expr) -> Iterator[Finding]:
    parent = node.parent
    if isinstance(parent, exp.Column):
        parent = parent.parent
    if not isinstance(parent, exp.Count):
        yield "SELECT * changes with its inputs", "Name the columns; in EXISTS write SELECT 1."


def _window(node: exp.Expr) -> Iterator[Finding]:
    function = node.this
    while isinstance(function, exp.IgnoreNulls | exp.RespectNulls | exp.Filter):
        if not isinstance(function, exp.Filter):
            yield f"{said(function)} is not portable", "Filter or fill the NULLs in a CTE first."
        function = function.this
    if isinstance(function, _NEED_ORDER) and not node.args.get("order") and not node.args.get("alias"):
        name = function.sql_name().lower()
        yield f"{name}() without ORDER BY picks any order", f"Write {name}() OVER (… ORDER BY …), down to a unique key."
    spec = node.args.get("spec")
    kind = spec.args.get("kind") if spec is not None else None
    if (
        spec is not None
        and kind not in (None, "ROWS")
        and any(isinstance(spec.args.get(end), exp.Expr) for end in ("start", "end"))
    ):
        yield f"a {kind} frame with an offset is not portable", "Write a ROWS frame, or a join on the range."


def _extract(node: exp.Expr) -> Iterator[Finding]:
    part = node.this.name.lower()
    if part == "second":
        if not isinstance(node.parent, exp.Floor):
            yield "extract(second FROM …) has a fraction or not, by engine", "Write floor(extract(second FROM x))."
    elif part not in _PARTS:
        form = _PARTS_INSTEAD.get(part, f"Extract one of: {', '.join(sorted(_PARTS - {'dayofyear'}))}.")
        yield f"extract({part} FROM …) differs between engines", form


def _date_trunc(node: exp.Expr) -> Iterator[Finding]:
    unit = node.args["unit"].name.lower()
    if unit not in _TRUNC:
        yield f"date_trunc('{unit}', …) is not portable", f"Truncate to one of: {', '.join(sorted(_TRUNC))}."


def _regexp_replace(node: exp.Expr) -> Iterator[Finding]:
    modifiers, new = node.args.get("modifiers"), node.args.get("replacement")
    if modifiers is None or modifiers.name != "g":
        yield "regexp_replace without 'g' replaces once or always, by engine", "Write regexp_replace(x, 'a', 'b', 'g')."
    if isinstance(new, exp.Literal) and "\\" in new.this:
        yield "a back-reference in regexp_replace is not portable", "Use split_part, substring or two replacements."


def _side(node: exp.Expr) -> Iterator[Finding]:
    if isinstance(node.expression, exp.Neg):
        yield f"{said(node)} has a negative length", "Write substring(x, 1, length(x) - n) or substring(x, n + 1)."


def _substring(node: exp.Expr) -> Iterator[Finding]:
    start = node.args.get("start")
    if isinstance(start, exp.Literal) and start.is_string:
        yield "substring with a pattern is not portable", "Use split_part or regexp_replace(x, 'a', '', 'g')."


def _string_agg(node: exp.Expr) -> Iterator[Finding]:
    if not node.find(exp.Order):
        yield "string_agg without ORDER BY picks any order", "Write string_agg(x, ', ' ORDER BY x)."


def _select(node: exp.Expr) -> Iterator[Finding]:
    distinct = node.args.get("distinct")
    order = node.args.get("order")
    if distinct is not None and distinct.args.get("on") is not None and order is None:
        yield "DISTINCT ON without ORDER BY keeps any row", "Add ORDER BY, beginning with the same columns."
    if (node.args.get("limit") or node.args.get("offset")) and order is None:
        yield "LIMIT without ORDER BY keeps any rows", "Add ORDER BY, down to a unique key."
    if node.args.get("qualify"):
        yield "QUALIFY is not portable", "Put the window in a CTE and filter it in the next."
    group = node.args.get("group")
    if group is not None and group.args.get("all"):
        yield "GROUP BY ALL is not portable", "Name the columns."


def _set_operation(node: exp.Expr) -> Iterator[Finding]:
    if node.args.get("by_name"):
        yield "UNION BY NAME is not portable", "Name the columns in the same order on both sides."


def _join(node: exp.Expr) -> Iterator[Finding]:
    if node.args.get("method") == "NATURAL":
        yield "NATURAL JOIN changes with its inputs", "Write JOIN … USING (columns) or ON."
    elif (node.args.get("method") or "").upper() in ("ASOF", "POSITIONAL"):
        yield f"{node.args['method']} JOIN is not portable", "Write a join on the range, or a window."
    elif (node.args.get("kind") or "").upper() in ("SEMI", "ANTI"):
        yield f"{node.args['kind']} JOIN is not portable", "Write EXISTS or NOT EXISTS."


def _cast(node: exp.Expr) -> Iterator[Finding]:
    target = node.args["to"]
    try:
        canonical_type(target)
    except ValueError as error:
        if target.this is not exp.DType.INTERVAL:
            yield f"{said(node)} uses a type that is not portable", str(error)
        else:
            yield f"{said(node)} is not portable", "Write INTERVAL '1 day' or add_days(d, n)."
    source = node.this
    if isinstance(source, exp.Literal) and source.is_string and source.this.lower().startswith(("0x", "0b")):
        yield f"{said(node)} is not portable", "Write the number in decimal."


def _interval(node: exp.Expr) -> Iterator[Finding]:
    if node.this is not None and not isinstance(node.this, exp.Literal):
        yield f"{said(node)} is not portable", "Write a constant such as INTERVAL '1 month', or add_days(d, n)."


_SPECIAL: dict[type[exp.Expr], Rule] = {
    exp.Star: _star, exp.Window: _window, exp.Extract: _extract, exp.TimestampTrunc: _date_trunc, exp.Left: _side,
    exp.Right: _side, exp.RegexpReplace: _regexp_replace, exp.Substring: _substring, exp.GroupConcat: _string_agg,
    exp.Select: _select, exp.Join: _join, exp.Cast: _cast, exp.Interval: _interval, exp.Union: _set_operation,
    exp.Except: _set_operation, exp.Intersect: _set_operation,
}  # fmt: skip
