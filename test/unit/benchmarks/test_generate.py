"""The data set is the same every time, and both data sets of a chain end in the same days."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from benchmarks.generate import generate
from benchmarks.size import Size

_SIZE = Size(days=20, lines_a_day=600, postings_a_day=120, products=40, later=2)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    generate(folder, _SIZE)
    return folder


def _files(folder: Path) -> dict[str, tuple[bytes, int]]:
    paths = sorted(folder.rglob("*.csv"))
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns) for path in paths}


def _rows(folder: Path, pattern: str) -> list[dict[str, str]]:
    return [row for path in sorted(folder.rglob(pattern)) for row in csv.DictReader(path.open(encoding="utf-8"))]


def test_same_bytes_and_times_every_time(data: Path, tmp_path: Path) -> None:
    generate(tmp_path, _SIZE)
    assert _files(tmp_path) == _files(data)


def test_what_is_there_is_kept_and_another_size_replaces_it(data: Path, tmp_path: Path) -> None:
    generate(tmp_path, _SIZE)
    first = (tmp_path / "made.json").stat().st_mtime_ns
    generate(tmp_path, _SIZE)
    assert (tmp_path / "made.json").stat().st_mtime_ns == first
    generate(tmp_path, _SIZE.shorter())
    assert len(_files(tmp_path / "incoming")) < len(_files(data / "incoming"))


def test_days_after_the_history_do_not_depend_on_its_length(data: Path, tmp_path: Path) -> None:
    generate(tmp_path, _SIZE.shorter())
    postings = [path for path in _files(data) if path.startswith("later/day-") and "postings" in path]
    assert len(postings) == _SIZE.later
    assert {path: _files(data)[path] for path in postings} == {path: _files(tmp_path)[path] for path in postings}


def test_lines_come_again_when_they_changed(data: Path) -> None:
    lines = _rows(data / "incoming", "sales_*.csv")
    keys = {(line["receipt"], line["line"]) for line in lines}
    assert 0 < len(lines) - len(keys) < len(lines) / 100
    assert len({(line["receipt"], line["line"], line["changed_at"]) for line in lines}) == len(lines)


def test_transfers_keep_all_units_and_no_stock_has_two_postings_at_once(data: Path) -> None:
    postings = _rows(data, "postings_*.csv")
    assert sum(float(row["quantity"]) for row in postings if row["transfer"]) == 0
    places = [(row["article"], row["site"], row["occurred_at"]) for row in postings]
    assert len(places) == len(set(places))


def test_a_correction_takes_the_place_of_a_first_version(data: Path) -> None:
    first = {(row["article"], row["changed_at"]): row for row in _rows(data / "incoming", "articles_*.csv")}
    corrected = _rows(data / "later", "articles_corrected_*.csv")
    assert len(corrected) == _SIZE.later
    for row in corrected:
        before = first[row["article"], row["changed_at"]]
        assert float(row["cost"]) > float(before["cost"])
        assert {**row, "cost": ""} == {**before, "cost": ""}
