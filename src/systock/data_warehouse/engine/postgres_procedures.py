"""Procedures of PostgreSQL that capture states as `systock snapshot take` does, each made from the table file of its kind.

A capture is one statement over tables that were bound when the procedure was made: it sees one generation, whatever is published
meanwhile, and hangs on no search path. What it kept waits in SyStock's own schema until it lands.
"""

from __future__ import annotations

from sqlglot import exp

from systock.data_warehouse.engine.postgres_ddl import name_sql, text_sql, typed_select
from systock.data_warehouse.portable_sql import compile_text
from systock.data_warehouse.table_file import TableFile

#: In a file, the table that tells what is captured; in a procedure, a query of that name.
_CAPTURE, _ASKED = "meta.capture", "systock_asked"
#: With the rights of the owner, who may read everything and write what was captured; names are never looked up elsewhere.
SECURE = "SECURITY DEFINER SET search_path = pg_catalog, pg_temp"
#: Values as text in one way, whatever the session says.
_SAME_TEXTS = "SET datestyle = 'ISO, YMD' SET timezone = 'UTC'"
#: Before everything that an archive may state.
_BEFORE_ALL = "TIMESTAMPTZ '1970-01-01 00:00:00+00'"


def capture_name(kind: TableFile) -> str:
    """The procedure that captures a kind of snapshot."""
    return f"capture_{kind.name}"


def capture_statements(kind: TableFile) -> list[str]:
    """The procedures of a kind of snapshot: as of an instant (default: now), and as of the end of a day. Anybody may call them."""
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


def capture_signatures(kind: TableFile) -> list[str]:
    """The same procedures, as statements about them name them."""
    return [f"{_procedure(kind)}({type_})" for type_ in ("timestamptz", "date")]


def state_sql(kind: TableFile) -> str:
    """The query that captures a kind of snapshot, for what stands in `systock_asked`: the columns of meta.capture."""
    assert kind.select is not None
    select = kind.select.copy()
    for found in list(select.find_all(exp.Table)):
        if f"{found.db}.{found.name}" == _CAPTURE:
            found.replace(exp.to_table(_ASKED).as_(found.alias_or_name))
    return typed_select(kind, select)


def _procedure(kind: TableFile) -> str:
    return f"{name_sql(kind.schema)}.{name_sql(capture_name(kind))}"


def _capture(kind: TableFile, argument: str, type_: str, as_of: str, as_of_date: str, comment: str) -> list[str]:
    names = [column.name for column in kind.columns]
    columns = ", ".join(map(text_sql, names))
    cells = ", ".join(f"CAST(state.{name_sql(name)} AS text)" for name in names)
    return [
        f"""CREATE PROCEDURE {_procedure(kind)}({argument})
LANGUAGE sql {SECURE} {_SAME_TEXTS}
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
        f"COMMENT ON PROCEDURE {_procedure(kind)}({type_}) IS {text_sql(comment)}",
    ]
