"""Rows by place for named roles: who sees which places, and the policies of the tables that hold them to it.

Policies restrict the roles that the settings name, and nobody else: for all others queries are planned as without them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from systock.errors import TargetError
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
    missing = session.rows(
        "SELECT name FROM unnest(CAST(%s AS text[])) AS name WHERE to_regrole(quote_ident(name)) IS NULL",
        (list(access),),
    )
    if missing:
        raise TargetError(
            f"row_access names roles that the server does not have: {', '.join(name for (name,) in missing)}",
            where=session.where, state="The server keeps the generation that it had.",
            todo="Run 'systock target init' once more: it makes them; then run again.",
        )  # fmt: skip


def apply_access(session: TargetSession, schema: TargetSchema, access: Mapping[str, RowAccess]) -> list[str]:
    """Let each role of the settings see its places and no others, as they are described on the server now.

    Inside the transaction that publishes, with the rights of the loader or the owner; those of the owner are taken where policies
    have to be made. Returns what the settings name and the server does not know: of that its role sees nothing.
    """
    places = [Place(*row) for row in session.rows(PLACES)]
    _write_visible(session, access, places)
    _write_policies(session, schema, sorted(access))
    return unknown_entries(access, places)


def seen_places(access: Mapping[str, RowAccess], places: Sequence[Place]) -> dict[str, list[Place]]:
    """The places that each role sees."""
    return {
        role: [
            place
            for place in places
            if place.region in entry.regions
            or place.id in entry.locations
            or f"{place.source}/{place.id}" in entry.locations
        ]
        for role, entry in access.items()
    }


def _write_visible(session: TargetSession, access: Mapping[str, RowAccess], places: Sequence[Place]) -> None:
    wanted = set()
    for role, seen in seen_places(access, places).items():
        keys = {place.durable_key for place in seen}
        hidden = {place.id for place in places if place.durable_key not in keys}
        wanted |= {(role, place.durable_key, place.source, place.id, place.id not in hidden) for place in seen}
    columns = "role_name, location_durable_key, source_name, location_id, is_whole_code"
    if set(session.rows(f"SELECT {columns} FROM systock.visible_location")) == wanted:
        return
    session.execute("DELETE FROM systock.visible_location")
    session.execute(
        f"""INSERT INTO systock.visible_location ({columns}) SELECT * FROM unnest(CAST(%s AS text[]), CAST(%s AS bigint[]),
            CAST(%s AS text[]), CAST(%s AS text[]), CAST(%s AS boolean[]))""",
        [list(column) for column in zip(*sorted(wanted), strict=True)] or [[]] * 5,
    )


def _write_policies(session: TargetSession, schema: TargetSchema, roles: Sequence[str]) -> None:
    """Make the policies that are not as they should be; that waits for those who read these tables."""
    made = {
        name: (is_on, others, dict(zip(policies or (), of or (), strict=True)))
        for name, is_on, others, policies, of in session.rows(
            """SELECT format('%%s.%%s', n.nspname, c.relname), c.relrowsecurity,
                EXISTS (SELECT FROM pg_policy AS p WHERE p.polrelid = c.oid AND NOT starts_with(p.polname, %s)),
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
    statements = [
        statement for table in schema.tables for statement in _policy_changes(table, roles, *made[table.on_server])
    ]
    if statements:
        session.become(OWNER)
        for statement in statements:
            session.execute(statement)


def _policy_changes(
    table: TargetTable, roles: Sequence[str], is_on: bool, has_others: bool, made: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    """The statements that a table needs. made: our policies there, with the roles that each is for."""
    condition, name = table.seen_where, there(table)
    rows = _ROWS + hashlib.sha256(condition.encode()).hexdigest()[:12]
    wanted: dict[str, list[str]] = {_ALL: [], rows: list(roles)} if condition and roles else {}
    if wanted == made and (is_on or not wanted):
        return
    for policy in made:
        yield f"DROP POLICY {quoted(policy)} ON {name}"
    if wanted:
        yield f"CREATE POLICY {quoted(_ALL)} ON {name} USING (true) WITH CHECK (true)"
        yield f"CREATE POLICY {quoted(rows)} ON {name} AS RESTRICTIVE TO {', '.join(map(quoted, roles))} USING ({condition})"
    if wanted or (made and not has_others):
        yield f"ALTER TABLE {name} {'ENABLE' if wanted else 'DISABLE'} ROW LEVEL SECURITY"


def _some(names: Sequence[str]) -> str:
    return (", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")) or "none"
