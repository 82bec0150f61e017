"""Every command: what it asks of the project, what it prints where, and its exit code."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from systock.config import load_settings
from systock.errors import CheckFailed, SettingsError

from .conftest import Called, FakeProject, RunSummary, entity_row, quarantined, source_row

Systock = Callable[..., Called]


def test_help_brings_nothing_heavy() -> None:
    code = """
import sys
from systock.cli.app import main
main(["--help"])
print(sys.modules.keys() & {"duckdb", "pyarrow", "sqlglot", "rich", "pydantic", "systock.project"}, file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "set()"
    assert "quarantine" in done.stdout


def test_nothing_asked_shows_the_help(systock: Systock) -> None:
    called = systock()
    assert called.code == 2
    assert "Commands:" in called.out + called.err


def test_version(systock: Systock) -> None:
    assert systock("--version").out.startswith("systock 0")


@pytest.mark.parametrize(
    "arguments", [["frob"], ["run", "--nope"], ["runs", "--limit", "-1"], ["query"], ["status", "-f", "xml"]]
)
def test_usage_errors(systock: Systock, project: FakeProject, arguments: list[str]) -> None:
    called = systock(*arguments)
    assert (called.code, called.out) == (2, "")
    assert "Usage: systock" in called.err
    assert project.calls == []


def test_a_usage_line_names_what_is_to_be_written(systock: Systock, project: FakeProject) -> None:
    for arguments, line in (
        (["query"], "query [OPTIONS] SQL"),
        (["quarantine", "show"], "quarantine show [OPTIONS] NUMBER"),
        (["explain"], "explain [OPTIONS] TABLE KEY [COLUMN]"),
        (["snapshot", "diff"], "snapshot diff [OPTIONS] A B"),
        (["runs", "--limit", "-1"], "runs [OPTIONS] [RUN]"),
    ):
        assert f"Usage: systock {line}\n" in systock(*arguments).err


def test_project_from_option_environment_and_here(
    systock: Systock, project: FakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.answers["flow"] = "extract -> bronze"
    assert systock("flow").out == "extract -> bronze\n"
    assert project.path == Path()
    monkeypatch.setenv("SYSTOCK_PROJECT", "/a")
    systock("flow")
    assert project.path == Path("/a")
    systock("flow", "--project", "/b")
    assert project.path == Path("/b")


def test_errors_say_what_where_state_and_next(systock: Systock, project: FakeProject) -> None:
    project.answers["status"] = CheckFailed("two rows\nof one key", where="gold.x", state="all stays", todo="look")
    called = systock("status")
    assert (called.code, called.out) == (1, "")
    expected = "Error: two rows\n         of one key\n  where  gold.x\n  state  all stays\n  next   look\n"
    assert called.err == expected


def test_settings_errors_are_usage_errors(systock: Systock, project: FakeProject) -> None:
    project.answers["run"] = SettingsError("wrong")
    assert systock("run").code == 2


def test_unexpected_errors_show_a_traceback_on_demand_only(
    systock: Systock, project: FakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.answers["runs"] = ZeroDivisionError("oops")
    called = systock("runs")
    assert called.code == 1
    assert "ZeroDivisionError: oops" in called.err
    assert "Traceback" not in called.err
    monkeypatch.setenv("SYSTOCK_DEBUG", "1")
    assert "Traceback" in systock("runs").err


INTERRUPTED = """
import os, signal, sys, types
module = types.ModuleType("systock.project")
class Project:
    def __init__(self, path): pass
    def __getattr__(self, name): return self.stop
    def stop(self, *args, **kwargs):
        try:
            os.kill(os.getpid(), signal.{signal})
        except KeyboardInterrupt:
            raise {error} from None
module.Project = Project
sys.modules["systock.project"] = module
from systock.cli.app import main
sys.exit(main({arguments}))
"""


@pytest.mark.parametrize(
    ("name", "error", "arguments", "code", "said"),
    [
        ("SIGINT", "KeyboardInterrupt", ["run"], 130, "nothing was published, the next run continues"),
        ("SIGINT", "RuntimeError('Query interrupted')", ["run"], 130, "nothing was published, the next run continues"),
        ("SIGTERM", "KeyboardInterrupt", ["run"], 143, "nothing was published, the next run continues"),
        ("SIGINT", "KeyboardInterrupt", ["query", "SELECT 1"], 130, "Stopped."),
    ],
)
def test_stopped(name: str, error: str, arguments: list[str], code: int, said: str) -> None:
    program = INTERRUPTED.format(signal=name, error=error, arguments=arguments)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_goes_away_is_no_error() -> None:
    program = "from systock.cli.app import main; import sys; sys.exit(main(['--help']))"
    done = subprocess.run(
        f"{sys.executable} -c \"{program}\" | true; echo ${{PIPESTATUS[0]}}",
        shell=True, executable="/bin/bash", capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout.strip() in ("0", "141")


@pytest.mark.parametrize(
    ("arguments", "call"),
    [
        (
            ["run", "--select", "pos", "--full", "--dry-run", "--from", "2026-01-01", "--to", "2026-01-31"],
            (
                "run",
                (),
                {"select": ["pos"], "full": True, "dry_run": True, "since": "2026-01-01", "until": "2026-01-31"},
            ),
        ),
        (["runs", "-n", "3"], ("runs", (3,), {})),
        (["runs", "7"], ("run_steps", (7,), {})),
        (["schedule", "--dry-run"], ("schedule", (), {})),
        (["notify"], ("notify", (), {})),
        (
            ["batches", "--source", "pos", "--table", "sales"],
            ("batches", (), {"source": "pos", "table": "sales", "limit": 50}),
        ),
        (
            ["quarantine", "list", "--source", "pos", "--entity", "sale_line", "--rule", "x", "--limit", "9"],
            ("quarantine", (9,), {"source": "pos", "entity": "sale_line", "rule": "x"}),
        ),
        (["quarantine", "show", "4"], ("quarantine_show", (4,), {})),
        (
            ["rebuild", "--verify", "--known-at", "2026-01-01"],
            ("rebuild", (), {"verify": True, "known_at": "2026-01-01", "history": False}),
        ),
        (
            ["snapshot", "take", "--kind", "sales", "--as-of", "2026-01-01"],
            ("snapshot_take", ("sales", "2026-01-01"), {}),
        ),
        (["snapshot", "take"], ("snapshot_take", (None, None), {})),
        (["snapshot", "list"], ("snapshots", (), {})),
    ],
)
def test_what_is_asked_of_the_project(
    systock: Systock, project: FakeProject, arguments: list[str], call: tuple[str, tuple[Any, ...], dict[str, Any]]
) -> None:
    answers: dict[str, Any] = {"run": RunSummary(), "quarantine_show": {}, "rebuild": {"generation": 1, "tables": []}}
    project.answers = {call[0]: answers.get(call[0], [])}
    called = systock(*arguments, "--format", "json")
    assert called.code == 0, called.err
    assert project.calls == [call]
    json.loads(called.out)


def test_query_in_each_form(systock: Systock, project: FakeProject, table: pa.Table) -> None:
    project.answers["query"] = table
    first = json.loads(systock("query", "SELECT 1", "--format", "json").out)[0]
    assert first == {"product_id": "a", "amount": 1.5, "sold_at": "2026-03-29T01:30:00.000250Z", "is_void": True}
    lines = systock("query", "SELECT 1", "--format", "csv").out.splitlines()
    assert lines[0] == "product_id,amount,sold_at,is_void"
    assert lines[2] == "b,-20.0000,2026-03-29T01:30:00.000250Z,false"
    assert lines[3] == ",,,"
    called = systock("query", "SELECT 1", "--known-at", "2026-01-01", "--limit", "2")
    assert "first 2 of 3 rows" in called.err
    assert "-20.0000" in called.out
    assert project.calls[-1] == ("query", ("SELECT 1",), {"known_at": "2026-01-01"})


def test_query_without_rows_keeps_its_columns_in_csv(systock: Systock, project: FakeProject, table: pa.Table) -> None:
    project.answers["query"] = table.slice(0, 0)
    assert systock("query", "SELECT 1", "-f", "csv").out == "product_id,amount,sold_at,is_void\n"
    assert systock("query", "SELECT 1", "-f", "json").out == "[]\n"


def test_check(systock: Systock, project: FakeProject) -> None:
    good = {"check": "key", "table": "gold.a", "passed": True, "detail": ""}
    project.answers["check"] = [good]
    called = systock("check")
    assert (called.code, called.out) == (0, "")
    assert "1 check passed, 0 failed" in called.err
    project.answers["check"] = [good, good | {"table": "gold.b", "passed": False, "detail": "2 rows"}]
    called = systock("check")
    assert called.code == 1
    assert "gold.b" in called.out
    assert "gold.a" not in called.out
    assert len(json.loads(systock("check", "--format", "json").out)) == 2


def test_rebuild_verify_fails_on_a_difference(systock: Systock, project: FakeProject) -> None:
    tables = [{"table": "gold.a", "rows": 1, "hash": "x", "published_hash": "x", "same": True}]
    project.answers["rebuild"] = {"generation": 4, "tables": tables}
    called = systock("rebuild", "--verify")
    assert called.code == 0
    assert "row for row" in called.err
    tables[0] |= {"published_hash": "y", "same": False}
    called = systock("rebuild", "--verify")
    assert called.code == 1
    assert "gold.a" in called.err
    assert systock("rebuild").code == 0


def test_quarantine_list_and_retry(systock: Systock, project: FakeProject) -> None:
    project.answers["quarantine"] = [quarantined(5)]
    called = systock("quarantine", "list")
    assert "not a number" in called.out
    assert "systock quarantine show 5" in called.err
    assert systock("quarantine", "list", "-f", "csv").out.startswith(
        "number,source,table,entity,file,row,rule,column,value"
    )
    project.answers["quarantine_retry"] = {"before": 8, "after": 3}
    assert "8 rows were set aside before, 3 are now." in systock("quarantine", "retry").out
    assert json.loads(systock("quarantine", "retry", "-f", "json").out) == {"before": 8, "after": 3}


def test_run_tells_a_shopkeeper_what_happened(systock: Systock, project: FakeProject) -> None:
    project.answers["run"] = RunSummary(
        sources=[source_row(repeats=1, waiting=2), source_row(table="counts", files=0, lines=0)],
        entities=[entity_row(), entity_row(entity="suppliers (lines)", quarantined=0)],
        rejected=[
            {"source": "pos", "table": "sales", "file": "incoming/x.csv", "reason": "is empty", "todo": "remove it"}
        ],
        unusual=["pos.sales: 2 lines in a.csv, 50 to 218 are expected (set)"],
        drift=[
            {"source": "pos", "table": "sales", "file": f"{n}.csv", "what": "new column 'x'", "todo": "Add x."}
            for n in range(7)
        ],
        warnings=["no mapping reads pos.counts"],
    )
    project.answers["quarantine"] = [quarantined(n) for n in range(7)] + [
        quarantined(9, rule="unit unknown", column="unit"),
        quarantined(0, rule="held back: unit without conversion") | {"number": None},
        quarantined(0, entity="(file)", rule="is empty", row=None) | {"number": None},
    ]
    project.answers["status"] = {"known_at": "2026-03-29T01:30:00.000250+00:00"}
    called = systock("run")
    assert called.code == 0
    for said in (
        "2026-03-29 01:30:00 UTC: what came in by then",
        "Generation 3 is published: 42 checks passed, 1.2 s.",
        "pos, sales: 1,234 lines in 3 files; 1 file had come before; 2 files are still being written",
        "1,234 lines: 1,200 new or changed, 26 known already, 8 set aside",
        "8 lines in this run, 8 in all; the most frequent reasons:",
        "\n  Lines of suppliers  1,234 lines: 1,200 new or changed",
        "7 × sale lines: not a number (quantity = 'two', incoming/a.csv row 7)",
        "1 × sale lines: unit unknown",
        "incoming/x.csv: is empty",
        "  Unusual             pos.sales: 2 lines in a.csv, 50 to 218 are expected (set)\n",
        "  Not as before       pos.sales, 0.csv: new column 'x'. Add x.\n",
        "                      and 2 more\n",
        "no mapping reads pos.counts",
        "systock quarantine list",
    ):
        assert said in called.out
    assert "counts: 0 lines" not in called.out
    assert "(file)" not in called.out and "held back" not in called.out
    assert "\x1b" not in called.out + called.err
    assert re.search(r"extract: 2, \d+\.\d s\n", called.err)
    assert "a note\n" in called.err


def test_run_with_nothing_new(systock: Systock, project: FakeProject) -> None:
    project.answers |= {"run": RunSummary(status="nothing new", checks=0), "status": {"known_at": None}}
    called = systock("run")
    assert "Nothing new since generation 3" in called.out
    assert "\n  Came in  nothing new" in called.out
    assert "quarantine" not in called.out


def test_nothing_new_is_not_said_of_files_that_could_not_be_read(systock: Systock, project: FakeProject) -> None:
    refused = {"source": "pos", "table": "sales", "file": "incoming/x.csv", "reason": "is empty", "todo": "remove it"}
    project.answers |= {
        "run": RunSummary(status="nothing new", rejected=[refused], sources=[source_row(files=0, lines=0, rejected=1)]),
        "status": {"known_at": None},
    }
    assert "Nothing new since generation 3 but 1 file that could not be read, 1.2 s." in systock("run").out


def test_a_generation_without_a_new_file_is_made_of_what_had_landed(systock: Systock, project: FakeProject) -> None:
    project.answers |= {"run": RunSummary(checks=1), "status": {"known_at": None}}
    said = systock("run").out
    assert "nothing new: this generation is made of what had landed before" in said
    assert "1 check passed" in said


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (1, "1 superseded: another version holds, 1 exact repeat\n"),
        (2, "2 superseded: another version holds, 2 exact repeats\n"),
    ],
)
def test_one_is_not_said_as_many(systock: Systock, project: FakeProject, number: int, said: str) -> None:
    rows = [entity_row(kept=0, unchanged=0, quarantined=0, superseded=number, duplicates=number)]
    project.answers |= {"run": RunSummary(entities=rows), "status": {"known_at": None}}
    assert said in systock("run").out
    project.answers["quarantine_retry"] = {"before": 1, "after": 1}
    assert "1 row was set aside before, 1 is now.\n" in systock("quarantine", "retry").out


def test_a_run_says_what_is_held_back_though_it_set_nothing_aside(systock: Systock, project: FakeProject) -> None:
    held = [{"entity": "sale_line", "reason": "unit without conversion", "lines": 1_234}]
    project.answers |= {"run": RunSummary(status="nothing new"), "status": {"known_at": None}, "held_back": held}
    called = systock("run")
    assert "\n  Held back  1,234 lines now, kept out of their facts" in called.out
    assert "1,234 × sale lines: unit without conversion" in called.out
    assert "systock quarantine list" in called.out
    assert "Set aside" not in called.out


def test_dry_run_names_what_would_be_touched(systock: Systock, project: FakeProject) -> None:
    tables = [{"table": "gold.fact_sale_line", "refresh": "by key"}]
    sources = [{"source": "pos", "table": "sales", "files": 2, "waiting": 1}]
    project.answers["run"] = RunSummary(status="dry run", generation=0, tables=tables, sources=sources)
    called = systock("run", "--dry-run")
    assert "nothing was written" in called.out
    assert "gold.fact_sale_line: by key" in called.out
    assert "pos, sales: 2 files; 1 file is still being written" in called.out


def test_run_as_json_is_the_whole_summary(systock: Systock, project: FakeProject) -> None:
    project.answers["run"] = RunSummary(entities=[entity_row()])
    document = json.loads(systock("run", "--format", "json").out)
    assert document["entities"][0]["quarantined"] == 8
    assert document["seconds"] == 1.25


def test_runs_leave_the_summary_to_json(systock: Systock, project: FakeProject) -> None:
    project.answers["runs"] = [{"run_id": 1, "status": "published", "summary": {"checks": 2}}]
    assert "summary" not in systock("runs").out
    assert systock("runs", "-f", "csv").out == "run_id,status\n1,published\n"
    assert json.loads(systock("runs", "-f", "json").out)[0]["summary"] == {"checks": 2}


def test_init_makes_a_project_that_loads(systock: Systock, tmp_path: Path) -> None:
    called = systock("init", str(tmp_path / 'my "shop"'))
    assert called.code == 0
    folder = tmp_path / 'my "shop"'
    settings = load_settings(folder)
    assert settings.project.name == "my shop"
    assert settings.sources["pos"].tables["sales"].key == ("receipt", "line")
    assert (folder / "sources" / "pos" / "sale_line.sql").is_file()
    assert ".systock/" in (folder / ".gitignore").read_text()


def test_what_the_template_shows_commented_out_is_valid(
    systock: Systock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ERP_PASSWORD", "secret")
    monkeypatch.setenv("PERSONAL_KEY", "secret")
    systock("init", str(tmp_path / "shop"))
    path = tmp_path / "shop" / "systock.toml"
    # Every commented line of the form '# name = value' or '# [section]' becomes a setting, except what excludes others.
    lines = path.read_text().splitlines()
    active = [
        re.sub(r"^# (?=\[|[a-z_.]+ = )", "", line)
        for line in lines
        if not re.match(r"# (header|columns|codes_of) ", line)
    ]
    path.write_text("\n".join(active).replace("# moves_stock = false", "moves_stock = false"))
    settings = load_settings(tmp_path / "shop")
    assert settings.run.threads == 2
    assert settings.sources["pos"].tables["sales"].records == "data.items"


def test_init_refuses_a_folder_that_is_not_empty(systock: Systock, tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    called = systock("init", str(tmp_path))
    assert called.code == 2
    assert "not an empty folder" in called.err
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
    assert systock("init", str(tmp_path / "x")).code == 2


def test_init_names_the_examples_there_are(systock: Systock, tmp_path: Path) -> None:
    called = systock("init", str(tmp_path / "new"), "--example", "nope")
    assert called.code == 2
    assert "'nope'" in called.err
    assert not (tmp_path / "new").exists()


def test_simulate_makes_a_project_once(systock: Systock, tmp_path: Path) -> None:
    sizes = ("--days", "2", "--stores", "1", "--products", "12", "--faults", "none", "--seed", "3")
    called = systock("simulate", str(tmp_path / "chain"), *sizes)
    assert called.code == 0, called.err
    assert "pos.sales: " in called.out
    assert "Faults put in: 0." in called.out
    assert "trading: " in called.err
    assert load_settings(tmp_path / "chain").sources.keys() >= {"pos", "erp"}
    again = systock("simulate", str(tmp_path / "chain"), *sizes)
    assert again.code == 2
    assert "already holds" in again.err


def test_simulate_leaves_the_settings_that_are_there(systock: Systock, tmp_path: Path) -> None:
    (tmp_path / "systock.toml").write_text('[project]\nname = "mine"\n')
    called = systock("simulate", str(tmp_path), "--days", "2", "--stores", "1", "--products", "12")
    assert called.code == 0, called.err
    assert load_settings(tmp_path).project.name == "mine"


@pytest.mark.parametrize("arguments", [("--days", "0"), ("--stores", "1000"), ("--faults", "flood")])
def test_simulate_refuses_what_it_cannot_do(systock: Systock, tmp_path: Path, arguments: tuple[str, str]) -> None:
    called = systock("simulate", str(tmp_path / "chain"), *arguments)
    assert called.code == 2
    assert arguments[1] in called.err
    assert not (tmp_path / "chain").exists()


def test_init_copies_an_example_whole(systock: Systock, tmp_path: Path) -> None:
    called = systock("init", str(tmp_path / "shop"), "--example", "retail_chain")
    assert called.code == 0, called.err
    assert load_settings(tmp_path / "shop").project.name == "Retail chain"
    assert (tmp_path / "shop" / "sources" / "pos" / "sale_line.sql").is_file()
    assert ".systock/" in (tmp_path / "shop" / ".gitignore").read_text()
