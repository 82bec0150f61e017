"""systock check: all checks on what is published."""

from __future__ import annotations

import typer

from systock.cli.common import HERE, Format, FormatOption, ProjectOption, open_project


def check(project: ProjectOption = HERE, form: FormatOption = Format.table) -> None:
    """Check everything that is published.

    Keys, references, rules, reconciliation. Exit code 1 when one fails.
    """
    from systock.cli.progress import show_progress
    from systock.cli.rows import note, print_rows
    from systock.cli.summary import counted

    opened = open_project(project)
    with show_progress() as progress:
        results = opened.check(progress)
    failed = [result for result in results if not result["passed"]]
    # For reading, what failed is the news; programs get everything.
    print_rows(failed if form is Format.table else results, form, ("check", "table", "passed", "detail"))
    note(f"{counted(len(results) - len(failed), 'check')} passed, {len(failed):,} failed.")
    if failed:
        raise typer.Exit(1)
