"""The stock ledger alone, valued by moving average: costing it from nothing, and one movement far back on ten and on one."""

from __future__ import annotations

import json
from datetime import timedelta
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.generate import END
from benchmarks.measure import Usage, run, systock
from benchmarks.report import Figure
from benchmarks.size import Size

if TYPE_CHECKING:
    from benchmarks.run import Bench

NAMES = ("costing", "backdated", "asked")
_DAYS_BACK = 300
_HEADER = "posting,type,site,article,quantity,unit_cost,occurred_at,posted_at,document,transfer"
_PLACE = "S03"
#: An article that no transfer moves; the others go between the stores.
_ALONE = "A-ALONE"
_PUBLISH = """
import sys, time
from pathlib import Path
from systock.load.publish_file import publish_file
started = time.process_time()
publish_file(*map(Path, sys.argv[1:]))
print(time.process_time() - started)
"""


class Ledger:
    """A project of movements alone, in which one movement after the other comes late."""

    def __init__(self, bench: Bench, size: Size) -> None:
        self.bench, self.size = bench, size
        self.words = f"{size.movements() / 1e6:.2g} M movements"
        self._late = 0
        name = f"ledger-{size.postings_a_day}"
        self.project = bench.place.project(name, bench.place.data_set(size))
        settings = self.project / "systock.toml"
        settings.write_text(settings.read_text().replace('cost_method = "standard"', 'cost_method = "moving_average"'))
        self._deliver("alone", [self._posting(f"ALONE-{day}", _ALONE, day, 30 if day % 28 == 0 else -1) for day in range(size.days)])  # fmt: skip

    def _posting(self, name: str, article: str, day: int, quantity: int) -> str:
        at = f"{END - timedelta(self.size.days - day)}T10:00:00Z"
        kind, cost = ("101", "2.5") if quantity > 0 else ("251", "")
        return f"{name},{kind},{_PLACE},{article},{quantity},{cost},{at},{at},,"

    def _deliver(self, name: str, lines: list[str]) -> None:
        path = self.project / "incoming" / "erp" / f"postings_{name}.csv"
        path.write_text("\n".join([_HEADER, *lines]) + "\n")

    def run(self, name: str) -> tuple[Usage, dict[str, dict[str, Any]]]:
        """A run, what it used, and its steps by table."""
        used = systock(self.project, "run", self.bench.place.log(name))
        said = self.bench.place.log("runs")
        run(["-m", "systock", "runs", "--project", self.project, "--format", "json", "--limit", "1"], said)
        [last] = json.loads(said.read_text())
        return used, {table["table"]: table for table in last["summary"]["tables"]}

    def backdated(self, article: str) -> tuple[Usage, int]:
        """One more sale, 300 days back: what the run used, and how many rows of gold it wrote anew."""
        self._late += 1
        name = f"late-{self._late}"
        self._deliver(name, [self._posting(name, article, max(1, self.size.days - _DAYS_BACK), -1)])
        used, tables = self.run(name)
        return used, sum(table["written"] for table in tables.values())

    def copying(self) -> float:
        """CPU of publishing the build once more, as a run does."""
        build, copy = self.project / ".systock" / "build.duckdb", self.project / "copy.duckdb"
        said = self.bench.place.log("copy")
        run(["-c", _PUBLISH, build, copy], said)
        copy.unlink()
        return float(said.read_text())


def measure_ledger(bench: Bench, movements: float, wanted: set[str]) -> None:
    """Ten parts and one part of the movements: costing, and late movements in turn."""
    sides = {parts: Ledger(bench, Size.ledger(movements * parts / 10)) for parts in (10, 1)}
    for parts, ledger in sides.items():
        used, tables = ledger.run(f"costing-{parts}")
        name = f"costing {ledger.words} from nothing"
        bench.take(f"cold run with {ledger.words}", used)
        if parts == 10 and "costing" in wanted:
            seconds = [tables["gold.stock_cost"]["seconds"]]
            bench.figures.append(Figure("costing", f"{name}: by the clock", "s", seconds, (60,), "target"))
    if "asked" in wanted:
        _ask(bench, sides[10])
    if "backdated" in wanted:
        _backdated(bench, sides)
    for ledger in sides.values():
        bench.place.remove(ledger.project)


def _ask(bench: Bench, ledger: Ledger) -> None:
    said = bench.place.log("asked")
    run(["-m", "benchmarks.ask", ledger.project / "warehouse.duckdb", _PLACE, str(max(5, bench.repeat))], said)
    for of, took in json.loads(said.read_text()).items():
        name = f"stock of {of} half a year back, {ledger.words}: by the clock"
        bench.figures.append(Figure("asked", name, "s", took, (0.1 if of == "one place" else 1,), "target"))


def _backdated(bench: Bench, sides: dict[int, Ledger]) -> None:
    for ledger in sides.values():
        ledger.backdated(_ALONE)  # the first such run compiles what the others find
    alone: dict[int, list[float]] = {parts: [] for parts in sides}
    moved: list[tuple[float, int]] = []
    peaks = []
    for _ in range(bench.repeat):
        for parts, ledger in sides.items():
            copying = ledger.copying()
            used, rows = ledger.backdated(_ALONE)
            bench.take(f"one movement {_DAYS_BACK} days back on {ledger.words}", used)
            alone[parts].append(max(0.0, used.cpu_s - copying))
            if parts == 10:
                peaks.append(used.peak_mb)
                with_transfers, more = ledger.backdated(f"A{ledger.size.products // 4:05d}")
                bench.take("the same of an article that stores send each other", with_transfers)
                moved.append((with_transfers.cpu_s - used.cpu_s, more - rows))
    name = f"one movement {_DAYS_BACK} days back on {sides[10].words}"
    bench.figures += [
        Figure("backdated", f"{name}: CPU beside the copy", "s", alone[10], (2,), "target"),
        Figure("backdated", f"{name}: peak memory", "MB", peaks, (500,), "target"),
        Figure("backdated", f"{name}: CPU", "s", alone[10], alone[1], f"on {sides[1].words}", 2),
    ]
    cpu, more = median(cpu for cpu, _ in moved), median(rows for _, rows in moved)
    bench.notes.append(
        f"Of an article that stores send each other it takes {cpu:.2f} s of CPU more and writes {more:,.0f} rows more: "
        f"{1000 * cpu / max(1, more):.2f} ms a row."
    )
