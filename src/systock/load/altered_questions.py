"""Views, functions and procedures that somebody changed on the server, by what it says of them itself.

When they were made, a hash of what the server then said is noted beside them: nothing of their SQL has to be read here.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from systock.load.roles import OWNER
from systock.load.target_schema import TargetSchema
from systock.load.target_session import TargetSession
from systock.sql_text import literal

#: Views with their options and who they belong to, functions and procedures with all that have their name: a hash of each.
#: Names in them are whole, as the session's search_path is empty.
_SAID = f"""SELECT name, md5(string_agg(said, '; ' ORDER BY said COLLATE "C")) AS said FROM (
    SELECT format('%s.%s', n.nspname, c.relname) AS name, concat_ws(' ', CASE WHEN c.relowner <> to_regrole({literal(OWNER)}) THEN 'of another' END,
        array_to_string(c.reloptions, ','), pg_get_viewdef(c.oid)) AS said
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind = 'v' AND n.nspname IN (SELECT split_part(name, '.', 1) FROM systock.object)
    UNION ALL
    SELECT format('%s.%s', n.nspname, p.proname), concat_ws(' ', CASE WHEN p.proowner <> to_regrole({literal(OWNER)}) THEN 'of another' END,
        pg_get_functiondef(p.oid))
    FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
    WHERE p.prokind IN ('f', 'p') AND n.nspname IN (SELECT split_part(name, '.', 1) FROM systock.object)
) AS questions GROUP BY name"""


@dataclass(frozen=True)
class AlteredQuestion:
    """A view, function or procedure that is not there as it was made. what: changed or dropped."""

    name: str
    kind: str
    what: str

    @property
    def text(self) -> str:
        return f"{self.kind} {self.name} ({self.what})"


def altered_questions(session: TargetSession, schema: TargetSchema) -> list[AlteredQuestion]:
    """Those that were changed or dropped since they were made, of those whose definition can be compared (see `is_unsure`)."""
    kinds = {question.on_server: question.kind for question in schema.questions}
    rows = session.rows(
        f"""SELECT o.name, said.said IS NULL FROM systock.object AS o LEFT JOIN ({_SAID.replace("%", "%%")}) AS said ON said.name = o.name
        WHERE to_jsonb(o) ->> 'definition' LIKE %s || '%%' AND to_jsonb(o) ->> 'definition' IS DISTINCT FROM %s || said.said
        ORDER BY 1""",
        (_version(session), _version(session)),
    )
    return [AlteredQuestion(name, kinds.get(name, "question"), "dropped" if gone else "changed") for name, gone in rows]


def is_unsure(session: TargetSession) -> bool:
    """Can it not be told whether they were changed? An older SyStock made them, or an older server, which may say the same in other words."""
    return bool(
        session.rows(
            """SELECT 1 FROM systock.object AS o WHERE types IS NULL AND (to_jsonb(o) ->> 'definition' LIKE %s || '%%') IS NOT TRUE LIMIT 1""",
            (_version(session),),
        )
    )


def note_definitions(session: TargetSession, left: Collection[str], before: dict[str, str | None]) -> None:
    """Note how they are there now; of `left`, which were changed by hand and not made anew, what was noted before."""
    session.execute(
        f"UPDATE systock.object AS o SET definition = %s || said.said FROM ({_SAID.replace('%', '%%')}) AS said WHERE said.name = o.name",
        (_version(session),),
    )
    for name in left:
        session.execute("UPDATE systock.object SET definition = %s WHERE name = %s", (before.get(name), name))


def noted_definitions(session: TargetSession) -> dict[str, str | None]:
    """What was noted, by name."""
    return dict(session.rows("SELECT name, to_jsonb(o) ->> 'definition' FROM systock.object AS o"))


def _version(session: TargetSession) -> str:
    """Stands before a hash: another version of the server may say the same in other words."""
    return f"{session.connection.info.server_version // 10000}:"
