"""make bench: measures SyStock against a bare script and its own targets, both sides in one run, turn by turn."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from benchmarks import ledger, target
from benchmarks.measure import ROOT, Failed, Usage, run, systock
from benchmarks.report import Figure, json_text, table_text, write_page
from benchmarks.size import Size
from benchmarks.workplace import Workplace, link_files

NAMES = ("cold", "memory", "day", "nothing", "history", "correction", "snapshots", "help", *ledger.NAMES, *target.NAMES)
MOVEMENTS = 10_000_000
QUICK = 0.02
_MB_PER_DAY_OF_HISTORY = 25
_MB_PER_DAY_ON_SERVER = 60  # two databases, their logs, and rows as text

_Made = TypeVar("_Made")


class Bench:
    """One series of measurements; each method measures one thing and adds its figures."""

    def __init__(self, place: Workplace, size: Size, repeat: int) -> None:
        self.place, self.size, self.repeat = place, size, repeat
        self.figures: list[Figure] = []
        self.notes: list[str] = []
        self._used: dict[str, list[Usage]] = {}

    @cached_property
    def data(self) -> Path:
        """The data set, written when it is needed."""
        return self.place.data_set(self.size)

    def measure(self, wanted: Sequence[str]) -> None:
        """Measure what is wanted, in the order in which one needs the other."""
        if "help" in wanted:
            self.attempt("help", self._help)
        if not set(wanted) - {"help"}:
            return
        main = self.attempt("cold", lambda: self._cold("cold" in wanted))
        if main is None:
            return
        if "memory" in wanted:
            self.attempt("memory", lambda: self._memory(main))
        if {"day", "nothing", "history"} & set(wanted):
            self.attempt("day", lambda: self._days(main, wanted))
        if "correction" in wanted:
            self.attempt("correction", lambda: self._corrections(main))
        if "snapshots" in wanted:
            self.attempt("snapshots", lambda: self._snapshots(main))
        self.place.remove(main)

    def measure_ledger(self, movements: float, wanted: set[str]) -> None:
        """Measure what is wanted of the ledger alone."""
        if wanted:
            self.attempt("ledger", lambda: ledger.measure_ledger(self, movements, wanted))

    def measure_target(self, wanted: set[str], plans: Path | None) -> None:
        """Measure what is wanted of publishing to a server. plans: a folder for what the server plans for questions."""
        if wanted:
            target.measure_target(self, wanted, plans)

    def attempt(self, name: str, measure: Callable[[], _Made]) -> _Made | None:
        """Measure something; None when it failed, which the figures then tell."""
        try:
            return measure()
        except Failed as failure:
            _say(str(failure))
            reason = str(failure).splitlines()[-1][:300]
            self.figures.append(Figure(name, name, "s", (), (1,), "target", failure=reason))
            return None

    def take(self, name: str, usage: Usage) -> None:
        """Keep what a measured process used."""
        self._used.setdefault(name, []).append(usage)
        _say(f"{name}: {usage.cpu_s:.2f} s of CPU, {usage.wall_s:.2f} s, {usage.peak_mb:.0f} MB")

    def peaks(self, name: str) -> list[float]:
        """The highest memory of each of the processes of a name, in MB."""
        return [usage.peak_mb for usage in self._used.get(name, ())]

    def cpu(self, name: str) -> list[float]:
        """The CPU of each of the processes of a name, in seconds."""
        return [usage.cpu_s for usage in self._used.get(name, ())]

    def _against_target(self, name: str, measure: str, target: float) -> None:
        self.figures.append(Figure(name, f"{measure}: CPU", "s", self.cpu(measure.split(",")[0]), (target,), "target"))

    def _note(self, name: str) -> None:
        used = self._used[name]
        wall, peak = sorted(usage.wall_s for usage in used)[len(used) // 2], max(usage.peak_mb for usage in used)
        times = "once" if len(used) == 1 else f"{len(used)} times"
        self.notes.append(f"{name}, {times}: {wall:.1f} s by the clock, {peak:.0f} MB at its highest.")

    def _bare(self, incoming: Path, name: str, *options: str) -> Path:
        warehouse = self.place.folder / "bare.duckdb"
        self.take(name, run(["-m", "benchmarks.bare_script", incoming, warehouse, *options], self.place.log(name)))
        return warehouse

    def _same_figures(self, project: Path, bare: Path, when: str) -> None:
        """Both warehouses hold the same totals; anything else makes the comparison worthless."""
        sides = []
        for number, warehouse in enumerate((project / "warehouse.duckdb", bare)):
            said = self.place.log(f"figures-{number}")
            run(["-m", "benchmarks.figures", warehouse], said)
            sides.append(json.loads(said.read_text().splitlines()[-1]))
        ours, theirs = sides
        different = [f"{name} {ours[name]} against {theirs[name]}" for name in ours if ours[name] != theirs[name]]
        if different:
            raise Failed(f"{when} the warehouse and the bare script's differ: {'; '.join(different)}")
        some = ", ".join(f"{name} {ours[name]}" for name in ("sale_lines", "movements", "net_amount", "on_hand"))
        self.notes.append(f"{when} both sides have the same {len(ours)} totals, among them {some}.")

    def _cold(self, is_wanted: bool) -> Path:
        """The whole history into nothing, and the bare script on the same files."""
        project = bare = self.place.folder
        for number in range(self.repeat if is_wanted else 1):
            if is_wanted:
                bare = self._bare(self.data / "incoming", "bare script")
                self._bare(self.data / "incoming", "bare script, all columns", "--all-columns")
            project = self.place.project("main", self.data)
            self.take("cold run", systock(project, "run", self.place.log(f"cold-{number}")))
        if is_wanted:
            cold = self.cpu("cold run")
            for other in ("bare script", "bare script, all columns"):
                measure = f"cold run, {self.size.words()}: CPU"
                self.figures.append(Figure("cold", measure, "s", cold, self.cpu(other), other, 2))
            for name in ("cold run", "bare script", "bare script, all columns"):
                self._note(name)
            self._same_figures(project, bare, "After the cold run")
        return project

    def _memory(self, main: Path) -> None:
        """The cold run again with DuckDB held to 1 GB: it must end, and with the same figures."""
        limit = "1GB" if self.size.days > 200 else "200MB"
        name = f"cold run with memory_limit {limit}"
        project = self.place.project("memory", self.data, f'[run]\nmemory_limit = "{limit}"')
        self.take(name, systock(project, "run", self.place.log("memory")))
        cold = self.cpu("cold run")
        self.figures.append(Figure("memory", f"{name}: CPU", "s", self.cpu(name), cold, "without a limit", 2))
        self._note(name)
        self._same_figures(project, main / "warehouse.duckdb", "With little memory and with much")
        self.place.remove(project)

    def _days(self, main: Path, wanted: Sequence[str]) -> None:
        """Day after day on the whole history, on a tenth of it in turn, and runs with nothing new."""
        day, after_tenth, nothing = "one more day", "one more day after a tenth", "nothing new"
        tenth = short = None
        if "history" in wanted:
            short = self.place.data_set(self.size.shorter())
            tenth = self.place.project("tenth", short)
            systock(tenth, "run", self.place.log("tenth"))
        for number in range(1, self.repeat + 1):
            link_files(self.data / "later" / f"day-{number}", main / "incoming")
            self.take(day, systock(main, "run", self.place.log(f"day-{number}")))
            if tenth is not None and short is not None:
                link_files(short / "later" / f"day-{number}", tenth / "incoming")
                self.take(after_tenth, systock(tenth, "run", self.place.log(f"tenth-{number}")))
            if "nothing" in wanted:
                self.take(nothing, systock(main, "run", self.place.log(f"nothing-{number}")))
        if "day" in wanted:
            self._against_target("day", f"{day}, {self.size.day_words()}", 4)
            self.figures.append(Figure("day", f"{day}: peak memory", "MB", self.peaks(day), (500,), "target"))
            self._note(day)
        if "nothing" in wanted:
            self._against_target("nothing", nothing, 0.5)
        if tenth is not None:
            measure, other = f"{day}, ten times the history: CPU", f"after {self.size.shorter().days} days"
            self.figures.append(Figure("history", measure, "s", self.cpu(day), self.cpu(after_tenth), other, 2))
            self.place.remove(tenth)
        bare = self._bare(main / "incoming", "bare script after the days")
        self._same_figures(main, bare, f"After {self.repeat} more day{'' if self.repeat == 1 else 's'}")

    def _corrections(self, main: Path) -> None:
        """The cost of an article corrected back to the start: its sales, movements and stock follow."""
        name = "one product corrected back to the start"
        for number in range(1, self.repeat + 1):
            link_files(self.data / "later" / f"correction-{number}", main / "incoming")
            self.take(name, systock(main, "run", self.place.log(f"correction-{number}")))
        self._against_target("correction", name, 3)
        self._note(name)

    def _snapshots(self, main: Path) -> None:
        """The closes of a year's days, made up for at once: products, sales and stock of each, landed and published."""
        days = min(365, self.size.days)
        name = f"{days} days' closes kept afterwards"
        used = run(["-m", "benchmarks.closes", main, str(days)], self.place.log("closes"))
        self.take(name, used)
        self.figures.append(Figure("snapshots", f"{name}: by the clock", "s", [used.wall_s], (60,), "target"))
        self.notes.append(
            f"{name}: {self.place.log('closes').read_text().strip()}; {used.peak_mb:.0f} MB at its highest."
        )

    def _help(self) -> None:
        """What a person waits for after `systock --help`."""
        for _ in range(max(5, self.repeat)):
            self.take("help", run(["-m", "systock", "--help"], self.place.log("help")))
        walls = [usage.wall_s for usage in self._used["help"]]
        self.figures.append(Figure("help", "systock --help: by the clock", "s", walls, (0.3,), "target"))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=main.__doc__)
    parser.add_argument(
        "--work", type=Path, help="work folder; its data sets are used again (default: a temporary one)"
    )
    parser.add_argument("--quick", action="store_true", help="a fiftieth of the size, once")
    parser.add_argument("--scale", type=float, help="size of the data set, 1 = 5 M sale lines")
    parser.add_argument("--only", action="append", choices=NAMES, help="only this measurement; may be repeated")
    parser.add_argument("--repeat", type=int, help="how often (default 3; 1 with --quick)")
    parser.add_argument(
        "--plans",
        type=Path,
        metavar="DIR",
        help="keep what the server plans for each of target_questions here, as JSON",
    )
    parser.add_argument("--format", choices=("table", "json"), default="table")
    parser.add_argument("--write", action="store_true", help="write benchmarks/RESULTS.md too")
    given = parser.parse_args()
    if given.scale is None:
        given.scale = QUICK if given.quick else 1.0
    if given.repeat is None:
        given.repeat = 1 if given.quick else 3
    if not 0 < given.scale <= 1 or given.repeat < 1:
        parser.error("--scale is above 0 and at most 1, --repeat at least 1")
    return given


def main() -> int:
    """Measure. Exit code 1: something failed to run or came out wrong; a missed target is a result, not a failure."""
    given = _arguments()
    wanted = set(given.only or NAMES)
    # The readers of a server are there for a day more.
    size = Size.scaled(given.scale, later=max(3, given.repeat + 1))
    with tempfile.TemporaryDirectory(prefix="systock-bench-") as temporary:
        place = Workplace(given.work or Path(temporary))
        a_day = _MB_PER_DAY_OF_HISTORY + (_MB_PER_DAY_ON_SERVER if wanted & set(target.NAMES) else 0)
        needed = size.days * a_day * (size.lines_a_day / Size.lines_a_day)
        free = shutil.disk_usage(place.folder).free / 1024**2
        if free < needed:
            _say(f"The work folder has {free:,.0f} MB free, {needed:,.0f} MB may be needed: see --work and --scale.")
            return 1
        bench = Bench(place, size, given.repeat)
        if given.scale < 1:
            bench.notes.append(f"At scale {given.scale:g}; the targets are meant for scale 1.")
        bench.measure([name for name in NAMES if name in wanted - {*ledger.NAMES, *target.NAMES}])
        bench.measure_ledger(MOVEMENTS * given.scale, wanted & set(ledger.NAMES))
        bench.measure_target(wanted & set(target.NAMES), given.plans)
    print((json_text if given.format == "json" else table_text)(bench.figures, bench.notes))
    if given.write:
        write_page(ROOT / "benchmarks" / "RESULTS.md", bench.figures, bench.notes)
    return 1 if any(figure.failure for figure in bench.figures) else 0


if __name__ == "__main__":
    sys.exit(main())
