"""The questions of serve, put to the server with EXPLAIN ANALYZE: what each takes there, and its plan."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import psycopg

from benchmarks.questions import QUESTIONS

#: What a session of somebody who only asks questions has.
READER = "-c role=systock_reader"
PLACES = "SELECT location_durable_key FROM serve.location_current ORDER BY location_id"


@dataclass(frozen=True)
class Explained:
    """What a question (in words) took on the server, in milliseconds, each time; rows: that it returns; planning: to make its plan, at most."""

    question: str
    is_summed: bool
    milliseconds: list[float]
    rows: int
    planning: float


def explain(url: str, times: int, plans: Path | None = None) -> list[Explained]:
    """Ask each question about one place, so many times after a first one that is not counted; the last plan goes to a file."""
    found = []
    with psycopg.connect(url, autocommit=True, options=READER) as session:
        session.prepare_threshold = None
        [place] = session.execute(f"{PLACES} LIMIT 1").fetchone() or (0,)
        for question in QUESTIONS:
            asked = f"EXPLAIN (ANALYZE, BUFFERS, SETTINGS, FORMAT JSON) {question.of(place)}".encode()
            told = [row[0][0] for _ in range(times + 1) for row in session.execute(asked)]
            if plans is not None:
                name = f"{question.name}-{'summed' if question.is_summed else 'rows'}.json"
                (plans / name).write_text(json.dumps({"question": question.of(place), **told[-1]}, indent=2) + "\n")
            found.append(
                Explained(
                    question.words,
                    question.is_summed,
                    [one["Execution Time"] for one in told[1:]],
                    round(told[-1]["Plan"]["Actual Rows"]),
                    max(one["Planning Time"] for one in told[1:]),
                )
            )
    return found


def main() -> int:
    """Print what was found as JSON; what the server refuses, in one line."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("url")
    parser.add_argument("times", type=int)
    parser.add_argument("--plans", type=Path)
    given = parser.parse_args()
    if given.plans:
        given.plans.mkdir(parents=True, exist_ok=True)
    try:
        print(json.dumps([asdict(one) for one in explain(given.url, given.times, given.plans)]))
    except psycopg.Error as error:
        print(str(error).splitlines()[0])
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
