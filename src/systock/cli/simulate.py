"""systock simulate: a retail chain's source systems, made up, with an answer key."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from systock.cli.progress import BarProgress, PlainProgress
    from systock.simulator import AnswerKey
    from systock.simulator.shop_api import ShopFaults

HOST, PORT = "127.0.0.1", 8765

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
    serve: Annotated[
        bool, typer.Option("--serve", help="With a database and a web shop, whose API is served until Ctrl-C.")
    ] = False,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Where the shop's API listens; 0: any free port.")
    ] = PORT,
    host: Annotated[str, typer.Option("--host", help="At which name or address of this machine it listens.")] = HOST,
    shop_faults: Annotated[
        str, typer.Option("--shop-faults", help="What goes wrong at the API: all, none, or names parted by commas.")
    ] = "none",
) -> None:
    """Write a made-up chain's source systems, and the right answers.

    Tills, an ERP system and count sheets, each with its own formats and faults, below DIR/incoming; and what a right
    warehouse says about them in DIR/answer_key.json. A folder without settings gets those of the example retail_chain.

    With --serve the ERP is a database, counts are workbooks, and there is a web shop with an API. A DIR that holds such
    a chain already is only served.
    """
    from systock.cli.progress import show_progress
    from systock.cli.summary import counted
    from systock.simulator.shop_api import ShopFaults, free_port
    from systock.simulator.shop_data import FILE_NAME

    wrong = ShopFaults.asked(shop_faults)
    if serve and (directory / FILE_NAME).exists():
        _serve(directory, wrong, port, host)
        return
    port = free_port(port, host) if serve else port
    with show_progress() as progress:
        key = make_chain(
            directory, progress, days=days, stores=stores, products=products, seed=seed, faults=faults, live=serve, port=port, host=host
        )  # fmt: skip
    for table in key.tables:
        typer.echo(f"{table.table}: {counted(table.lines, 'line')} in {counted(table.files_landed, 'file')}")
    typer.echo(f"Faults put in: {len(key.faults):,}. The right answers are in {directory / 'answer_key.json'}.")
    typer.echo(f"Next: systock run --project {directory}")
    if serve:
        _serve(directory, wrong, port, host)


def _serve(directory: Path, faults: ShopFaults, port: int, host: str) -> None:
    from threading import Event

    from systock.simulator.shop_api import PASSWORD, USER, ShopApi

    with ShopApi(directory, faults, port, host).serving() as api:
        typer.echo(f"The web shop answers at {api.base_url} (user {USER!r}, password {PASSWORD!r}) until Ctrl-C.")
        sys.stdout.flush()
        with suppress(KeyboardInterrupt):
            Event().wait()


def make_chain(
    directory: Path,
    progress: PlainProgress | BarProgress,
    *,
    days: int,
    stores: int,
    products: int,
    seed: int,
    faults: str,
    live: bool = False,
    port: int = PORT,
    host: str = HOST,
) -> AnswerKey:
    """Write the source files and the answer key, and the settings and mappings where there are none."""
    from systock.config import SETTINGS_FILE
    from systock.simulator import simulate, write_project

    tell = _shares(progress)
    key = simulate(
        directory, seed=seed, days=days, stores=stores, products=products, faults=faults, live=live, progress=tell
    )
    if not (directory / SETTINGS_FILE).exists():
        write_project(directory, f"http://{host}:{port}" if live else None)
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
