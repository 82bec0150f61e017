"""systock snapshot: what was reported at a point in time, kept for good."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from systock.cli.common import HERE, Command, Format, FormatOption, ProjectOption, open_project

app = typer.Typer(
    help="Keep what is reported now, and list what was kept.", no_args_is_help=True, rich_markup_mode=None
)


class Kind(StrEnum):
    """What a snapshot holds."""

    product = "product"
    sales = "sales"
    stock = "stock"


@app.command("take", cls=Command)
def take(
    project: ProjectOption = HERE,
    kind: Annotated[Kind | None, typer.Option("--kind", help="Only this kind.", show_default="all kinds")] = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="The state at this day or instant.", show_default="now")
    ] = None,
    form: FormatOption = Format.table,
) -> None:
    """Keep the state of products, sales and stock as it is known now.

    It never changes afterwards, whatever is delivered or corrected later.
    """
    from systock.cli.progress import show_progress
    from systock.cli.rows import print_rows

    with show_progress() as progress:
        taken = open_project(project).snapshot_take(kind.value if kind else None, as_of, progress=progress)
    print_rows(taken, form, empty="Nothing to keep.")


@app.command("list", cls=Command)
def list_snapshots(project: ProjectOption = HERE, form: FormatOption = Format.table) -> None:
    """List the snapshots that were taken."""
    from systock.cli.rows import print_rows

    print_rows(open_project(project).snapshots(), form, empty="No snapshot yet: systock snapshot take")


@app.command("diff", cls=Command)
def diff(
    before: Annotated[int, typer.Argument(metavar="A", help="Number of a snapshot.", show_default=False)],
    after: Annotated[int, typer.Argument(metavar="B", help="Number of another one.", show_default=False)],
    project: ProjectOption = HERE,
    kind: Annotated[Kind | None, typer.Option("--kind", help="Only this kind.", show_default="all kinds")] = None,
    form: FormatOption = Format.table,
) -> None:
    """Show what differs between two snapshots, column by column."""
    from systock.cli.rows import print_rows

    rows = open_project(project).snapshot_diff(before, after, kind.value if kind else None)
    print_rows(rows, form, empty="Nothing differs.")
