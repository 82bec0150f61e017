"""Figures are judged by their medians, and no page names the machine."""

from __future__ import annotations

import json
import platform

import pytest
from benchmarks.report import Figure, json_text, page_text, table_text


def _side_by_side(values: list[float], against: list[float]) -> Figure:
    return Figure("cold", "cold run: CPU", "s", values, against, "bare script", limit=2)


def test_ratio_is_median_over_median() -> None:
    figure = _side_by_side([3.0, 90.0, 4.0], [1.0, 2.0, 2.0])
    assert figure.ratio == 2.0
    assert figure.is_met
    assert figure.row() == ("cold run: CPU", "4.00 s", "bare script: 2.00 s", "2.00", "≤ 2 ×", "met")


def test_more_than_allowed_is_missed() -> None:
    assert _side_by_side([4.1], [2.0]).row()[-1] == "MISSED"


@pytest.mark.parametrize(("peak", "verdict"), [(500.0, "met"), (500.1, "MISSED")])
def test_own_target_is_a_limit(peak: float, verdict: str) -> None:
    row = Figure("day", "one more day: peak memory", "MB", [peak], (500,), "target").row()
    assert row[2:] == ("target", "1.00", "≤ 500 MB", verdict)


def test_what_failed_has_no_values_and_says_why() -> None:
    failed = Figure("day", "day", "s", (), (1,), "target", failure="exit code 1")
    assert not failed.is_met
    assert failed.row() == ("day", "failed", "", "", "", "MISSED")
    assert "day failed: exit code 1" in table_text([failed], [])
    found = json.loads(json_text([failed], []))["figures"][0]
    assert (found["median"], found["ratio"], found["met"], found["failure"]) == (None, None, False, "exit code 1")


def test_page_tells_cores_and_versions_but_not_the_machine() -> None:
    page = page_text([_side_by_side([1.0], [1.0])], ["A note."])
    assert "cores" in page
    assert "duckdb 1" in page
    assert "- A note." in page
    assert platform.node() not in page


def test_what_is_only_stated_is_no_target_missed() -> None:
    stated = Figure("target_day", "CPU of the server", "s", [0.4, 0.2, 0.3], (), "")
    assert stated.row() == ("CPU of the server", "0.30 s", "", "", "", "stated")
    found = json.loads(json_text([stated], []))["figures"][0]
    assert (found["median"], found["ratio"], found["met"]) == (0.3, None, True)
