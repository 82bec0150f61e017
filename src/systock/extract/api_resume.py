"""Keeps the pages of an extraction that is under way on disk, so that one that was cut off goes on at its last whole page."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any

_SYNC_SECONDS = 1.0


class Spool:
    """One file: a first entry that says what is asked for and since when, then one entry for each page, in order.

    An entry counts when all of it is there: what a crash tore off is cut away. Where the disk refuses, the extraction
    goes on without: it can't be resumed then.
    resumes: there are pages of an extraction that was cut off. keeps: False where records must not lie on disk as they
    came: what is cut off begins anew.
    """

    def __init__(
        self, path: Path, asks: dict[str, Any], now: datetime, resume_within: timedelta, *, keeps: bool = True
    ) -> None:
        self._path, self._asks = path, asks
        self.began, self.resumes = now, False
        self._end = 0
        self._file: IO[bytes] | None = None
        self._held: bytes | None = None
        self.keeps, self._failed = keeps, not keeps
        self._synced = time.monotonic()
        first = next(self._entries(), None)
        if first is not None:
            began = datetime.fromisoformat(first["began"])
            if keeps and first["asks"] == asks and now - resume_within <= began <= now:
                self.began, self.resumes = began, True
                self._end = -1
            else:
                self.discard()

    def pages(self) -> Iterator[dict[str, Any]]:
        """The pages that are there."""
        if self.resumes:
            entries = self._entries()
            next(entries)
            yield from entries

    def add(self, page: dict[str, Any]) -> None:
        """Keep a page. The first one only goes to disk with the second: one page need not be resumed."""
        entry = _packed(page)
        if self._end == 0 and self._held is None:
            self._held = entry
            return
        try:
            self._write(entry)
        except OSError:
            self._failed = True

    def _write(self, entry: bytes) -> None:
        if self._failed:
            return
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            self._file = os.fdopen(descriptor, "r+b")
            self._file.truncate(max(self._end, 0))
            self._file.seek(0, os.SEEK_END)
            if not self._end:
                self._file.write(_packed({"asks": self._asks, "began": self.began.isoformat()}))
                self._file.write(self._held or b"")
                self._end = -1
        self._file.write(entry)
        self._file.flush()
        if time.monotonic() - self._synced > _SYNC_SECONDS:
            os.fsync(self._file.fileno())
            self._synced = time.monotonic()

    def close(self) -> None:
        """Keep what is there for the next extraction."""
        if self._file is not None:
            with suppress(OSError):
                os.fsync(self._file.fileno())
            self._file.close()
            self._file = None

    def discard(self) -> None:
        """The extraction is done, or no good: the next one begins anew."""
        if self._file is not None:
            self._file.close()
            self._file = None
        with suppress(OSError):
            self._path.unlink()

    def _entries(self) -> Iterator[dict[str, Any]]:
        """All whole entries; where they end is known then."""
        try:
            file = self._path.open("rb")
        except OSError:
            return
        with file:
            while True:
                start = file.tell()
                size, _, digest = file.readline(200).decode("ascii", "replace").strip().partition(" ")
                data = file.read(int(size)) if size.isdecimal() else b""
                if not data or _digest(data) != digest:
                    self._end = start
                    return
                yield _unpacked(data)


def _digest(data: bytes) -> str:
    return blake2b(data, digest_size=16).hexdigest()


def _packed(entry: dict[str, Any]) -> bytes:
    import pyarrow as pa

    text = json.dumps(entry).encode()
    data: bytes = len(text).to_bytes(8, "little") + pa.Codec("zstd", 1).compress(text, asbytes=True)
    return f"{len(data)} {_digest(data)}\n".encode() + data


def _unpacked(data: bytes) -> dict[str, Any]:
    import pyarrow as pa

    size = int.from_bytes(data[:8], "little")
    found: dict[str, Any] = json.loads(pa.Codec("zstd").decompress(data[8:], size, asbytes=True))
    return found
