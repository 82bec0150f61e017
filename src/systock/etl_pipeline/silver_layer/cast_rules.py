"""Casts that never guess: the SQL that turns a mapped value into a contract type, and the rule it breaks when it can't.

A value is taken only when its text says exactly one thing in the contract's type. Dates and instants are ISO 8601
(`2024-05-31`, `2024-05-31T09:30:00+02:00`); a mapping says how another form reads with iso_date or iso_timestamp.
An instant needs its offset: a wall clock alone is a guess about its zone. Numbers keep every digit they came with:
one with more decimals than the column holds is an error, not a rounding. Blank text is NULL for every other type.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as MappingOf
from collections.abc import Sequence
from dataclasses import dataclass

from systock.data_warehouse.compiled import CompiledTable
from systock.sql_text import literal, quoted

#: DuckDB's names of the contract types.
_ENGINE_TYPES = {
    "text": "VARCHAR", "boolean": "BOOLEAN", "date": "DATE", "time": "TIME", "timestamp": "TIMESTAMP", "timestamptz": "TIMESTAMPTZ",
    "integer": "INTEGER", "bigint": "BIGINT", "double precision": "DOUBLE", "uuid": "UUID",
}  # fmt: skip
_WIDE = "DECIMAL(38, 18)"
#: A CHECK that one of several columns is there.
_ONE_OF = re.compile(r"\w+ IS NOT NULL( OR \w+ IS NOT NULL)+", re.IGNORECASE)


@dataclass(frozen=True)
class Rule:
    """One thing that must hold of a conformed row: violated where `violated_sql` is true; `column` holds the offender."""

    column: str
    name_sql: str
    violated_sql: str


def engine_type(type_: str) -> str:
    """The engine's name of a contract type."""
    return _ENGINE_TYPES.get(type_, type_.replace("numeric", "DECIMAL"))


def cast_sql(value: str, given: str, wanted: str) -> str:
    """The expression that yields `value` (of engine type `given`) as `wanted`, NULL where it does not say one."""
    target = engine_type(wanted)
    if wanted == "text":
        return value if given == "VARCHAR" else f"CAST({value} AS VARCHAR)"
    if given != "VARCHAR":
        return _typed(value, given, wanted, target)
    text = f"nullif(trim({value}), '')"
    if wanted.startswith("numeric"):
        # The usual form needs no more than a glance. All others are cast wide and from there: the engine's own narrow cast
        # rounds, and takes digits from before the exponent for too many, or what is too wide with it for narrow enough.
        _, scale = _precision(wanted)
        plain = f"regexp_full_match({value}, '[+-]?[0-9]{{1,18}}([.][0-9]{{0,{scale}}}0{{0,20}})?')"
        wide = f"TRY_CAST({text} AS {_WIDE})"
        narrow = f"TRY_CAST({wide} AS {target})"
        usual = f"WHEN {plain} THEN TRY_CAST({value} AS {target})"
        return (
            f"CASE {usual} WHEN {_is_number(text)} AND {wide} = {narrow} AND {_decimals(text)} <= 18 THEN {narrow} END"
        )
    if wanted in ("integer", "bigint"):
        return f"CASE WHEN regexp_full_match({text}, '[+-]?[0-9]+([.]0*)?') THEN TRY_CAST({text} AS {target}) END"
    if wanted == "date":
        return f"CASE WHEN length({text}) = 10 THEN TRY_CAST({text} AS DATE) END"
    # Years of four digits before 9999: what lies beyond is no instant of trade, and no engine's calendar agrees on it.
    day, clock = "[0-9]{4}-[0-9]{2}-[0-9]{2}", "[0-9]{2}:[0-9]{2}:[0-9]{2}"
    iso = f"regexp_matches({text}, '^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[T ][0-9]{{2}}:[0-9]{{2}}') AND {text} < '9999'"
    if wanted == "timestamp":
        usual = (
            f"WHEN regexp_full_match({value}, '{day} {clock}') AND {value} < '9999' THEN TRY_CAST({value} AS TIMESTAMP)"
        )
        local = f"{iso} AND NOT regexp_matches(substr({text}, 12), '[A-Za-z+-]')"
        return f"CASE {usual} WHEN {local} THEN TRY_CAST({text} AS TIMESTAMP) END"
    if wanted == "timestamptz":
        usual = f"WHEN regexp_full_match({value}, '{day}T{clock}Z') AND {value} < '9999' THEN TRY_CAST({value} AS TIMESTAMPTZ)"
        zoned = f"{iso} AND regexp_matches(substr({text}, 12), '(Z|z|[+-]((0[0-9]|1[0-7])(:?[0-5][0-9])?|18(:?00)?))$')"
        seconds = f"regexp_replace({text}, '^(.{{10}}.[0-9]{{2}}:[0-9]{{2}})([Zz+-])', '\\1:00\\2')"
        return f"CASE {usual} WHEN {zoned} THEN TRY_CAST({seconds} AS TIMESTAMPTZ) END"
    return f"TRY_CAST({text} AS {target})"


def _precision(numeric: str) -> tuple[int, int]:
    """The digits of a numeric type: in all, and those behind the point."""
    precision, scale = re.findall(r"[0-9]+", numeric)
    return int(precision), int(scale)


def _is_number(text: str) -> str:
    return f"regexp_full_match({text}, '[+-]?[0-9.]+([eE][+-]?[0-9]{{1,9}})?')"


def _decimals(text: str) -> str:
    """How many digits behind the point a number has when it is written without exponent and needless zeros."""
    written = f"regexp_extract({text}, '^[+-]?([0-9.]*)', 1)"
    digits = f"length(rtrim(replace({written}, '.', ''), '0'))"
    exponent = f"coalesce(TRY_CAST(regexp_extract({text}, '[eE](.*)$', 1) AS INTEGER), 0)"
    return f"CASE WHEN {digits} = 0 THEN 0 ELSE {digits} - length(split_part({written}, '.', 1)) - {exponent} END"


def _typed(value: str, given: str, wanted: str, target: str) -> str:
    if wanted.startswith("numeric") and given.startswith("DECIMAL"):
        return f"CASE WHEN TRY_CAST({value} AS {_WIDE}) = TRY_CAST({value} AS {target}) THEN TRY_CAST({value} AS {target}) END"
    return f"TRY_CAST({value} AS {target})"


def guesses(given: str, wanted: str) -> str | None:
    """Why a typed mapping column can't become `wanted` without a guess, or None."""
    if wanted == "timestamptz" and given in ("TIMESTAMP", "DATE"):
        return "a wall clock is no instant: use local_to_utc(…, 'Zone/City'), or the column that ends in _local"
    if wanted == "timestamp" and given == "TIMESTAMP WITH TIME ZONE":
        return "an instant is no wall clock: use utc_to_local(…, 'Zone/City'), or the column for instants"
    return None


def _cast_rule_name(value: str, given: str, wanted: str) -> str:
    """SQL text that names what is wrong with a value that did not cast."""
    if not wanted.startswith("numeric"):
        hint = {
            "date": "no ISO date that exists (YYYY-MM-DD)", "timestamp": "no ISO timestamp without an offset (YYYY-MM-DD HH:MM:SS)",
            "timestamptz": "no ISO timestamp with its offset (YYYY-MM-DDTHH:MM:SS+HH:MM)", "time": "no time (HH:MM:SS)",
            "boolean": "neither true nor false", "integer": "no whole number", "bigint": "no whole number",
        }.get(wanted, f"no {wanted}")  # fmt: skip
        if wanted not in ("timestamp", "timestamptz"):
            return literal(hint)
        beyond = (
            f"regexp_matches(trim(CAST({value} AS VARCHAR)), '^9999-[0-9]{{2}}-[0-9]{{2}}[T ][0-9]{{2}}:[0-9]{{2}}')"
        )
        return f"CASE WHEN {beyond} THEN 'out of range: its year must be before 9999' ELSE {literal(hint)} END"
    text = f"trim(CAST({value} AS VARCHAR))"
    precision, scale = _precision(wanted)
    size = f"TRY_CAST({text} AS DOUBLE)"
    return (
        f"CASE WHEN NOT {_is_number(text)} OR {size} IS NULL OR NOT isfinite({size}) THEN 'no number' "
        f"WHEN abs({size}) >= 1e{precision - scale} THEN 'too wide for {wanted}' "
        f"WHEN {_decimals(text)} > {scale} THEN 'more decimals than {wanted} holds: round it in the mapping' "
        f"ELSE 'written with too many digits for {wanted}: write it without exponent and needless zeros' END"
    )


def rules_of(contract: CompiledTable, mapped: MappingOf[str, str], raw_prefix: str) -> list[Rule]:
    """The rules of a contract in the order in which they are judged: casts, then NOT NULL, then CHECKs.

    mapped: output column of the mapping → its engine type. raw_prefix: what the mapped (uncast) columns are called
    before their name in the relation that the rules are judged on.
    """
    rules = []
    for column in contract.columns:
        if column.name in mapped and column.type != "text":
            raw, given = quoted(raw_prefix + column.name), mapped[column.name]
            present = f"nullif(trim({raw}), '') IS NOT NULL" if given == "VARCHAR" else f"{raw} IS NOT NULL"
            rules.append(
                Rule(
                    column.name,
                    _cast_rule_name(raw, given, column.type),
                    f"{present} AND {quoted(column.name)} IS NULL",
                )
            )
    for column in contract.columns:
        if not column.nullable:
            rules.append(Rule(column.name, "'missing'", f"{quoted(column.name)} IS NULL"))
    for check in contract.checks:
        rules.append(Rule(check.column, literal(_check_name(check.text)), f"({check.sql}) IS FALSE"))
    return rules


def error_number_sql(rules: Sequence[Rule]) -> str:
    """The number (from 1) of the first violated rule, NULL when all hold."""
    branches = " ".join(f"WHEN {rule.violated_sql} THEN {number}" for number, rule in enumerate(rules, 1))
    return f"CASE {branches} END"


def _check_name(text: str) -> str:
    """What is said of a row that breaks this CHECK."""
    line = re.sub(r"\s+", " ", text).strip()
    if _ONE_OF.fullmatch(line):
        *names, last = [part.split()[0] for part in re.split(" OR ", line, flags=re.IGNORECASE)]
        return f"missing: {', '.join(names)} or {last}"
    return f"breaks {line if len(line) <= 120 else f'{line[:119]}…'}"
