"""Casts take a value only when its text says one thing; what they refuse is named."""

from __future__ import annotations

from typing import Any

import pytest

from systock.data_warehouse.compiled import CompiledColumn, CompiledTable
from systock.data_warehouse.engine.duckdb import connect
from systock.etl_pipeline.silver_layer.cast_rules import (
    _check_name,
    cast_sql,
    engine_type,
    error_number_sql,
    guesses,
    rules_of,
)

CASES = [
    # type, text, value as text (None: refused), what is said of a refused one
    ("numeric(18, 4)", "1.10", "1.1000", None),
    ("numeric(18, 4)", " +007 ", "7.0000", None),
    ("numeric(18, 4)", "-0.5", "-0.5000", None),
    ("numeric(18, 4)", "1.10000", "1.1000", None),
    ("numeric(18, 4)", "1.00001", None, "more decimals"),
    ("numeric(18, 4)", "0.000000000000000000001", None, "more decimals"),
    ("numeric(18, 4)", "1.0000000000000000000000001", None, "more decimals"),
    ("numeric(18, 4)", "1e-30", None, "more decimals"),
    ("numeric(18, 4)", "1e-400", None, "more decimals"),
    ("numeric(18, 4)", "-0.0e-400", "0.0000", None),
    ("numeric(18, 8)", "1e-05", "0.00001000", None),
    ("numeric(18, 4)", "0e-30", "0.0000", None),
    ("numeric(18, 4)", "1e3", "1000.0000", None),
    ("numeric(18, 6)", "1234567890121.23456e-1", "123456789012.123456", None),
    ("numeric(18, 4)", "80.00000000000000000E+3", "80000.0000", None),
    ("numeric(18, 6)", "1.0000000000001e-6", None, "more decimals"),
    ("numeric(18, 4)", "125375006097.95285e3", None, "too wide"),
    ("numeric(18, 4)", "0125375006097.95285E+3", None, "too wide"),
    ("numeric(18, 4)", "1" + "0" * 30 + "e-30", None, "too many digits"),
    ("numeric(18, 4)", "123456789012345", None, "too wide"),
    ("numeric(18, 4)", "1,5", None, "no number"),
    ("numeric(18, 4)", "1.234,50", None, "no number"),
    ("numeric(18, 4)", "$90,000 ", None, "no number"),
    ("numeric(18, 4)", "nan", None, "no number"),
    ("numeric(18, 4)", "inf", None, "no number"),
    ("numeric(18, 4)", "twelve", None, "no number"),
    ("integer", "12", "12", None),
    ("integer", "12.0", "12", None),
    ("integer", "12.5", None, "no whole number"),
    ("integer", "99999999999", None, "no whole number"),
    ("date", "2024-02-29", "2024-02-29", None),
    ("date", "2023-02-29", None, "no ISO date"),
    ("date", "01/02/2024", None, "no ISO date"),
    ("date", "20240102", None, "no ISO date"),
    ("date", "2024-01-02 10:00:00", None, "no ISO date"),
    ("timestamp", "2024-01-02 10:00:00", "2024-01-02 10:00:00", None),
    ("timestamp", "2024-01-02T10:00", "2024-01-02 10:00:00", None),
    ("timestamp", "2024-01-02", None, "no ISO timestamp"),
    ("timestamp", "2024-01-02 10:00:00+01", None, "no ISO timestamp"),
    ("timestamp", "2024-01-02T10:00:00Z", None, "no ISO timestamp"),
    ("timestamptz", "2024-01-02T10:00:00+01:00", "2024-01-02 09:00:00+00", None),
    ("timestamptz", "2024-01-02T10:00:00Z", "2024-01-02 10:00:00+00", None),
    ("timestamptz", "2024-01-02 10:00:00", None, "no ISO timestamp"),
    ("timestamptz", "2024-01-02", None, "no ISO timestamp"),
    ("timestamptz", "2024-01-02T10:00Z", "2024-01-02 10:00:00+00", None),
    ("timestamptz", "2024-1-2T10:00:00Z", None, "no ISO timestamp"),
    ("timestamptz", "-2024-01-02T10:00:00Z", None, "no ISO timestamp"),
    ("timestamptz", "294247-01-10T04:00:54Z", None, "no ISO timestamp"),
    ("timestamptz", "9999-12-31T00:00:00Z", None, "out of range: its year must be before 9999"),
    ("timestamp", "9999-12-31 00:00:00", None, "out of range: its year must be before 9999"),
    ("timestamptz", "9999-12-31", None, "no ISO timestamp"),
    ("timestamptz", "2024-05-01T10:00:00+18:00", "2024-04-30 16:00:00+00", None),
    ("timestamptz", "2024-05-01T10:00:00-18", "2024-05-02 04:00:00+00", None),
    ("timestamptz", "2024-05-01T10:00:00-0930", "2024-05-01 19:30:00+00", None),
    ("timestamptz", "2024-05-01T10:00:00+25:00", None, "no ISO timestamp"),
    ("timestamptz", "2024-05-01T10:00:00+18:01", None, "no ISO timestamp"),
    ("timestamptz", "2024-05-01T10:00:00-19", None, "no ISO timestamp"),
    ("timestamptz", "2024-05-01T10:00:00+01:60", None, "no ISO timestamp"),
    ("timestamptz", "2024-01-02 (BC) 10:00:00Z", None, "no ISO timestamp"),
    ("numeric(18, 4)", "1_000", None, "no number"),
    ("time", "03:00", "03:00:00", None),
    ("time", "25:00", None, "no time"),
    ("boolean", "true", "true", None),
    ("boolean", "maybe", None, "neither true nor false"),
    ("text", "007", "007", None),
    ("text", "", "", None),
]  # fmt: skip


def judge(type_: str, value: Any, given: str = "VARCHAR") -> tuple[str | None, str | None]:
    """The cast value as text, and the rule that a refused one breaks."""
    table = CompiledTable(
        "silver", "t", "", None, "corrections", (CompiledColumn("c", type_, True, None),), (), (), (), (), ""
    )
    rules = rules_of(table, {"c": given}, "mapped_")
    with connect(None) as engine:
        relation = (
            f"(SELECT *, {cast_sql('mapped_c', given, type_)} AS c FROM (SELECT CAST($1 AS {given}) AS mapped_c))"
        )
        number = error_number_sql(rules) if rules else "NULL"
        [(found, broken)] = engine.rows(f"SELECT CAST(c AS VARCHAR), {number} FROM {relation}", [value])
        if broken is None:
            return found, None
        [(rule,)] = engine.rows(f"SELECT {rules[broken - 1].name_sql} FROM {relation}", [value])
    return found, rule


@pytest.mark.parametrize(("type_", "text", "value", "said"), CASES)
def test_text(type_: str, text: str, value: str | None, said: str | None) -> None:
    found, rule = judge(type_, text)
    assert found == value
    assert (rule is None) if said is None else (rule is not None and said in rule)


@pytest.mark.parametrize("type_", ["numeric(18, 4)", "integer", "date", "timestamp", "timestamptz", "time", "boolean"])
@pytest.mark.parametrize("blank", ["", "  ", None])
def test_blank_text_is_null_and_no_error(type_: str, blank: str | None) -> None:
    assert judge(type_, blank) == (None, None)


def test_a_computed_number_keeps_its_digits_or_is_refused() -> None:
    assert judge("numeric(18, 4)", "1.23", "DECIMAL(38, 10)") == ("1.2300", None)
    found, rule = judge("numeric(18, 4)", "1.23456", "DECIMAL(38, 10)")
    assert found is None and rule is not None and "more decimals" in rule


def test_a_check_that_one_of_several_columns_is_there_is_told_as_what_is_missing() -> None:
    assert _check_name("sold_at IS NOT NULL OR\n  sold_at_local IS NOT NULL") == "missing: sold_at or sold_at_local"
    assert _check_name("a IS NOT NULL OR b IS NOT NULL OR c IS NOT NULL") == "missing: a, b or c"
    assert _check_name("a IS NOT NULL OR b = 0") == "breaks a IS NOT NULL OR b = 0"
    assert _check_name("units = 0 OR a IS NOT NULL OR b IS NOT NULL").startswith("breaks units = 0")


def test_a_wall_clock_is_no_instant() -> None:
    assert guesses("TIMESTAMP", "timestamptz") and guesses("TIMESTAMP WITH TIME ZONE", "timestamp")
    assert guesses("TIMESTAMP", "timestamp") is None and engine_type("numeric(18, 3)") == "DECIMAL(18, 3)"
