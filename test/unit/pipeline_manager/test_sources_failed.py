"""A source that fails: the others are published, people are told, what may pass is asked again, the exit code is 1."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from systock.cli.app import main
from systock.errors import SourceError
from systock.etl_pipeline.bronze_layer import land_pulls
from systock.extract.pull import Asked, Pull
from systock.pipeline_manager.attended_run import attended_run
from systock.pipeline_manager.build import Silent
from systock.pipeline_manager.extent import Extent
from systock.pipeline_manager.run_pipeline import SourcesFailed
from systock.pipeline_manager.workplace import Workplace
from systock.project import Project

_SETTINGS = """
[project]
name = "shop"
[run]
attempts = {attempts}
retry_wait = "0 seconds"
[sources.erp]
type = "database"
url = "postgresql://u:hunter2@h/d"
tables.products = {{ mode = "full", key = ["id"] }}
tables.places = {{ mode = "full", key = ["id"] }}
[sources.web]
type = "database"
url = "sqlite:///web.sqlite"
tables.products = {{ mode = "full", key = ["id"] }}
"""


class Passing(SourceError):
    transient = True


class Shop:
    """Two systems: what they deliver, and the errors with which tables of theirs fail, one after the other."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch, attempts: int = 3) -> None:
        self.path = path
        (path / "systock.toml").write_text(_SETTINGS.format(attempts=attempts))
        for source in ("erp", "web"):
            (path / "sources" / source).mkdir(parents=True)
            mapping = f"SELECT id AS product_id, name AS product_name FROM bronze.{source}__products"
            (path / "sources" / source / "product.sql").write_text(mapping)
        self.failing: dict[str, list[Exception]] = {}
        self.asked: list[str] = []
        monkeypatch.setattr(land_pulls, "extractor", lambda kind: self.pulls)

    def pulls(self, source: str, settings: Any, asked: Asked) -> Iterator[Pull]:
        if failing := self.failing.get(source):
            self.asked.append(source)
            raise failing.pop(0)
        for table in settings.tables:
            self.asked.append(f"{source}.{table}")
            yield Pull(
                source, table, "full", f"{source}: {table}", str(asked.now), asked.now, self.rows(f"{source}.{table}")
            )

    def rows(self, table: str) -> Iterator[pa.RecordBatch]:
        yield pa.RecordBatch.from_pylist([{"id": "1", "name": table}])
        if failing := self.failing.get(table):
            raise failing.pop(0)

    def run(self) -> None:
        place = Workplace(self.path, Project(self.path).settings)
        attended_run(place, Silent(), Extent(place.settings.sources), sleep=lambda seconds: None)

    def products(self) -> list[str]:
        table = Project(self.path).query("SELECT product_name FROM silver.product ORDER BY 1")
        return [str(name) for name in table.column("product_name").to_pylist()]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    return Shop(tmp_path, monkeypatch)


def test_the_others_are_published_and_the_error_is_raised_then(shop: Shop) -> None:
    shop.failing = {"web": [SourceError("wrong password", todo="Mend it.")]}
    with pytest.raises(SourcesFailed, match="web: wrong password") as caught:
        shop.run()
    assert (caught.value.transient, caught.value.summary.generation) == (False, 1)
    assert shop.products() == ["erp.products"]
    [run] = Project(shop.path).runs()
    assert (run["status"], run["generation"], run["summary"]["failed"][0]["source"]) == ("incomplete", 1, "web")
    shop.run()
    assert shop.products() == ["erp.products", "web.products"]
    assert Project(shop.path).runs()[0]["status"] == "published"


def test_only_what_failed_is_asked_again(shop: Shop) -> None:
    shop.failing = {"erp.places": [Passing("timeout")], "web": [Passing("no answer"), Passing("no answer")]}
    shop.run()
    assert sorted(shop.asked) == sorted(["erp.products", "erp.places", "web", "erp.places", "web", "web.products"])
    assert shop.products() == ["erp.products", "web.products"]


def test_what_passes_does_not_cover_what_lasts(shop: Shop) -> None:
    shop.failing = {"erp.places": [SourceError("no such table")], "web": [Passing("no answer")]}
    with pytest.raises(SourcesFailed, match="erp, places: no such table") as caught:
        shop.run()
    summary = caught.value.summary
    assert [row["source"] for row in summary.failed] == ["erp"]
    # It says what all attempts landed.
    assert {(row["source"], row["table"]): row["lines"] for row in summary.sources if row["lines"]} == {
        ("erp", "products"): 1, ("web", "products"): 1,
    }  # fmt: skip
    assert [(row["source"], row["kept"]) for row in summary.entities if row["entity"] == "product"] == [
        ("erp", 1), ("web", 1),
    ]  # fmt: skip
    assert shop.products() == ["erp.products", "web.products"]
    assert shop.asked.count("erp.places") == 1


def test_the_command_says_it_and_ends_with_1(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    lasting = SourceError("wrong password for hunter2", where="web", todo="Mend it.")
    shop.failing = {"web": [Passing("no answer"), lasting, lasting]}
    assert main(["run", "--project", str(shop.path)]) == 1
    said = capsys.readouterr()
    assert "Generation 1 is published, but web could not be read" in said.out
    assert "web: web: wrong password for hunter2. Mend it.\n" in said.out
    assert "erp: 2 lines" in said.err
    # The second attempt found nothing: what the first one landed is said.
    assert "erp, products: 1 line\n" in said.out and "nothing new" not in said.out
    assert main(["run", "--project", str(shop.path), "--format", "json"]) == 1
    assert json.loads(capsys.readouterr().out)["failed"][0]["source"] == "web"
    assert main(["run", "--project", str(shop.path)]) == 0


def test_a_dry_run_asks_nobody(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--project", str(shop.path), "--dry-run"]) == 0
    assert "erp, places: would be asked for everything" in capsys.readouterr().out
    assert shop.asked == []
