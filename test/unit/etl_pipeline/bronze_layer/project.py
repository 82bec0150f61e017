"""A small project to land into."""

from __future__ import annotations

import gzip
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from systock.etl_pipeline.bronze_layer.land_batches import LandingSummary, TableLanding, land, open_log
from systock.etl_pipeline.bronze_layer.landing_log import Batch, LandingLog
from systock.source_settings import FileSource

NOW = datetime(2024, 6, 1, tzinfo=UTC)


class Project:
    """Files go in, batches come out; each landing is a minute after the one before."""

    def __init__(self, folder: Path, known_at: str = "landing", **tables: dict[str, Any]) -> None:
        self.folder = folder
        self.source = settings(known_at, **(tables or {"sales": {"path": "in/*"}}))
        self.landings = 0
        self.progress: list[tuple[int, int, int]] = []

    def write(self, name: str, content: str | bytes, hour: float = 0) -> Path:
        """A file in the folder 'in', modified at an hour of the first of January."""
        path = self.folder / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = content.encode() if isinstance(content, str) else content
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        modified = (datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=hour)).timestamp()
        os.utime(path, (modified, modified))
        return path

    def land(self, **options: Any) -> LandingSummary:
        now = NOW + timedelta(minutes=self.landings)
        self.landings += 1
        self.progress = []
        return land(
            self.folder,
            {"pos": self.source},
            now=now,
            progress=lambda done, total, size: self.progress.append((done, total, size)),
            **options,
        )

    def counts(self, table: str = "sales") -> TableLanding:
        """What landing now does for a table."""
        return self.land().of("pos", table)

    @property
    def log(self) -> LandingLog:
        return open_log(self.folder)

    @property
    def bronze(self) -> Path:
        return self.folder / ".systock" / "bronze"

    def batches(self, table: str | None = None) -> list[Batch]:
        return self.log.batches(table=table)

    def rows(self, batch: Batch) -> list[tuple[Any, ...]]:
        """The rows of a batch: number, malformed text, then the columns."""
        if batch.part is None:
            return []
        table = pq.read_table(self.bronze / batch.part, filters=[("_batch_no", "=", batch.no)])
        names = ["_row", "_malformed", *batch.columns]
        return [tuple(line[name] for name in names) for line in table.to_pylist()]

    def parts(self) -> list[str]:
        return sorted(path.relative_to(self.bronze).as_posix() for path in self.bronze.glob("*/*/*"))


def settings(known_at: str = "landing", **tables: dict[str, Any]) -> FileSource:
    """The settings of a source as they are read from systock.toml."""
    complete = {name: {"mode": "append", **values} for name, values in tables.items()}
    for values in complete.values():
        if values["mode"] != "append":
            values.setdefault("key", ["id"])
    return FileSource.model_validate({"type": "files", "known_at": known_at, "tables": complete})
