"""The portable functions of table files and mappings, spelled once per engine: the only place where engines differ.

Every builder returns SQL text. Arguments arrive as SQL text already written for the engine, in parentheses where
they need some. DuckDB evaluates an argument once per place it stands in a spelling (the optimizer that would share
them is off), so an expensive argument, above all a macro inside a macro, belongs in a CTE of its own.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence

from systock.data_warehouse.macro import Builder, Call, Macro, form, parts_concat, text_args
from systock.data_warehouse.macros_postgres import POSTGRES
from systock.data_warehouse.macros_spark import SPARK
from systock.errors import DefinitionError
from systock.sql_text import literal

# --- keys ------------------------------------------------------------------------------------------------------------


def key_text(*parts: str | None) -> str:
    """The text that keys are hashed from: per part its length in characters, ':' and itself; of NULL the ':' alone."""
    return "".join(":" if part is None else f"{len(part)}:{part}" for part in parts)


def dim_key_of(*parts: str | None) -> int:
    """What dim_key(...) gives in SQL: the first 60 bits of md5 over key_text, never 0."""
    return max(int(hashlib.md5(key_text(*parts).encode(), usedforsecurity=False).hexdigest()[:15], 16), 1)


def fact_key_of(*parts: str | None) -> uuid.UUID:
    """What fact_key(...) gives in SQL: md5 over key_text as a uuid."""
    return uuid.UUID(hashlib.md5(key_text(*parts).encode(), usedforsecurity=False).hexdigest())


def _dim_key_duckdb(call: Call) -> str:
    parts = parts_concat(text_args(call, "VARCHAR", cast=False))
    return f"GREATEST(CAST('0x' || substr(md5({parts}), 1, 15) AS BIGINT), 1)"


def _fact_key(text_type: str) -> Builder:
    return lambda call: f"CAST(md5({parts_concat(text_args(call, text_type, cast=False))}) AS uuid)"


def _row_hash(text_type: str) -> Builder:
    return lambda call: f"md5({parts_concat(text_args(call, text_type, cast=True))})"


# --- decimal arithmetic ----------------------------------------------------------------------------------------------


_SCALE = r",(\d+)"


def _scale_of(sql: str, otherwise: str) -> str:
    # typeof() is a constant once the query is bound, so all of this folds away before a row is read.
    return f"COALESCE(TRY_CAST(regexp_extract(typeof({sql}), '{_SCALE}', 1) AS INTEGER), {otherwise})"


def _surely_rounds(units: str) -> str:
    # Two decimals taken as doubles, multiplied or divided, and scaled are off by at most 3 * 2^-52 of the result. So
    # where the result is further from a tie than that, rounding the double is rounding the exact result.
    return f"abs({units} - round({units})) + abs({units}) * 1e-15 < 0.4999"


def _mul_duckdb(call: Call) -> str:
    # DuckDB keeps a product of two numeric(18, …) at 18 digits and fails beyond them, and rescaling a 38-digit product
    # takes two microseconds. So: 18 digits where the double says that the product surely fits, else the double where it
    # surely rounds right, else 38 digits. All three round half away from zero.
    a, b, scale = call.args
    double = f"(CAST({a} AS DOUBLE) * CAST({b} AS DOUBLE))"
    return (
        f"CASE WHEN abs({double}) < 0.9 * pow(10, 18 - {_scale_of(f'{a} * {b}', '400')}) "
        f"THEN CAST({a} * {b} AS DECIMAL(18, {scale})) "
        f"WHEN {_surely_rounds(f'({double} * 1e{scale})')} THEN CAST({double} AS DECIMAL(18, {scale})) "
        f"ELSE CAST({a} * CAST(1 AS DECIMAL(38, 0)) * {b} AS DECIMAL(18, {scale})) END"
    )


def _safe_div_duckdb(call: Call) -> str:
    # DuckDB divides decimals as doubles. Where that is not surely right, whole numbers are divided, with one digit more
    # that the last cast rounds. A double as operand has no scale: 8 decimals are the finest kept anywhere.
    a, b, scale = call.args[0], call.args[1], int(call.args[2])
    double = f"(CAST({a} AS DOUBLE) / NULLIF(CAST({b} AS DOUBLE), 0))"
    scale_a, scale_b = (
        _scale_of(sql, f"CASE WHEN typeof({sql}) IN ('DOUBLE', 'FLOAT') THEN 8 ELSE 0 END") for sql in (a, b)
    )
    shift = f"GREATEST({scale_b} + {scale + 1}, {scale_a})"

    def whole(sql: str, power: str) -> str:
        return f"CAST({sql} * CAST(pow(10, {power}) AS DECIMAL(38, 0)) AS HUGEINT)"

    quotient = f"CAST({whole(a, shift)} // NULLIF({whole(b, f'{shift} - {scale + 1}')}, 0) AS DECIMAL(38, 0))"
    unit = "0." + "0" * scale + "1"
    return (
        f"CASE WHEN {_surely_rounds(f'({double} * 1e{scale})')} THEN CAST({double} AS DECIMAL(18, {scale})) "
        f"ELSE CAST({quotient} * CAST({unit} AS DECIMAL(38, {scale + 1})) AS DECIMAL(18, {scale})) END"
    )


def _mul_div_duckdb(call: Call) -> str:
    a, b, c = (f"CAST(CAST({sql} AS DECIMAL(38, 4)) * 10000 AS HUGEINT)" for sql in call.args)
    # Whole ten-thousandths: the product has at most 36 digits, twice that still fits into a HUGEINT.
    halves = f"(2 * abs({a} * {b}) + abs({c})) // NULLIF(2 * abs({c}), 0) * sign({a}) * sign({b}) * sign({c})"
    return f"CAST(CAST({halves} AS DECIMAL(38, 0)) * CAST(0.0001 AS DECIMAL(5, 4)) AS DECIMAL(18, 4))"


# --- time ------------------------------------------------------------------------------------------------------------


#: The zones of the IANA time zone database that are named without a region (its files "backward" and "etcetera").
_WITHOUT_REGION = (
    "CET", "CST6CDT", "Cuba", "EET", "EST", "EST5EDT", "Egypt", "Eire", "GB", "GB-Eire", "GMT", "GMT+0", "GMT-0", "GMT0", "Greenwich",
    "HST", "Hongkong", "Iceland", "Iran", "Israel", "Jamaica", "Japan", "Kwajalein", "Libya", "MET", "MST", "MST7MDT", "NZ", "NZ-CHAT",
    "Navajo", "PRC", "PST8PDT", "Poland", "Portugal", "ROC", "ROK", "Singapore", "Turkey", "UCT", "UTC", "Universal", "W-SU", "WET", "Zulu",
)  # fmt: skip


def known_zone(zone: str) -> str:
    """DuckDB's condition that a text is the name of a time zone of the IANA database; NULL or false for all others.

    DuckDB also takes abbreviations, of which each names one zone of many (its BST is Dhaka's), and offsets like UTC+2, which
    PostgreSQL reads the other way round. An unknown zone stops the whole query, even inside TRY: %Z tells without stopping.
    """
    named = f"(contains({zone}, '/') AND NOT starts_with({zone}, 'SystemV/') OR {zone} IN ({', '.join(map(literal, _WITHOUT_REGION))}))"
    return f"{named} AND try_strptime('2000-01-01 ' || {zone}, '%Y-%m-%d %Z') IS NOT NULL AND trim({zone}) = {zone}"


def _in_zone_duckdb(value: str, call: Call) -> str:
    zone = call.args[1]
    if call.literals[1] is not None:
        return f"timezone({zone}, {value})"
    if call.zones_defined:
        return f"in_zone({value}, {zone})"
    return f"CASE WHEN {known_zone(zone)} THEN timezone({zone}, {value}) END"


def define_zones(zones: Sequence[str]) -> str:
    """The statement that defines in_zone, which SQL compiled with zones_defined calls, for DuckDB and its connection.

    zones: the time zones in use, which it is fast for: timezone() with a constant zone takes a sixth of the time that it
    takes with a column, hence a branch for each. For all other zones it says the same as without it.
    """
    whens = "".join(f"WHEN {literal(name)} THEN timezone({literal(name)}, moment) " for name in zones)
    otherwise = _in_zone_duckdb("moment", Call(("moment", "zone"), (None, None)))
    made = f"CASE zone {whens}ELSE {otherwise} END" if whens else otherwise
    return f"CREATE OR REPLACE TEMP MACRO in_zone(moment, zone) AS {made}"


def _local_to_utc_duckdb(call: Call) -> str:
    return _in_zone_duckdb(f"CAST({call.args[0]} AS TIMESTAMP)", call)


def _utc_to_local_duckdb(call: Call) -> str:
    if call.literals[1] == "UTC":  # without a calendar's rules, which take over twenty times as long
        return f"make_timestamp(epoch_us(CAST({call.args[0]} AS TIMESTAMPTZ)))"
    return _in_zone_duckdb(f"CAST({call.args[0]} AS TIMESTAMPTZ)", call)


def _business_date_duckdb(call: Call) -> str:
    local = _in_zone_duckdb(f"CAST({call.args[0]} AS TIMESTAMPTZ)", call)
    return f"CAST(({local}) - to_microseconds(epoch_us(CAST({call.args[2]} AS TIME))) AS DATE)"


def _start_of_business_date_duckdb(call: Call) -> str:
    local = f"(CAST({call.args[0]} AS DATE) + CAST({call.args[2]} AS TIME))"
    return _in_zone_duckdb(local, call)


def _hours_between_duckdb(call: Call) -> str:
    # Whole thousandths of an hour, 3,600,000 microseconds each.
    later, earlier = (f"epoch_us(CAST({a} AS TIMESTAMPTZ))" for a in call.args)
    halves = f"(2 * abs({later} - {earlier}) + 3600000) // 7200000 * sign({later} - {earlier})"
    return f"CAST(CAST({halves} AS DECIMAL(18, 0)) * CAST(0.001 AS DECIMAL(3, 3)) AS DECIMAL(18, 3))"


def _date_spine_duckdb(call: Call) -> str:
    first, last = (f"CAST({a} AS DATE)" for a in call.args)
    return f"(SELECT CAST(unnest(generate_series({first}, {last}, INTERVAL 1 DAY)) AS DATE) AS day)"


def _iso(call: Call, text: str) -> str:
    # Years below 1000 come from two-digit years read by %Y: not parsed, rather than in the year 24.
    parsed = f"try_strptime({call.args[0]}, {call.args[1]})"
    return f"CASE WHEN {parsed} >= TIMESTAMP '1000-01-01' THEN {text.format(parsed)} ELSE {call.args[0]} END"


# --- text ------------------------------------------------------------------------------------------------------------

_LOWER, _UPPER = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _ascii_case_duckdb(function: str, old: str, new: str) -> Builder:
    # translate() is thirty times as slow as upper(), which does the same where every character is one byte.
    return lambda call: (
        f"CASE WHEN strlen({call.args[0]}) = length({call.args[0]}) THEN {function}({call.args[0]}) "
        f"ELSE translate({call.args[0]}, '{old}', '{new}') END"
    )


def _translate(old: str, new: str) -> Builder:
    return lambda call: f"translate({call.args[0]}, '{old}', '{new}')"


def _try_number_duckdb(call: Call) -> str:
    # Reading 38 digits takes ten times as long as 18, which hold all numbers below 100 million.
    text = call.args[0]
    small, large = (f"TRY_CAST({text} AS DECIMAL({digits}, 10))" for digits in (18, 38))
    number = f"COALESCE(CAST({small} AS DECIMAL(38, 10)), {large})"
    # DuckDB takes 1_000 as a number, and as a decimal a sign before blanks.
    return f"CASE WHEN NOT contains({text}, '_') AND TRY_CAST({text} AS DOUBLE) IS NOT NULL THEN {number} END"


def _json_get_duckdb(call: Call) -> str:
    steps = (call.literals[1] or "").split(".")
    if not all(steps):
        raise DefinitionError(
            f"json_get() got the path {call.literals[1]!r}", todo="Write names and positions with dots: 'lines.0.sku'."
        )
    pointer = "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)
    return f"TRY(json_extract_string({call.args[0]}, {literal(pointer)}))"


# --- the table -------------------------------------------------------------------------------------------------------


# Evaluated only where it is needed: it hangs on a column.
_NOT_KEPT = (
    "'what was known before ' || CAST({1} AT TIME ZONE 'UTC' AS VARCHAR) || ' UTC is not kept in this warehouse: '"
    " || 'systock rebuild --history keeps it, systock query --known-at asks without it'"
)


_ALL = [
    Macro("dim_key", "text, text, ...", "bigint", "key of a dimension row: 60 bits of md5, never 0", 1, None,
          {"duckdb": _dim_key_duckdb, "postgres": POSTGRES["dim_key"], "spark": SPARK["dim_key"]}),
    Macro("fact_key", "text, text, ...", "uuid", "key of a fact row: md5 as uuid", 1, None,
          {"duckdb": _fact_key("VARCHAR"), "postgres": _fact_key("text"), "spark": SPARK["fact_key"]}),
    Macro("row_hash", "value, value, ...", "text", "md5 over parts of any type", 1, None,
          {"duckdb": _row_hash("VARCHAR"), "postgres": _row_hash("text"), "spark": SPARK["row_hash"]}),
    Macro("is_kept", "known_at, history_from_at", "boolean",
          "TRUE where the tables of versions tell a state of knowledge; else the query stops and says so", 2, 2,
          {"duckdb": form(f"CASE WHEN {{0}} >= {{1}} THEN TRUE ELSE CAST(error({_NOT_KEPT}) AS BOOLEAN) END"),
           # A function of the server's (see postgres_schema): nothing in SQL itself raises an error of one's own words.
           "postgres": form('"meta"."is_kept"({0}, {1})'),
           "spark": SPARK["is_kept"]}),
    Macro("instant_text", "timestamptz", "text", "an instant as microseconds since 1970, for keys", 1, 1,
          {"duckdb": form("CAST(epoch_us(CAST({0} AS TIMESTAMPTZ)) AS VARCHAR)"),
           "postgres": form("CAST(CAST(extract(epoch FROM CAST({0} AS timestamptz)) * 1000000 AS bigint) AS text)"),
           "spark": form("CAST(unix_micros(CAST({0} AS TIMESTAMP)) AS STRING)")}),
    Macro("instant_of_epoch", "seconds", "timestamptz", "the instant so many seconds (with decimals) after 1970", 1, 1,
          {"duckdb": form("make_timestamptz(CAST(round({0} * 1000000, 0) AS BIGINT))"),
           "postgres": POSTGRES["instant_of_epoch"],
           "spark": form("timestamp_micros(CAST(round({0} * 1000000, 0) AS BIGINT))")}),
    Macro("mul", "a, b, scale", "scale", "product as numeric(18, scale), rounded half away from zero", 3, 3,
          {"duckdb": _mul_duckdb, "postgres": POSTGRES["mul"], "spark": SPARK["mul"]}, literal=(2,)),
    Macro("safe_div", "a, b, scale", "scale", "quotient as numeric(18, scale), half away from zero; NULL when b is 0",
          3, 3, {"duckdb": _safe_div_duckdb, "postgres": POSTGRES["safe_div"], "spark": SPARK["safe_div"]}, literal=(2,)),
    Macro("mul_div", "a, b, c", "numeric(18, 4)",
          "a x b / c of amounts with 4 decimals, rounded once, half away from zero; NULL when c is 0", 3, 3,
          {"duckdb": _mul_div_duckdb, "postgres": POSTGRES["mul_div"], "spark": SPARK["mul_div"]}),
    Macro("int_div", "a, b", "bigint", "whole-number division toward zero; NULL when b is 0", 2, 2,
          {"duckdb": form("({0} // {1})"), "postgres": form("CAST(div({0}, NULLIF({1}, 0)) AS bigint)"),
           "spark": form("({0} DIV NULLIF({1}, 0))")}),
    Macro("date_diff", "later, earlier", "integer", "whole days between two dates", 2, 2,
          {"duckdb": form("CAST(CAST({0} AS DATE) - CAST({1} AS DATE) AS INTEGER)"),
           "postgres": form("(CAST({0} AS date) - CAST({1} AS date))"),
           "spark": form("datediff(CAST({0} AS DATE), CAST({1} AS DATE))")}),
    Macro("hours_between", "later, earlier", "numeric(18, 3)", "hours between two instants, rounded half away from zero",
          2, 2, {"duckdb": _hours_between_duckdb,
                 "postgres": form("CAST(round(extract(epoch FROM CAST({0} AS timestamptz) - CAST({1} AS timestamptz)) "
                                   "/ 3600, 3) AS numeric(18, 3))"),
                 "spark": SPARK["hours_between"]}),
    Macro("add_days", "date, days", "date", "the date so many days later", 2, 2,
          {"duckdb": form("(CAST({0} AS DATE) + CAST({1} AS INTEGER))"),
           "postgres": form("(CAST({0} AS date) + CAST({1} AS integer))"),
           "spark": form("date_add(CAST({0} AS DATE), CAST({1} AS INT))")}),
    Macro("date_spine", "first, last", "table", "in FROM: one row per day in column day, both ends included", 2, 2,
          {"duckdb": _date_spine_duckdb, "postgres": POSTGRES["date_spine"], "spark": SPARK["date_spine"]}),
    Macro("local_to_utc", "timestamp, zone", "timestamptz",
          "instant of a wall clock; an hour that comes twice is the second, a skipped one shifts forward; "
          "NULL when the zone is unknown", 2, 2, {"duckdb": _local_to_utc_duckdb, "postgres": POSTGRES["local_to_utc"], "spark": SPARK["local_to_utc"]}),
    Macro("utc_to_local", "timestamptz, zone", "timestamp", "wall clock at an instant; NULL when the zone is unknown",
          2, 2, {"duckdb": _utc_to_local_duckdb, "postgres": POSTGRES["utc_to_local"], "spark": SPARK["utc_to_local"]}),
    Macro("business_date", "timestamptz, zone, cutover", "date", "the business day that an instant belongs to", 3, 3,
          {"duckdb": _business_date_duckdb, "postgres": POSTGRES["business_date"], "spark": SPARK["business_date"]}),
    Macro("start_of_business_date", "date, zone, cutover", "timestamptz", "the instant a business day begins", 3, 3,
          {"duckdb": _start_of_business_date_duckdb, "postgres": POSTGRES["start_of_business_date"], "spark": SPARK["start_of_business_date"]}),
    Macro("iso_day_of_week", "date", "integer", "1 = Monday to 7 = Sunday", 1, 1,
          {"duckdb": form("CAST(isodow({0}) AS INTEGER)"),
           "postgres": form("CAST(extract(isodow FROM {0}) AS integer)"), "spark": form("(weekday({0}) + 1)")}),
    Macro("iso_week", "date", "integer", "ISO week number", 1, 1,
          {"duckdb": form("CAST(weekofyear({0}) AS INTEGER)"),
           "postgres": form("CAST(extract(week FROM {0}) AS integer)"), "spark": form("weekofyear({0})")}),
    Macro("iso_year", "date", "integer", "the year that the ISO week belongs to", 1, 1,
          {"duckdb": form("CAST(isoyear({0}) AS INTEGER)"),
           "postgres": form("CAST(extract(isoyear FROM {0}) AS integer)"),
           "spark": form("extract(YEAROFWEEK FROM {0})")}),
    Macro("day_name_en", "date", "text", "Monday to Sunday", 1, 1,
          {"duckdb": form("dayname({0})"), "postgres": form("to_char({0}, 'FMDay')"), "spark": form("date_format({0}, 'EEEE')")}),
    Macro("month_name_en", "date", "text", "January to December", 1, 1,
          {"duckdb": form("monthname({0})"), "postgres": form("to_char({0}, 'FMMonth')"), "spark": form("date_format({0}, 'MMMM')")}),
    Macro("iso_date", "text, '%d/%m/%Y'", "text", "ISO date of a text; the text itself when it does not parse", 2, 2,
          {"duckdb": lambda call: _iso(call, "strftime({}, '%Y-%m-%d')")}, literal=(1,)),
    Macro("iso_timestamp", "text, '%d/%m/%Y %H:%M'", "text",
          "ISO date and time of a text; the text itself when it does not parse", 2, 2,
          {"duckdb": lambda call: _iso(call, "CAST({} AS VARCHAR)")}, literal=(1,)),
    Macro("upper_ascii", "text", "text", "a to z in capitals, all else as it is", 1, 1,
          {"duckdb": _ascii_case_duckdb("upper", _LOWER, _UPPER), "postgres": _translate(_LOWER, _UPPER),
           "spark": _translate(_LOWER, _UPPER)}),
    Macro("lower_ascii", "text", "text", "A to Z in small letters, all else as it is", 1, 1,
          {"duckdb": _ascii_case_duckdb("lower", _UPPER, _LOWER), "postgres": _translate(_UPPER, _LOWER),
           "spark": _translate(_UPPER, _LOWER)}),
    Macro("json_get", "text, 'a.b.0'", "text", "text at a path of a JSON text; NULL when it is not there or not JSON",
          2, 2, {"duckdb": _json_get_duckdb}, literal=(1,)),
    Macro("try_number", "text", "numeric(38, 10)", "number in a text, NULL when it is none", 1, 1,
          {"duckdb": _try_number_duckdb, "postgres": POSTGRES["try_number"],
           "spark": form("TRY_CAST({0} AS DECIMAL(38, 10))")}),
    Macro("quantile", "value, share", "double precision", "aggregate: interpolated quantile", 2, 2,
          {"duckdb": form("quantile_cont(CAST({0} AS DOUBLE), {1})"),
           "postgres": form("percentile_cont({1}) WITHIN GROUP (ORDER BY CAST({0} AS double precision))"),
           "spark": form("percentile(CAST({0} AS DOUBLE), {1})")}, aggregate=True),
]  # fmt: skip

MACROS: dict[str, Macro] = {macro.name: macro for macro in _ALL}
