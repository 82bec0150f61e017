"""The flow file is held to the code: its packages exist, and a run goes through its stages in its order."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from small_chain import deliver, make_project
from systock import Project
from systock.pipeline_manager.pipeline_flow import FLOW


class Stages:
    """Progress that remembers the stages."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def stage(self, name: str, total: int | None = None) -> None:
        self.names.append(name)

    def advance(self, n: int = 1, detail: str = "") -> None: ...

    def note(self, text: str) -> None: ...
    def asked(self, source: str, table: str, rows: int, done: bool) -> None: ...


def test_packages_exist() -> None:
    for stage in FLOW:
        assert import_module(stage.package).__doc__


def test_a_run_follows_the_flow(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p")
    deliver(project, "erp_locations", [("S1", "X", "Europe/Berlin")], "1")
    stages = Stages()
    Project(project).run(progress=stages)
    assert stages.names == [stage.name for stage in FLOW if stage.name != "extract"]  # extracting streams into landing


def test_flow_names_every_table_with_what_it_reads(tmp_path: Path) -> None:
    text = Project(make_project(tmp_path / "p")).flow()
    assert "gold.fact_sale_line  [by key]" in text
    assert "    <- gold.dim_product" in text
