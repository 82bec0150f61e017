"""systock query on a published file: what it answers stands in every format, whatever it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import duckdb
import pytest

from systock import Project


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose published file has no table, in the folder where we are."""
    (tmp_path / "systock.toml").write_text('[project]\nname = "shop"\n', "utf-8")
    duckdb.connect(tmp_path / "warehouse.duckdb").close()
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path)


def test_columns_of_one_name_are_all_shown(shop: Project, systock: Callable[..., Any]) -> None:
    sql = "SELECT 1 AS a, 2 AS a, 3 AS A"
    assert json.loads(systock("query", sql, "-f", "json").out) == [{"a": 1, "a_1": 2, "A_2": 3}]
    assert systock("query", sql, "-f", "csv").out == "a,a_1,A_2\n1,2,3\n"
    assert [line.split() for line in systock("query", sql).out.splitlines()[::2]] == [
        ["a", "a_1", "A_2"],
        ["1", "2", "3"],
    ]
    assert shop.query(sql).to_pydict() == {"a": [1], "a_1": [2], "A_2": [3]}


BEYOND = [
    ("DATE '10000-01-01'", "10000-01-01"),
    ("DATE '0044-03-15 (BC)'", "0044-03-15 (BC)"),
    ("'infinity'::DATE", "infinity"),
    ("'-infinity'::TIMESTAMP", "-infinity"),
    ("'infinity'::TIMESTAMPTZ", "infinity"),
    ("TIMESTAMPTZ '10000-01-01 00:00:00+00'", "10000-01-01 00:00:00+00"),
    ("TIMESTAMP_NS '2024-01-01 00:00:00.123456789'", "2024-01-01 00:00:00.123456789"),
    ("[DATE '10000-01-01', NULL]", "[10000-01-01, NULL]"),
]


def test_instants_beyond_the_calendar_are_shown_as_duckdb_prints_them(
    shop: Project, systock: Callable[..., Any]
) -> None:
    sql = "SELECT " + ", ".join(f"{value} AS v{number}" for number, (value, _) in enumerate(BEYOND))
    texts = [text for _, text in BEYOND]
    assert list(json.loads(systock("query", sql, "-f", "json").out)[0].values()) == texts
    quoted = [f'"{text}"' if "," in text else text for text in texts]
    assert systock("query", sql, "-f", "csv").out.splitlines()[1] == ",".join(quoted)
    assert all(text in systock("query", sql).out for text in texts)


def test_rows_beside_one_beyond_the_calendar_stay_as_they_are(shop: Project, systock: Callable[..., Any]) -> None:
    sql = "SELECT unnest([TIMESTAMPTZ '2024-01-02 03:04:05+00', 'infinity', NULL]) AS at"
    assert systock("query", sql, "-f", "csv").out == "at\n2024-01-02T03:04:05Z\ninfinity\n\n"


def test_a_query_that_is_no_text_is_refused(
    shop: Project, systock: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "a query is text, and this one holds bytes that are not UTF-8"
    called = systock("query", "SELECT 1 \udcff")
    assert (called.code, called.out) == (2, "")
    assert said in called.err
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(b"SELECT 1 \xff")))
    called = systock("query", "-")
    assert (called.code, called.out) == (2, "")
    assert said in called.err
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO("SELECT 'Käse' AS a".encode())))
    assert systock("query", "-", "-f", "csv").out == "a\nKäse\n"
