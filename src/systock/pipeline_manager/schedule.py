"""The scheduler: runs, and snapshots at the business day's close, by the cron expressions of the settings.

A job is a cron expression and what it runs. How far each job is stands in the project's state, and moves only when its
run has ended: what a crash cut off is due again, and a run that is repeated finds nothing new. Ticks that were missed
are made up for by one run. Which closes were kept is read from bronze, where they landed: none is kept twice.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from zoneinfo import ZoneInfo

from systock.config import Settings
from systock.errors import BusyError, SystockError
from systock.pipeline_manager.attended_run import attended_run, notify_of_failure, persistently, tell_late
from systock.pipeline_manager.extent import Extent
from systock.pipeline_manager.lock import scheduler_lock
from systock.pipeline_manager.run_pipeline import RunSummary
from systock.pipeline_manager.source_hints import complete_settings
from systock.pipeline_manager.state import State, Ticks
from systock.pipeline_manager.workplace import Workplace

if TYPE_CHECKING:
    from systock.pipeline_manager.build import Progress
    from systock.pipeline_manager.take_snapshot import Moment

#: A close that is kept later than this after its tick was missed: it is rebuilt, and marked so.
_ON_TIME = timedelta(hours=1)
#: The clock, the settings and late sources are looked at this often, in seconds; a busy project a little more often.
_LOOK, _LOOK_AGAIN = 60.0, 10.0

DAY_CLOSE = "schedule.day_close"


class Stop(Protocol):
    """Whether the scheduler was asked to end, and a wait that such a request cuts short."""

    @property
    def asked(self) -> bool: ...
    def wait(self, seconds: float) -> None: ...


@dataclass(frozen=True)
class Job:
    """What the settings schedule: named by its setting; the sources that it extracts."""

    setting: str
    cron: str
    sources: tuple[str, ...]

    @property
    def does(self) -> str:
        """What it does, for people."""
        return f"runs {', '.join(self.sources)}" + ("; keeps the day's close" if self.setting == DAY_CLOSE else "")


@dataclass(frozen=True)
class Plan:
    """A job, how far it is (None: never seen), the tick missed since then if there is one, and the next tick to come."""

    job: Job
    ticks: Ticks | None
    missed: datetime | None
    upcoming: datetime | None


def jobs(settings: Settings) -> list[Job]:
    """The jobs of a project; `[schedule] run` is for the sources without a schedule of their own."""
    found = [
        Job(f"sources.{name}.schedule", source.schedule, (name,))
        for name, source in settings.sources.items()
        if source.schedule
    ]
    own = {job.sources[0] for job in found}
    others = tuple(name for name in settings.sources if name not in own)
    if settings.schedule.run and others:
        found.append(Job("schedule.run", settings.schedule.run, others))
    if settings.schedule.day_close:
        found.append(Job(DAY_CLOSE, settings.schedule.day_close, tuple(settings.sources)))
    return found


def next_tick(cron: str, after: datetime, zone: ZoneInfo) -> datetime | None:
    """The first tick later than an instant, on the clock of a zone; None when none ever comes.

    As in Debian's cron: a time that the spring night skips comes right after the gap, one that the autumn night repeats
    comes once; ticks every so many minutes or hours just go on.
    """
    from cronsim import CronSim

    # Asked within the repeated hour, the first tick may lie in the hour before: it is over.
    return next((at for tick in CronSim(cron, after.astimezone(zone)) if (at := tick.astimezone(UTC)) > after), None)


def plan(settings: Settings, ticks: dict[str, Ticks], now: datetime) -> list[Plan]:
    """Where each job stands at an instant."""
    zone = ZoneInfo(settings.project.timezone)
    found = []
    for job in jobs(settings):
        known = ticks.get(job.setting)
        tick = next_tick(job.cron, known.done_until, zone) if known else None
        missed = tick if tick and tick <= now else None
        found.append(Plan(job, known, missed, next_tick(job.cron, now, zone)))
    return found


def closes_due(settings: Settings, since: datetime, kept: set[date], now: datetime) -> list[Moment]:
    """The business days that closed after `since` and are not kept yet, each at its end, oldest first.

    The tick that follows the end of a day, before the next day ends, is its close; a day without one is not kept.
    """
    from systock.pipeline_manager.take_snapshot import Moment, point_in_time

    project, zone = settings.project, ZoneInfo(settings.project.timezone)
    assert settings.schedule.day_close is not None
    _, day = point_in_time(since.isoformat(), project)
    day = max([day - timedelta(days=1), *kept])
    due = []
    while (end := point_in_time(day.isoformat(), project)[0]) < now:
        following = point_in_time((day + timedelta(days=1)).isoformat(), project)[0]
        tick = next_tick(settings.schedule.day_close, end, zone)
        if day not in kept and tick and since < tick <= min(now, following):
            due.append(Moment(end, day, is_close=True, is_derived=now - tick > _ON_TIME))
        day += timedelta(days=1)
    return due


class Scheduler:
    """One project's scheduler. say: where it reports; clock: what time it is."""

    def __init__(
        self,
        project_dir: Path,
        stop: Stop,
        say: Callable[[str], None],
        progress: Progress,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._project_dir, self._stop, self._say, self._progress, self._clock = project_dir, stop, say, progress, clock
        self._place = Workplace(project_dir, complete_settings(project_dir))
        self._looked_at, self._broken = clock(), ""

    def once(self) -> bool:
        """Do what is due now; False when something failed or has to wait."""
        with scheduler_lock(self._place.state_dir):
            return self._look(once=True)

    def forever(self) -> None:
        """Do what is due, whenever it is, until asked to stop; the run at work is finished first."""
        with scheduler_lock(self._place.state_dir):
            self._say(self._what_next())
            while not self._stop.asked:
                done = self._look()
                if not self._stop.asked:
                    self._stop.wait(self._pause(done))
        self._say("Stopped.")

    def _pause(self, done: bool) -> float:
        """Seconds to the next tick, at most to the next look."""
        now = self._clock()
        ticks = [p.upcoming for p in plan(self._place.settings, {}, self._looked_at) if p.upcoming]
        seconds = [(tick - now).total_seconds() for tick in ticks]  # below 0: it passed while something ran
        return max(0.0, min([_LOOK, *seconds])) if done else _LOOK_AGAIN

    def _look(self, once: bool = False) -> bool:
        """Do what is due, and say so where it is the only look; False when something failed or has to wait."""
        now = self._looked_at = self._clock()
        well = True
        if not self._read_settings():
            return False
        due, ticks = self._due(now)
        if due:
            try:
                well = self._run_due(due, ticks, now)
            except BusyError as error:
                self._say(f"{error.what}; {_names(due)} will wait")
                return False
            with closing(State(self._place.state_dir)) as state:
                for job in due:
                    state.done_until(job.setting, now)
            self._say(self._what_next())
        elif once:
            self._say(f"Nothing is due; {self._what_next()}")
        tell_late(self._place, self._progress, self._clock())
        return well

    def _read_settings(self) -> bool:
        """Settings may change while the scheduler is at work; wrong ones are told once and waited for."""
        try:
            self._place = replace(self._place, settings=complete_settings(self._project_dir))
        except SystockError as error:
            if str(error) != self._broken:
                self._broken = str(error)
                self._say(f"{error}\nNothing runs until that is mended.")
                notify_of_failure(self._place, self._progress, "reading the settings", error)
            return False
        self._broken = ""
        return True

    def _due(self, now: datetime) -> tuple[list[Job], dict[str, Ticks]]:
        """The jobs that are due. A job seen for the first time begins now; one that is gone is forgotten."""
        with closing(State(self._place.state_dir)) as state:
            ticks = state.ticks()
            plans = plan(self._place.settings, ticks, now)
            for gone in set(ticks) - {p.job.setting for p in plans}:
                state.forget_job(gone)
            for p in plans:
                # A clock that was ahead and was set right must not keep anything waiting.
                if p.ticks is None or p.ticks.done_until > now:
                    state.done_until(p.job.setting, now)
        return [p.job for p in plans if p.missed], ticks

    def _run_due(self, due: list[Job], ticks: dict[str, Ticks], now: datetime) -> bool:
        """One run for all that is due, then the closes; False when something failed. Raises BusyError."""
        names = {name for job in due for name in job.sources}
        sources = {name: source for name, source in self._place.settings.sources.items() if name in names}
        self._say(f"{_names(due)}: run")
        well = True
        try:
            summary = attended_run(
                self._place, self._progress, Extent(sources), sleep=self._stop.wait, stopped=lambda: self._stop.asked
            )
            self._say(_told(summary))
        except BusyError:
            raise
        except Exception as error:
            self._say(f"run failed: {error}")
            well = False
        if any(job.setting == DAY_CLOSE for job in due):
            well = self._close(ticks[DAY_CLOSE].first_seen_at, now) and well
        return well

    def _close(self, since: datetime, now: datetime) -> bool:
        """Keep every close that is due, as of its instant, from what is published: also after a run that failed."""
        from systock.pipeline_manager.take_snapshot import days_kept, take_closes

        due = closes_due(self._place.settings, since, days_kept(self._place.log()), now)
        if not due:
            self._say("close: nothing to keep, no business day has ended that is not kept yet")
            return True
        try:
            settings = self._place.settings.run
            taken = persistently(
                lambda: take_closes(self._place, due, self._progress), settings, self._progress, self._stop.wait, lambda: self._stop.asked
            )  # fmt: skip
        except BusyError:
            raise
        except Exception as error:
            self._say(f"close failed: {error}")
            notify_of_failure(self._place, self._progress, "close of the business day", error)
            return False
        for fact in taken:
            late = ", rebuilt later" if fact["is_derived"] else ""
            self._say(f"{fact['kind']} kept as of {fact['as_of'].isoformat()}: {fact['row_count']} rows{late}")
        return True

    def _what_next(self) -> str:
        plans = [p for p in plan(self._place.settings, {}, self._clock()) if p.upcoming]
        if not plans:
            return "nothing is scheduled: see [schedule] and the sources' schedule in docs/settings.md"
        first = min(plans, key=lambda p: p.upcoming or datetime.max)
        zone = ZoneInfo(self._place.settings.project.timezone)
        assert first.upcoming is not None
        return f"next: {first.upcoming.astimezone(zone).isoformat(sep=' ', timespec='minutes')}  {first.job.setting}"


def _names(due: list[Job]) -> str:
    return ", ".join(job.setting for job in due)


def _told(summary: RunSummary) -> str:
    files, lines = (sum(row[name] for row in summary.sources) for name in ("files", "lines"))
    return f"run {summary.run_id}: {summary.status}, generation {summary.generation}, {files} files, {lines} lines, {summary.seconds:.1f} s"
