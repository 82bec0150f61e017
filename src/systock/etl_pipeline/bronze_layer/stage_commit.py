"""Commits in the making: rows go into parts aside, parts are moved into place, then the log says so at once."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING

from systock.errors import BusyError
from systock.etl_pipeline.bronze_layer.durable import make_folder, storage_errors
from systock.etl_pipeline.bronze_layer.judged_rows import Look, judged
from systock.etl_pipeline.bronze_layer.landing_log import (
    Batch,
    LandingLog,
    from_microseconds,
    insert_batches,
    to_microseconds,
)
from systock.etl_pipeline.bronze_layer.moving_parts import aside_of, moved, recover
from systock.etl_pipeline.bronze_layer.part_writer import PartWriter, widened
from systock.etl_pipeline.bronze_layer.personal_values import Personal
from systock.extract.batch import FileReader, FileRejected, FileVersion, Mode

if TYPE_CHECKING:
    import pyarrow as pa

#: So many parts of one table, with different columns, are written at the same time within a commit.
MAX_OPEN_PARTS = 8
#: Commits are written to the log together until there are so many, or so many seconds have passed.
MAX_STAGED_COMMITS = 64
MAX_STAGED_SECONDS = 5.0


@dataclass(frozen=True)
class Extraction:
    """What a source delivered at one position, and how to read it.

    asked: the system was asked for it just now: what it says is later than all that it said before.
    look: sees the rows as they are read, and may refuse them all.
    """

    source: str
    table: str
    mode: Mode
    path: str
    position: str
    extracted_at: datetime
    reader: FileReader
    asked: bool = False
    is_whole: bool = True
    look: Look | None = None

    @cached_property
    def batch_id(self) -> str:
        """Hash of source, table, position and content: the same delivery has the same id, whenever it lands."""
        parts = (self.source, self.table, self.position, self.reader.content_hash)
        return hashlib.sha256(json.dumps(parts, ensure_ascii=True).encode()).hexdigest()


@dataclass
class _Draft:
    """One commit in the making."""

    no: int
    known_at: int = 0
    batches: list[Batch] = field(default_factory=list)
    parts: dict[str, PartWriter] = field(default_factory=dict)


@dataclass(frozen=True)
class Aside:
    """Rows that lie in a part aside, under the number that their batch will have."""

    no: int
    part: PartWriter


class Stage:
    """Gathers commits on top of a log. Nothing is visible before write(), and then whole commits are.

    shares_parts: small batches of a table lie in one part also where they are of several commits that are written together.
    That is for many commits with little in each that are mostly read together; a reader of one reads past the others.
    personal: the columns of raw tables whose values are hashed before they are written.
    """

    def __init__(
        self,
        log: LandingLog,
        clock: Callable[[], datetime],
        *,
        shares_parts: bool = False,
        personal: Personal | None = None,
    ) -> None:
        self._log, self._clock, self._shares_parts = log, clock, shares_parts
        self._personal = personal or {}
        self._bronze = log.path.parent
        self.aside = aside_of(log)
        last = log.last_commit()
        self._base = last.no if last else 0
        self._last_known_at = to_microseconds(last.known_at) if last else None
        self._numbers = count(log.last_batch_no() + 1)
        self._draft = _Draft(self._base + 1)
        self._closed: list[_Draft] = []
        self._open: dict[tuple[str, str, tuple[str, ...]], tuple[str, PartWriter]] = {}
        self._files: list[tuple[object, ...]] = []
        self._cursors: list[tuple[str, str, str]] = []
        self._gone: list[tuple[str, str, str]] = []
        self._since = time.monotonic()
        self._ids: set[str] = set()
        self._contents: dict[tuple[str, str, str], Batch] = {}
        self._latest: dict[tuple[str, str], tuple[datetime, str, str] | None] = {}
        self.written: list[int] = []

    # gathering

    def add(self, extraction: Extraction) -> Batch | None:
        """Read an extraction into the open commit; None when the same position holds the same content already.

        When reading raises, nothing of it is in the commit.
        """
        reader = extraction.reader
        if self._landed(extraction):
            return None
        original = self._original(extraction)
        batch = self._batch(extraction, next(self._numbers))
        part = None if original is not None else self._read(batch, extraction)
        found = original or reader
        batch = replace(
            batch,
            lines=found.lines,
            malformed=found.malformed,
            blank=found.blank,
            columns=found.columns,
            part=part,
            repeat_of=original.no if original is not None else None,
        )
        self._keep(batch)
        return batch

    def rows(
        self, source: str, table: str, reader: FileReader, path: str, look: Look | None
    ) -> Iterable[pa.RecordBatch]:
        """The rows of an extraction as they go to bronze: personal values hashed, then looked at if somebody wants to."""
        personal = self._personal.get((source, table))
        rows = personal.hashed(reader, path) if personal else reader
        return judged(rows, reader, look, path) if look else rows

    def read_aside(self, rows: Iterable[pa.RecordBatch]) -> Aside:
        """Read rows whose content hash is not known yet into a part aside; any thread may, beside others.

        When reading raises, nothing of it is left.
        """
        no, part = next(self._numbers), self._part(())
        try:
            for batch in rows:
                part.write(no, batch)
            if part.rows:
                part.finish()
        except BaseException:
            part.discard()
            raise
        return Aside(no, part)

    def take(self, extraction: Extraction, aside: Aside) -> Batch | None:
        """Put what was read aside into the open commit; None, and it is thrown away, when it says nothing new."""
        if not aside.part.rows or self._landed(extraction) or self._original(extraction):
            aside.part.discard()
            return None
        reader, batch = extraction.reader, self._batch(extraction, aside.no)
        part = _part_name(batch)
        batch = replace(batch, lines=reader.lines, malformed=reader.malformed, columns=reader.columns, part=part)
        self._draft.parts[part] = aside.part
        self._keep(batch)
        return batch

    def _landed(self, extraction: Extraction) -> bool:
        return extraction.batch_id in self._ids or self._log.batch_of_id(extraction.batch_id) is not None

    def _batch(self, extraction: Extraction, no: int) -> Batch:
        personal = self._personal.get((extraction.source, extraction.table))
        return Batch(
            no=no,
            batch_id=extraction.batch_id,
            commit_no=self._draft.no,
            known_at=from_microseconds(0),
            source=extraction.source,
            table=extraction.table,
            mode=extraction.mode,
            path=extraction.path,
            position=extraction.position,
            extracted_at=extraction.extracted_at,
            lines=0,
            malformed=0,
            content_hash=extraction.reader.content_hash,
            columns=(),
            part=None,
            repeat_of=None,
            is_whole=extraction.is_whole,
            personal=personal.names if personal else (),
        )

    def _original(self, extraction: Extraction) -> Batch | None:
        """The batch that this extraction repeats.

        In append and changes tables: whatever holds this content. In full tables only the latest extraction counts, by
        what extractions state: content that comes back after another one (a price that went back) is news. So it is
        where a system is asked for changes: it said this one after the other.
        """
        table, content_hash = (extraction.source, extraction.table), extraction.reader.content_hash
        if extraction.mode == "full" or (extraction.asked and extraction.mode == "changes"):
            if table not in self._latest:
                self._latest[table] = self._log.latest_extraction(*table)
            latest = self._latest[table]
            if latest is None or latest[2] != content_hash:
                return None
        return self._contents.get((*table, content_hash)) or self._log.batch_of_content(*table, content_hash)

    def _keep(self, batch: Batch) -> None:
        self._draft.batches.append(batch)
        self._ids.add(batch.batch_id)
        table = (batch.source, batch.table)
        if batch.repeat_of is None:
            self._contents.setdefault((*table, batch.content_hash), batch)
        if table in self._latest:
            latest, this = self._latest.get(table), (batch.extracted_at, batch.batch_id, batch.content_hash)
            self._latest[table] = max(latest, this) if latest else this

    def _read(self, batch: Batch, extraction: Extraction) -> str | None:
        """Write the rows into a part; returns the part's name, None without rows."""
        reader = extraction.reader
        found_rows = self.rows(batch.source, batch.table, reader, extraction.path, extraction.look)
        if not reader.small:
            # A part of its own: what turns out to be broken at its end can still be thrown away.
            name, part = self._new_part(batch, reader.columns)
            try:
                for rows in found_rows:
                    part.write(batch.no, rows)
                if not part.rows:
                    return None
                part.finish()
            except BaseException:
                part.discard()
                raise
            self._draft.parts[name] = part
            return name
        gathered = [rows for rows in found_rows if rows.num_rows]
        if not gathered:
            return None
        key = (batch.source, batch.table, reader.columns)
        found = self._open.pop(key, None)
        if found is None:
            self._make_room(key)
            found = name, part = self._new_part(batch, reader.columns)
            self._draft.parts[name] = part
        self._open[key] = found
        for rows in gathered:
            found[1].write(batch.no, widened(rows, reader.columns))
        return found[0]

    def _new_part(self, batch: Batch, columns: tuple[str, ...]) -> tuple[str, PartWriter]:
        return _part_name(batch), self._part(columns)

    def _part(self, columns: tuple[str, ...]) -> PartWriter:
        with storage_errors(self.aside):
            make_folder(self.aside)
        return PartWriter(self.aside / f"{uuid.uuid4().hex}.parquet", columns)

    def _make_room(self, key: tuple[str, str, tuple[str, ...]]) -> None:
        """Finish the one unused for longest when there are many open parts, and those of other tables unless parts are shared."""
        if not self._shares_parts:
            for other in [other for other in self._open if other[:2] != key[:2]]:
                self._open.pop(other)[1].finish()
        if len(self._open) >= MAX_OPEN_PARTS:
            self._open.pop(next(iter(self._open)))[1].finish()

    def saw(self, version: FileVersion) -> None:
        """The file is dealt with, as of this size and modification time."""
        self._file(version, version.size, version.modified_ns, None, None, None, None)

    def opened(self, archive: FileVersion, settings: str) -> None:
        """All that these settings mean of an archive is dealt with, each member as a file of its own."""
        self._file(archive, archive.size, archive.modified_ns, None, None, settings, None)

    def refused(self, version: FileVersion, error: FileRejected, settings: str) -> None:
        """The file cannot be read; it is tried again when it or its settings change."""
        size, modified = (-1, -1) if error.again else (version.size, version.modified_ns)
        place = (error.where or "").removeprefix(version.path).lstrip(", ")
        reason = f"{place}: {error.what}" if place else error.what
        columns = json.dumps(error.columns, ensure_ascii=False) if error.columns else None
        self._file(version, size, modified, reason, error.todo, settings, columns)

    def _file(self, version: FileVersion, size: int, modified: int, *reason: str | None) -> None:
        # A name that is no valid text cannot be stored as it is.
        path = version.path.encode("utf-8", "backslashreplace").decode()
        why, todo, refused_with, refused_columns = reason
        row = (
            version.source,
            version.table,
            path,
            size,
            modified,
            why,
            todo,
            to_microseconds(self._clock()),
            refused_with,
            refused_columns,
        )
        self._files.append(row)

    def forget(self, source: str, table: str, path: str) -> None:
        """A refused file, or an archive, is no longer there."""
        self._gone.append((source, table, path))

    def moved(self, source: str, table: str, cursor: str) -> None:
        """The next extraction of a table goes on from here."""
        self._cursors.append((source, table, cursor))

    def close_commit(self, known_at: datetime | None) -> None:
        """End the open commit; it becomes known at that instant (None: the clock), but later than the one before it."""
        draft = self._draft
        if not draft.batches:
            return
        if not self._shares_parts:
            self._finish_parts()
        instant = to_microseconds(known_at or self._clock())
        draft.known_at = instant if self._last_known_at is None else max(instant, self._last_known_at + 1)
        self._last_known_at = draft.known_at
        self._closed.append(draft)
        self._draft = _Draft(draft.no + 1)
        if len(self._closed) >= MAX_STAGED_COMMITS or time.monotonic() - self._since > MAX_STAGED_SECONDS:
            self.write()

    # writing

    def _finish_parts(self) -> None:
        for _, part in self._open.values():
            part.finish()
        self._open.clear()

    @contextmanager
    def cleaned_up(self) -> Iterator[None]:
        """When something goes wrong, give the disk back what the unwritten commits took; recover() would do it later."""
        try:
            yield
        except BaseException:
            with suppress(Exception):
                for draft in (*self._closed, self._draft):
                    for part in draft.parts.values():
                        part.discard()
                self.recover()
            raise

    def recover(self) -> None:
        """Remove what a crash left: parts that no commit refers to, and everything aside."""
        recover(self._log)

    def write(self) -> None:
        """Make the closed commits part of bronze: parts in place first, then the log, in one transaction."""
        if not (self._closed or self._files or self._cursors or self._gone):
            return
        self._finish_parts()
        targets = {name: part.path for draft in self._closed for name, part in draft.parts.items()}
        with storage_errors(self._bronze):
            make_folder(self._bronze)
            with moved(self._log, targets), self._log.transaction() as connection:
                self._insert(connection)
        self.written += [draft.no for draft in self._closed]
        self._base += len(self._closed)
        self._closed, self._files, self._cursors, self._gone = [], [], [], []
        self._since = time.monotonic()

    def _insert(self, connection: sqlite3.Connection) -> None:
        base = connection.execute("SELECT coalesce(max(no), 0) FROM commits").fetchone()[0]
        if base != self._base:
            raise BusyError(
                "another landing wrote to the log meanwhile",
                where=str(self._log.path),
                state="Nothing of this landing is in the log.",
                todo="Run again, one at a time.",
            )
        for draft in self._closed:
            connection.execute("INSERT INTO commits VALUES (?, ?)", (draft.no, draft.known_at))
            insert_batches(connection, draft.batches)
        forgotten = "DELETE FROM files WHERE source = ? AND table_name = ? AND path = ? AND refused_with IS NOT NULL"
        connection.executemany(forgotten, self._gone)
        connection.executemany(f"INSERT OR REPLACE INTO files VALUES ({', '.join('?' * 10)})", self._files)
        connection.executemany("INSERT OR REPLACE INTO cursors VALUES (?, ?, ?)", self._cursors)


def _part_name(batch: Batch) -> str:
    return f"{batch.source}/{batch.table}/{batch.commit_no:08d}-{batch.batch_id[:16]}.parquet"
