"""How Spark (4, session time zone UTC) spells the macros that take more than a form (see macros).

Spark has no TIME and no UUID: both are texts, 'HH:MM:SS' and as PostgreSQL writes them.
"""

from __future__ import annotations

from systock.data_warehouse.macro import Builder, Call, text_args


def _parts(args: list[str]) -> str:
    """The text that keys are hashed from (see macros.key_text)."""
    # concat_ws() leaves NULL out, which marks it.
    return "concat_ws('', " + ", ".join(f"CAST(length({a}) AS STRING), ':', {a}" for a in args) + ")"


def _dim_key(call: Call) -> str:
    parts = _parts(text_args(call, "STRING", cast=False))
    return f"GREATEST(CAST(conv(substr(md5({parts}), 1, 15), 16, 10) AS BIGINT), CAST(1 AS BIGINT))"


def _fact_key(call: Call) -> str:
    parts = _parts(text_args(call, "STRING", cast=False))
    groups = ", ".join(f"substr(md5({parts}), {first}, {length})" for first, length in _UUID_GROUPS)
    return f"concat_ws('-', {groups})"


_UUID_GROUPS = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))


def _row_hash(call: Call) -> str:
    return f"md5({_parts(text_args(call, 'STRING', cast=True))})"


def _scaled(whole: str, scale: int) -> str:
    """A whole number of units of 10^-scale as a decimal."""
    return f"CAST(CAST({whole} AS DECIMAL(38, 0)) * {_unit(scale)} AS DECIMAL(18, {scale}))"


def _unit(scale: int) -> str:
    return "1BD" if scale == 0 else f"0.{'0' * (scale - 1)}1BD"


def _rounded(a: str, b: str) -> str:
    """a / b as the nearest whole number, half away from zero; NULL when b is 0. Both decimals: DIV is exact."""
    sign = f"CAST(sign({a}) * sign({b}) AS BIGINT)"
    return f"((2BD * abs({a}) + abs({b})) DIV NULLIF(2BD * abs({b}), 0BD) * {sign})"


def _safe_div(call: Call) -> str:
    # A quotient of decimals is cut at some digit, and would be rounded twice. 12 decimals hold all that is kept anywhere.
    a, b = (f"CAST({sql} AS DECIMAL(38, 12))" for sql in call.args[:2])
    scale = int(call.args[2])
    return _scaled(_rounded(f"({a} * 1{'0' * scale}BD)", b), scale)


def _mul_div(call: Call) -> str:
    a, b, c = (f"CAST(CAST({sql} AS DECIMAL(18, 4)) * 10000BD AS DECIMAL(18, 0))" for sql in call.args)
    return _scaled(_rounded(f"({a} * {b})", c), 4)


def _mul(call: Call) -> str:
    a, b, scale = call.args
    return f"CAST(round({a} * {b}, {scale}) AS DECIMAL(18, {scale}))"


def _hours_between(call: Call) -> str:
    later, earlier = (f"unix_micros(CAST({a} AS TIMESTAMP))" for a in call.args)
    # Whole thousandths of an hour, 3,600,000 microseconds each.
    return _scaled(_rounded(f"CAST({later} - {earlier} AS DECIMAL(20, 0))", "3600000BD"), 3)


def _known(zone: str, constant: str | None, made: str) -> str:
    """NULL for a zone that there is none of, which would stop the query."""
    if constant is not None:
        return made
    return f"CASE WHEN try_to_timestamp('2000-01-01 ' || {zone}, 'yyyy-MM-dd VV') IS NOT NULL THEN {made} END"


def _to_utc(local: str, zone: str, constant: str | None) -> str:
    # Java takes the first of an hour that comes twice; ours is the second, an hour (on Lord Howe half an hour) later.
    wall = f"CAST({local} AS TIMESTAMP)"
    first = f"to_utc_timestamp({wall}, {zone})"
    whens = "".join(
        f"WHEN from_utc_timestamp({first} + INTERVAL '{minutes}' MINUTE, {zone}) = {wall} THEN {first} + INTERVAL '{minutes}' MINUTE "
        for minutes in (60, 30)
    )
    return _known(zone, constant, f"CASE {whens}ELSE {first} END")


def _local(call: Call) -> str:
    return f"from_utc_timestamp(CAST({call.args[0]} AS TIMESTAMP), {call.args[1]})"


def _cutover(text: str) -> str:
    """The span from midnight to a time of day, given as 'HH:MM' or 'HH:MM:SS'."""
    hours, minutes = (f"CAST(substr({text}, {first}, 2) AS INT)" for first in (1, 4))
    seconds = f"COALESCE(CAST(NULLIF(substr({text}, 7), '') AS DECIMAL(8, 6)), 0)"
    return f"make_dt_interval(0, {hours}, {minutes}, {seconds})"


def _utc_to_local(call: Call) -> str:
    return _known(call.args[1], call.literals[1], f"CAST({_local(call)} AS TIMESTAMP_NTZ)")


def _local_to_utc(call: Call) -> str:
    return _to_utc(call.args[0], call.args[1], call.literals[1])


def _business_date(call: Call) -> str:
    return _known(call.args[1], call.literals[1], f"CAST({_local(call)} - {_cutover(call.args[2])} AS DATE)")


def _start_of_business_date(call: Call) -> str:
    local = f"(CAST(CAST({call.args[0]} AS DATE) AS TIMESTAMP) + {_cutover(call.args[2])})"
    return _to_utc(local, call.args[1], call.literals[1])


def _date_spine(call: Call) -> str:
    first, last = (f"CAST({a} AS DATE)" for a in call.args)
    days = f"sequence({first}, {last}, INTERVAL '1' DAY)"
    return f"(SELECT explode(CASE WHEN {first} <= {last} THEN {days} ELSE array() END) AS day)"


def _is_kept(call: Call) -> str:
    known_at, kept_from = call.args
    told = (
        f"'what was known before ' || CAST({kept_from} AS STRING) || ' UTC is not kept in this warehouse: '"
        " || 'systock rebuild --history keeps it, systock query --known-at asks without it'"
    )
    return f"CASE WHEN {known_at} >= {kept_from} THEN TRUE ELSE CAST(raise_error({told}) AS BOOLEAN) END"


#: The spellings by macro.
SPARK: dict[str, Builder] = {
    "dim_key": _dim_key,
    "fact_key": _fact_key,
    "row_hash": _row_hash,
    "is_kept": _is_kept,
    "mul": _mul,
    "safe_div": _safe_div,
    "mul_div": _mul_div,
    "hours_between": _hours_between,
    "date_spine": _date_spine,
    "local_to_utc": _local_to_utc,
    "utc_to_local": _utc_to_local,
    "business_date": _business_date,
    "start_of_business_date": _start_of_business_date,
}
