"""What is expected of sources: learned from what landed, or set; and who is told."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from systock.config import Settings
from systock.etl_pipeline.bronze_layer.land_batches import land, open_log
from systock.etl_pipeline.bronze_layer.landing_log import Batch, LandingLog
from systock.pipeline_manager.freshness import (
    Volume,
    freshness,
    late_notices,
    odd_volumes,
    volume_notices,
    volumes,
)

START = datetime(2024, 1, 1, tzinfo=UTC)


def settings(source: dict[str, Any] | None = None, **table: Any) -> Settings:
    sales = {"path": "in/*.csv", "mode": "append", "known_at": "mtime", **table}
    pos = {"type": "files", "tables": {"sales": sales}, **(source or {})}
    return Settings.model_validate({"project": {"name": "shop"}, "sources": {"pos": pos}})


class Deliveries:
    """Files of a number of lines, each known at its modification time."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.number = folder, 0

    def add(self, hours: float, lines: int) -> None:
        self.number += 1
        path = self.folder / f"in/{self.number:03}.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_text("id\n" + "".join(f"{self.number}-{line}\n" for line in range(lines)))
        at = (START + timedelta(hours=hours)).timestamp()
        os.utime(path, (at, at))

    def land(self) -> LandingLog:
        log = open_log(self.folder)
        land(self.folder, settings().sources, log=log)
        return log


@pytest.fixture
def deliveries(tmp_path: Path) -> Deliveries:
    return Deliveries(tmp_path)


def test_the_span_is_twice_the_longest_between_the_last_deliveries(deliveries: Deliveries) -> None:
    for day in range(12):
        deliveries.add(24 * day + (6 if day == 5 else 0), 3)
    log = deliveries.land()
    (found,) = freshness(settings(), log)
    assert (found.fresh_within, found.is_learned) == (timedelta(hours=60), True)
    last = START + timedelta(days=11)
    assert found.is_late(last + timedelta(hours=60)) is False
    assert found.is_late(last + timedelta(hours=61)) is True
    (notice,) = late_notices(settings(), log, last + timedelta(days=9))
    assert "twice the longest time between the last ones" in notice.body
    assert late_notices(settings(), log, last) == []


def test_what_is_set_goes_before_what_is_learned(deliveries: Deliveries) -> None:
    for day in range(12):
        deliveries.add(24 * day, 3)
    log = deliveries.land()
    (found,) = freshness(settings({"fresh_within": "26 hours"}), log)
    assert (found.fresh_within, found.is_learned) == (timedelta(hours=26), False)
    (found,) = freshness(settings({"fresh_within": "any"}), log)
    assert (found.fresh_within, found.is_late(START + timedelta(days=999))) == (None, None)


@pytest.mark.parametrize(("count", "hours"), [(10, 24.0), (40, 4.0), (1, 1.0), (0, 1.0)])
def test_nothing_is_learned_from_too_little(deliveries: Deliveries, count: int, hours: float) -> None:
    for number in range(count):
        deliveries.add(hours * number, 3)
    (found,) = freshness(settings(), deliveries.land())
    assert (found.fresh_within, found.is_late(START + timedelta(days=999))) == (None, None)


def test_only_the_last_deliveries_count(deliveries: Deliveries) -> None:
    deliveries.add(-2400, 3)
    for number in range(31):
        deliveries.add(24 * number, 3)
    (found,) = freshness(settings(), deliveries.land())
    assert found.fresh_within == timedelta(hours=48)


def test_a_batch_far_from_the_last_ones_is_odd(deliveries: Deliveries) -> None:
    for number in range(10):
        deliveries.add(24 * number, 100 + number)
    deliveries.land()
    deliveries.add(24 * 20, 49)
    deliveries.add(24 * 21, 50)
    deliveries.add(24 * 22, 218)
    deliveries.add(24 * 23, 219)
    deliveries.add(24 * 24, 439)
    log = deliveries.land()
    # From the eleventh on: half of the least, twice the most of those before it.
    odd = odd_volumes(settings(), log, after_commit=10)
    assert [volume.batch.lines for volume in odd] == [49, 439]
    assert odd[0].text == "pos.sales: 49 lines in in/011.csv, 50 to 218 are expected (learned from the last ones)"
    assert odd_volumes(settings(expected_lines="any"), log, 10) == []
    odd = odd_volumes(settings(expected_lines=[50, 100]), log, 0)
    assert [volume.batch.lines for volume in odd] == [*range(101, 110), 49, 218, 219, 439]
    assert odd[0].text.endswith("50 to 100 are expected (set)")
    (notice,) = volume_notices(settings(), [odd[-1].text])
    assert notice.title == "shop: an unusual number of lines" and "439 lines" in notice.body


@given(st.lists(st.integers(0, 60), max_size=45), st.integers(0, 45))
def test_volumes_agree_with_a_plain_reckoning(lines: list[int], after: int) -> None:
    batches = [_batch(number, count) for number, count in enumerate(lines, 1)]
    found: list[Volume] = volumes(settings(), batches, after)
    expected = []
    for number in range(after, len(lines)):
        before = lines[:number][-30:]
        span = (min(before) // 2, max(before) * 2) if len(before) >= 10 else None
        expected.append((lines[number], span, (lines[number] < span[0] or lines[number] > span[1]) if span else None))
    assert [(volume.batch.lines, volume.expected, volume.is_odd) for volume in found] == expected


def _batch(number: int, lines: int) -> Batch:
    return Batch(
        number, str(number), number, START, "pos", "sales", "append", "x", "x", START, lines, 0, str(number), ("id",), None, None
    )  # fmt: skip
