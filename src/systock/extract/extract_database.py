"""Databases as sources: whole tables, or what lies behind a cursor, all tables of a source as of one instant.

A source is one session with one transaction, so header and lines that belong together come together. A table with a
cursor delivers the rows behind the last one delivered. A row gets its cursor before it is committed, so one may appear
behind a later one that was already read: `late_window` reads so far back again, and delivers what it did not before.
What is deleted leaves no row: `deletes = "keys"` compares the keys with those of the last extraction. So it also sees
rows that are new although the cursor lies behind none of them, and reads them by their keys.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from systock.errors import SourceError
from systock.extract import known_keys, late_rows
from systock.extract.column_names import unique_names
from systock.extract.database import Column, Database, NoSuchTable, Value, named
from systock.extract.pull import Asked, Pull
from systock.setting_values import hint, table_parts

if TYPE_CHECKING:
    import pyarrow as pa

    from systock.source_settings import DatabaseSource, DatabaseTable

_ASKED_BY_KEY = 500


def pulls(source_name: str, settings: DatabaseSource, asked: Asked) -> Iterator[Pull]:
    """Each table of the source in its order, from one session."""
    tables = [
        (name, table)
        for name, table in settings.tables.items()
        if table.cursor or asked.span is None or asked.span[0] <= asked.now <= asked.span[1]
    ]
    if not tables:
        return
    with named(f"sources.{source_name}"):
        database = connect(settings, asked)
    try:
        for name, table in tables:
            yield _Table(source_name, name, table, database, asked).pull()
    finally:
        database.close()


def connect(settings: DatabaseSource, asked: Asked) -> Database:
    """A session on the database that the url names."""
    url, timeout = settings.url.get_secret_value(), settings.timeout.total_seconds()
    answer_timeout = settings.answer_timeout.total_seconds()
    scheme = url.partition("://")[0]
    if scheme == "sqlite":
        from systock.extract.database_sqlite import SqliteDatabase

        return SqliteDatabase(url, timeout, asked.project_dir)
    if scheme in ("mysql", "mariadb"):
        from systock.extract.database_mysql import MysqlDatabase

        return MysqlDatabase(url, timeout, answer_timeout)
    from systock.extract.database_postgres import PostgresDatabase

    return PostgresDatabase(url, timeout, answer_timeout)


@dataclass(frozen=True)
class _Mark:
    """Where an extraction ended: the columns of the cursor and their highest values.

    seen: hashes of the rows within the late window. window: how far that went back. keys: the keys that there were.
    """

    columns: tuple[str, ...] = ()
    values: tuple[Value, ...] = ()
    window: str = ""
    seen: str = ""
    keys: str = ""

    def text(self) -> str:
        """As the landing log keeps it."""
        values = [[value.text, value.bare] for value in self.values]
        return json.dumps([self.columns, values, self.window, self.seen, self.keys], ensure_ascii=False)


def _mark(text: str) -> _Mark:
    columns, values, window, seen, keys = json.loads(text)
    return _Mark(tuple(columns), tuple(Value(*value) for value in values), window, seen, keys)


class _Table:
    """One table, as it is asked for once."""

    def __init__(self, source: str, name: str, settings: DatabaseTable, database: Database, asked: Asked) -> None:
        self._source, self._name, self._settings = source, name, settings
        self._database, self._asked = database, asked
        last = _mark(asked.cursors[name]) if name in asked.cursors else _Mark()
        # With another cursor all is read anew.
        self._last = last if last.columns == settings.cursor else _Mark(keys=last.keys)
        self._next: _Mark | None = None
        self._delivered: list[pa.RecordBatch] = []  # keys
        if settings.query:
            self._relation = f"({settings.query.strip().rstrip(';')}) AS {database.quoted('query')}"
        else:
            self._relation = ".".join(database.quoted(part) for part in table_parts(settings.table or name))

    def pull(self) -> Pull:
        """The extraction of this table, read when it is asked for."""
        path = f"{self._source}: {self._settings.table or self._name}"
        after = " ".join(value.text for value in self._last.values) or "the beginning"
        position = f"{path}@{self._asked.now.astimezone(UTC).isoformat(timespec='microseconds')}"
        return Pull(
            source=self._source,
            table=self._name,
            mode=self._settings.mode,
            path=path,
            position=f"{position} after {after}" if self._settings.cursor else position,
            extracted_at=self._asked.now,
            batches=self._batches(),
            cursor=lambda: self._next.text() if self._next else None,
        )

    def _batches(self) -> Iterator[pa.RecordBatch]:
        with named(f"sources.{self._source}.tables.{self._name}"):
            if self._settings.optional and not self._is_there():
                return
            if not self._settings.cursor:
                yield from self._read()
            elif not self._compares:
                yield from self._behind_the_cursor()
            else:
                for batch in self._behind_the_cursor():
                    self._delivered.append(self._keys_of(batch))
                    yield batch
            if self._compares:
                yield from self._gone_and_back()

    # the columns

    @cached_property
    def _columns(self) -> list[Column]:
        columns = self._database.columns(self._relation)
        names = [column.name for column in columns]
        twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
        if twice:
            raise SourceError(f"two columns are called {twice!r}", todo="Name them apart in the query.")
        return columns

    def _is_there(self) -> bool:
        try:
            return bool(self._columns)
        except NoSuchTable:
            return False

    def _named(self, setting: str, names: Sequence[str]) -> list[Column]:
        """The columns that a setting names."""
        found = {column.name: column for column in self._columns}
        for name in names:
            if name not in found:
                raise SourceError(
                    f"there is no column {name!r}, which the setting {setting} names. Columns: {', '.join(found)}."
                    + hint(name, list(found)),
                    todo=f"Correct {setting} in the settings.",
                )
        return [found[name] for name in names]

    def _listed(self, names: Sequence[str], direction: str = "") -> str:
        return ", ".join(self._database.quoted(name) + direction for name in names)

    # reading

    def _read(self, condition: str = "", columns: Sequence[Column] = ()) -> Iterator[pa.RecordBatch]:
        """Rows in the order of their keys: then the same rows are the same extraction."""
        self._named("key", self._settings.key)
        where = f" WHERE {condition}" if condition else ""
        order = f" ORDER BY {self._listed(self._settings.key)}" if self._settings.key else ""
        columns = columns or self._columns
        names = list(unique_names(column.name for column in columns))
        for batch in self._database.batches(columns, f"FROM {self._relation}{where}{order}"):
            yield batch.rename_columns(names)

    def _behind_the_cursor(self) -> Iterator[pa.RecordBatch]:
        cursor = self._settings.cursor
        of_cursor = self._named("cursor", cursor)
        empty = " OR ".join(f"{self._database.quoted(name)} IS NULL" for name in cursor)
        if self._first(of_cursor, f"WHERE {empty}"):
            raise SourceError(
                f"the cursor ({', '.join(cursor)}) is NULL in some rows, which would never be read",
                todo="Take a column that is never NULL, or a query with coalesce(…) AS the cursor.",
            )
        highest = self._first(of_cursor, f"ORDER BY {self._listed(cursor, ' DESC')}")
        if self._asked.span:
            yield from self._of_span(highest, self._asked.span)
            return
        last = self._last.values
        if highest is None:
            self._next = self._last if last else None
            return
        if last and not self._first(of_cursor, f"WHERE {self._not_before(last)}"):
            last = self._went_back(last, highest)
        condition = ""
        if last:
            condition = self._database.behind(cursor, last)
            if early := self._known_late(last):
                again = f"{early} AND NOT ({condition})"
                yield from late_rows.unknown_rows(self._read(again), late_rows.unpacked(self._last.seen))
        yield from self._read(condition)
        self._next = self._ended_at(highest)

    def _ended_at(self, highest: Sequence[Value]) -> _Mark:
        """Where this extraction ended. Read in the same state of the database, so it is what was delivered."""
        late = self._late(highest)
        seen = (hashed for batch in self._read(late) for hashed in late_rows.row_hashes(batch)) if late else ()
        window = _said(self._settings.late_window)
        return _Mark(self._settings.cursor, tuple(highest), window, late_rows.packed(seen), self._last.keys)

    def _first(self, columns: Sequence[Column], rest: str) -> list[Value] | None:
        row = self._database.first(columns, f"FROM {self._relation} {rest}")
        return None if row is None else [value or Value("") for value in row]

    def _not_before(self, values: Sequence[Value]) -> str:
        cursor = self._settings.cursor
        same = " AND ".join(
            f"{self._database.quoted(name)} = {self._database.literal(value)}"
            for name, value in zip(cursor, values, strict=True)
        )
        return f"({self._database.behind(cursor, values)}) OR ({same})"

    def _late(self, values: Sequence[Value]) -> str:
        """The condition of rows within the late window before these values, and of all behind them; '' without one."""
        window = self._settings.late_window
        if window is None:
            return ""
        early = late_rows.moved_back(values[0], window)
        if early is None:
            kind = "a number" if isinstance(window, int) else "a time (YYYY-MM-DD HH:MM:SS)"
            raise SourceError(
                f"late_window says {_said(window)}, but the cursor {self._settings.cursor[0]!r} is no such value: {values[0].text!r}",
                todo=f"Take a cursor that is {kind}, or another late_window.",
            )
        return f"{self._database.quoted(self._settings.cursor[0])} >= {self._database.literal(early)}"

    def _known_late(self, last: Sequence[Value]) -> str:
        """The same, where it is known what was delivered: a window that was changed holds from the next extraction on."""
        return self._late(last) if self._last.window == _said(self._settings.late_window) else ""

    def _went_back(self, last: Sequence[Value], highest: Sequence[Value]) -> tuple[Value, ...]:
        """The rows up to the last cursor are gone: deleted, or the table is another one now. From where to go on."""
        late = self._known_late(last)
        if late and self._first(self._named("cursor", self._settings.cursor), f"WHERE {late}"):
            return tuple(last)
        if self._settings.deletes == "keys":
            return ()  # what is gone will be told, and what is new among them is read with all the rest
        raise SourceError(
            f"the cursor went back: its highest value is {_shown(highest)}, the last extraction ended at {_shown(last)}",
            todo='If only its last rows were deleted, set late_window or deletes = "keys"; if the table was restored or begun '
            f"anew, read it again: systock run --select {self._source}.{self._name} --from 1970-01-01",
        )

    def _of_span(self, highest: list[Value] | None, span: tuple[datetime, datetime]) -> Iterator[pa.RecordBatch]:
        """Rows whose cursor is a time within a span; one without an end goes on from there."""
        if highest is None:
            return
        name = self._database.quoted(self._settings.cursor[0])
        endless = span[1] >= datetime.max.replace(tzinfo=UTC)
        if late_rows.instant_of(highest[0]) is None and not endless:
            raise SourceError(
                f"the cursor {self._settings.cursor[0]!r} is no time, such as {highest[0].text!r}: --to cannot limit it",
                todo="Leave --to out: then all of it is read again.",
            )
        conditions = []
        for sign, instant in ((">=", span[0]), ("<=", span[1])):
            if (
                late_rows.instant_of(highest[0])
                and datetime.min < (clock := instant.replace(tzinfo=None)) < datetime.max
            ):
                text = late_rows.written_like(highest[0], clock)
                conditions.append(f"{name} {sign} {self._database.literal(Value(text))}")
        yield from self._read(" AND ".join(conditions))
        if endless:
            self._next = self._ended_at(highest)

    # what is gone, and what came back

    @property
    def _compares(self) -> bool:
        """Are the keys compared with those of the last extraction?"""
        return self._settings.deletes == "keys" and self._asked.span is None

    def _gone_and_back(self) -> Iterator[pa.RecordBatch]:
        key, updated_at = self._settings.key, self._settings.updated_at
        names = [*key, *([updated_at] if updated_at and updated_at not in key else [])]
        columns = self._named("key and updated_at", names)
        present = known_keys.keys_table(list(self._read(columns=columns)), names, key)
        if self._last.keys:
            known = known_keys.unpacked_keys(self._last.keys)
            if known.column_names == names:
                since = self._asked.now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
                yield from known_keys.gone(known, present, key, since)
                if self._settings.cursor:
                    delivered = known_keys.keys_table(self._delivered, key, key)
                    yield from self._back(known_keys.without(present.select(list(key)), [known, delivered], key))
        self._next = replace(self._next or self._last, keys=known_keys.packed_keys(present))

    def _keys_of(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        places = [column.name for column in self._columns]
        return batch.select([places.index(column.name) for column in self._named("key", self._settings.key)])

    def _back(self, keys: pa.Table) -> Iterator[pa.RecordBatch]:
        """The rows of keys that were not there before, and that no cursor leads to: the row was deleted, and put back as it was."""
        if keys.num_rows == 0:
            return
        found: list[pa.RecordBatch] = []
        if keys.num_rows <= _ASKED_BY_KEY:
            try:
                found = list(self._of_keys(keys, self._any_of(keys)))
            except SourceError as error:
                if error.transient:
                    raise
        # The server may not take the text of a key for the key (floats, bytes): then all rows are looked through.
        if sum(batch.num_rows for batch in found) < keys.num_rows:
            yield from self._of_keys(keys)
        else:
            yield from found

    def _any_of(self, keys: pa.Table) -> str:
        rows = (
            " AND ".join(f"{self._database.quoted(n)} = {self._database.literal(Value(v))}" for n, v in row.items())
            for row in keys.to_pylist()
        )
        return " OR ".join(f"({row})" for row in rows)

    def _of_keys(self, keys: pa.Table, condition: str = "") -> Iterator[pa.RecordBatch]:
        for batch in self._read(condition):
            if (rows := known_keys.rows_of(batch, self._keys_of(batch), keys)).num_rows:
                yield rows


def _said(window: timedelta | int | None) -> str:
    return f"{window.total_seconds():g} seconds" if isinstance(window, timedelta) else str(window or "")


def _shown(values: Sequence[Value]) -> str:
    return ", ".join(value.text for value in values)
