"""An SFTP server and an S3-compatible store on this machine, to be read from."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh
from moto.server import ThreadedMotoServer

USER, PASSWORD = "till", "s3cret-p4ss"


@dataclass
class Sftp:
    """A server whose root is a folder here. stall: it takes requests and never answers them."""

    folder: Path
    port: int
    host_key: str
    opened: list[str]
    stall: threading.Event
    drop: threading.Event

    @property
    def address(self) -> str:
        return f"sftp://{USER}@127.0.0.1:{self.port}"


@contextmanager
def sftp_server(folder: Path, user_key: Any = None) -> Iterator[Sftp]:
    """An SFTP server in a thread of its own."""
    loop, key = asyncio.new_event_loop(), asyncssh.generate_private_key("ssh-ed25519")
    served = Sftp(
        folder, 0, " ".join(key.export_public_key().decode().split()[:2]), [], threading.Event(), threading.Event()
    )

    class Login(asyncssh.SSHServer):
        def connection_made(self, conn: Any) -> None:
            self._conn = conn

        def password_auth_supported(self) -> bool:
            return user_key is None

        def validate_password(self, username: str, password: str) -> bool:
            return (username, password) == (USER, PASSWORD)

        def public_key_auth_supported(self) -> bool:
            return user_key is not None

        def validate_public_key(self, username: str, key: Any) -> bool:
            return username == USER and key == user_key.convert_to_public()

    class Root(asyncssh.SFTPServer):
        def __init__(self, chan: Any) -> None:
            super().__init__(chan, chroot=str(folder).encode())
            self._chan = chan

        def open(self, path: bytes, *rest: Any) -> Any:
            served.opened.append(path.decode())
            return super().open(path, *rest)

        async def read(self, file: Any, offset: int, size: int) -> bytes:  # type: ignore[override]
            if served.drop.is_set() and offset:
                self._chan.get_connection().abort()
            while served.stall.is_set() and offset:
                await asyncio.sleep(0.05)
            return super().read(file, offset, size)  # type: ignore[return-value]

    async def start() -> Any:
        return await asyncssh.listen("127.0.0.1", 0, server_factory=Login, server_host_keys=[key], sftp_factory=Root)

    listener = loop.run_until_complete(start())
    served.port = listener.get_port()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        served.stall.clear()
        loop.call_soon_threadsafe(listener.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)


@contextmanager
def s3_server() -> Iterator[str]:
    """The address of an S3-compatible store."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()
