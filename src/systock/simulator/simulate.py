"""One call that makes the chain, lets it trade, writes its files with their faults, and the answer key."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from decimal import Decimal
from importlib.resources import as_file, files
from pathlib import Path
from shutil import copyfile, copytree

from systock.errors import UsageError
from systock.simulator import counts, erp, erp_database, erp_papers, pos, shop_data
from systock.simulator.answer_key import FILE_NAME, AnswerKey
from systock.simulator.chain import build_chain
from systock.simulator.delivery import FileFate, SourceFile
from systock.simulator.expectation import answers, line_counts
from systock.simulator.faults import asked_faults, put_in
from systock.simulator.trade import Trade

Progress = Callable[[str, float], None]
START = date(2024, 3, 1)
_SHOP_URL = "http://127.0.0.1:8765"  # as the settings have it
SYSTEMS = ("pos", "erp", "counts", "desk")
_KEPT = (FILE_NAME, erp_database.FILE_NAME, shop_data.FILE_NAME)


def _check(folder: Path, days: int, stores: int, products: int) -> None:
    for name, value, least, most in (
        ("days", days, 1, 3660),
        ("stores", stores, 1, 99),
        ("products", products, 12, 5000),
    ):
        if not least <= value <= most:
            raise UsageError(
                f"{name} = {value} is not between {least} and {most}.",
                where="simulate",
                todo=f"Give {name} in that range.",
            )
    held = [folder / "incoming" / name for name in SYSTEMS if any((folder / "incoming" / name).glob("*"))]
    held += [path for name in _KEPT if (path := folder / name).exists()]
    if held:
        raise UsageError(
            f"{folder} already holds files of a simulated chain.",
            where=str(held[0]),
            state="Nothing was written.",
            todo=f"Name an empty folder, or delete incoming/, {', '.join(_KEPT)} first.",
        )


def simulate(
    folder: Path | str,
    *,
    seed: int = 7,
    days: int = 90,
    stores: int = 5,
    products: int = 200,
    start: date = START,
    faults: str | Iterable[str] = "all",
    live: bool = False,
    progress: Progress | None = None,
) -> AnswerKey:
    """Write the source systems below folder/incoming, and folder/answer_key.json; same arguments, same bytes.

    faults: "all", "none", or names of systock.simulator.FAULTS.
    live: the ERP is the database folder/erp.sqlite instead of files, counts are workbooks, and there is a web shop, whose
        API (shop_api) serves folder/shop.json; all three as they stand at the end.
    progress: called with what is being done and how far it is (0 to 1).
    """
    folder = Path(folder)
    names = asked_faults(faults)
    _check(folder, days, stores, products)
    tell = progress or (lambda what, share: None)
    chain = build_chain(seed, start, days, stores, products, web_shop=live)
    history = Trade(chain, seed).run(lambda share: tell("trading", share))
    delivered = [file for source in (erp, erp_papers, pos) for file in source.files(chain, history)]
    delivered += counts.files(chain, history, "xlsx" if live else "csv")
    bench = put_in(chain, history, delivered, names, seed, live=live)
    delivered.sort(key=lambda file: (file.known_at, file.path))
    database: list[SourceFile] = []
    shop: list[SourceFile] = []
    if live:
        end = max(file.known_at for file in delivered)
        database, shop = erp_database.tables(delivered, end, end), shop_data.tables(chain, history, end)
        delivered = [file for file in delivered if not file.table.startswith("erp.")]
        bench.moved(database)
    asked = [*database, *shop[: len(shop_data.ASKED)]]
    everything = [*delivered, *(table for table in asked if table.lines)]  # a table without rows delivers nothing
    times, sales, on_hand, totals, versions, papers, counts_explained = answers(
        chain, history, everything, lambda share: tell("working out the answers", share)
    )
    file_keys, table_keys = line_counts(everything)
    for number, file in enumerate(delivered, start=1):
        file.write(folder)
        tell("writing files", number / len(delivered))
    if live:
        erp_database.write(folder, database)
        shop_data.write(folder, shop)
    key = AnswerKey(
        seed,
        start.isoformat(),
        days,
        "EUR",
        names,
        times,
        Decimal(history.lost_units).scaleb(-3),
        sales,
        on_hand,
        totals,
        sorted(versions, key=lambda version: (version.product_id, version.version_at)),
        papers.purchases,
        papers.transfers,
        papers.web_orders,
        papers.store_days,
        papers.payments,
        papers.held_payments,
        counts_explained,
        file_keys,
        table_keys,
        bench.places(),
    )
    assert len({file.path for file in delivered}) == len(delivered), "two files of one name"
    assert all(key.fate != FileFate.LANDED or key.lines == _sum(key) for key in file_keys)
    key.save(folder / FILE_NAME)
    return key


def _sum(key: object) -> int:
    return sum(
        getattr(key, name) for name in ("kept", "unchanged", "superseded", "duplicates", "quarantined", "left_out")
    )


def write_project(folder: Path | str, shop_url: str | None = None) -> list[Path]:
    """Copy the example project (settings and mappings) into a folder; the paths written, relative to it.

    shop_url: for a chain that is simulated live, where its web shop answers.
    """
    folder = Path(folder)
    if (folder / "systock.toml").exists() or (folder / "sources").exists():
        raise UsageError(
            f"{folder} already holds a project.",
            where=str(folder),
            state="Nothing was written.",
            todo="Name another folder.",
        )
    with as_file(files("systock") / "examples" / "retail_chain") as example:
        copytree(example, folder, dirs_exist_ok=True)
        written = {path.relative_to(example) for path in example.rglob("*") if path.is_file()}
    if shop_url:
        written |= _live_project(folder, shop_url)
        orders = Path("sources/erp/order_line.sql")  # the shop tells them
        (folder / orders).unlink()
        written.remove(orders)
    return sorted(written)


def _live_project(folder: Path, shop_url: str) -> set[Path]:
    """What differs where systems are asked: settings, the workbooks' mapping, and what the shop's connector says of sales."""
    written = {Path("systock.toml")}
    with as_file(files("systock") / "simulator" / "live_project") as live:
        settings = (live / "systock.toml").read_text(encoding="utf-8")
        (folder / "systock.toml").write_text(settings.replace(_SHOP_URL, shop_url), encoding="utf-8")
        copytree(live / "sources", folder / "sources", dirs_exist_ok=True)
    with as_file(files("systock") / "connectors" / "systock_shop" / "sources" / "shop") as connector:
        (folder / "sources" / "shop").mkdir()
        for name in ("order_line.sql", "sale_line.sql"):
            copyfile(connector / name, folder / "sources" / "shop" / name)
            written.add(Path("sources/shop") / name)
    return written
