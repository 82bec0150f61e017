"""systock demo: a simulated chain, from its source files to figures that are known beforehand."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

from systock.cli.common import Format, FormatOption, open_project
from systock.cli.simulate import PORT, DaysOption, FaultsOption, ProductsOption, SeedOption, StoresOption, make_chain
from systock.errors import StorageError, UsageError

if TYPE_CHECKING:
    from systock.cli.progress import BarProgress, PlainProgress
    from systock.pipeline_manager.run_pipeline import RunSummary
    from systock.simulator import AnswerKey
    from systock.simulator.comparison import Comparison, Group
    from systock.simulator.shop_api import ShopApi

_STATE = ".systock"
_MANIFEST = "demo.json"
_SHOWN = 4
#: What an API's faults are called, one of each.
_FAILED = {
    "edges": "doubled record", "errors": "server error", "limits": "rate limit", "refusals": "refused token",
    "resets": "reset", "slow": "slow answer",
}  # fmt: skip
_WIDTH = 100
#: How often each of them comes at most: after each one waits.
_MOST = 2
#: What stands beside the files of a demo and can be made from them again.
_MADE_BY_RUNS = ("warehouse.duckdb", ".warehouse.duckdb.new")


def demo(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where; an earlier demo in it is replaced.")] = Path(
        "demo"
    ),
    days: DaysOption = 90,
    stores: StoresOption = 5,
    products: ProductsOption = 200,
    seed: SeedOption = 7,
    faults: FaultsOption = "all",
    form: FormatOption = Format.table,
) -> None:
    """See it work: simulate a chain, load it, compare.

    Makes up a retail chain's tills (files), ERP (a database), web shop (an API) and counts (workbooks) with known faults,
    runs on all of them, and compares what is published with the chain's own books, to the last decimal. Exit code 1 when
    any figure differs.
    """
    from systock.cli.progress import show_progress
    from systock.simulator.compare import compare
    from systock.simulator.shop_api import free_port

    replaced = _held_demo(directory)
    seconds: dict[str, float] = {}
    port = free_port(PORT)
    with show_progress() as progress:
        if replaced:
            progress.note(f"{directory} holds an earlier demo: it is replaced.")
        with _timed(seconds, "simulated"):
            key = _make(
                directory, progress, days=days, stores=stores, products=products, seed=seed, faults=faults, live=True, port=port
            )  # fmt: skip
        with _timed(seconds, "loaded"), _web_shop(directory, faults, port) as shop:
            project = open_project(directory)
            summary = project.run(progress=progress)
        with _timed(seconds, "compared"):
            progress.stage("compare", None)
            comparison = compare(project, key, [row["file"] for row in summary.rejected])
    if form is Format.table:
        if progress.moves:
            typer.echo("", err=True)
        typer.echo("\n".join(_report(directory, key, stores, products, summary, shop, comparison, seconds)))
    else:
        _print_figures(comparison, form)
    if not comparison.same:
        raise typer.Exit(1)


def _web_shop(directory: Path, faults: str, port: int) -> AbstractContextManager[ShopApi]:
    """The web shop's API, for as long as the run takes."""
    from systock.simulator.shop_api import ShopApi, ShopFaults

    wrong = ShopFaults.asked("all" if faults == "all" else "none")
    return ShopApi(directory, replace(wrong, most=_MOST), port).serving()


@contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    seconds[name] = time.monotonic() - began


# --- The folder ------------------------------------------------------------------------------------------------------


def _held_demo(directory: Path) -> bool:
    """Is an earlier demo there? Raises UsageError when anything is there that a demo did not write."""
    if directory.exists() and not directory.is_dir():
        raise UsageError(f"{directory} is a file", state="Nothing was written.", todo="Name a new folder.")
    if not directory.exists() or not any(directory.iterdir()):
        return False
    written = None if (directory / _STATE).is_symlink() else _manifest(directory)
    if written is None:
        raise UsageError(
            f"{directory} is not empty, and no demo of systock",
            state="Nothing was written.",
            todo="Name a new or empty folder.",
        )
    foreign = sorted(_foreign(directory, written))
    if foreign:
        raise UsageError(
            f"{directory} holds an earlier demo, and files that are not the demo's, or were changed since: "
            f"{', '.join(foreign[:3])}{f' and {len(foreign) - 3:,} more' if len(foreign) > 3 else ''}",
            state="Nothing was deleted or written.",
            todo="Name another folder, or delete this one yourself.",
        )
    return True


def _manifest(directory: Path) -> dict[str, str] | None:
    """The files that an earlier demo wrote here, with a hash of each; None: no demo wrote here."""
    try:
        files = json.loads((directory / _STATE / _MANIFEST).read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return files if isinstance(files, dict) else None


def _foreign(directory: Path, written: Mapping[str, str]) -> Iterator[str]:
    """Files that no demo wrote, or that somebody changed since."""
    for path in _files(directory):
        name = path.relative_to(directory).as_posix()
        if name not in _MADE_BY_RUNS and (path.is_symlink() or written.get(name) != _hash(path)):
            yield name


def _files(directory: Path) -> Iterator[Path]:
    """Every file of a project but SyStock's own."""
    for path in directory.iterdir():
        if path.name == _STATE:
            continue
        if path.is_dir() and not path.is_symlink():
            yield from (inner for inner in path.rglob("*") if inner.is_symlink() or not inner.is_dir())
        else:
            yield path


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def _make(directory: Path, progress: PlainProgress | BarProgress, **asked: Any) -> AnswerKey:
    """Write the chain's files and settings; what an earlier demo wrote goes only when the new ones are complete."""
    from systock.pipeline_manager.lock import project_lock

    state, fresh = directory / _STATE, not directory.exists()
    new = state / "new"
    with project_lock(state, "systock demo"):
        try:
            if _manifest(directory) is None:
                _write_manifest(state, {})  # from here on the folder is known as a demo's, whatever happens
            shutil.rmtree(new, ignore_errors=True)
            key = make_chain(new, progress, **asked)
            _replace(directory, new)
        except BaseException as error:
            _clear(directory, fresh)
            if isinstance(error, OSError):
                raise StorageError(
                    f"the demo cannot be written: {error.strerror or error}",
                    where=str(error.filename or directory),
                    todo="Free space, or name a folder that can be written.",
                ) from error
            raise
    return key


def _clear(directory: Path, fresh: bool) -> None:
    """Take away what was begun; an earlier demo stays as it was."""
    shutil.rmtree(directory / _STATE / "new", ignore_errors=True)
    if not _manifest(directory):
        shutil.rmtree(directory / _STATE, ignore_errors=True)
        if fresh:
            with suppress(OSError):
                directory.rmdir()


def _replace(directory: Path, new: Path) -> None:
    """Put the new files in the place of those that the earlier demo wrote."""
    state, written = directory / _STATE, _manifest(directory) or {}
    foreign = set(_foreign(directory, written))  # none when we looked; whoever added one since keeps it
    for path in list(_files(directory)):
        if path.relative_to(directory).as_posix() not in foreign:
            path.unlink()
    folders = {folder for name in written for folder in Path(name).parents if folder != Path()}
    for folder in sorted(folders, reverse=True):
        with suppress(OSError):  # not empty, or gone
            (directory / folder).rmdir()
    for path in state.iterdir():
        if path.name not in ("lock", _MANIFEST, new.name):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    files = sorted(path for path in new.rglob("*") if path.is_file())
    _write_manifest(state, {path.relative_to(new).as_posix(): _hash(path) for path in files})
    for path in files:
        target = directory / path.relative_to(new)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(path, target)
    shutil.rmtree(new)


def _write_manifest(state: Path, files: Mapping[str, str]) -> None:
    state.mkdir(parents=True, exist_ok=True)
    aside = state / f".{_MANIFEST}.new"
    aside.write_text(json.dumps({"made_by": "systock demo", "files": files}, indent=0), encoding="utf-8")
    os.replace(aside, state / _MANIFEST)


# --- The closing -----------------------------------------------------------------------------------------------------


def _report(
    directory: Path,
    key: AnswerKey,
    stores: int,
    products: int,
    summary: RunSummary,
    shop: ShopApi,
    comparison: Comparison,
    seconds: Mapping[str, float],
) -> Iterable[str]:
    from systock.cli.summary import counted

    here = f"{counted(stores, 'store')} and a warehouse, {counted(products, 'product')}, {counted(key.days, 'day')}"
    yield f"{here} from {key.start_date}, seed {key.seed}, in {directory}:"
    yield ""
    kinds = len(key.fault_counts())
    put_in = f", with {counted(len(key.faults), 'fault')} of {counted(kinds, 'kind')}" if kinds else ""
    live = [file for file in key.files if file.is_live]
    sent = [file for file in key.files if not file.is_live]
    lines = counted(sum(file.lines for file in sent), "line")
    yield from _told("Sent", f"{lines} in {counted(len(sent), 'file')} of tills, desk and counts")
    there = f"{counted(sum(file.lines for file in live), 'row')} in {counted(len(live), 'table')}"
    yield from _told("Held", f"{there} of the ERP's database and the shop's API{put_in}")
    if shop.given:
        failed = ", ".join(counted(count, _FAILED[name]) for name, count in sorted(shop.given.items()))
        yield from _told("Asked", f"an API that failed on purpose: {failed}")
    totals = {name: sum(row.get(name, 0) for row in summary.sources) for name in ("lines", "files", "asked", "repeats")}
    unread = len(summary.rejected)
    yield from _told(
        "Came in",
        f"{counted(totals['lines'], 'line')} of {counted(totals['files'], 'file')} and {counted(totals['asked'], 'table')}"
        + (f"; {counted(totals['repeats'], 'file')} had come before" if totals["repeats"] else "")
        + (f"; {counted(unread, 'file')} could not be read" if unread else ""),
    )
    aside = sum(row["quarantined"] for row in summary.entities)
    yield f"  Set aside  {counted(aside, 'line')}" + (", each with its file, row and reason" if aside else "")
    yield f"  Published  generation {summary.generation}, after {counted(summary.checks, 'check')}"
    yield ""
    yield "Compared with the chain's own books, figure by figure, to the last decimal:"
    yield ""
    width = max(len(group.name) for group in comparison.groups)
    agreements = [_agreement(group) for group in comparison.groups]
    middle = max(len(text) for text in agreements)
    for group, text in zip(comparison.groups, agreements, strict=True):
        yield f"  {group.name:<{width}}  {text:<{middle}}  {_totals(group)}".rstrip()
    yield ""
    yield from _differences(comparison)
    differing = comparison.figures - comparison.agree
    if comparison.same:
        yield typer.style(f"All {comparison.figures:,} figures agree.", fg="green", bold=True) + _times(seconds)
    else:
        text = f"{differing:,} of {comparison.figures:,} figures {'differs' if differing == 1 else 'differ'}."
        yield typer.style(text, fg="red", bold=True) + _times(seconds)
    yield ""
    yield from _suggestions(directory)
    port = shop.server_address[1]
    yield f"  {_command()} simulate {shlex.quote(str(directory))} --serve --port {port}    the web shop again, for another run"


def _told(what: str, text: str) -> Iterable[str]:
    """A line of the closing, in as many lines as it needs."""
    return wrap(text, _WIDTH, initial_indent=f"  {what:<11}", subsequent_indent=" " * 13)


def _times(seconds: Mapping[str, float]) -> str:
    return f" ({', '.join(f'{name} in {took:.0f} s' for name, took in seconds.items())})"


def _agreement(group: Group) -> str:
    if not group.differences:
        return f"all {len(group.figures):,} {group.of} agree"
    return f"{len(group.differences):,} of {len(group.figures):,} {group.of} DIFFER"


def _totals(group: Group) -> str:
    """Sums of what the warehouse says; amounts are shown to the cent, compared to the last decimal."""
    return ", ".join(_total(total, unit) for unit, total in group.totals().items())


def _total(total: Decimal, unit: str) -> str:
    if unit.isupper():
        return f"{total:,.2f} {unit}"
    return f"{total:,} {unit}"


def _differences(comparison: Comparison) -> Iterable[str]:
    """The first differences of each group: name, what the key says, what was found."""
    for group in comparison.groups:
        for figure in group.differences[:_SHOWN]:
            yield f"  {group.name}, {figure.name}:"
            yield f"      {_said(figure.expected)} expected, {_said(figure.found)} found"
        if len(group.differences) > _SHOWN:
            yield f"  {group.name}: {len(group.differences) - _SHOWN:,} more; --format csv lists every figure"
    if not comparison.same:
        yield ""


def _said(value: Any) -> str:
    return "nothing" if value is None else str(value)


def _suggestions(directory: Path) -> Iterable[str]:
    here = f"--project {shlex.quote(str(directory))}"
    systock = _command()
    yield "To try:"
    yield f'  {systock} query {here} "SELECT business_date, location_name, net_amount, margin_ratio'
    yield '      FROM serve.sales_daily ORDER BY business_date DESC, location_name LIMIT 10"'
    yield f"  {systock} quarantine list {here}     what was set aside, where and why"
    yield f"  {systock} rebuild --verify {here}    all of it again from what landed: the same to the bit?"


def _command() -> str:
    """What to type for this command line: its name where a shell finds it, else the path it was started by."""
    if shutil.which("systock") or Path(sys.argv[0]).name != "systock":
        return "systock"
    return shlex.quote(sys.argv[0])


def _print_figures(comparison: Comparison, form: Format) -> None:
    from systock.cli.rows import print_facts, print_rows

    if form is Format.json:
        print_facts(comparison.as_dict(), form)
        return
    rows = (
        {"group": group.name, "figure": one.name, "expected": one.expected, "found": one.found, "same": one.same}
        for group in comparison.groups
        for one in group.figures
    )
    print_rows(rows, form)
