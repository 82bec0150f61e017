"""Landing what systems say that are asked: whole or not at all, once, with the cursor, and no source harms another."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from systock.errors import SourceError, StorageError
from systock.etl_pipeline.bronze_layer import land_pulls
from systock.etl_pipeline.bronze_layer.land_batches import LandingSummary, land, open_log
from systock.etl_pipeline.bronze_layer.landing_log import LandingLog
from systock.extract.pull import Asked, Pull
from systock.source_settings import DatabaseSource

from .project import NOW, Project

Say = Callable[[str, Any, Asked], Iterator[Pull]]


def source(**tables: dict[str, Any]) -> DatabaseSource:
    tables = tables or {"sales": {"mode": "append"}, "stock": {"mode": "append"}}
    return DatabaseSource.model_validate({"type": "database", "url": "mysql://u:hunter2@h/d", "tables": tables})


class Shop(Project):
    """Beside the files of a project, systems that say what a test lets them say."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, **sources: DatabaseSource) -> None:
        super().__init__(folder)
        self.sources = sources or {"erp": source()}
        self.say: Say = lambda name, settings, asked: iter(())
        self.told: list[tuple[str, str, int, bool]] = []
        monkeypatch.setattr(land_pulls, "extractor", lambda kind: lambda *arguments: self.say(*arguments))

    def ask(self, **options: Any) -> LandingSummary:
        now = NOW + timedelta(minutes=self.landings)
        self.landings += 1
        return land(
            self.folder, {"pos": self.source, **self.sources}, now=now, ask_progress=lambda *told: self.told.append(told), **options
        )  # fmt: skip


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    return Shop(tmp_path, monkeypatch)


def rows(*batches: Any) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        if isinstance(batch, Exception):
            raise batch
        yield pa.RecordBatch.from_pylist(batch) if isinstance(batch, list) else batch


def pull(*batches: Any, at: datetime = NOW, cursor: str | None = None, **changed: Any) -> Pull:
    values: dict[str, Any] = {
        "source": "erp",
        "table": "sales",
        "mode": "append",
        "path": "erp: sales",
        "position": f"@{at}",
        **changed,
    }
    return Pull(extracted_at=at, batches=rows(*batches), cursor=lambda: cursor, **values)


def saying(*pulls: Pull | Exception) -> Say:
    def say(name: str, settings: Any, asked: Asked) -> Iterator[Pull]:
        for one in pulls:
            if isinstance(one, Exception):
                raise one
            if one.source == name:
                yield one

    return say


def test_rows_land_as_text_with_the_cursor_in_one_commit(shop: Shop) -> None:
    shop.write("a.csv", "id\n7\n")
    shop.say = saying(pull([{"id": 1, "x": None}], [{"id": 2, "x": 2.5, "late": "\0"}], cursor="2"))
    summary = shop.ask()
    asked, files = sorted(shop.batches(), key=lambda batch: batch.source)
    assert (files.commit_no, asked.commit_no, asked.path, asked.lines) == (1, 1, "erp: sales", 2)
    assert shop.rows(asked) == [(1, None, "1", None, None), (2, None, "2", "2.5", "\\u0000")]
    assert asked.columns == ("id", "x", "late")
    assert (shop.log.cursor("erp", "sales"), summary.of("erp", "sales").asked) == ("2", 1)
    assert shop.told[-1] == ("erp", "", 2, True)


def test_what_breaks_in_the_middle_leaves_nothing_and_lands_once_at_the_retry(shop: Shop) -> None:
    shop.say = saying(pull([{"id": 1}], SourceError("the line is dead"), cursor="9"))
    [failure] = shop.ask().failures
    assert (failure.source, failure.table, failure.error.what) == ("erp", "sales", "the line is dead")
    assert (shop.batches(), shop.log.cursor("erp", "sales"), shop.parts()) == ([], None, [])
    for _ in range(2):
        shop.say = saying(pull([{"id": 1}], [{"id": 2}], cursor="2"))
        shop.ask()
    assert [batch.lines for batch in shop.batches()] == [2]
    assert shop.log.cursor("erp", "sales") == "2"


@pytest.mark.parametrize("cuts", [[2], [1, 1], [2, 0]])
def test_a_repeat_is_thrown_away_however_it_is_cut(shop: Shop, cuts: list[int]) -> None:
    data = pa.RecordBatch.from_pylist([{"a": "x", "b": None}, {"a": "", "b": "y"}])
    shop.say = saying(pull(data, cursor="1"))
    shop.ask()
    pieces = [data.slice(sum(cuts[:n]), size) for n, size in enumerate(cuts)]
    shop.say = saying(pull(*pieces, at=NOW + timedelta(hours=1), cursor="2"))
    summary = shop.ask()
    assert (len(shop.batches()), len(shop.parts()), summary.commits) == (1, 1, [])
    assert (summary.of("erp", "sales").repeats, shop.log.cursor("erp", "sales")) == (1, "2")
    assert not list(shop.bronze.glob("tmp/*"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([{"a": "x", "b": None}], [{"a": "x", "b": ""}]),
        ([{"a": "xy", "b": "z"}], [{"a": "x", "b": "yz"}]),
        ([{"a": "x"}, {"a": None}], [{"a": None}, {"a": "x"}]),
        ([{"a": "x", "b": "y"}], [{"b": "x", "a": "y"}]),
        ([{"a": "x"}], [{"a": "x", "b": None}]),
    ],
)
def test_other_content_is_no_repeat(shop: Shop, one: list[Any], other: list[Any]) -> None:
    for content in (one, other):
        shop.say = saying(pull(content))
        shop.ask()
    assert len(shop.batches()) == 2


def test_the_order_of_columns_and_where_they_first_appear_are_no_content(shop: Shop) -> None:
    shop.say = saying(pull([{"a": "1", "b": None}], [{"a": "2", "b": "3"}]))
    shop.ask()
    shop.say = saying(pull([{"a": "1"}], [{"b": "3", "a": "2"}], at=NOW + timedelta(1)))
    shop.ask()
    assert len(shop.batches()) == 1


@pytest.mark.parametrize(("mode", "landed"), [("append", 2), ("changes", 3), ("full", 3)])
def test_a_value_that_goes_back_is_news_where_rows_change(shop: Shop, mode: Any, landed: int) -> None:
    for hour, price in enumerate(("1", "2", "2", "1")):
        shop.say = saying(pull([{"id": "a", "price": price}], at=NOW + timedelta(hours=hour), mode=mode))
        shop.ask()
    assert len(shop.batches()) == landed


def test_no_rows_are_no_batch_but_the_cursor_may_move(shop: Shop) -> None:
    shop.say = saying(pull(cursor="5", mode="full"))
    assert (shop.ask().commits, shop.log.cursor("erp", "sales")) == ([], "5")
    shop.say = saying(pull(pa.RecordBatch.from_pydict({"id": pa.array([], pa.int64())}), cursor="6"))
    assert (shop.ask().commits, shop.log.cursor("erp", "sales")) == ([], "6")


def test_what_is_not_whole_never_closes_and_is_followed_by_what_is(shop: Shop) -> None:
    for hour, complete in enumerate((False, True, True)):
        shop.say = saying(pull([{"id": 1}], at=NOW + timedelta(hours=hour), mode="full", complete=complete))
        shop.ask()
    assert [batch.complete for batch in shop.batches()] == [False, True]


def test_one_table_that_fails_harms_no_other_and_its_rest_is_not_jumped_over(shop: Shop) -> None:
    shop.say = saying(
        pull([{"id": 1}], SourceError("page 2 is no page"), cursor="1"),
        pull([{"id": 3}], cursor="3"),
        pull([{"id": 4}], table="stock", cursor="4"),
    )
    summary = shop.ask()
    assert [(batch.table, batch.lines) for batch in shop.batches()] == [("stock", 1)]
    assert (shop.log.cursor("erp", "sales"), shop.log.cursor("erp", "stock")) == (None, "4")
    assert [failure.table for failure in summary.failures] == ["sales"]


def test_sources_are_asked_side_by_side_and_one_that_fails_harms_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Shop(tmp_path, monkeypatch, erp=source(), till=source(), web=source())
    shop.write("a.csv", "id\n7\n")
    together = threading.Barrier(3, timeout=10)

    def say(name: str, settings: Any, asked: Asked) -> Iterator[Pull]:
        together.wait()
        if name == "till":
            raise SourceError("no answer from u:hunter2@h", where="mysql://u:hunter2@h/d", todo="Ask hunter2.")
        yield pull([{"id": name}], source=name)

    shop.say = say
    summary = shop.ask()
    assert [(batch.source, batch.commit_no) for batch in sorted(shop.batches(), key=lambda b: b.source)] == [
        ("erp", 1),
        ("pos", 1),
        ("web", 1),
    ]
    [failure] = summary.failures
    assert (failure.source, failure.table) == ("till", None)
    assert "hunter2" not in str(failure.error) + repr(failure.error)
    assert failure.error.__context__ is None


def test_a_disk_that_refuses_ends_all_of_it(shop: Shop) -> None:
    shop.say = saying(pull([{"id": 1}], StorageError("full"), cursor="1"))
    with pytest.raises(StorageError):
        shop.ask()
    assert (shop.batches(), shop.log.cursor("erp", "sales"), list(shop.bronze.glob("tmp/*"))) == ([], None, [])


def test_a_landing_that_is_given_up_waits_for_no_source(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.write("a.csv", "id\n7\n")
    fetched = threading.Event()

    def endless() -> Iterator[pa.RecordBatch]:
        while True:
            fetched.set()
            yield pa.RecordBatch.from_pylist([{"id": 1}])

    def stop(*_: Any) -> None:
        assert fetched.wait(10)
        raise KeyboardInterrupt

    shop.say = saying(Pull("erp", "sales", "append", "erp: sales", "@", NOW, endless()))
    monkeypatch.setattr("systock.etl_pipeline.bronze_layer.land_batches.read_file", stop)
    with pytest.raises(KeyboardInterrupt):
        shop.ask()
    assert (shop.batches(), list(shop.bronze.glob("tmp/*"))) == ([], [])


def test_what_is_asked_for(shop: Shop) -> None:
    asked: list[Asked] = []

    def say(name: str, settings: Any, so: Asked) -> Iterator[Pull]:
        asked.append(so)
        so.tell("sales", 5)
        yield pull([{"id": len(asked)}], cursor=str(len(asked)))

    shop.say = say
    span = (datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 2, tzinfo=UTC))
    shop.ask()
    shop.ask(between=span)
    assert [dict(so.cursors) for so in asked] == [{}, {"sales": "1"}]
    assert [so.span for so in asked] == [None, span]
    assert asked[0].spool == shop.folder / ".systock" / "asked" / "erp"
    assert ("erp", "sales", 5, False) in shop.told


def test_a_log_of_the_first_format_is_read_and_then_renewed(shop: Shop) -> None:
    shop.write("a.csv", "id\n7\n")
    shop.land()
    shop.log.close()
    with sqlite3.connect(shop.log.path) as log:
        log.execute("ALTER TABLE batches DROP COLUMN is_whole")
        log.execute("ALTER TABLE batches DROP COLUMN personal")
        log.execute("ALTER TABLE files DROP COLUMN refused_columns")
        for table in ("personal_key", "erasures"):
            log.execute(f"DROP TABLE {table}")
        log.execute("PRAGMA user_version = 1")
    old = LandingLog(shop.log.path)
    assert [(batch.complete, batch.personal) for batch in old.batches()] == [(True, ())]
    assert (old.personal_check(), old.rejected()) == (None, [])
    shop.say = saying(pull([{"id": 1}], complete=False))
    shop.ask(log=old)
    assert [batch.complete for batch in open_log(shop.folder).batches()] == [True, False]
