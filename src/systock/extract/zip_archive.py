"""Archives: the members that are meant, and each of them as a file of its own."""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO
from zipfile import BadZipFile, ZipFile, ZipInfo
from zoneinfo import ZoneInfo

from systock.extract.batch import FileRejected, FileVersion, FoundFile
from systock.extract.find_files import member_matches
from systock.extract.text_stream import CHUNK, confirm

#: A member that unfolds to more than this, and to more than so many times its packed size, was made to fill a disk.
BOMB_BYTES = 100 << 20
BOMB_RATIO = 200

_BROKEN = (BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError)
_DELIVER_AGAIN = "Deliver the archive again, complete."


def members(archive: FoundFile, stored: IO[bytes], timezone: str) -> list[FoundFile]:
    """The members that the patterns of an archive mean, as files, by path; raises FileRejected for the whole archive.

    A member's modification time is the one it was packed with: as an instant where the archive has it so, else the wall
    clock that it has, in this zone; where it has none, that of the archive.
    """
    found: dict[str, FoundFile] = {}
    with _open(archive.path, stored) as packed:
        infos = [info for info in packed.infolist() if not info.is_dir()]
        if sum(info.compress_size for info in infos) > archive.size:
            raise _rejected(archive.path, "its members overlap, as in archives made to fill a disk")
        for info in infos:
            name = info.filename
            if name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name) or ".." in re.split(r"[/\\]", name):
                raise _rejected(archive.path, f"it holds a member whose path leaves the archive: {name!r}")
            if not any(member_matches(name, pattern) for pattern in archive.members):
                continue
            path = f"{archive.path}/{name}"
            if path in found:
                raise _rejected(archive.path, f"it holds {name!r} twice")
            found[path] = FoundFile(path, info.file_size, _modified_ns(info, archive, timezone), (), archive)
    return [found[path] for path in sorted(found)]


def unpack(version: FileVersion, archive: FoundFile, stored: Path, target: Path) -> None:
    """Write a member to a file that has its size and modification time; raises FileRejected or FileChanging."""
    whole = replace(version, size=archive.size, modified_ns=archive.modified_ns)
    name = version.path.removeprefix(f"{archive.path}/")
    with open(stored, "rb") as file, _open(version.path, file) as packed, open(target, "wb") as unpacked:
        confirm(whole, file.fileno())
        info = packed.getinfo(name)
        if info.flag_bits & 1:
            raise FileRejected("the member is encrypted", where=version.path, todo="Deliver it without a password.")
        if info.file_size > BOMB_BYTES and info.file_size > BOMB_RATIO * info.compress_size:
            raise FileRejected(
                f"the member unfolds from {info.compress_size:,} to {info.file_size:,} bytes, more than {BOMB_RATIO} times as much",
                where=version.path,
                todo="If it really is a delivery, unpack it and deliver it as a file of its own.",
            )
        with packed.open(info) as member:
            while chunk := member.read(CHUNK):
                unpacked.write(chunk)
    confirm(whole, stored)
    os.utime(target, ns=(version.modified_ns, version.modified_ns))


@contextmanager
def _open(path: str, stored: IO[bytes]) -> Iterator[ZipFile]:
    try:
        with ZipFile(stored) as packed:
            yield packed
    except _BROKEN as error:
        raise FileRejected(
            f"the archive is damaged or packed in a way that is not read: {error or type(error).__name__}",
            where=path,
            todo=_DELIVER_AGAIN,
        ) from None


def _rejected(path: str, what: str) -> FileRejected:
    return FileRejected(f"the archive is not unpacked: {what}", where=path, todo="Deliver one that was packed anew.")


def _modified_ns(info: ZipInfo, archive: FoundFile, timezone: str) -> int:
    """When a member was modified, in nanoseconds since 1970."""
    extra = info.extra
    while len(extra) >= 9:
        kind, length = int.from_bytes(extra[:2], "little"), int.from_bytes(extra[2:4], "little")
        if kind == 0x5455 and extra[4] & 1 and length >= 5:
            return int.from_bytes(extra[5:9], "little", signed=True) * 1_000_000_000
        extra = extra[4 + length :]
    with suppress(ValueError, OverflowError):
        packed_at = datetime(*info.date_time, tzinfo=ZoneInfo(timezone))
        if packed_at.year > 1980:
            return int(packed_at.astimezone(UTC).timestamp()) * 1_000_000_000
    return archive.modified_ns
