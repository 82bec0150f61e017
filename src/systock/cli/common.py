"""What several commands share: their options, and the way to the project."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

if TYPE_CHECKING:
    from systock.project import Project


class Command(TyperCommand):
    """A command whose usage line shows what must be written as it is: SQL, not {SQL}."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The parts of the usage line behind the command's name."""
        return [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]


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
LimitOption = Annotated[int, typer.Option("--limit", "-n", min=0, help="At most so many; 0 for all.")]
HERE = Path()


def open_project(path: Path) -> Project:
    """The project in a folder; what computes is imported only here, so that help and usage errors stay quick."""
    from systock.project import Project

    return Project(path)
