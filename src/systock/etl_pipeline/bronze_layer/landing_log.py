"""The landing log: which commits and batches bronze holds, which files are dealt with, which were refused (SQLite)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from systock.errors import IntegrityError
from systock.etl_pipeline.bronze_layer.durable import storage_errors
from systock.extract.batch import Mode, SeenFile

#: 2 says of each batch whether it is whole, 3 which columns were hashed, and what was erased, 4 which columns a refused file has.
FORMAT_VERSION = 4
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_TABLES = """
CREATE TABLE commits (
    no INTEGER PRIMARY KEY,                 -- 1, 2, 3 …
    known_at INTEGER NOT NULL UNIQUE        -- microseconds since 1970 (UTC), rising with no
) STRICT;
CREATE TABLE column_sets (
    no INTEGER PRIMARY KEY,
    columns TEXT NOT NULL UNIQUE            -- JSON list of names, in the order of the file
) STRICT;
CREATE TABLE batches (
    no INTEGER PRIMARY KEY,                 -- rising over the whole log; what was thrown away leaves a gap
    batch_id TEXT NOT NULL UNIQUE,
    commit_no INTEGER NOT NULL REFERENCES commits (no),
    source TEXT NOT NULL,
    table_name TEXT NOT NULL,
    mode TEXT NOT NULL,
    path TEXT NOT NULL,
    position TEXT NOT NULL,
    extracted_at INTEGER NOT NULL,          -- microseconds since 1970 (UTC)
    lines INTEGER NOT NULL,
    malformed INTEGER NOT NULL,
    blank INTEGER NOT NULL,
    content_hash TEXT NOT NULL,
    column_set INTEGER NOT NULL REFERENCES column_sets (no),
    part TEXT,
    repeat_of INTEGER REFERENCES batches (no),
    is_whole INTEGER NOT NULL DEFAULT 1,    -- 0: the source said that rows are missing
    personal TEXT NOT NULL DEFAULT '[]'     -- JSON list of the columns whose values are keyed hashes
) STRICT;
CREATE INDEX batch_of_commit ON batches (commit_no);
CREATE INDEX batch_of_content ON batches (source, table_name, content_hash, no);
CREATE INDEX batch_of_extraction ON batches (source, table_name, extracted_at, content_hash);
CREATE TABLE files (
    source TEXT NOT NULL,
    table_name TEXT NOT NULL,
    path TEXT NOT NULL,
    size INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    reason TEXT,                            -- why it was refused; NULL: its batch is landed
    todo TEXT,
    seen_at INTEGER NOT NULL,
    refused_with TEXT,                      -- the settings it was refused under; of an archive, that its members were judged by
    refused_columns TEXT,                   -- JSON list of its columns, where they or their values are what it was refused for
    PRIMARY KEY (source, table_name, path)
) STRICT, WITHOUT ROWID;
CREATE TABLE cursors (
    source TEXT NOT NULL,
    table_name TEXT NOT NULL,
    cursor TEXT NOT NULL,                   -- where the next extraction goes on
    PRIMARY KEY (source, table_name)
) STRICT, WITHOUT ROWID;
"""
#: What format 3 adds.
_PERSONAL_TABLES = """
CREATE TABLE personal_key (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    hash TEXT NOT NULL                      -- of a fixed text, by the key of the hashes: tells it from another key
) STRICT;
CREATE TABLE erasures (
    no INTEGER PRIMARY KEY,                 -- 1, 2, 3 …
    erased_at INTEGER NOT NULL,             -- microseconds since 1970 (UTC)
    source TEXT NOT NULL,
    table_name TEXT NOT NULL,
    what TEXT NOT NULL,                     -- 'erased': values became NULL; 'hashed': their keyed hashes
    key_columns TEXT NOT NULL,              -- JSON list of the columns that named the lines
    key_hash TEXT,                          -- of their values, by the key of the hashes; NULL without one
    columns TEXT NOT NULL,                  -- JSON list of the columns whose values went
    lines INTEGER NOT NULL,
    batches INTEGER NOT NULL,
    finished_at INTEGER                     -- NULL: what was made from bronze before may still hold the values
) STRICT;
"""

_BATCHES = """
SELECT b.no, b.batch_id, b.commit_no, c.known_at, b.source, b.table_name, b.mode, b.path, b.position, b.extracted_at,
    b.lines, b.malformed, b.content_hash, s.columns, b.part, b.repeat_of, b.blank, {is_whole}, {personal}
FROM batches AS b
JOIN commits AS c ON c.no = b.commit_no
JOIN column_sets AS s ON s.no = b.column_set
"""


@dataclass(frozen=True)
class Commit:
    """One landing commit: all its batches became known at one instant."""

    no: int
    known_at: datetime


@dataclass(frozen=True)
class Batch:
    """One extraction of one source table.

    position: what the source calls this extraction: for files path and stated instant; a retry of it lands once.
    lines: rows, malformed ones included; blank: records without any value (they are nowhere else).
    part: the Parquet file with its rows, relative to the bronze folder; None when nothing was stored. Those of other
        batches may lie there too, also of other commits; `_batch_no` tells them apart.
    repeat_of: the batch that stores the same content. It still is an extraction: its extracted_at may matter.
    is_whole: False where the source itself said that rows are missing.
    personal: the columns whose values are keyed hashes.
    held_for: why none of its lines is taken; judged by those who know what the lines mean, the log does not have it.
    complete: nothing is missing from it, so that a full extract may close what is absent.
    """

    no: int
    batch_id: str
    commit_no: int
    known_at: datetime
    source: str
    table: str
    mode: Mode
    path: str
    position: str
    extracted_at: datetime
    lines: int
    malformed: int
    content_hash: str
    columns: tuple[str, ...]
    part: str | None
    repeat_of: int | None
    blank: int = 0
    is_whole: bool = True
    personal: tuple[str, ...] = ()
    held_for: str | None = None

    @property
    def complete(self) -> bool:
        """Whole, no malformed line, and at least one row; and taken."""
        return self.held_for is None and self.is_whole and self.malformed == 0 and self.lines > 0


@dataclass(frozen=True)
class Erasure:
    """Values that were taken out of bronze: when, of which table, how many; never which.

    what: 'erased' or 'hashed'. key_hash: keyed hash of the values that named the lines. finished_at: since when nothing
    that is made from bronze holds them either.
    """

    no: int
    erased_at: datetime
    source: str
    table: str
    what: str
    key_columns: tuple[str, ...]
    key_hash: str | None
    columns: tuple[str, ...]
    lines: int
    batches: int
    finished_at: datetime | None = None


@dataclass(frozen=True)
class RejectedFile:
    """A file that could not be read as a whole; size and modified_ns are -1 when it is tried again at every run.

    columns: where they or their values are what it was refused for; else none.
    """

    source: str
    table: str
    path: str
    reason: str
    todo: str | None
    seen_at: datetime
    size: int
    modified_ns: int
    columns: tuple[str, ...] = ()


def to_microseconds(instant: datetime) -> int:
    """An instant as whole microseconds since 1970."""
    return (instant - _EPOCH) // _MICROSECOND


def from_microseconds(microseconds: int) -> datetime:
    """The instant, in UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)


class LandingLog:
    """Reads the log at a path; a log that does not exist yet reads as empty. Writers use `transaction()`.

    The journal is a rollback journal (DELETE) with synchronous=EXTRA, not a WAL: the folder can be copied or mounted
    read-only and still be read, a commit is one file, and after a power failure no commit that silver has already
    built on comes undone.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection: sqlite3.Connection | None = None
        self._version = 0

    # reading

    def commits(self, after: int = 0) -> list[Commit]:
        """All commits with a higher number, in order."""
        rows = self._read("SELECT no, known_at FROM commits WHERE no > ? ORDER BY no", (after,))
        return [Commit(no, from_microseconds(known_at)) for no, known_at in rows]

    def holds(self, no: int, known_at: str | None) -> bool:
        """Did the commit of this number become known then? 0 is the beginning of every log. False: the log is another, or older."""
        found = self._read("SELECT known_at FROM commits WHERE no = ?", (no,))
        if not found or known_at is None:
            return no == 0
        return from_microseconds(found[0][0]) == datetime.fromisoformat(known_at)

    def last_commit(self) -> Commit | None:
        """The newest commit."""
        rows = self._read("SELECT no, known_at FROM commits ORDER BY no DESC LIMIT 1")
        return Commit(rows[0][0], from_microseconds(rows[0][1])) if rows else None

    def batches(
        self,
        after_commit: int = 0,
        up_to_commit: int | None = None,
        source: str | None = None,
        table: str | None = None,
    ) -> list[Batch]:
        """The batches of a span of commits, in the order of their numbers."""
        where, values = ["b.commit_no > ?"], [cast(Any, after_commit)]
        for column, value in (
            ("b.commit_no <= ?", up_to_commit),
            ("b.source = ?", source),
            ("b.table_name = ?", table),
        ):
            if value is not None:
                where.append(column)
                values.append(value)
        rows = self._read(f"{_BATCHES} WHERE {' AND '.join(where)} ORDER BY b.no", tuple(values))
        return [_batch(row) for row in rows]

    def rejected(self) -> list[RejectedFile]:
        """Files that were refused and have not been landed since."""
        rows = self._read(
            "SELECT source, table_name, path, reason, todo, seen_at, size, modified_ns, {refused_columns} FROM files"
            " WHERE reason IS NOT NULL ORDER BY source, table_name, path"
        )
        return [
            RejectedFile(
                source,
                table,
                path,
                reason,
                todo,
                from_microseconds(seen_at),
                size,
                modified_ns,
                _columns(columns or "[]"),
            )
            for source, table, path, reason, todo, seen_at, size, modified_ns, columns in rows
        ]

    def seen(self, source: str, table: str, path: str) -> tuple[int, int] | None:
        """Size and modification time of a file as the log dealt with it last."""
        rows = self._read(
            "SELECT size, modified_ns FROM files WHERE source = ? AND table_name = ? AND path = ?",
            (source, table, path),
        )
        return (rows[0][0], rows[0][1]) if rows else None

    def seen_files(self, source: str) -> dict[tuple[str, str], SeenFile]:
        """All files of a source that the log dealt with, by table and path."""
        rows = self._read(
            "SELECT table_name, path, size, modified_ns, refused_with FROM files WHERE source = ?", (source,)
        )
        return {(table, path): SeenFile(size, modified, refused) for table, path, size, modified, refused in rows}

    def known_at_of(self, source: str) -> list[datetime]:
        """When each commit with a batch of a source became known, in order."""
        rows = self._read(
            "SELECT DISTINCT c.known_at FROM batches AS b JOIN commits AS c ON c.no = b.commit_no WHERE b.source = ? ORDER BY 1",
            (source,),
        )
        return [from_microseconds(known_at) for (known_at,) in rows]

    def cursor(self, source: str, table: str) -> str | None:
        """Where the next extraction of a table goes on."""
        rows = self._read("SELECT cursor FROM cursors WHERE source = ? AND table_name = ?", (source, table))
        return cast(str, rows[0][0]) if rows else None

    def cursors(self, source: str) -> dict[str, str]:
        """Where the next extraction of each table of a source goes on."""
        return dict(self._read("SELECT table_name, cursor FROM cursors WHERE source = ?", (source,)))

    def last_batch_no(self) -> int:
        """The highest batch number; 0 without any."""
        return cast(int, (self._read("SELECT coalesce(max(no), 0) FROM batches") or [(0,)])[0][0])

    def batch_of_id(self, batch_id: str) -> Batch | None:
        """The batch of this id, if it is landed."""
        rows = self._read(f"{_BATCHES} WHERE b.batch_id = ?", (batch_id,))
        return _batch(rows[0]) if rows else None

    def batch_of_content(self, source: str, table: str, content_hash: str) -> Batch | None:
        """The batch that stores this content (the first that did, if it was stored more than once)."""
        rows = self._read(
            f"{_BATCHES} WHERE b.source = ? AND b.table_name = ? AND b.content_hash = ? AND b.repeat_of IS NULL"
            " ORDER BY b.no LIMIT 1",
            (source, table, content_hash),
        )
        return _batch(rows[0]) if rows else None

    def latest_extraction(self, source: str, table: str) -> tuple[datetime, str, str] | None:
        """Instant, batch id and content of a table's latest extraction, by what it states, not by when it landed."""
        rows = self._read(
            "SELECT extracted_at, batch_id, content_hash FROM batches WHERE source = ? AND table_name = ?"
            " ORDER BY extracted_at DESC, batch_id DESC LIMIT 1",
            (source, table),
        )
        return (from_microseconds(rows[0][0]), rows[0][1], rows[0][2]) if rows else None

    def personal_check(self) -> str | None:
        """What the key of the hashes makes of a fixed text; None where no value was hashed yet."""
        rows = self._read("SELECT hash FROM personal_key", since=3)
        return cast(str, rows[0][0]) if rows else None

    def erasures(self) -> list[Erasure]:
        """What was taken out, in order."""
        rows = self._read("SELECT * FROM erasures ORDER BY no", since=3)
        return [
            Erasure(
                no, from_microseconds(at), source, table, what, _columns(key), key_hash, _columns(columns), lines, batches,
                from_microseconds(finished_at) if finished_at is not None else None,
            )
            for no, at, source, table, what, key, key_hash, columns, lines, batches, finished_at in rows
        ]  # fmt: skip

    def unfinished_erasures(self) -> list[Erasure]:
        """Erasures of which traces may be left in what was made from bronze before."""
        return [erasure for erasure in self.erasures() if erasure.finished_at is None]

    def finish_erasures(self, now: datetime) -> None:
        """Nothing that is made from bronze holds what was taken out."""
        with self.transaction() as connection:
            connection.execute("UPDATE erasures SET finished_at = ? WHERE finished_at IS NULL", (to_microseconds(now),))

    def parts(self) -> set[str]:
        """All parts that batches refer to."""
        return {row[0] for row in self._read("SELECT DISTINCT part FROM batches WHERE part IS NOT NULL")}

    def close(self) -> None:
        """Close the file; a later call opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    # writing

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One write transaction: all of it is in the log, or none."""
        with storage_errors(self.path):
            connection = self._open(create=True)
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                # After a failed COMMIT (disk full) the transaction may or may not still be open.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def _read(self, sql: str, values: tuple[Any, ...] = (), *, since: int = 1) -> list[Any]:
        """The rows of a SELECT on what is there since a format of the log; a log of an older one has none."""
        if self._connection is None and not self.path.exists():
            return []
        with storage_errors(self.path):
            connection = self._open(create=False)
            # A crash before the first transaction leaves a file without tables.
            if self._version < since:
                return []
            sql = sql.replace("{is_whole}", "b.is_whole" if self._version > 1 else "1")
            sql = sql.replace("{personal}", "b.personal" if self._version > 2 else "'[]'")
            sql = sql.replace("{refused_columns}", "refused_columns" if self._version > 3 else "NULL")
            with closing(connection.execute(sql, values)) as cursor:
                return cursor.fetchall()

    def _open(self, create: bool) -> sqlite3.Connection:
        if self._connection is None:
            uri = f"{self.path.absolute().as_uri()}?mode={'rwc' if create else 'rw'}"
            self._connection = sqlite3.connect(uri, uri=True, timeout=30, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA synchronous = EXTRA")
            self._connection.execute("PRAGMA secure_delete = ON")  # what is taken out is not left in free pages
        self._prepare(self._connection, create)
        return self._connection

    def _prepare(self, connection: sqlite3.Connection, create: bool) -> None:
        version = self._version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > FORMAT_VERSION:
            raise IntegrityError(
                f"the landing log has format {version}, this SyStock reads up to {FORMAT_VERSION}",
                where=str(self.path),
                todo="Use the SyStock that wrote it, or a newer one.",
            )
        if version == 0 and create:
            connection.execute("PRAGMA journal_mode = DELETE")
            made = _TABLES + _PERSONAL_TABLES
            connection.executescript(f"BEGIN IMMEDIATE; {made} PRAGMA user_version = {FORMAT_VERSION}; COMMIT;")
        elif version < FORMAT_VERSION and create:
            added = "ALTER TABLE batches ADD COLUMN is_whole INTEGER NOT NULL DEFAULT 1;" if version == 1 else ""
            if version < 3:
                added += "ALTER TABLE batches ADD COLUMN personal TEXT NOT NULL DEFAULT '[]';" + _PERSONAL_TABLES
            added += "ALTER TABLE files ADD COLUMN refused_columns TEXT;"
            connection.executescript(f"BEGIN IMMEDIATE; {added} PRAGMA user_version = {FORMAT_VERSION}; COMMIT;")


def insert_batches(connection: sqlite3.Connection, batches: Iterable[Batch]) -> None:
    """Put batches into the log, within a transaction of it."""
    sets: dict[tuple[str, ...], int] = {}
    for batch in batches:
        if batch.columns not in sets:
            sets[batch.columns] = _column_set(connection, batch.columns)
        connection.execute(
            f"INSERT INTO batches VALUES ({', '.join('?' * 18)})",
            (
                batch.no,
                batch.batch_id,
                batch.commit_no,
                batch.source,
                batch.table,
                batch.mode,
                batch.path,
                batch.position,
                to_microseconds(batch.extracted_at),
                batch.lines,
                batch.malformed,
                batch.blank,
                batch.content_hash,
                sets[batch.columns],
                batch.part,
                batch.repeat_of,
                batch.is_whole,
                json.dumps(batch.personal, ensure_ascii=False),
            ),
        )


def insert_erasure(connection: sqlite3.Connection, erasure: Erasure) -> None:
    """Put an erasure into the log, within a transaction of it. Why files of its table were refused may quote the values: it goes."""
    connection.execute(
        f"INSERT INTO erasures VALUES ({', '.join('?' * 11)})",
        (
            erasure.no,
            to_microseconds(erasure.erased_at),
            erasure.source,
            erasure.table,
            erasure.what,
            json.dumps(erasure.key_columns, ensure_ascii=False),
            erasure.key_hash,
            json.dumps(erasure.columns, ensure_ascii=False),
            erasure.lines,
            erasure.batches,
            None,
        ),
    )
    # They are judged anew at the next run.
    connection.execute(
        "DELETE FROM files WHERE source = ? AND table_name = ? AND reason IS NOT NULL", (erasure.source, erasure.table)
    )


def _column_set(connection: sqlite3.Connection, columns: tuple[str, ...]) -> int:
    text = json.dumps(columns, ensure_ascii=False)
    connection.execute("INSERT OR IGNORE INTO column_sets (columns) VALUES (?)", (text,))
    number: int = connection.execute("SELECT no FROM column_sets WHERE columns = ?", (text,)).fetchone()[0]
    return number


def _batch(row: Any) -> Batch:
    values = list(row)
    for place in (3, 9):
        values[place] = from_microseconds(values[place])
    values[13], values[17], values[18] = _columns(values[13]), bool(values[17]), _columns(values[18])
    return Batch(*values)


@lru_cache(maxsize=256)
def _columns(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))
