"""kill -9 while many closes land: what is there are whole snapshots, the first of them, and the next run goes on after them."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import date
from pathlib import Path

from systock import Project
from systock.pipeline_manager.take_snapshot import days_kept

from .test_schedule import make, sell

DAYS = [date(2024, 3, day) for day in (1, 2, 3, 4, 5)]
#: Keeps the closes that are not kept yet, two at a time; and, where it is told to, dies before a step of the landing comes for the nth time.
KEEP = """
import os, signal, sys
from datetime import date
from systock import Project
from systock.etl_pipeline.bronze_layer import moving_parts, stage_commit
from systock.pipeline_manager.build import Silent
from systock.pipeline_manager.take_snapshot import Moment, days_kept, point_in_time, take_closes

def dies(name, left):
    module = moving_parts if name == "move" else stage_commit
    step = getattr(module, name)
    def dying(*arguments):
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return step(*arguments)
    setattr(module, name, dying)

stage_commit.MAX_STAGED_COMMITS = 2
if len(sys.argv) > 2:
    dies(sys.argv[2], int(sys.argv[3]))
project = Project(sys.argv[1])
days = sorted({date(2024, 3, day) for day in (1, 2, 3, 4, 5)} - days_kept(project._place.log()))
ends = [point_in_time(str(day), project.settings.project) for day in days]
take_closes(project._place, [Moment(*end, is_close=True, is_derived=True) for end in ends], Silent())
"""
#: What it dies of, and how many closes are kept then.
DEATHS = [
    ("insert_batches", 4, 2),  # in the transaction of the second pair, between its two
    ("move", 2, 2),  # one part of that pair is in its place, others are not
    ("insert_batches", 3, 4),  # the second pair is in the log, the last close on its way
]


def keep(project: Path, *death: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", KEEP, str(project), *death], capture_output=True, text=True, timeout=300
    )


def test_killed_among_closes_that_land_together(tmp_path: Path) -> None:
    project = make(tmp_path / "p")  # has sold on the 1st
    for day in (2, 3, 5):
        sell(project, day)
    Project(project).run()
    log = Project(project)._place.log()
    for step, number, kept in DEATHS:
        child = keep(project, step, str(number))
        assert child.returncode == -signal.SIGKILL, child.stderr
        assert days_kept(log) == set(DAYS[:kept]), step
        assert len(log.batches(source="systock")) == kept * 6, "of each close all three kinds, or nothing"
    last = keep(project)
    assert last.returncode == 0, last.stderr
    state = "SELECT day(as_of), day(business_date), line_count, net_amount FROM snapshot.sales_state ORDER BY ALL"
    assert [tuple(row.values()) for row in Project(project).query(state).to_pylist()] == [
        (closed.day, sold, 20, 40) for closed in DAYS for sold in (1, 2, 3, 5) if sold <= closed.day
    ]
    on_disk = {str(path.relative_to(log.path.parent)) for path in (log.path.parent / "systock").rglob("*.parquet")}
    assert on_disk == {part for part in log.parts() if part.startswith("systock/")}
    assert all(table["same"] for table in Project(project).rebuild(verify=True)["tables"])
