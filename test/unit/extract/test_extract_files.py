"""Listing: what is pending, what waits, what is refused by its name, what the log has seen."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from systock.errors import SettingsError
from systock.extract.batch import Listing, SeenFile
from systock.extract.extract_files import list_files, settings_text
from systock.extract.source_files import SourceFiles
from systock.source_settings import FileSource

from .reading import source_settings, write

NOW = datetime(2024, 6, 1, tzinfo=UTC)
CLOCK = NOW.timestamp()


def listed(project: Path, source: FileSource, seen: Any = None, sleep: Any = None, **options: Any) -> Listing:
    def unexpected(seconds: float) -> None:
        raise AssertionError(f"slept {seconds} s")

    files = SourceFiles("pos", source, project, project / "spool")
    return list_files(files, seen or {}, NOW, clock=lambda: CLOCK, sleep=sleep or unexpected, **options)


def test_new_files_are_pending_for_every_table_that_names_them(tmp_path: Path) -> None:
    write(tmp_path / "in/a.csv", "a\n1\n", 1000.5)
    source = source_settings(sales={"path": "in/*.csv"}, other={"path": ["in/a*", "in/*.csv"], "mode": "full"})
    listing = listed(tmp_path, source)
    assert [(v.table, v.mode, v.path, v.size, v.modified_ns) for v in listing.pending] == [
        ("sales", "append", "in/a.csv", 4, 1_000_500_000_000),
        ("other", "full", "in/a.csv", 4, 1_000_500_000_000),
    ]
    assert {(v.extracted_at, v.known_at) for v in listing.pending} == {
        (datetime(1970, 1, 1, 0, 16, 40, 500_000, UTC), None)
    }


def test_seen_files_are_skipped_until_they_change(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "a\n", 1000)
    source = source_settings(sales={"path": "*.csv"})
    seen = {("sales", "a.csv"): SeenFile(2, 1_000_000_000_000)}
    assert (listed(tmp_path, source, seen).pending, listed(tmp_path, source, seen).unchanged) == ([], 1)
    os.utime(path, (1001, 1001))
    assert len(listed(tmp_path, source, seen).pending) == 1
    write(path, "a\n1\n", 1000)
    assert len(listed(tmp_path, source, seen).pending) == 1


def test_a_refused_file_is_pending_again_when_its_settings_change(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", "a\n", 1000)
    source = source_settings(sales={"path": "*.csv"})
    text = settings_text(source.tables["sales"], "landing")
    seen = {("sales", "a.csv"): SeenFile(2, 1_000_000_000_000, text)}
    assert listed(tmp_path, source, seen).pending == []
    other = source_settings(sales={"path": "*.csv", "encoding": "cp1252"})
    assert len(listed(tmp_path, other, seen).pending) == 1


def test_a_file_just_written_is_looked_at_again_after_the_rest_of_a_second(tmp_path: Path) -> None:
    write(tmp_path / "old.csv", "a\n", CLOCK - 5)
    write(tmp_path / "quiet.csv", "a\n", CLOCK - 0.75)
    growing = write(tmp_path / "growing.csv", "a\n", CLOCK - 0.5)
    going = write(tmp_path / "going.csv", "a\n", CLOCK - 0.5)
    slept = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        write(growing, "a\n1\n", CLOCK - 0.5)
        going.unlink()

    listing = listed(tmp_path, source_settings(sales={"path": "*.csv"}), sleep=sleep)
    assert slept == [0.5]
    assert [version.path for version in listing.pending] == ["old.csv", "quiet.csv"]
    assert listing.waiting == [("sales", "going.csv"), ("sales", "growing.csv")]


def test_a_file_from_the_future_is_waited_for_one_second_at_most(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", "a\n", CLOCK + 1000)
    slept: list[float] = []
    listing = listed(tmp_path, source_settings("mtime", sales={"path": "*.csv"}), sleep=slept.append)
    assert slept == [1.0]
    (version,) = listing.pending
    assert version.known_at is None  # not believed
    assert version.extracted_at == NOW and listing.future == ["a.csv"]


@pytest.mark.parametrize("known_at", ["mtime", "landing"])
def test_files_from_the_future_count_as_taken_now_in_their_order(tmp_path: Path, known_at: str) -> None:
    for name, seconds in (("b", 1000), ("a", 2000), ("c", -10), ("d", 1000)):
        write(tmp_path / f"{name}.csv", f"{name}\n", CLOCK + seconds)
    listing = listed(tmp_path, source_settings(known_at, sales={"path": "*.csv"}), sleep=lambda seconds: None)
    taken = {version.path[0]: NOW - version.extracted_at for version in listing.pending}
    microsecond = timedelta(microseconds=1)
    assert taken == {"a": 0 * microsecond, "b": microsecond, "c": timedelta(seconds=10), "d": microsecond}
    assert {version.modified_ns for version in listing.pending} == {int(CLOCK + s) * 10**9 for s in (1000, 2000, -10)}


def test_a_name_may_state_the_end_of_a_day_that_is_not_over(tmp_path: Path) -> None:
    write(tmp_path / "s_20240601.csv", "a\n", CLOCK + 1000)
    listing = listed(tmp_path, source_settings("name:%Y%m%d", sales={"path": "*.csv"}), sleep=lambda seconds: None)
    assert [version.extracted_at for version in listing.pending] == [datetime(2024, 6, 1, 23, 59, 59, 999999, UTC)]
    assert listing.future == []


def test_the_stated_instant_is_position_and_known_at(tmp_path: Path) -> None:
    write(tmp_path / "s_20240105.csv", "a\n")
    write(tmp_path / "s_20240601.csv", "a\n")
    write(tmp_path / "s.csv", "a\n", 1000)
    source = source_settings(
        "name:%Y%m%d", sales={"path": "*.csv"}, other={"path": "s_20240105.csv", "known_at": "landing"}
    )
    listing = listed(tmp_path, source)
    first = datetime(2024, 1, 5, 23, 59, 59, 999999, UTC)
    last = datetime(2024, 6, 1, 23, 59, 59, 999999, UTC)
    assert [(v.table, v.extracted_at, v.known_at) for v in listing.pending] == [
        ("sales", first, first),
        ("sales", last, None),
        ("other", datetime.fromtimestamp(1_700_000_000, UTC), None),
    ]
    ((version, error),) = listing.rejected
    assert (version.path, version.size) == ("s.csv", 2)
    assert "%Y%m%d" in error.what


def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/caf\xe9.csv"
    with open(name, "wb") as file:
        file.write(b"a\n1\n")
    os.utime(name, (5, 5))
    listing = listed(tmp_path, source_settings(sales={"path": "*.csv"}))
    assert listing.pending == []
    assert "not valid text" in listing.rejected[0][1].what


def test_patterns_without_any_file_are_told(tmp_path: Path) -> None:
    listing = listed(tmp_path, source_settings(sales={"path": "in/*.csv"}))
    assert listing.unmatched == {"sources.pos.tables.sales.path": ("in/*.csv",)}


def test_a_wrong_pattern_stops_the_listing(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", "a\n")
    source = source_settings(sales={"path": "*.csv"}).model_copy(update={"known_at": "name:%Q"})
    with pytest.raises(SettingsError) as caught:
        listed(tmp_path, source)
    assert caught.value.where == "sources.pos.known_at"
