"""Making a PostgreSQL database a target: the roles, SyStock's own tables and the empty schemas; safe to repeat."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from systock.data_warehouse.engine.postgres_ddl import do_sql, text_sql
from systock.errors import TargetError
from systock.load import target_state
from systock.load.access_rights import ways_out
from systock.load.make_tables import grants
from systock.load.own_comments import OWN_COMMENTS
from systock.load.roles import ANALYST, KEEPER, LOADER, OWNER, READER, ROLES
from systock.load.row_access import Place, access_sql, apply_access, check_known, places_there, seen_counts
from systock.load.target_schema import TargetSchema
from systock.load.target_session import TargetSession
from systock.load.target_state import OWN_SCHEMA, OWN_TABLES
from systock.sql_text import literal, quoted

if TYPE_CHECKING:
    from systock.config import TargetSettings


def init_target(settings: TargetSettings, schema: TargetSchema, places: Sequence[Place] | None) -> list[dict[str, str]]:
    """Make the roles and schemas; what each is for, and whether it was there. places: those of the published file, if there is one.

    Raises TargetError when the schemas hold what is not SyStock's, the user of the url may not make them, or row_access names a
    place that there is none of.
    """
    schemas, access = schema.schemas, settings.row_access
    with TargetSession(settings) as session, session.transaction():
        session.take_lock()
        if not target_state.is_initialised(session):
            target_state.check_ours(session, [*schemas, OWN_SCHEMA])
        roles = {
            name
            for (name,) in session.rows(
                "SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)", ([*ROLES, *settings.row_access],)
            )
        }
        there = {
            name
            for (name,) in session.rows(
                "SELECT nspname FROM pg_namespace WHERE nspname = ANY(%s)", ([OWN_SCHEMA, *schemas],)
            )
        }
        user = session.connection.info.user
        try:
            for statement in init_sql(user, session.connection.info.dbname, schemas, list(access)):
                session.execute(statement)
            memory = _set_memory(session, settings.work_mem)
            _check_rights(session)
            named = _give_access(session, settings, schema, places, roles)
        except TargetError as error:
            if error.sqlstate != "42501":
                raise
            raise TargetError(
                f"user {user!r} may not make roles and schemas: {error.what}", where=session.where, sqlstate=error.sqlstate,
                state="Nothing was changed there.",
                todo="Have a superuser run what 'systock target init --sql' prints; this user needs no more rights than that gives.",
            ) from None  # fmt: skip
    return [
        *(_told("role", name, name in roles, what) for name, what in ROLES.items()),
        *named,
        *memory,
        *(_told("schema", name, name in there, f"owned by {OWNER}") for name in (OWN_SCHEMA, *schemas)),
    ]


def _told(kind: str, name: str, was_there: bool, what: str) -> dict[str, str]:
    return {"kind": kind, "name": name, "is_new": "no" if was_there else "yes", "for": what}


def _set_memory(session: TargetSession, work_mem: str) -> list[dict[str, str]]:
    """Give new sessions of this database their work_mem, where that may be done; what was done.

    Of the database, not of the reading roles: what is set for a role holds for who logs in as it, and not for its members.
    """
    if not work_mem:
        return []
    [(database, may, had)] = session.rows(
        """SELECT d.datname, pg_has_role(d.datdba, 'USAGE'), coalesce(%s = ANY(s.setconfig), false)
        FROM pg_database AS d LEFT JOIN pg_db_role_setting AS s ON s.setdatabase = d.oid AND s.setrole = 0
        WHERE d.datname = current_database()""",
        (f"work_mem={work_mem}",),
    )
    if not may and not had:
        todo = f"its owner has to: {memory_sql(database, work_mem)}"
        return [_told("setting", "work_mem", True, f"not set, this user does not own the database; {todo}")]
    if not had:
        session.execute(memory_sql(database, work_mem))
    return [_told("setting", "work_mem", had, f"{work_mem} for each sort or hash in new sessions of this database")]


def memory_sql(database: str, work_mem: str) -> str:
    """The statement that gives new sessions of a database their work_mem."""
    return f"ALTER DATABASE {quoted(database)} SET work_mem = {literal(work_mem)}"


def _give_access(
    session: TargetSession,
    settings: TargetSettings,
    schema: TargetSchema,
    places: Sequence[Place] | None,
    existed: Collection[str],
) -> list[dict[str, str]]:
    """Have row_access hold at once where something is published; what each role sees, in words, and what an admin has to know."""
    access = settings.row_access
    session.become(OWNER)
    is_published = target_state.read_state(session) is not None
    there = places_there(session) if is_published else []
    known = places if places is not None else there if is_published else None
    if known is not None:
        check_known(access, known, session.where)
    told = apply_access(session, schema, access) if is_published else ways_out(session, list(access))
    seen = seen_counts(session)
    sees = {
        role: f"{seen.get(role, 0)} of {len(there)} places" if is_published else "its places once a run has published"
        for role in access
    }
    named = [_told("role", role, role in existed, f"row_access: sees {what}") for role, what in sees.items()]
    return [*named, *(_told("warning", "row_access", True, text) for text in told)]


def init_sql(user: str, database: str, schemas: Sequence[str], restricted: Sequence[str] = ()) -> list[str]:
    """The statements that make a database a target for the runs of a user; each may be run again.

    restricted: the roles of row_access, which are made where they are not there yet.
    """
    made = [
        do_sql(
            f"BEGIN IF to_regrole({text_sql(quoted(role))}) IS NULL THEN CREATE ROLE {quoted(role)} NOLOGIN; END IF; END"
        )
        for role in (*ROLES, *restricted)
    ]
    made += [
        f"GRANT CREATE, TEMPORARY, CONNECT ON DATABASE {quoted(database)} TO {OWNER}",
        f"GRANT TEMPORARY, CONNECT ON DATABASE {quoted(database)} TO {LOADER}",
        f"GRANT CONNECT ON DATABASE {quoted(database)} TO {', '.join((READER, ANALYST, KEEPER, *map(quoted, restricted)))}",
        f"GRANT {OWNER}, {LOADER} TO {quoted(user)}",
        f"CREATE SCHEMA IF NOT EXISTS {OWN_SCHEMA} AUTHORIZATION {OWNER}",
        f"SET ROLE {OWNER}",
        *OWN_TABLES,
        *OWN_COMMENTS,
        f"GRANT USAGE ON SCHEMA {OWN_SCHEMA} TO {LOADER}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {OWN_SCHEMA} TO {LOADER}",
        f"GRANT INSERT, UPDATE ON {OWN_SCHEMA}.target TO {LOADER}",
        f"GRANT DELETE ON {OWN_SCHEMA}.hand_change, {OWN_SCHEMA}.captured_row TO {LOADER}",
        f"GRANT UPDATE (landed_at) ON {OWN_SCHEMA}.capture TO {LOADER}",
        f"GRANT INSERT, DELETE ON {OWN_SCHEMA}.visible_location TO {LOADER}",
    ]
    for name in schemas:
        made += [f"CREATE SCHEMA IF NOT EXISTS {quoted(name)}", *grants(name)]
    return [*made, "RESET ROLE"]


def printed_sql(user: str, database: str, settings: TargetSettings, schema: TargetSchema) -> list[str]:
    """The statements of `init_target` for somebody else to run, all or none; what is published is held to row_access at once."""
    made = [*init_sql(user, database, schema.schemas, list(settings.row_access))]
    if access := access_sql(schema, settings.row_access):
        made += [f"SET ROLE {OWNER}", *access, "RESET ROLE"]
    if settings.work_mem:
        made.append(memory_sql(database, settings.work_mem))
    return ["BEGIN", *made, "COMMIT"]


def _check_rights(session: TargetSession) -> None:
    """GRANT only warns where the one who grants has no right to."""
    [(may,)] = session.rows("SELECT has_database_privilege(%s, current_database(), 'CREATE')", (OWNER,))
    if not may:
        user = session.connection.info.user
        raise TargetError(
            f"user {user!r} may not let {OWNER} make schemas in this database", where=session.where,
            state="Nothing was changed there.",
            todo="Have its owner or a superuser run what 'systock target init --sql' prints.",
        )  # fmt: skip
