"""Readers of the server, each with a session of its own, that ask one question after the other while a day is published."""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import psycopg

from benchmarks.explain_server import PLACES, READER
from benchmarks.measure import Failed, run
from benchmarks.questions import QUESTIONS

#: Who waits longer for a lock gets an error (55P03): so no wait goes unseen.
_LOCK_TIMEOUT = "1ms"
_LOCKED = "55P03"
_SHORTEST = 5.0  # seconds of reading before publishing begins, at least


@dataclass(frozen=True)
class Answer:
    """An answered question: when it was asked, and how long it took, in seconds."""

    reader: int
    question: int
    asked_at: float
    took: float


class Readers:
    """So many readers of a server; they ask until they are told to stop."""

    def __init__(self, url: str, count: int) -> None:
        with psycopg.connect(url, options=READER) as session:
            places = [row[0] for row in session.execute(PLACES.encode())]
        self._url, self._stop = url, threading.Event()
        self.answers: list[Answer] = []
        self.errors: list[str] = []
        self.lock_waits = 0
        self.rounds = [0] * count
        self._threads = [
            threading.Thread(target=self._read, args=(number, places[number % len(places)])) for number in range(count)
        ]

    def __enter__(self) -> Readers:
        """Begin to ask."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Let each get its last answer."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, rounds: int) -> None:
        """Wait until each reader asked all questions so many times. Raises Failed where one got an error."""
        while min(self.rounds) < rounds:
            if self.errors or self.lock_waits:
                raise Failed(f"readers got errors before anything was published: {self.errors[:3]}")
            time.sleep(0.05)

    def _read(self, reader: int, place: int) -> None:
        try:
            with psycopg.connect(
                self._url, autocommit=True, options=f"{READER} -c lock_timeout={_LOCK_TIMEOUT}"
            ) as session:
                while not self._stop.is_set():
                    # Each begins with another question, so that they do not march in step.
                    for step in range(len(QUESTIONS)):
                        self._ask(session, reader, (reader + step) % len(QUESTIONS), place)
                        if self._stop.is_set():
                            return
                    self.rounds[reader] += 1
        except psycopg.Error as error:
            self.errors.append(str(error).strip())

    def _ask(self, session: psycopg.Connection[Any], reader: int, question: int, place: int) -> None:
        asked_at = time.perf_counter()
        try:
            session.execute(QUESTIONS[question].of(place).encode()).fetchall()
        except psycopg.Error as error:
            if error.sqlstate == _LOCKED:
                self.lock_waits += 1
            else:
                self.errors.append(f"{QUESTIONS[question].name}: {str(error).strip()}")
        else:
            self.answers.append(Answer(reader, question, asked_at, time.perf_counter() - asked_at))


def slowdowns(before: Sequence[Answer], during: Sequence[Answer]) -> list[float]:
    """Of each reader that got an answer during: how many times as long as the same question took before, in the median."""
    usual: dict[int, list[float]] = defaultdict(list)
    for answer in before:
        usual[answer.question].append(answer.took)
    ratios: dict[int, list[float]] = defaultdict(list)
    for answer in during:
        ratios[answer.reader].append(answer.took / median(usual[answer.question]))
    return [median(of_reader) for of_reader in ratios.values()]


def read_while_publishing(url: str, project: Path, count: int, said: Path) -> dict[str, Any]:
    """Let them read, then publish what the project's file holds more than the server."""
    with Readers(url, count) as readers:
        readers.wait_for(1)  # what the first round reads into memory is there for all that follows
        begun = time.perf_counter()
        readers.wait_for(max(readers.rounds) + 1)
        time.sleep(max(0.0, begun + _SHORTEST - time.perf_counter()))
        published_from = time.perf_counter()
        used = run(["-m", "systock", "target", "sync", "--project", project], said)
        published_to = time.perf_counter()
    before = [a for a in readers.answers if begun <= a.asked_at and a.asked_at + a.took <= published_from]
    during = [a for a in readers.answers if a.asked_at < published_to and a.asked_at + a.took > published_from]
    return {
        "slowdowns": slowdowns(before, during),
        "longest_before": max(answer.took for answer in before),
        "longest": max((answer.took for answer in during), default=0.0),
        "answers": len(during),
        "seconds": used.wall_s,
        "lock_waits": readers.lock_waits,
        "errors": readers.errors,
    }


def main() -> int:
    """Print what was found as JSON."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("url")
    parser.add_argument("project", type=Path)
    parser.add_argument("count", type=int)
    parser.add_argument("said", type=Path, help="where the publication's words go")
    given = parser.parse_args()
    try:
        print(json.dumps(read_while_publishing(given.url, given.project, given.count, given.said)))
    except Failed as failure:
        print(failure)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
