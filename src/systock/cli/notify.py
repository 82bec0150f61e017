"""systock notify: does a notice reach those who are to be told?"""

from __future__ import annotations

import typer

from systock.cli.common import HERE, Format, FormatOption, ProjectOption, open_project


def notify(project: ProjectOption = HERE, form: FormatOption = Format.table) -> None:
    """Send a test notice to every address of [notify].

    Exit code 1 when one could not be reached.
    """
    from systock.cli.rows import print_rows

    results = open_project(project).notify()
    print_rows(
        [{"address": result["address"], "told": result["problem"] is None, "problem": result["problem"]} for result in results],
        form,
        empty="Nobody is to be notified: see [notify] in docs/settings.md",
    )  # fmt: skip
    if any(result["problem"] for result in results):
        raise typer.Exit(1)
