"""The scheduler as a process: killed at any instant, stopped, started twice; closes kept once; and the run log."""

from __future__ import annotations

import json
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from small_chain import compile_ahead, deliver, make_project
from systock import Project
from systock.pipeline_manager.lock import project_lock
from systock.pipeline_manager.schedule import DAY_CLOSE
from systock.pipeline_manager.state import State
from systock.pipeline_manager.take_snapshot import days_kept

from .test_kill import Reader

SYSTOCK = [sys.executable, "-m", "systock"]
COUNTS = """SELECT (SELECT count(*) FROM gold.fact_sale_line) AS lines,
    (SELECT count(*) FROM meta.batch WHERE table_name = 'sales') AS files"""
CLOSES = "SELECT kind, CAST(as_of AS VARCHAR) AS as_of, is_derived FROM snapshot.taken ORDER BY ALL"


def make(path: Path) -> Path:
    """A project with a schedule, and one delivery."""
    project = make_project(path)
    text = (project / "systock.toml").read_text()
    text += '\n[schedule]\nrun = "* * * * *"\nday_close = "* * * * *"\n'
    (project / "systock.toml").write_text(text.replace("Europe/Berlin", "UTC"))
    compile_ahead(project)
    sell(project, 1)
    return project


def sell(project: Path, day: int) -> None:
    at = f"2024-03-{day:02d}T10:00:00+00:00"
    rows = [(f"{day}-{number}", "1", "S1", "P1", at, "1", "", "2", "", at) for number in range(20)]
    deliver(project, "pos_sales", rows, f"{day:02d}", modified=1_712_000_000.0 + day)


def seen(project: Path, days_ago: int) -> datetime:
    """As if the scheduler had last been at work so many days ago."""
    then = datetime.now(UTC) - timedelta(days=days_ago)
    with closing(State(project / ".systock")) as state:
        for job in ("schedule.run", DAY_CLOSE):
            state.forget_job(job)
            state.done_until(job, then)
    return then


def systock(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*SYSTOCK, *arguments, "--project", str(project)], capture_output=True, text=True, timeout=300
    )


def start(project: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*SYSTOCK, "schedule", "--project", str(project)], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def closes(project: Path) -> list[tuple]:
    return [tuple(row.values()) for row in Project(project).query(CLOSES).to_pylist()]


def expected_closes(then: datetime, now: datetime) -> list[tuple]:
    """Every UTC midnight between two instants, counted by hand: the last one is on time when it is not an hour ago."""
    midnights, at = [], datetime(then.year, then.month, then.day, tzinfo=UTC) + timedelta(days=1)
    while at < now - timedelta(minutes=1):
        midnights.append((str(at - timedelta(microseconds=1))[:26] + "+00", now - at > timedelta(minutes=61)))
        at += timedelta(days=1)
    return sorted(
        (kind, *midnight) for kind in ("product_state", "sales_state", "stock_state") for midnight in midnights
    )


def without_fractions(rows: list[tuple]) -> list[tuple]:
    return [(kind, as_of[:19], derived) for kind, as_of, derived in rows]


def kill_and_look(folder: Path, kills: int, seed: int) -> None:
    sibling = make(folder / "sibling")
    seen(sibling, 3)
    started = time.perf_counter()
    assert systock(sibling, "schedule", "--once").returncode == 0
    usual, chance = time.perf_counter() - started, random.Random(seed)
    project = make(folder / "killed")
    then, first, cut = seen(project, 3), datetime.now(UTC), 0
    reader = Reader(project / "warehouse.duckdb")
    reader.start()
    for number in range(kills):
        sell(project, 2 + number)
        process = start(project)
        time.sleep(chance.uniform(0.1, 1.1) * usual)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        with closing(State(project / ".systock")) as state:
            cut += state.ticks()[DAY_CLOSE].done_until == then
            # All is due again, as if the kill had always come before that was noted.
            for job in state.ticks():
                state.done_until(job, then)
    assert cut > 0, "nothing was cut off: the test has not tested anything"
    done = systock(project, "schedule", "--once")
    assert done.returncode == 0, done.stderr
    reader.stop.set()
    reader.join()
    assert reader.reads > 0 and reader.faults == []
    assert without_fractions(closes(project)) == without_fractions(expected_closes(then, first))
    [counts] = Project(project).query(COUNTS).to_pylist()
    assert counts == {"lines": 20 * (kills + 1), "files": kills + 1}
    assert all(table["same"] for table in Project(project).rebuild(verify=True)["tables"])


def test_killed_between_a_tick_and_the_end_of_its_work(tmp_path: Path) -> None:
    kill_and_look(tmp_path, kills=3, seed=1)


def test_killed_when_a_close_has_landed(tmp_path: Path) -> None:
    project = make(tmp_path / "p")
    then, first = seen(project, 3), datetime.now(UTC)
    process = start(project)
    log, until = Project(project)._place.log(), time.monotonic() + 60
    while not days_kept(log):
        assert process.poll() is None and time.monotonic() < until, process.communicate()
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    kept = days_kept(log)
    with closing(State(project / ".systock")) as state:
        assert state.ticks()[DAY_CLOSE].done_until == then
    done = systock(project, "schedule", "--once")
    assert done.returncode == 0, done.stderr
    assert kept and days_kept(log) >= kept
    assert without_fractions(closes(project)) == without_fractions(expected_closes(then, first))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 8))
def test_killed_more_often(tmp_path: Path, seed: int) -> None:
    kill_and_look(tmp_path, kills=15, seed=seed)


def test_a_scheduler_asked_to_stop_ends_its_run_first(tmp_path: Path) -> None:
    project = make(tmp_path / "p")
    seen(project, 2)
    process = start(project)
    with closing(State(project / ".systock")) as state:
        until = time.monotonic() + 60
        while not state.runs(1):
            assert process.poll() is None and time.monotonic() < until, process.communicate()
            time.sleep(0.005)
        assert state.runs(1)[0]["status"] == "running"
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=120)
        assert (process.returncode, out) == (0, ""), err
        assert err.rstrip().endswith("Stopped.") and "published" in err
        assert [run["status"] for run in state.runs(9)] == ["published"]
        assert state.ticks()[DAY_CLOSE].done_until > datetime.now(UTC) - timedelta(minutes=2)
    assert len(closes(project)) == 6  # two days, three kinds


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_scheduler_that_waits_stops_at_once_and_is_the_only_one(tmp_path: Path, stop: signal.Signals) -> None:
    project = make(tmp_path / "p")
    settings = (project / "systock.toml").read_text()
    (project / "systock.toml").write_text(settings.replace('"* * * * *"', '"0 0 1 1 *"'))  # nothing is due meanwhile
    process = start(project)
    assert process.stderr is not None
    assert process.stderr.readline().startswith("next: ")
    if stop == signal.SIGTERM:
        process_is_the_only_one(project, process.pid)
    process.send_signal(stop)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert Project(project).status()["scheduler"] is None


def process_is_the_only_one(project: Path, pid: int) -> None:
    second = systock(project, "schedule")
    assert second.returncode == 1 and f"systock schedule, process {pid} on" in second.stderr
    assert systock(project, "schedule", "--once").returncode == 1
    status = json.loads(systock(project, "status", "--format", "json").stdout)
    assert f"process {pid}" in status["scheduler"]


def test_the_schedule_can_be_seen_before_it_begins(tmp_path: Path) -> None:
    project = make(tmp_path / "p")
    rows = json.loads(systock(project, "schedule", "--dry-run", "--format", "json").stdout)
    assert [row["job"] for row in rows] == ["schedule.run", "schedule.day_close"]
    assert all(row["missed"] is None and row["done_until"] is None for row in rows)
    with closing(State(project / ".systock")) as state:
        assert state.ticks() == {}, "looking changes nothing"
    seen(project, 1)
    rows = json.loads(systock(project, "schedule", "--dry-run", "--format", "json").stdout)
    assert all(row["missed"] and row["next"] > row["missed"] for row in rows)
    status = json.loads(systock(project, "status", "--format", "json").stdout)
    later = json.loads(systock(project, "schedule", "--dry-run", "--format", "json").stdout)
    # Every minute has a tick, and minutes may pass between the three.
    assert all(rows[0]["next"] <= source["next_run"] <= later[0]["next"] for source in status["sources"])


def test_who_holds_the_project_is_named(tmp_path: Path) -> None:
    project = make(tmp_path / "p")
    with project_lock(project / ".systock", "systock rebuild --verify"):
        busy = systock(project, "run")
        assert busy.returncode == 1
        assert re.search(r"systock rebuild --verify, process \d+ on \S+, since 20\d\d-", busy.stderr), busy.stderr
        seen(project, 1)
        waits = systock(project, "schedule", "--once")
        assert waits.returncode == 1 and "will wait" in waits.stderr
    assert systock(project, "schedule", "--once").returncode == 0, "what had to wait is still due"
    assert Project(project).runs()[0]["status"] == "published"


def test_a_snapshot_that_landed_and_was_not_published_is_finished_before_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one is stored as changes against it, so it must be read with it."""
    from systock.pipeline_manager import take_snapshot

    project = make(tmp_path / "p")
    Project(project).run()
    Project(project).snapshot_take("sales", "2024-03-31")

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(take_snapshot, "build_and_publish", crash)
        with pytest.raises(KeyboardInterrupt):
            Project(project).snapshot_take("sales", "2024-02-01")  # an empty state lands, and is not published
    Project(project).snapshot_take("sales", "2024-03-31")
    found = Project(project).query("SELECT snapshot_no, count(*) AS n FROM snapshot.sales_state GROUP BY 1 ORDER BY 1")
    assert [row["n"] for row in found.to_pylist()] == [1, 1], "the first and the last are the same state, whole"
    assert all(table["same"] for table in Project(project).rebuild(verify=True)["tables"])


def test_many_closes_are_each_what_one_taken_alone_is(tmp_path: Path) -> None:
    """Captured one after the other in one go, or each published before the next: the same whole states."""
    states = []
    first = make(tmp_path / "first")
    for day in (2, 3, 5):
        sell(first, day)
    Project(first).run()
    for name in ("chained", "alone"):
        project = Path(shutil.copytree(first, tmp_path / name))
        days = [datetime(2024, 3, day, tzinfo=UTC).date() for day in (6, 2, 1, 5)]  # states also shrink
        from systock.pipeline_manager.build import Silent
        from systock.pipeline_manager.take_snapshot import Moment, point_in_time, take_closes

        opened = Project(project)
        moments = [
            Moment(*point_in_time(str(day), opened.settings.project), is_close=True, is_derived=True) for day in days
        ]
        for group in [moments] if name == "chained" else [[moment] for moment in moments]:
            take_closes(opened._place, group, Silent())
        assert days_kept(opened._place.log()) == set(days)
        states.append(opened.query(
            "SELECT as_of, business_date, line_count, net_amount, is_derived FROM snapshot.sales_state ORDER BY ALL"
        ).to_pylist())  # fmt: skip
    assert states[0] == states[1]
    assert [row["line_count"] for row in states[0] if row["as_of"].day == 6] == [20, 20, 20, 20]


def test_the_steps_of_a_run_add_up(tmp_path: Path) -> None:
    project = make(tmp_path / "p")
    deliver(project, "shop_orders", [("o1", "2024-03-01T10:00:00+00:00", "")], "1")
    deliver(project, "shop_lines", [("o1", "1", "P1", "1", "2", ""), ("o1", "2", "P1", "1", "2", "")], "1")
    summary = Project(project).run()
    steps = Project(project).run_steps(summary.run_id)
    rows = {(step["stage"], step["name"]): step["rows"] for step in steps}
    assert rows["extract", "pos.sales"] == 20 and rows["extract", "shop.lines"] == 2 and rows["land", ""] == 23
    assert rows["conform", "sale_line of pos"] == 20
    written = {table["table"]: table["written"] + table["removed"] for table in summary.tables}
    assert {name: count for (stage, name), count in rows.items() if stage == "refresh" and name} == written
    assert rows["check", ""] == summary.checks and ("publish", "") in rows
    assert all(step["seconds"] >= 0 for step in steps)
    assert 0.7 * summary.seconds <= sum(step["seconds"] for step in steps) <= 1.01 * summary.seconds
    shown = systock(project, "runs", str(summary.run_id), "--format", "csv")
    assert shown.stdout.startswith("stage,name,seconds,rows\n") and len(shown.stdout.splitlines()) == len(steps) + 1
    assert systock(project, "runs", "99").returncode == 2


def test_a_run_that_fails_has_the_steps_that_it_came_to(tmp_path: Path) -> None:
    project = make(tmp_path / "p")
    (project / "models").mkdir()
    (project / "models" / "fact_doubled.sql").write_text(DOUBLED)
    assert systock(project, "run").returncode == 1
    [run] = Project(project).runs()
    assert run["status"] == "failed"
    stages = {step["stage"] for step in Project(project).run_steps(run["run_id"])}
    assert stages == {"definitions", "extract", "land", "prepare", "conform", "refresh", "check"}


DOUBLED = """-- A table whose key is not one.
-- refresh: by key
CREATE TABLE gold.fact_doubled (
    sale_key bigint NOT NULL PRIMARY KEY, -- hash of source and sale
    net_amount numeric(18, 4) NOT NULL -- in the project's currency, tax excluded
);

SELECT CAST(1 AS bigint) AS sale_key, reporting_net_amount AS net_amount
FROM gold.fact_sale_line;
"""
