"""How the pages of an endpoint follow each other: each way puts a place into a call and reads the next one off the answer."""

from __future__ import annotations

import re
from typing import Any, Protocol
from urllib.parse import urljoin

from systock import api_settings as kinds
from systock.errors import SourceError
from systock.extract.api_call import NOTHING, Answer, Call, is_true, value_at
from systock.extract.json_rows import Number, value_text

#: Where a page begins: a number, a cursor or a URL; None: there are no more.
Place = int | str | None

_LINK = re.compile(r"<([^<>]*)>((?:\s*;\s*[^,;\"]+(?:\"[^\"]*\")?)*)")
_RANGE = re.compile(r"(?:\S+\s+)?(?:\d+-\d+|\*)/(\d+)")
#: Where the first page begins for those who need not say so.
FIRST = ""


class Paging(Protocol):
    """One way of paging. accepted: statuses that are no fault here: there is nothing behind the end."""

    first: Place
    accepted: frozenset[int]

    def put(self, place: Place, call: Call) -> None:
        """Make a call ask for the page at a place."""

    def next(self, place: Place, answer: Answer, records: list[Any], fetched: int) -> Place:
        """Where the next page begins. records: those of this page; fetched: how many came up to here."""

    def total(self, answer: Answer) -> int | None:
        """How many records there are in all, if the answer says so."""


def paging(settings: Any) -> Paging:
    """The way that settings describe."""
    return _WAYS[type(settings)](settings)


class _Way:
    first: Place = FIRST
    accepted: frozenset[int] = frozenset()

    def __init__(self, settings: Any) -> None:
        self._settings = settings

    def put(self, place: Place, call: Call) -> None:
        if getattr(self._settings, "size_param", None):
            call.put(self._settings.size_param, self._settings.size)

    def next(self, place: Place, answer: Answer, records: list[Any], fetched: int) -> Place:
        return None

    def total(self, answer: Answer) -> int | None:
        return _number(answer, getattr(self._settings, "total", ""))

    def _all_there(self, answer: Answer, fetched: int) -> bool:
        total = self.total(answer)
        return total is not None and fetched >= total


class _Counted(_Way):
    """By number of pages or records: over at an empty page, which a short one is not: a server may give less than asked."""

    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        self.accepted = frozenset(settings.end_status)

    def put(self, place: Place, call: Call) -> None:
        super().put(place, call)
        call.put(self._settings.param, place if isinstance(place, int) else 0)

    def _over(self, answer: Answer, records: list[Any], fetched: int) -> bool:
        if not records or self._all_there(answer, fetched):
            return True
        return bool(self._settings.more) and not is_true(_found(answer, self._settings.more))


class _Numbered(_Counted):
    def __init__(self, settings: kinds.Numbered) -> None:
        super().__init__(settings)
        self.first = settings.first

    def next(self, place: Place, answer: Answer, records: list[Any], fetched: int) -> Place:
        assert isinstance(place, int)
        pages = _number(answer, self._settings.pages)
        last = pages is not None and place - self._settings.first + 1 >= pages
        return None if last or self._over(answer, records, fetched) else place + 1


class _Offset(_Counted):
    first = 0

    def next(self, place: Place, answer: Answer, records: list[Any], fetched: int) -> Place:
        assert isinstance(place, int)
        return None if self._over(answer, records, fetched) else place + len(records)


class _Cursor(_Way):
    def put(self, place: Place, call: Call) -> None:
        super().put(place, call)
        if place != FIRST and place is not None:
            call.put(self._settings.param, place)

    def next(self, place: Place, answer: Answer, records: list[Any], fetched: int) -> Place:
        settings = self._settings
        if settings.last and not records:
            return None
        found = value_at(records[-1], settings.last) if settings.last else value_at(answer.body, settings.next)
        if settings.last and found is NOTHING:
            raise _lost("last", settings.last, "the last record has no such field")
        following = "" if found is NOTHING else value_text(found) or ""
        if settings.more:
            if not is_true(_found(answer, settings.more)):
                return None
            if not following:
                raise _lost("next", settings.next, "the answer says that there is more, but not where")
        return following or None


class _NextUrl(_Way):
    def put(self, place: Place, call: Call) -> None:
        if place == FIRST:
            super().put(place, call)
        else:
            call.url, call.params = str(place), {}

    def next(self, place: Place, answer: Answer, records: list[Any], fetched: int) -> Place:
        found = value_at(answer.body, self._settings.next)
        if found in (NOTHING, None, "", False):
            return None
        if not isinstance(found, str) or isinstance(found, Number):
            raise _lost("next", self._settings.next, f"{value_text(found)} is no address")
        return urljoin(answer.url, str(found))


class _LinkHeader(_NextUrl):
    def next(self, place: Place, answer: Answer, records: list[Any], fetched: int) -> Place:
        for url, about in _LINK.findall(answer.headers.get("link", "")):
            rels = re.findall(r"(?i);\s*rel\s*=\s*\"?([^\";]+)", about)
            if self._settings.rel.lower() in " ".join(rels).lower().split():
                return str(urljoin(answer.url, url))
        return None


class _Range(_Way):
    first = 0
    accepted = frozenset({416})

    def put(self, place: Place, call: Call) -> None:
        assert isinstance(place, int)
        end = place + self._settings.size - (self._settings.end == "inclusive")
        unit = f"{self._settings.unit}=" if self._settings.unit else ""
        call.headers[self._settings.header] = f"{unit}{place}-{end}"

    def next(self, place: Place, answer: Answer, records: list[Any], fetched: int) -> Place:
        assert isinstance(place, int)
        return None if not records or self._all_there(answer, fetched) else place + len(records)

    def total(self, answer: Answer) -> int | None:
        found = _RANGE.fullmatch(answer.headers.get("content-range", "").strip())
        return int(found[1]) if found else None


_WAYS: dict[type, type[_Way]] = {
    kinds.NoPages: _Way,
    kinds.Numbered: _Numbered,
    kinds.Offset: _Offset,
    kinds.Cursor: _Cursor,
    kinds.LinkHeader: _LinkHeader,
    kinds.NextUrl: _NextUrl,
    kinds.Range: _Range,
}


def _found(answer: Answer, path: str) -> Any:
    found = value_at(answer.body, path)
    if found is NOTHING:
        raise _lost("more", path, "there is no such value in the answer")
    return found


def _number(answer: Answer, path: str) -> int | None:
    """A count in the body; none where the API does not know it, as in '*'."""
    found = value_at(answer.body, path) if path else NOTHING
    text = "" if found is NOTHING else value_text(found) or ""
    return int(text) if text.isdecimal() else None


def _lost(setting: str, path: str, what: str) -> SourceError:
    return SourceError(f"pagination.{setting} = {path!r}: {what}", todo=f"Correct {setting} in the table's pagination.")
