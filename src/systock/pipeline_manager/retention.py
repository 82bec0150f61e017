"""Clearing away what no figure depends on: old run logs, warehouses kept for --known-at, files that a crash left.

Bronze is never touched: everything can be built from it, and from nothing else. Nor is the list of generations.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from systock.config import RetentionSettings
from systock.errors import StorageError
from systock.pipeline_manager.state import State

if TYPE_CHECKING:
    from systock.etl_pipeline.bronze_layer.landing_log import Commit

#: Warehouses built for a state of knowledge lie here, named <landing commit>-<its instant>-<definitions>.duckdb.
COPIES = "as_known"


def copy_name(commit: Commit, definitions_hash: str) -> str:
    """The name of the warehouse as of a landing commit, under these definitions. Another bronze has other instants."""
    return f"{commit.no}-{commit.known_at:%Y%m%dT%H%M%S%f}{_copies_of(definitions_hash)}"


def _copies_of(definitions_hash: str) -> str:
    return f"-{definitions_hash[:16]}.duckdb"


def clean_up(
    state_dir: Path,
    warehouse: Path,
    state: State,
    keep: RetentionSettings,
    definitions_hash: str,
    now: datetime | None = None,
) -> list[Path]:
    """Remove what the settings no longer keep; the caller holds the project's lock. Returns the files removed.

    What can't be removed is left for the next run: tidiness never fails one.
    """
    now = now or datetime.now(UTC)
    with suppress(StorageError):
        state.forget_runs(now - keep.runs)
    removed = []
    for path in leftovers(state_dir, warehouse):
        with suppress(OSError):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            removed.append(path)
    copies_until, logs_until = (now - keep.copies).timestamp(), (now - keep.runs).timestamp()
    for path in (state_dir / COPIES).glob("*.duckdb"):
        with suppress(OSError):
            # A copy's time is that of its last use; one of other definitions is never used again.
            of_others = not path.name.endswith(_copies_of(definitions_hash))
            if of_others or path.stat().st_mtime < copies_until:
                path.unlink()
                removed.append(path)
    damaged = state_dir / "state.sqlite.damaged"
    with suppress(OSError):
        if damaged.stat().st_mtime < logs_until:
            damaged.unlink()
            removed.append(damaged)
    return removed


def leftovers(state_dir: Path, warehouse: Path) -> Iterator[Path]:
    """What a killed process was at work on: under the lock, nobody is."""
    for name in ("rebuild.duckdb", "rebuild.duckdb.wal", "verify.duckdb", "verify.duckdb.wal"):
        yield state_dir / name
    yield from (state_dir / COPIES).glob("*.new*")
    yield from (state_dir / "tmp").glob("*")
    yield warehouse.with_name(f".{warehouse.name}.new")
