"""The instant that a file states."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from systock.errors import SettingsError
from systock.extract.batch import FileRejected
from systock.extract.known_at import from_nanoseconds, stated_instant


def stated(known_at: str, path: str, timezone: str = "UTC") -> datetime | None:
    return stated_instant(known_at, path, 1_700_000_000_123_456_789, timezone, "sources.pos.known_at")


def test_landing_states_nothing_and_mtime_the_microsecond() -> None:
    assert stated("landing", "a.csv") is None
    assert stated("mtime", "a.csv") == datetime(2023, 11, 14, 22, 13, 20, 123456, UTC)
    assert from_nanoseconds(-1) == datetime(1969, 12, 31, 23, 59, 59, 999999, UTC)


@pytest.mark.parametrize(
    ("pattern", "path", "instant"),
    [
        ("%Y%m%dT%H%M%SZ", "in/pos_20240105T101530Z.csv.gz", datetime(2024, 1, 5, 10, 15, 30, tzinfo=UTC)),
        ("%Y-%m-%d_%H%M", "x 2024-01-05_1015 final.csv", datetime(2024, 1, 5, 10, 15, tzinfo=UTC)),
        ("%Y-%m-%dT%H%z", "x2024-01-05T10+0200.csv", datetime(2024, 1, 5, 8, tzinfo=UTC)),
        ("%Y-%m-%d", "2024-01-05.csv", datetime(2024, 1, 5, 23, 59, 59, 999999, UTC)),
        ("%Y%j", "x2024366.csv", datetime(2024, 12, 31, 23, 59, 59, 999999, UTC)),
        ("%Y%m%d", "store00123456789_20240105.csv", datetime(2024, 1, 5, 23, 59, 59, 999999, UTC)),
        ("%Y%m%d", "20241305_20240105.csv", datetime(2024, 1, 5, 23, 59, 59, 999999, UTC)),
        ("%Y%m%d", "sales20240105101530.csv", datetime(2024, 1, 5, 23, 59, 59, 999999, UTC)),
        ("%Y/%m/%d", "in/2024/01/05/sales.csv", datetime(2024, 1, 5, 23, 59, 59, 999999, UTC)),
        ("%Y.%m.%d", "2024.01.05.csv", datetime(2024, 1, 5, 23, 59, 59, 999999, UTC)),
    ],
)
def test_a_pattern_is_found_anywhere_in_the_name(pattern: str, path: str, instant: datetime) -> None:
    assert stated(f"name:{pattern}", path) == instant


def test_the_end_of_a_day_is_that_of_the_projects_zone() -> None:
    # On 27 October the night is 25 hours long in Berlin, and the day ends at 23:00 UTC again.
    assert stated("name:%Y-%m-%d", "2024-10-26.csv", "Europe/Berlin") == datetime(2024, 10, 26, 21, 59, 59, 999999, UTC)
    assert stated("name:%Y-%m-%d", "2024-10-27.csv", "Europe/Berlin") == datetime(2024, 10, 27, 22, 59, 59, 999999, UTC)


@pytest.mark.parametrize("path", ["sales.csv", "2024-13-01.csv", "2024-1-5.csv", "2024-01-05/sales.csv"])
def test_a_name_without_the_pattern_is_refused(path: str) -> None:
    with pytest.raises(FileRejected, match="%Y-%m-%d") as caught:
        stated("name:%Y-%m-%d", path)
    assert caught.value.where == path


def test_wrong_settings_are_named() -> None:
    for known_at, timezone in (("name:%Q", "UTC"), ("name:%", "UTC"), ("sometime", "UTC"), ("name:%Y", "Mars/X")):
        with pytest.raises(SettingsError):
            stated(known_at, "x2024.csv", timezone)
