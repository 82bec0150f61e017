"""systock init: a new project folder."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Annotated

import typer

from systock.errors import StorageError, UsageError

TEMPLATES = Path(__file__).parent / "templates"
EXAMPLES = Path(__file__).parents[1] / "examples"
CONNECTORS = Path(__file__).parents[1] / "connectors"


def init(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to make; it must be new or empty.")],
    example: Annotated[
        str | None, typer.Option("--example", help="Copy this example: its settings and mappings.")
    ] = None,
    connector: Annotated[
        str | None, typer.Option("--connector", help="Ask this system: settings and mappings that know it.")
    ] = None,
) -> None:
    """Make a new project folder: settings and mappings to adapt."""
    if example and connector:
        raise UsageError("--example and --connector are given", state="nothing was written", todo="name one of them")
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise UsageError(
            f"{directory} is not an empty folder",
            state="nothing was written",
            todo="name a new folder, or empty this one",
        )
    source = _shipped(EXAMPLES, "example", example) if example else None
    if connector:
        source = _shipped(CONNECTORS, "connector", connector)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if source:
            shutil.copytree(
                source, directory, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", ".systock")
            )
        else:
            _write_project(directory)
        (directory / ".systock").mkdir(mode=0o700, exist_ok=True)  # for its owner alone: what landed, and secrets
        (directory / "incoming").mkdir(exist_ok=True)
        (directory / "incoming" / ".gitkeep").touch()
        if not (directory / ".gitignore").exists():
            shutil.copyfile(TEMPLATES / "gitignore", directory / ".gitignore")
    except OSError as error:
        raise StorageError(
            f"the project cannot be written: {error.strerror}", where=str(error.filename or directory)
        ) from error
    typer.echo(f"A new project is in {directory}. Next:")
    if connector:
        typer.echo("  1. say in systock.toml where it is; secrets, as NAME=value, in .systock/secrets.env")
        typer.echo("  2. look in sources/ at what its fields mean, and change what is different with you")
    else:
        typer.echo("  1. put files into incoming/, and say in systock.toml which they are")
        typer.echo("  2. say in sources/<source>/<entity>.sql which columns mean what")
    typer.echo(f"  3. systock run --project {directory}")


def shipped(folder: Path) -> list[str]:
    """The names of the examples or connectors that come with the package."""
    return sorted(path.parent.name for path in folder.glob("*/systock.toml"))


def _shipped(folder: Path, kind: str, name: str) -> Path:
    if name not in shipped(folder):
        raise UsageError(
            f"there is no {kind} {name!r}",
            where=f"--{kind}",
            state="nothing was written",
            todo=f"valid: {', '.join(shipped(folder))}",
        )
    return folder / name


def _write_project(directory: Path) -> None:
    """A project of one source, whose settings and mapping explain themselves."""
    name = re.sub(r"[\"\\\x00-\x1f\x7f]", "", directory.resolve().name) or "project"
    settings = (TEMPLATES / "systock.toml").read_text("utf-8").replace("@NAME@", name)
    (directory / "systock.toml").write_text(settings, "utf-8")
    (directory / "incoming" / "pos").mkdir(parents=True)
    (directory / "sources" / "pos").mkdir(parents=True)
    shutil.copyfile(TEMPLATES / "sale_line.sql", directory / "sources" / "pos" / "sale_line.sql")
