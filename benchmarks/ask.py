"""Point-in-time questions to a published file, each asked several times: seconds by the clock."""

from __future__ import annotations

import argparse
import json
import time
from datetime import timedelta
from pathlib import Path

import duckdb

from benchmarks.generate import END

_ASKED = (
    "SELECT count(*), sum(on_hand_units) FROM serve.stock_as_of(DATE '{day}', TIMESTAMPTZ '2100-01-01 00:00:00+00')"
)


def asked(warehouse: Path, place: str, times: int) -> dict[str, list[float]]:
    """Stock of one place and of all at the end of a day half a year back: what each time of asking took, the first one aside."""
    everywhere = _ASKED.format(day=END - timedelta(180))
    questions = {"one place": f"{everywhere} WHERE location_id = '{place}'", "all places": everywhere}
    seconds: dict[str, list[float]] = {}
    with duckdb.connect(str(warehouse), read_only=True) as db:
        for name, question in questions.items():
            for _ in range(times + 1):
                started = time.perf_counter()
                [(rows, _)] = db.execute(question).fetchall()
                assert rows
                seconds.setdefault(name, []).append(time.perf_counter() - started)
    return {name: found[1:] for name, found in seconds.items()}


def main() -> None:
    """Print the seconds as JSON."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("warehouse", type=Path)
    parser.add_argument("place")
    parser.add_argument("times", type=int)
    given = parser.parse_args()
    print(json.dumps(asked(given.warehouse, given.place, given.times)))


if __name__ == "__main__":
    main()
