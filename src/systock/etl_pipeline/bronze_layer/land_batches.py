"""Landing: new file versions (or rows from elsewhere) become batches of bronze, each commit whole or not at all."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from systock.errors import SourceError
from systock.etl_pipeline.bronze_layer.durable import storage_errors
from systock.etl_pipeline.bronze_layer.judged_rows import Judges, Look, all_taken
from systock.etl_pipeline.bronze_layer.land_pulls import AskProgress, Failure, Pulls, Read
from systock.etl_pipeline.bronze_layer.landing_log import Batch, LandingLog
from systock.etl_pipeline.bronze_layer.personal_values import check_key, check_plain, note_key, personal_columns
from systock.etl_pipeline.bronze_layer.stage_commit import Extraction, Stage
from systock.extract.batch import (
    FileChanging,
    FileReader,
    FileRejected,
    FileVersion,
    Listing,
    Mode,
    Secret,
    SourceSettings,
    TableSettings,
)
from systock.extract.extract_files import known_at_setting, list_files, read_file, settings_text
from systock.extract.redact import redact, secrets_of
from systock.extract.source_files import SourceFiles
from systock.extract.text_stream import confirm

if TYPE_CHECKING:
    import pyarrow as pa

BRONZE_FOLDER = ".systock/bronze"
LOG_FILE = "landing.sqlite"


class Progress(Protocol):
    """Told after each file: how many of how many are done, and the bytes read so far."""

    def __call__(self, files_done: int, files_total: int, bytes_done: int) -> None: ...


@dataclass
class TableLanding:
    """What landing did for one table; counts of files and of lines.

    files: landed with new content; repeats: landed as repeats of content that bronze has; unchanged: not even opened.
    asked: extractions that a system was asked for; of those, repeats are the ones that said nothing new: they do not land.
    seconds: what reading and storing its files took.
    """

    files: int = 0
    lines: int = 0
    malformed: int = 0
    blank: int = 0
    repeats: int = 0
    rejected: int = 0
    waiting: int = 0
    asked: int = 0
    seconds: float = field(default=0.0, compare=False)


@dataclass
class LandingSummary:
    """What landing did: per (source, table), the commits it made, settings whose patterns match no file, what failed."""

    tables: dict[tuple[str, str], TableLanding] = field(default_factory=dict)
    commits: list[int] = field(default_factory=list)
    unchanged: int = 0
    unmatched: dict[str, tuple[str, ...]] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)
    future: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    def of(self, source: str, table: str) -> TableLanding:
        """The counts of one table."""
        return self.tables.setdefault((source, table), TableLanding())


def open_log(project_dir: Path) -> LandingLog:
    """The landing log of a project."""
    return LandingLog(project_dir / BRONZE_FOLDER / LOG_FILE)


def land(
    project_dir: Path,
    sources: Mapping[str, SourceSettings],
    *,
    timezone: str = "UTC",
    between: tuple[datetime, datetime] | None = None,
    now: datetime | None = None,
    progress: Progress | None = None,
    ask_progress: AskProgress | None = None,
    log: LandingLog | None = None,
    judges: Judges = all_taken,
    personal_key: Secret | None = None,
) -> LandingSummary:
    """Land all new file versions of the sources, and what systems that are asked say; the caller holds the project's lock.

    between: only versions whose stated time (else modification time) lies in this span, ends included.
    Versions that state a known_at later than everything landed get one commit per stated instant, ascending; all others
    share one commit with the clock (`now`, but always later than the last commit). A crash leaves whole commits.
    judges: gives a look at the rows of each extraction, which may refuse it.
    personal_key: the key by which the values of personal columns are hashed; raises SettingsError where it is not that of
    the hashes in bronze, or where such values lie there as they came.
    A source that cannot be reached harms no other: it is among the summary's failures.
    """
    with ExitStack() as stack:
        if log is None:
            log = open_log(project_dir)
            stack.callback(log.close)
        return _Landing(project_dir, sources, log, now, judges, personal_key).run(
            timezone, between, progress or _no_progress, ask_progress or _no_ask_progress
        )


class _Landing:
    def __init__(
        self,
        project_dir: Path,
        sources: Mapping[str, SourceSettings],
        log: LandingLog,
        now: datetime | None,
        judges: Judges,
        personal_key: Secret | None,
    ) -> None:
        self._judges = judges
        self._project_dir, self._sources, self._log, self._now = project_dir, sources, log, now
        self._summary = LandingSummary()
        self._files: dict[str, SourceFiles] = {}
        self._done = self._bytes = 0
        # Archives of which a member waits for a later run.
        self._left: set[tuple[str, str, str]] = set()
        key, personal = personal_columns(sources, personal_key)
        if key is not None:
            check_key(log, key)
            check_plain(log, personal)
            note_key(log, key)
        self._stage = Stage(log, self._clock, personal=personal)

    def _clock(self) -> datetime:
        return self._now or datetime.now(UTC)

    def run(
        self, timezone: str, between: tuple[datetime, datetime] | None, progress: Progress, ask_progress: AskProgress
    ) -> LandingSummary:
        self._stage.recover()
        with ExitStack() as opened:
            for name, source in self._sources.items():
                if source.type == "files":
                    self._files[name] = SourceFiles(name, source, self._project_dir, self._stage.aside)
                    opened.callback(self._files[name].close)
            return self._run(timezone, between, progress, ask_progress)

    def _run(
        self, timezone: str, between: tuple[datetime, datetime] | None, progress: Progress, ask_progress: AskProgress
    ) -> LandingSummary:
        listing = self._list(timezone)
        if between:
            every, listing.pending = listing.pending, stated_between(listing.pending, between)
            self._left.update(_archive_of(version) for version in set(every).difference(listing.pending))
        for version, error in listing.rejected:
            self._reject(version, error)
        last = self._log.last_commit()
        dated: dict[datetime, list[FileVersion]] = {}
        undated: list[FileVersion] = []
        for version in listing.pending:
            if version.known_at is None or (last is not None and version.known_at <= last.known_at):
                undated.append(version)
            else:
                dated.setdefault(version.known_at, []).append(version)
        groups: list[tuple[datetime | None, list[FileVersion]]] = [
            (instant, dated[instant]) for instant in sorted(dated)
        ]
        asked = {name: source for name, source in self._sources.items() if source.type != "files"}
        pulls = Pulls(self._stage, self._project_dir, ask_progress, self._judges)
        with self._stage.cleaned_up(), pulls.asking(asked, self._log, self._clock(), between) as answers:
            for instant, versions in [*groups, (None, undated)]:
                self._take_files(versions, progress, len(listing.pending))
                if instant:
                    self._stage.close_commit(instant)
            for answer in answers:
                self._summary.failures += answer.failures
                for read in answer.read:
                    self._take_pulled(read)
            self._stage.close_commit(None)
            for archive, settings in listing.archives:
                if (archive.source, archive.table, archive.path) not in self._left:
                    self._stage.opened(archive, settings)
            self._stage.write()
        self._summary.commits = self._stage.written
        return self._summary

    def _take_files(self, versions: list[FileVersion], progress: Progress, total: int) -> None:
        for version in sorted(versions, key=lambda v: (v.source, v.table, v.extracted_at, v.path)):
            began = time.perf_counter()
            self._take(version)
            self._summary.of(version.source, version.table).seconds += time.perf_counter() - began
            self._done += 1
            self._bytes += version.size
            progress(self._done, total, self._bytes)

    def _take_pulled(self, read: Read) -> None:
        extraction = read.extraction
        counts = self._summary.of(extraction.source, extraction.table)
        counts.seconds += read.seconds
        counts.asked += 1
        if batch := self._stage.take(extraction, read.aside):
            counts.lines += batch.lines
            counts.malformed += batch.malformed
        elif extraction.reader.lines:
            counts.repeats += 1
        if read.cursor is not None:
            self._stage.moved(extraction.source, extraction.table, read.cursor)

    def _list(self, timezone: str) -> Listing:
        whole = Listing()
        for name, files in self._files.items():
            try:
                listing = list_files(files, self._log.seen_files(name), self._clock(), timezone=timezone)
            except SourceError as error:
                self._fail(name, error)
                continue
            whole.pending += listing.pending
            whole.rejected += listing.rejected
            whole.archives += listing.archives
            self._summary.unchanged += listing.unchanged
            self._summary.unmatched |= listing.unmatched
            self._summary.future += dict.fromkeys(listing.future)
            for table, path in listing.gone:
                self._stage.forget(name, table, path)
            for table, path in listing.waiting:
                self._wait(name, table, path)
        return whole

    def _take(self, version: FileVersion) -> None:
        settings = self._sources[version.source].tables[version.table]
        if any(failure.source == version.source for failure in self._summary.failures):
            self._left.add(_archive_of(version))
            return  # its store does not answer: the next run goes on
        try:
            with storage_errors(self._stage.aside), self._files[version.source].local(version) as file:
                try:
                    readers = read_file(version, settings, file)
                    batches = [
                        self._stage.add(
                            _file_extraction(version, path, reader, self._judges(version.source, version.table))
                        )
                        for path, reader in readers
                    ]
                except FileRejected:
                    # A file that changes while it is read may look broken, and is not.
                    confirm(version, file)
                    raise
        except FileChanging:
            self._left.add(_archive_of(version))
            self._wait(version.source, version.table, version.path)
        except FileRejected as error:
            self._reject(version, error)
        except SourceError as error:
            self._left.add(_archive_of(version))
            self._fail(version.source, error)
        else:
            self._stage.saw(version)
            self._count(version, [batch for batch in batches if batch is not None and batch.repeat_of is None])

    def _count(self, version: FileVersion, batches: Sequence[Batch]) -> None:
        counts = self._summary.of(version.source, version.table)
        if not batches:
            counts.repeats += 1
            return
        counts.files += 1
        for batch in batches:
            counts.lines += batch.lines
            counts.malformed += batch.malformed
            counts.blank += batch.blank

    def _wait(self, source: str, table: str, path: str) -> None:
        self._summary.of(source, table).waiting += 1
        self._summary.waiting.append(path)

    def _fail(self, source: str, error: SourceError) -> None:
        redact(error, secrets_of(self._sources[source]))
        self._summary.failures.append(Failure(source, None, error))

    def _reject(self, version: FileVersion, error: FileRejected) -> None:
        source = self._sources[version.source]
        settings: TableSettings = source.tables[version.table]
        self._summary.of(version.source, version.table).rejected += 1
        self._stage.refused(version, error, settings_text(settings, known_at_setting(source, version.table)))


def stated_between(versions: Sequence[FileVersion], between: tuple[datetime, datetime]) -> list[FileVersion]:
    """The versions whose stated time (else modification time) lies in a span, ends included."""
    return [version for version in versions if between[0] <= version.extracted_at <= between[1]]


def _no_progress(files_done: int, files_total: int, bytes_done: int) -> None:
    pass


def _no_ask_progress(source: str, table: str, rows: int, done: bool) -> None:
    pass


def _archive_of(version: FileVersion) -> tuple[str, str, str]:
    return version.source, version.table, version.archive.path if version.archive else ""


def _file_extraction(version: FileVersion, path: str, reader: FileReader, look: Look | None) -> Extraction:
    instant = version.extracted_at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return Extraction(
        source=version.source,
        table=version.table,
        mode=version.mode,
        path=path,
        position=f"{path}@{instant}",
        extracted_at=version.extracted_at,
        reader=reader,
        look=look,
    )


@dataclass(frozen=True)
class Rows:
    """Rows from elsewhere than a file, to be landed as one batch: a snapshot, a page of an API, a result of a query.

    position: what the source calls this extraction; the same rows at the same position land once.
    cursor: where the next extraction goes on, kept in the same transaction as the batch.
    """

    source: str
    table: str
    mode: Mode
    position: str
    extracted_at: datetime
    rows: pa.Table
    cursor: str | None = None


def store_rows(
    log: LandingLog, deliveries: Sequence[Rows], *, known_at: datetime | None = None, now: datetime | None = None
) -> list[Batch]:
    """Land rows as batches of one commit; returns the batch of each delivery, an earlier one's for a retry.

    known_at: the instant they became known, or right after the last commit where that is later; None = the clock.
    Values are stored as text, in the canonical form that Parquet files are read in; an Arrow string is kept as it is.
    """
    [batches] = store_commits(log, [deliveries], known_at=known_at, now=now)
    return batches


def store_commits(
    log: LandingLog,
    commits: Iterable[Sequence[Rows]],
    *,
    known_at: datetime | None = None,
    now: datetime | None = None,
) -> list[list[Batch]]:
    """Land rows as one commit after the other, as store_rows does each; they are made and written some at a time.

    Whatever stops this, a commit is landed whole or not at all, and none without those before it. Commits that are written
    together share the parts of their tables.
    """
    from systock.extract.read_arrow import TableReader

    stage = Stage(log, lambda: now or datetime.now(UTC), shares_parts=True)
    stage.recover()
    batch_ids: list[list[str]] = []
    with stage.cleaned_up():
        for deliveries in commits:
            batch_ids.append([])
            for delivery in deliveries:
                extraction = Extraction(
                    source=delivery.source,
                    table=delivery.table,
                    mode=delivery.mode,
                    path=delivery.position,
                    position=delivery.position,
                    extracted_at=delivery.extracted_at,
                    reader=TableReader(delivery.rows),
                )
                stage.add(extraction)
                batch_ids[-1].append(extraction.batch_id)
                if delivery.cursor is not None:
                    stage.moved(delivery.source, delivery.table, delivery.cursor)
            stage.close_commit(known_at)
        stage.write()
    return [[batch for batch in map(log.batch_of_id, ids) if batch is not None] for ids in batch_ids]
