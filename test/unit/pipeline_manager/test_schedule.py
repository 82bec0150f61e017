"""The scheduler by an injected clock: ticks on nights with 23 and 25 hours, catching up, closes, clocks that jump."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from systock.config import load_settings
from systock.errors import BusyError, CheckFailed
from systock.pipeline_manager import schedule
from systock.pipeline_manager.build import Silent
from systock.pipeline_manager.run_pipeline import RunSummary
from systock.pipeline_manager.schedule import Scheduler, closes_due, jobs, next_tick
from systock.pipeline_manager.state import State

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = timedelta(hours=1)


def ticks(cron: str, first: datetime, last: datetime) -> list[datetime]:
    found, at = [], first
    while (at := next_tick(cron, at, BERLIN)) and at <= last:  # type: ignore[assignment]
        found.append(at)
    return found


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("cron", "first", "last", "expected"),
    [
        # 2024-03-31: 01:59 CET is followed by 03:00 CEST. What was to be at 02:30 comes right after the gap.
        ("30 2 * * *", "2024-03-30T12:00+01:00", "2024-04-01T12:00+02:00", ["2024-03-31T03:00+02:00", "2024-04-01T02:30+02:00"]),
        ("*/30 * * * *", "2024-03-31T01:00+01:00", "2024-03-31T03:30+02:00", ["2024-03-31T01:30+01:00", "2024-03-31T03:00+02:00", "2024-03-31T03:30+02:00"]),
        # 2024-10-27: 02:59 CEST is followed by 02:00 CET. What was to be at 02:30 comes once.
        ("30 2 * * *", "2024-10-26T12:00+02:00", "2024-10-28T12:00+01:00", ["2024-10-27T02:30+02:00", "2024-10-28T02:30+01:00"]),
        ("0 * * * *", "2024-10-27T01:00+02:00", "2024-10-27T03:00+01:00", ["2024-10-27T02:00+02:00", "2024-10-27T02:00+01:00", "2024-10-27T03:00+01:00"]),
        # Asked within the repeated hour: the tick of the hour before is over.
        ("30 2 * * *", "2024-10-27T02:10+01:00", "2024-10-28T12:00+01:00", ["2024-10-28T02:30+01:00"]),
    ],
)  # fmt: skip
def test_nights_of_23_and_25_hours(cron: str, first: str, last: str, expected: list[str]) -> None:
    assert ticks(cron, utc(first), utc(last)) == [utc(text) for text in expected]


def by_hand(minutes: set[int], hours: set[int], first: datetime, last: datetime, every: bool) -> list[datetime]:
    """Debian's rules, minute by minute, for an expression of minutes and hours."""
    found = set()
    moment = first.replace(second=0, microsecond=0)
    seen: set[tuple[date, int, int]] = set()
    before = (moment - timedelta(minutes=1)).astimezone(BERLIN).replace(tzinfo=None)
    while moment <= last:
        wall = moment.astimezone(BERLIN).replace(tzinfo=None)
        # Walls between the minute before and this one were skipped: what was fixed in them comes now.
        skipped = [before + timedelta(minutes=n) for n in range(1, int((wall - before) / timedelta(minutes=1)))]
        for each in [wall] if every else [wall, *skipped]:
            key = (each.date(), each.hour, each.minute)
            if each.minute in minutes and each.hour in hours and (every or key not in seen):
                seen.add(key)
                found.add(moment)
        before = wall
        moment += timedelta(minutes=1)
    return sorted(found)


@given(
    st.sampled_from(["2024-03-30T20:00+01:00", "2024-10-26T20:00+02:00", "2024-06-01T20:00+02:00"]),
    st.sets(st.integers(0, 59), min_size=1, max_size=3),
    st.sets(st.integers(0, 4), min_size=1, max_size=3),
    st.sampled_from(["fixed", "every hour", "every minutes"]),
)
def test_ticks_are_those_of_a_walk_over_every_minute(start: str, minutes: set[int], hours: set[int], kind: str) -> None:
    first, last = utc(start), utc(start) + 36 * HOUR
    minute, hour = (",".join(map(str, sorted(values))) for values in (minutes, hours))
    if kind == "every hour":
        hour, hours = "*", set(range(24))
    if kind == "every minutes":
        step = max(minutes | {1})
        minute, minutes = f"*/{step}", set(range(0, 60, step))
    assert ticks(f"{minute} {hour} * * *", first, last) == by_hand(
        minutes, hours, first + timedelta(minutes=1), last, kind != "fixed"
    )


SETTINGS = """
[project]
name = "small"
timezone = "Europe/Berlin"
business_day_cutover = "04:00"
[schedule]
{schedule}
[sources.pos]
type = "files"
schedule = "*/15 * * * *"
[sources.pos.tables.sales]
path = "incoming/*.csv"
mode = "append"
[sources.erp]
type = "files"
[sources.erp.tables.products]
path = "incoming/*.jsonl"
mode = "append"
"""


class Clock:
    """A clock that only moves when somebody waits, and a stop that comes after so many waits."""

    def __init__(self, now: str, waits: int = 0) -> None:
        self.now, self.left = utc(now), waits
        self.asked = False

    def __call__(self) -> datetime:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.left -= 1
        self.asked = self.left <= 0


class Shop:
    """A project whose runs and closes are only written down."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path, self.told = path, []
        self.ran: list[tuple[str, ...]] = []
        self.closed: list[tuple[date, bool]] = []
        self.fails: Exception | None = None
        self.during: Callable[[], None] = lambda: None
        self.settings()
        monkeypatch.setattr(schedule, "attended_run", self._run)
        monkeypatch.setattr("systock.pipeline_manager.take_snapshot.take_closes", self._close)
        monkeypatch.setattr("systock.pipeline_manager.take_snapshot.days_kept", lambda log: {d for d, _ in self.closed})

    def settings(self, lines: str = 'run = "0 * * * *"') -> None:
        (self.path / "systock.toml").write_text(SETTINGS.format(schedule=lines))

    def _run(self, place: Any, progress: Any, extent: Any, **_: Any) -> RunSummary:
        self.during()
        if self.fails:
            raise self.fails
        self.ran.append(tuple(sorted(extent.sources)))
        return RunSummary(run_id=len(self.ran))

    def _close(self, place: Any, closes: Any, progress: Any) -> list[dict[str, Any]]:
        self.closed += [(moment.day, moment.is_derived) for moment in closes]
        return []

    def once(self, now: str) -> bool:
        clock = Clock(now)
        return Scheduler(self.path, clock, self.told.append, Silent(), clock).once()

    def forever(self, now: str, waits: int) -> Clock:
        clock = Clock(now, waits)
        Scheduler(self.path, clock, self.told.append, Silent(), clock).forever()
        return clock


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    return Shop(tmp_path, monkeypatch)


def test_the_schedule_of_the_others_is_not_that_of_a_source_with_its_own(shop: Shop) -> None:
    shop.settings('run = "0 * * * *"\nday_close = "30 4 * * *"')
    found = {job.setting: job.sources for job in jobs(load_settings(shop.path))}
    assert found == {
        "sources.pos.schedule": ("pos",),
        "schedule.run": ("erp",),
        "schedule.day_close": ("pos", "erp"),
    }


def test_a_job_that_is_new_begins_with_its_next_tick(shop: Shop) -> None:
    assert shop.once("2024-05-01T12:07+02:00") and shop.ran == []
    assert shop.told == ["Nothing is due; next: 2024-05-01 12:15+02:00  sources.pos.schedule"]
    assert shop.once("2024-05-01T12:14+02:00") and shop.ran == []
    assert shop.once("2024-05-01T12:15+02:00") and shop.ran == [("pos",)]
    assert shop.once("2024-05-01T12:16+02:00") and shop.ran == [("pos",)]


def test_missed_ticks_are_made_up_for_once(shop: Shop) -> None:
    shop.once("2024-05-01T12:07+02:00")
    shop.once("2024-05-03T08:20+02:00")
    assert shop.ran == [("erp", "pos")]
    shop.once("2024-05-03T08:29+02:00")
    assert shop.ran == [("erp", "pos")]


def test_it_wakes_up_for_every_tick_and_runs_together_what_is_due_together(shop: Shop) -> None:
    shop.forever("2024-10-27T01:50+02:00", waits=140)
    # Two hours and a bit over the repeated hour: a wait is at most a minute.
    assert shop.ran[:5] == [("erp", "pos"), ("pos",), ("pos",), ("pos",), ("erp", "pos")]
    assert len(shop.ran) == 9 and shop.ran[8] == ("erp", "pos")


def test_ticks_that_pass_while_a_run_is_at_work_are_not_forgotten(shop: Shop) -> None:
    clock = Clock("2024-05-01T12:14+02:00", waits=3)
    slow = [timedelta(minutes=17)]

    def work() -> None:
        clock.now += slow.pop() if slow else timedelta(0)

    shop.during = work
    Scheduler(shop.path, clock, shop.told.append, Silent(), clock).forever()
    # 12:15 ran until 12:32; 12:30 is made up for at once, not a minute later.
    assert shop.ran == [("pos",), ("pos",)]
    assert clock.now == utc("2024-05-01T12:33+02:00")


def test_a_failed_run_is_done_with_and_the_next_tick_comes(shop: Shop) -> None:
    shop.once("2024-05-01T12:07+02:00")
    shop.fails = CheckFailed("two rows of one key")
    assert not shop.once("2024-05-01T12:15+02:00")
    assert any("two rows of one key" in text for text in shop.told)
    shop.fails = None
    assert shop.once("2024-05-01T12:16+02:00") and shop.ran == []
    assert shop.once("2024-05-01T12:30+02:00") and shop.ran == [("pos",)]


def test_a_busy_project_is_waited_for(shop: Shop) -> None:
    shop.once("2024-05-01T12:07+02:00")
    shop.fails = BusyError("another command is at work: systock rebuild")
    assert not shop.once("2024-05-01T12:15+02:00")
    shop.fails = None
    assert shop.once("2024-05-01T12:16+02:00") and shop.ran == [("pos",)]


def test_what_was_cut_off_is_due_again(shop: Shop) -> None:
    shop.once("2024-05-01T12:07+02:00")
    shop.fails = KeyboardInterrupt()  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        shop.once("2024-05-01T12:15+02:00")
    shop.fails = None
    shop.once("2024-05-01T12:20+02:00")
    assert shop.ran == [("pos",)]


def test_a_clock_set_back_keeps_nothing_waiting(shop: Shop) -> None:
    shop.once("2030-01-01T00:00+01:00")
    shop.once("2024-05-01T12:07+02:00")
    shop.once("2024-05-01T12:15+02:00")
    assert shop.ran == [("pos",)]


def test_wrong_settings_are_told_once_and_waited_for(shop: Shop) -> None:
    clock = Clock("2024-05-01T12:07+02:00", waits=60)
    good = (shop.path / "systock.toml").read_text()
    scheduler = Scheduler(shop.path, clock, shop.told.append, Silent(), clock)
    (shop.path / "systock.toml").write_text(good + "\n[nonsense]\n")
    scheduler.forever()
    assert sum("nonsense" in text for text in shop.told) == 1 and shop.ran == []
    (shop.path / "systock.toml").write_text(good)
    scheduler.once()
    clock.now += HOUR
    scheduler.once()
    assert shop.ran == [("erp", "pos")]


def test_closes_are_kept_at_their_tick_and_rebuilt_when_missed(shop: Shop) -> None:
    shop.settings('day_close = "30 4 * * *"')
    shop.once("2024-05-01T12:00+02:00")
    shop.once("2024-05-02T04:30+02:00")
    assert shop.closed == [(date(2024, 5, 1), False)]
    shop.once("2024-05-02T04:45+02:00")
    assert not any("nothing to keep" in text for text in shop.told)
    shop.once("2024-05-05T05:00+02:00")
    # Two were missed; that of the fourth of May is half an hour late, which is on time.
    assert shop.closed[1:] == [(date(2024, 5, 2), True), (date(2024, 5, 3), True), (date(2024, 5, 4), False)]
    shop.once("2024-05-06T10:00+02:00")
    assert shop.closed[4:] == [(date(2024, 5, 5), True)]


def test_a_tick_that_finds_every_close_kept_says_so(shop: Shop) -> None:
    shop.settings('day_close = "30 4,5 * * *"')
    shop.once("2024-05-01T12:00+02:00")
    shop.once("2024-05-02T04:30+02:00")
    assert not any("nothing to keep" in text for text in shop.told)
    assert shop.once("2024-05-02T05:30+02:00")
    assert shop.closed == [(date(2024, 5, 1), False)]
    assert "close: nothing to keep, no business day has ended that is not kept yet" in shop.told


def test_a_close_is_kept_also_when_its_run_fails(shop: Shop) -> None:
    shop.settings('day_close = "30 4 * * *"')
    shop.once("2024-05-01T12:00+02:00")
    shop.fails = CheckFailed("no")
    assert not shop.once("2024-05-02T04:30+02:00")
    assert shop.closed == [(date(2024, 5, 1), False)]


def test_a_close_that_could_not_be_kept_comes_with_the_next(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.settings('day_close = "30 4 * * *"')
    shop.once("2024-05-01T12:00+02:00")

    def refuses(*_: Any) -> list[dict[str, Any]]:
        raise CheckFailed("not now")

    with monkeypatch.context() as patch:
        patch.setattr("systock.pipeline_manager.take_snapshot.take_closes", refuses)
        assert not shop.once("2024-05-02T04:30+02:00")
    shop.once("2024-05-02T04:31+02:00")
    assert shop.closed == []
    shop.once("2024-05-03T04:30+02:00")
    assert shop.closed == [(date(2024, 5, 1), True), (date(2024, 5, 2), False)]


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("30 4 * * *", {25, 26, 27}),
        ("* * * * *", {25, 26, 27}),  # many ticks after an end: one close
        ("0 2 * * *", {24, 25, 26}),  # before the cutover: it closes the day that ended 22 hours ago
        ("30 4 * * 1-5", {27}),  # Friday and Saturday end on days without a tick
    ],
)
def test_which_days_close(shop: Shop, cron: str, expected: set[int]) -> None:
    shop.settings(f'day_close = "{cron}"')
    friday, monday = utc("2024-10-25T12:00+02:00"), utc("2024-10-28T12:00+01:00")
    found = closes_due(load_settings(shop.path), friday, {date(2024, 10, 23)}, monday)
    assert {moment.day.day for moment in found} == expected
    # A day ends at 04:00 of the next, on the local clock, also when it had 25 hours.
    ends = [(moment.instant + timedelta(microseconds=1)).astimezone(BERLIN) for moment in found]
    assert [(end.day, end.hour) for end in ends] == [(day + 1, 4) for day in sorted(expected)]


def test_a_job_that_is_gone_is_forgotten(shop: Shop) -> None:
    shop.once("2024-05-01T12:07+02:00")
    shop.settings("")
    shop.once("2024-05-01T12:08+02:00")
    assert set(State(shop.path / ".systock").ticks()) == {"sources.pos.schedule"}
