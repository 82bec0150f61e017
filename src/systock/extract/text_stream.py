"""Bytes of a file as UTF-8 text: decompressed, transcoded, hashed, and looked through for what no text holds."""

from __future__ import annotations

import codecs
import errno
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from systock.errors import SettingsError
from systock.extract.batch import FileChanging, FileRejected, FileVersion

CHUNK = 1 << 20
#: A file of up to this many bytes (after decompression) is held in memory and read once; a larger one is read twice:
#: once to hash it and to find its encoding, once for its rows.
SMALL_BYTES = 16 << 20

_COMPRESSIONS = {b"\x1f\x8b": "gzip", b"\x28\xb5": "zstd"}
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_NOT_IN_CP1252 = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")
_DELIVER_AGAIN = "Deliver the file again, complete."


def at_row(version: FileVersion, row: int | None) -> str:
    """How messages name a place in a file."""
    return version.path if row is None else f"{version.path}, row {row}"


def confirm(version: FileVersion, file: Path | int) -> None:
    """Stop if a file (a path or an open one) is no longer the version that was listed."""
    try:
        status = os.stat(file)
    except FileNotFoundError:
        raise FileChanging("the file went away while it was read", where=version.path) from None
    if (status.st_size, status.st_mtime_ns) != (version.size, version.modified_ns):
        raise FileChanging("the file changed while it was read: it waits for the next run", where=version.path)


@contextmanager
def reading(path: str) -> Iterator[None]:
    """Say what it means for a delivery that the system does not let its file be read."""
    try:
        yield
    except FileNotFoundError:
        raise FileChanging("the file went away before it was read", where=path) from None
    except PermissionError as error:
        raise FileRejected(
            f"the file cannot be read: {error.strerror}", where=path, todo="Give read permission.", again=True
        ) from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise  # that is the disk on which a copy is made
        raise FileRejected(
            f"the file cannot be read: {error.strerror or error}", where=path, todo=_DELIVER_AGAIN, again=True
        ) from None


def raw_chunks(version: FileVersion, file: Path, decompress: bool = True) -> Iterator[bytes]:
    """The bytes of a file in pieces, gzip and zstd (known by their first bytes, not by the name) undone."""
    import pyarrow as pa

    with reading(version.path), open(file, "rb", buffering=0) as stored:
        confirm(version, stored.fileno())
        first = stored.read(CHUNK) or b""
        compression = _COMPRESSIONS.get(first[:2]) if decompress else None
        if compression is None or (compression == "zstd" and not first.startswith(_ZSTD_MAGIC)):
            while first:
                yield first
                first = stored.read(CHUNK) or b""
            return
        source: Any = pa.BufferReader(first)
        if len(first) < version.size:
            stored.seek(0)
            source = pa.PythonFile(stored, mode="r")
        yield from _decompressed(pa.CompressedInputStream(source, compression), version, compression)


def _decompressed(stream: Any, version: FileVersion, compression: str) -> Iterator[bytes]:
    size = 0
    while True:
        try:
            chunk = stream.read(CHUNK)
        except OSError as error:
            if error.errno is not None:
                raise
            damage = "end in the middle" if "Truncated" in str(error) else f"are damaged ({error})"
            raise FileRejected(
                f"the {compression} data {damage}, after {size:,} bytes of content",
                where=version.path,
                todo=_DELIVER_AGAIN,
            ) from None
        if not chunk:
            return
        size += len(chunk)
        yield chunk


class TextFile:
    """A text file: `head` first, then `inspect()` once to the end, then `chunks()` as often as wanted.

    Before inspect() the head is the beginning as it can be known then; after it, text in UTF-8 without a byte order
    mark. `complete` says that the head is the whole text. Encoding 'auto': a byte order mark says it, else UTF-8 if the
    whole file is valid UTF-8, else cp1252.
    """

    def __init__(self, version: FileVersion, file: Path, encoding: str) -> None:
        self.version, self._file = version, file
        self.size = 0
        self._digest = hashlib.sha256()
        self._rest = raw_chunks(version, file)
        kept: list[bytes] = []
        self.complete = True
        for chunk in self._rest:
            kept.append(chunk)
            self.size += len(chunk)
            if self.size > SMALL_BYTES:
                self.complete = False
                break
        self._raw_head = kept[0] if len(kept) == 1 else b"".join(kept)
        self._set_encoding(encoding)

    def _set_encoding(self, encoding: str) -> None:
        start = self._raw_head[:4]
        if start == b"PK\x03\x04":
            raise FileRejected(
                "this is a zip archive or a workbook, not a text file",
                where=self.version.path,
                todo="Give it its proper ending (.zip, .xlsx, .ods), or set the table's format to 'excel'.",
            )
        if encoding != "auto":
            try:
                self.encoding = codecs.lookup(encoding).name
            except LookupError:
                raise SettingsError(f"{encoding!r} is not an encoding", where=self.version.path) from None
            self._guessed = False
        elif start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            self.encoding, self._guessed = "utf-16", False
        else:
            self.encoding, self._guessed = "utf-8", not start.startswith(codecs.BOM_UTF8)
        if self.encoding == "utf-8-sig":
            self.encoding = "utf-8"

    @cached_property
    def head(self) -> bytes:
        """The beginning of the text."""
        if self.encoding == "utf-8":
            return self._raw_head.removeprefix(codecs.BOM_UTF8)
        decoder = codecs.getincrementaldecoder(self.encoding)("strict" if self.complete else "replace")
        try:
            return decoder.decode(self._raw_head, final=self.complete).encode("utf-8").removeprefix(codecs.BOM_UTF8)
        except UnicodeDecodeError as error:
            raise self._undecodable(self.encoding, error.start, self._raw_head[error.start]) from None

    @property
    def content_digest(self) -> str:
        """SHA-256 over the decompressed bytes; known after inspect()."""
        return self._digest.hexdigest()

    def inspect(self, feed: Callable[[bytes], object] | None = None) -> None:
        """Go through the whole file once: hash it, settle its encoding, refuse what is no text.

        feed gets the text behind the head, where its ASCII characters stand for themselves in the end as well.
        """
        check = _Check(self)
        self._digest.update(self._raw_head)
        text = check.take(self._raw_head)
        for chunk in self._rest:
            self._digest.update(chunk)
            self.size += len(chunk)
            text = check.take(chunk)
            if feed is not None:
                feed(text)
        text = check.finish()
        if feed is not None and text:
            feed(text)
        if check.fallback:
            self.encoding = "cp1252"
            self.__dict__.pop("head", None)
        self.confirm()

    def chunks(self, skip: int = 0) -> Iterator[bytes]:
        """The text in UTF-8, from a position on that lies in the head."""
        if self.complete:
            yield self.head[skip:] if skip else self.head
            return
        decoder = None if self.encoding == "utf-8" else codecs.getincrementaldecoder(self.encoding)()
        raw = raw_chunks(self.version, self._file)
        bom = True
        for chunk in raw:
            if decoder is not None:
                chunk = decoder.decode(chunk).encode("utf-8")
            if bom and chunk:
                chunk, bom = chunk.removeprefix(codecs.BOM_UTF8), False
            if skip:
                skip, chunk = max(0, skip - len(chunk)), chunk[skip:]
            if chunk:
                yield chunk
        if decoder is not None and (last := decoder.decode(b"", final=True)):
            yield last.encode("utf-8")

    def confirm(self) -> None:
        """Make sure that the file is still what was listed."""
        confirm(self.version, self._file)

    def line_at(self, offset: int) -> int:
        """The number of the line that holds a byte of the decompressed file; reads the file again."""
        line = 1
        for chunk in raw_chunks(self.version, self._file):
            part = chunk[: max(0, offset)]
            line += part.count(b"\n") or part.count(b"\r")
            offset -= len(chunk)
            if offset <= 0:
                break
        return line

    def _undecodable(self, encoding: str, offset: int, byte: int) -> FileRejected:
        tried = "neither UTF-8 nor cp1252" if encoding == "auto" else f"not {encoding}"
        return FileRejected(
            f"byte 0x{byte:02X} is {tried}",
            where=at_row(self.version, self.line_at(offset)),
            todo="Set the table's encoding to the one that the file is written in, or deliver it in UTF-8.",
        )


class _Check:
    """Looks at every chunk of a file in its first pass."""

    def __init__(self, text: TextFile) -> None:
        self._text = text
        self._offset = 0
        self._decoder = codecs.getincrementaldecoder(text.encoding)()
        self._pass = text.encoding == "utf-8"
        self._bad: tuple[int, int] | None = None
        self._not_cp1252: tuple[int, int] | None = None

    @property
    def fallback(self) -> bool:
        return self._bad is not None

    def take(self, chunk: bytes) -> bytes:
        start, self._offset = self._offset, self._offset + len(chunk)
        pending = self._decoder.getstate()[0] if self._bad is None else b""
        plain = self._pass and chunk.isascii() and not pending
        text = chunk
        if not plain and self._bad is None:
            try:
                decoded = self._decoder.decode(chunk)
                text = chunk if self._pass else decoded.encode("utf-8")
            except UnicodeDecodeError as error:
                at = start - len(pending) + error.start
                self._failed(at, error.object[error.start])
        if not plain and self._text._guessed and self._not_cp1252 is None:
            found = _NOT_IN_CP1252.search(chunk)
            if found:
                self._not_cp1252 = (start + found.start(), chunk[found.start()])
        if b"\0" in text:
            raise FileRejected(
                "the file holds a NUL byte, which no text does",
                where=at_row(self._text.version, self._text.line_at(start + chunk.find(b"\0")) if self._pass else None),
                todo="Deliver the file again; if it is UTF-16, set the table's encoding to 'utf-16'.",
            )
        return text

    def finish(self) -> bytes:
        last = b""
        if self._bad is None:
            pending = self._decoder.getstate()[0]
            try:
                decoded = self._decoder.decode(b"", final=True)
                last = b"" if self._pass else decoded.encode("utf-8")
            except UnicodeDecodeError as error:
                self._failed(self._offset - len(pending) + error.start, error.object[error.start])
        if self._bad is not None and self._not_cp1252 is not None:
            raise self._text._undecodable("auto", *self._bad)
        return last

    def _failed(self, offset: int, byte: int) -> None:
        if not self._text._guessed:
            raise self._text._undecodable(self._text.encoding, offset, byte)
        self._bad = (offset, byte)
