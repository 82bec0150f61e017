"""Asking systems for what is new: sources side by side, each extraction read aside until it is known whole."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from systock.errors import SourceError, SystockError
from systock.etl_pipeline.bronze_layer.judged_rows import Judges, all_taken
from systock.etl_pipeline.bronze_layer.stage_commit import Aside, Extraction, Stage
from systock.extract.pull import Asked, Extractor, Pull, extractor
from systock.extract.read_pull import PullReader
from systock.extract.redact import SHOWN, redact, secrets_of

if TYPE_CHECKING:
    import pyarrow as pa

    from systock.etl_pipeline.bronze_layer.landing_log import LandingLog

#: So many sources are asked at the same time; each holds at most one row group of a part in memory.
SIDE_BY_SIDE = 3
#: What extractors keep while they fetch lies here, in a folder for each source.
SPOOL_FOLDER = ".systock/asked"


class AskProgress(Protocol):
    """Told of each source that is asked: the table at work, the rows fetched so far, and when it is done."""

    def __call__(self, source: str, table: str, rows: int, done: bool) -> None: ...


@dataclass(frozen=True)
class Failure:
    """What of a source could not be read; table None: all that it had not delivered yet."""

    source: str
    table: str | None
    error: SourceError


@dataclass(frozen=True)
class Read:
    """An extraction that was read to its end. cursor: where the next one goes on, if that is known now."""

    extraction: Extraction
    aside: Aside
    cursor: str | None
    seconds: float


@dataclass
class _Answer:
    """What one source delivered, and what it did not."""

    read: list[Read] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


class _Stopped(Exception):
    """The landing was given up: no source is waited for."""


class Pulls:
    """Asks sources in threads of its own while the caller does something else."""

    def __init__(self, stage: Stage, project_dir: Path, progress: AskProgress, judges: Judges = all_taken) -> None:
        self.judges = judges
        self._stage, self._project_dir, self._progress = stage, project_dir, progress
        self._stop = threading.Event()

    @contextmanager
    def asking(
        self, sources: Mapping[str, Any], log: LandingLog, now: datetime, span: tuple[datetime, datetime] | None
    ) -> Iterator[Iterator[_Answer]]:
        """Begin to ask; yields what the sources answered, in their order, each waited for. None outlives the block."""
        with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="source") as threads:
            answers: list[Future[_Answer]] = []
            try:
                for name, settings in sources.items():
                    asked = Asked(
                        self._project_dir, log.cursors(name), now, self._project_dir / SPOOL_FOLDER / name, span
                    )
                    answers.append(threads.submit(self._ask, name, settings, asked))
                yield (answer.result() for answer in answers)
            except BaseException:
                self._stop.set()
                threads.shutdown(wait=False, cancel_futures=True)
                raise

    def _ask(self, source: str, settings: Any, asked: Asked) -> _Answer:
        return _Source(self, source, settings).ask(asked)

    def told(self, source: str, table: str, rows: int, done: bool = False) -> None:
        """Pass on how far a source is; ends its thread where the landing was given up."""
        if self._stop.is_set():
            raise _Stopped
        self._progress(source, table, rows, done)

    def rows(self, pull: Pull, reader: PullReader) -> Iterable[pa.RecordBatch]:
        """The rows of an extraction as they go to bronze."""
        return self._stage.rows(pull.source, pull.table, reader, pull.path, self.judges(pull.source, pull.table))

    def read_aside(self, rows: Iterator[pa.RecordBatch]) -> Aside:
        return self._stage.read_aside(rows)


class _Source:
    """One source, asked in a thread."""

    def __init__(self, pulls: Pulls, name: str, settings: Any) -> None:
        self._pulls, self._name, self._settings = pulls, name, settings
        self._answer = _Answer()
        self._rows = 0

    def ask(self, asked: Asked) -> _Answer:
        failed: set[str] = set()
        asked = replace(asked, tell=self._tell)
        try:
            pulls: Extractor = extractor(self._settings.type)
            for pull in pulls(self._name, self._settings, asked):
                # What follows a gap would let the cursor jump over it.
                if pull.table not in failed and not self._read(pull, asked):
                    failed.add(pull.table)
        except Exception as error:
            self._fail(None, _as_source_error(error))
        self._pulls.told(self._name, "", self._rows, done=True)
        return self._answer

    def _tell(self, table: str, rows: int) -> None:
        self._pulls.told(self._name, table, self._rows + rows)

    def _read(self, pull: Pull, asked: Asked) -> bool:
        began = time.perf_counter()
        reader = PullReader(pull)
        try:
            aside = self._pulls.read_aside(self._watched(pull, reader))
            try:
                self._check_key(pull, reader)
                cursor = pull.cursor()
            except BaseException:
                aside.part.discard()
                raise
        except Exception as error:
            self._fail(pull.table, _as_source_error(error))
            return False
        self._rows += reader.lines
        extraction = Extraction(
            source=pull.source,
            table=pull.table,
            mode=pull.mode,
            path=pull.path,
            position=pull.position,
            extracted_at=pull.extracted_at,
            reader=reader,
            asked=True,
            is_whole=pull.complete,
        )
        if cursor == asked.cursors.get(pull.table):
            cursor = None
        self._answer.read.append(Read(extraction, aside, cursor, time.perf_counter() - began))
        return True

    def _check_key(self, pull: Pull, reader: PullReader) -> None:
        """Records of which none has the key are something else, such as what an API says when it is down."""
        key = self._settings.tables[pull.table].key
        found = {name.casefold() for name in reader.columns}
        lacking = [name for name in key if name.casefold() not in found]
        if found and lacking:
            raise SourceError(
                f"no record has {lacking[0]!r}, which is in the key; there are: {', '.join(reader.columns)}",
                where=pull.path,
                todo="Correct key, or where the records are looked for, in the settings of the table.",
            )

    def _watched(self, pull: Pull, reader: PullReader) -> Iterator[pa.RecordBatch]:
        for batch in self._pulls.rows(pull, reader):
            yield batch
            self._tell(pull.table, reader.lines)

    def _fail(self, table: str | None, error: SourceError) -> None:
        redact(error, secrets_of(self._settings), SHOWN)
        self._answer.failures.append(Failure(self._name, table, error))


def _as_source_error(error: Exception) -> SourceError:
    """What a source's answer brought about, so that it harms no other source; what is none of it (a full disk) is raised again."""
    if isinstance(error, SourceError):
        return error
    if isinstance(error, SystockError | MemoryError | _Stopped):
        raise error
    return SourceError(
        f"an answer that SyStock cannot read: {type(error).__name__}: {error}",
        todo="Look at what the source says there. Whatever it is, this message should be a better one: please report it.",
    )
