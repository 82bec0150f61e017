"""One call that makes the chain, lets it trade, writes its files with their faults, and the answer key."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from decimal import Decimal
from importlib.resources import as_file, files
from pathlib import Path
from shutil import copytree

from systock.errors import UsageError
from systock.simulator import counts, erp, erp_papers, pos
from systock.simulator.answer_key import FILE_NAME, AnswerKey
from systock.simulator.chain import build_chain
from systock.simulator.delivery import FileFate
from systock.simulator.expectation import answers, line_counts
from systock.simulator.faults import asked_faults, put_in
from systock.simulator.trade import Trade

Progress = Callable[[str, float], None]
START = date(2024, 3, 1)
SYSTEMS = ("pos", "erp", "counts", "desk")


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
    if held or (folder / FILE_NAME).exists():
        raise UsageError(
            f"{folder} already holds files of a simulated chain.",
            where=str(held[0] if held else folder / FILE_NAME),
            state="Nothing was written.",
            todo="Name an empty folder, or delete incoming/ and answer_key.json first.",
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
    progress: Progress | None = None,
) -> AnswerKey:
    """Write the source systems below folder/incoming, and folder/answer_key.json; same arguments, same bytes.

    faults: "all", "none", or names of systock.simulator.FAULTS.
    progress: called with what is being done and how far it is (0 to 1).
    """
    folder = Path(folder)
    names = asked_faults(faults)
    _check(folder, days, stores, products)
    tell = progress or (lambda what, share: None)
    chain = build_chain(seed, start, days, stores, products)
    history = Trade(chain, seed).run(lambda share: tell("trading", share))
    delivered = [file for source in (erp, erp_papers, pos, counts) for file in source.files(chain, history)]
    places = put_in(chain, history, delivered, names, seed)
    delivered.sort(key=lambda file: (file.known_at, file.path))
    times, sales, on_hand, totals, versions, papers, counts_explained = answers(
        chain, history, delivered, lambda share: tell("working out the answers", share)
    )
    file_keys, table_keys = line_counts(delivered)
    for number, file in enumerate(delivered, start=1):
        file.write(folder)
        tell("writing files", number / len(delivered))
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
        places,
    )
    assert len({file.path for file in delivered}) == len(delivered), "two files of one name"
    assert all(key.fate != FileFate.LANDED or key.lines == _sum(key) for key in file_keys)
    key.save(folder / FILE_NAME)
    return key


def _sum(key: object) -> int:
    return sum(
        getattr(key, name) for name in ("kept", "unchanged", "superseded", "duplicates", "quarantined", "left_out")
    )


def write_project(folder: Path | str) -> list[Path]:
    """Copy the example project (settings and mappings) into a folder; the paths written, relative to it."""
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
        return sorted(path.relative_to(example) for path in example.rglob("*") if path.is_file())
