"""What it takes to bring a server to a generation, and when that must not go on by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from systock.errors import TargetError
from systock.load import target_state
from systock.load.altered_questions import AlteredQuestion, altered_questions
from systock.load.captures import waiting_count
from systock.load.changed_rows import BuildFile, Since
from systock.load.migration import Alteration, TableChange, table_changes
from systock.load.roles import LOADER
from systock.load.target_schema import TargetSchema
from systock.load.target_session import TargetSession
from systock.load.target_state import DroppedPart, HandChange, TargetState

FULL = "'systock target sync --full'"
#: Where what was reported is kept: nothing of it goes unasked.
SNAPSHOTS = "snapshot."


@dataclass(frozen=True)
class Plan:
    """What is to be done on the server.

    how: "nothing" (it is there already), "first" (it is empty), "changes" (what later generations touched), "compare" (all rows are
    compared), "in place" (tables are altered first, then the same), "anew" (tables are made beside the old ones, which then go). why: in
    words. since: what it has, for "changes". alterations: those of "in place". dropped: keys, checks and indexes that somebody dropped. altered: questions that
    somebody changed.
    """

    how: str
    why: str
    had: TargetState | None
    since: Since | None = None
    hand_changes: tuple[HandChange, ...] = ()
    alterations: tuple[Alteration, ...] = ()
    dropped: tuple[DroppedPart, ...] = ()
    altered: tuple[AlteredQuestion, ...] = ()


def plan_publication(session: TargetSession, build: BuildFile, schema: TargetSchema, *, full: bool = False) -> Plan:
    """What it takes to bring the server to the build file's generation.

    Raises TargetError where that must not go on by itself: the database is no target, holds what is not SyStock's or
    comes from elsewhere, or its tables were altered.
    """
    target_state.check_initialised(session, schema.schemas)
    session.become(LOADER)
    had = target_state.read_state(session)
    if had is None:
        target_state.check_ours(session, schema.schemas)
        return Plan("first", "it is empty", None)
    plan = _plan_from(session, build, schema, had, full=full)
    if plan.how == "anew":
        return plan
    dropped, altered = target_state.dropped_parts(session, schema), altered_questions(session, schema)
    return replace(plan, dropped=tuple(dropped), altered=tuple(altered))


def _plan_from(session: TargetSession, build: BuildFile, schema: TargetSchema, had: TargetState, *, full: bool) -> Plan:
    """The same, where something was published already."""
    changes = tuple(target_state.hand_changes(session))
    if not full:
        _check_origin(session, had, build)
    other = _made_otherwise(session, schema)
    altered = target_state.altered_tables(session)
    if altered and not full:
        raise TargetError(
            f"tables are not as SyStock made them: {_some(altered)}", where=session.where,
            todo=f"Put back what was changed, or have {FULL} make them anew: what was added to them is lost then.",
        )  # fmt: skip
    same_batches = full or _has_same_batches(session, had, build)
    lost = [
        f"{change.table} ({', '.join(change.loses)})"
        for change in other
        if change.loses and change.table.startswith(SNAPSHOTS)
    ]
    if lost and not full:
        raise TargetError(
            f"snapshots on the server would lose columns, or digits of them: {_some(lost)}", where=session.where,
            todo="Leave these columns in the snapshot's file; where one only has another name now, state it there: "
            f"-- renamed: old_name to new_name; or, where they may go, type {FULL}.",
        )  # fmt: skip
    in_place = tuple(change.in_place for change in other if change.in_place is not None)
    # What is altered must have what it was made with: an index that somebody dropped can't be renamed.
    if (
        other
        and len(in_place) == len(other)
        and not altered
        and target_state.has_noted_parts(session, schema, [change.table for change in other])
    ):
        told = [f"{change.table}: {change.text}" for change in other]
        return Plan("in place", "; ".join(told), had, None, changes, in_place)
    if other or altered:
        target_state.check_unused(session, schema.schemas)
        told = [f"{change.table}: {change.text}" for change in other] or [f"{name}: was altered" for name in altered]
        return Plan("anew", "; ".join(told), had, None, changes)
    if full:
        return Plan("compare", "all rows were asked for", had, None, changes)
    if had.build_id != build.build_id:
        return Plan("compare", "the warehouse was built anew since", had, None, changes)
    if same_batches and had.generation == build.generation and had.known_at == build.known_at:
        return Plan("nothing", "it is up to date", had, None, changes)
    logged = build.log.since()
    if logged is None or logged > had.generation or had.known_at is None:
        return Plan("compare", f"generation {had.generation} is older than what is kept of changes", had, None, changes)
    since = Since(had.generation, had.commit_no, had.known_at)
    if not same_batches or not build.has_published(since):
        return Plan("compare", f"its generation {had.generation} is none of those known here", had, None, changes)
    return Plan("changes", f"from generation {had.generation} on", had, since, changes)


def _made_otherwise(session: TargetSession, schema: TargetSchema) -> list[TableChange]:
    """The tables that are made otherwise than those on the server."""
    found = table_changes(target_state.made_tables(session), target_state.made_parts(session), schema.tables)
    made, wanted = target_state.made_objects(session), target_state.objects(schema)
    told = {change.table for change in found}
    return found + [
        TableChange(table.on_server, "keys, checks or indexes are made otherwise")
        for table in schema.tables
        if table.on_server not in told and made[table.on_server][0] != wanted[table.on_server][0]
    ]


def _check_origin(session: TargetSession, had: TargetState, build: BuildFile) -> None:
    """Raise TargetError where the server holds what another project published."""
    if had.project != build.project or (had.log_id and had.log_id != build.log_id):
        whose = "another project" if had.project != build.project else "another landing log of this project"
        raise TargetError(
            f"the server holds generation {had.generation} of {whose}: {had.project!r}", where=session.where,
            state="Nothing was changed there.", todo=f"Name another database in url under [target], or replace it all by {FULL}.",
        )  # fmt: skip


def _has_same_batches(session: TargetSession, had: TargetState, build: BuildFile) -> bool:
    """Is the server made from the batches that the build file was made from up to that commit, and from no others?

    Raises TargetError where it is made from batches that have not landed here: another copy of this project published them, or
    this one was put back from a copy. They would be gone from the server.
    """
    if target_state.batches_hash(session) == build.batches_hash(had.commit_no):
        return True
    unknown = target_state.unknown_batches(session, build.batch_ids())
    if unknown:
        count = sum(of.count for of in unknown)
        batches = "1 batch that has" if count == 1 else f"{count} batches that have"
        waiting = waiting_count(session)
        captures = f"; {'1 capture waits' if waiting == 1 else f'{waiting} captures wait'} there too" if waiting else ""
        raise TargetError(
            f"the server holds generation {had.generation}, made from {batches} not landed here: "
            f"{_some([of.text for of in unknown])}{captures}",
            where=session.where, state="Nothing was changed there.",
            todo="Run where that was published from: two copies of a project need a database each. Or land them here too; or, where this "
            f"project is to go on without them, replace it all by {FULL}.",
        )  # fmt: skip
    return False


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
