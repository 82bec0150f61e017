"""What one value in systock.toml may be: each function returns it, or raises ValueError saying what is valid."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from pathlib import PurePosixPath
from unicodedata import normalize
from urllib.parse import urlsplit

from pydantic import SecretStr

RESERVED_COLUMNS = frozenset(
    {"_batch_no", "_row", "_malformed", "_reason", "_file", "_extracted_at", "_known_at", "_deleted_at"}
)

DATABASES = ("postgresql", "postgres", "mysql", "mariadb", "sqlite")

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_TABLE_PART = re.compile(r'(?:^|(?<=\.))(?:"(?:[^"]|"")*"(?=\.|$)|[^.]*)')
_MEMORY = re.compile(r"[1-9][0-9]*(\.[0-9]+)? ?([KMGT]i?B|%)")
#: What an address holds as it is between its marks: anything but these, a blank and a lone %.
_PLAIN = r"(?:[^@/?#\[\]%\s\x00-\x1f\x7f]|%[0-9A-Fa-f]{2})"
_HOST = r"(?:\[[\w:.%]+\]|[^@/?#\[\]:,\s]*)(?::[0-9]{0,5})?"
_PROXY = re.compile(rf"https?://({_PLAIN}+@)?[^/@:?#\s]+(:[0-9]{{1,5}})?/?")
_SERVER = re.compile(
    rf"\w+://(?:{_PLAIN}*@)?{_HOST}(?:,{_HOST})*(?:/(?:[^@?#%\s]|%[0-9A-Fa-f]{{2}})*)?"
    r"(?:\?(?:\w+=(?:[^@&=#%\s]|%[0-9A-Fa-f]{2})*(?:&|$))*)?"
)
#: What to do about a password that an address can't hold as it is.
ENCODE = "percent-encode it: % is %25, @ is %40, / is %2F, ? is %3F, # is %23, [ is %5B, ] is %5D, a space is %20"
_DIRECTIVES = "YmdjHMSfz"
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(second|minute|hour|day|week)s?")


def hint(value: str, valid: Sequence[str]) -> str:
    """' Did you mean …?' for the closest valid name, or nothing."""
    from difflib import get_close_matches

    close = get_close_matches(value.lower(), [name.lower() for name in valid], n=1, cutoff=0.6)
    return next((f" Did you mean {name!r}?" for name in valid if close and name.lower() == close[0]), "")


def object_name(value: str) -> str:
    """A source or table name."""
    if value == "systock":
        raise ValueError("'systock' is reserved for SyStock's own batches: choose another name")
    # Two underscores part source and table in bronze.<source>__<table>: a name must not hold them or end in one.
    if not _NAME.fullmatch(value) or len(value) > 40:
        raise ValueError(
            f"{value!r} is not a valid name: lower-case letters, digits and single underscores, "
            "starting with a letter, at most 40 characters"
        )
    return value


def time_zone(value: str) -> str:
    """An IANA time zone."""
    from zoneinfo import ZoneInfo, available_timezones

    try:
        ZoneInfo(value)
        # Names of this machine, and zones that count leap seconds, are files there too.
        known = value not in ("localtime", "posixrules", "Factory") and not value.startswith(("posix/", "right/"))
    except (ValueError, OSError, LookupError):
        known = False
    if not known:
        close = hint(value, sorted(available_timezones()))
        raise ValueError(f"{value!r} is not a time zone: an IANA name such as 'Europe/Berlin' or 'UTC'.{close}")
    return value


def currency_code(value: str) -> str:
    """An ISO 4217 code."""
    if not re.fullmatch(r"[A-Z]{3}", value):
        raise ValueError(f"{value!r} is not a currency code: three capital letters (ISO 4217), such as 'EUR'")
    return value


def time_of_day(value: object) -> time:
    """HH:MM as text, or a TOML local time."""
    if isinstance(value, time):
        if value.second or value.microsecond:
            raise ValueError(f"'{value}' must be a full minute, HH:MM")
        return value
    if not isinstance(value, str) or not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", value):
        raise ValueError(f"{value!r} is not a time of day: HH:MM from '00:00' to '23:59', such as '04:00'")
    return time.fromisoformat(value)


def known_at(value: str) -> str:
    """When a batch became known: 'landing', 'mtime' or 'name:<pattern>'."""
    if value in ("landing", "mtime"):
        return value
    if not value.startswith("name:"):
        raise ValueError(
            f"{value!r} is not one of: 'landing', 'mtime', 'name:<pattern>' such as 'name:%Y%m%dT%H%M%SZ'."
            + hint(value, ("landing", "mtime"))
        )
    found = [letter for letter in re.findall(r"%(.?)", value.removeprefix("name:")) if letter != "%"]
    unknown = [f"%{letter}" for letter in found if letter not in _DIRECTIVES or not letter]
    if unknown:
        valid = " ".join(f"%{letter}" for letter in _DIRECTIVES)
        raise ValueError(f"{value!r} holds {', '.join(unknown)}, which is not one of: {valid}")
    twice = sorted({f"%{letter}" for letter in found if found.count(letter) > 1})
    if twice:
        raise ValueError(f"{value!r} names {', '.join(twice)} more than once")
    if "Y" not in found or not ({"m", "d"} <= set(found) or "j" in found):
        raise ValueError(f"{value!r} does not give a day: it needs %Y with %m and %d, or %Y with %j")
    clock = [letter in found for letter in "HMSf"]
    if clock != sorted(clock, reverse=True) or ("z" in found and not clock[0]):
        raise ValueError(f"{value!r} does not give a time of day: %M needs %H, %S needs %M, %f needs %S, %z needs %H")
    return value


def path_list(value: object) -> object:
    """One path or several, as a list."""
    if value == []:
        raise ValueError("names no file: give a path, such as 'incoming/pos/*.csv'")
    return one_or_several(value)


def one_or_several(value: object) -> object:
    """One text or a list of them, as a list."""
    return [value] if isinstance(value, str) else value


def file_path(value: str) -> str:
    """A path or pattern of files: inside the project, or an address such as s3://bucket/prefix/*.csv."""
    if "://" not in value:
        return path_inside(value)
    scheme, _, rest = value.partition("://")
    valid = "'s3://bucket/prefix/*.csv' or 'sftp://user@host:22/folder/*.csv'"
    if scheme not in ("s3", "sftp"):
        raise ValueError(f"{scheme}:// is not read: give a path inside the project, {valid}")
    if not re.fullmatch(r"[^/@:]+" if scheme == "s3" else r"([^/@:]+@)?[^/@:]+(:[0-9]{1,5})?", rest.partition("/")[0]):
        raise ValueError(f"is not an address: {valid}; a password has its place in [sources.<source>.remote]")
    if (
        not rest.partition("/")[2]
        or rest.endswith("/")
        or ".." in rest.split("/")
        or any(ord(sign) < 32 for sign in rest)
    ):
        raise ValueError(f"{value!r} names no file: {valid}")
    return value


def http_url(value: str) -> str:
    """An http(s) address, or none."""
    if value and not re.fullmatch(r"https?://[^\s/@]+(/\S*)?", value):
        raise ValueError("is not an address such as 'https://storage.example.com' (keys have their own settings)")
    return value


def host_key(value: str) -> str:
    """The public key of an SSH server, as known_hosts has it behind the host's name; or none."""
    if value and not re.fullmatch(r"[a-z0-9@.-]+ [A-Za-z0-9+/=]{40,}", value):
        raise ValueError(
            f"{value!r} is not a host key: kind and key, such as 'ssh-ed25519 AAAA…' (see 'ssh-keyscan HOST')"
        )
    return value


def path_inside(value: str) -> str:
    """A path or pattern of files inside the project."""
    path = PurePosixPath(value)
    if not value.strip() or any(ord(letter) < 32 for letter in value):
        raise ValueError(f"{value!r} is not a path: give one relative to the project, such as 'incoming/pos/*.csv'")
    if "\\" in value:
        raise ValueError(f"{value!r} holds a backslash: part folders with '/' on every system")
    if path.is_absolute() or value.startswith("~") or re.match(r"[A-Za-z]:", value):
        raise ValueError(
            f"{value!r} is not relative: give the path from the project folder, and link or copy the files into it"
        )
    if ".." in path.parts:
        raise ValueError(f"{value!r} leaves the project folder: '..' is not allowed")
    if path.parts[:1] == (".systock",):
        raise ValueError(f"{value!r} lies in .systock, which is SyStock's own")
    return value


def column_names(value: tuple[str, ...]) -> tuple[str, ...]:
    """Column names of a raw table."""
    seen: set[str] = set()
    for name in value:
        if not name:
            raise ValueError("a column name is empty")
        if name.lower() in RESERVED_COLUMNS:
            raise ValueError(f"column {name!r} is reserved for SyStock's own: {', '.join(sorted(RESERVED_COLUMNS))}")
        if name in seen:
            raise ValueError(f"column {name!r} is named more than once")
        seen.add(name)
    return value


def encoding(value: str) -> str:
    """A text encoding, or 'auto'."""
    import codecs

    try:
        # Names of codecs that are not text encodings ('hex', 'zip') exist too; they have no place here.
        known = value == "auto" or codecs.lookup(value)._is_text_encoding
    except LookupError:
        known = False
    if not known:
        valid = ("auto", "utf-8", "utf-16", "cp1252", "latin-1", "iso-8859-15", "cp850", "mac_roman")
        raise ValueError(
            f"{value!r} is not an encoding: {', '.join(valid)}, or any other that Python knows.{hint(value, valid)}"
        )
    return value


def delimiter(value: str) -> str:
    """One character, or 'auto'."""
    if value != "auto" and (len(value) != 1 or value in '\r\n"'):
        raise ValueError(f'{value!r} is not a delimiter: "auto" or one character, such as ";" or "\\t"')
    return value


def quote(value: str) -> str:
    """One character, or none."""
    if len(value) > 1 or value in ("\r", "\n"):
        raise ValueError(f'{value!r} is not a quote: one character, or "" for files that quote nothing')
    return value


def memory_size(value: str) -> str:
    """A size such as DuckDB reads it, or none."""
    if value and not _MEMORY.fullmatch(value):
        raise ValueError(
            f"{value!r} is not a memory size: such as '1GB', '800MB' or '50%', or \"\" for the engine's own"
        )
    return value


def work_memory(value: str) -> str:
    """A size as PostgreSQL's work_mem takes it, or none."""
    match = re.fullmatch(r"([1-9][0-9]*)(kB|MB|GB)", value)
    kilobytes = int(match[1]) * {"kB": 1, "MB": 1024, "GB": 1024**2}[match[2]] if match else 0
    if value and not 64 <= kilobytes < 2**31:
        raise ValueError(
            f"{value!r} is not a size from '64kB' on, such as '64MB' or '1GB', or \"\" for the server's own"
        )
    return value


def restricted_role(value: str) -> str:
    """A role of the server that is to see some places only: not one that SyStock itself works with."""
    working = ("systock_owner", "systock_loader", "systock_keeper")
    if value in working or value in ("public", "none") or value.startswith("pg_"):
        raise ValueError(f"{value!r} can't be restricted: name a role of your own, systock_reader or systock_analyst")
    if not value or "\0" in value or len(value.encode()) > 63:
        raise ValueError(f"{value!r} is not the name of a role: 1 to 63 bytes")
    return value


def place_name(value: str) -> str:
    """A location or region."""
    if not value or "\0" in value:
        raise ValueError(f"{value!r} is not the name of a place: it is empty or holds a NUL, which no server takes")
    return value


def fits_address(address: str, start: int, value: str) -> bool:
    """May a value stand as it is at this place of an address, so that nothing of it is taken for a host, port or parameter?

    Only what stands before the host, and parameters, are judged: elsewhere a value may have several parts of an address.
    """
    scheme = address.find("://")
    if not -1 < scheme < start or address.startswith(("sqlite:", "duckdb:")):
        return True
    before, behind = address[scheme + 3 : start], address[start:]
    # Some letters are taken for such a mark by those who normalize an address.
    marks = "".join(normalize("NFKC", letter) if letter > "\x7f" else letter for letter in value)
    if not any(mark in before for mark in "/?#") and "@" in re.split("[/?#]", behind)[0]:
        return bool(re.fullmatch(f"{_PLAIN}*", marks)) and (marks == value or ":" not in marks)
    return "?" not in before or bool(re.fullmatch(r"(?:[^@&=#%\s]|%[0-9A-Fa-f]{2})*", marks))


def _fits(address: str, pattern: re.Pattern[str]) -> bool:
    try:
        urlsplit(address)  # it says whole what it refuses
    except ValueError:
        return False
    return bool(pattern.fullmatch(address))


def _check_server(address: str) -> None:
    """Raise ValueError, which shows nothing of it, for the address of a server that may be taken apart wrongly."""
    if not _fits(address, _SERVER):
        raise ValueError(
            "cannot be taken apart into user, password, host, port and database. If a password or another value has one of "
            f"% @ / ? # [ ] or a space in it, {ENCODE}"
        )


def target_url(value: SecretStr) -> SecretStr:
    """Where a generation is published."""
    # No message here: it could show an expanded secret. The translation below shows the text of the file.
    text = value.get_secret_value()
    match = re.fullmatch(r"duckdb:///(.+)", text)
    is_file = match and not match[1].endswith("/") and not any(ord(letter) < 32 for letter in match[1])
    if not is_file and not re.fullmatch(r"postgresql://[^\s]+", text):
        raise ValueError(
            "is not a target: 'duckdb:///<file>', relative to the project, 'duckdb:////<absolute file>' or "
            "'postgresql://user:${PASSWORD}@host:5432/database', where values are percent-encoded (a space is %20), also those of ${PASSWORD}"
        )
    if not is_file:
        _check_server(text)
    return value


def published_file(value: str) -> str:
    """The published DuckDB file beside a server."""
    if not value or value.endswith("/") or any(ord(letter) < 32 for letter in value):
        raise ValueError(f"{value!r} is not a file: give one relative to the project, such as 'warehouse.duckdb'")
    return value


def database_url(value: SecretStr) -> SecretStr:
    """Where a database is. No message shows the value: it may hold a password."""
    found = re.fullmatch(r"(\w+)(\+\w+)?://.+", value.get_secret_value(), re.DOTALL)
    if not found or found[2] or found[1] not in DATABASES:
        raise ValueError(
            "is not the address of a database: 'postgresql://user:${PASSWORD}@host:5432/database', "
            "'mysql://user:${PASSWORD}@host:3306/database', 'mariadb://…' or 'sqlite:///file', relative to the project"
        )
    if found[1] != "sqlite":
        _check_server(value.get_secret_value())
    return value


def database_table(value: str) -> str:
    """A table or view, after its schema if it is not found without; a name with a dot in it stands in double quotes."""
    if not value.strip() or any(ord(letter) < 32 for letter in value) or not all(table_parts(value)):
        raise ValueError(
            f"{value!r} is not a table: name one as 'sales' or 'schema.sales'; a name with a dot in it as '\"2024.sales\"'"
        )
    return value


def table_parts(value: str) -> tuple[str, ...]:
    """The names that a table's name is made of, the schema's first; one that cannot be read is ''."""
    parts = []
    for part in _TABLE_PART.findall(value):
        quoted = len(part) > 1 and part[0] == part[-1] == '"'
        parts.append(part[1:-1].replace('""', '"') if quoted else "" if part.startswith('"') else part)
    return tuple(parts)


def window(value: object) -> timedelta | int | None:
    """How far to look back: a span of time, or a number."""
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        return value
    try:
        return duration(value)
    except ValueError:
        raise ValueError(
            f"{value!r} is neither a span of time, such as '15 minutes', nor a whole number, such as 1000"
        ) from None


def cron(value: str) -> str:
    """When something runs: a cron expression of five fields."""
    from cronsim import CronSim, CronSimError

    valid = (
        "five fields, minute hour day-of-month month day-of-week, such as '*/15 * * * *' (every quarter of an hour) "
        "or '30 4 * * 1-6' (at 04:30 from Monday to Saturday)"
    )
    if len(value.split()) != 5:
        raise ValueError(f"{value!r} is not a cron expression: {valid}")
    try:
        next(CronSim(value, datetime(2000, 1, 1, tzinfo=UTC)))
    except CronSimError as error:
        raise ValueError(f"{value!r} is not a cron expression ({str(error).lower()}): {valid}") from None
    except StopIteration:
        raise ValueError(f"{value!r} is a day that never comes: {valid}") from None
    return value


def duration(value: object) -> timedelta:
    """A span of time, such as '26 hours'."""
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    try:
        return timedelta(**{f"{match[2]}s": float(match[1])})  # type: ignore[index]
    except (TypeError, OverflowError):
        units = "seconds, minutes, hours, days or weeks"
        raise ValueError(f"{value!r} is not a span of time: a number of {units}, such as '26 hours'") from None


def duration_or_any(value: object) -> object:
    """A span of time, or "any": none is too long."""
    return value if value is None or value == "any" else duration(value)


def line_span(value: object) -> object:
    """How many lines a batch has: the least and the most, or "any"."""
    if value is None or value == "any":
        return value
    whole = isinstance(value, list | tuple) and len(value) == 2 and all(type(number) is int for number in value)
    if not whole or not 0 <= value[0] <= value[1]:  # type: ignore[index]
        raise ValueError(f"{value!r} is not a span of lines: the least and the most, such as [100, 5000], or 'any'")
    return tuple(value)  # type: ignore[arg-type]


def address(value: SecretStr) -> SecretStr:
    """Whom to notify. No message shows the value: it may hold a token."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*://\S+", value.get_secret_value()):
        raise ValueError(
            "is not an address: such as 'jsons://host/path' (a webhook), 'mailtos://user:${PASSWORD}@host?to=a@b.com' (mail) "
            "or any other that Apprise knows"
        )
    return value


def web_address(value: str) -> str:
    """Where an API is. The message shows no user or password that someone wrote into it."""
    if not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", value):
        shown = re.sub(r"//[^/]*@", "//…@", value)
        raise ValueError(
            f"{shown!r} is not the address of an API: 'https://host/path', without user, password and parameters, which "
            "stand in auth and params"
        )
    return value.rstrip("/")


def texts(value: object) -> object:
    """Texts by name; numbers, true and false may stand without quotes."""
    if not isinstance(value, dict):
        return value
    plain = {True: "true", False: "false"}
    return {
        name: plain[item] if isinstance(item, bool) else str(item) if isinstance(item, int | float) else item
        for name, item in value.items()
    }


def cursor_format(value: str) -> str:
    """How the value of a cursor is written."""
    if value in ("auto", "epoch", "epoch_ms") or "%" in value:
        return value
    raise ValueError(
        f"{value!r} is not one of: 'auto' (as the records have it), 'epoch', 'epoch_ms' (seconds or milliseconds since "
        "1970) or a pattern such as '%Y-%m-%d %H:%M:%S'"
    )


def cursor_template(value: str) -> str:
    """A text around the value of a cursor."""
    if "{}" not in value:
        raise ValueError(f"{value!r} does not say with {{}} where the value stands, as in \"updated_at:>='{{}}'\"")
    return value


def proxy(value: SecretStr) -> SecretStr:
    """A proxy. No message shows the value: it may hold a password."""
    if not _fits(value.get_secret_value(), _PROXY):
        raise ValueError(
            "is not the address of a proxy: 'http://host:3128' or 'http://user:${PASSWORD}@host:3128'. If its password has one "
            f"of % @ / ? # [ ] or a space in it, {ENCODE}"
        )
    return value


def function_path(value: str) -> str:
    """A function in a module."""
    if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", value):
        raise ValueError(
            f"{value!r} is not 'module:function', such as 'dlt.sources.rest_api:rest_api_source', or 'erp_source:tables' for "
            "tables() in erp_source.py of the project"
        )
    return value
