"""APIs as a source: asks the endpoint of each table for its pages, and hands over their records as they come."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from systock.api_settings import ApiSource, ApiTable
from systock.errors import SourceError
from systock.extract.api_auth import AuthRefused
from systock.extract.api_cursor import Mark, Since
from systock.extract.api_endpoint import Endpoint, Page
from systock.extract.api_http import Client, Unreachable
from systock.extract.api_pages import Place
from systock.extract.api_records import field_texts
from systock.extract.api_resume import Spool
from systock.extract.json_rows import JsonColumns, compact, no_row
from systock.extract.pull import Asked, Pull
from systock.extract.redact import redact

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH_ROWS = 16_384
_BATCH_CHARACTERS = 8 << 20
_STATE = "Nothing of this table was landed; what was fetched is kept for the next run, which goes on from there."
_ANEW = "Nothing of this table was landed; the next run begins anew."


def pulls(source_name: str, settings: ApiSource, asked: Asked) -> Iterator[Pull]:
    """One extraction for each table: all of it, or what its cursor has not reached yet."""
    failed: list[SourceError] = []

    def alive() -> None:
        asked.tell("", 0)

    with closing(Client(settings, asked.project_dir, alive)) as client:
        for table in settings.tables:
            extraction = _Extraction(source_name, settings, table, asked, client, failed)
            if not extraction.is_due:
                continue
            yield extraction.pull
            # An API that is not there, or that lets nobody in, is not asked for its other tables as well.
            if failed:
                raise failed[0]


@dataclass
class _Rows:
    """Records on their way into a batch."""

    values: list[list[str | None]] = field(default_factory=list)
    wrong: list[tuple[str, str]] = field(default_factory=list)
    size: int = 0


class _Extraction:
    """One table."""

    def __init__(
        self,
        source: str,
        settings: ApiSource,
        name: str,
        asked: Asked,
        client: Client,
        failed: list[SourceError],
    ) -> None:
        self._table, self._name, self._source = settings.tables[name], name, source
        self._settings, self._asked, self._client, self._failed = settings, asked, client, failed
        # What a table with a parent is asked for by cursor, its parent is.
        self._lister = settings.tables[self._table.parent] if self._table.parent else self._table
        stored = None if asked.span else asked.cursors.get(name)
        asks = {"settings": self._asks(), "cursor": stored, "span": [str(end) for end in asked.span or ()]}
        self._spool = Spool(asked.spool / f"{name}.pages", asks, datetime.now(UTC), settings.resume_within)
        cursor = self._lister.cursor
        self._since = Since(cursor, stored, self._spool.began, asked.span) if cursor else None
        self._columns = JsonColumns()
        self._rows = _Rows()
        self._fetched = 0
        began = self._spool.began
        position = began.isoformat()
        if self._since is not None and cursor is not None:
            position = f"{cursor.column} {self._since.asks_from or ''}..{self._since.asks_until or position}"
        self._path = f"{self._table.method or ('POST' if self._table.query or self._table.body else 'GET')} {self._table.endpoint}"
        self.pull = Pull(
            source=source,
            table=name,
            mode=self._table.mode,
            path=self._path,
            position=position,
            extracted_at=began,
            batches=self._batches(),
            cursor=lambda: self._since.text() if self._since else None,
        )

    @property
    def is_due(self) -> bool:
        """A table without a cursor is as it is now: nothing of another time can be asked of it."""
        span = self._asked.span
        return span is None or self._since is not None or span[0] <= self._asked.now <= span[1]

    def _asks(self) -> str:
        """What decides the answer: pages that were fetched under other settings are of no use."""
        tables = [table.model_dump(mode="json") for table in (self._table, self._lister)]
        shared = self._settings.model_dump(mode="json", include={"base_url", "pagination", "headers"})
        return blake2b(json.dumps([tables, shared], sort_keys=True).encode(), digest_size=16).hexdigest()

    def _batches(self) -> Iterator[pa.RecordBatch]:
        if self._asked.span and self._since and not self._table.key:
            raise SourceError(
                "without a key, lines of another time cannot be told from those that came before",
                where=f"{self._source}, {self._path}",
                todo="Give the table a key, or run without --from and --to.",
            )
        try:
            for page in self._pages():
                yield from self._filled(page)
            yield from self._emptied()
            self._spool.discard()
        except SourceError as error:
            self._say(error)
            raise
        finally:
            self._spool.close()

    def _say(self, error: SourceError) -> None:
        """Where it happened, what is left, and no secrets in it."""
        error.where = f"{self._source}, {self._path}" + (f", {error.where}" if error.where else "")
        if error.transient or isinstance(error, AuthRefused | Unreachable):
            error.state = _STATE
        else:
            # Not from there: it would fail there again, unless it begins anew.
            error.transient = self._spool.resumes
            error.state = _ANEW
            self._spool.discard()
        redact(error, self._client.secrets)
        if isinstance(error, AuthRefused | Unreachable):
            self._failed.append(error)

    # pages: those kept of an extraction that was cut off, then those fetched now

    def _pages(self) -> Iterator[dict[str, Any]]:
        place: Any = None
        for page in self._spool.pages():
            self._columns.add(page["names"])
            for mark in page["marks"]:
                if self._since is not None:
                    self._since.take(Mark(*mark))
            place = page["next"]
            yield page
            if place is None:
                return
        source = self._children(place) if self._table.parent else self._listing(place)
        for page in source:
            self._spool.add(page)
            yield page

    def _listing(self, place: Place) -> Iterator[dict[str, Any]]:
        endpoint = Endpoint(self._client, self._settings, self._table, self._name, self._since)
        for found in endpoint.pages(place):
            yield self._page(found, found.next)

    def _children(self, place: Any) -> Iterator[dict[str, Any]]: ...

    def _page(self, found: Page, following: Any, of: dict[str, str] | None = None) -> dict[str, Any]:
        """A page as it is kept: the rows that are new, what is wrong, what to remember, and what follows."""
        rows: list[list[str | None]] = []
        wrong: list[tuple[str, str]] = []
        marks: list[tuple[str | None, str]] = []
        return {"names": self._columns.names, "rows": rows, "wrong": wrong, "marks": marks, "next": following}
