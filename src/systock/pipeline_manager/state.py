"""What SyStock remembers of its runs: the run log, the generations published, the ticks done, who was told of what."""

from __future__ import annotations

import errno
import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from systock.errors import NotWritable, StorageError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS run (
    run_id INTEGER PRIMARY KEY, started_at TEXT NOT NULL, ended_at TEXT, status TEXT NOT NULL, generation INTEGER, seconds REAL, summary TEXT);
CREATE TABLE IF NOT EXISTS generation (
    generation INTEGER PRIMARY KEY, commit_no INTEGER NOT NULL, known_at TEXT, published_at TEXT NOT NULL, definitions TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS run_step (
    run_id INTEGER NOT NULL, step_no INTEGER NOT NULL, stage TEXT NOT NULL, name TEXT NOT NULL, seconds REAL NOT NULL, rows INTEGER,
    PRIMARY KEY (run_id, step_no)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tick (
    job TEXT PRIMARY KEY, first_seen_at TEXT NOT NULL, done_until TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS notice (
    event TEXT NOT NULL, subject TEXT NOT NULL, since TEXT NOT NULL, title TEXT NOT NULL, body TEXT NOT NULL,
    raised_at TEXT NOT NULL, tried_at TEXT, told_at TEXT, problem TEXT, PRIMARY KEY (event, subject, since)) WITHOUT ROWID;
"""
#: An address that did not answer is tried again after this long, and given up after a day.
_TRY_AGAIN, _GIVE_UP = timedelta(minutes=5), timedelta(days=1)


@dataclass(frozen=True)
class Published:
    """One published generation: the last landing commit in it, and the definitions that made it."""

    generation: int
    commit_no: int
    known_at: str | None
    published_at: str
    definitions: str


@dataclass(frozen=True)
class Step:
    """One step of a run: its stage, what of it (a raw table, an entity, a table), how long it took, rows it handled."""

    stage: str
    name: str
    seconds: float
    rows: int | None = None


@dataclass(frozen=True)
class Ticks:
    """How far a scheduled job is: every tick of its expression up to done_until has been dealt with."""

    first_seen_at: datetime
    done_until: datetime


@dataclass(frozen=True)
class Notice:
    """Something that people are told once: what happened (event), to what, since when or what."""

    event: str
    subject: str
    since: str
    title: str
    body: str


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
            raise self._refused(error) from error

    def _open(self) -> None:
        self._db = sqlite3.connect(self._path, isolation_level=None, timeout=30)
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        self._db.close()

    def _write(self, sql: str, values: tuple[Any, ...]) -> int:
        try:
            return int(self._db.execute(sql, values).lastrowid or 0)
        except sqlite3.Error as error:
            raise self._refused(error) from error

    def _refused(self, error: Exception) -> StorageError:
        lasting = (
            getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM)
            or (isinstance(error, OSError) and error.errno in (errno.EROFS, errno.EACCES, errno.EPERM))
        )  # fmt: skip
        todo = "Free space or mend the permissions, then run again."
        return (NotWritable if lasting else StorageError)(
            f"cannot be written: {error}", where=str(self._path), todo=todo
        )

    def start_run(self) -> int:
        """Log that a run begins; one that never ended was interrupted."""
        self._write("UPDATE run SET status = 'interrupted' WHERE status = 'running'", ())
        return self._write("INSERT INTO run (started_at, status) VALUES (?, 'running')", (_now(),))

    def end_run(
        self,
        run_id: int,
        status: str,
        generation: int | None,
        seconds: float,
        summary: dict[str, Any],
        steps: Sequence[Step],
    ) -> None:
        """Log how a run ended, and its steps."""
        self._write("BEGIN", ())
        try:
            for number, step in enumerate(steps, 1):
                self._write(
                    "INSERT INTO run_step VALUES (?, ?, ?, ?, ?, ?)",
                    (run_id, number, step.stage, step.name, round(step.seconds, 3), step.rows),
                )
            self._write(
                "UPDATE run SET ended_at = ?, status = ?, generation = ?, seconds = ?, summary = ? WHERE run_id = ?",
                (_now(), status, generation, round(seconds, 3), json.dumps(summary, default=str), run_id),
            )
            self._write("COMMIT", ())
        except StorageError:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def steps(self, run_id: int) -> list[dict[str, Any]]:
        """The steps of a run in their order; none of a run that was cut off."""
        return self._dicts(
            "SELECT stage, name, seconds, rows FROM run_step WHERE run_id = ? ORDER BY step_no", (run_id,)
        )

    def last_good_run(self) -> int:
        """The newest run that went well; 0 when none did."""
        query = "SELECT coalesce(max(run_id), 0) FROM run WHERE status IN ('published', 'nothing new')"
        return int(self._db.execute(query).fetchone()[0])

    def forget_runs(self, before: datetime) -> int:
        """Remove runs that began before an instant, but for the newest and the newest good one, and what hangs on them."""
        instant = before.isoformat(timespec="milliseconds")
        old = "SELECT run_id FROM run WHERE started_at < ? AND run_id NOT IN (?, (SELECT max(run_id) FROM run))"
        values = (instant, self.last_good_run())
        gone = int(self._db.execute(f"SELECT count(*) FROM ({old})", values).fetchone()[0])
        if gone:
            self._write(f"DELETE FROM run_step WHERE run_id IN ({old})", values)
            self._write(f"DELETE FROM run WHERE run_id IN ({old})", values)
            self._write("DELETE FROM notice WHERE raised_at < ?", (instant,))
        return gone

    def forget_messages(self) -> None:
        """Take out what runs and notices said, which may quote values of sources; when each ran, and how it ended, stays."""
        self._write("PRAGMA secure_delete = ON", ())
        self._write("UPDATE run SET summary = NULL", ())
        self._write("DELETE FROM notice", ())
        self._write("VACUUM", ())

    def ticks(self) -> dict[str, Ticks]:
        """How far each scheduled job is."""
        rows = self._db.execute("SELECT job, first_seen_at, done_until FROM tick")
        return {job: Ticks(datetime.fromisoformat(seen), datetime.fromisoformat(done)) for job, seen, done in rows}

    def done_until(self, job: str, instant: datetime) -> None:
        """A job's ticks up to an instant are dealt with; a job that is new begins there."""
        self._write(
            "INSERT INTO tick VALUES (?1, ?2, ?2) ON CONFLICT (job) DO UPDATE SET done_until = excluded.done_until",
            (job, instant.isoformat()),
        )

    def forget_job(self, job: str) -> None:
        """A job is no longer in the settings."""
        self._write("DELETE FROM tick WHERE job = ?", (job,))

    def add_notice(self, notice: Notice) -> None:
        """Keep what is to be told; the same is told once."""
        self._write(
            "INSERT OR IGNORE INTO notice (event, subject, since, title, body, raised_at) VALUES (?, ?, ?, ?, ?, ?)",
            (notice.event, notice.subject, notice.since, notice.title, notice.body, _now()),
        )

    def waiting_notices(self) -> list[Notice]:
        """What nobody was told yet and is due to be tried, oldest first."""
        now = datetime.now(UTC)
        rows = self._db.execute(
            "SELECT event, subject, since, title, body FROM notice WHERE told_at IS NULL AND raised_at > ?"
            " AND (tried_at IS NULL OR tried_at < ?) ORDER BY raised_at",
            [(now - span).isoformat(timespec="milliseconds") for span in (_GIVE_UP, _TRY_AGAIN)],
        )
        return [Notice(*row) for row in rows]

    def tried(self, notice: Notice, told: bool, problem: str | None) -> None:
        """Note whether a notice reached anybody, and what stood in the way."""
        self._write(
            "UPDATE notice SET tried_at = ?1, told_at = CASE WHEN ?2 THEN ?1 END, problem = ?3"
            " WHERE (event, subject, since) = (?4, ?5, ?6)",
            (_now(), told, problem, notice.event, notice.subject, notice.since),
        )

    def notices(self, limit: int) -> list[dict[str, Any]]:
        """What people were, or were to be, told: the newest first."""
        return self._dicts(
            "SELECT raised_at, event, title, told_at, problem FROM notice ORDER BY raised_at DESC LIMIT ?", (limit,)
        )

    def _dicts(self, sql: str, values: tuple[Any, ...]) -> list[dict[str, Any]]:
        rows = self._db.execute(sql, values)
        names = [column[0] for column in rows.description]
        return [dict(zip(names, row, strict=True)) for row in rows]

    def runs(self, limit: int) -> list[dict[str, Any]]:
        """The newest runs first."""
        rows = self._dicts(
            "SELECT run_id, started_at, ended_at, status, generation, seconds, summary FROM run ORDER BY run_id DESC LIMIT ?",
            (limit,),
        )
        return [{**row, "summary": json.loads(row["summary"] or "{}")} for row in rows]

    def run_of(self, run_id: int) -> bool:
        """Is there such a run in the log?"""
        return self._db.execute("SELECT 1 FROM run WHERE run_id = ?", (run_id,)).fetchone() is not None

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
