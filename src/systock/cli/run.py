"""systock run: from the sources to the published warehouse."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from systock.cli.common import HERE, Format, FormatOption, ProjectOption, open_project


def run(
    project: ProjectOption = HERE,
    select: Annotated[
        list[str] | None,
        typer.Option(
            "--select",
            help="Extract only this source or source.table, or with + before a table of the warehouse what it is made from.",
            show_default="every source",
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="Extract only what is of this day or later: files by their stated time, rows by their cursor.",
        ),
    ] = None,
    until: Annotated[str | None, typer.Option("--to", help="Extract only what is of this day or earlier.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Build everything anew from bronze.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    form: FormatOption = Format.table,
) -> None:
    """Bring the warehouse up to date and publish it.

    Reads what is new, refreshes what it touches, checks it and publishes it whole, or not at all.
    Safe to repeat at any time; what a crash left is finished by the next run.
    """
    from systock.cli.progress import show_progress
    from systock.cli.rows import print_facts, print_rows
    from systock.pipeline_manager.run_pipeline import SourcesFailed

    opened = open_project(project)
    code = 0
    with show_progress() as progress:
        try:
            summary = opened.run(select=select, full=full, dry_run=dry_run, progress=progress, since=since, until=until)
        except SourcesFailed as error:
            summary, code = error.summary, error.exit_code
    if form is Format.json:
        print_facts(asdict(summary), form)
    elif form is Format.csv:
        print_rows(summary.entities, form)
    else:
        from systock.cli.summary import summary_text

        typer.echo(summary_text(summary, opened))
    raise typer.Exit(code)
