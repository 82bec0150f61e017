"""Erasing: a person's values are nowhere in the project any more, every count holds, and a crash anywhere leaves no half."""

from __future__ import annotations

import hashlib
import hmac
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from plain_values import places_of
from property.test_landing import Steps, ending, exit_now
from published import Shop
from small_chain import deliver as deliver_to
from small_chain import take_compiled
from systock import Project
from systock.errors import SettingsError, UsageError
from systock.etl_pipeline.bronze_layer import rewrite_parts
from systock.etl_pipeline.bronze_layer.land_batches import Rows, land, open_log, store_rows
from systock.etl_pipeline.bronze_layer.landing_log import Erasure
from systock.etl_pipeline.bronze_layer.moving_parts import recover
from systock.pipeline_manager.build import Silent
from systock.pipeline_manager.definitions import Definitions
from systock.pipeline_manager.erase import Erasing, Request
from systock.pipeline_manager.retention import copy_name
from systock.pipeline_manager.state import Notice, State

KEY = "0123456789abcdef0123456789abcdef"
SETTINGS = """
[project]
name = "people"
calendar_from = 2024-01-01
calendar_to = 2024-12-31
personal_key = "${PERSONAL_KEY}"
[run]
threads = 1

[sources.crm]
type = "files"
known_at = "mtime"
[sources.crm.tables.people]
path = "incoming/people*.csv"
mode = "changes"
key = ["id"]
[sources.crm.tables.cards]
path = "incoming/cards*.jsonl"
mode = "full"
key = ["id"]
"""
MAPPING = "SELECT id AS customer_id, name AS segment, city AS city, email AS email_hash FROM bronze.crm__people"
NOW = datetime(2024, 6, 1, tzinfo=UTC)
#: Two deliveries of two commits; person 7 is in both, and in a line that has too few values.
FILES = {
    "people1.csv": "id,name,city,email\n7,Jane Doe,Ulm,jane@home\n8,Joe Low,Ulm,joe@home\n77,Ann Lee,Bonn,ann@home\n7,Jane Doe\n",
    "people2.csv": "id,name,city,email\n7,Jane Roe,Köln,jane@work\n9,Eve May,Ulm,eve@home\n",
    "people3.csv": "id,name,city,email\n8,Joe High,Ulm,joe@work\n",
}
JANE = ["Jane Doe", "Jane Roe", "jane@"]


def hashed(value: str) -> str:
    return hmac.new(KEY.encode(), value.encode(), hashlib.sha256).hexdigest()


def deliver(project: Path, name: str, text: str, second: int = 0) -> None:
    path = project / "incoming" / name
    path.write_text(text)
    os.utime(path, (1_704_067_200 + second, 1_704_067_200 + second))


@pytest.fixture
def people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first_project: Path) -> Path:
    """A project of three landings of one second each, one of which comes twice; nothing is personal yet."""
    monkeypatch.setenv("PERSONAL_KEY", KEY)
    path = tmp_path / "people"
    (path / "incoming").mkdir(parents=True)
    (path / "sources/crm").mkdir(parents=True)
    (path / "sources/crm/customer.sql").write_text(MAPPING + "\n")
    (path / "systock.toml").write_text(SETTINGS)
    take_compiled(first_project, path)
    for second, (name, text) in enumerate(FILES.items()):
        deliver(path, name, text, second)
    deliver(path, "people9.csv", FILES["people1.csv"], 9)
    return path


def make_personal(project: Path, columns: str = '["name", "email"]') -> None:
    text = (project / "systock.toml").read_text()
    (project / "systock.toml").write_text(text.replace('key = ["id"]', f'key = ["id"]\npersonal = {columns}', 1))


def landed(project: Path) -> None:
    settings = Project(project).settings
    land(project, settings.sources, personal_key=settings.project.personal_key)


def files_with(project: Path, values: list[str]) -> set[str]:
    return {place.partition(":")[0] for place in places_of(project, values)}


def lines(project: Path) -> list[dict[str, Any]]:
    """All lines of bronze."""
    log = open_log(project)
    parts = sorted(log.parts())
    log.close()
    return [row for part in parts for row in pq.read_table(project / ".systock/bronze" / part).to_pylist()]


def test_what_is_killed_behind_bronze_the_next_run_does(people: Path) -> None:
    landed(people)
    before = [(batch.no, batch.lines, batch.malformed, batch.content_hash) for batch in open_log(people).batches()]
    kept = copy_name(open_log(people).commits()[0], Definitions(people, Project(people).settings).hash)
    made = (f"as_known/{kept.removesuffix('.duckdb')}", "rebuild", "build")
    for name in made:  # from bronze, before
        (people / ".systock" / name).parent.mkdir(exist_ok=True)
        with duckdb.connect(str(people / f".systock/{name}.duckdb")) as db:
            db.execute("CREATE TABLE gone AS SELECT 'Jane Doe' AS name")
    (people / ".systock/asked/web").mkdir(parents=True)
    (people / ".systock/asked/web/users.pages").write_text("Jane Doe")
    with closing(State(people / ".systock")) as state:
        state.end_run(state.start_run(), "failed", None, 1.0, {"warnings": ["such as 'Jane Doe'"]}, [])
        state.add_notice(Notice("failed", "run", "", "Jane Doe", "Jane Doe"))
    planned = Project(people).erase("crm", "people", {"ID": "7"}, ["name", "email"], dry_run=True)
    assert [(of["path"], of["lines"], of["values"]) for of in planned["batches"]] == [
        ("incoming/people1.csv", 2, 3), ("incoming/people2.csv", 1, 2)
    ]  # fmt: skip

    killed = f"""
import os, signal
from systock import Project
from systock.pipeline_manager import run_pipeline
run_pipeline.forget_copies = lambda place: os.kill(os.getpid(), signal.SIGKILL)
Project({str(people)!r}).erase("crm", "people", {{"ID": "7"}}, ["name", "email"])
"""
    assert subprocess.run([sys.executable, "-c", killed], check=False).returncode == -signal.SIGKILL
    assert files_with(people, JANE) == {
        ".systock/asked/web/users.pages", ".systock/state.sqlite", *(f".systock/{name}.duckdb" for name in made)
    }  # fmt: skip
    assert [erasure.finished_at for erasure in open_log(people).erasures()] == [None]

    deliver(people, "people1.csv", FILES["people1.csv"], 20)  # what was delivered is still known when it comes again,
    deliver(people, "people8.csv", FILES["people2.csv"], 21)  # under another name too
    summary = Project(people).run()
    assert (summary.status, sum(row["repeats"] for row in summary.sources)) == ("published", 2)
    assert places_of(people, JANE) == [] and open_log(people).unfinished_erasures() == []
    asked = "SELECT customer_id, segment, city, email_hash FROM gold.dim_customer WHERE customer_key <> 0 ORDER BY 1"
    assert [tuple(row.values()) for row in Project(people).query(asked).to_pylist()] == [
        ("7", None, "Köln", None),
        ("77", "Ann Lee", "Bonn", "ann@home"),
        ("8", "Joe Low", "Ulm", "joe@home"),
        ("9", "Eve May", "Ulm", "eve@home"),
    ]
    assert {row["value"] for row in Project(people).quarantine()} == {"(erased)"}
    assert [(b.no, b.lines, b.malformed, b.content_hash) for b in open_log(people).batches()][: len(before)] == before
    [noted] = Project(people).erasures()
    assert (noted["lines"], noted["columns"], noted["key_columns"]) == (3, "name, email", "ID")
    assert noted["key_hash"] == hashed('[["ID", "7"]]') and noted["finished_at"]
    assert [run["status"] for run in Project(people).runs()] == ["published", "failed"]
    assert Project(people).erase("crm", "people", {"id": "7"}, ["name", "email"])["status"] == "nothing to erase"


def test_values_from_before_become_hashes(people: Path) -> None:
    landed(people)
    make_personal(people, '["email"]')
    with pytest.raises(SettingsError, match=r"Run 'systock erase crm\.people --plain' once"):
        landed(people)
    erasing = Erasing(
        Project(people)._place, Definitions(people, Project(people).settings), Request("crm", "people", {}, plain=True)
    )
    assert (erasing.plan["lines"], erasing.plan["values"]) == (7, 7)
    erasing.write(Silent())
    assert places_of(people, ["@home", "@work"]) == []
    assert {row["email"] for row in lines(people)} >= {hashed("eve@home"), None}
    landed(people)
    # A person's own word finds the lines of its hash.
    planned = Project(people).erase("crm", "people", {"email": "jane@work"}, dry_run=True)
    assert (planned["lines"], planned["values"]) == (1, 1)


def test_lines_from_before_that_hold_no_value_are_noted_as_well(people: Path) -> None:
    for path in (people / "incoming").iterdir():
        path.unlink()
    deliver(people, "people1.csv", "id,name,city,email\n7,,Ulm,\n")
    landed(people)
    make_personal(people)
    erasing = Erasing(
        Project(people)._place, Definitions(people, Project(people).settings), Request("crm", "people", {}, plain=True)
    )
    assert erasing.is_due and erasing.plan["values"] == 0
    erasing.write(Silent())
    landed(people)
    assert lines(people)[0]["city"] == "Ulm"


@pytest.mark.long
def test_the_server_is_brought_to_what_is_left(shop: Shop) -> None:
    people = [(f"P{n}", name, "1", "pcs", "2024-01-01T00:00:00+00:00") for n, name in ((7, "Jane"), (8, "Joe"))]
    deliver_to(shop.path, "erp_products", people, "2", modified=1_711_100_000.0)
    shop.run()
    shop.admin.execute("ANALYZE")
    sampled = "SELECT DISTINCT tablename FROM pg_stats AS s WHERE CAST(s AS text) LIKE '%Jane%' ORDER BY 1"
    assert [table for (table,) in shop.rows(sampled)] == ["dim_product"]
    shop.project.erase("erp", "products", {"code": "P7"}, ["name"])
    assert shop.rows(sampled) == []
    counted = "SELECT count(*) FROM gold.dim_product WHERE product_name = 'x'"
    assert shop.admin.execute(counted).fetchall() == [(3,)]
    done = shop.project.erase("erp", "products", {"code": "P1"}, ["name"])
    assert done["target"]["how"] == "compare"
    assert shop.admin.execute(counted).fetchall() == [(2,)]
    assert shop.project.run().status == "nothing new"
    with open_log(shop.path).transaction() as log:  # as a crash right behind bronze leaves it
        log.execute("UPDATE erasures SET finished_at = NULL")
    assert shop.project.run().status == "published" and open_log(shop.path).unfinished_erasures() == []


def erased_in_bronze(project: Path) -> None:
    log = open_log(project)
    change = rewrite_parts.Erased(
        log.batches(source="crm", table="people"), {"id": ["7"]}, lambda name: name in ("name", "email")
    )
    now = log.commits()[0].known_at
    erasure = Erasure(len(log.erasures()) + 1, now, "crm", "people", "erased", ("id",), None, ("name", "email"), 0, 0)
    rewrite_parts.rewrite(log, change, rewrite_parts.find(log, change), erasure, lambda done, part: None)
    log.close()


def killed_at(project: Path, step: int) -> bool:
    """Erase in a process that dies before a step; False where it has fewer."""
    child = os.fork()
    if child == 0:
        try:
            with ending(Steps(step, exit_now)):
                erased_in_bronze(project)
            os._exit(0)
        finally:
            os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, 9)
    return status == 9


def test_a_crash_anywhere_in_bronze_leaves_all_or_nothing(people: Path, tmp_path: Path) -> None:
    landed(people)
    whole = lines(people)
    bare = [(row["_batch_no"], row["_row"], row["id"], row["city"]) for row in whole]
    outcomes, step = [], 1
    shutil.copytree(people, tmp_path / "fresh")
    while killed_at(people, step):
        recover(open_log(people))
        found = lines(people)
        assert [(row["_batch_no"], row["_row"], row["id"], row["city"]) for row in found] == bare
        is_whole = found == whole
        outcomes.append(is_whole)
        assert is_whole != bool(open_log(people).unfinished_erasures())
        on_disk = {path.relative_to(people / ".systock/bronze").as_posix() for path in people.rglob("*.parquet")}
        assert on_disk == open_log(people).parts()
        assert is_whole or places_of(people, JANE) == []
        if not is_whole:
            shutil.rmtree(people)
            shutil.copytree(tmp_path / "fresh", people)
        step += 1
    assert outcomes == sorted(outcomes, reverse=True) and {True, False} == set(outcomes)
    assert places_of(people, JANE) == []


@pytest.mark.parametrize(
    ("table", "key", "columns", "said"),
    [
        ("peopel", {"id": "7"}, ["name"], r"nothing of crm.peopel has landed\n.*did you mean 'crm.people'"),
        ("people", {}, ["name"], "no line is named"),
        ("people", {"idd": "7"}, ["name"], r"has no column 'idd'"),
        ("people", {"id": ""}, ["name"], "id has no value"),
        ("people", {"id": "7"}, ["nmae"], r"has no column 'nmae'"),
        ("people", {"id": "7"}, ["ID"], "'ID' of crm.people names its lines"),
        ("people", {"id": "7"}, [], "has no personal columns"),
    ],
)
def test_what_cannot_be_meant(people: Path, table: str, key: dict[str, str], columns: list[str], said: str) -> None:
    landed(people)
    with pytest.raises(UsageError, match=f"(?is){said}"):
        Project(people).erase("crm", table, key, columns, dry_run=True)


def test_of_a_snapshot_goes_what_may_be_missing(people: Path) -> None:
    """States of one's own that were kept may hold personal values; what makes them readable stays."""
    rows = pa.table({"is_removed": ["false"], "product_key": ["5"], "product_name": ["Jane's tea"]})
    store_rows(open_log(people), [Rows("systock", "product_state", "append", "taken 1", NOW, rows)])
    erase = Project(people).erase
    assert erase("systock", "product_state", {"product_key": "5"}, ["product_name"], dry_run=True)["values"] == 1
    for column in ("is_removed", "product_key"):
        with pytest.raises(UsageError, match="names its lines, or must have a value"):
            erase("systock", "product_state", {"product_key": "5"}, [column], dry_run=True)


def test_lines_that_could_not_be_split(people: Path) -> None:
    """Whole words only, as they are or as JSON writes them."""
    texts = ['{"id": "7", "x"', '{"id": 7', '{"id": "77"', '{"id": "x7"', '{"id": "7ü"', '["7"]']
    deliver(people, "cards1.jsonl", "\n".join(texts) + "\n")
    landed(people)
    log = open_log(people)
    change = rewrite_parts.Erased(log.batches(table="cards"), {"id": ["7"]}, lambda name: False)
    [found] = rewrite_parts.find(log, change)
    assert (found.lines, found.values) == (3, 3)
    quoted = rewrite_parts.Erased(log.batches(table="cards"), {"id": ['7", "x']}, lambda name: False)
    assert [found.lines for found in rewrite_parts.find(log, quoted)] == [1]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """A process that forks must have no thread at work: what Arrow does here needs none."""
    before = pa.cpu_count()
    pa.set_cpu_count(1)
    yield
    pa.set_cpu_count(before)
