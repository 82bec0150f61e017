"""Erasing values: out of bronze first, then out of everything that was made from it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from systock.data_warehouse.snapshots import SNAPSHOT_SOURCE
from systock.errors import TargetError, UsageError
from systock.etl_pipeline.bronze_layer.durable import storage_errors
from systock.etl_pipeline.bronze_layer.land_pulls import SPOOL_FOLDER
from systock.etl_pipeline.bronze_layer.landing_log import Erasure, LandingLog
from systock.etl_pipeline.bronze_layer.moving_parts import recover
from systock.etl_pipeline.bronze_layer.personal_values import (
    PersonalColumns,
    PersonalKey,
    check_key,
    note_key,
    personal_columns,
)
from systock.etl_pipeline.bronze_layer.rewrite_parts import Change, Erased, Hashed, find, rewrite
from systock.pipeline_manager.lock import project_lock
from systock.pipeline_manager.publish_target import publish_target
from systock.pipeline_manager.retention import COPIES, leftovers
from systock.pipeline_manager.state import State
from systock.setting_values import hint

if TYPE_CHECKING:
    from systock.pipeline_manager.build import Progress
    from systock.pipeline_manager.definitions import Definitions
    from systock.pipeline_manager.workplace import Workplace


@dataclass(frozen=True)
class Request:
    """What is to be erased: of which raw table, the lines that have these values, the columns (none: the personal ones).

    plain: instead, all values that landed before their columns were personal become hashes.
    """

    source: str
    table: str
    where: Mapping[str, str]
    columns: Sequence[str] = ()
    plain: bool = False


class Erasing:
    """One request, checked against settings and landing log. Raises UsageError for what can't be meant."""

    def __init__(self, place: Workplace, definitions: Definitions, request: Request) -> None:
        self._place, self._definitions, self._request, self._log = place, definitions, request, place.log()
        self._batches = self._log.batches(source=request.source, table=request.table)
        self._check_table()
        settings = place.settings
        self._key = PersonalKey(settings.project.personal_key) if settings.project.personal_key else None
        if self._key is not None:
            check_key(self._log, self._key)
        _, personal = personal_columns(settings.sources, settings.project.personal_key)
        self._personal = personal.get((request.source, request.table))
        self._change = self._hashing(self._personal) if request.plain else self._erasing()
        self._found = find(self._log, self._change)

    @property
    def plan(self) -> dict[str, Any]:
        """The lines and batches that are meant."""
        return {
            "source": self._request.source,
            "table": self._request.table,
            "columns": self._columns,
            "lines": sum(of.lines for of in self._found),
            "values": sum(of.values for of in self._found),
            "batches": [
                {"batch": of.batch.no, "path": of.batch.path, "known_at": of.batch.known_at.isoformat(), "lines": of.lines, "values": of.values}
                for of in self._found
            ],
        }  # fmt: skip

    @property
    def is_due(self) -> bool:
        """Is there anything to do? Where lines hold no value any more, only --plain has to note that they hold none."""
        return any(of.values for of in self._found) or (self._request.plain and bool(self._found))

    def write(self, progress: Progress) -> None:
        """Take the values out of bronze and note it."""
        if self._request.plain and self._key is not None:
            note_key(self._log, self._key)
        earlier = self._log.erasures()
        where = json.dumps(sorted(self._request.where.items()), ensure_ascii=False)
        erasure = Erasure(
            no=len(earlier) + 1,
            erased_at=datetime.now(UTC),
            source=self._request.source,
            table=self._request.table,
            what=self._change.what,
            key_columns=tuple(self._request.where),
            key_hash=self._key.hash(where) if self._key and self._request.where else None,
            columns=tuple(self._columns),
            lines=0,
            batches=0,
        )
        progress.stage("erase", len({of.batch.part for of in self._found if of.values}))
        rewrite(self._log, self._change, self._found, erasure, progress.advance)

    @property
    def _columns(self) -> list[str]:
        return list(self._request.columns or (self._personal.names if self._personal else ()))

    # what is asked for

    def _hashing(self, personal: PersonalColumns | None) -> Change:
        if personal is None:
            raise self._wrong("--plain", f"{self._name} has no personal columns", f"Set {self._setting} first.")
        return Hashed(self._log, self._request.source, self._request.table, personal)

    def _erasing(self) -> Change:
        request, landed = self._request, list(dict.fromkeys(name for batch in self._batches for name in batch.columns))
        if not request.where:
            raise self._wrong("--key", "no line is named", "Name them by their columns: --key customer_id=4711")
        for name, value in request.where.items():
            self._check_column("--key", name, landed)
            if not value:
                raise self._wrong("--key", f"{name} has no value", f"Write --key {name}=VALUE.")
        for name in request.columns:
            self._check_column("--columns", name, landed)
            if name.casefold() in {kept.casefold() for kept in self._kept(landed)}:
                raise self._wrong(
                    "--columns", f"{name!r} of {self._name} names its lines, or must have a value",
                    "Erase other columns: the lines stay, so that all counts hold.",
                )  # fmt: skip
        if not self._columns:
            raise self._wrong(
                "--columns", f"{self._name} has no personal columns", f"Name the columns: --columns a,b. Columns: {', '.join(landed)}."
            )  # fmt: skip
        personal = self._personal
        hashed = self._key.hash if self._key and personal else None
        where = {
            name: [value, hashed(value)] if hashed and personal and personal.holds(name) else [value]
            for name, value in request.where.items()
        }
        named = {name.casefold() for name in request.columns}
        by_default: Callable[[str], bool] = personal.holds if personal else lambda name: False
        return Erased(self._batches, where, (lambda name: name.casefold() in named) if named else by_default)

    @property
    def _name(self) -> str:
        return f"{self._request.source}.{self._request.table}"

    @property
    def _setting(self) -> str:
        return f"sources.{self._request.source}.tables.{self._request.table}.personal"

    def _kept(self, landed: Sequence[str]) -> Sequence[str]:
        """The columns without which lines would be others, or none."""
        if self._request.source == SNAPSHOT_SOURCE:
            kinds = {kind.name: kind for kind in self._definitions.snapshot_tables}
            kind = kinds.get(self._request.table)
            may_go = {c.name for c in kind.columns if c.nullable and c.name not in kind.primary_key} if kind else set()
            return [name for name in landed if name not in may_go]
        source = self._place.settings.sources.get(self._request.source)
        table = source.tables.get(self._request.table) if source else None
        return table.key if table else ()

    def _check_table(self) -> None:
        if not self._batches:
            landed = sorted({f"{batch.source}.{batch.table}" for batch in self._log.batches()})
            todo = f"{hint(self._name, landed)} Landed: {', '.join(landed) or 'nothing'}.".strip()
            raise UsageError(f"nothing of {self._name} has landed", todo=todo)

    def _check_column(self, option: str, name: str, landed: list[str]) -> None:
        if name.casefold() not in {column.casefold() for column in landed}:
            todo = f"{hint(name, landed)} Columns: {', '.join(landed)}.".strip()
            raise self._wrong(option, f"{self._name} has no column {name!r}", todo)

    def _wrong(self, option: str, what: str, todo: str) -> UsageError:
        return UsageError(what, where=option, state="Nothing was erased.", todo=todo)


def erase(
    place: Workplace,
    definitions: Definitions,
    request: Request,
    progress: Progress,
    *,
    dry_run: bool = False,
    history: bool = False,
) -> dict[str, Any]:
    """Take values out of bronze, make anew all that is made from it, and bring the server to that; what was done.

    What a crash cuts off the next run does: the log knows of it.
    """
    if dry_run:
        return {**Erasing(place, definitions, request).plan, "status": "dry run"}
    from systock.pipeline_manager.run_pipeline import build_and_publish

    definitions.check()  # a wrong mapping is found before anything is written
    with project_lock(place.state_dir, "systock erase"), closing(State(place.state_dir)) as state:
        erasing, log = Erasing(place, definitions, request), place.log()
        result = {**erasing.plan, "status": "nothing to erase", "generation": None, "target": None, "warnings": []}
        if erasing.is_due:
            erasing.write(progress)
        elif not log.unfinished_erasures():
            return result
        built = build_and_publish(place, state, log, definitions, progress, history=history)
        result |= {"status": "erased", "generation": built.generation, "warnings": built.warnings}
        try:
            brought = publish_target(place, definitions, progress)
        except TargetError as error:
            error.state = "The values are out of this project, not yet of the server, which keeps its generation; the next run brings it up."
            raise
        result["target"] = asdict(brought) if brought else None
    return result


def forget_copies(place: Workplace) -> None:
    """Remove what may hold erased values and is made anew when it is needed: warehouses, pages, what a crash left."""
    damaged = place.state_dir / "state.sqlite.damaged"
    with storage_errors(place.state_dir):
        for path in (
            place.state_dir / COPIES,
            place.project_dir / SPOOL_FOLDER,
            damaged,
            *leftovers(place.state_dir, place.warehouse),
        ):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def finish_erasures(log: LandingLog, state: State) -> None:
    """The build and the published file are made from what bronze holds now: leave no trace elsewhere, and note that."""
    recover(log)
    state.forget_messages()
    log.finish_erasures(datetime.now(UTC))
