"""systock quarantine: the rows that were set aside, why, and trying them again."""

from __future__ import annotations

from typing import Annotated

import typer

from systock.cli.common import HERE, Command, Format, FormatOption, LimitOption, ProjectOption, open_project

app = typer.Typer(
    help="List, show and retry the rows that were set aside.", no_args_is_help=True, rich_markup_mode=None
)
COLUMNS = ("number", "source", "table", "entity", "file", "row", "rule", "column", "value", "known_at", "batch_id")
# In a table for reading, where batch ids would only take the room.
READ_COLUMNS = COLUMNS[:-2]


@app.command("list", cls=Command)
def list_rows(
    project: ProjectOption = HERE,
    source: Annotated[str | None, typer.Option("--source", help="Only of this source.")] = None,
    entity: Annotated[str | None, typer.Option("--entity", help="Only of this entity, such as sale_line.")] = None,
    rule: Annotated[str | None, typer.Option("--rule", help="Only what this rule set aside.")] = None,
    limit: LimitOption = 50,
    form: FormatOption = Format.table,
) -> None:
    """List the rows, each with the rule it broke and the value."""
    from systock.cli.rows import note, print_rows

    rows = open_project(project).quarantine(limit, source=source, entity=entity, rule=rule)
    if form is Format.table:
        rows = [{name: row.get(name) for name in READ_COLUMNS} | {"value": _short(row["value"])} for row in rows]
    print_rows(rows, form, READ_COLUMNS if form is Format.table else COLUMNS, empty="Nothing is set aside.")
    numbers = [row["number"] for row in rows if row["number"] is not None]
    if form is Format.table and numbers:
        more = f" These are the first {limit}: --limit shows more." if len(rows) == limit else ""
        note(f"\nThe whole row: systock quarantine show {numbers[0]}.{more}")


def _short(value: object) -> object:
    """A whole broken line is too wide for a list."""
    return f"{value[:59]}…" if isinstance(value, str) and len(value) > 60 else value


@app.command("show", cls=Command)
def show(
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="The number that 'list' shows.")],
    project: ProjectOption = HERE,
    form: FormatOption = Format.table,
) -> None:
    """Show one row, whole, as it came."""
    from systock.cli.rows import print_facts

    print_facts(open_project(project).quarantine_show(number), form)


@app.command("retry", cls=Command)
def retry(project: ProjectOption = HERE, form: FormatOption = Format.table) -> None:
    """Try the rows again, after a correction.

    After a mapping or a setting was corrected; each row keeps the time at which its batch became known.
    """
    from systock.cli.progress import show_progress
    from systock.cli.rows import print_facts

    opened = open_project(project)
    with show_progress() as progress:
        result = opened.quarantine_retry(progress)
    if form is not Format.table:
        print_facts(result, form)
        return
    before, after = result["before"], result["after"]
    were, are = ("row was" if before == 1 else "rows were"), ("is" if after == 1 else "are")
    typer.echo(f"{before:,} {were} set aside before, {after:,} {are} now.")
    if after:
        typer.echo("What is left, and why: systock quarantine list")
