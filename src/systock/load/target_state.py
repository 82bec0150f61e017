"""What a server remembers of what was published to it (its schema `systock`), and whether it may be published to."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from systock.data_warehouse.engine.postgres_ddl import constraint_sql, index_sql
from systock.errors import TargetError
from systock.load.altered_questions import note_definitions, noted_definitions
from systock.load.captures import CAPTURE_TABLES
from systock.load.changed_rows import BATCHES_HASH, Held
from systock.load.roles import OWNER
from systock.load.row_access import ACCESS_TABLES
from systock.load.target_schema import Parts, TargetSchema, text_hash
from systock.load.target_session import TargetSession
from systock.sql_text import literal, quoted

#: SyStock's own tables on a server.
OWN_SCHEMA = "systock"
#: What is set while SyStock itself writes, so that only changes by hand are noted.
PUBLISHING = "systock.publishing"


@dataclass(frozen=True)
class TargetState(Held):
    """What a server holds, and since when."""

    published_at: str


@dataclass(frozen=True)
class HandChange:
    """What somebody else did to a table of SyStock's: so many statements of a kind, the last one when and by whom."""

    table: str
    operation: str
    statements: int
    last_at: str
    role: str

    @property
    def text(self) -> str:
        times = "once" if self.statements == 1 else f"{self.statements} times"
        return f"{self.operation} on {self.table} {times}, last at {self.last_at} by {self.role}"


@dataclass(frozen=True)
class UnknownBatches:
    """Batches of a raw table that the server's rows are made from, and those here are not: how many, known since when."""

    source: str
    table: str
    count: int
    since: str

    @property
    def text(self) -> str:
        return f"{self.count} of {self.source}.{self.table} since {self.since}"


@dataclass(frozen=True)
class DroppedPart:
    """A key, check or index that a table lacks, and the statement that makes it."""

    table: str
    kind: str
    name: str
    sql: str

    @property
    def text(self) -> str:
        return f"{_PART_WORDS[self.kind]} {self.name} of {self.table}"


_PART_WORDS = {"primary key": "primary key", "indexes": "index", "checks": "check", "references": "reference"}
_PART_SQL = {
    "primary key": constraint_sql,
    "indexes": index_sql,
    "checks": constraint_sql,
    "references": constraint_sql,
}

#: How the server itself says a question (see altered_questions).
_DEFINITION = "ALTER TABLE systock.object ADD COLUMN IF NOT EXISTS definition text"

#: The tables of OWN_SCHEMA. `target` has one row once something was published.
OWN_TABLES = (
    """CREATE TABLE IF NOT EXISTS systock.target (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    project text NOT NULL, log_id text NOT NULL, build_id text NOT NULL, generation bigint NOT NULL, commit_no integer NOT NULL,
    known_at timestamptz, definition_hash text NOT NULL, published_at timestamptz NOT NULL
)""",
    "COMMENT ON TABLE systock.target IS 'The generation that this database holds, and what published it.'",
    """CREATE TABLE IF NOT EXISTS systock.object (
    name text PRIMARY KEY, structure text NOT NULL, told text NOT NULL, columns text, types jsonb
)""",
    "ALTER TABLE systock.object ADD COLUMN IF NOT EXISTS parts jsonb",
    _DEFINITION,
    "COMMENT ON TABLE systock.object IS 'Tables, views and functions as SyStock made them: hashes of their SQL.'",
    """CREATE TABLE IF NOT EXISTS systock.hand_change (
    change_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, changed_at timestamptz NOT NULL DEFAULT now(),
    table_name text NOT NULL, operation text NOT NULL, role_name text NOT NULL
)""",
    "COMMENT ON TABLE systock.hand_change IS 'Statements by others than SyStock on its tables; emptied by ''systock target sync --full''.'",
    """CREATE OR REPLACE FUNCTION systock.note_hand_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO systock.hand_change (table_name, operation, role_name) VALUES (TG_ARGV[0], TG_OP, session_user);
    RETURN NULL;
END
$$""",
    "REVOKE ALL ON FUNCTION systock.note_hand_change() FROM PUBLIC",
    *CAPTURE_TABLES,
    *ACCESS_TABLES,
)


def trigger_sql(table: str, name: str) -> list[str]:
    """Statements that note changes by others. table: its quoted name; name: as people read it."""
    return [
        f"""CREATE TRIGGER systock_hand_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table} FOR EACH STATEMENT
            WHEN (current_setting({literal(PUBLISHING)}, true) IS DISTINCT FROM 'on')
            EXECUTE FUNCTION systock.note_hand_change({literal(name)})"""
    ]


def is_initialised(session: TargetSession) -> bool:
    """Was `systock target init` run here?"""
    return _has_own(session, "target")


def is_of_today(session: TargetSession) -> bool:
    """Was it run by a SyStock that made all that is needed today?"""
    return _has_own(session, "visible_location")


def _has_own(session: TargetSession, table: str) -> bool:
    found = session.rows(
        """SELECT 1 FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = %s AND c.relname = %s""",
        (OWN_SCHEMA, table),
    )
    return bool(found)


def strangers(session: TargetSession, schemas: Sequence[str]) -> list[str]:
    """What lies in our schemas and is not SyStock's, at most 5; all of it where the database is no target yet."""
    known = "SELECT name FROM systock.object" if is_initialised(session) else "SELECT NULL"
    found = session.rows(
        f"""SELECT format('%%s.%%s', n.nspname, c.relname) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = ANY(%s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
            AND format('%%s.%%s', n.nspname, c.relname) NOT IN (SELECT coalesce(name, '') FROM ({known}) AS known (name))
        UNION ALL
        SELECT format('%%s (a schema of %%s)', n.nspname, CAST(n.nspowner AS regrole)) FROM pg_namespace AS n
        WHERE n.nspname = ANY(%s) AND n.nspowner IS DISTINCT FROM to_regrole(%s)
        ORDER BY 1 LIMIT 5""",
        (list(schemas), list(schemas), OWNER),
    )
    return [name for (name,) in found]


def check_ours(session: TargetSession, schemas: Sequence[str]) -> None:
    """Raise TargetError when our schemas hold what is not SyStock's."""
    found = strangers(session, schemas)
    if found:
        raise TargetError(
            f"the database has things that are not SyStock's, where its own would be: {', '.join(found)}",
            where=session.where, state="Nothing was changed there.",
            todo="Name another database in url under [target], or move them away: ALTER TABLE … SET SCHEMA …;",
        )  # fmt: skip


def check_initialised(session: TargetSession, schemas: Sequence[str]) -> None:
    """Raise TargetError where the database is no target yet, with what stands in the way of making it one."""
    if is_of_today(session):
        return
    if is_initialised(session):
        raise TargetError(
            "an older SyStock made the database a target", where=session.where, state="The server keeps the generation that it had.",
            todo="Run 'systock target init' once more: it adds what is new; then run again.",
        )  # fmt: skip
    check_ours(session, [*schemas, OWN_SCHEMA])
    raise TargetError(
        "the database is no target of SyStock's yet", where=session.where, state="Nothing was changed there.",
        todo="Run 'systock target init' once, with a user who may make schemas and roles; then run again.",
    )  # fmt: skip


def read_state(session: TargetSession) -> TargetState | None:
    """What the server holds; None where nothing was published yet."""
    rows = session.rows(
        "SELECT project, log_id, build_id, generation, commit_no, CAST(known_at AS text), definition_hash, CAST(published_at AS text)"
        " FROM systock.target"
    )
    return TargetState(*rows[0]) if rows else None


def write_state(session: TargetSession, held: Held) -> None:
    """Remember what the server holds from now on; its published_at is the server's clock."""
    session.execute(
        """INSERT INTO systock.target (project, log_id, build_id, generation, commit_no, known_at, definition_hash, published_at)
        VALUES (%s, %s, %s, %s, %s, CAST(%s AS timestamptz), %s, now())
        ON CONFLICT (one) DO UPDATE SET project = excluded.project, log_id = excluded.log_id, build_id = excluded.build_id,
            generation = excluded.generation, commit_no = excluded.commit_no, known_at = excluded.known_at,
            definition_hash = excluded.definition_hash, published_at = excluded.published_at""",
        (
            held.project,
            held.log_id,
            held.build_id,
            held.generation,
            held.commit_no,
            held.known_at,
            held.definition_hash,
        ),
    )


def batches_hash(session: TargetSession) -> str:
    """Tells the batches that the server's rows are made from from others: the instants of two landings may be the same."""
    return str(session.rows(f"SELECT {BATCHES_HASH} FROM meta.batch")[0][0])


def unknown_batches(session: TargetSession, known: Collection[str]) -> list[UnknownBatches]:
    """What the server's rows are made from beside the batches of these ids; nothing where it has no list of them."""
    if session.rows("SELECT to_regclass('meta.batch') IS NULL")[0][0]:
        return []
    rows = session.rows(
        """SELECT source_name, table_name, count(*), to_char(min(known_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS UTC')
        FROM meta.batch WHERE batch_id NOT IN (SELECT unnest(CAST(%s AS text[])))
        GROUP BY source_name, table_name ORDER BY min(known_at), source_name, table_name""",
        (list(known),),
    )
    return [UnknownBatches(*row) for row in rows]


def hand_changes(session: TargetSession) -> list[HandChange]:
    """What others did to SyStock's tables since they were last sent whole."""
    rows = session.rows(
        """SELECT table_name, operation, count(*), to_char(max(changed_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS UTC'),
            (array_agg(role_name ORDER BY change_no DESC))[1]
        FROM systock.hand_change GROUP BY table_name, operation ORDER BY table_name, operation"""
    )
    return [HandChange(*row) for row in rows]


def objects(schema: TargetSchema) -> dict[str, tuple[str, str]]:
    """Tables, views and functions by their names on the server: hashes of what holds the rows (or makes the answer), and of comments."""
    found = {table.on_server: (table.structure, text_hash(table.comments)) for table in schema.tables}
    return found | {question.on_server: (text_hash(question.create), "") for question in schema.questions}


def made_objects(session: TargetSession) -> dict[str, tuple[str, str]]:
    """The same, as they were made on the server."""
    return {
        name: (structure, told)
        for name, structure, told in session.rows("SELECT name, structure, told FROM systock.object")
    }


def made_tables(session: TargetSession) -> dict[str, dict[str, str]]:
    """The tables that SyStock made on the server: the canonical types of their columns, by name."""
    return dict(session.rows("SELECT name, types FROM systock.object WHERE types IS NOT NULL"))


def made_parts(session: TargetSession) -> dict[str, Parts]:
    """What those tables were made of, where that was noted."""
    return dict(session.rows("SELECT name, parts FROM systock.object WHERE parts IS NOT NULL"))


def altered_tables(session: TargetSession) -> list[str]:
    """Tables and views that are not as SyStock made them: dropped, or with other columns."""
    return [
        name
        for (name,) in session.rows(
            f"""SELECT o.name FROM systock.object AS o LEFT JOIN ({_THERE}) AS there ON there.name = o.name
            WHERE o.columns IS NOT NULL AND there.columns IS DISTINCT FROM o.columns ORDER BY 1"""
        )
    ]


def dropped_parts(session: TargetSession, schema: TargetSchema) -> list[DroppedPart]:
    """Keys, checks and indexes that somebody dropped, keys first: of the tables that are made there as they are defined now."""
    there = _part_names(session, schema)
    made = made_objects(session)
    same = [t for t in schema.tables if t.on_server in there and made.get(t.on_server, ("",))[0] == t.structure]
    return [
        DroppedPart(table.on_server, kind, name, make(quoted(table.schema_there, table.name_there), name, definition))
        for kind, make in _PART_SQL.items()
        for table in same
        for name, definition in table.parts[kind].items()
        if name not in there[table.on_server]
    ]


def has_noted_parts(session: TargetSession, schema: TargetSchema, tables: Collection[str]) -> bool:
    """Do tables have all keys, checks and indexes that they were made with?"""
    there = _part_names(session, schema)
    return all(
        name in there.get(table, ())
        for table, parts in made_parts(session).items()
        if table in tables
        for kind in _PART_SQL
        for name in parts[kind]
    )


def _part_names(session: TargetSession, schema: TargetSchema) -> dict[str, list[str | None]]:
    """The names of the constraints and indexes that our tables have."""
    return dict(
        session.rows(
            """SELECT format('%%s.%%s', n.nspname, c.relname), array_agg(CAST(part.name AS text))
            FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
            LEFT JOIN (SELECT conrelid, conname FROM pg_constraint UNION ALL
                SELECT i.indrelid, x.relname FROM pg_index AS i JOIN pg_class AS x ON x.oid = i.indexrelid) AS part (of, name) ON part.of = c.oid
            WHERE n.nspname = ANY(%s) AND c.relkind = 'r' GROUP BY 1""",
            (list(schema.schemas),),
        )
    )


def check_unused(session: TargetSession, schemas: Sequence[str]) -> None:
    """Raise TargetError where views of others stand on our tables: those that are made anew would leave them behind."""
    found = session.rows(
        """SELECT DISTINCT format('%%s.%%s', vn.nspname, v.relname)
        FROM pg_depend AS d JOIN pg_rewrite AS r ON r.oid = d.objid AND d.classid = CAST('pg_rewrite' AS regclass)
        JOIN pg_class AS v ON v.oid = r.ev_class JOIN pg_namespace AS vn ON vn.oid = v.relnamespace
        JOIN pg_class AS t ON t.oid = d.refobjid AND d.refclassid = CAST('pg_class' AS regclass)
        JOIN pg_namespace AS tn ON tn.oid = t.relnamespace
        WHERE tn.nspname = ANY(%s) AND vn.nspname <> ALL(%s) AND vn.nspname !~ '__old_[0-9]+$' ORDER BY 1 LIMIT 5""",
        (list(schemas), list(schemas)),
    )
    strange = strangers(session, schemas)
    if found or strange:
        held = (
            f"views stand on them: {', '.join(n for (n,) in found)}"
            if found
            else f"others lie among them: {', '.join(strange)}"
        )
        raise TargetError(
            f"tables or questions have to be made anew, and {held}", where=session.where, state="The server keeps the generation that it had.",
            todo="Drop or move these, run again, and make them again.",
        )  # fmt: skip


def write_objects(session: TargetSession, schema: TargetSchema, left: Collection[str] = ()) -> None:
    """Remember how tables, views and functions were made, and which columns they have. left: see note_definitions."""
    before = noted_definitions(session)
    session.execute(_DEFINITION)  # an older 'systock target init' made the table without it
    session.execute("DELETE FROM systock.object")
    types = {table.on_server: {column.target: column.type for column in table.columns} for table in schema.tables}
    parts = {table.on_server: table.parts for table in schema.tables}
    for name, (structure, told) in objects(schema).items():
        session.execute(
            "INSERT INTO systock.object (name, structure, told, types, parts) VALUES (%s, %s, %s, CAST(%s AS jsonb), CAST(%s AS jsonb))",
            (name, structure, told, *(json.dumps(of[name]) if name in of else None for of in (types, parts))),
        )
    session.execute(
        f"UPDATE systock.object AS o SET columns = there.columns FROM ({_THERE}) AS there WHERE there.name = o.name"
    )
    note_definitions(session, left, before)


#: Tables and views with the names and types of their columns.
_THERE = """
    SELECT format('%s.%s', n.nspname, c.relname) AS name,
        string_agg(format('%s %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum) AS columns
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace JOIN pg_attribute AS a ON a.attrelid = c.oid
    WHERE n.nspname IN (SELECT split_part(name, '.', 1) FROM systock.object) AND c.relkind IN ('r', 'p', 'v')
        AND a.attnum > 0 AND NOT a.attisdropped GROUP BY 1"""
