"""Printing: exact for programs, harmless and readable for people."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from systock.cli.common import Format
from systock.cli.rows import cell_text, json_text, plain_text, print_facts, print_rows

ROWS = [
    {"name": "Käse\n,", "amount": Decimal("1.5000"), "at": datetime(2026, 1, 2, 3, 4, 5, 6, UTC)},
    {"name": None, "amount": Decimal("-20"), "at": None},
]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "true"),
        (Decimal("1E+3"), "1000"),
        (Decimal("0.000000"), "0.000000"),
        (date(2026, 1, 2), "2026-01-02"),
        (time(4, 30), "04:30:00"),
        (datetime(2026, 1, 2, 3, 4), "2026-01-02T03:04:00"),
        (datetime(2026, 1, 2, 3, 4, tzinfo=timezone(timedelta(hours=2))), "2026-01-02T01:04:00Z"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (timedelta(seconds=90), "90"),
        (b"\x01\xff", "01ff"),
        ([1, "a", None], '[1, "a", null]'),
    ],
)
def test_plain_text(value: Any, text: str) -> None:
    assert plain_text(value) == text


def test_cells_show_control_characters_instead_of_obeying_them() -> None:
    assert cell_text("a\x1b[31mb\nc\u202e") == "a\\x1b[31mb\\nc\\u202e"
    assert cell_text("Käse · 5 €") == "Käse · 5 €"


def test_cells_show_instants_to_the_second() -> None:
    assert cell_text(ROWS[0]["at"]) == "2026-01-02 03:04:05 UTC"


def test_instants_that_come_as_text_are_shown_alike(capsys: pytest.CaptureFixture[str]) -> None:
    text = "2026-03-29T01:30:00.000250+00:00"
    print_rows([{"known_at": text, "value": text}], Format.table)
    shown = capsys.readouterr().out
    assert "2026-03-29 01:30:00 UTC" in shown
    assert text in shown


def test_json_is_one_document_with_exact_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows(ROWS, Format.json)
    text = capsys.readouterr().out
    assert json.loads(text, parse_float=str)[0] == {
        "name": "Käse\n,",
        "amount": "1.5000",
        "at": "2026-01-02T03:04:05.000006Z",
    }
    assert json.loads(text)[1] == {"name": None, "amount": -20, "at": None}
    print_rows([], Format.json)
    assert json.loads(capsys.readouterr().out) == []


def test_csv_reads_back(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows(ROWS, Format.csv)
    lines = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert lines == [["name", "amount", "at"], ["Käse\n,", "1.5000", "2026-01-02T03:04:05.000006Z"], ["", "-20", ""]]
    print_rows([], Format.csv, ("a", "b"))
    assert capsys.readouterr().out == "a,b\n"


def test_csv_tells_a_missing_value_from_an_empty_text(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([{"a": None, "b": "", "c": 'x"y', "d": " "}, {"a": 0, "b": "a\rb", "c": b"", "d": False}], Format.csv)
    assert capsys.readouterr().out == 'a,b,c,d\n,"","x""y", \n0,"a\rb","",false\n'


def test_table_is_never_cut_or_coloured_outside_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([{"text": "x" * 500, "n": 1}], Format.table)
    shown = capsys.readouterr().out
    assert "x" * 500 in shown
    assert "\x1b" not in shown
    assert all(line == line.rstrip() for line in shown.split("\n"))


def test_table_shows_markup_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([{"[bold]": "[red]x[/red]"}], Format.table)
    shown = capsys.readouterr().out
    assert "[bold]" in shown
    assert "[red]x[/red]" in shown


def test_an_empty_table_says_so_beside_the_result(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([], Format.table, ("a",), empty="Nothing.")
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "Nothing.\n")


FACTS = {
    "name": "shop",
    "run": {"id": 3, "at": None},
    "tables": [{"table": "a", "rows": 1}],
    "list": [1, 2],
    "none": [],
}


def test_facts_in_each_form(capsys: pytest.CaptureFixture[str]) -> None:
    print_facts(FACTS, Format.json)
    assert json.loads(capsys.readouterr().out) == FACTS
    print_facts(FACTS, Format.csv)
    lines = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert ["run.id", "3"] in lines
    assert ["tables", '[{"table": "a", "rows": 1}]'] in lines
    print_facts(FACTS, Format.table)
    shown = capsys.readouterr().out
    assert "run.id  3\n" in shown
    assert "\ntables\n" in shown


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(values, st.sampled_from([None, 0]))
def test_json_reads_back(value: Any, indent: int | None) -> None:
    assert json.loads(json_text(value, indent)) == value


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6))
def test_json_keeps_every_digit(value: Decimal) -> None:
    assert json.loads(json_text(value), parse_float=Decimal, parse_int=Decimal) == value
