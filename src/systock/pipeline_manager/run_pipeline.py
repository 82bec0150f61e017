"""Running the pipeline: extract and land, build, publish; and finishing what a crash left."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from systock.errors import SourceError, StorageError, TargetError
from systock.pipeline_manager.definitions import Definitions
from systock.pipeline_manager.erase import finish_erasures, forget_copies
from systock.pipeline_manager.extent import Extent
from systock.pipeline_manager.freshness import odd_volumes
from systock.pipeline_manager.land_captures import land_captures
from systock.pipeline_manager.lock import project_lock
from systock.pipeline_manager.publish_target import built_generation, left_for_next_run, publish_target, target_plan
from systock.pipeline_manager.retention import clean_up
from systock.pipeline_manager.state import Published, State, Step, published_now
from systock.pipeline_manager.steps import StepClock, extract_steps, rows_of
from systock.pipeline_manager.workplace import Workplace

if TYPE_CHECKING:
    from systock.etl_pipeline.bronze_layer.landing_log import LandingLog
    from systock.pipeline_manager.build import Build, Built, Progress

#: New lines up to this number are never worth building anew for.
_SMALL = 50_000


@dataclass
class RunSummary:
    """What one run did, for people and machines.

    unusual: batches that have fewer or more lines than expected; drift: columns that are not as agreed or as before.
    rejected: files that could not be read; failed: sources, or tables of them (None: all), that were asked in vain.
    target: what was done on the server that is published to, if there is one.
    """

    run_id: int = 0
    status: str = "nothing new"
    generation: int | None = None
    sources: list[dict[str, Any]] = field(default_factory=list)
    entities: list[dict[str, Any]] = field(default_factory=list)
    tables: list[dict[str, Any]] = field(default_factory=list)
    checks: int = 0
    rejected: list[dict[str, Any]] = field(default_factory=list)
    failed: list[dict[str, Any]] = field(default_factory=list)
    unusual: list[str] = field(default_factory=list)
    drift: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    target: dict[str, Any] | None = None
    seconds: float = 0.0


def run(
    place: Workplace,
    progress: Progress,
    extent: Extent,
    *,
    full: bool = False,
    history: bool = False,
    dry_run: bool = False,
) -> RunSummary:
    """One run: everything new from the sources to the published warehouse.

    extent: what of the sources is extracted. full: build from bronze anew; history: keeping all states of knowledge. dry_run: say what would be done.
    Raises BusyError, SourceError, CheckFailed, StorageError, …: the published generation then stays in place, and the
    next run finishes the work.
    """
    with project_lock(place.state_dir, "systock run"):
        state = State(place.state_dir)
        try:
            if dry_run:
                return _plan(place, state, extent, progress)
            return _Run(place, state, progress).run(extent, full, history)
        finally:
            state.close()


class SourcesFailed(SourceError):
    """Sources were asked in vain; what the others delivered is published all the same, as the summary says."""

    def __init__(self, summary: RunSummary) -> None:
        told = [
            f"{row['source']}{', ' + row['table'] if row['table'] else ''}: {row['reason']}" for row in summary.failed
        ]
        state = "What else came in is landed and published."
        super().__init__("\n".join(told), state=state, todo="Mend what is said above; the next run goes on from there.")
        self.summary = summary
        self.transient = any(row["transient"] for row in summary.failed)


_OTHER_BRONZE = (
    ".systock/bronze is not the one that was built from (an older copy, or another): everything was built anew from it. "
    "Deliver again what landed since the copy was made."
)


class _Run:
    """One run in the run log, with its steps, however it ends."""

    def __init__(self, place: Workplace, state: State, progress: Progress) -> None:
        self._place, self._state, self._clock = place, state, StepClock(progress)
        self._started = time.perf_counter()
        self._summary = RunSummary(run_id=state.start_run())
        self._steps: list[Step] = []

    def run(self, extent: Extent, full: bool, history: bool) -> RunSummary:
        summary = self._summary
        try:
            self._run(extent, full, history)
        except BaseException as error:
            summary.status = "stopped" if isinstance(error, KeyboardInterrupt) else "failed"
            summary.warnings.append(str(error) or type(error).__name__)
            with suppress(StorageError):
                # What a server refused is published here all the same.
                self._end(summary.generation if isinstance(error, TargetError) else None)
            raise
        self._end(summary.generation)
        return summary

    def _end(self, generation: int | None) -> None:
        summary = self._summary
        status = "incomplete" if summary.failed and generation is not None else summary.status
        summary.seconds = time.perf_counter() - self._started
        steps = self._steps + self._clock.steps(rows_of(summary.entities, summary.tables, summary.checks))
        self._state.end_run(summary.run_id, status, generation, summary.seconds, asdict(summary), steps)

    def _run(self, extent: Extent, full: bool, history: bool) -> None:
        place, summary = self._place, self._summary
        self._clock.quietly("definitions")
        definitions = Definitions(place.project_dir, place.settings)
        clean_up(place.state_dir, place.warehouse, self._state, place.settings.retention, definitions.hash)
        published = self._state.published()
        if published is None or published.definitions != definitions.hash:
            definitions.check()  # a wrong mapping is found before anything is written
        log = place.log()
        self._clock.quietly("")
        before = log.last_commit()
        self._extract(log, extent, definitions)
        self._clock.quietly("prepare")
        since = before.no if before else 0
        summary.unusual = [volume.text for volume in odd_volumes(place.settings, log, since)]
        summary.generation = published.generation if published else None

        def build() -> None:
            self._build_and_publish(log, definitions, since, full, history)

        refused = None
        try:
            land_captures(place, self._state, log, definitions, self._clock, build)
        except TargetError as error:  # the file is published all the same
            refused = error
        published, last = self._state.published(), log.last_commit()
        is_up_to_date = (
            published is not None and published.definitions == definitions.hash and place.warehouse.exists()
            and published.commit_no == (last.no if last else 0) and log.holds(published.commit_no, published.known_at)
            and not log.unfinished_erasures() and self._can_be_sent(published)
        )  # fmt: skip
        if full or not is_up_to_date:
            build()
        if refused is not None:
            raise left_for_next_run(refused, place, summary.generation)
        target = publish_target(place, definitions, self._clock)
        if target is not None:
            summary.target = asdict(target)
            summary.warnings += target.warnings

    def _can_be_sent(self, published: Published) -> bool:
        """Where a server is published to: is the build file there, with the generation that is published?"""
        return self._place.settings.target.server is None or built_generation(self._place) == published.generation

    def _build_and_publish(
        self, log: LandingLog, definitions: Definitions, since: int, full: bool, history: bool
    ) -> None:
        from systock.pipeline_manager.source_drift import drifts

        place, summary = self._place, self._summary
        built = build_and_publish(place, self._state, log, definitions, self._clock, full=full, history=history)
        summary.status, summary.generation = "published", built.generation
        summary.entities, summary.tables, summary.checks = built.entities, built.table_dicts(), len(built.checks)
        summary.warnings += built.warnings
        summary.drift = drifts(definitions, log, place.bronze, place.build_file, since)

    def _extract(self, log: LandingLog, extent: Extent, definitions: Definitions) -> None:
        from systock.etl_pipeline.bronze_layer.land_batches import land
        from systock.pipeline_manager.source_drift import landing_judges

        def landed(files_done: int, files_total: int, bytes_done: int) -> None:
            if files_done == 1:
                self._clock.stage("land", files_total)
            self._clock.advance(1, f"{bytes_done / 1e6:,.0f} MB")

        place, summary, started = self._place, self._summary, time.perf_counter()
        landing = land(
            place.project_dir, extent.sources, timezone=place.settings.project.timezone, between=extent.span, progress=landed,
            ask_progress=self._clock.asked, log=log, judges=landing_judges(definitions, log), personal_key=place.settings.project.personal_key,
        )  # fmt: skip
        summary.sources = [
            {"source": source, "table": table, **asdict(counts)}
            for (source, table), counts in sorted(landing.tables.items())
        ]
        self._steps = extract_steps(summary.sources, time.perf_counter() - started)
        summary.rejected = [
            {"source": f.source, "table": f.table, "file": f.path, "reason": f.reason, "todo": f.todo}
            for f in log.rejected()
        ]
        summary.failed = [
            {"source": f.source, "table": f.table, "reason": str(f.error), "transient": f.error.transient}
            for f in landing.failures
        ]
        summary.warnings += [
            f"{setting}: no file matches {' or '.join(map(repr, patterns))}"
            for setting, patterns in landing.unmatched.items()
        ]
        summary.warnings += [f"{path}: still being written, left for the next run" for path in landing.waiting]
        summary.warnings += [f"{path}: modified in the future by its clock, taken as of now" for path in landing.future]


def build_and_publish(
    place: Workplace,
    state: State,
    log: LandingLog,
    definitions: Definitions,
    progress: Progress,
    *,
    full: bool = False,
    history: bool = False,
) -> Built:
    """Bring the build file up to the landing log and publish it as the next generation.

    Where values were taken out of bronze since, nothing that was made from it before is used, or left.
    """
    from systock.load.publish_file import publish_file

    published, erasures = state.published(), log.unfinished_erasures()
    if erasures:
        forget_copies(place)
    if full or erasures:
        remove_file(place.build_file)
    built, warnings = None, list[str]()
    if place.build_file.exists():
        with open_build(place, place.build_file, log, definitions, progress) as build:
            generation, commit_no, known_at = build.state() if build.is_current_definition() else (0, 0, None)
            if generation and not log.holds(commit_no, known_at):
                warnings.append(_OTHER_BRONZE)
            elif generation and not _mostly_new(log, commit_no):
                built = _bring_up(build, max(generation, published.generation if published else 0) + 1)
                if built is None:  # a crash came between the build and its publication
                    from systock.pipeline_manager.build import Built

                    built = Built(generation, commit_no, known_at)
    if built is None:
        built = _rebuild(place, state, log, definitions, progress, sys.maxsize if history else None)
        built.warnings += warnings
    progress.stage("publish", None)
    publish_file(place.build_file, place.warehouse)
    definitions.book.save()
    state.record_published(published_now(built.generation, built.commit_no, built.known_at, definitions.hash))
    if erasures:
        finish_erasures(log, state)
    return built


def _bring_up(build: Build, generation: int) -> Built | None:
    """Bring the build file up as one transaction; what needs more memory than its rows let expect, again with all there is."""
    from systock.data_warehouse.engine.base import OutOfMemory

    try:
        with build.engine.transaction():
            return build.bring_up(generation)
    except OutOfMemory:
        if not build.engine.take_all_memory():
            raise
    with build.engine.transaction():
        return build.bring_up(generation)


def _rebuild(
    place: Workplace,
    state: State,
    log: LandingLog,
    definitions: Definitions,
    progress: Progress,
    history_steps: int | None,
) -> Built:
    """Build a new file from the first landing commit on, and put it in place of the build file."""
    aside = place.state_dir / "rebuild.duckdb"
    try:
        built = build_anew(place, aside, log, definitions, progress, state, history_steps=history_steps)
        remove_file(place.build_file)
        os.replace(aside, place.build_file)
    finally:
        remove_file(aside)  # what failed takes room, and nobody reads it
    return built


def build_anew(
    place: Workplace,
    path: Path,
    log: LandingLog,
    definitions: Definitions,
    progress: Progress,
    state: State,
    up_to: int | None = None,
    history_steps: int | None = None,
) -> Built:
    """Make a build file at `path` from bronze alone (landing commits up to number `up_to`); history_steps: see Build.bring_up."""
    remove_file(path)
    published = state.generations()
    with open_build(place, path, log, definitions, progress) as build:
        # No transaction: the file is nobody's until it is whole, and the engine plans better over committed tables.
        build.create([(p.generation, p.commit_no, p.known_at, p.published_at) for p in published])
        built = build.bring_up((published[-1].generation if published else 0) + 1, up_to, history_steps)
    assert built is not None  # a new file always takes in something: its own making
    return built


def _mostly_new(log: LandingLog, commit_no: int) -> bool:
    """Do the lines not yet built outnumber those that are? Then building anew costs less than changing what is there."""
    new, old = (
        sum(batch.lines for batch in batches if batch.repeat_of is None)
        for batches in (log.batches(after_commit=commit_no), log.batches(up_to_commit=commit_no))
    )
    return new > _SMALL and new > old


@contextmanager
def open_build(
    place: Workplace, path: Path, log: LandingLog, definitions: Definitions, progress: Progress
) -> Iterator[Build]:
    """A build file, checkpointed and closed at the end."""
    from systock.pipeline_manager.build import Build

    engine = place.connect(path)
    try:
        yield Build(engine, definitions, log, place.bronze, progress)
        engine.checkpoint()
    finally:
        engine.close()


def remove_file(path: Path) -> None:
    """Remove a DuckDB file and its write-ahead log."""
    path.unlink(missing_ok=True)
    path.with_name(path.name + ".wal").unlink(missing_ok=True)


def _plan(place: Workplace, state: State, extent: Extent, progress: Progress) -> RunSummary:
    """What a run would do: the files it would land, the commits it would take in, how each table would be refreshed."""
    from datetime import UTC, datetime
    from tempfile import TemporaryDirectory

    from systock.etl_pipeline.bronze_layer.land_batches import stated_between
    from systock.extract.extract_files import list_files
    from systock.extract.source_files import SourceFiles

    definitions = Definitions(place.project_dir, place.settings)
    definitions.check()
    log, published = place.log(), state.published()
    summary = RunSummary(status="dry run", generation=published.generation if published else None)
    for source, settings in extent.sources.items():
        if settings.type != "files":
            cursors = log.cursors(source)
            summary.sources += [
                {"source": source, "table": table, "files": 0, "waiting": 0, "would_ask": "for what is new" if table in cursors else "for everything"}
                for table in settings.tables
            ]  # fmt: skip
            continue
        with (
            TemporaryDirectory() as spool,
            closing(SourceFiles(source, settings, place.project_dir, Path(spool))) as found,
        ):
            listing = list_files(
                found, log.seen_files(source), datetime.now(UTC), timezone=place.settings.project.timezone
            )  # fmt: skip
        pending = stated_between(listing.pending, extent.span) if extent.span else listing.pending
        for table in settings.tables:
            files = [version.path for version in pending if version.table == table]
            waiting = sum(name == table for name, _ in listing.waiting)
            summary.sources.append({"source": source, "table": table, "files": len(files), "waiting": waiting})
    rebuilds = published is None or published.definitions != definitions.hash
    if published is not None and rebuilds:
        summary.warnings.append("the definitions changed: everything would be built anew from bronze")
    waiting_commits = list(log.commits(after=published.commit_no if published else 0))
    if waiting_commits:
        summary.warnings.append(f"{len(waiting_commits)} landed commits are not in the warehouse yet")
    if place.settings.target.server is not None:
        summary.target = {"would": target_plan(place, definitions)}
    progress.stage("plan", None)
    for table_file in definitions.tables:
        if table_file.is_stored and table_file.refresh != "full":
            whole = definitions.plan(table_file).whole
            summary.tables.append({"table": table_file.qualified, "refresh": f"whole: {whole}" if whole else "by key"})
        elif table_file.refresh == "full":
            summary.tables.append({"table": table_file.qualified, "refresh": "whole, when what it reads changed"})
    return summary
