"""A disk that is full, files of .systock that are lost, damaged or read-only, two runs at once, Ctrl-C."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from bad_project import DAY_TWO, HEADER, Shop, clean, good_shop, sale, told, without_privileges

FULL = OSError(28, "No space left on device")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return good_shop(tmp_path / "shop")


class Disk:
    """Counts every write of a run at its seam, and refuses the n-th and all after it of one kind."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.calls: dict[str, int] = {}
        self.full_at: tuple[str, int] | None = None
        self._patch = patch
        import pyarrow.parquet as pq

        for module, name in (
            (os, "fsync"), (os, "replace"), (os, "rename"), (os, "mkdir"), (os, "chmod"), (shutil, "copyfileobj"),
            (Path, "write_text"), (pq.ParquetWriter, "__init__"), (pq.ParquetWriter, "write_table"), (pq.ParquetWriter, "close"),
        ):  # fmt: skip
            self._seam(module, name, f"{getattr(module, '__name__', module)}.{name}", FULL)
        self._sqlite()
        self._duckdb()

    def _count(self, seam: str, error: Exception) -> None:
        self.calls[seam] = self.calls.get(seam, 0) + 1
        if self.full_at is not None and self.full_at[0] == seam and self.calls[seam] >= self.full_at[1]:
            raise error

    def _seam(self, module: Any, name: str, seam: str, error: Exception) -> None:
        before: Callable[..., Any] = getattr(module, name)

        def counted(*args: Any, **options: Any) -> Any:
            self._count(seam, error)
            return before(*args, **options)

        self._patch.setattr(module, name, counted)

    def _sqlite(self) -> None:
        disk, connect = self, sqlite3.connect
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL

        class Connection(sqlite3.Connection):
            def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
                if sql.lstrip().startswith(("INSERT", "UPDATE", "COMMIT", "CREATE")):
                    disk._count("sqlite", error)
                return super().execute(sql, *values)

        self._patch.setattr(sqlite3, "connect", lambda *a, **o: connect(*a, **o, factory=Connection))

    def _duckdb(self) -> None:
        disk, connect = self, duckdb.connect
        error = duckdb.IOException('IO Error: Could not write file "build.duckdb": No space left on device')

        class Connection:
            def __init__(self, inner: duckdb.DuckDBPyConnection) -> None:
                self.inner = inner

            def __getattr__(self, name: str) -> Any:
                if name == "commit":
                    disk._count("duckdb commit", error)
                return getattr(self.inner, name)

            def execute(self, sql: str, *values: Any) -> Any:
                if sql.lstrip().startswith(("INSERT", "CREATE", "DELETE", "UPDATE", "CHECKPOINT", "MERGE")):
                    disk._count("duckdb", error)
                return self.inner.execute(sql, *values)

        self._patch.setattr(duckdb, "connect", lambda *a, **o: Connection(connect(*a, **o)))


def _places(calls: dict[str, int], most: int) -> Iterator[tuple[str, int]]:
    """Every call of the seams that are called seldom, and some of the others, first and last always."""
    for seam, count in sorted(calls.items()):
        step = max(1, count // most)
        yield from ((seam, number) for number in sorted({*range(1, count + 1, step), count}))


def _fill(folder: Path, monkeypatch: pytest.MonkeyPatch, most: int, room_after: int, arguments: tuple[str, ...]) -> int:
    """Let the disk be full at many steps of a run, one after the other, and look at what is left each time.

    A run finds room again after so many of them: so what one leaves meets the next failure, too.
    """
    shop = good_shop(folder / "shop")
    disk = Disk(monkeypatch)
    good = {"pos_sales_20": HEADER + sale("20-1")}
    shop.put("pos_sales_20.csv", good["pos_sales_20"])
    shop.run(*arguments)
    failed = 0
    for day, (seam, number) in enumerate(_places(dict(disk.calls), most), 21):
        name, text = f"pos_sales_{day}", HEADER + sale(f"{day}-1")
        good[name] = text
        shop.put(f"{name}.csv", text)
        before, old = shop.published(), shop.gold()
        disk.calls, disk.full_at = {}, (seam, number)
        ran = shop.systock("run", *arguments)
        disk.full_at = None
        here = (seam, number, ran.err)
        if ran.code:
            failed += 1
            told(ran, 1)
            assert any(word in ran.err.lower() for word in ("full", "no space")), here
            if shop.published() != before:
                # Only what comes behind the rename may fail with the new generation in place, and that is whole.
                assert shop.gold() != old and not list(shop.path.glob("*.new")), here
        leftovers = [path.name for path in (shop.path / ".systock").glob("*.duckdb*") if path.name != "build.duckdb"]
        assert not leftovers and not list(shop.path.glob(".*.new")), (here, leftovers)
        if day % room_after:
            continue
        shop.run(*arguments)
        assert not list((shop.path / ".systock" / "bronze" / "tmp").glob("*")), here
        shop.sums_up()
    monkeypatch.undo()
    shop.run(*arguments)
    shop.is_whole(**good)
    return failed


def test_a_full_disk_at_the_write_steps_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _fill(tmp_path, monkeypatch, 1, 4, ()) > 10


@pytest.mark.long
@pytest.mark.parametrize("arguments", [(), ("--full",)])
def test_a_full_disk_at_more_write_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    assert _fill(tmp_path, monkeypatch, 12, 2, arguments) > 30


def test_a_really_full_disk(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(disk)], capture_output=True
    )
    if not mounted or mounted.returncode:
        pytest.skip("no small file system can be mounted here")
    try:
        shop = good_shop(disk / "shop")
        before, failed = shop.published(), 0
        shop.put("pos_sales_2.csv", DAY_TWO)
        for free in (0, 8, 40, 200, 600, 4_000, 8_600):
            ballast = disk / "ballast"
            room = os.statvfs(disk)
            ballast.write_bytes(b"\0" * max(0, room.f_bavail * room.f_frsize - (free << 10)))
            ran = shop.systock("run")
            ballast.unlink()
            if ran.code == 0:
                break
            failed += 1
            told(ran, 1)
            assert any(word in ran.err.lower() for word in ("full", "no space")), (free, ran.err)
            assert shop.published() == before, free
        assert failed >= 4
        shop.run()
        shop.is_whole(pos_sales_2=DAY_TWO)
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def _damage(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(b"damaged" * 3000)


LOSSES: dict[str, Callable[[Path], None]] = {
    "build deleted": lambda shop: (shop / ".systock/build.duckdb").unlink(),
    "warehouse deleted": lambda shop: (shop / "warehouse.duckdb").unlink(),
    "warehouse damaged": lambda shop: _damage(shop / "warehouse.duckdb"),
    "compiled damaged": lambda shop: _damage(shop / ".systock/compiled.json"),
    "compiled empty": lambda shop: os.truncate(shop / ".systock/compiled.json", 0),
    "state deleted": lambda shop: (shop / ".systock/state.sqlite").unlink(),
    "lock damaged": lambda shop: _damage(shop / ".systock/lock"),
}  # fmt: skip


def test_what_bronze_does_not_need_is_made_anew(shop: Shop) -> None:
    """One loss after the other, each before a delivery; and after the last one a run that lost nothing."""
    good = {}
    for number, (loss, lose) in enumerate({**LOSSES, "nothing": lambda _: None}.items(), 2):
        lose(shop.path)
        good[f"pos_sales_{number}"] = HEADER + sale(f"{number}-1")
        shop.put(f"pos_sales_{number}.csv", good[f"pos_sales_{number}"])
        shop.run()
        shop.sums_up()
        assert shop.gold()["gold.fact_sale_line"][0] == 20 + len(good), loss
    shop.is_whole(**good)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "damaged": _damage,
    "cut short": lambda file: os.truncate(file, 20_000),
    "empty": lambda file: os.truncate(file, 0),
}


@pytest.mark.parametrize(
    "damage", ["damaged", *(pytest.param(n, marks=pytest.mark.long) for n in ("cut short", "empty"))]
)
def test_a_damaged_build_is_told_and_made_anew_by_a_rebuild(shop: Shop, damage: str) -> None:
    DAMAGES[damage](shop.path / ".systock" / "build.duckdb")
    before = shop.published()
    shop.put("pos_sales_2.csv", DAY_TWO)
    told(shop.systock("run"), 1, "build.duckdb", "systock rebuild")
    assert shop.published() == before
    assert shop.systock("rebuild").code == 0
    shop.is_whole(pos_sales_2=DAY_TWO)
    shop.put("pos_sales_3.csv", HEADER + sale("3-1"))
    shop.run()
    shop.is_whole(pos_sales_2=DAY_TWO, pos_sales_3=HEADER + sale("3-1"))


READ_ONLY = (
    ".systock/bronze/landing.sqlite",
    ".systock/state.sqlite",
    ".systock/build.duckdb",
    ".systock",
    ".systock/bronze",
    ".",
)


def test_what_is_read_only_is_told_and_nothing_is_published() -> None:
    good = {}
    with without_privileges() as shop:
        before = shop.published()
        for number, file in enumerate(READ_ONLY, 2):
            good[f"pos_sales_{number}"] = HEADER + sale(f"{number}-1")
            shop.put(f"pos_sales_{number}.csv", good[f"pos_sales_{number}"])
            path = shop.path / file
            path.chmod(0o555 if path.is_dir() else 0o444)
            told(shop.systock("run"), 1, path.name or "warehouse.duckdb")
            assert shop.published() == before, file
            path.chmod(0o755 if path.is_dir() else 0o644)
        shop.run()
        shop.sums_up()
        found = shop.gold()
    assert found == clean(tuple(sorted(good.items())))


def test_what_is_read_only_is_not_tried_again_and_no_command_calls_it_a_bug() -> None:
    with without_privileges() as shop:
        shop.replace("systock.toml", "attempts = 1", "attempts = 3")
        state = shop.path / ".systock"
        for path, commands in (
            (state, (["run", "--full"], ["rebuild", "--verify"], ["query", "SELECT 1", "--known-at", "2040-01-01"])),
            (state / "lock", (["run"], ["run", "--dry-run"], ["rebuild", "--verify"], ["snapshot", "take"])),
        ):
            mode = path.stat().st_mode
            path.chmod(mode & ~0o222)
            for command in commands:
                ran = shop.systock(*command)
                told(ran, 1)
                assert "Attempt" not in ran.err and "permi" in ran.err.lower(), ran.err
            path.chmod(mode)


def test_without_a_warehouse_a_query_says_what_to_do(shop: Shop) -> None:
    (shop.path / "warehouse.duckdb").unlink()
    told(shop.systock("query", "SELECT 1"), 2, "nothing is published yet", "systock run")
    shop.run()  # although nothing is new
    shop.is_whole()


def test_the_second_of_two_runs_says_who_is_at_work(shop: Shop) -> None:
    before = shop.published()
    with open(shop.path / ".systock" / "lock", "r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.truncate(0)
        lock.write('{"pid": 4711, "host": "till", "since": "2024-03-01T10:00:00+00:00"}')
        lock.flush()
        for call in (["run"], ["rebuild"], ["rebuild", "--verify"], ["snapshot", "take"], ["quarantine", "retry"]):
            told(shop.systock(*call), 1, "process 4711 on till", "Wait for it to end")
        assert shop.systock("query", "SELECT count(*) FROM gold.fact_sale_line").code == 0
        assert shop.systock("status").code == 0
    assert shop.published() == before
    shop.run()
    shop.is_whole()


def _start(shop: Shop) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "systock", "run", "--full", "--project", str(shop.path)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _at_work(shop: Shop, process: subprocess.Popen[str], sign: str) -> None:
    """Wait until the run has come as far as making this file."""
    until = time.monotonic() + 60
    while not list((shop.path / ".systock").glob(sign)):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.002)


def test_two_runs_at_once(shop: Shop) -> None:
    shop.put("pos_sales_2.csv", DAY_TWO)
    first = _start(shop)
    _at_work(shop, first, "rebuild.duckdb")
    told(shop.systock("run"), 1, f"process {first.pid} on", "Wait for it to end")
    _, err = first.communicate(timeout=120)
    assert first.returncode == 0, err
    shop.is_whole(pos_sales_2=DAY_TWO)


@pytest.mark.parametrize("stop", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.long)])
def test_stopped_in_the_middle(shop: Shop, stop: signal.Signals) -> None:
    before = shop.published()
    shop.put("pos_sales_2.csv", DAY_TWO)
    process = _start(shop)
    _at_work(shop, process, "rebuild.duckdb")
    time.sleep(0.1)
    process.send_signal(stop)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 128 + stop
    assert "Stopped: nothing was published, the next run continues." in err and "Traceback" not in err, err
    assert shop.published() == before
    assert shop.systock("runs", "--format", "csv").out.count("stopped") == 1
    shop.run()
    shop.is_whole(pos_sales_2=DAY_TWO)
