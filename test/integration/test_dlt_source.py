"""dlt sources, from the settings to what landed: values, tables, hints, what is remembered, failures, secrets."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from api_server import Reply, Request, Server, serve
from systock import Project
from systock.errors import IntegrityError, SettingsError, SourceError
from systock.etl_pipeline.bronze_layer.land_batches import LandingSummary, land, open_log

pytest.importorskip("dlt", reason="dlt is not installed: pip install 'systock[dlt]'")

ROOT = Path(__file__).parents[2]
HEAD = """
[project]
name = "shop"
calendar_from = 2024-01-01
calendar_to = 2024-12-31
[run]
attempts = 1
"""


def project(folder: Path, source: str, settings: str, head: str = HEAD) -> Project:
    """A project with a source `erp`, made by erp_source.py."""
    (folder / "erp_source.py").write_text(textwrap.dedent(source))
    (folder / "systock.toml").write_text(f'{head}\n[sources.erp]\ntype = "dlt"\n{textwrap.dedent(settings)}')
    return Project(folder)


def landed(project: Project) -> LandingSummary:
    return land(project.path, project.settings.sources)


def lines(project: Project, table: str, source: str = "erp") -> list[dict[str, str]]:
    """What bronze has of a table, in its order, without SyStock's own columns."""
    import pyarrow.parquet as pq

    files = sorted((project.path / ".systock/bronze" / source / table).glob("*.parquet"))
    rows = [row for file in files for row in pq.read_table(file).to_pylist()]
    return [{name: value for name, value in row.items() if name[0] != "_" and value is not None} for row in rows]


def failure(summary: LandingSummary, table: str) -> SourceError:
    [found] = [failure.error for failure in summary.failures if failure.table == table]
    return found


# values and tables


def test_values_keep_what_they_say(tmp_path: Path) -> None:
    source = """
        from dataclasses import dataclass
        from datetime import UTC, date, datetime, time, timedelta, timezone
        from decimal import Decimal
        from enum import Enum
        from uuid import UUID

        import pyarrow as pa

        class Kind(Enum):
            SALE = "sale"

        @dataclass
        class Line:
            sku: str
            price: Decimal

        def rows():
            yield {
                "text": "a\\0b", "whole": 7, "yes": True, "none": None, "price": Decimal("1.10"), "float": 0.5, "kind": Kind.SALE,
                "at": datetime(2024, 5, 31, 12, 0, 0, 500000, timezone(timedelta(hours=2))), "day": date(2024, 5, 31), "wall": datetime(2024, 5, 31),
                "bytes": b"abc", "id": UUID(int=1), "nested": {"n": [Decimal("2.50"), date(2024, 1, 1), {"x": None}]},
            }
            yield [Line("A", Decimal("2.00")), 5, {}]
            yield pa.table({"price": pa.array(["3.00", None]).cast(pa.string()), "at": pa.array([0, 1], pa.timestamp("us", "UTC"))})
            yield pa.RecordBatchReader.from_batches(pa.schema({"whole": pa.int64()}), [pa.record_batch({"whole": [8]})])
            yield {"later": 1}
    """
    shop = project(tmp_path, source, 'source = "erp_source:rows"\ntables.rows = { mode = "append" }')
    summary = landed(shop)
    assert summary.failures == [] and summary.of("erp", "rows").lines == 8
    assert lines(shop, "rows") == [
        {
            "text": "a\\u0000b", "whole": "7", "yes": "true", "price": "1.10", "float": "0.5", "kind": "sale", "at": "2024-05-31 10:00:00.5Z",
            "day": "2024-05-31", "wall": "2024-05-31 00:00:00", "bytes": "abc", "id": "00000000-0000-0000-0000-000000000001",
            "nested": '{"n":[2.50,"2024-01-01",{"x":null}]}',
        },
        {"sku": "A", "price": "2.00"}, {}, {},
        {"price": "3.00", "at": "1970-01-01 00:00:00Z"}, {"at": "1970-01-01 00:00:00.000001Z"},
        {"whole": "8"}, {"later": "1"},
    ]  # fmt: skip


def test_numbers_of_an_api_stay_as_they_are_written(tmp_path: Path) -> None:
    """Also where dlt calculates with them, and hashes them for its own use."""
    source = """
        import dlt
        from dlt.sources.helpers import requests

        @dlt.resource(primary_key=(), write_disposition="append")
        def rows(url, cost=dlt.sources.incremental("cost", initial_value=0)):
            found = requests.get(url).json()
            assert found[0]["cost"] * 2 == 2.2
            yield found
    """
    body = b'[{"cost": 1.10, "big": 12345678901234567890, "of": {"rate": 5.00, "e": 1E3}}]'
    with serve(lambda request: Reply(body)) as server:
        settings = f'source = "erp_source:rows"\nargs.url = "{server.url}"\ntables.rows = {{ mode = "append" }}'
        shop = project(tmp_path, source, settings)
        assert landed(shop).failures == []
        again = landed(shop)
    assert lines(shop, "rows") == [{"cost": "1.10", "big": "12345678901234567890", "of": '{"rate":5.00,"e":1E3}'}]
    assert again.failures == [] and again.of("erp", "rows").lines == 0


def test_a_data_frame_is_its_columns(tmp_path: Path) -> None:
    pytest.importorskip("pandas", reason="pandas is not installed")
    source = """
        import pandas

        def rows():
            yield pandas.DataFrame({"whole": [8, 9], "sku": ["A", None]}, index=[3, 1])
    """
    shop = project(tmp_path, source, 'source = "erp_source:rows"\ntables.rows = { mode = "append" }')
    assert landed(shop).failures == []
    assert lines(shop, "rows") == [{"whole": "8", "sku": "A"}, {"whole": "9"}]


# mode and key

HINTS = """
    import dlt

    @dlt.source
    def erp():
        def rows():
            yield {"id": 1, "n": 2}
        says = {
            "added": {}, "keyed": {"primary_key": "id"}, "merged": {"write_disposition": "merge", "primary_key": ["id", "n"]},
            "kept": {"write_disposition": {"disposition": "merge", "strategy": "scd2"}, "primary_key": "id"},
            "bare": {"write_disposition": "merge"}, "replaced": {"write_disposition": "replace", "primary_key": "id"},
            "keyless": {"write_disposition": "replace"}, "by_day": {"write_disposition": "merge", "merge_key": "n"},
            "dynamic": {"write_disposition": "merge", "primary_key": lambda row: "id", "table_name": lambda row: "x"},
        }
        return [dlt.resource(rows, name=name, **hints) for name, hints in says.items()]
"""


def test_mode_and_key_are_those_of_the_resource_unless_settings_say_otherwise(tmp_path: Path) -> None:
    names = ("added", "keyed", "merged", "kept", "bare", "replaced")
    settings = 'source = "erp_source:erp"\n' + "".join(f"tables.{name} = {{}}\n" for name in names)
    more = """
        tables.as_set = { resource = "replaced", mode = "changes", key = ["n"] }
        tables.mode_only = { resource = "merged", mode = "full" }
        tables.key_only = { resource = "keyless", key = ["n"] }
    """
    shop = project(tmp_path, HINTS, settings + textwrap.dedent(more))
    assert {name: (table.mode, table.key) for name, table in shop.settings.sources["erp"].tables.items()} == {
        "added": ("append", ()), "keyed": ("append", ("id",)), "merged": ("changes", ("id", "n")), "kept": ("changes", ("id",)),
        "bare": ("append", ()), "replaced": ("full", ("id",)), "as_set": ("changes", ("n",)), "mode_only": ("full", ("id", "n")),
        "key_only": ("full", ("n",)),
    }  # fmt: skip
    summary = landed(shop)
    assert summary.failures == [] and {counts.lines for counts in summary.tables.values()} == {1}


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("keyless = {}", "'replace' without a primary key.*Set key of the table"),
        ("by_day = {}", "'merge' without a primary key.*Set key of the table"),
        ('added = { mode = "changes" }', "mode = 'changes' needs a key.*Set key of the table"),
        ("dynamic = {}", "depend on the rows.*Set mode and key of the table"),
        ("meged = {}", "no resource 'meged'.*Did you mean 'merged'"),
    ],
)
def test_what_a_resource_does_not_say_is_asked_of_the_settings(tmp_path: Path, table: str, says: str) -> None:
    with pytest.raises(SettingsError) as raised:
        project(tmp_path, HINTS, f'source = "erp_source:erp"\ntables.{table}')
    assert re.search(says, str(raised.value), re.DOTALL), str(raised.value)


def test_what_was_said_first_holds_until_somebody_decides(tmp_path: Path) -> None:
    """Figures depend on it: neither is what landed read in another way, nor does the project open only while the source answers."""
    shop = project(tmp_path, HINTS, 'source = "erp_source:erp"\ntables.merged = {}\ntables.added = {}')
    changed = HINTS.replace('["id", "n"]', '"n"')
    shop = project(tmp_path, changed, 'source = "erp_source:erp"\ntables.merged = {}\ntables.added = {}')
    assert shop.settings.sources["erp"].tables["merged"].key == ("id", "n")
    summary = landed(shop)
    assert "key = ['n'] now; it said mode = 'changes', key = ['id', 'n']" in failure(summary, "merged").what
    assert [table for table, counts in summary.tables.items() if counts.lines] == [("erp", "added")]

    (tmp_path / "erp_source.py").unlink()
    for path in (tmp_path / ".systock").iterdir():  # bronze is enough
        if path.name != "bronze":
            shutil.rmtree(path)
    assert Project(tmp_path).settings.sources["erp"].tables["merged"].key == ("id", "n")
    said = tmp_path / ".systock/bronze/dlt_hints.json"
    said.rename(tmp_path / "whole")
    said.write_text("{")
    with pytest.raises(IntegrityError, match="is not as SyStock wrote it"):
        Project(tmp_path)
    (tmp_path / "whole").rename(said)

    decided = project(tmp_path, changed, 'source = "erp_source:erp"\ntables.merged = { mode = "changes", key = ["n"] }')
    assert landed(decided).failures == []
    (tmp_path / "erp_source.py").unlink()
    shop = Project(tmp_path)
    assert "no module 'erp_source'" in failure(landed(shop), "merged").what


# what is remembered

EVENTS = """
    import json, os, pathlib, signal

    import dlt

    HERE = pathlib.Path(__file__).parent

    @dlt.source
    def erp():
        @dlt.resource(primary_key="id")
        def events(after=dlt.sources.incremental("at", initial_value=0)):
            calls = dlt.current.resource_state().setdefault("calls", [])
            calls.append(after.start_value)
            until = int((HERE / "until").read_text())
            for at in range(after.start_value, until, 1_000):
                if at == 18_000 and (HERE / "fault").exists():
                    fault = (HERE / "fault").read_text()
                    (HERE / "fault").unlink()
                    if fault == "kill":
                        os.kill(os.getpid(), signal.SIGKILL)
                    raise ConnectionError("gone away")
                yield [{"id": f"e{n}", "at": n} for n in range(at, min(at + 1_000, until))]

        @dlt.transformer(data_from=events, primary_key="id")
        def halves(page):
            if (HERE / "no_halves").exists():
                raise ValueError("no halves today")
            yield [{"id": event["id"], "half": event["at"] / 2} for event in page if event["at"] % 10_000 == 0]

        return events, halves
"""
BOTH = 'source = "erp_source:erp"\ntables.events = {}\ntables.halves = {}'


def test_what_failed_is_neither_lost_nor_doubled(tmp_path: Path) -> None:
    for name, text in {"until": "20000", "fault": "raise", "no_halves": ""}.items():
        (tmp_path / name).write_text(text)
    shop = project(tmp_path, EVENTS, BOTH)
    first = landed(shop)
    error = failure(first, "events")
    assert error.transient and error.what == "ConnectionError: gone away"
    assert error.where == "sources.erp.tables.events, erp_source:erp, resource events, erp_source.py:21"
    assert error.todo and "Run again later" in error.todo
    assert not failure(first, "halves").transient and lines(shop, "events") == lines(shop, "halves") == []

    second = landed(shop)  # the events land, the lines that are made of them fail again
    assert [found.table for found in second.failures] == ["halves"] and second.of("erp", "events").lines == 20_000
    (tmp_path / "no_halves").unlink()
    (tmp_path / "until").write_text("20999")
    third = landed(shop)
    assert third.failures == [] and third.of("erp", "events").lines == 999
    assert [line["id"] for line in lines(shop, "halves")] == ["e0", "e10000", "e20000"]
    assert len({line["id"] for line in lines(shop, "events")}) == len(lines(shop, "events")) == 20_999

    log = open_log(tmp_path)
    kept = json.loads(log.cursors("erp")["events"])
    log.close()
    assert kept["state"]["sources"]["erp"]["resources"]["events"]["calls"] == [0, 19_999]
    assert landed(shop).of("erp", "events").lines == 0


@pytest.mark.long
def test_a_process_that_dies_leaves_nothing_half(tmp_path: Path) -> None:
    for name, text in {"until": "20000", "fault": "kill"}.items():
        (tmp_path / name).write_text(text)
    shop = project(tmp_path, EVENTS, BOTH)
    code = f"from systock import Project; Project({str(tmp_path)!r}).run()"
    env = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}"}
    died = subprocess.run([sys.executable, "-c", code], env=env, timeout=120)
    assert died.returncode == -signal.SIGKILL
    summary = landed(shop)
    assert summary.failures == [] and summary.of("erp", "events").lines == 20_000
    assert [line["id"] for line in lines(shop, "events")] == [f"e{at}" for at in range(20_000)]


def test_a_full_extract_remembers_nothing(tmp_path: Path) -> None:
    """What it left out would count as gone; nor does it go on where another mode ended."""
    for mode in ("changes", "full", "full"):
        (tmp_path / "until").write_text("2000" if mode == "full" else "1000")
        shop = project(tmp_path, EVENTS, f'source = "erp_source:erp"\ntables.events = {{ mode = "{mode}" }}')
        summary = landed(shop)
    assert len(lines(shop, "events")) == 3_000 and summary.of("erp", "events").repeats == 1


def test_from_the_beginning_again(tmp_path: Path) -> None:
    """A span that begins where time does begins anew, if rows that come again can be told; any other asks for nothing of another time."""
    (tmp_path / "until").write_text("1000")
    tables = 'tables.events = {}\ntables.keyless = { resource = "events", mode = "append" }'
    shop = project(tmp_path, EVENTS, f'source = "erp_source:erp"\n{tables}')
    assert landed(shop).of("erp", "keyless").lines == 1_000
    (tmp_path / "until").write_text("1001")
    begin, soon = datetime(1970, 1, 1, tzinfo=UTC), datetime.now(UTC) + timedelta(days=1)
    past = land(tmp_path, shop.settings.sources, between=(begin, begin + timedelta(days=9)))
    assert past.tables == {} and past.failures == []
    since_noon = land(tmp_path, shop.settings.sources, between=(datetime(2024, 1, 1, tzinfo=UTC), soon))
    assert since_noon.of("erp", "events").lines == 1
    anew = land(tmp_path, shop.settings.sources, between=(begin, soon))
    assert anew.of("erp", "events").lines == 1_001 and "without a key" in failure(anew, "keyless").what


# failures and secrets

SECRETS = """
    import dlt

    @dlt.source
    def erp(verb, client):
        assert client["auth"]["token"] == "Bearer s3cret/1", client

        @dlt.resource
        def well():
            yield {"id": 1}

        @dlt.resource
        def tells():
            yield {"id": 1}
            raise ValueError(f"{verb} https://x/?token=s3cret%2F1&n={'9' * 1000}: {client['auth']['token']}, s3cret/1")

        return well, tells
"""


def test_a_failure_harms_nobody_else_and_tells_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ERP_TOKEN", "s3cret/1")
    settings = """
        source = "erp_source:erp"
        args = { verb = "GET", client = { auth = { token = "Bearer ${ERP_TOKEN}" } } }
        tables.tells = {}
        tables.well = {}
        tables.gone = { resource = "tell", mode = "append" }
    """
    shop = project(tmp_path, SECRETS, settings)
    summary = landed(shop)
    assert {found.table: found.error.transient for found in summary.failures} == {"tells": False, "gone": False}
    told = "\n".join(str(found.error) for found in summary.failures) + repr(shop.settings)
    assert "s3cret" not in told and "GET https://x/?token=…&n=9" in told and " …" in told
    assert "there is no resource 'tell': well, tells. Did you mean 'tells'?" in told
    assert lines(shop, "well") == [{"id": "1"}]
    written = [
        path
        for path in tmp_path.rglob("*")
        if path.is_file() and path.suffix != ".py" and b"s3cret" in path.read_bytes()
    ]
    assert written == []


def test_faults_that_may_pass_are_tried_again(tmp_path: Path) -> None:
    source = """
        from requests import HTTPError, Response, Timeout
        from sqlalchemy.exc import OperationalError, ProgrammingError

        def answered(status):
            response = Response()
            response.status_code = status
            return HTTPError(f"{status}", response=response)

        def rows(fault):
            yield {"id": 1}
            raise {"503": answered(503), "403": answered(403), "late": Timeout("late"), "lock": OperationalError("SELECT", {}, "locked"),
                "sql": ProgrammingError("SELECT", {}, "no table"), "full": OSError(28, "full")}[fault]
    """
    for fault, passes in {"503": 1, "403": 0, "late": 1, "lock": 1, "sql": 0, "full": 0}.items():
        shop = project(
            tmp_path, source, f'source = "erp_source:rows"\nargs.fault = "{fault}"\ntables.rows.mode = "append"'
        )
        assert failure(landed(shop), "rows").transient == bool(passes), fault
        assert lines(shop, "rows") == []


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ('source = "erp_source"', "'erp_source' is not 'module:function'"),
        ('source = "erp_source:erp"\ntables.rows.incremental = { cursor = "at" }', "needs the column that rises"),
        ('source = "erp_source:erp"\nurl = "x"', "there is no such setting"),
        ('source = "erp_surce:erp"', "there is no module 'erp_surce'"),
        ('source = "erp_source:epr"', "erp_source has no 'epr'. Did you mean 'erp'?"),
        ('source = "erp_source:erp"\nargs.folder = "x"', "Correct args of the source"),
        ('source = "erp_source:erp"', "ConfigFieldMissingException.*as \\${NAME}"),
        ('source = "erp_source:erp"\nargs.token = "${NO_SUCH_SECRET}"', "the secret \\${NO_SUCH_SECRET} is neither in"),
    ],
)
def test_wrong_settings_say_what_would_be_right(tmp_path: Path, settings: str, says: str) -> None:
    source = """
        import dlt

        @dlt.source
        def erp(token=dlt.secrets.value):
            return dlt.resource([{"id": 1}], name="rows")
    """
    with pytest.raises(SettingsError) as raised:
        project(tmp_path, source, settings + "\ntables.rows.new_columns = 'evolve'")
    assert re.search(says, str(raised.value), re.DOTALL), str(raised.value)


# what dlt brings, and the page of the documentation

PAGE = (ROOT / "docs" / "dlt.md").read_text("utf-8")
BLOCKS = [re.sub(r"(?m)^    ", "", block) for block in re.findall(r"(?:^    .*\n|^\n)+", PAGE, re.MULTILINE)]


def block(mark: str) -> str:
    """The block of the page that holds a mark."""
    [found] = [block for block in BLOCKS if mark in block]
    return found


class Shop:
    """The web shop of the page: pages of two."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.orders = [self.order(number, f"2024-05-0{number}T10:00:00Z") for number in (1, 2, 3)]

    @staticmethod
    def order(number: int, at: str) -> dict[str, Any]:
        line = {"sku": "A", "quantity": number, "price": 2.5}
        return {"id": number, "created_at": "2024-05-01T09:00:00Z", "updated_at": at, "line": line}

    def respond(self, request: Request) -> Reply:
        self.asked.append(request)
        if request.headers.get("authorization") != "Bearer hunter2":
            return Reply({"message": "who are you?"}, 401)
        since = request.params.get("updated_since", "")
        if request.path == "/api/products":
            found: list[Any] = [{"sku": "A", "price": 1.5}]
        else:
            found = [order for order in self.orders if order["updated_at"] >= since]
        first = (request.number("page", 1) - 1) * 2
        return Reply({"items": found[first : first + 2], "pages": -(-len(found) // 2)})


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def server(shop: Shop) -> Iterator[Server]:
    with serve(shop.respond) as found:
        yield found


@pytest.fixture
def of_the_page(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The project that the page shows: its three sources, side by side."""
    monkeypatch.setenv("SHOP_TOKEN", "hunter2")
    receipts = tmp_path / "receipts"
    receipts.mkdir()
    (receipts / "one.json").write_text('{"id": "R1", "changed_at": "2024-05-31T10:00:00Z", "lines": [{"sku": "A"}]}')
    with sqlite3.connect(tmp_path / "books.sqlite") as books:
        books.execute("CREATE TABLE sales (id INTEGER PRIMARY KEY, amount NUMERIC, at TEXT)")
        books.executemany("INSERT INTO sales VALUES (?, ?, ?)", [(n, n * 2.5, "2024-05-31") for n in range(1, 6)])
    settings = [block("rest_api_source"), block("/srv/erp/receipts"), block("sqlite:///books.sqlite")]
    text = "\n".join([HEAD, *settings]).replace("https://shop.example.com", server.url)
    text = text.replace("/srv/erp/receipts", str(receipts)).replace("sqlite:///", f"sqlite:///{tmp_path}/")
    (tmp_path / "systock.toml").write_text(text)
    (tmp_path / "erp_source.py").write_text(block("def receipts"))
    (tmp_path / "sources" / "shop").mkdir(parents=True)
    (tmp_path / "sources" / "shop" / "sale_line.sql").write_text(block("FROM bronze.shop__orders"))
    return Project(tmp_path)


def test_the_sources_of_the_page_land_what_is_new(of_the_page: Project, shop: Shop) -> None:
    first = landed(of_the_page)
    assert first.failures == []
    assert {".".join(table): counts.lines for table, counts in first.tables.items()} == {
        "shop.products": 1, "shop.orders": 3, "erp.receipts": 1, "books.sales": 5,
    }  # fmt: skip
    modes = {name: table.mode for of in of_the_page.settings.sources.values() for name, table in of.tables.items()}
    assert modes == {"products": "full", "orders": "changes", "receipts": "changes", "sales": "append"}
    assert lines(of_the_page, "orders", "shop")[0]["line"] == '{"sku":"A","quantity":1,"price":2.5}'
    assert lines(of_the_page, "receipts") == [
        {"id": "R1", "changed_at": "2024-05-31T10:00:00Z", "lines": '[{"sku":"A"}]'}
    ]
    assert [line["amount"] for line in lines(of_the_page, "sales", "books")] == [
        f"{number * 2.5:.9f}"
        for number in range(1, 6)  # which is what dlt makes of NUMERIC
    ]

    shop.orders.append(shop.order(1, "2024-05-04T10:00:00Z"))
    with sqlite3.connect(of_the_page.path / "books.sqlite") as books:
        books.execute("INSERT INTO sales VALUES (6, 1, '2024-05-31')")
    shop.asked.clear()
    second = landed(of_the_page)
    assert second.failures == []
    assert {".".join(table): counts.lines for table, counts in second.tables.items() if counts.lines} == {
        "shop.orders": 1, "books.sales": 1,
    }  # fmt: skip
    assert {"2024-05-03T10:00:00Z"} == {
        request.params["updated_since"] for request in shop.asked if request.path == "/api/orders"
    }


@pytest.mark.long
def test_the_page_makes_figures(of_the_page: Project) -> None:
    assert of_the_page.run().status == "published"
    sold = of_the_page.query("SELECT sum(quantity_units) AS units, sum(net_amount) AS net FROM gold.fact_sale_line")
    assert [str(value) for value in sold.to_pylist()[0].values()] == ["6.000", "15.0000"]


def test_a_token_that_is_refused_is_told_without_it(of_the_page: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "hunter3")
    summary = landed(Project(of_the_page.path))
    error = failure(summary, "orders")
    assert "401" in error.what and not error.transient and "hunter3" not in str(error)
    assert summary.of("erp", "receipts").lines == 1 and summary.of("books", "sales").lines == 5


# other ways to yield, and how much is held


def test_resources_that_yield_side_by_side_or_later(tmp_path: Path) -> None:
    source = """
        import asyncio

        import dlt

        @dlt.source
        def erp():
            @dlt.resource(parallelized=True)
            def beside():
                for number in range(3):
                    yield {"id": number, "calls": dlt.current.resource_state("beside").setdefault("n", 1)}

            @dlt.resource
            async def awaited():
                for number in range(3):
                    await asyncio.sleep(0)
                    yield {"id": number}

            @dlt.defer
            def deferred(number):
                return {"id": number}

            @dlt.resource
            def later():
                for number in range(3):
                    yield deferred(number)

            return beside, awaited, later
    """
    shop = project(tmp_path, source, 'source = "erp_source:erp"\ntables = { beside = {}, awaited = {}, later = {} }')
    assert landed(shop).failures == []
    for table in ("beside", "awaited", "later"):
        assert sorted(line["id"] for line in lines(shop, table)) == ["0", "1", "2"]


@pytest.mark.long
def test_memory_does_not_grow_with_what_a_resource_yields(tmp_path: Path) -> None:
    source = """
        def rows(pages):
            for page in range(pages):
                yield [{"id": page * 1_000 + n, "text": f"{page} {n} " + "x" * 500, "of": {"n": n}} for n in range(1_000)]
    """
    code = """
import resource, sys
from pathlib import Path
from systock import Project
from systock.etl_pipeline.bronze_layer.land_batches import land
project = Project(sys.argv[1])
summary = land(project.path, project.settings.sources)
assert not summary.failures, summary.failures
print(summary.of("erp", "rows").lines, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
    peaks = {}
    for pages in (20, 400):
        (tmp_path / str(pages)).mkdir()
        shop = project(
            tmp_path / str(pages),
            source,
            f'source = "erp_source:rows"\nargs.pages = {pages}\ntables.rows.mode = "append"',
        )
        asked = [sys.executable, "-c", code, str(shop.path)]
        env = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}"}
        rows, megabytes = map(int, subprocess.check_output(asked, env=env, text=True, timeout=300).split())
        assert rows == pages * 1_000
        peaks[pages] = megabytes
    assert peaks[400] < peaks[20] + 100, peaks  # 200 MB of text more


def test_personal_values_of_a_source_are_neither_kept_nor_told(tmp_path: Path) -> None:
    source = """
        import dlt

        @dlt.resource(primary_key="id", write_disposition="merge")
        def people():
            yield [{"id": 1, "email": "jane@home"}]

        @dlt.resource
        def broken():
            raise ValueError("no such person: jane@home")
            yield

        @dlt.source
        def erp():
            return people, broken
    """
    settings = """
        source = "erp_source:erp"
        [sources.erp.tables.people]
        personal = ["email"]
        [sources.erp.tables.broken]
        mode = "append"
    """
    key = "0" * 32
    head = HEAD.replace('"shop"', f'"shop"\npersonal_key = "{key}"')
    shop = project(tmp_path, source, settings, head)
    summary = land(shop.path, shop.settings.sources, personal_key=SecretStr(key))
    [row] = lines(shop, "people")
    assert row["id"] == "1" and re.fullmatch("[0-9a-f]{64}", row["email"])
    assert "ValueError" in str(failure(summary, "broken")) and "jane" not in str(failure(summary, "broken"))
    with pytest.raises(SettingsError, match="personal names 'id', which the source says is of the key"):
        project(tmp_path, source, settings.replace('["email"]', '["id"]'), head)
