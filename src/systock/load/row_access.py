"""Rows by place for named roles: who sees which places, and the policies of the tables that hold them to it.

Policies restrict the roles that the settings name, and nobody else: all others see every row. Each table has row-level security all
the same, for that hides what the server's statistics hold of its values (pg_stats) from who may read it through questions alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from systock.data_warehouse.engine.postgres_ddl import do_sql, text_sql
from systock.errors import TargetError
from systock.load.access_rights import lacking_rights, missing_roles, revoke_sql, rights_sql, ways_out
from systock.load.roles import OWNER
from systock.load.target_schema import TargetSchema, TargetTable
from systock.load.target_session import TargetSession
from systock.load.write_rows import there
from systock.setting_values import hint
from systock.sql_text import quoted

if TYPE_CHECKING:
    from systock.config import RowAccess

#: Who sees which places. Everybody may read it, but only policies can name it: nobody else has USAGE on its schema.
ACCESS_TABLES = (
    """CREATE TABLE IF NOT EXISTS systock.visible_location (
    role_name text NOT NULL, location_durable_key bigint NOT NULL, source_name text NOT NULL, location_id text NOT NULL,
    is_whole_code boolean NOT NULL, PRIMARY KEY (role_name, location_durable_key)
)""",
    "COMMENT ON TABLE systock.visible_location IS 'The places that a role with row_access sees; is_whole_code: all that have this code.'",
    "GRANT SELECT ON systock.visible_location TO PUBLIC",
)
_POLICY = "systock_"
_ALL, _ROWS = f"{_POLICY}all", f"{_POLICY}rows_"
#: What the server says of a policy `p`: its version, which may say the same in other words, and a hash.
_VERSION = "CAST(current_setting('server_version_num') AS integer) / 10000 || ':'"
_SAID = f"""{_VERSION} || md5(concat(
    p.polcmd, p.polpermissive, pg_get_expr(p.polqual, p.polrelid), ' CHECK ', pg_get_expr(p.polwithcheck, p.polrelid)))"""


@dataclass(frozen=True)
class Place:
    """A place as last described."""

    durable_key: int
    source: str
    id: str
    region: str | None


#: The query of all places, as the build file and the server answer it.
PLACES = """SELECT location_durable_key, source_name, location_id, region FROM gold.dim_location
    WHERE is_latest AND location_durable_key <> 0 ORDER BY source_name, location_id"""


def unknown_entries(access: Mapping[str, RowAccess], places: Sequence[Place]) -> list[str]:
    """The locations and regions of the settings that there are none of, each with those that there are."""
    found = []
    for role, entry in access.items():
        for kind, given, valid in (
            ("locations", entry.locations, sorted({name for p in places for name in (p.id, f"{p.source}/{p.id}")})),
            ("regions", entry.regions, sorted({p.region for p in places if p.region is not None})),
        ):
            short = sorted({p.id for p in places}) if kind == "locations" else valid
            found += [
                f"target.row_access.{role}.{kind}: there is no {value!r}. Valid: {_some(short)}.{hint(value, valid)}"
                for value in given
                if value not in valid
            ]
    return found


def check_known(access: Mapping[str, RowAccess], places: Sequence[Place], where: str) -> None:
    """Raise TargetError where the settings name a location or region that there is none of."""
    unknown = unknown_entries(access, places)
    if unknown:
        raise TargetError(
            "\n  ".join(unknown), where=where, state="Nothing was changed there.",
            todo="Correct [target.row_access] in systock.toml, then try again. What is to come with the next run is named after it.",
        )  # fmt: skip


def check_roles(session: TargetSession, access: Mapping[str, RowAccess]) -> None:
    """Raise TargetError where the server lacks a role of the settings."""
    missing = missing_roles(session, access)
    if missing:
        raise TargetError(
            f"row_access names roles that the server does not have: {', '.join(missing)}",
            where=session.where, state="The server keeps the generation that it had.",
            todo="Run 'systock target init' once more: it makes them; then run again.",
        )  # fmt: skip


def apply_access(session: TargetSession, schema: TargetSchema, access: Mapping[str, RowAccess]) -> list[str]:
    """Let each role of the settings see its places and no others, as they are described on the server now, and read what it may.

    Inside the transaction that publishes, with the rights of the loader or the owner; those of the owner are taken where policies
    or rights have to be given. Returns what an admin has to know: names that the server does not know, of which a role sees nothing,
    roles that can step out of their places, and policies that somebody changed.
    """
    for statement in visible_statements(access):
        session.execute(statement)
    altered = _altered_policies(session, schema)
    # Nobody gets rights before the policies are there.
    statements = [*_policy_statements(session, schema, sorted(access)), *lacking_rights(session, schema, access)]
    if statements:
        session.become(OWNER)
        for statement in statements:
            session.execute(statement)
    return [*altered, *unknown_entries(access, places_there(session)), *ways_out(session, list(access))]


def access_gaps(session: TargetSession, schema: TargetSchema, access: Mapping[str, RowAccess]) -> list[str]:
    """What the next run would put right, in words. The server has everything else."""
    [(places,)] = session.rows(
        f"""{_visible(access)} SELECT count(*) FROM ((TABLE visible EXCEPT SELECT {_COLUMNS} FROM systock.visible_location)
            UNION ALL (SELECT {_COLUMNS} FROM systock.visible_location EXCEPT TABLE visible)) AS other"""
    )
    lacking = missing_roles(session, access)
    told = [f"the server does not have the role {role}: systock target init makes it" for role in lacking]
    told += ["the places that roles see have changed"] if places else []
    told += ["tables lack policies of SyStock, or have others"] if _policy_statements(session, schema, sorted(access)) else []  # fmt: skip
    there = {role: entry for role, entry in access.items() if role not in lacking}
    return [*told, *(["roles lack rights, or have others"] if lacking_rights(session, schema, there) else [])]


def access_sql(schema: TargetSchema, access: Mapping[str, RowAccess]) -> list[str]:
    """The same statements for somebody else to run, whatever is there: policies for the tables that there are, then rights on them."""
    if not access:
        return []
    roles = sorted(access)
    places = "; ".join(visible_statements(access))
    made = [f"IF to_regclass('gold.dim_location') IS NOT NULL THEN {places}; END IF;"]
    for table in schema.tables:
        if table.seen_where:  # the others are the next run's: they hold nobody to places
            name, statements = text_sql(there(table)), _policy_changes(table, roles, False, False, False, {})
            made.append(
                f"""IF to_regclass({name}) IS NOT NULL THEN
        FOR old IN SELECT polname FROM pg_policy WHERE polrelid = to_regclass({name}) AND starts_with(polname, '{_POLICY}') LOOP
            EXECUTE format('DROP POLICY %I ON %s', old, {name});
        END LOOP;
        {"; ".join(statements)};
    END IF;"""
            )
    body = "\n    ".join(made)
    return [do_sql(f"DECLARE old text; BEGIN\n    {body}\nEND"), *rights_sql(schema, access)]


def places_there(session: TargetSession) -> list[Place]:
    """The places as last described on the server."""
    return [Place(*row) for row in session.rows(PLACES)]


def seen_counts(session: TargetSession) -> dict[str, int]:
    """How many places each role sees."""
    return dict(session.rows("SELECT role_name, count(*) FROM systock.visible_location GROUP BY role_name"))


_COLUMNS = "role_name, location_durable_key, source_name, location_id, is_whole_code"


def _visible(access: Mapping[str, RowAccess]) -> str:
    """The beginning of a statement that reads `visible`: who sees which places, by the settings and the last descriptions."""
    entries = [
        f"({text_sql(role)}, {text_sql(kind)}, {text_sql(name)})"
        for role, entry in access.items()
        for kind, names in (("region", entry.regions), ("location", entry.locations))
        for name in names
    ]
    # Of no entry there is no VALUES.
    listed = f"VALUES {', '.join(entries)}" if entries else "SELECT '', '', '' WHERE false"
    return f"""WITH entry (role_name, kind, name) AS ({listed}), place AS ({PLACES}), seen AS (
    SELECT DISTINCT e.role_name, p.location_durable_key, p.source_name, p.location_id FROM entry AS e JOIN place AS p
        ON CASE e.kind WHEN 'region' THEN p.region = e.name ELSE e.name IN (p.location_id, p.source_name || '/' || p.location_id) END
), visible AS (
    SELECT s.role_name, s.location_durable_key, s.source_name, s.location_id, NOT EXISTS (
        SELECT FROM place AS o WHERE o.location_id = s.location_id AND NOT EXISTS (
            SELECT FROM seen AS t WHERE t.role_name = s.role_name AND t.location_durable_key = o.location_durable_key)
    ) AS is_whole_code FROM seen AS s
)"""


def visible_statements(access: Mapping[str, RowAccess]) -> list[str]:
    """The statements that bring systock.visible_location to what holds now; what is there already stays as it is."""
    visible = _visible(access)
    return [
        f"{visible} DELETE FROM systock.visible_location WHERE ({_COLUMNS}) NOT IN (TABLE visible)",
        f"{visible} INSERT INTO systock.visible_location ({_COLUMNS}) TABLE visible EXCEPT SELECT {_COLUMNS} FROM systock.visible_location",
    ]


def _policy_statements(session: TargetSession, schema: TargetSchema, roles: Sequence[str]) -> list[str]:
    """The statements that put policies right; they wait for those who read these tables."""
    made = {
        name: (is_on, others, as_made, dict(zip(policies or (), of or (), strict=True)))
        for name, is_on, others, as_made, policies, of in session.rows(
            f"""SELECT format('%%s.%%s', n.nspname, c.relname), c.relrowsecurity,
                EXISTS (SELECT FROM pg_policy AS p WHERE p.polrelid = c.oid AND NOT starts_with(p.polname, %s)),
                coalesce(bool_and(obj_description(p.oid, 'pg_policy') IS NOT DISTINCT FROM {_SAID}) FILTER (WHERE p.polname IS NOT NULL), true),
                array_agg(CAST(p.polname AS text)) FILTER (WHERE p.polname IS NOT NULL),
                array_agg(array_to_json(ARRAY(
                    SELECT CAST(r.rolname AS text) FROM pg_roles AS r WHERE r.oid = ANY(p.polroles) ORDER BY r.rolname COLLATE "C"
                ))) FILTER (WHERE p.polname IS NOT NULL)
            FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
            LEFT JOIN pg_policy AS p ON p.polrelid = c.oid AND starts_with(p.polname, %s)
            WHERE n.nspname = ANY(%s) AND c.relkind = 'r' GROUP BY c.oid, n.nspname""",
            (_POLICY, _POLICY, list(schema.schemas)),
        )
    }
    named = {role for *_, policies in made.values() for of in policies.values() for role in of}
    return [
        # Who is named no more would see everything from now on.
        *(statement for role in sorted(named - set(roles)) for statement in revoke_sql(schema, role)),
        *(
            statement
            for table in schema.tables
            if table.on_server in made
            for statement in _policy_changes(table, roles, *made[table.on_server])
        ),
    ]


def _policy_changes(
    table: TargetTable,
    roles: Sequence[str],
    is_on: bool,
    has_others: bool,
    are_as_made: bool,
    made: Mapping[str, Sequence[str]],
) -> Iterator[str]:
    """The statements that a table needs. made: our policies there, with the roles that each is for; are_as_made: nobody changed them."""
    condition, name = table.seen_where, there(table)
    rows = _ROWS + hashlib.sha256(condition.encode()).hexdigest()[:12]
    is_restricted = bool(condition and roles)
    # Ours lets everybody see every row: where others made policies of their own, it would undo them.
    wanted: dict[str, list[str]] = {_ALL: []} if is_restricted or not has_others else {}
    if is_restricted:
        wanted[rows] = list(roles)
    if wanted == made and are_as_made and (is_on or not wanted):
        return
    for policy in made:
        yield f"DROP POLICY {quoted(policy)} ON {name}"
    if _ALL in wanted:
        yield f"CREATE POLICY {quoted(_ALL)} ON {name} USING (true) WITH CHECK (true)"
    if is_restricted:
        yield f"CREATE POLICY {quoted(rows)} ON {name} AS RESTRICTIVE TO {', '.join(map(quoted, roles))} USING ({condition})"
    if wanted:
        yield _note_sql(name)
    if wanted and not is_on:
        yield f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY"


def _note_sql(name: str) -> str:
    """The statement that notes what the server says of a table's policies, in their comments."""
    each = f"""DECLARE policy text; said text; BEGIN
    PERFORM set_config('search_path', 'pg_catalog', true);
    FOR policy, said IN SELECT p.polname, {_SAID} FROM pg_policy AS p
        WHERE p.polrelid = to_regclass({text_sql(name)}) AND starts_with(p.polname, '{_POLICY}') LOOP
        EXECUTE format('COMMENT ON POLICY %I ON %s IS %L', policy, {text_sql(name)}, said);
    END LOOP;
END"""
    return do_sql(each)


def _altered_policies(session: TargetSession, schema: TargetSchema) -> list[str]:
    """The policies of ours that somebody changed, in words."""
    found = session.rows(
        f"""SELECT format('%%s of %%s.%%s', p.polname, n.nspname, c.relname)
        FROM pg_policy AS p JOIN pg_class AS c ON c.oid = p.polrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = ANY(%s) AND starts_with(p.polname, %s) AND obj_description(p.oid, 'pg_policy') LIKE {_VERSION} || '%%'
            AND obj_description(p.oid, 'pg_policy') <> {_SAID} ORDER BY 1""",
        (list(schema.schemas), _POLICY),
    )
    return [f"changed by hand on the server and put right: policy {name}" for (name,) in found]


def _some(names: Sequence[str]) -> str:
    return (", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")) or "none"
