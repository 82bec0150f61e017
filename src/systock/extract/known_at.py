"""The instant a file states: when it was extracted and became known, from its name or its modification time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from systock.errors import SettingsError
from systock.extract.batch import FileRejected

_MICROSECOND = timedelta(microseconds=1)
_DIRECTIVES = {
    "Y": r"\d{4}",
    "m": r"\d{2}",
    "d": r"\d{2}",
    "j": r"\d{3}",
    "H": r"\d{2}",
    "M": r"\d{2}",
    "S": r"\d{2}",
    "f": r"\d{1,6}",
    "z": r"(?:Z|[+-]\d{2}:?\d{2})",
    "%": "%",
}


def from_nanoseconds(nanoseconds: int) -> datetime:
    """A file's modification time as an instant, to the microsecond (cut, never rounded up into the future)."""
    return datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC) + timedelta(
        microseconds=nanoseconds // 1000 % 1_000_000
    )


@dataclass(frozen=True)
class NamePattern:
    """A strptime pattern that is looked for anywhere in a file's name (in its whole path if it holds a '/').

    A pattern without a time of day stands for the end of that day in the project's time zone; one with a time is UTC
    unless it reads an offset (%z). Where several places of the name would do, the first that is a real date counts, and
    a place that does not cut a longer run of digits goes before one that does.
    """

    pattern: str
    expressions: tuple[re.Pattern[str], ...]
    zone: tzinfo

    def instant(self, path: str) -> datetime:
        """The instant that the name of this file states."""
        text = path if "/" in self.pattern else path.rsplit("/", 1)[-1]
        for expression in self.expressions:
            position = 0
            while match := expression.search(text, position):
                try:
                    return self._resolve(datetime.strptime(match[0], self.pattern))
                except (ValueError, OverflowError):
                    position = match.start() + 1
        raise FileRejected(
            f"the name holds no date of the form {self.pattern!r}, which known_at of its settings asks for",
            where=path,
            todo="rename the file, narrow the table's path, or set another known_at",
        )

    def _resolve(self, found: datetime) -> datetime:
        if "%H" in self.pattern:
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
        midnight = (found.replace(tzinfo=None) + timedelta(days=1)).replace(tzinfo=self.zone)
        return midnight.astimezone(UTC) - _MICROSECOND


@lru_cache(maxsize=64)
def name_pattern(pattern: str, timezone: str, setting: str) -> NamePattern:
    """Compile the pattern of a 'name:…' setting."""
    text, position = "", 0
    while position < len(pattern):
        letter = pattern[position]
        if letter == "%":
            position += 1
            directive = pattern[position : position + 1]
            if directive not in _DIRECTIVES or not directive:
                valid = " ".join(f"%{name}" for name in _DIRECTIVES)
                raise SettingsError(f"'name:{pattern}' holds %{directive}, which is not one of: {valid}", where=setting)
            text += _DIRECTIVES[directive]
        else:
            text += re.escape(letter)
        position += 1
    before = r"(?<!\d)" if pattern.startswith("%") else ""
    after = r"(?!\d)" if pattern.endswith(tuple(f"%{letter}" for letter in "YmdjHMSf")) else ""
    try:
        zone: tzinfo = UTC if timezone == "UTC" else ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SettingsError(f"{timezone!r} is not a time zone", where="project.timezone") from None
    return NamePattern(pattern, (re.compile(before + text + after, re.ASCII), re.compile(text, re.ASCII)), zone)


def stated_instant(known_at: str, path: str, modified_ns: int, timezone: str, setting: str) -> datetime | None:
    """What a file states by a known_at setting: None for 'landing', else the instant."""
    if known_at == "landing":
        return None
    if known_at == "mtime":
        return from_nanoseconds(modified_ns)
    if not known_at.startswith("name:"):
        raise SettingsError(f"{known_at!r} is not one of: 'landing', 'mtime', 'name:<pattern>'", where=setting)
    return name_pattern(known_at.removeprefix("name:"), timezone, setting).instant(path)
