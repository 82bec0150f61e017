"""A run keeps memory for the rows that it is about; where that is too little, it is done again with all that it may have."""

from __future__ import annotations

from pathlib import Path

import pytest

from small_chain import deliver, make_project
from systock import Project
from systock.data_warehouse.engine import duckdb as engine

DAY = "2024-03-29T10:00:00+00:00"


def test_a_run_that_needs_more_than_expected_takes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lifted = []
    take_all = engine.DuckDBEngine.take_all_memory
    monkeypatch.setattr(
        engine.DuckDBEngine, "take_all_memory", lambda self: lifted.append(take_all(self)) or lifted[-1]
    )
    monkeypatch.setattr(engine, "_LEAST_MEMORY", 2 * 1024**2)
    project = make_project(tmp_path / "p")
    for number in ("1", "2"):
        deliver(project, "pos_sales", [(number, "1", "S1", "P1", DAY, "1", "", "5", "", DAY)], number)
        assert Project(project).run().status == "published"
    assert lifted == [True]  # the first run builds anew, with all memory from the start
    assert all(table["same"] for table in Project(project).rebuild(verify=True)["tables"])
