"""Calls into a library that may never come back, made in a thread of their own: who waits for them need not for ever."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")


class NoAnswer(Exception):
    """A call did not come back in time. Its thread may still be in it; it is left alone, and takes no other."""


class WatchedCalls:
    """Makes calls one after the other in one thread, each waited for at most so many seconds.

    afterwards: what the thread does last, be it that it is told to end or that a call came back too late.
    """

    def __init__(self, seconds: float, afterwards: Callable[[], None]) -> None:
        self._seconds, self._afterwards = seconds, afterwards
        self._calls: queue.SimpleQueue[Callable[[], Any] | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()
        self.is_stuck = False
        # A daemon: a call that never comes back must not keep the process from ending.
        self._thread = threading.Thread(target=self._work, daemon=True, name="watched calls")
        self._thread.start()

    def __call__(self, call: Callable[[], T]) -> T:
        """What a call returns or raises; NoAnswer where it does neither in time, or did not before."""
        if self.is_stuck:
            raise NoAnswer
        self._calls.put(call)
        try:
            answer, error = self._answers.get(timeout=self._seconds)
        except queue.Empty:
            self.is_stuck = True
            self._calls.put(None)
            raise NoAnswer from None
        if error is not None:
            raise error
        found: T = answer
        return found

    def end(self) -> None:
        """No call comes any more: the thread ends, and is waited for unless it is stuck."""
        if not self.is_stuck:
            self._calls.put(None)
            self._thread.join(self._seconds)

    def _work(self) -> None:
        try:
            while call := self._calls.get():
                try:
                    self._answers.put((call(), None))
                except BaseException as error:
                    self._answers.put((None, error))
        finally:
            with suppress(Exception):  # nobody is left to be told
                self._afterwards()
