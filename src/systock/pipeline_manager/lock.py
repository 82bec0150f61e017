"""One at a time: locks on the project that die with their holder, and who holds them."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from systock.errors import BusyError
from systock.etl_pipeline.bronze_layer.durable import refusal


@contextmanager
def project_lock(state_dir: Path, command: str) -> Iterator[None]:
    """Hold the project's lock while `command` (as a user knows it) is at work.

    Raises BusyError with the holder's name when another process has it, and StorageError for what the disk refuses meanwhile.
    """
    todo = "Wait for it to end, then try again; readers of the warehouse are not held up."
    with _lock(state_dir / "lock", command, "another command is at work on this project", todo):
        yield


@contextmanager
def scheduler_lock(state_dir: Path) -> Iterator[None]:
    """Be the project's only scheduler; raises BusyError with the name of the one that is."""
    todo = "One is enough: see 'systock status' for what it will do next, or stop that process first."
    with _lock(state_dir / "schedule.lock", "systock schedule", "another scheduler is at work on this project", todo):
        yield


@contextmanager
def _lock(path: Path, command: str, busy: str, todo: str) -> Iterator[None]:
    """The operating system lets go of the lock when the holder ends, however it ends."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path, "a+")  # noqa: SIM115 - held open for as long as the lock is
    except OSError as error:
        refused = refusal(error.errno, str(path.parent))
        if refused is None:
            raise
        raise refused from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(path) or "its name is not written yet"
            raise BusyError(f"{busy}: {holder}", where=str(path), state="Nothing was started.", todo=todo) from None
        name = {"command": command, "pid": os.getpid(), "host": socket.gethostname()}
        name["since"] = datetime.now(UTC).isoformat(timespec="seconds")
        with suppress(OSError):  # on a full disk the lock holds all the same, without a name
            os.truncate(file.fileno(), 0)
            os.write(file.fileno(), json.dumps(name).encode())
        try:
            yield
        except OSError as error:
            refused = refusal(error.errno, str(error.filename or path.parent))
            if refused is None:
                raise
            raise refused from error


def scheduler_at_work(state_dir: Path) -> str | None:
    """The scheduler that holds the project, if one does."""
    path = state_dir / "schedule.lock"
    try:
        with path.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return _holder(path) or "starting"
    except OSError:
        pass
    return None


def _holder(path: Path) -> str | None:
    try:
        holder = json.loads(path.read_text())
        return (
            f"{holder.get('command', 'systock')}, process {holder['pid']} on {holder['host']}, since {holder['since']}"
        )
    except (OSError, ValueError, KeyError):
        return None
