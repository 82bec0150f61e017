"""One run at a time: a lock on the project that dies with its holder."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from systock.errors import BusyError, StorageError


@contextmanager
def project_lock(state_dir: Path) -> Iterator[None]:
    """Hold the project's lock; raises BusyError with the holder's name when another process has it.

    The operating system lets go of the lock when the holder ends, however it ends.
    """
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        file = open(state_dir / "lock", "a+")  # noqa: SIM115 - held open for as long as the lock is
    except OSError as error:
        raise StorageError(
            f"cannot be written: {error.strerror}", where=str(state_dir), todo="Mend permissions or free space."
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise BusyError(
                f"another run is at work: {_holder(file.read())}", where=str(state_dir / "lock"),
                state="Nothing was started.", todo="Wait for it to end, then try again; readers of the warehouse are not held up.",
            ) from None  # fmt: skip
        file.truncate(0)
        file.write(
            json.dumps(
                {
                    "pid": os.getpid(),
                    "host": socket.gethostname(),
                    "since": datetime.now(UTC).isoformat(timespec="seconds"),
                }
            )
        )
        file.flush()
        yield


def _holder(text: str) -> str:
    try:
        holder = json.loads(text)
        return f"process {holder['pid']} on {holder['host']}, since {holder['since']}"
    except (ValueError, KeyError):
        return "its name is not written yet"
