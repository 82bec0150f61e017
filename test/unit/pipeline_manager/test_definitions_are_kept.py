"""What is parsed once and shared by all projects of a process is read by everything and changed by nothing."""

from __future__ import annotations

from pathlib import Path

from small_chain import deliver, make_project
from systock import Project
from systock.data_warehouse.dependency_order import inputs_of_query
from systock.data_warehouse.table_file import load_folder
from systock.pipeline_manager.definitions import CONTRACTS, SCHEMA

AT = "2024-03-29T10:00:00+00:00"


def test_a_run_changes_no_definition(tmp_path: Path) -> None:
    tables = load_folder(SCHEMA, CONTRACTS)
    assert load_folder(SCHEMA, CONTRACTS) == tables  # the same objects
    said = {name: (str(table), repr(table.select)) for name, table in tables.items()}
    project = make_project(tmp_path / "p", "landing")
    for number in range(2):  # the second run plans by key
        deliver(project, "erp_products", [("P1", "AB"[number], "1", "pcs", AT)], str(number))
        deliver(project, "erp_movements", [(str(number), "S1", "P1", AT, "receipt", "5", AT)], str(number))
        assert Project(project).run().status == "published"
    assert {name: (str(table), repr(table.select)) for name, table in tables.items()} == said
    read = [inputs_of_query(table.select) for table in tables.values() if table.select is not None]
    assert sum(map(len, read)) > 100
