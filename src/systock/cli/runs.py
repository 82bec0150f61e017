"""systock runs: the runs so far."""

from __future__ import annotations

from systock.cli.common import HERE, Format, FormatOption, LimitOption, ProjectOption, open_project


def runs(project: ProjectOption = HERE, limit: LimitOption = 20, form: FormatOption = Format.table) -> None:
    """List the runs, the newest first."""
    from systock.cli.rows import print_rows

    rows = open_project(project).runs(limit)
    if form is not Format.json:
        # The whole summary is a document of its own: too much for a cell.
        rows = [{name: value for name, value in row.items() if name != "summary"} for row in rows]
    print_rows(rows, form, empty="No run yet: systock run")
