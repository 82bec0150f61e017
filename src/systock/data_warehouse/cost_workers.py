"""The kernel on several cores: Python replays on one, so parts of the ledger are valued in processes of their own.

A part is whole cost groups, which know nothing of each other. The processes are started by their own command, not forked (the engine has
threads) and not by multiprocessing (which would run a caller's script again); they end when their input does, whatever ended the run.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from queue import SimpleQueue

import pyarrow as pa

from systock.data_warehouse.cost_chunk import Before, CostMethod
from systock.data_warehouse.cost_state import State
from systock.data_warehouse.engine.base import OutOfMemory
from systock.data_warehouse.stock_cost import ROWS_AT_ONCE, cost_postings

#: Entries in their order, how stock is valued, and what the entries follow.
Part = tuple[pa.Table, CostMethod, Before | None]
#: Their postings, and the states to go on from another time.
Valued = tuple[pa.Table, list[State]]


def value(part: Part) -> Valued:
    """Value the entries of a part in this process."""
    entries, method, before = part
    states: list[State] = []
    batches = entries.to_batches(max_chunksize=ROWS_AT_ONCE)
    return pa.Table.from_batches(cost_postings(batches, method, before, states.append)), states


def value_all(parts: Iterable[Part], workers: int) -> Iterator[Valued]:
    """Value parts in their order, on so many cores; with one, in this process. Few parts are held at a time.

    Raises OutOfMemory where a process ended by itself.
    """
    if workers < 2 or not sys.executable:
        yield from map(value, parts)
        return
    idle: SimpleQueue[_Worker] = SimpleQueue()
    started = [_Worker() for _ in range(workers)]
    for worker in started:
        idle.put(worker)

    def valued(part: Part) -> Valued:
        worker = idle.get()
        try:
            return worker.value(part)
        finally:
            idle.put(worker)

    waiting: deque[Future[Valued]] = deque()
    pool = ThreadPoolExecutor(workers)
    try:
        for part in parts:
            waiting.append(pool.submit(valued, part))
            if len(waiting) > workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for worker in started:
            worker.end()
        pool.shutdown(cancel_futures=True)


class _Worker:
    """A process that values one part after the other."""

    def __init__(self) -> None:
        found_as_here = f"import sys; sys.path[:] = {sys.path!r}; import {__name__} as workers; workers.main()"
        self._process = subprocess.Popen(
            [sys.executable, "-c", found_as_here],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is the run's to answer
        )

    def value(self, part: Part) -> Valued:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            pickle.dump(part, self._process.stdin)
            self._process.stdin.flush()
            answer = pickle.load(self._process.stdout)
        except (EOFError, OSError, pickle.UnpicklingError) as error:
            code = self._process.wait()
            raise OutOfMemory(
                f"a process that values stock ended by itself, with code {code}: most likely the machine's memory ran out",
                where="the valuation of stock",
                todo="Give it more memory, or set threads = 1 in [run].",
            ) from error
        if isinstance(answer, Exception):
            raise answer
        valued: Valued = answer
        return valued

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):  # what was not written any more
                    pipe.close()


def main() -> None:
    """Value the parts that come in, until none come: what a worker runs."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # nothing else may get between answers
    while True:
        try:
            part = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answer: Valued | Exception = value(part)
        except Exception as error:  # it is the run's to tell
            answer = error
        pickle.dump(answer, answers)
        answers.flush()
