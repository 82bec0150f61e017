"""systock target: the PostgreSQL server that each generation is brought to."""

from __future__ import annotations

from typing import Annotated

import typer

from systock.cli.common import HERE, Command, Format, FormatOption, ProjectOption, open_project

app = typer.Typer(
    help="The PostgreSQL server that each generation is brought to.", no_args_is_help=True, rich_markup_mode=None
)


@app.command("init", cls=Command)
def init(
    project: ProjectOption = HERE,
    sql: Annotated[
        bool, typer.Option("--sql", help="Only print the statements, for somebody else to run; ask no server.")
    ] = False,
    form: FormatOption = Format.table,
) -> None:
    """Make the roles and schemas that publishing needs, in the database of [target] url.

    Safe to repeat. A database whose schemas hold what is not SyStock's is left alone.
    """
    from systock.cli.rows import note, print_rows

    opened = open_project(project)
    if sql:
        typer.echo(opened.target_init_sql())
        return
    print_rows(opened.target_init(), form)
    note("Next: systock run. Let people read: GRANT systock_reader TO …; or GRANT systock_analyst TO …;")


@app.command("status", cls=Command)
def status(project: ProjectOption = HERE, form: FormatOption = Format.table) -> None:
    """Show the generation on the server and here, what the next run does there, and what was changed by hand."""
    from systock.cli.rows import print_facts

    print_facts(open_project(project).target_status(), form)


@app.command("sync", cls=Command)
def sync(
    project: ProjectOption = HERE,
    full: Annotated[
        bool,
        typer.Option("--full", help="Compare every row, undo what was changed by hand, replace what others published."),
    ] = False,
    form: FormatOption = Format.table,
) -> None:
    """Bring the server to the generation that is published here; nothing is extracted."""
    from systock.cli.progress import show_progress
    from systock.cli.rows import print_facts

    with show_progress() as progress:
        brought = open_project(project).target_sync(full=full, progress=progress)
    print_facts(brought, form)
