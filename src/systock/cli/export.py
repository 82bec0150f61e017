"""systock export: published tables as files, and as sources for dbt."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from systock.cli.common import HERE, Format, FormatOption, ProjectOption, open_project
from systock.errors import UsageError

#: In place of a table (whose names have a schema): the sources of a dbt project.
DBT = "dbt"


class FileFormat(StrEnum):
    """How exported files are written."""

    parquet = "parquet"
    csv = "csv"


def export(
    tables: Annotated[
        list[str],
        typer.Argument(
            metavar="TABLE",
            help="serve.sales_daily, a pattern such as 'serve.*', or dbt: a sources.yml for dbt.",
            show_default=False,
        ),
    ],
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="The folder to write to.", show_default=False)],
    project: ProjectOption = HERE,
    kind: Annotated[
        FileFormat, typer.Option("--format-of-files", help="What the files are; csv is exact to the letter.")
    ] = FileFormat.parquet,
    form: FormatOption = Format.table,
) -> None:
    """Write published tables and questions as files.

    One file for each, all of one generation; earlier exports in the folder are replaced. 'systock export dbt' writes a
    sources.yml for a dbt project instead: descriptions, types and tests of everything that is published.
    """
    from systock.cli.progress import show_progress
    from systock.cli.rows import note, print_rows
    from systock.cli.summary import counted

    if DBT in tables:
        if len(tables) > 1:
            raise UsageError(
                "dbt stands beside tables", where="TABLE", state="Nothing was written.",
                todo="Call it twice: 'systock export dbt --to DIR', and the tables.",
            )  # fmt: skip
        print_rows([open_project(project).export_dbt(to)], form)
        return
    opened = open_project(project)
    with show_progress() as progress:
        files = opened.export(tables, to, kind.value, progress)
    print_rows(files, form, ("table", "file", "rows", "bytes"))
    note(f"{counted(len(files), 'file')} in {to}.")
