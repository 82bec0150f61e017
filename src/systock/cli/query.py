"""systock query: SQL on the published warehouse."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from systock.cli.common import HERE, Format, FormatOption, ProjectOption, open_project


def query(
    sql: Annotated[
        str, typer.Argument(metavar="SQL", help="One SELECT; - reads it from standard input.", show_default=False)
    ],
    project: ProjectOption = HERE,
    known_at: Annotated[
        str | None,
        typer.Option("--known-at", help="Answer as of what was known at this instant or day, such as 2026-03-31."),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=0, help="Rows in a table; 0 for all.")] = 100,
    form: FormatOption = Format.table,
) -> None:
    """Ask the published warehouse in SQL."""
    from systock.cli.query_rows import rows_of
    from systock.cli.rows import note, print_rows

    result = open_project(project).query(_typed() if sql == "-" else sql, known_at=known_at)
    shown = result.slice(0, limit) if form is Format.table and limit else result
    print_rows(rows_of(shown), form, result.column_names, empty="No rows.")
    if shown.num_rows < result.num_rows:
        note(f"The first {shown.num_rows:,} of {result.num_rows:,} rows; --limit 0 or --format csv gives all.")


def _typed() -> str:
    """What standard input holds; what is not UTF-8 stays as it is for the project to refuse."""
    return sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
