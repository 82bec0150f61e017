"""What roles with places of their own may read, given to them themselves, and who of them can step out of their places.

As members of systock_reader or systock_analyst they could take that role (SET ROLE), whom no policy holds to any place.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from systock.data_warehouse.engine.postgres_ddl import do_sql, text_sql
from systock.load.roles import ANALYST, KEEPER, LOADER, OWNER, READ, READER
from systock.load.target_schema import TargetSchema
from systock.load.target_session import TargetSession
from systock.load.write_rows import there
from systock.sql_text import quoted

if TYPE_CHECKING:
    from systock.config import RowAccess

_RIGHTS = {"reader": READER, "analyst": ANALYST}
#: What the loader may do in our schemas, and in SyStock's own.
_ALL_RIGHTS = ("USAGE", "SELECT", "INSERT", "UPDATE", "DELETE")
_OWN = "systock"
#: From this version on a membership need not let its holder take the role.
_SET_OPTION = 160000


def missing_roles(session: TargetSession, roles: Mapping[str, RowAccess]) -> list[str]:
    """The roles that the server does not have."""
    asked = "SELECT name FROM unnest(CAST(%s AS text[])) AS name WHERE to_regrole(quote_ident(name)) IS NULL"
    return [name for (name,) in session.rows(asked, (list(roles),))]


def lacking_rights(session: TargetSession, schema: TargetSchema, access: Mapping[str, RowAccess]) -> list[str]:
    """The statements that let the roles read what they may, of what is there; none where they may already."""
    names = _relations(schema)
    found = session.rows(
        """SELECT CAST(r.rolname AS text), array_agg(format('%%s.%%s', n.nspname, c.relname)) FROM pg_roles AS r
        CROSS JOIN pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE r.rolname = ANY(%s) AND format('%%s.%%s', n.nspname, c.relname) = ANY(%s) AND NOT EXISTS (
            SELECT FROM aclexplode(c.relacl) AS a WHERE a.grantee = r.oid AND a.privilege_type = 'SELECT') GROUP BY 1 ORDER BY 1""",
        (_own(access), list(names)),
    )
    statements = [
        f"GRANT SELECT ON {', '.join(names[name] for name in sorted(lacks))} TO {quoted(role)}" for role, lacks in found
    ]
    may = session.rows(
        """SELECT CAST(r.rolname AS text), CAST(n.nspname AS text), EXISTS (
            SELECT FROM aclexplode(n.nspacl) AS a WHERE a.grantee = r.oid AND a.privilege_type = 'USAGE')
        FROM pg_roles AS r CROSS JOIN pg_namespace AS n WHERE r.rolname = ANY(%s) AND n.nspname = ANY(%s) ORDER BY 1, 2""",
        (_own(access), list(schema.schemas)),
    )
    return statements + [
        _usage(access[role], role, name) for role, name, has in may if has != _may_name(access[role], name)
    ]


def rights_sql(schema: TargetSchema, access: Mapping[str, RowAccess]) -> list[str]:
    """The same for somebody else to run, whatever is there."""
    own = _own(access)
    if not own:
        return []
    names = ", ".join(map(text_sql, _relations(schema).values()))
    roles = text_sql(f" TO {', '.join(map(quoted, own))}")
    each = f"""DECLARE name text; BEGIN
    FOR name IN SELECT n FROM unnest(ARRAY[{names}]) AS n WHERE to_regclass(n) IS NOT NULL LOOP
        EXECUTE 'GRANT SELECT ON ' || name || {roles};
    END LOOP;
END"""
    return [do_sql(each), *(_usage(access[role], role, name) for role in own for name in schema.schemas)]


def revoke_sql(schema: TargetSchema, role: str) -> list[str]:
    """The statements that take from a role what `lacking_rights` gave it."""
    if role in _RIGHTS.values():
        return []
    return [
        statement
        for name in map(quoted, schema.schemas)
        for statement in (
            f"REVOKE SELECT ON ALL TABLES IN SCHEMA {name} FROM {quoted(role)}",
            f"REVOKE USAGE ON SCHEMA {name} FROM {quoted(role)}",
        )
    ]


def other_rights(session: TargetSession, schema: TargetSchema, access: Mapping[str, RowAccess]) -> list[dict[str, str]]:
    """Rights on what is SyStock's that it did not give: to whom, which, and on what of a schema.

    Nobody's are taken away: whoever gave them may have meant it. They go where tables or questions are made anew.
    """
    rows = session.rows(
        """SELECT CASE given.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(given.grantee) END, given.privilege_type, kind, place,
            min(name), count(DISTINCT name)
        FROM (
            SELECT 'table', n.nspname, format('%%s.%%s', n.nspname, c.relname), c.relacl FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('r', 'p', 'v')
            UNION ALL
            SELECT 'table', n.nspname, format('%%s.%%s (%%s)', n.nspname, c.relname, a.attname), a.attacl
            FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('r', 'p', 'v') AND NOT a.attisdropped
            UNION ALL
            SELECT 'procedure', n.nspname, format('%%s.%%s', n.nspname, p.proname), coalesce(p.proacl, acldefault('f', p.proowner))
            FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace WHERE p.prokind = 'p'
            UNION ALL
            SELECT 'schema', nspname, nspname, nspacl FROM pg_namespace
        ) AS object (kind, place, name, acl) CROSS JOIN aclexplode(object.acl) AS given
        WHERE place = ANY(%s) AND given.grantee IS DISTINCT FROM to_regrole(%s)
        GROUP BY 1, 2, kind, place ORDER BY 1, kind, place, 2""",
        ([*schema.schemas, _OWN], OWNER),
    )
    return [
        {"role": role, "right": right, "on": f"{kind} {name}" + (f" and {count - 1} more" if count > 1 else "")}
        for role, right, kind, place, name, count in rows
        if right not in _given(role, kind, place, access)
    ]


def _given(role: str, kind: str, schema: str, access: Mapping[str, RowAccess]) -> Collection[str]:
    """The rights that a role is given on what is in a schema, or on it."""
    if schema == _OWN:
        return ("SELECT",) if (role, kind) == ("PUBLIC", "table") else _ALL_RIGHTS if role == LOADER else ()
    if kind == "procedure":
        return ("EXECUTE",) if role in (LOADER, KEEPER) else ()
    if kind == "schema":
        may = role == LOADER or role in READ.get(schema, ()) or (role in access and _may_name(access[role], schema))
        return ("USAGE",) if may else ()
    if role == LOADER:
        return _ALL_RIGHTS
    return ("SELECT",) if role in (READER, ANALYST, *access) else ()


def ways_out(session: TargetSession, roles: Sequence[str]) -> list[str]:
    """Who is held to places, but may take a role that is not, each with what ends it."""
    mode = "SET" if session.connection.info.server_version >= _SET_OPTION else "MEMBER"
    found = session.rows(
        """WITH held AS (SELECT oid FROM pg_roles WHERE rolname = ANY(%s)), wide AS (
            SELECT oid, rolname FROM pg_roles AS w
            WHERE rolname = ANY(%s) AND NOT EXISTS (SELECT FROM held WHERE pg_has_role(w.oid, held.oid, 'USAGE'))
        )
        SELECT CAST(m.rolname AS text), CAST(x.rolname AS text), string_agg(DISTINCT CAST(w.rolname AS text), ', ')
        FROM pg_auth_members AS a JOIN pg_roles AS m ON m.oid = a.member JOIN pg_roles AS x ON x.oid = a.roleid CROSS JOIN wide AS w
        WHERE NOT m.rolsuper AND pg_has_role(m.oid, w.oid, %s) AND pg_has_role(x.oid, w.oid, %s)
            AND EXISTS (SELECT FROM held WHERE pg_has_role(m.oid, held.oid, 'USAGE'))
            AND NOT EXISTS (SELECT FROM held WHERE pg_has_role(x.oid, held.oid, 'USAGE'))
        GROUP BY 1, 2 ORDER BY 1, 2""",
        (list(roles), [READER, ANALYST, LOADER, OWNER], mode, mode),
    )
    return [
        f"{member} is held to its places, but may SET ROLE {wide} and see all. REVOKE {quoted(group)} FROM {quoted(member)}; "
        "what a role of row_access may read it is given by systock target init and by runs (rights)"
        for member, group, wide in found
    ]


def _own(access: Mapping[str, RowAccess]) -> list[str]:
    """The roles that are given rights: those of SyStock have theirs."""
    return sorted(set(access) - set(_RIGHTS.values()))


def _relations(schema: TargetSchema) -> dict[str, str]:
    """Quoted names of tables and views by their plain ones: nothing that no policy can be said of."""
    tables = {table.on_server: there(table) for table in schema.tables}
    return tables | {view.on_server: quoted(view.schema, view.name) for view in schema.questions if view.kind == "view"}


def _may_name(entry: RowAccess, schema: str) -> bool:
    return _RIGHTS[entry.rights] in READ.get(schema, ())


def _usage(entry: RowAccess, role: str, schema: str) -> str:
    may = _may_name(entry, schema)
    return f"{'GRANT' if may else 'REVOKE'} USAGE ON SCHEMA {quoted(schema)} {'TO' if may else 'FROM'} {quoted(role)}"
