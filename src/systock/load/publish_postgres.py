"""Bringing a PostgreSQL server to the generation of the build file: in one transaction, by what changed since the one that it has."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from systock.load import target_state
from systock.load.altered_questions import AlteredQuestion, is_unsure
from systock.load.captures import mark_landed
from systock.load.changed_rows import BuildFile, changed_since
from systock.load.make_tables import drop_old, make_anew, renew_questions, tell_comments
from systock.load.plan_publication import FULL, Plan, plan_publication
from systock.load.roles import LOADER, OWNER
from systock.load.row_access import PLACES, Place, apply_access, check_known, check_roles
from systock.load.target_schema import TargetSchema
from systock.load.target_session import TargetSession
from systock.load.target_state import PUBLISHING, DroppedPart, HandChange
from systock.load.write_rows import Staged, Writer, there

if TYPE_CHECKING:
    from systock.config import TargetSettings


@dataclass
class Brought:
    """What was done on the server: tables with the rows written and removed; captures that landed; warnings."""

    where: str
    generation: int
    had: int | None
    how: str
    why: str
    tables: list[dict[str, str | int]] = field(default_factory=list)
    captures: int = 0
    warnings: list[str] = field(default_factory=list)


def publish_postgres(
    settings: TargetSettings,
    build: BuildFile,
    schema: TargetSchema,
    *,
    full: bool = False,
    advance: Callable[[int, str], None] = lambda n, what: None,
) -> Brought:
    """Bring the server to the build file's generation; full: compare every row, and undo what was changed by hand.

    Raises TargetError when it refuses: it then keeps the generation that it had, whole.
    """
    with TargetSession(settings) as session:
        with session.transaction():
            session.take_lock()
            plan = plan_publication(session, build, schema, full=full)
            had = plan.had.generation if plan.had else None
            brought = Brought(session.where, build.generation, had, plan.how, plan.why)
            if not full:
                brought.warnings += _told("changed", plan.hand_changes, "puts it right")
                brought.warnings += _told("dropped", plan.dropped, "makes them again")
                brought.warnings += _told("altered", plan.altered, "makes them anew")
            check_roles(session, settings.row_access)
            if plan.how == "first":
                check_known(settings.row_access, [Place(*row) for row in build.engine.rows(PLACES)], session.where)
            if plan.how != "nothing":
                _publish(session, build, schema, plan, full, brought, advance)
            brought.warnings += apply_access(session, schema, settings.row_access)
        if plan.how in ("first", "anew"):
            drop_old(session, schema)
    return brought


def _publish(
    session: TargetSession,
    build: BuildFile,
    schema: TargetSchema,
    plan: Plan,
    full: bool,
    brought: Brought,
    advance: Callable[[int, str], None],
) -> None:
    """The work of the transaction."""
    session.execute("SELECT set_config(%s, 'on', true)", (PUBLISHING,))
    writer = Writer(session, build)
    if plan.how in ("first", "anew"):
        session.become(OWNER)
        brought.tables = make_anew(session, schema, writer, advance)
    else:
        brought.tables = _write_changes(session, build, schema, writer, plan, advance)
        made, wanted = target_state.made_objects(session), target_state.objects(schema)
        all_anew = full and (bool(plan.altered) or is_unsure(session))
        if made != wanted or all_anew:
            session.become(OWNER)
            are_made = renew_questions(session, schema, made, all_anew=all_anew)
            tell_comments(session, schema, made)
            target_state.write_objects(session, schema, () if are_made else [each.name for each in plan.altered])
    if full and plan.dropped:
        _alter(session, [part.sql for part in plan.dropped])
    if plan.how in ("compare", "in place"):
        _renew_statistics(session, schema, {str(row["table"]) for row in brought.tables})
    if full or plan.how in ("first", "anew"):
        session.execute("DELETE FROM systock.hand_change")
    brought.captures = mark_landed(session, build)
    target_state.write_state(session, build)


def _write_changes(
    session: TargetSession,
    build: BuildFile,
    schema: TargetSchema,
    writer: Writer,
    plan: Plan,
    advance: Callable[[int, str], None],
) -> list[dict[str, str | int]]:
    """Rows that are new or otherwise, table after table; then, the other way round, those that are gone.

    Where tables are altered first, who reads them waits from then on until the transaction commits: all rows are on the server by then.
    """
    staged: list[Staged] = []
    for table in schema.tables:
        found = writer.stage(table, changed_since(build, table, plan.since))
        if found is not None:
            staged.append(found)
        advance(1, table.qualified)
    if plan.alterations:
        session.become(OWNER)
        for statement in (statement for alteration in plan.alterations for statement in alteration.before):
            session.execute(statement)
        session.become(LOADER)
    for found in staged:
        writer.put(found)
    for found in reversed(staged):
        writer.take_out(found)
    if plan.alterations:
        _alter(session, [statement for alteration in plan.alterations for statement in alteration.after])
    return [
        {"table": s.table.qualified, "written": s.written, "removed": s.removed}
        for s in staged
        if s.written or s.removed
    ]


def _renew_statistics(session: TargetSession, schema: TargetSchema, written: Collection[str]) -> None:
    """Have the planner's statistics hold no values that are gone: erased ones come with a build made anew, as all of this does."""
    session.become(OWNER)
    for table in schema.tables:
        if table.qualified in written:
            session.execute(f"ANALYZE {there(table)}")


def _alter(session: TargetSession, statements: Sequence[str]) -> None:
    """Alter tables after rows were written: what is looked at when the transaction commits is looked at now, no table can be altered before."""
    session.execute("SET CONSTRAINTS ALL IMMEDIATE")
    session.become(OWNER)
    for statement in statements:
        session.execute(statement)


def _told(done: str, found: Sequence[HandChange | DroppedPart | AlteredQuestion], full_does: str) -> list[str]:
    """What was done by hand, as warnings."""
    told = [f"{done} by hand on the server: {each.text}" for each in found[:5]]
    if len(found) > 5:
        told.append(f"and {len(found) - 5} more")
    return [*told, f"{FULL} {full_does}"] if told else []
