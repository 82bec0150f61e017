"""APIs as a source: asks the endpoint of each table for its pages, and hands over their records as they come."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from systock.api_settings import ApiSource, ApiTable
from systock.errors import SourceError
from systock.extract.api_auth import AuthRefused
from systock.extract.api_cursor import Mark, Since
from systock.extract.api_endpoint import Bookmark, Endpoint, Incomplete
from systock.extract.api_http import Client, Unreachable
from systock.extract.api_records import field_texts
from systock.extract.api_resume import Spool
from systock.extract.json_rows import JsonColumns, compact, no_row
from systock.extract.pull import Asked, Pull, malformed_rows
from systock.extract.redact import redact

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH_ROWS = 16_384
_BATCH_CHARACTERS = 8 << 20
_STATE = "Nothing of this table was landed; what was fetched is kept for the next run, which goes on from there."
_ANEW = "Nothing of this table was landed; the next run begins anew."


def pulls(source_name: str, settings: ApiSource, asked: Asked) -> Iterator[Pull]:
    """One extraction for each table: all of it, or what its cursor has not reached yet.

    Children whose extraction goes on where one was cut off are asked for once more: their parents may have come since.
    """
    failed: list[SourceError] = []
    with closing(Client(settings, asked.project_dir)) as client:
        for table in settings.tables:
            extraction = _Extraction(source_name, settings, table, asked, client, failed)
            if extraction.is_due:
                client.alive = extraction.tell
                yield extraction.pull
            if extraction.is_behind:
                begun = {**asked.cursors, table: extraction.pull.cursor() or ""}
                extraction = _Extraction(source_name, settings, table, replace(asked, cursors=begun), client, failed)
                client.alive = extraction.tell
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
        stored = asked.cursors.get(name)
        asks = {"settings": self._asks(), "cursor": stored, "span": [str(end) for end in asked.span or ()]}
        keeps = not (self._table.personal or self._lister.personal)
        self._spool = Spool(asked.spool / f"{name}.pages", asks, datetime.now(UTC), settings.resume_within, keeps=keeps)
        cursor = self._lister.cursor
        self._since = Since(cursor, stored, self._spool.began, asked.span) if cursor else None
        self._columns = JsonColumns()
        self._rows = _Rows()
        self.fetched = self._gone = self._fetched_parents = 0
        self._is_over = False
        began = self._spool.began
        position = began.isoformat()
        if self._since is not None and cursor is not None:
            position = f"{cursor.column} {self._since.asks_from or ''}..{self._since.asks_until or position}"
        self._path = f"{self._table.verb} {self._table.endpoint}"
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

    def tell(self) -> None:
        """Say how far it is."""
        self._asked.tell(self._name, self.fetched)

    @property
    def is_due(self) -> bool:
        """A table without a cursor is as it is now: nothing of another time can be asked of it."""
        span = self._asked.span
        return span is None or self._since is not None or span[0] <= self._asked.now <= span[1]

    @property
    def is_behind(self) -> bool:
        """It went on where another was cut off: what was new among the parents since that began has not been asked for yet."""
        went_on = self._is_over and self._spool.resumes
        return went_on and self._table.parent is not None and self._since is not None and self._asked.span is None

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
            if self._since is not None and self._since.is_out_of_time:
                raise SourceError(
                    "its cursor is a number: --from and --to cannot limit it", todo="Run without them, or leave it out."
                )
            for page in self._pages():
                yield from self._filled(page)
            yield from self._emptied()
            self._spool.discard()
            self._is_over = True
        except SourceError as error:
            self._say(error)
            raise
        finally:
            self._spool.close()

    def _say(self, error: SourceError) -> None:
        """Where it happened, what is left, and no secrets in it."""
        error.where = f"{self._source}, {self._path}" + (f", {error.where}" if error.where else "")
        if isinstance(error, AuthRefused | Unreachable) or (error.transient and not isinstance(error, Incomplete)):
            error.state = _STATE if self._spool.keeps else _ANEW
        else:
            # Not from there: it would fail there again, unless it begins anew.
            error.transient = error.transient or self._spool.resumes
            error.state = _ANEW
            self._spool.discard()
        redact(error, self._client.secrets)
        if isinstance(error, AuthRefused | Unreachable):
            self._failed.append(error)

    # pages: those kept of an extraction that was cut off, then those fetched now

    def _pages(self) -> Iterator[dict[str, Any]]:
        follows: Any = None
        parents: list[dict[str, str]] = []
        for page in self._spool.pages():
            self._columns.add(page["names"])
            if self._since is not None:
                self._since.behind = page["behind"]
                for mark in page["marks"]:
                    self._since.take(Mark(*mark))
            parents = page.get("parents", parents)
            follows = page["next"]
            yield page
            if follows is None:
                return
        for page in self._children(parents, follows) if self._table.parent else self._listing(follows):
            self._spool.add(page)
            self.tell()
            yield page

    def _listing(self, place: Bookmark | None) -> Iterator[dict[str, Any]]:
        for found in self._endpoint(self._table).pages(place):
            yield self._page(found.records, found.next)

    def _children(self, parents: list[dict[str, str]], follows: Any) -> Iterator[dict[str, Any]]:
        """What each parent holds, parents page by page.

        Kept as what follows: `left`, how many of the parents that were listed last are not done, `page`, where in the
        pages of the first of these, and `list`, where the list of parents goes on.
        """
        goes_on: Bookmark | None = None
        if follows is not None:
            goes_on = follows["list"]
            yield from self._of(parents[len(parents) - follows["left"] :], follows["page"], goes_on)
            if goes_on is None:
                return
        for found in self._endpoint(self._lister).pages(goes_on):
            page = self._page([], None)
            # What is no record is set aside by the parent's own table.
            listed = [record for record in found.records if no_row(record) is None]
            new = [record for record in listed if self._is_new(record, page["marks"])]
            page["parents"] = [field_texts(record, self._table.parent_fields) for record in new]
            page["next"] = _following(page["parents"], None, found.next)
            yield page
            yield from self._of(page["parents"], None, found.next)
        if follows is None and self._gone == self._fetched_parents > 2:
            raise SourceError(
                f"none of the {self._gone:,} parents has this endpoint: the API answers 404 or 410 for each",
                todo="Correct endpoint of the table.",
            )

    def _of(
        self, parents: list[dict[str, str]], place: Bookmark | None, listed: Bookmark | None
    ) -> Iterator[dict[str, Any]]:
        for done, parent in enumerate(parents, 1):
            for found in self._endpoint(self._table, parent).pages(place):
                left = parents[done - (found.next is not None) :]
                yield self._page(found.records, _following(left, found.next, listed), parent)
                self._gone += found.gone
            self._fetched_parents += 1
            place = None

    def _endpoint(self, table: ApiTable, parent: dict[str, str] | None = None) -> Endpoint:
        return Endpoint(self._client, self._settings, table, self._since, parent)

    def _page(self, records: list[Any], follows: Any, parent: dict[str, str] | None = None) -> dict[str, Any]:
        """A page as it is kept: the rows that are new, what is no row and why, what to remember, and what follows."""
        of = {f"{self._table.parent}_{name.replace('.', '_')}": text for name, text in (parent or {}).items()}
        rows: list[list[str | None]] = []
        wrong: list[tuple[str, str]] = []
        marks: list[tuple[str | None, str]] = []
        for record in records:
            try:
                reason = no_row(record) if record != {} else "an object without any field"
                if reason is not None:
                    wrong.append((compact(record), reason))
                elif parent is not None or self._is_new(record, marks):
                    rows.append(self._columns.values({**of, **record} if of else record))
            except RecursionError:
                raise SourceError("a record is nested too deeply", todo="Ask those who run the API.") from None
        self.fetched += len(rows)
        page = {"names": list(self._columns.names), "rows": rows, "wrong": wrong, "marks": marks, "next": follows}
        return page | {"behind": self._since.behind if self._since else 0}

    def _is_new(self, record: Any, marks: list[tuple[str | None, str]]) -> bool:
        if self._since is None:
            return True
        mark = self._since.mark(record)
        marks.append((mark.value, mark.hash))
        return self._since.take(mark)

    # batches

    def _filled(self, page: dict[str, Any]) -> Iterator[pa.RecordBatch]:
        self._rows.values += page["rows"]
        self._rows.wrong += page["wrong"]
        self._rows.size += sum(sum(map(len, filter(None, row))) for row in page["rows"])
        if len(self._rows.values) >= _BATCH_ROWS or self._rows.size >= _BATCH_CHARACTERS:
            yield from self._emptied()

    def _emptied(self) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        rows, self._rows = self._rows, _Rows()
        if rows.values:
            yield pa.RecordBatch.from_arrays(self._columns.arrays(rows.values), names=self._columns.columns)
        if rows.wrong:
            yield malformed_rows(rows.wrong)


def _following(parents: list[dict[str, str]], page: Bookmark | None, listed: Bookmark | None) -> dict[str, Any] | None:
    if not parents and listed is None:
        return None
    return {"left": len(parents), "page": page, "list": listed}
