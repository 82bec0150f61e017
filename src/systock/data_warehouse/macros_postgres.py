"""How PostgreSQL spells the macros that take more than a form (see macros)."""

from __future__ import annotations

from systock.data_warehouse.macro import Builder, Call, parts_concat, text_args


def _dim_key(call: Call) -> str:
    parts = parts_concat(text_args(call, "text", cast=False))
    return f"GREATEST(CAST(CAST('x' || substr(md5({parts}), 1, 15) AS bit(60)) AS bigint), 1)"


def _mul_div(call: Call) -> str:
    a, b, c = (f"CAST({sql} AS numeric)" for sql in call.args)
    return f"CAST(round(div({a} * {b} * 1e5, NULLIF({c}, 0)) * 1e-5, 4) AS numeric(18, 4))"


def _mul(call: Call) -> str:
    a, b, scale = call.args
    return f"CAST(round(CAST({a} AS numeric) * CAST({b} AS numeric), {scale}) AS numeric(18, {scale}))"


def _safe_div(call: Call) -> str:
    # numeric / numeric stops at 16 significant digits or so and rounds there; div() is exact on whole numbers.
    a, b, scale = f"CAST({call.args[0]} AS numeric)", f"CAST({call.args[1]} AS numeric)", int(call.args[2])
    return f"CAST(round(div({a} * 1e{scale + 1}, NULLIF({b}, 0)) * 1e-{scale + 1}, {scale}) AS numeric(18, {scale}))"


def _in_zone(value: str, zone: str, literal: str | None) -> str:
    if literal is not None:
        return f"timezone({zone}, {value})"
    return f"CASE WHEN {zone} IN (SELECT name FROM pg_timezone_names) THEN timezone({zone}, {value}) END"


def _local_to_utc(call: Call) -> str:
    return _in_zone(f"CAST({call.args[0]} AS timestamp)", call.args[1], call.literals[1])


def _utc_to_local(call: Call) -> str:
    return _in_zone(f"CAST({call.args[0]} AS timestamptz)", call.args[1], call.literals[1])


def _business_date(call: Call) -> str:
    return f"CAST(({_utc_to_local(call)}) - CAST({call.args[2]} AS time) AS date)"


def _start_of_business_date(call: Call) -> str:
    local = f"(CAST({call.args[0]} AS date) + CAST({call.args[2]} AS time))"
    return _in_zone(local, call.args[1], call.literals[1])


def _date_spine(call: Call) -> str:
    first, last = (f"CAST(CAST({a} AS date) AS timestamp)" for a in call.args)
    return f"(SELECT CAST(step AS date) AS day FROM generate_series({first}, {last}, INTERVAL '1 day') AS step)"


def _instant_of_epoch(call: Call) -> str:
    # to_timestamp() takes a double; days and microseconds are whole numbers, so that nothing is lost.
    micros = f"CAST(round(CAST({call.args[0]} AS numeric) * 1000000, 0) AS bigint)"
    return f"(TIMESTAMPTZ '1970-01-01 00:00:00+00' + {micros} * INTERVAL '1 microsecond')"


# Longer texts and larger exponents would be refused instead of being no number that fits.
_BLANK = r"[ \t\n\r\f\v]*"
_NUMBER = rf"^{_BLANK}[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{{1,3}})?{_BLANK}$"


def _try_number(call: Call) -> str:
    text = call.args[0]
    number = f"CAST({text} AS numeric)"
    return (
        f"CASE WHEN {text} ~ '{_NUMBER}' AND length({text}) < 1000 THEN "
        f"CASE WHEN abs(round({number}, 10)) < 1e28 THEN CAST({number} AS numeric(38, 10)) END END"
    )


#: The spellings by macro.
POSTGRES: dict[str, Builder] = {
    "dim_key": _dim_key,
    "mul_div": _mul_div,
    "mul": _mul,
    "safe_div": _safe_div,
    "local_to_utc": _local_to_utc,
    "utc_to_local": _utc_to_local,
    "business_date": _business_date,
    "start_of_business_date": _start_of_business_date,
    "date_spine": _date_spine,
    "instant_of_epoch": _instant_of_epoch,
    "try_number": _try_number,
}
