"""systock runs: the runs so far, and the steps of one."""

from __future__ import annotations

from typing import Annotated

import typer

from systock.cli.common import HERE, Format, FormatOption, LimitOption, ProjectOption, open_project


def runs(
    run: Annotated[
        int | None, typer.Argument(metavar="RUN", help="Show the steps of this run.", show_default="list the runs")
    ] = None,
    project: ProjectOption = HERE,
    limit: LimitOption = 20,
    form: FormatOption = Format.table,
) -> None:
    """List the runs, the newest first; of one run its steps, with seconds and rows."""
    from systock.cli.rows import print_rows

    opened = open_project(project)
    if run is not None:
        print_rows(opened.run_steps(run), form, empty="This run was cut off: its steps were not noted.")
        return
    rows = opened.runs(limit)
    if form is not Format.json:
        # The whole summary is a document of its own: too much for a cell.
        rows = [{name: value for name, value in row.items() if name != "summary"} for row in rows]
    print_rows(rows, form, empty="No run yet: systock run")
