"""systock status: what is loaded and how fresh it is."""

from __future__ import annotations

from systock.cli.common import HERE, Format, FormatOption, ProjectOption, open_project


def status(project: ProjectOption = HERE, form: FormatOption = Format.table) -> None:
    """Show what is loaded, and how fresh it is."""
    from systock.cli.rows import print_facts

    print_facts(open_project(project).status(), form)
