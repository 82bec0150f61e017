"""Making what a server holds: tables filled beside the old ones, which then go; views and functions; who may read what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

from systock.errors import TargetError
from systock.load import target_state
from systock.load.roles import ANALYST, LOADER, OWNER, READ, READER
from systock.load.target_schema import TargetSchema, text_hash
from systock.load.target_session import TargetSession
from systock.load.target_state import trigger_sql
from systock.load.write_rows import Writer, there
from systock.sql_text import quoted

#: How long dropping what nobody should read any more waits for those who still do, in seconds.
_PATIENCE = 2


def make_anew(
    session: TargetSession, schema: TargetSchema, writer: Writer, advance: Callable[[int, str], None]
) -> list[dict[str, str | int]]:
    """Make and fill all tables, then their keys, views and functions; what is there goes aside until it is dropped.

    Until the transaction commits everybody reads what is there: renaming a schema locks no table.
    """
    number = session.rows("SELECT pg_current_xact_id()")[0][0]
    for (name,) in session.rows("SELECT nspname FROM pg_namespace WHERE nspname = ANY(%s)", (list(schema.schemas),)):
        session.execute(f"ALTER SCHEMA {quoted(name)} RENAME TO {quoted(f'{name}__old_{number}')}")
    for name in schema.schemas:
        session.execute(f"CREATE SCHEMA {quoted(name)}")
    filled: list[dict[str, str | int]] = []
    for table in schema.tables:
        for statement in (*table.create, *table.comments):
            session.execute(statement)
        written = writer.load(table)
        filled.append({"table": table.qualified, "written": written, "removed": 0})
        advance(1, table.qualified)
    for table in schema.tables:
        with writer.keys_that_fit(table):
            for statement in (*table.keys, *trigger_sql(there(table), table.on_server)):
                session.execute(statement)
    for table in schema.tables:
        for statement in table.references:
            session.execute(statement)
    for question in schema.questions:
        for statement in question.create:
            session.execute(statement)
    for table in schema.tables:
        session.execute(f"ANALYZE {there(table)}")
    for name in schema.schemas:
        for statement in grants(name):
            session.execute(statement)
    target_state.write_objects(session, schema)
    return filled


def grants(schema: str) -> list[str]:
    """Statements that let each role do with a schema what it is for."""
    name = quoted(schema)
    return [
        f"GRANT USAGE ON SCHEMA {name} TO {', '.join((LOADER, *READ.get(schema, ())))}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {name} TO {READER}, {ANALYST}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {name} TO {LOADER}",
    ]


def renew_questions(
    session: TargetSession, schema: TargetSchema, made: Mapping[str, tuple[str, str]], *, all_anew: bool
) -> bool:
    """Make views, functions and procedures whose text changed; readers of views wait until the transaction commits.

    all_anew: whether a text changed or not. Returns whether they were made.
    """
    wanted = {question.on_server for question in schema.questions}
    tables = {table.on_server for table in schema.tables}
    changed = [q for q in schema.questions if made.get(q.on_server, ("",))[0] != text_hash(q.create)]
    gone = [name for name in made if name not in wanted and name not in tables]
    if not changed and not gone and not all_anew:
        return False
    schemas = list(dict.fromkeys(question.schema for question in schema.questions))
    read = {question.schema for question in schema.questions if question.kind != "procedure"}
    target_state.check_unused(session, sorted(read))
    # Views stand on views: what stands on a changed one is made anew too.
    for name, kind in session.rows(
        """SELECT format('%%I.%%I', n.nspname, c.relname), 'VIEW' FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE c.relkind = 'v' AND n.nspname = ANY(%s)
        UNION ALL
        SELECT CAST(CAST(p.oid AS regprocedure) AS text), CASE p.prokind WHEN 'f' THEN 'FUNCTION' ELSE 'PROCEDURE' END
        FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
        WHERE format('%%s.%%s', n.nspname, p.proname) = ANY(%s) AND p.prokind IN ('f', 'p')""",
        (sorted(read), list(made)),
    ):
        session.execute(f"DROP {kind} IF EXISTS {name} CASCADE")
    for question in schema.questions:
        for statement in question.create:
            session.execute(statement)
    for name in schemas:
        for statement in grants(name):
            session.execute(statement)
    return True


def tell_comments(session: TargetSession, schema: TargetSchema, made: Mapping[str, tuple[str, str]]) -> None:
    """Renew the comments of tables where they changed."""
    for table in schema.tables:
        if made.get(table.on_server, ("", ""))[1] != text_hash(table.comments):
            for statement in table.comments:
                session.execute(statement)


def drop_old(session: TargetSession, schema: TargetSchema) -> None:
    """Drop what went aside; where somebody still reads it, the next publication does."""
    with suppress(TargetError), session.transaction():
        session.become(OWNER)
        session.execute("SELECT set_config('lock_timeout', %s, true)", (f"{_PATIENCE}s",))
        found = [
            name
            for (name,) in session.rows(
                r"SELECT nspname FROM pg_namespace WHERE regexp_replace(nspname, '__old_\d+$', '') = ANY(%s) AND nspname <> ALL(%s)",
                (list(schema.schemas), list(schema.schemas)),
            )
        ]
        if found:
            session.execute(f"DROP SCHEMA {', '.join(map(quoted, found))} CASCADE")
