"""Procedures of a server: they capture states as `systock snapshot take` does, and clear away what only grew.

A capture is one statement over tables that were bound when the procedure was made: it sees one generation, whatever is published
meanwhile, and hangs on no search path. What it kept lands with the next run (see captures).
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from systock.data_warehouse.engine.postgres_ddl import name_sql, text_sql, typed_select
from systock.data_warehouse.portable_sql import compile_text
from systock.data_warehouse.table_file import TableFile
from systock.load.roles import KEEPER, LOADER, OWNER

#: In a file, the table that tells what is captured; in a procedure, a query of that name.
_CAPTURE, _ASKED = "meta.capture", "systock_asked"
#: With the rights of the owner, who may read everything and write what was captured; values as text in one way.
_SECURE = "SECURITY DEFINER SET search_path = pg_catalog, pg_temp"
_SAME_TEXTS = "SET datestyle = 'ISO, YMD' SET timezone = 'UTC'"
#: Before everything that an archive may state.
_BEFORE_ALL = "TIMESTAMPTZ '1970-01-01 00:00:00+00'"
#: How long notes are kept, and dropping what nobody should read any more waits for those who still do.
_KEEP, _PATIENCE = "90 days", "2s"


def capture_name(kind: TableFile) -> str:
    """The procedure that captures a kind of snapshot."""
    return f"capture_{kind.name}"


def capture_statements(kind: TableFile) -> list[str]:
    """The procedure of a kind of snapshot: as of an instant (default: now), and as of the end of a day."""
    day = compile_text("business_date($1, project.timezone, project.business_day_cutover)", "postgres")
    next_day = compile_text(
        "start_of_business_date($1 + 1, project.timezone, project.business_day_cutover)", "postgres"
    )
    end = f"({next_day}) - INTERVAL '1 microsecond'"
    what = f"Keeps {kind.name} as it is known here; it shows in snapshot.{kind.name} once the next run has landed it."
    return [
        *_capture(kind, "as_of timestamptz DEFAULT now()", "timestamptz", "$1", day, f"{what} as_of: of an instant."),
        *_capture(kind, "day date", "date", end, "$1", f"{what} day: of the end of a business day."),
    ]


def state_sql(kind: TableFile) -> str:
    """The query that captures a kind of snapshot, for what stands in `systock_asked`: the columns of meta.capture."""
    assert kind.select is not None
    select = kind.select.copy()
    for found in list(select.find_all(exp.Table)):
        if f"{found.db}.{found.name}" == _CAPTURE:
            found.replace(exp.to_table(_ASKED).as_(found.alias_or_name))
    return typed_select(kind, select)


def _capture(kind: TableFile, argument: str, type_: str, as_of: str, as_of_date: str, comment: str) -> list[str]:
    names = [column.name for column in kind.columns]
    columns = ", ".join(map(text_sql, names))
    cells = ", ".join(f"CAST(state.{name_sql(name)} AS text)" for name in names)
    procedure = f"{name_sql(kind.schema)}.{name_sql(capture_name(kind))}"
    return [
        f"""CREATE PROCEDURE {procedure}({argument})
LANGUAGE sql {_SECURE} {_SAME_TEXTS}
BEGIN ATOMIC
SELECT systock.check_capture((SELECT {as_of} FROM "meta"."project" AS project), EXISTS (SELECT FROM "meta"."progress"));
WITH clock AS MATERIALIZED (
    SELECT clock_timestamp() AS captured_at
),
{_ASKED} AS MATERIALIZED (
    SELECT asked.as_of, asked.as_of_date, clock.captured_at, progress.generation, progress.known_at, asked.project_name,
        GREATEST(asked.as_of + INTERVAL '1 microsecond', LEAST(COALESCE(progress.known_at, {_BEFORE_ALL}), clock.captured_at)) AS ended_by_at
    FROM (SELECT {as_of} AS as_of, {as_of_date} AS as_of_date, project.project_name FROM "meta"."project" AS project) AS asked
    CROSS JOIN "meta"."progress" AS progress
    CROSS JOIN clock
),
state AS MATERIALIZED (
    {state_sql(kind)}
),
capture AS (
    INSERT INTO systock.capture (kind, as_of, as_of_date, project, log_from, generation, known_at, captured_at, row_count, columns)
    SELECT {text_sql(kind.name)}, as_of, as_of_date, project_name, (SELECT min(known_at) FROM "meta"."batch"), generation, known_at,
        captured_at, (SELECT count(*) FROM state), ARRAY[{columns}]
    FROM {_ASKED}
    RETURNING capture_no
)
INSERT INTO systock.captured_row (capture_no, cells)
SELECT capture.capture_no, ARRAY[{cells}] FROM capture CROSS JOIN state;
END""",
        *_rights(f"{procedure}({type_})", comment),
    ]


def prune_statements(schemas: Sequence[str]) -> list[str]:
    """The procedure that clears away what a server keeps beside what is published. schemas: those that are published to.

    The last note of each kind of change by hand stays, so that the next run still tells of it; what has not landed stays.
    """
    ours = ", ".join(map(text_sql, schemas))
    return [
        f"""CREATE PROCEDURE "meta"."prune"(keep interval DEFAULT INTERVAL '{_KEEP}')
LANGUAGE plpgsql {_SECURE} SET lock_timeout = '{_PATIENCE}' AS $prune$
DECLARE
    landed bigint; noted bigint; aside text;
BEGIN
    IF keep IS NULL OR keep < INTERVAL '0' THEN
        RAISE EXCEPTION 'keep is no span of time: %', coalesce(CAST(keep AS text), 'NULL') USING ERRCODE = '22023';
    END IF;
    DELETE FROM systock.capture WHERE landed_at < now() - keep;
    GET DIAGNOSTICS landed = ROW_COUNT;
    DELETE FROM systock.hand_change AS note WHERE note.changed_at < now() - keep AND EXISTS (
        SELECT FROM systock.hand_change AS later
        WHERE later.table_name = note.table_name AND later.operation = note.operation AND later.change_no > note.change_no);
    GET DIAGNOSTICS noted = ROW_COUNT;
    SELECT string_agg(format('%I', nspname), ', ') INTO aside FROM pg_namespace
    WHERE regexp_replace(nspname, '__old_\\d+$', '') = ANY(ARRAY[{ours}]) AND nspname <> ALL(ARRAY[{ours}])
        AND nspowner = to_regrole('{OWNER}');
    IF aside IS NOT NULL THEN
        BEGIN
            EXECUTE 'DROP SCHEMA ' || aside || ' CASCADE';
        EXCEPTION WHEN lock_not_available THEN
            RAISE NOTICE 'still being read, left: %', aside;
            aside := NULL;
        END;
    END IF;
    RAISE NOTICE 'removed: % captures that have landed, % notes of changes by hand, tables that went aside: %',
        landed, noted, coalesce(aside, 'none');
END
$prune$""",
        *_rights(
            '"meta"."prune"(interval)',
            "Removes captures that landed and notes of changes by hand older than keep, and tables that went aside.",
        ),
    ]


def _rights(procedure: str, comment: str) -> list[str]:
    return [
        f"REVOKE ALL ON PROCEDURE {procedure} FROM PUBLIC",
        f"GRANT EXECUTE ON PROCEDURE {procedure} TO {LOADER}, {KEEPER}",
        f"COMMENT ON PROCEDURE {procedure} IS {text_sql(comment)}",
    ]
