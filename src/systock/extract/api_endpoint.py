"""One endpoint: the calls that ask for its pages, and the pages, one after the other, each of them new."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from systock.api_settings import ApiSource, ApiTable
from systock.errors import SourceError
from systock.extract.api_call import NOTHING, Answer, Call, filled, value_at
from systock.extract.api_cursor import Since
from systock.extract.api_http import Client
from systock.extract.api_outer import with_outer
from systock.extract.api_pages import Place, paging
from systock.extract.api_records import records_of
from systock.extract.json_rows import compact
from systock.extract.redact import LONGEST

#: Statuses of a parent's endpoint: the parent is gone, and what it held with it.
GONE = frozenset({404, 410})


#: Where a page begins, as the paging has it, and how many records came before it.
Bookmark = Sequence[Any]


@dataclass(frozen=True)
class Page:
    """What one answer held. next: where the next page begins; None after the last one. gone: there is no such endpoint."""

    records: list[Any]
    next: Bookmark | None
    gone: bool = False


class Incomplete(SourceError):
    """Records are missing: what was fetched is of no use."""

    transient = True


class Endpoint:
    """Asks the endpoint of one table, for all of it or for what one parent holds.

    since: what is asked for by cursor. parent: values for the names in braces.
    """

    def __init__(
        self,
        client: Client,
        source: ApiSource,
        table: ApiTable,
        since: Since | None = None,
        parent: Mapping[str, str] | None = None,
    ) -> None:
        self._client, self._source, self._table, self._since = client, source, table, since
        self._parent = parent or {}
        self._paging = paging(table.pagination or source.pagination)

    def pages(self, bookmark: Bookmark | None = None) -> Iterator[Page]:
        """The pages from a bookmark on; None: from the beginning."""
        at, fetched = bookmark or (self._paging.first, 0)
        accepted = self._paging.accepted | (GONE if self._parent else frozenset())
        seen = {at}
        before: list[Any] = []
        for _ in range(self._source.max_pages):
            answer = self._client.ask(self._call(at), accepted)
            if self._since is not None:
                self._since.see_clock(answer.headers.get("date", ""))
            if answer.status in accepted:
                yield Page([], None, gone=answer.status in GONE and not fetched)
                return
            self._raise_errors(answer)
            records = (
                with_outer(answer.body, self._table.records, self._table.outer)
                if self._table.outer
                else records_of(answer.body, self._table.records)
            )
            # What pages are made of: the records, or what these lie in.
            paged = self._paged(answer) if self._table.paged else records
            if paged and paged == before:
                raise self._endless("the same records come again and again")
            fetched, before = fetched + len(paged), paged
            at = self._paging.next(at, answer, paged, fetched)
            if isinstance(at, str) and "://" in at:
                at = self._client.without_credentials(at)
            if at is None:
                total = self._paging.total(answer)
                if total is not None and fetched < total:
                    raise Incomplete(
                        f"the API says that there are {total:,} records, but {fetched:,} came",
                        todo="Run again: records may have moved while the pages were read. If it stays, correct the "
                        "table's pagination.",
                    )
                yield Page(records, None)
                return
            if at in seen:
                raise self._endless(f"the page at {at!r} is named again")
            seen.add(at)
            yield Page(records, (at, fetched))
        raise self._endless(f"there are more than {self._source.max_pages:,} pages")

    def _paged(self, answer: Answer) -> list[Any]:
        found = value_at(answer.body, self._table.paged)
        if not isinstance(found, list):
            raise SourceError(
                f"paged = {self._table.paged!r} leads to no list", todo="Correct paged and records of the table."
            )
        return found

    def _raise_errors(self, answer: Answer) -> None:
        """Errors that an answer tells of with a good status."""
        path = self._table.errors or ("errors" if self._table.query else "")
        found = value_at(answer.body, path) if path else None
        if found not in (NOTHING, None, [], {}, "", False):
            raise SourceError(
                f"the API answers with errors: {compact(found)[:LONGEST]}", todo="Correct query or params."
            )

    def _call(self, place: Place) -> Call:
        table = self._table
        quoted = {name: quote(value, safe="") for name, value in self._parent.items()}
        path = filled(table.endpoint, quoted).lstrip("/")
        call = Call(
            method=table.verb,
            url=f"{self._source.base_url}/{path}" if path else self._source.base_url,
        )
        if table.query:
            call.body, call.inside = {"query": table.query, "variables": {}}, "variables."
        elif table.body is not None:
            call.body = filled(table.body, self._parent)
        try:
            self._put(place, call)
        except (LookupError, ValueError, TypeError, AttributeError):
            raise SourceError(
                "a parameter has no place in the body of the call",
                todo="Correct params, pagination or body of the table.",
            ) from None
        return call

    def _put(self, place: Place, call: Call) -> None:
        """Parameters: those of the settings, of the cursor, of the page."""
        for name, value in filled(self._table.params, self._parent).items():
            call.put(name, value)
        since, cursor = self._since, self._table.cursor
        if since is not None and cursor is not None:
            if since.asks_from is not None:
                call.put(cursor.param, cursor.template.replace("{}", since.asks_from))
            if since.asks_until is not None and cursor.until_param:
                call.put(cursor.until_param, cursor.template.replace("{}", since.asks_until))
        self._paging.put(place, call)

    def _endless(self, what: str) -> SourceError:
        kind = (self._table.pagination or self._source.pagination).type
        return SourceError(
            f"the pages have no end: {what}",
            todo=f"Check the table's pagination (type {kind!r}): the API may not know its parameters, or repeat its last "
            "page, so that it needs total, pages or more to be set; more real pages need a larger size or max_pages.",
        )
