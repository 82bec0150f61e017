"""Merging sightings: whatever order, split or repetition they arrive in, the belief is the one a plain replay ends with."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from systock.etl_pipeline.silver_layer.versions import VersionTable, merge

START = datetime(2024, 1, 1, tzinfo=UTC)
LINE = st.tuples(st.sampled_from("ab"), st.one_of(st.none(), st.integers(0, 3)), st.integers(0, 2), st.booleans())
BATCH = st.tuples(st.integers(0, 4), st.lists(LINE, min_size=1, max_size=5))  # (position, lines)
COMMITS = st.lists(st.lists(BATCH, min_size=1, max_size=2), min_size=1, max_size=4)


class Memory:
    """An engine over a DuckDB in memory, as merge uses it."""

    def __init__(self) -> None:
        self.db = duckdb.connect()
        self.db.execute("SET TimeZone = 'UTC'")
        self.db.execute("CREATE SCHEMA silver")

    def execute(self, sql: str) -> None:
        self.db.execute(sql)

    def rows(self, sql: str) -> list[tuple]:
        return [tuple(row.values()) for row in self.db.execute(sql).to_arrow_table().to_pylist()]


def at(hours: int) -> datetime:
    return START + timedelta(hours=hours)


def sightings(commits: list) -> list[list[dict]]:
    """Numbered batches with their lines as sightings, in the order of landing."""
    numbered, number = [], 0
    for commit_no, commit in enumerate(commits, 1):
        for position, lines in commit:
            number += 1
            numbered.append([
                {"id": key, "value": value, "updated_at": None if updated is None else at(updated), "is_deleted": deleted,
                 "extracted": at(position), "known_at": at(1000 + commit_no), "batch": number, "row": row, "commit": commit_no}
                for row, (key, updated, value, deleted) in enumerate(lines, 1)
            ])  # fmt: skip
    return numbered


def run_merge(batches: list[list[dict]], valid_time: bool, cuts: list[int]) -> tuple[set, list, dict]:
    """Merge in runs of several commits each; returns the current belief, all versions, and the counts."""
    engine = Memory()
    table = VersionTable(
        "silver.t", ("id",), (("id", "text"), ("value", "integer"), ("updated_at", "timestamptz")), valid_time
    )
    engine.execute(table.create_sql())
    counts: dict = {}
    commits = sorted({line["commit"] for batch in batches for line in batch})
    edges = [0, *[c for c in cuts if c in commits], commits[-1]]
    for low, high in itertools.pairwise(edges):
        mine = [line for batch in batches for line in batch if low < line["commit"] <= high]
        if not mine:
            continue
        engine.execute("""CREATE OR REPLACE TEMP TABLE cand (id VARCHAR, value INTEGER, updated_at TIMESTAMPTZ, version_at TIMESTAMPTZ,
            is_deleted BOOLEAN, _extracted_at TIMESTAMPTZ, known_at TIMESTAMPTZ, _batch_no INTEGER, _row BIGINT)""")
        engine.db.executemany("INSERT INTO cand VALUES (?,?,?,?,?,?,?,?,?)", [
            (s["id"], s["value"], s["updated_at"], s["updated_at"] or s["extracted"], s["is_deleted"], s["extracted"], s["known_at"], s["batch"], s["row"])
            for s in mine
        ])  # fmt: skip
        merge(engine, table, "cand")
        for batch, term, lines in engine.rows("SELECT * FROM merged_count"):
            counts[batch, term] = counts.get((batch, term), 0) + lines
    columns = "id, value, updated_at, is_deleted" + (", version_at" if valid_time else "")
    current = set(
        engine.rows(f"SELECT {columns} FROM silver.t WHERE known_to_at = TIMESTAMPTZ '9999-12-31 00:00:00+00'")
    )
    history = sorted(engine.rows(f"SELECT {columns}, known_from_at, known_to_at FROM silver.t"), key=repr)
    return current, history, counts


def replay(batches: list[list[dict]], valid_time: bool) -> tuple[dict, set]:
    """The belief by the rule itself: drop contradictions, then per version the sighting that orders last."""
    best: dict = {}
    for batch in batches:
        for line in batch:
            identity = (line["id"], line["updated_at"] or line["extracted"]) if valid_time else line["id"]
            said = (line["value"], line["is_deleted"])
            rivals = {
                (o["value"], o["is_deleted"])
                for o in batch
                if o["id"] == line["id"] and o["updated_at"] == line["updated_at"]
            }
            if len(rivals) > 1:
                continue
            order = (line["updated_at"] is not None, line["updated_at"] or START, line["extracted"])
            best.setdefault(identity, {}).setdefault(order, set()).add(said)
    return {identity: (max(orders), orders[max(orders)]) for identity, orders in best.items()}, set(best)


@pytest.mark.parametrize("valid_time", [False, True])
@given(commits=COMMITS, data=st.data())
def test_belief_is_that_of_a_plain_replay_in_any_order(valid_time: bool, commits: list, data: st.DataObject) -> None:
    batches = sightings(commits)
    expected, _ = replay(batches, valid_time)
    order = data.draw(st.permutations(range(len(batches))))
    shuffled = [
        [{**line, "commit": place, "known_at": at(1000 + place)} for line in batches[index]]
        for place, index in enumerate(order, 1)
    ]
    beliefs = []
    for arrival in (batches, shuffled):
        current, _, counts = run_merge(arrival, valid_time, [1, 2, 3])
        beliefs.append(current)
        for batch in arrival:  # every line has exactly one fate
            assert sum(lines for (number, _), lines in counts.items() if number == batch[0]["batch"]) == len(batch)
        found = {(row[0], row[4]) if valid_time else row[0]: (row[1], row[3]) for row in current}
        assert set(found) == set(expected)
        for identity, said in found.items():
            assert said in expected[identity][1]
    assert beliefs[0] == beliefs[1]


@pytest.mark.parametrize("valid_time", [False, True])
@given(commits=COMMITS)
def test_history_does_not_depend_on_how_commits_are_cut_into_runs(valid_time: bool, commits: list) -> None:
    batches = sightings(commits)
    whole = run_merge(batches, valid_time, [])
    single = run_merge(batches, valid_time, list(range(1, len(commits) + 1)))
    assert whole[1] == single[1]
    assert whole[2] == single[2]
