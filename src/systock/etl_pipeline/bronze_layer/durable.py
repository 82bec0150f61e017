"""Files that are either there whole or not at all, also after a crash; and what to say when the disk refuses."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from systock.errors import IntegrityError, NotWritable, StorageError

_REFUSALS = {
    errno.ENOSPC: ("the disk is full", "Free some space, then run again."),
    errno.EDQUOT: ("the disk quota is used up", "Free some space or raise the quota, then run again."),
    errno.EROFS: ("the file system is read-only", "Make it writable, then run again."),
    errno.EACCES: (
        "writing is not permitted",
        "Give write permission on the project's .systock folder, then run again.",
    ),
    errno.EPERM: (
        "writing is not permitted",
        "Give write permission on the project's .systock folder, then run again.",
    ),
    errno.EIO: ("the disk reports an input/output error", "Check the disk, then run again."),
}
_SQLITE_REFUSALS = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_READONLY: errno.EROFS,
    sqlite3.SQLITE_CANTOPEN: errno.EACCES,
    sqlite3.SQLITE_PERM: errno.EACCES,
    sqlite3.SQLITE_IOERR: errno.EIO,
}
_LASTING = (errno.EROFS, errno.EACCES, errno.EPERM)
_STATE = "What was landed before stays as it was; nothing of this commit is landed."


def refusal(code: int | None, where: str, state: str | None = None) -> StorageError | None:
    """The error for a number with which the system refused to write; None for any other number."""
    if code not in _REFUSALS:
        return None
    what, todo = _REFUSALS[code]
    return (NotWritable if code in _LASTING else StorageError)(what, where=where, state=state, todo=todo)


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn a refusal of the disk into a StorageError that says what to do."""
    try:
        yield
    except OSError as error:
        refused = refusal(error.errno, str(error.filename or path), _STATE)
        if refused is None:
            raise
        raise refused from error
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise StorageError(
                "another process holds the landing log",
                where=str(path),
                state=_STATE,
                todo="Try again when it is done.",
            ) from error
        if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            raise IntegrityError(
                f"the landing log is damaged: {error}", where=str(path), state="What is published stays in place.",
                todo="Put back a copy of the .systock/bronze folder, then run again.",
            ) from error  # fmt: skip
        refused = refusal(_SQLITE_REFUSALS.get(code), str(path), _STATE)
        if refused is None:
            raise
        raise refused from error


def make_folder(folder: Path) -> None:
    """Create a folder and what is above it, so that they are still there after a power failure."""
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for new in reversed(missing):
        with suppress(FileExistsError):
            new.mkdir()
        sync_folder(new.parent)


def sync_file(path: Path) -> None:
    """Bring a finished file to the disk and make it read-only."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fchmod(descriptor, 0o444)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def move(source: Path, target: Path) -> None:
    """Rename within one file system."""
    os.rename(source, target)
