"""Time for the simulated chain: epoch seconds, a location's wall clock, its business days, and how each is written."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

DAY = 86_400
_EPOCH = date(1970, 1, 1)


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - _EPOCH).days


def day_of(number: int) -> date:
    """The date that many days after 1970-01-01."""
    return _EPOCH + timedelta(days=number)


class Zone:
    """One IANA time zone; instants are epoch seconds, wall clocks are seconds as if the clock showed UTC."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._zone = ZoneInfo(name)
        self._quiet_days: dict[int, int | None] = {}

    def _offset(self, instant: int) -> int:
        offset = datetime.fromtimestamp(instant, self._zone).utcoffset()
        assert offset is not None
        return int(offset.total_seconds())

    def offset(self, instant: int) -> int:
        """Seconds that the wall clock is ahead of UTC at an instant; days without a switch are remembered."""
        day = instant // DAY
        if day not in self._quiet_days:
            first, last = self._offset(day * DAY), self._offset(day * DAY + DAY)
            self._quiet_days[day] = first if first == last else None
        quiet = self._quiet_days[day]
        return self._offset(instant) if quiet is None else quiet

    def to_wall(self, instant: int) -> int:
        """What the clock on the wall shows at an instant."""
        return instant + self.offset(instant)

    def to_instant(self, wall: int) -> int:
        """The instant a wall clock means: an ambiguous hour is the second one, a skipped hour is shifted forward."""
        shown = datetime.fromtimestamp(wall, UTC).replace(tzinfo=self._zone)
        before, after = (int(shown.replace(fold=fold).utcoffset().total_seconds()) for fold in (0, 1))  # type: ignore[union-attr]
        return wall - after if self.to_wall(wall - after) == wall else wall - before


@cache
def zone(name: str) -> Zone:
    """The shared Zone of that name."""
    return Zone(name)


def iso_utc(instant: int) -> str:
    """2024-03-01T14:03:22Z."""
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def iso_wall(wall: int) -> str:
    """2024-03-01 14:03:22, a wall clock without its offset."""
    return datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%d %H:%M:%S")


def iso_offset(instant: int, where: Zone) -> str:
    """2024-03-01T15:03:22+01:00, a wall clock with its offset."""
    ahead = where.offset(instant)
    sign, minutes = ("+" if ahead >= 0 else "-"), abs(ahead) // 60
    shown = datetime.fromtimestamp(instant + ahead, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{shown}{sign}{minutes // 60:02d}:{minutes % 60:02d}"


def stamp(instant: int) -> str:
    """k20240302T043000Z: the part of a file name that says when the file became known."""
    return datetime.fromtimestamp(instant, UTC).strftime("k%Y%m%dT%H%M%SZ")
