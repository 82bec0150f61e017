"""Where a project keeps its things, and how its database files are opened."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from systock.config import Settings

if TYPE_CHECKING:
    from systock.data_warehouse.engine.duckdb import DuckDBEngine
    from systock.etl_pipeline.bronze_layer.landing_log import LandingLog


@dataclass(frozen=True)
class Workplace:
    """Where a project keeps its things."""

    project_dir: Path
    settings: Settings

    @property
    def state_dir(self) -> Path:
        return self.project_dir / ".systock"

    @property
    def bronze(self) -> Path:
        return self.state_dir / "bronze"

    @property
    def build_file(self) -> Path:
        return self.state_dir / "build.duckdb"

    @property
    def warehouse(self) -> Path:
        return self.settings.target.warehouse_file(self.project_dir)

    def log(self) -> LandingLog:
        from systock.etl_pipeline.bronze_layer.landing_log import LandingLog

        return LandingLog(self.bronze / "landing.sqlite")

    def connect(self, path: Path, *, read_only: bool = False) -> DuckDBEngine:
        """A database file, opened within the memory and threads of the settings; what does not fit goes aside in the state's folder."""
        from systock.data_warehouse.engine.duckdb import connect

        may = self.settings.run
        return connect(
            path, read_only=read_only, memory_limit=may.memory_limit or None, threads=may.threads or None,
            temp_directory=self.state_dir / "tmp",
        )  # fmt: skip
