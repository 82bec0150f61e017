"""Publishing to a DuckDB file: copy aside, make durable, rename over what readers open."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import suppress
from pathlib import Path

from systock.errors import NotWritable, StorageError

_FICLONE = 0x40049409  # Linux: share the blocks of another file, where the file system can


def publish_file(build: Path, target: Path) -> None:
    """Put a copy of `build` in place of `target` at once.

    Readers that have the old file open keep it; whoever opens the path gets the old generation or the new one, whole.
    Raises StorageError when the disk refuses; the target is then as it was.
    """
    aside = target.with_name(f".{target.name}.new")
    try:
        aside.unlink(missing_ok=True)
        _copy(build, aside)
        os.chmod(aside, 0o444)  # a reader that opens it for writing by mistake is refused
        os.replace(aside, target)
        sync_folder(target.parent)
    except OSError as error:
        lasting = error.errno in (errno.EROFS, errno.EACCES, errno.EPERM)
        raise (NotWritable if lasting else StorageError)(
            f"could not publish: {error.strerror or error}", where=str(target), state="The last published generation is in place.",
            todo="Free space or mend the permissions, then run again: the finished build is kept.",
        ) from error  # fmt: skip
    finally:
        with suppress(OSError):  # a folder that refuses: the next publication clears it
            aside.unlink(missing_ok=True)


def _copy(source: Path, copy: Path) -> None:
    with source.open("rb") as reader, copy.open("wb") as writer:
        if not _share_blocks(writer.fileno(), reader.fileno()) and not _copy_in_kernel(
            reader.fileno(), writer.fileno()
        ):
            shutil.copyfileobj(reader, writer, 8 << 20)
        writer.flush()
        os.fsync(writer.fileno())


def _copy_in_kernel(reader: int, writer: int) -> bool:
    """Copy without the data passing through this process; False where the system can't, with nothing copied."""
    if not hasattr(os, "copy_file_range"):
        return False
    left = os.fstat(reader).st_size
    while left:
        try:
            copied = os.copy_file_range(reader, writer, left)
        except OSError as error:
            if (
                error.errno in (errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP)
                and os.lseek(writer, 0, os.SEEK_CUR) == 0
            ):
                return False
            raise
        if not copied:
            break
        left -= copied
    return True


def _share_blocks(writer: int, reader: int) -> bool:
    try:
        import fcntl

        fcntl.ioctl(writer, _FICLONE, reader)
    except (ImportError, OSError):
        return False
    return True


def sync_folder(folder: Path) -> None:
    """Make a rename in this folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
