"""Files as a source: lists the versions that are new, and opens the reader for a version's format."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Literal, cast, get_args

from systock.errors import SettingsError
from systock.extract.batch import (
    FileChanging,
    FileReader,
    FileRejected,
    FileVersion,
    FoundFile,
    Kind,
    Listing,
    SeenFile,
    SourceSettings,
    TableSettings,
)
from systock.extract.known_at import from_nanoseconds, stated_instant
from systock.extract.source_files import SourceFiles

#: A file modified less than this long ago may still be being written.
SETTLE_SECONDS = 1.0

_KINDS: dict[str, Kind] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".xlsx": "excel",
    ".xlsm": "excel",
    ".xlsb": "excel",
    ".xls": "excel",
    ".ods": "excel",
}


def settings_text(settings: TableSettings, known_at: str) -> str:
    """How a file is read, and what it may bring, as text: a refused file is tried again when this changes."""
    read = ("format", "delimiter", "quote", "encoding", "skip_rows", "skip_footer", "header", "records", "sheet")
    values = {name: getattr(settings, name) for name in (*read, "new_columns", "missing_columns", "retyped_columns")}
    lists = {name: [*getattr(settings, name)] for name in ("columns", "known_columns")}
    return json.dumps({**values, **lists, "known_at": known_at}, sort_keys=True)


def known_at_setting(source: SourceSettings, table: str) -> str:
    """How batches of a table become known: its own setting, else the source's."""
    return source.tables[table].known_at or source.known_at


def list_files(
    files: SourceFiles,
    seen: Mapping[tuple[str, str], SeenFile],
    now: datetime,
    *,
    timezone: str = "UTC",
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> Listing:
    """The file versions of a source that the log has not dealt with.

    seen: by (table, path), what the log knows of the source's files. A file whose size and modification time are those
    is skipped unopened. One modified within SETTLE_SECONDS is looked at again after the rest of that time (slept once
    for the whole source); if it changed meanwhile it waits for the next run.
    A known_at that lies after `now` is not believed: the version takes the clock when it lands (known_at None).
    Nor is a modification time after now: no extraction is later than its landing, so it counts as taken just now, with
    several such files in the order of their modification times.
    """
    listing = Listing()
    source_name, source_settings = files.name, files.settings
    fresh: list[tuple[str, FoundFile]] = []
    there: dict[str, set[str]] = {}
    for table, settings in source_settings.tables.items():
        setting = f"sources.{source_name}.tables.{table}.path"
        found = files.find(table)
        if not found:
            listing.unmatched[setting] = tuple(settings.path)
        there[table] = {file.path for file in found}
        text = settings_text(settings, known_at_setting(source_settings, table))
        for file in found:
            if not _is_unchanged(seen.get((table, file.path)), file, text):
                fresh.append((table, file))
            elif file.members:
                inside = {path for name, path in seen if name == table and path.startswith(f"{file.path}/")}
                there[table] |= inside
                listing.unchanged += len(inside)
            else:
                listing.unchanged += 1
    settled: list[tuple[str, FoundFile]] = []
    for table, file in _settled(fresh, files, listing, clock, sleep):
        if not file.members:
            settled.append((table, file))
            continue
        text = settings_text(source_settings.tables[table], known_at_setting(source_settings, table))
        members = _opened(listing, files, table, file, timezone)
        there[table].update(member.path for member in members)
        for member in members:
            if _is_unchanged(seen.get((table, member.path)), member, text):
                listing.unchanged += 1
            else:
                settled.append((table, member))
    listing.gone += [
        (table, path)
        for (table, path), before in seen.items()
        if before.refused_with is not None and path not in there.get(table, {path})
    ]
    latest = max(int(now.timestamp() * 1_000_000) * 1000, int(clock() * 1_000_000) * 1000)
    future = sorted({file.modified_ns for _, file in settled if file.modified_ns > latest}, reverse=True)
    taken = {modified_ns: latest - 1000 * place for place, modified_ns in enumerate(future)}
    for table, file in settled:
        _add(listing, source_name, source_settings, table, file, taken.get(file.modified_ns), now, timezone)
    return listing


def _is_unchanged(before: SeenFile | None, file: FoundFile, text: str) -> bool:
    """Did the log deal with the file as it is? One that was refused, and an archive, also by these settings."""
    if before is None or (before.size, before.modified_ns) != (file.size, file.modified_ns):
        return False
    return before.refused_with in (None, text, _archive_text(text, file))


def _archive_text(text: str, archive: FoundFile) -> str:
    return json.dumps([text, *archive.members])


def _opened(listing: Listing, files: SourceFiles, table: str, archive: FoundFile, timezone: str) -> list[FoundFile]:
    """The members of an archive that are meant; an archive that is refused has none."""
    source = files.settings
    version = FileVersion(
        files.name, table, source.tables[table].mode, archive.path, archive.size, archive.modified_ns,
        from_nanoseconds(archive.modified_ns), None,
    )  # fmt: skip
    try:
        found = files.members(archive, timezone)
    except FileRejected as error:
        listing.rejected.append((version, error))
        return []
    except FileChanging:
        listing.waiting.append((table, archive.path))
        return []
    text = settings_text(source.tables[table], known_at_setting(source, table))
    listing.archives.append((version, _archive_text(text, archive)))
    return found


def _settled(
    fresh: list[tuple[str, FoundFile]],
    files: SourceFiles,
    listing: Listing,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> list[tuple[str, FoundFile]]:
    if not fresh:
        return fresh
    moment = clock()
    waits = [SETTLE_SECONDS - (moment - file.modified_ns / 1e9) for _, file in fresh]
    longest = max(waits)
    if longest <= 0:
        return fresh
    # A modification time in the future says nothing about how long ago it was: wait the whole time.
    sleep(min(longest, SETTLE_SECONDS))
    settled = []
    for wait, (table, file) in zip(waits, fresh, strict=True):
        if wait > 0 and not file.leads_to and not files.is_still(file):
            listing.waiting.append((table, file.path))
            continue
        settled.append((table, file))
    return settled


def _add(
    listing: Listing,
    source_name: str,
    source: SourceSettings,
    table: str,
    file: FoundFile,
    taken_ns: int | None,
    now: datetime,
    timezone: str,
) -> None:
    """Add one file; taken_ns: when it counts as taken, if its modification time lies in the future."""
    mode = source.tables[table].mode
    own = source.tables[table].known_at is not None
    setting = f"sources.{source_name}.tables.{table}.known_at" if own else f"sources.{source_name}.known_at"
    known_at = known_at_setting(source, table)

    def version(extracted_at: datetime, known_at: datetime | None) -> FileVersion:
        return FileVersion(
            source_name, table, mode, file.path, file.size, file.modified_ns, extracted_at, known_at, file.archive
        )

    modified_at = now
    try:
        modified_at = _modified_at(file)
        if taken_ns is not None:
            modified_at = from_nanoseconds(taken_ns)
        if not _is_text(file.path):
            raise FileRejected("the file's name is not valid text", where=file.path, todo="Rename the file.")
        if file.leads_to:
            raise FileRejected(
                f"it is a link that leaves the project folder (to {file.leads_to!r}): only files inside it are read",
                where=file.path, todo=f"Copy what it leads to into the project, or narrow sources.{source_name}.tables.{table}.path.",
            )  # fmt: skip
        stated = stated_instant(known_at, file.path, file.modified_ns, timezone, setting)
    except FileRejected as error:
        listing.rejected.append((version(modified_at, None), error))
        return
    if stated is None or (taken_ns is not None and known_at == "mtime"):
        if taken_ns is not None:
            listing.future.append(file.path)
        listing.pending.append(version(modified_at, None))
    else:
        listing.pending.append(version(stated, stated if stated <= now else None))


def _modified_at(file: FoundFile) -> datetime:
    try:
        return from_nanoseconds(file.modified_ns)
    except (ValueError, OverflowError, OSError):
        raise FileRejected("the modification time is no date", where=file.path, todo="Touch the file.") from None


def _is_text(path: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in path)


def read_file(version: FileVersion, table_settings: TableSettings, file: Path) -> list[tuple[str, FileReader]]:
    """Open a version that lies in this file: its readers, each with the path that its batch goes by.

    There is one, but for several sheets of a workbook. Raises FileRejected if it cannot be read as a whole,
    FileChanging if it is another version now.
    """
    kind = _kind(version, table_settings)
    if kind == "excel":
        from systock.extract.read_workbook import read_sheets

        return [*read_sheets(version, table_settings, file)]
    return [(version.path, _reader(version, table_settings, file, kind))]


def _reader(
    version: FileVersion, settings: TableSettings, file: Path, kind: Literal["csv", "json", "jsonl", "parquet"]
) -> FileReader:
    if kind == "parquet":
        from systock.extract.read_arrow import ParquetReader

        return ParquetReader(version, file)
    if kind == "csv":
        from systock.extract.read_csv import CsvReader

        return CsvReader(version, settings, file)
    from systock.extract.read_json import JsonReader

    return JsonReader(version, settings, file, kind, auto=settings.format == "auto")


def _kind(version: FileVersion, settings: TableSettings) -> Kind:
    name = version.path.rsplit("/", 1)[-1].lower()
    if settings.format != "auto":
        for kind in get_args(Kind):
            if settings.format == kind:
                return cast(Kind, kind)
        setting = f"sources.{version.source}.tables.{version.table}.format"
        valid = ", ".join(("auto", *get_args(Kind)))
        raise SettingsError(f"{settings.format!r} is not one of: {valid}", where=setting)
    for suffix in (".gz", ".zst"):
        name = name.removesuffix(suffix)
    return _KINDS.get(os.path.splitext(name)[1], "csv")
