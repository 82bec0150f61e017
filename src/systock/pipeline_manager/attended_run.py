"""A run with nobody watching: tried again after a fault that may pass, and people told when it fails or a source is late."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from systock.errors import BusyError, StorageError, SystockError
from systock.pipeline_manager.freshness import late_notices, volume_notices
from systock.pipeline_manager.notify import tell
from systock.pipeline_manager.run_pipeline import RunSummary, SourcesFailed, run
from systock.pipeline_manager.state import Notice, State
from systock.pipeline_manager.workplace import Workplace

if TYPE_CHECKING:
    from systock.config import RunSettings
    from systock.pipeline_manager.build import Progress
    from systock.pipeline_manager.extent import Extent

T = TypeVar("T")
#: No wait between two attempts is longer, in seconds.
_LONGEST_WAIT = 300.0


def attended_run(
    place: Workplace,
    progress: Progress,
    extent: Extent,
    *,
    full: bool = False,
    history: bool = False,
    sleep: Callable[[float], None] = time.sleep,
    stopped: Callable[[], bool] = lambda: False,
) -> RunSummary:
    """Run as the settings say: attempts, notices. Raises what the last attempt raised.

    Sources that were asked in vain fail the run after the others were published (SourcesFailed); another attempt asks
    only those whose fault may pass.
    """
    left, lasting = extent, list[dict[str, Any]]()
    before: RunSummary | None = None

    def attempt() -> RunSummary:
        nonlocal left, before
        summary = run(place, progress, left, full=full and left is extent, history=history)
        before = summary = summary if before is None else _together(before, summary)
        may_pass = [row for row in summary.failed if row["transient"]]
        lasting.extend(row for row in summary.failed if not row["transient"])
        summary.failed = lasting + may_pass
        if summary.failed:
            left = extent.only({(row["source"], row["table"]) for row in may_pass})
            raise SourcesFailed(summary)
        return summary

    try:
        summary = persistently(attempt, place.settings.run, progress, sleep, stopped)
    except BusyError:
        raise  # somebody else's run is no failure of this project
    except Exception as error:
        notify_of_failure(place, progress, "run", error)
        raise
    tell_late(place, progress, unusual=summary.unusual)
    return summary


def _together(before: RunSummary, last: RunSummary) -> RunSummary:
    """What several attempts did, as one run; what is left to do is as the last one found it."""
    return replace(
        last,
        status="published" if before.status == "published" else last.status,
        sources=_added(before.sources, last.sources, ("source", "table")),
        entities=_added(before.entities, last.entities, ("source", "entity")),
        tables=list({row["table"]: row for row in [*before.tables, *last.tables]}.values()),
        checks=before.checks + last.checks,
        unusual=list(dict.fromkeys([*before.unusual, *last.unusual])),
        drift=[*before.drift, *(row for row in last.drift if row not in before.drift)],
        warnings=list(dict.fromkeys([*before.warnings, *last.warnings])),
        seconds=before.seconds + last.seconds,
    )


def _added(before: list[dict[str, Any]], last: list[dict[str, Any]], key: tuple[str, ...]) -> list[dict[str, Any]]:
    """Rows of counts, those of one key added up."""
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in [*before, *last]:
        of_key = tuple(row[name] for name in key)
        known = rows.get(of_key, {})
        rows[of_key] = {n: known.get(n, 0) + v if type(v) is int else v for n, v in row.items()}
    return list(rows.values())


def persistently(
    work: Callable[[], T],
    settings: RunSettings,
    progress: Progress,
    sleep: Callable[[float], None] = time.sleep,
    stopped: Callable[[], bool] = lambda: False,
) -> T:
    """Do something, again after a transient fault: each wait is twice the one before. A busy project is not waited for."""
    try:
        return work()
    except SystockError as error:
        if not _may_pass(error) or settings.attempts == 1:
            raise
        failures = [error]
    # Only imported now: nearly every run goes well at the first attempt.
    from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential

    def attempt() -> T:
        if failures:
            raise failures.pop()
        return work()

    def tell_wait(state: RetryCallState) -> None:
        wait = state.next_action.sleep if state.next_action else 0.0
        error = state.outcome.exception() if state.outcome else None
        progress.note(f"{error}\n  Attempt {state.attempt_number} of {settings.attempts}; the next one in {wait:g} s.")

    return Retrying(
        retry=retry_if_exception(_may_pass),
        stop=lambda state: stopped() or stop_after_attempt(settings.attempts)(state),
        wait=wait_exponential(multiplier=settings.retry_wait.total_seconds(), max=_LONGEST_WAIT),
        sleep=sleep,
        before_sleep=tell_wait,
        reraise=True,
    )(attempt)


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, SystockError) and error.transient and not isinstance(error, BusyError)


def notify_of_failure(place: Workplace, progress: Progress, what: str, error: Exception) -> None:
    """Tell people that something failed: once, until a run goes well or another fault shows."""
    if not place.settings.notify.urls:
        return
    text = str(error) if isinstance(error, SystockError) else f"unexpected {type(error).__name__}: {error}"
    with _state(place) as state:
        since = f"after run {state.last_good_run()}" if state else ""
        title = f"{place.settings.project.name}: {what} failed"
        body = f"{text}\n\nWhat was published before stays in place. 'systock runs' in {place.project_dir} tells more."
        notice = Notice(f"{what} failed", text[:200], since, title, body)
        for problem in tell(state, place.settings.notify, [notice]):
            progress.note(problem)


def tell_late(place: Workplace, progress: Progress, now: datetime | None = None, unusual: Sequence[str] = ()) -> None:
    """Tell people which sources are late, what came in unusual numbers, and what they could not be told before. Never fails."""
    if not place.settings.notify.urls:
        return
    try:
        notices = late_notices(place.settings, place.log(), now or datetime.now(UTC))
    except SystockError as error:
        progress.note(str(error))
        notices = []
    notices += volume_notices(place.settings, unusual)
    with _state(place) as state:
        for problem in tell(state, place.settings.notify, notices):
            progress.note(problem)


@contextmanager
def _state(place: Workplace) -> Iterator[State | None]:
    """The project's state, or None where even that can't be opened."""
    try:
        state = State(place.state_dir)
    except StorageError:
        yield None
        return
    with closing(state):
        yield state
