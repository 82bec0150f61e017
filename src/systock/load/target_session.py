"""A session on the PostgreSQL server that a generation is brought to: opening it, its one lock, what its refusals mean."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from systock.errors import SettingsError, SystockError, TargetError
from systock.extract.database_postgres import PASSING, bounded_url, whole_seconds
from systock.extract.redact import redact, secrets_of
from systock.sql_text import quoted

if TYPE_CHECKING:
    import psycopg

    from systock.config import TargetSettings

#: Older servers lack what is used here (NULLS NOT DISTINCT, security_invoker, MERGE).
OLDEST = 150000
#: One publication at a time in a database, whoever makes it: "systock" in hexadecimal.
_LOCK = 0x737973746F636B
#: The server's codes for missing rights, and for a role that it does not know.
_NO_RIGHT, _NO_SUCH_ROLE = "42501", "22023"
#: How texts of values are read and written, and what names mean, must not depend on how server, database or user are set up.
_SESSION = {
    "search_path": "pg_catalog",
    "timezone": "UTC",
    "datestyle": "ISO, YMD",
    "intervalstyle": "iso_8601",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "client_encoding": "UTF8",
    "standard_conforming_strings": "on",
    "quote_all_identifiers": "off",
    "row_security": "on",
}
_LOOK_AGAIN = 0.2  # seconds between two looks at the lock

#: Our own codes for what has none: what libpq does not take of the url, and a server that is not whom the url wants.
_URL, _TLS = "F0URL", "F0TLS"
_TODO = {
    _URL: "Correct url under [target]: see the parameters of libpq; values are percent-encoded (a space is %20).",
    _TLS: "Have sslmode, sslrootcert and the host in url under [target] fit the server's certificate, or correct that one.",
    "28": "Correct user and password in url under [target] (the password as ${NAME}), then run again.",
    "3D": "Correct the database's name in url under [target], or make it: CREATE DATABASE …;",
    "42501": "Let the user of the url have the role that this needs: see 'systock target init'.",
    "53100": "Free space on the server, then run again.",
    "55P03": "Another session holds rows or tables of the target: see pg_locks there, then run again.",
    "57014": "A time-out of the server or an administrator stopped it: see statement_timeout there, then run again.",
}
#: What has no code, but says so.
_WORDS = {
    "certificate": _TLS,
    "server does not support SSL": _TLS,
    "URI query parameter": _URL,
    "percent-encoded": _URL,
    "bad value for": _URL,
    "invalid port number": _URL,
    ' value: "': _URL,
    "password authentication failed": "28P01",
    "no password supplied": "28P01",
    "no pg_hba.conf entry": "28000",
    'role "': "28000",
    'database "': "3D000",
}


class TargetSession:
    """One connection to the server. Statements are whole; values are parameters, names are quoted by `quoted`."""

    def __init__(self, settings: TargetSettings) -> None:
        try:
            import psycopg
        except ImportError:
            raise SettingsError(
                "PostgreSQL as a target needs its driver", where="target.url", todo="pip install 'systock[postgres]'"
            ) from None
        url = settings.server
        assert url is not None
        self._secrets = secrets_of(settings)
        self._seconds = whole_seconds(settings.timeout.total_seconds())
        self.where = "[target]"
        with self.errors():
            self.connection: psycopg.Connection[Any] = psycopg.connect(bounded_url(url, self._seconds))
        try:
            told = self.connection.info
            self.where = f"{told.host}:{told.port}/{told.dbname}"
            self.connection.prepare_threshold = None
            if told.server_version < OLDEST:
                number = f"{told.server_version // 10000}.{told.server_version % 10000}"
                raise TargetError(
                    f"the server is PostgreSQL {number}; 15 or newer is needed",
                    where=self.where, todo="Name a newer server in url under [target].",
                )  # fmt: skip
        except BaseException:
            self.connection.close()
            raise

    def __enter__(self) -> TargetSession:
        """The session itself, closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection; an open transaction is undone."""
        self.connection.close()

    def execute(self, sql: str, values: Sequence[Any] | None = None) -> int:
        """Run one statement; the number of rows that it touched."""
        with self.errors():
            return max(0, self.connection.execute(sql.encode(), values).rowcount)

    def rows(self, sql: str, values: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with self.errors():
            return self.connection.execute(sql.encode(), values).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All statements inside commit together, or none does."""
        with self.errors(), self.connection.transaction():
            for name, value in {**_SESSION, "lock_timeout": f"{self._seconds}s"}.items():
                self.execute("SELECT set_config(%s, %s, true)", (name, value))
            yield

    def become(self, role: str) -> None:
        """Go on with the rights of a role, until the transaction ends or another is taken.

        Raises TargetError where the user of the url is not a member of it.
        """
        self.execute("RESET ROLE")
        try:
            self.execute(f"SET LOCAL ROLE {quoted(role)}")
        except TargetError as error:
            if error.sqlstate not in (_NO_RIGHT, _NO_SUCH_ROLE):
                raise
            user = self.connection.info.user
            raise TargetError(
                f"user {user!r} is no member of the role {role}", where=self.where, sqlstate=error.sqlstate,
                state="The server keeps the generation that it had.",
                todo=f"GRANT {role} TO {quoted(user)};, or run 'systock target init' again.",
            ) from None  # fmt: skip

    def take_lock(self) -> None:
        """Be the only one that publishes here until the transaction ends; waits as long as the settings allow.

        Raises TargetError with the name of the session that has it.
        """
        until = time.monotonic() + self._seconds
        while not self.rows("SELECT pg_try_advisory_xact_lock(%s)", (_LOCK,))[0][0]:
            if time.monotonic() >= until:
                raise TargetError(
                    f"another run publishes to this database: {self._holder()}", where=self.where, transient=True,
                    state="Nothing was changed there.", todo="Wait for it to end, then run again.",
                )  # fmt: skip
            time.sleep(_LOOK_AGAIN)

    def _holder(self) -> str:
        found = self.rows(
            """SELECT format('%%s at %%s, process %%s of the server, since %%s', a.usename, coalesce(host(a.client_addr), 'its own machine'),
                a.pid, to_char(a.xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS UTC'))
            FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid
            WHERE l.locktype = 'advisory' AND l.granted AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                AND (CAST(l.classid AS bigint) << 32) + CAST(l.objid AS bigint) = %s""",
            (_LOCK,),
        )
        return str(found[0][0]) if found else "it has just ended"

    @contextmanager
    def errors(self) -> Iterator[None]:
        """The server's errors as TargetError, without secrets."""
        import psycopg

        try:
            yield
        except psycopg.Error as error:
            text = " ".join(str(error).split("\nLINE ")[0].split())
            state = error.sqlstate or next((code for words, code in _WORDS.items() if words in text), "")
            lost = not state and isinstance(error, psycopg.OperationalError)
            todo = next((todo for start, todo in _TODO.items() if state.startswith(start)), None)
            if lost:
                text, todo = (
                    f"the server did not answer, or hung up: {text}",
                    "See whether it runs and may be reached, then run again.",
                )
            told = TargetError(
                text, where=self.where, sqlstate=state, transient=lost or state.startswith(PASSING),
                state="The server keeps the generation that it had.", todo=todo or "See what the server says, then run again.",
            )  # fmt: skip
            redact(told, self._secrets)
            raise told from None
        except SystockError as error:
            redact(error, self._secrets)
            raise


def name_in_url(settings: TargetSettings) -> tuple[str, str]:
    """The user and the database that the url names, as libpq reads it."""
    from psycopg.conninfo import conninfo_to_dict

    assert settings.server is not None
    told = conninfo_to_dict(settings.server)
    user = str(told.get("user") or "")
    return user, str(told.get("dbname") or user)
