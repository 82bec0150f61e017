"""What several commands share: their options, and the way to the project."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from systock.project import Project


class Format(StrEnum):
    """How rows are printed."""

    table = "table"
    csv = "csv"
    json = "json"


ProjectOption = Annotated[
    Path,
    typer.Option("--project", "-p", envvar="SYSTOCK_PROJECT", help="The project folder.", show_default="this folder"),
]
FormatOption = Annotated[Format, typer.Option("--format", "-f", help="How to print: for reading, or for programs.")]
LimitOption = Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many, the newest first.")]
HERE = Path()


def open_project(path: Path) -> Project:
    """The project in a folder; what computes is imported only here, so that help and usage errors stay quick."""
    from systock.project import Project

    return Project(path)
