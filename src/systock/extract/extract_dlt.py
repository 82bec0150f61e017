"""dlt sources as sources: the items that a resource yields go to bronze as they come, and its state with them.

dlt asks, SyStock keeps: nothing of dlt's pipelines, normaliser or folders is used. A resource is read with its state
(that of dlt.sources.incremental too) as it was when its last rows landed; what it remembers now is its cursor, which is
kept in the transaction that lands the rows. Each table has a state of its own, and a source made anew.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from systock.errors import SourceError
from systock.extract import dlt_source
from systock.extract.database import STATE
from systock.extract.json_rows import JsonColumns, compact, no_row
from systock.extract.pull import Asked, Pull, malformed_rows
from systock.extract.python_values import plain

if TYPE_CHECKING:
    import pyarrow as pa

    from systock.dlt_settings import DltSource

_BATCH_ROWS = 16_384
_BATCH_CHARACTERS = 8 << 20
_ALL_TIME = datetime(1970, 1, 1, tzinfo=UTC)


def pulls(source_name: str, settings: DltSource, asked: Asked) -> Iterator[Pull]:
    """One extraction for each table: what its resource yields now. Nothing of another time can be asked of one."""
    if asked.span is None or asked.span[0] <= asked.now <= asked.span[1]:
        for name in settings.tables:
            yield _Extraction(source_name, settings, name, asked).pull


class _Extraction:
    """One table."""

    def __init__(self, source: str, settings: DltSource, name: str, asked: Asked) -> None:
        self._settings, self._table, self._name, self._asked = settings, settings.tables[name], name, asked
        self._resource = self._table.resource or name
        self._source = source
        self._stored = asked.cursors.get(name)
        self._state: dict[str, Any] = {}
        self._columns = JsonColumns()
        self._rows: list[list[str | None]] = []
        self._wrong: list[tuple[str, str]] = []
        self._size = 0
        path = f"{source}: {self._resource}"
        assert self._table.mode is not None
        self.pull = Pull(
            source=source,
            table=name,
            mode=self._table.mode,
            path=path,
            position=f"{path}@{asked.now.astimezone(UTC).isoformat(timespec='microseconds')}",
            extracted_at=asked.now,
            batches=self._batches(),
            cursor=self._cursor,
        )

    def _batches(self) -> Iterator[pa.RecordBatch]:
        try:
            begins_anew = self._asked.span is not None and self._asked.span[0] <= _ALL_TIME
            if begins_anew and self._stored and not self._table.key:
                raise SourceError(
                    "without a key, rows that are read again cannot be told from those that came before",
                    todo="Give the table a key, or run without --from and --to.",
                )
            if self._stored and not begins_anew and self._table.mode != "full":
                self._state = self._remembered(self._stored)
            source = dlt_source.made(self._settings, self._asked.project_dir, self._state)
            source = dlt_source.selected(source, self._settings, self._name)
            if self._table.hinted:
                self._check_hints(dlt_source.hints(source, self._settings, self._name))
            told, fetched = time.monotonic(), 0
            for item in dlt_source.items(source, self._settings, self._name, self._state):
                if type(item) is dict:  # nearly all of them
                    self._add(item)
                else:
                    for batch in self._taken(item):
                        fetched += batch.num_rows
                        yield batch
                if self._is_full:
                    fetched += len(self._rows)
                    yield from self._emptied()
                if time.monotonic() - told > 1:
                    told = time.monotonic()
                    self._asked.tell(self._name, fetched + len(self._rows))
            yield from self._emptied()
        except SourceError as error:
            error.where = ", ".join(filter(None, (f"sources.{self._source}.tables.{self._name}", error.where)))
            error.state = error.state or STATE
            raise

    def _check_hints(self, now: tuple[str, tuple[str, ...]]) -> None:
        """What landed was landed by what the source said when it was first asked: a change is for somebody to decide."""
        before = (self._table.mode, self._table.key)
        if now != before:
            raise SourceError(
                f"the source says mode = {now[0]!r}, key = {list(now[1])} now; it said mode = {before[0]!r}, key = {list(before[1])}",
                todo="Set mode and key of the table in the settings, as they shall be from now on.",
            )

    # what is remembered

    def _remembered(self, text: str) -> dict[str, Any]:
        kept = dlt_source.typed_json().typed_loads(text)
        # Of another function or resource it says nothing.
        return kept["state"] if kept["of"] == self._of else {}

    @property
    def _of(self) -> list[str]:
        return [self._settings.source, self._resource]

    def _cursor(self) -> str | None:
        if self._table.mode == "full" or (self._stored is None and not self._state):
            return None
        try:
            return str(dlt_source.typed_json().typed_dumps({"of": self._of, "state": self._state}, sort_keys=True))
        except Exception as error:
            raise SourceError(
                f"what the resource remembers cannot be kept: {error}",
                where=f"sources.{self._source}.tables.{self._name}, {self._settings.source}, resource {self._resource}",
                state=STATE,
                todo="Let it keep texts, numbers, times, lists and dictionaries in its state.",
            ) from None

    # items

    def _taken(self, item: Any) -> Iterator[pa.RecordBatch]:
        """An item on its way: a row, a list of rows, or a table that passes as it is."""
        if item is None:
            return
        if hasattr(item, "__arrow_c_stream__") or hasattr(item, "__arrow_c_array__") or hasattr(item, "iloc"):
            yield from self._emptied()
            yield from _arrow_batches(item)
        elif isinstance(item, list | tuple) and not hasattr(item, "_asdict"):
            for each in item:
                yield from self._taken(each)
        else:
            self._add(item)
            if self._is_full:
                yield from self._emptied()

    @property
    def _is_full(self) -> bool:
        return len(self._rows) + len(self._wrong) >= _BATCH_ROWS or self._size >= _BATCH_CHARACTERS

    def _add(self, item: Any) -> None:
        try:
            row = plain(item)
            reason = no_row(row) if row != {} else "an object without any field"
            if reason is not None:
                self._wrong.append((compact(row), reason))
                return
            values = self._columns.values(row)
        except RecursionError:
            raise SourceError("a row is nested too deeply", todo="Correct the source.") from None
        self._rows.append(values)
        self._size += sum(map(len, filter(None, values)))

    def _emptied(self) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        rows, self._rows, self._size = self._rows, [], 0
        wrong, self._wrong = self._wrong, []
        if rows:
            yield pa.RecordBatch.from_arrays(self._columns.arrays(rows), names=self._columns.columns)
        if wrong:
            yield malformed_rows(wrong)


def _arrow_batches(item: Any) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    if isinstance(item, pa.RecordBatch):
        yield item
    elif isinstance(item, pa.Table):
        yield from item.to_batches()
    elif hasattr(item, "iloc"):
        yield from pa.Table.from_pandas(item, preserve_index=False).to_batches()
    else:
        yield from pa.table(item).to_batches()
