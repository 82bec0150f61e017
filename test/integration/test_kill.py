"""kill -9 at any instant: nothing lost, nothing twice, and readers always see one whole generation."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import duckdb
import pytest

from current_state import current_gold
from small_chain import deliver, make_project
from systock import Project

RUN = [sys.executable, "-m", "systock", "run", "--project"]


def sale_rows(day: int, count: int) -> list[tuple[str, ...]]:
    at = f"2024-03-{day:02d}T10:00:00+00:00"
    return [(f"{day}-{number}", "1", "S1", f"P{number % 3}", at, "2", "", "1.50", "", at) for number in range(count)]


def sell(project: Path, day: int) -> None:
    deliver(project, "pos_sales", sale_rows(day, 20), f"day{day:02d}", modified=1_712_000_000.0 + day)


class Reader(threading.Thread):
    """Opens the published file by path as soon as it is another, and over and over, and checks that what it sees belongs together."""

    def __init__(self, warehouse: Path) -> None:
        super().__init__(daemon=True)
        self.warehouse, self.stop, self.reads, self.faults = warehouse, threading.Event(), 0, []

    def run(self) -> None:
        seen, until = None, 0.0
        while not self.stop.wait(0.005):  # the cores are for those who write: looking is cheap, opening is not
            if not self.warehouse.exists():
                continue
            now = self.warehouse.stat()
            if (now.st_ino, now.st_mtime_ns) == seen and time.monotonic() < until:
                continue
            seen, until = (now.st_ino, now.st_mtime_ns), time.monotonic() + 1
            try:
                with duckdb.connect(str(self.warehouse), read_only=True) as db:
                    [(lines, batches, stock, generations)] = db.execute("""SELECT
                        (SELECT count(*) FROM gold.fact_sale_line), (SELECT sum(lines) FROM meta.batch WHERE table_name = 'sales'),
                        (SELECT count(*) FROM gold.fact_stock_movement), (SELECT count(*) FROM meta.progress)""").fetchall()
                if lines != batches or stock != lines or generations != 1:
                    self.faults.append((lines, batches, stock, generations))
            except duckdb.Error as error:
                self.faults.append(str(error))
            self.reads += 1


def kill_runs(project: Path, kills: int, seed: int) -> int:
    """Deliver a day, kill the run at a random instant, again and again; returns how many runs were really cut off.

    The project has run twice: so no run spends its time on compiling, and the instants lie all over its work.
    """
    chance = random.Random(seed)
    sell(project, 3)
    started = time.perf_counter()
    subprocess.run([*RUN, str(project)], check=True, capture_output=True)
    usual, cut = time.perf_counter() - started, 0
    for number in range(kills):
        if number % 2 == 0:
            sell(project, 4 + number // 2)
        process = subprocess.Popen([*RUN, str(project)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(chance.uniform(0.05, 1.1) * usual)
        process.send_signal(signal.SIGKILL)
        cut += process.wait() == -signal.SIGKILL
    return cut


def check_survival(folder: Path, kills: int, seed: int) -> None:
    project = make_project(folder / "killed")
    deliver(
        project,
        "erp_products",
        [(f"P{n}", "x", "1", "pcs", "2024-01-01T00:00:00+00:00") for n in range(3)],
        "1",
        modified=1_711_000_000.0,
    )
    sell(project, 1)
    Project(project).run()
    sell(project, 2)
    Project(project).run()  # what a refresh by key needs is compiled, too
    reader = Reader(project / "warehouse.duckdb")
    reader.start()
    cut = kill_runs(project, kills, seed)
    Project(project).run()
    reader.stop.set()
    reader.join()
    assert cut > 0, "no run was cut off: the test has not tested anything"
    assert reader.reads > 0 and reader.faults == []
    clean = make_project(folder / "clean")
    for path in (project / "incoming").iterdir():
        (clean / "incoming" / path.name).write_bytes(path.read_bytes())
        stamp = path.stat().st_mtime
        __import__("os").utime(clean / "incoming" / path.name, (stamp, stamp))
    Project(clean).run()
    assert current_gold(project / "warehouse.duckdb") == current_gold(clean / "warehouse.duckdb")
    assert all(table["same"] for table in Project(project).rebuild(verify=True)["tables"])


def test_kill_at_random_instants(tmp_path: Path) -> None:
    check_survival(tmp_path, kills=20, seed=1)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 12))
def test_kill_at_more_instants(tmp_path: Path, seed: int) -> None:
    check_survival(tmp_path, kills=20, seed=seed)
