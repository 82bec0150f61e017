"""Personal values on their way into bronze: a keyed hash takes their place before anything is written or looked at."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from systock.errors import SettingsError
from systock.etl_pipeline.bronze_layer.durable import make_folder, storage_errors
from systock.extract.batch import FileRejected
from systock.extract.pull import DELETED_AT

if TYPE_CHECKING:
    import pyarrow as pa

    from systock.etl_pipeline.bronze_layer.landing_log import LandingLog
    from systock.extract.batch import FileReader, Secret

SETTING = "[project] personal_key"
#: A shorter key could be found by trying.
LEAST_KEY = 16
_CHECKED = "systock: which personal_key is it?"
_HIDDEN = "not kept, as the table has personal columns: "


class PersonalKey:
    """The key of all hashes of a project: the same value has the same hash in every table.

    Raises SettingsError for a key that is too short.
    """

    def __init__(self, secret: Secret) -> None:
        self._key = secret.get_secret_value().encode()
        if len(self._key) < LEAST_KEY:
            raise SettingsError(
                f"the key has {len(self._key)} bytes, at least {LEAST_KEY} are needed",
                where=SETTING,
                todo="Make one: python -c 'import secrets; print(secrets.token_hex(32))'. Keep it where backups of the project do not lie.",
            )

    def hash(self, value: str) -> str:
        """HMAC-SHA256 of a value to the letter, in hexadecimal digits (RFC 2104, FIPS 180-4)."""
        return hmac.digest(self._key, value.encode(), "sha256").hex()

    @property
    def check(self) -> str:
        """What tells this key from another one, and says nothing of it."""
        return self.hash(_CHECKED)

    def hashes(self, values: pa.Array) -> pa.Array:
        """Texts as their hashes; NULL and "" stay. Each distinct text is hashed once."""
        import pyarrow as pa

        coded = values.dictionary_encode()
        hashed = [self.hash(value) if value else value for value in coded.dictionary.to_pylist()]
        return pa.array(hashed, pa.string()).take(coded.indices)

    def hidden(self, texts: pa.Array) -> pa.Array:
        """What of texts is kept that may hold anything, such as lines that could not be split: which are the same."""
        import pyarrow.compute as pc

        return pc.binary_join_element_wise(_HIDDEN, self.hashes(texts), "")


class PersonalColumns:
    """The personal columns of one raw table.

    must_come: the columns are stated before the rows (a header, a table of a database), so one that is not among them is
    called otherwise now, and its values would be kept as they are.
    """

    def __init__(self, key: PersonalKey, names: Iterable[str], setting: str, *, must_come: bool) -> None:
        self.names = tuple(names)
        self._key, self._setting, self._must_come = key, setting, must_come
        self._folded = {name.casefold() for name in self.names}

    def holds(self, column: str) -> bool:
        """Is it one of them? A name that stood twice in a header counts for both: "email" and "email_2"."""
        name = column.casefold()
        base, _, number = name.rpartition("_")
        return name in self._folded or (number.isdecimal() and base in self._folded)

    def only(self, names: Iterable[str]) -> PersonalColumns:
        """The same with other names."""
        return PersonalColumns(self._key, names, self._setting, must_come=self._must_come)

    def hashes(self, values: pa.Array) -> pa.Array:
        """Texts as their hashes."""
        return self._key.hashes(values)

    def hidden(self, texts: pa.Array) -> pa.Array:
        """What of texts is kept that may hold anything."""
        return self._key.hidden(texts)

    def hashed(self, reader: FileReader, path: str) -> Iterator[pa.RecordBatch]:
        """The raw rows of a reader without a personal value. Raises FileRejected where a personal column does not come."""
        if reader.columns:
            self._check(reader.columns, path)
        for rows in reader:
            if self._must_come and rows.num_columns > 3 and DELETED_AT not in rows.schema.names:
                self._check(rows.schema.names, path)
            yield self._batch(rows)

    def _batch(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        import pyarrow as pa

        columns = []
        for name, values in zip(rows.schema.names, rows.columns, strict=True):
            if name == "_malformed":
                values = self.hidden(values) if values.null_count < len(values) else values
            elif self.holds(name):
                values = self.hashes(values)
            columns.append(values)
        return pa.RecordBatch.from_arrays(columns, schema=rows.schema)

    def _check(self, columns: Iterable[str], path: str) -> None:
        found = {name.casefold() for name in columns}
        lacking = [name for name in self.names if name.casefold() not in found]
        if lacking:
            raise FileRejected(
                f"the personal column {lacking[0]!r} did not come: under another name its values would be kept as they are",
                where=path,
                todo=f"Deliver it with the column, or correct {self._setting}.",
                again=True,
            )


#: The personal columns of each raw table that has some, by source and table.
Personal = Mapping[tuple[str, str], PersonalColumns]


def personal_columns(sources: Mapping[str, Any], secret: Secret | None) -> tuple[PersonalKey | None, Personal]:
    """The project's key, if any table needs one, and the personal columns of each table of the sources that has some."""
    tables = {
        (source, table): settings.personal
        for source, of in sources.items()
        for table, settings in of.tables.items()
        if settings.personal
    }
    if not tables:
        return None, {}
    if secret is None:
        raise no_key(".".join(next(iter(tables))))
    key = PersonalKey(secret)
    return key, {
        (source, table): PersonalColumns(
            key, names, f"sources.{source}.tables.{table}.personal", must_come=sources[source].type == "database"
        )
        for (source, table), names in tables.items()
    }


def no_key(table: str) -> SettingsError:
    """The error for a table with personal columns in a project without a key."""
    return SettingsError(
        f"{table} has personal columns, whose values are kept as keyed hashes, and there is no key",
        where=SETTING,
        todo='Set personal_key = "${PERSONAL_KEY}" under [project], and the secret in the environment or .systock/secrets.env.',
    )


def check_key(log: LandingLog, key: PersonalKey) -> None:
    """Raise SettingsError where the hashes in bronze were made by another key."""
    before = log.personal_check()
    if before is not None and not hmac.compare_digest(before, key.check):
        raise SettingsError(
            "it is not the key by which the personal values in bronze were hashed: the same person would have two hashes",
            where=SETTING,
            state="Nothing was read or landed.",
            todo="Put the key back. Where it is lost, or must be another: move .systock/bronze away and deliver everything again (docs/personal-data.md).",
        )


def note_key(log: LandingLog, key: PersonalKey) -> None:
    """Remember the first key, so that another one is noticed."""
    if log.personal_check() is None:
        with storage_errors(log.path):
            make_folder(log.path.parent)
        with log.transaction() as connection:
            connection.execute("INSERT INTO personal_key VALUES (1, ?)", (key.check,))


def check_plain(log: LandingLog, personal: Personal) -> None:
    """Raise SettingsError where values landed before their column was said to be personal: they lie in bronze as they came."""
    for (source, table), columns in personal.items():
        plain = plain_batches(log, source, table, columns)
        if plain:
            raise SettingsError(
                f"{len(plain)} {'batch' if len(plain) == 1 else 'batches'} (the first: {plain[0].path}) landed before, with the values as they came",
                where=f"sources.{source}.tables.{table}.personal",
                state="Nothing was read or landed.",
                todo=f"Run 'systock erase {source}.{table} --plain' once: it puts hashes in their place, everywhere.",
            )


def plain_batches(log: LandingLog, source: str, table: str, columns: PersonalColumns) -> list[Any]:
    """The batches of a table that hold values of personal columns as they came, or lines that may hold some."""
    found = []
    for batch in log.batches(source=source, table=table):
        hashed = {name.casefold() for name in batch.personal}
        missing = {name.casefold() for name in columns.names} - hashed
        may_hold = batch.malformed or any(columns.holds(name) for name in batch.columns)
        if batch.part is not None and batch.repeat_of is None and missing and may_hold:
            found.append(batch)
    return found
