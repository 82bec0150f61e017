"""systock simulate: a retail chain's source systems, made up, with an answer key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from systock.cli.progress import BarProgress, PlainProgress
    from systock.simulator import AnswerKey

DaysOption = Annotated[int, typer.Option("--days", help="Days of trade.")]
StoresOption = Annotated[int, typer.Option("--stores", help="Stores, beside a warehouse.")]
ProductsOption = Annotated[int, typer.Option("--products", help="Products.")]
SeedOption = Annotated[int, typer.Option("--seed", help="The same seed gives the same files, byte for byte.")]
FaultsOption = Annotated[str, typer.Option("--faults", help="all, none, or names parted by commas.")]


def simulate(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write; a new folder becomes a project.")],
    days: DaysOption = 90,
    stores: StoresOption = 5,
    products: ProductsOption = 200,
    seed: SeedOption = 7,
    faults: FaultsOption = "all",
) -> None:
    """Write a made-up chain's source files, and the right answers.

    Tills, an ERP system and count sheets, each with its own formats and faults, below DIR/incoming; and what a right
    warehouse says about them in DIR/answer_key.json. A folder without settings gets those of the example retail_chain.
    """
    from systock.cli.progress import show_progress
    from systock.cli.summary import counted

    with show_progress() as progress:
        key = make_chain(directory, progress, days=days, stores=stores, products=products, seed=seed, faults=faults)
    for table in key.tables:
        typer.echo(f"{table.table}: {counted(table.lines, 'line')} in {counted(table.files_landed, 'file')}")
    typer.echo(f"Faults put in: {len(key.faults):,}. The right answers are in {directory / 'answer_key.json'}.")
    typer.echo(f"Next: systock run --project {directory}")


def make_chain(
    directory: Path,
    progress: PlainProgress | BarProgress,
    *,
    days: int,
    stores: int,
    products: int,
    seed: int,
    faults: str,
) -> AnswerKey:
    """Write the source files and the answer key, and the settings and mappings where there are none."""
    from systock.config import SETTINGS_FILE
    from systock.simulator import simulate, write_project

    tell = _shares(progress)
    key = simulate(directory, seed=seed, days=days, stores=stores, products=products, faults=faults, progress=tell)
    if not (directory / SETTINGS_FILE).exists():
        write_project(directory)
    return key


def _shares(progress: PlainProgress | BarProgress) -> Callable[[str, float], None]:
    """Shows the share of each step that the simulator tells, in percent."""
    stage, shown = "", 0

    def tell(what: str, share: float) -> None:
        nonlocal stage, shown
        if what != stage:
            stage, shown = what, 0
            progress.stage(what, 100)
        percent = int(share * 100)
        # A line in a log says that a step is done; percents are for a bar that moves.
        if progress.moves and percent > shown:
            progress.advance(percent - shown)
            shown = percent

    return tell
