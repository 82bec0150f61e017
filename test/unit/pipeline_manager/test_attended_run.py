"""Attempts: which faults are tried again, how often, after how long; and a wait that can be cut short."""

from __future__ import annotations

from datetime import timedelta

import pytest

from systock.config import RunSettings
from systock.errors import (
    BusyError,
    CheckFailed,
    DefinitionError,
    IntegrityError,
    NotWritable,
    SettingsError,
    SourceError,
    StorageError,
)
from systock.extract.batch import FileChanging
from systock.pipeline_manager.attended_run import persistently
from systock.pipeline_manager.build import Silent


class Work:
    """Fails with these errors, one after the other, then succeeds."""

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.calls = list(errors), 0
        self.waits: list[float] = []

    def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"

    def run(self, attempts: int = 3, stop_after: int = 99) -> str:
        settings = RunSettings(attempts=attempts, retry_wait=timedelta(seconds=2))
        return persistently(self, settings, Silent(), self.waits.append, lambda: len(self.waits) >= stop_after)


def test_what_may_pass_is_tried_again_after_twice_as_long_each_time() -> None:
    work = Work(StorageError("full"), FileChanging("x"), StorageError("full"))
    assert work.run(attempts=4) == "done"
    assert (work.calls, work.waits) == (4, [2, 4, 8])


def test_the_waits_have_an_end() -> None:
    work = Work(*[StorageError("full")] * 11)
    work.run(attempts=12)
    assert work.waits == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]


def test_the_last_error_is_the_one_that_is_raised() -> None:
    work = Work(StorageError("first"), StorageError("second"), StorageError("third"))
    with pytest.raises(StorageError, match="third"):
        work.run()
    assert (work.calls, work.waits) == (3, [2, 4])


@pytest.mark.parametrize(
    "error",
    [
        DefinitionError("x"), SettingsError("x"), CheckFailed("x"), IntegrityError("x"), NotWritable("x"), SourceError("x"), BusyError("x"),
        ValueError("x"), OSError("x"),
    ],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_what_will_not_pass_is_tried_once(error: Exception) -> None:
    for before in ([], [StorageError("full")]):
        work = Work(*before, error)
        with pytest.raises(type(error)):
            work.run()
        assert work.calls == len(before) + 1


def test_one_attempt_is_one() -> None:
    work = Work(StorageError("full"))
    with pytest.raises(StorageError):
        work.run(attempts=1)
    assert work.calls == 1


def test_who_is_asked_to_stop_does_not_try_again() -> None:
    work = Work(StorageError("full"), StorageError("full"), StorageError("full"))
    with pytest.raises(StorageError):
        work.run(stop_after=1)
    assert work.calls == 2
