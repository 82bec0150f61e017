"""kill -9 at moments taken as they come: the next landing finds a whole log and lands the rest."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq

import systock

from .project import Project

SCRIPT = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from systock.source_settings import FileSource
from systock.etl_pipeline.bronze_layer import stage_commit
from systock.etl_pipeline.bronze_layer.land_batches import land

stage_commit.MAX_STAGED_COMMITS = 3
tables = {"sales": {"path": "in/*", "mode": "append"}}
source = FileSource.model_validate({"type": "files", "known_at": "mtime", "tables": tables})
print("ready", flush=True)
land(Path(sys.argv[1]), {"pos": source}, now=datetime(2024, 6, 1, tzinfo=UTC))
"""


def test_killed_landings_lose_and_double_nothing(tmp_path: Path) -> None:
    project = Project(tmp_path, "mtime")
    for number in range(60):
        project.write(f"{number:03}.csv", "id,n\n" + "".join(f"{number}-{n},{n}\n" for n in range(50)), number)
    environment = {**os.environ, "PYTHONPATH": str(Path(systock.__file__).parents[1])}
    killed = 0
    for attempt in range(12):
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(tmp_path)], env=environment, stdout=subprocess.PIPE
        )
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        time.sleep(0.05 + 0.03 * attempt)
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        process.stdout.close()
        batches = project.batches()
        assert [batch.no for batch in batches] == list(range(1, len(batches) + 1))
        for batch in batches:
            assert len(project.rows(batch)) == 50
    assert killed > 2
    project.land()
    batches = project.batches()
    assert Counter(batch.path for batch in batches) == Counter(f"in/{number:03}.csv" for number in range(60))
    assert [commit.known_at for commit in project.log.commits()] == [batch.extracted_at for batch in batches]
    assert set(project.parts()) == {batch.part for batch in batches}
    ids = [value for part in project.parts() for value in pq.read_table(project.bronze / part)["id"].to_pylist()]
    assert len(ids) == len(set(ids)) == 3000
