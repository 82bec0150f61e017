"""The types that extractors hand to the bronze layer: versions of files, what was listed, why a file was refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, Protocol

from systock.errors import SourceError

if TYPE_CHECKING:
    import pyarrow as pa

Mode = Literal["append", "changes", "full"]
Kind = Literal["csv", "json", "jsonl", "parquet", "excel"]

#: Columns that bronze adds to every raw table; a source column of that name gets a trailing underscore.
RESERVED_COLUMNS = ("_batch_no", "_row", "_malformed", "_reason", "_file", "_extracted_at", "_known_at", "_deleted_at")


class TableSettings(Protocol):
    """What extraction needs to know of one table of a source (`[sources.<source>.tables.<table>]`)."""

    @property
    def path(self) -> str | Sequence[str]: ...
    @property
    def mode(self) -> Mode: ...
    @property
    def known_at(self) -> str | None: ...
    @property
    def format(self) -> str: ...
    @property
    def delimiter(self) -> str: ...
    @property
    def quote(self) -> str: ...
    @property
    def encoding(self) -> str: ...
    @property
    def skip_rows(self) -> int: ...
    @property
    def skip_footer(self) -> int: ...
    @property
    def header(self) -> bool: ...
    @property
    def columns(self) -> Sequence[str]: ...
    @property
    def records(self) -> str: ...
    @property
    def sheet(self) -> str: ...
    @property
    def new_columns(self) -> str: ...
    @property
    def missing_columns(self) -> str: ...
    @property
    def retyped_columns(self) -> str: ...
    @property
    def known_columns(self) -> Sequence[str]: ...
    @property
    def personal(self) -> Sequence[str]: ...


class Secret(Protocol):
    """A value that is not shown."""

    def get_secret_value(self) -> str: ...


class RemoteSettings(Protocol):
    """How a source's remote paths are reached (`[sources.<source>.remote]`)."""

    @property
    def timeout(self) -> timedelta: ...
    @property
    def endpoint_url(self) -> str: ...
    @property
    def region(self) -> str: ...
    @property
    def access_key(self) -> Secret | None: ...
    @property
    def secret_key(self) -> Secret | None: ...
    @property
    def anonymous(self) -> bool: ...
    @property
    def password(self) -> Secret | None: ...
    @property
    def private_key(self) -> str: ...
    @property
    def passphrase(self) -> Secret | None: ...
    @property
    def host_key(self) -> str: ...


class SourceSettings(Protocol):
    """What extraction needs to know of one source (`[sources.<source>]`)."""

    @property
    def type(self) -> str: ...
    @property
    def known_at(self) -> str: ...
    @property
    def remote(self) -> RemoteSettings: ...
    @property
    def tables(self) -> Mapping[str, TableSettings]: ...


@dataclass(frozen=True)
class FoundFile:
    """A file as it lies there now; path is relative to the project, with forward slashes, or the address of a remote file.

    members: of an archive, the patterns of the members that are meant. archive: of a member, the file that holds it.
    leads_to: of a link out of the project, which is not followed, where to.
    """

    path: str
    size: int
    modified_ns: int
    members: tuple[str, ...] = ()
    archive: FoundFile | None = None
    leads_to: str = ""


@dataclass(frozen=True)
class FileVersion:
    """One version of one file, read for one table of a source.

    path: relative to the project, with forward slashes, or the address of a remote file; of a member of an archive that
    of the archive goes before.
    archive: the file that holds it, if it is a member of one.
    extracted_at: the stated instant if there is one, else the file's modification time (UTC).
    known_at: the stated instant at which it became known; None = when it lands.
    """

    source: str
    table: str
    mode: Mode
    path: str
    size: int
    modified_ns: int
    extracted_at: datetime
    known_at: datetime | None
    archive: FoundFile | None = None


@dataclass(frozen=True)
class SeenFile:
    """Size and modification time a file had when the log last dealt with it.

    refused_with: the settings a refused file (or an archive, whose members are judged each) was read with: it is looked
    at again when they change; None = it landed.
    """

    size: int
    modified_ns: int
    refused_with: str | None = None


class FileRejected(SourceError):
    """One file cannot be read as a whole; the others are unharmed.

    again: try it at every run, even if its size and modification time stay (a permission leaves no trace in them).
    columns: those of the file, where they or their values are what it is refused for.
    """

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        todo: str | None = None,
        again: bool = False,
        columns: Sequence[str] = (),
    ) -> None:
        retried = "at every run" if again else "when it or its settings change"
        state = f"Nothing of this file was landed; it is tried again {retried}."
        super().__init__(what, where=where, state=state, todo=todo)
        self.again, self.columns = again, tuple(columns)


class FileChanging(SourceError):
    """The file changed or vanished while it was read: it waits for the next run."""

    transient = True


@dataclass
class Listing:
    """What the files of a source look like now.

    waiting: table and path of files that are still being written; the next run takes them.
    rejected: files refused by their name alone.
    unchanged: how many files were skipped because the log has seen them as they are.
    unmatched: table settings (dotted names) of which no file matches the patterns, and those.
    gone: table and path of refused files that are no longer there.
    future: pending files that count as taken now, as their modification time lies in the future.
    archives: archives that were opened, each as a version of its own, with the settings under which its members are
    judged: once they are dealt with, it need not be opened again.
    """

    pending: list[FileVersion] = field(default_factory=list)
    waiting: list[tuple[str, str]] = field(default_factory=list)
    rejected: list[tuple[FileVersion, FileRejected]] = field(default_factory=list)
    unchanged: int = 0
    unmatched: dict[str, tuple[str, ...]] = field(default_factory=dict)
    gone: list[tuple[str, str]] = field(default_factory=list)
    future: list[str] = field(default_factory=list)
    archives: list[tuple[FileVersion, str]] = field(default_factory=list)


class FileReader(Protocol):
    """Iterates over a file as Arrow batches: `_row`, `_malformed`, `_reason`, then the file's columns, all text.

    The content hash is known from the start, the counts and columns after exhaustion. A later batch may have more
    columns than an earlier one (JSON); an absent column is NULL.
    lines: rows handed over, malformed ones included; blank: records without any value, which are not handed over.
    small: the whole file is in memory.
    """

    lines: int
    malformed: int
    blank: int

    @property
    def columns(self) -> tuple[str, ...]: ...
    @property
    def content_hash(self) -> str: ...
    @property
    def small(self) -> bool: ...
    def __iter__(self) -> Iterator[pa.RecordBatch]: ...
