"""What is cleared away, and what never is."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from small_chain import deliver, make_project
from systock import Project
from systock.config import RetentionSettings
from systock.pipeline_manager.definitions import Definitions
from systock.pipeline_manager.retention import clean_up
from systock.pipeline_manager.run_pipeline import RunSummary
from systock.pipeline_manager.state import Notice, State, Step

NOW = datetime(2024, 6, 1, tzinfo=UTC)
KEEP = RetentionSettings(runs=timedelta(days=90), copies=timedelta(days=30))


def aged(state: State, path: Path, days: list[int]) -> None:
    """A run that went well so many days ago, for each."""
    for ago in days:
        run_id = state.start_run()
        state.end_run(run_id, "published", run_id, 1, {}, [Step("check", "", 1.0, 3)])
        state.add_notice(Notice("late", str(run_id), "", "", ""))
        at = (NOW - timedelta(days=ago)).isoformat(timespec="milliseconds")
        with closing(sqlite3.connect(path / "state.sqlite")) as db, db:
            db.execute("UPDATE run SET started_at = ? WHERE run_id = ?", (at, run_id))
            db.execute("UPDATE notice SET raised_at = ? WHERE subject = ?", (at, str(run_id)))


def test_old_runs_go_with_their_steps_and_notices(tmp_path: Path) -> None:
    state = State(tmp_path)
    aged(state, tmp_path, [200, 91, 89, 1])
    clean_up(tmp_path, tmp_path / "warehouse.duckdb", state, KEEP, "h", NOW)
    assert [run["run_id"] for run in state.runs(9)] == [4, 3]
    assert [bool(state.steps(run_id)) for run_id in (1, 2, 3, 4)] == [False, False, True, True]
    assert len(state.notices(9)) == 2


def test_the_newest_run_and_the_newest_good_one_stay(tmp_path: Path) -> None:
    state = State(tmp_path)
    aged(state, tmp_path, [400, 300, 200])
    failed = state.start_run()
    state.end_run(failed, "failed", None, 1, {}, [])
    clean_up(tmp_path, tmp_path / "warehouse.duckdb", state, KEEP, "h", NOW + timedelta(days=4000))
    assert [run["run_id"] for run in state.runs(9)] == [failed, 3]
    assert state.last_good_run() == 3


def test_copies_go_by_last_use_and_at_once_when_the_definitions_changed(tmp_path: Path) -> None:
    copies = tmp_path / "as_known"
    copies.mkdir()
    ages = {"1-" + "a" * 16: 29, "2-" + "a" * 16: 31, "3-" + "b" * 16: 1, "odd": 1}
    for name, days in ages.items():
        path = copies / f"{name}.duckdb"
        path.touch()
        moment = (NOW - timedelta(days=days)).timestamp()
        os.utime(path, (moment, moment))
    clean_up(tmp_path, tmp_path / "warehouse.duckdb", State(tmp_path), KEEP, "a" * 64, NOW)
    assert [path.stem for path in copies.iterdir()] == ["1-" + "a" * 16]


def test_a_run_clears_what_a_killed_one_left_and_nothing_else(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p")
    deliver(project, "pos_sales", [("1", "1", "S1", "P1", "2024-03-29T10:00:00+00:00", "1", "", "5", "", "")], "1")
    Project(project).run()
    Project(project).query("SELECT 1", known_at=datetime.now(UTC).isoformat())
    state = project / ".systock"
    kept = {path for path in [*state.rglob("*"), project / "warehouse.duckdb"] if path.is_file()}
    assert any(path.parent.name == "as_known" for path in kept)
    left = [
        state / "rebuild.duckdb",
        state / "verify.duckdb.wal",
        state / "tmp" / "spill",
        state / "as_known" / "1.new",
    ]
    left += [project / ".warehouse.duckdb.new", state / "tmp" / "folder" / "spill"]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    Project(project).run()
    assert not any(path.exists() for path in left)
    assert all(path.exists() for path in kept)


def test_bronze_is_enough_after_everything_else_is_cleared(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p")
    (project / "systock.toml").write_text(
        (project / "systock.toml").read_text() + '\n[retention]\nruns = "0 days"\ncopies = "0 days"\n'
    )
    for day in range(1, 4):
        at = f"2024-03-0{day}T10:00:00+00:00"
        deliver(project, "pos_sales", [("1", "1", "S1", "P1", at, str(day), "", "5", "", at)], str(day))
        Project(project).run()
    assert len(Project(project).runs()) == 2  # the one at work, and the newest good one before it
    assert all(table["same"] for table in Project(project).rebuild(verify=True)["tables"])
    with closing(State(project / ".systock")) as state:
        assert [published.generation for published in state.generations()] == [1, 2, 3]
    assert Definitions(project, Project(project).settings).hash


def test_an_older_copy_of_bronze_put_back_is_built_from_as_it_is(tmp_path: Path) -> None:
    project, at = make_project(tmp_path / "p"), "2024-03-01T10:00:00+00:00"

    def run(receipt: str) -> RunSummary:
        deliver(project, "pos_sales", [(receipt, "1", "S1", "P1", at, "1", "", "5", "", at)], receipt)
        return Project(project).run()

    run("kept")
    bronze, copy = project / ".systock" / "bronze", tmp_path / "copy"
    shutil.copytree(bronze, copy)
    for receipt in ("lost1", "lost2"):
        run(receipt)
        (project / "incoming" / f"pos_sales_{receipt}.csv").unlink()
    shutil.rmtree(bronze)
    shutil.copytree(copy, bronze)
    told = [run(f"new{number}").warnings for number in range(2)]  # fewer commits than were built, then as many
    assert ["built anew" in " ".join(warnings) for warnings in told] == [True, False]
    sales = Project(project).query("SELECT sale_id FROM gold.fact_sale_line ORDER BY 1").column(0).to_pylist()
    assert sales == ["kept", "new0", "new1"]
    assert all(table["same"] for table in Project(project).rebuild(verify=True)["tables"])


def test_landed_lines_that_no_mapping_reads_are_told(tmp_path: Path) -> None:
    project, at = make_project(tmp_path / "p"), "2024-03-01T10:00:00+00:00"
    deliver(project, "pos_sales", [("1", "1", "S1", "P1", at, "1", "", "5", "", at)], "1")
    assert "no mapping" not in " ".join(Project(project).run().warnings)
    shutil.rmtree(project / "sources" / "pos")
    assert "bronze.pos__sales: no mapping reads its 1 line," in " ".join(Project(project).run().warnings)
