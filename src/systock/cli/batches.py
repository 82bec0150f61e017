"""systock batches: what landed."""

from __future__ import annotations

from typing import Annotated

import typer

from systock.cli.common import HERE, Format, FormatOption, LimitOption, ProjectOption, open_project


def batches(
    project: ProjectOption = HERE,
    source: Annotated[str | None, typer.Option("--source", help="Only of this source.")] = None,
    table: Annotated[str | None, typer.Option("--table", help="Only of this raw table.")] = None,
    limit: LimitOption = 50,
    form: FormatOption = Format.table,
) -> None:
    """List the files that landed, the newest first."""
    from systock.cli.rows import print_rows

    rows = open_project(project).batches(source=source, table=table, limit=limit)
    print_rows(rows, form, empty="Nothing has landed yet: put files where systock.toml says, then systock run")
