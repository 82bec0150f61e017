"""systock flow: the stages of a run, and what each reads and writes."""

from __future__ import annotations

import typer

from systock.cli.common import HERE, ProjectOption, open_project


def flow(project: ProjectOption = HERE) -> None:
    """Show the way from the sources to the published warehouse."""
    typer.echo(open_project(project).flow())
