"""What SyStock remembers of its runs: the run log and the generations that were published."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from systock.errors import StorageError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS run (
    run_id INTEGER PRIMARY KEY, started_at TEXT NOT NULL, ended_at TEXT, status TEXT NOT NULL, generation INTEGER, seconds REAL, summary TEXT);
CREATE TABLE IF NOT EXISTS generation (
    generation INTEGER PRIMARY KEY, commit_no INTEGER NOT NULL, known_at TEXT, published_at TEXT NOT NULL, definitions TEXT NOT NULL);
"""


@dataclass(frozen=True)
class Published:
    """One published generation: the last landing commit in it, and the definitions that made it."""

    generation: int
    commit_no: int
    known_at: str | None
    published_at: str
    definitions: str


class State:
    """The run log of a project (.systock/state.sqlite). Losing it loses history of runs, never a figure."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / "state.sqlite"
        try:
            state_dir.mkdir(parents=True, exist_ok=True)
            try:
                self._open()
            except sqlite3.DatabaseError as error:
                if getattr(error, "sqlite_errorcode", 0) & 0xFF not in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
                    raise
                self._db.close()
                self._path.replace(self._path.with_name("state.sqlite.damaged"))
                self._open()
        except (sqlite3.Error, OSError) as error:
            raise StorageError(
                f"cannot be written: {error}",
                where=str(self._path),
                todo="Free space or mend the permissions, then run again.",
            ) from error

    def _open(self) -> None:
        self._db = sqlite3.connect(self._path, isolation_level=None, timeout=30)
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        self._db.close()

    def _write(self, sql: str, values: tuple[Any, ...]) -> int:
        try:
            return int(self._db.execute(sql, values).lastrowid or 0)
        except sqlite3.Error as error:
            raise StorageError(
                f"cannot be written: {error}",
                where=str(self._path),
                todo="Free space or mend the permissions, then run again.",
            ) from error

    def start_run(self) -> int:
        """Log that a run begins; one that never ended was interrupted."""
        self._write("UPDATE run SET status = 'interrupted' WHERE status = 'running'", ())
        return self._write("INSERT INTO run (started_at, status) VALUES (?, 'running')", (_now(),))

    def end_run(
        self, run_id: int, status: str, generation: int | None, seconds: float, summary: dict[str, Any]
    ) -> None:
        """Log how a run ended."""
        self._write(
            "UPDATE run SET ended_at = ?, status = ?, generation = ?, seconds = ?, summary = ? WHERE run_id = ?",
            (_now(), status, generation, round(seconds, 3), json.dumps(summary, default=str), run_id),
        )

    def runs(self, limit: int) -> list[dict[str, Any]]:
        """The newest runs first."""
        rows = self._db.execute(
            "SELECT run_id, started_at, ended_at, status, generation, seconds, summary FROM run ORDER BY run_id DESC LIMIT ?",
            (limit,),
        )
        names = [column[0] for column in rows.description]
        return [
            {**dict(zip(names, row, strict=True)), "summary": json.loads(row[-1]) if row[-1] else {}} for row in rows
        ]

    def record_published(self, published: Published) -> None:
        """Remember that readers see this generation from now on."""
        self._write(
            "INSERT OR REPLACE INTO generation VALUES (?, ?, ?, ?, ?)",
            (
                published.generation,
                published.commit_no,
                published.known_at,
                published.published_at,
                published.definitions,
            ),
        )

    def generations(self) -> list[Published]:
        """All generations that were published, oldest first."""
        return [Published(*row) for row in self._db.execute("SELECT * FROM generation ORDER BY generation")]

    def published(self) -> Published | None:
        """The generation that readers see."""
        row = self._db.execute("SELECT * FROM generation ORDER BY generation DESC LIMIT 1").fetchone()
        return Published(*row) if row else None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def published_now(generation: int, commit_no: int, known_at: str | None, definitions: str) -> Published:
    """A generation published at this moment."""
    return Published(generation, commit_no, known_at, _now(), definitions)
