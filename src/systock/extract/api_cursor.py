"""Asking only for what is new: where to begin, what of an answer came before, where the next extraction begins."""

from __future__ import annotations

import base64
import json
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from hashlib import blake2b
from typing import Any

from systock.api_settings import Incremental
from systock.errors import SourceError
from systock.extract.api_call import NOTHING, value_at
from systock.extract.json_rows import outline, value_text

_DEFAULT_WINDOW = timedelta(minutes=10)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_EARLIEST = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
_PRUNE_AT = 100_000

#: A cursor as it is compared: an instant in microseconds since 1970, or a number as it is.
Value = int | Decimal


@dataclass(frozen=True)
class Mark:
    """What is remembered of a record: the value of its cursor (None: it has none) and a hash of what it holds."""

    value: str | None
    hash: str


class Since:
    """The cursor of one extraction. `take` says of each record whether it is new; `text` is kept for the next extraction.

    A record is remembered while it lies in the late window, so that what is asked for again is told from what is new.
    A record older than that came before, if the API sends it although it is not asked for.
    is_out_of_time: a span of time was asked for, but the cursor is a number. behind: microseconds by which the API's
    clock is behind ours.
    """

    def __init__(
        self,
        settings: Incremental,
        stored: str | None,
        began: datetime,
        span: tuple[datetime, datetime] | None = None,
    ) -> None:
        self._settings, self._stored, self._began = settings, stored, _instant(began)
        self.behind = 0
        self._of = f"{settings.column} {settings.format}"
        state = json.loads(stored) if stored else {}
        if not isinstance(state, dict) or state.get("of") != self._of:
            state = {}  # of another column, or written otherwise: it says nothing of this one
        self._style: str = state.get("style", "")
        self.asks_from: str | None = state.get("from", settings.start)
        self.asks_until: str | None = None
        self._until: Value | None = None
        self._stays = self.is_out_of_time = False
        if span is not None:
            self._limit(_bound(span[0]), _bound(span[1]), state)
        self._lowest = None if self.asks_from is None else self._value(self.asks_from)
        self._before = Counter[str]()
        self._kept: list[tuple[str | None, str]] = []
        self._remembered: dict[str, str | None] = {}
        for value, found in state.get("seen", ()) if span is None else ():
            self._before[found] += 1
            self._remembered[found] = value
        self._latest: Value | None = None
        self._floor: Value | None = None

    def _limit(self, begins: int | None, ends: int | None, state: dict[str, Any]) -> None:
        """Ask for a span of time. Without an end the next extraction goes on from the last record, if nothing is left out."""
        self.is_out_of_time = not self._is_instant() and (begins is not None or ends is not None)
        if self.is_out_of_time:
            return
        before = state.get("from")
        self._stays = ends is not None or (begins is not None and before is not None and self._value(before) < begins)
        self._style = self._style or ("" if begins is ends is None else "TZ")
        self._until = ends
        self.asks_from, self.asks_until = (None if bound is None else self._written(bound) for bound in (begins, ends))

    def mark(self, record: dict[str, Any]) -> Mark:
        """What to remember of a record."""
        found = value_at(record, self._settings.column)
        if found is NOTHING:
            raise SourceError(
                f"a record has no {self._settings.column!r}, which is the cursor: {outline(record)}",
                todo="Correct cursor.column of the table: a field that every record has.",
            )
        text = json.dumps([(name, value_text(record[name])) for name in sorted(record)]).encode()
        return Mark(value_text(found), base64.b64encode(blake2b(text, digest_size=12).digest()).decode())

    def take(self, mark: Mark) -> bool:
        """Whether a record is new."""
        if mark.value is not None:
            value = self._value(mark.value)
            self._style = self._style or _style(mark.value)
            if self._lowest is not None and value < self._lowest:
                return False
            if self._until is not None and value > self._until:
                return False
            # What is dated in the future says nothing of what is still to come before it.
            if (self._latest is None or value > self._latest) and not (self._is_instant() and value > self._began):
                self._latest = value
            if self._floor is not None and value < self._floor:
                return True
        self._kept.append((mark.value, mark.hash))
        if len(self._kept) % _PRUNE_AT == 0:
            self._prune()
        if self._before[mark.hash] > 0:
            self._before[mark.hash] -= 1
            return False
        return True

    def see_clock(self, date: str) -> None:
        """Take note of an answer's Date: the API's clock may be behind ours."""
        try:
            found = (datetime.now(UTC) - parsedate_to_datetime(date)) // _MICROSECOND
        except (TypeError, ValueError):
            return
        self.behind = max(self.behind, found)

    def text(self) -> str | None:
        """What the next extraction begins with; None while nothing came at all."""
        if self._stays or not self._kept:
            return self._stored
        # What came before and did not come now may come again.
        self._kept += [(self._remembered[found], found) for found in self._before.elements()]
        begins = self._prune()
        return json.dumps({"of": self._of, "from": begins, "style": self._style, "seen": self._kept})

    def _prune(self) -> str | None:
        """Forget what lies before the place that the next extraction asks from; returns that place."""
        if self._latest is None:
            return self.asks_from
        # What changes while it is read may have been read before: the cursor never passes the beginning of the
        # extraction, by the clock that stamps the records.
        reached = min(self._latest, self._began - self.behind) if self._is_instant() else self._latest
        begins: str | None = self._written(reached - self._window())
        assert begins is not None
        self._floor = self._value(begins)
        if self._lowest is not None and self._floor <= self._lowest:  # a cursor never goes back
            begins, self._floor = self.asks_from, self._lowest
        self._kept = [(text, found) for text, found in self._kept if text is None or self._value(text) >= self._floor]
        return begins

    def _window(self) -> Value:
        window = self._settings.late_window
        if window is None:
            window = _DEFAULT_WINDOW if self._is_instant() else 0
        if isinstance(window, timedelta) != self._is_instant() and window:
            column = self._settings.column
            is_span = isinstance(window, timedelta)
            raise SourceError(
                f"cursor.late_window is a {'span of time' if is_span else 'number'}, but {column!r} holds "
                + ("numbers" if is_span else "times"),
                todo="Set late_window to a number, or format to 'epoch' or 'epoch_ms'."
                if is_span
                else "Set late_window to a span of time, such as '10 minutes'.",
            )
        size = window // _MICROSECOND if isinstance(window, timedelta) else window
        return size + (self._step() if self._settings.exclusive else 0)

    def _step(self) -> Value:
        """The smallest difference that the cursor's form can tell."""
        if not self._is_instant():
            return 1
        if self._settings.format == "epoch_ms":
            return 1_000
        digits: int = self._style.count("f") if self._settings.format == "auto" else 0
        return int(10 ** (6 - digits))

    def _is_instant(self) -> bool:
        return self._settings.format != "auto" or self._style != "number"

    def _value(self, text: str) -> Value:
        """A cursor as it is compared."""
        form = self._settings.format
        try:
            if form in ("epoch", "epoch_ms"):
                return int(Decimal(text) * (1_000_000 if form == "epoch" else 1_000))
            if form == "auto" and (self._style or _style(text)) == "number":
                return Decimal(text)
        except (InvalidOperation, ValueError, OverflowError):
            if form == "auto":
                raise self._unread(text) from None
        try:
            return _instant(datetime.fromisoformat(text))
        except ValueError:
            pass
        try:
            return _instant(datetime.strptime(text, form))
        except ValueError:
            raise self._unread(text) from None

    def _unread(self, text: str) -> SourceError:
        if self._style:
            wrong = f"but the ones before were {'numbers' if self._style == 'number' else 'times'}"
        else:
            wrong = "neither a number nor a time"
        return SourceError(
            f"the cursor {self._settings.column!r} holds {text[:100]!r}, {wrong}",
            todo="Correct cursor.column or cursor.format of the table.",
        )

    def _written(self, value: Value) -> str:
        """A cursor as the API takes it, never later than the value."""
        form = self._settings.format
        if not self._is_instant():
            return format(value, "f")
        if form in ("epoch", "epoch_ms"):
            return str(int(value) // (1_000_000 if form == "epoch" else 1_000))
        instant = _EPOCH + timedelta(microseconds=max(int(value), _EARLIEST))
        if form != "auto":
            return instant.strftime(form)
        if self._style == "date":
            return instant.date().isoformat()
        text = instant.replace(tzinfo=None, microsecond=0).isoformat()
        digits = self._style.count("f")
        fraction = f".{instant.microsecond:06d}"[: digits + 1] if digits else ""
        return f"{text}{fraction}{'Z' if 'Z' in self._style else ''}"


def _instant(instant: datetime) -> int:
    """Microseconds since 1970; a time without a zone counts as UTC."""
    return ((instant if instant.tzinfo else instant.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND


def _bound(instant: datetime) -> int | None:
    """The end of a span; None where it has none."""
    return None if instant.replace(tzinfo=None) in (datetime.min, datetime.max) else _instant(instant)


def _style(text: str) -> str:
    """How a value is written: 'number', 'date', or 'T' with 'Z' for a zone and one 'f' for each digit of a second."""
    try:
        return "number" if Decimal(text).is_finite() else "T"
    except InvalidOperation:
        pass
    if len(text) == 10:
        return "date"
    time, sign, zone = text[10:].replace("Z", "+0").replace("-", "+").partition("+")
    digits = min(len(time.partition(".")[2]), 6)
    return f"T{'Z' if sign and zone else ''}{'f' * digits}"
