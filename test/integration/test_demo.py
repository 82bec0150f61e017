"""systock demo: the whole way from simulated files to figures known beforehand, and the folder that it writes into."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from systock import Project
from systock.cli import demo as demo_command
from systock.cli.app import main
from systock.errors import UsageError
from systock.pipeline_manager.lock import project_lock
from systock.simulator import FAULTS, AnswerKey, load_answer_key
from systock.simulator.comparison import Comparison, Figure, Group
from systock.simulator.faults import FILE_FAULTS

SOURCE = Path(__file__).parents[2] / "src"
# In 32 days from 1 March 2024 clocks go forward in New York (10 March, store S03) and in Berlin (31 March, the others).
SMALL = ["--days", "32", "--stores", "3", "--products", "40"]


def run_demo(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """As a user calls it, beside the folder."""
    command = [sys.executable, "-m", "systock", "demo", folder.name, *options]
    path = os.pathsep.join([str(SOURCE), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(
        command, cwd=folder.parent, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


def test_a_small_chain_comes_out_as_its_own_books_say(tmp_path: Path) -> None:
    done = run_demo(tmp_path / "chain", *SMALL)
    assert done.returncode == 0, done.stdout + done.stderr
    key = load_answer_key(tmp_path / "chain")
    assert set(key.fault_counts()) == set(FAULTS) - set(FILE_FAULTS)
    assert {"2024-03-10", "2024-03-31"} <= {day.business_date for day in key.sales if day.known_at == key.latest}
    assert re.search(r"^All [5-9],\d{3} figures agree\.", done.stdout, re.MULTILINE), done.stdout
    # Every system was asked, and what went wrong with the API cost nothing.
    assert {table.table.partition(".")[0] for table in key.tables} == {"pos", "erp", "shop", "counts", "desk"}
    assert {table.table for table in key.tables} == {
        row["table"] for row in Project(tmp_path / "chain").query(
            "SELECT DISTINCT source_name || '.' || table_name AS \"table\" FROM meta.batch"
        ).to_pylist()
    }  # fmt: skip
    said = " ".join(done.stdout.split())
    assert re.search(r"an API that failed on purpose: \d+ doubled records, 2 server errors, .*1 refused token", said)
    assert f"injected faults found        all {len(key.faults)} places agree" in done.stdout
    days = [day for day in key.sales if day.known_at == key.latest]
    net = sum((day.net_amount_eur or Decimal() for day in days), Decimal())
    shown = f"all {len(days)} store-days agree"
    assert re.search(rf"net sales in EUR +{shown} +{re.escape(f'{net:,.2f}')} EUR$", done.stdout, re.MULTILINE)
    assert "DIFFER" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100
    held = Project(tmp_path / "chain").quarantine(1000, rule="held back")
    moves = [fault for fault in key.faults if fault.found == "unconverted" and " explained by " not in fault.detail]
    assert moves and {(row["file"], row["row"]) for row in held if row["entity"] == "stock_movement"} == {
        (fault.path, fault.row) for fault in moves
    }
    unpaid = [payment for payment in key.held_payments if payment.known_at == key.latest]
    assert sorted(row["value"] for row in held if row["entity"] == "tender") == [row.receipt for row in unpaid]
    # What it proposes to try works as it stands.
    proposed = done.stdout.split("To try:\n")[1]
    query = re.search(r'"(SELECT [^"]+)"', proposed)
    assert query
    for arguments in (["query", query[1]], ["quarantine", "list"]):
        assert main([*arguments, "--project", str(tmp_path / "chain")]) == 0
        assert arguments[0] in proposed


@pytest.mark.long
@pytest.mark.parametrize("seed", ["1", "2024"])
def test_other_chains_come_out_too(tmp_path: Path, seed: str) -> None:
    done = run_demo(tmp_path / "chain", *SMALL, "--seed", seed, "--format", "json")
    assert done.returncode == 0, done.stderr
    whole = json.loads(done.stdout)
    assert whole["same"] is True
    assert whole["figures"] == whole["agree"] == sum(len(group["figures"]) for group in whole["groups"]) > 3000
    assert all(figure["same"] for group in whole["groups"] for figure in group["figures"])
    faults = next(group for group in whole["groups"] if group["name"] == "injected faults found")
    assert len(faults["figures"]) == len(load_answer_key(tmp_path / "chain").faults) > 100


def test_one_wrong_figure_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The check can fail: a key that says one cent more is told from the warehouse, in that figure and in no other."""
    made = demo_command.make_chain

    def one_cent_more(*arguments: Any, **named: Any) -> AnswerKey:
        key = made(*arguments, **named)
        key.sales[-1] = replace(key.sales[-1], tax_amount=key.sales[-1].tax_amount + Decimal("0.01"))
        return key

    monkeypatch.setattr(demo_command, "make_chain", one_cent_more)
    assert main(["demo", str(tmp_path / "chain"), "--days", "3", "--stores", "1", "--products", "12"]) == 1
    shown = capsys.readouterr().out
    day = load_answer_key(tmp_path / "chain").sales[-1]
    assert re.search(r"^  tax +1 of 4 store-days DIFFER ", shown, re.MULTILINE)
    assert shown.count("DIFFER") == 1
    wrong = f"{day.tax_amount + Decimal('0.01')} expected, {day.tax_amount} found"
    assert f"  tax, WEB {day.business_date} EUR:\n      {wrong}\n" in shown
    assert shown.count(" expected, ") == 1
    assert re.search(r"^1 of \d+ figures differs\.", shown, re.MULTILINE)


# --- The folder and the forms, without the pipeline ------------------------------------------------------------------


class Stub:
    """Stands for what simulates and runs: writes a few files, and gives the comparison that a test asks for."""

    def __init__(self) -> None:
        self.same = True
        self.fails: BaseException | None = None

    def make_chain(self, folder: Path, progress: object, *, seed: int, **_: Any) -> SimpleNamespace:
        (folder / "incoming" / "pos").mkdir(parents=True)
        (folder / "incoming" / "pos" / f"seed{seed}.csv").write_text(f"{seed}\n")
        (folder / "systock.toml").write_text("[project]\n")
        if self.fails:
            raise self.fails
        return SimpleNamespace(files=[], faults=[], fault_counts=dict, days=90, seed=seed, start_date="2024-03-01")

    def open_project(self, folder: Path) -> SimpleNamespace:
        def run(progress: object) -> SimpleNamespace:
            (folder / "warehouse.duckdb").write_text("published")
            (folder / ".systock" / "bronze").mkdir()
            (folder / ".systock" / "bronze" / "part.parquet").touch(0o444)
            (folder / ".systock" / "state.sqlite").touch()
            return SimpleNamespace(sources=[], entities=[], rejected=[], generation=1, checks=2)

        return SimpleNamespace(run=run)

    def compare(self, *_: object) -> Comparison:
        found = Decimal("1.50") if self.same else None
        return Comparison((Group("net sales", "store-days", (Figure("S1", Decimal("1.5"), found, "EUR"),)),))


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Stub]:
    stub = Stub()
    monkeypatch.setattr(demo_command, "make_chain", stub.make_chain)
    monkeypatch.setattr(demo_command, "open_project", stub.open_project)
    monkeypatch.setattr(
        demo_command, "_web_shop", lambda *_: nullcontext(SimpleNamespace(given={}, server_address=("", 1)))
    )
    monkeypatch.setattr("systock.simulator.compare.compare", stub.compare)
    monkeypatch.chdir(tmp_path)
    yield stub


def files(folder: Path) -> dict[str, str]:
    every = (path for path in folder.rglob("*") if path.is_file() and path.name != "lock")
    return {path.relative_to(folder).as_posix(): path.read_text() for path in every}


def test_an_earlier_demo_is_replaced_whole(stub: Stub, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo"]) == 0
    assert "earlier" not in capsys.readouterr().err
    first = files(Path("demo"))
    assert {"incoming/pos/seed7.csv", "systock.toml", "warehouse.duckdb", ".systock/demo.json"} < set(first)
    (Path("demo") / ".systock" / "state.sqlite").write_text("old")
    assert main(["demo", "--seed", "8"]) == 0
    assert "demo holds an earlier demo: it is replaced" in capsys.readouterr().err
    second = files(Path("demo"))
    assert "incoming/pos/seed8.csv" in second
    assert "incoming/pos/seed7.csv" not in second
    assert second[".systock/state.sqlite"] == ""
    assert main(["demo"]) == 0
    assert files(Path("demo")) == first


def add_a_day(folder: Path) -> None:
    (folder / "incoming" / "pos" / "new_day.csv").write_text("mine")


def change_settings(folder: Path) -> None:
    (folder / "systock.toml").write_text("[project]\nname = 'mine'\n")


def link(folder: Path) -> None:
    (folder / "incoming" / "pos" / "seed7.csv").unlink()
    (folder / "incoming" / "pos" / "seed7.csv").symlink_to(folder.parent / "elsewhere.csv")
    (folder.parent / "elsewhere.csv").write_text("7\n")


def link_folder(folder: Path) -> None:
    (folder / "more").symlink_to(folder.parent)


@pytest.mark.parametrize("change", [add_a_day, change_settings, link, link_folder])
def test_what_is_not_the_demos_is_never_touched(
    stub: Stub, capsys: pytest.CaptureFixture[str], change: Callable[[Path], None]
) -> None:
    assert main(["demo"]) == 0
    change(Path("demo").resolve())
    before = files(Path("demo"))
    assert main(["demo", "--seed", "8"]) == 2
    assert "Nothing was deleted or written." in capsys.readouterr().err
    assert files(Path("demo")) == before


def test_other_folders_are_refused(stub: Stub, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    (tmp_path / "file").write_text("x")
    (tmp_path / "linked").mkdir()
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "demo.json").write_text('{"files": {}}')
    (tmp_path / "linked" / ".systock").symlink_to(tmp_path / "state")
    before = files(tmp_path)
    for name in ("mine", "file", "linked"):
        assert main(["demo", name]) == 2
        assert "Nothing was written." in capsys.readouterr().err
    assert files(tmp_path) == before
    (tmp_path / "empty").mkdir()
    assert main(["demo", "empty"]) == 0


def test_what_fails_leaves_things_as_they_were(stub: Stub, tmp_path: Path) -> None:
    stub.fails = UsageError("no such fault")
    assert main(["demo", "deep/new"]) == 2
    assert not (tmp_path / "deep" / "new").exists()
    stub.fails = None
    assert main(["demo"]) == 0
    before = files(tmp_path)
    for failure, code in ((UsageError("no such fault"), 2), (OSError(28, "No space left on device"), 1)):
        stub.fails = failure
        assert main(["demo", "--seed", "8"]) == code
        assert files(tmp_path) == before
    stub.fails = None
    with project_lock(tmp_path / "demo" / ".systock", "systock run"):
        assert main(["demo", "--seed", "8"]) == 1
    assert files(tmp_path) == before


def test_what_was_killed_halfway_is_taken_over(stub: Stub, tmp_path: Path) -> None:
    half = tmp_path / "demo" / ".systock"
    (half / "new" / "incoming").mkdir(parents=True)
    (half / "new" / "incoming" / "half.csv").touch()
    (half / "demo.json").write_text('{"files": {}}')
    assert main(["demo"]) == 0
    assert not (half / "new").exists()
    assert "incoming/half.csv" not in files(tmp_path / "demo")


@pytest.mark.parametrize("same", [True, False])
def test_forms_for_programs(stub: Stub, capsys: pytest.CaptureFixture[str], same: bool) -> None:
    stub.same = same
    assert main(["demo", "--format", "json"]) == (0 if same else 1)
    whole = json.loads(capsys.readouterr().out)
    assert (whole["same"], whole["agree"]) == (same, int(same))
    [figure] = whole["groups"][0]["figures"]
    assert figure == {"name": "S1", "expected": 1.5, "found": 1.5 if same else None, "same": same}
    assert main(["demo", "--format", "csv"]) == (0 if same else 1)
    assert capsys.readouterr().out.splitlines() == [
        "group,figure,expected,found,same",
        f"net sales,S1,1.5,{'1.50' if same else ''},{str(same).lower()}",
    ]
