"""An extraction that was cut off goes on at its last whole page, and children are asked for per parent."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow as pa
import pytest

from api_server import Reply, Request, Server, extract, ids, serve, source

PAGES = {"type": "page"}
PAGE_SIZE = 3


class Book:
    """Pages of three records; breaks at a page."""

    def __init__(self) -> None:
        self.breaks_at = 99
        self.state = "a"

    def respond(self, request: Request) -> Reply:
        page = request.number("page")
        if page == self.breaks_at:
            return Reply({"message": "down"}, 500)
        first = (page - 1) * PAGE_SIZE + 1
        rows = [
            {"id": number, "state": self.state, "at": f"2024-05-31T12:00:{number:02}Z"}
            for number in range(first, first + 3)
        ]
        return Reply(rows if page < 6 else [])


def pages(server: Server) -> list[str]:
    found = [request.params["page"] for request in server.requests]
    server.requests.clear()
    return found


def test_goes_on_at_the_last_whole_page_with_the_instant_of_its_beginning(tmp_path: Path) -> None:
    book = Book()
    with serve(book.respond) as server:
        settings = source(server.url, {"pagination": PAGES}, attempts=1)
        book.breaks_at = 3
        extract(settings, tmp_path).error()
        book.breaks_at = 5
        began = datetime.now(UTC)
        extract(settings, tmp_path).error()
        assert pages(server) == ["1", "2", "3", "3", "4", "5"]
        book.breaks_at = 99
        found = extract(settings, tmp_path).only()
        assert pages(server) == ["5", "6"]
        assert ids(found) == list(range(1, 16))
        assert found.extracted_at < began
        # What is done is not done again.
        assert len(extract(settings, tmp_path).only().rows) == 15
        assert pages(server) == ["1", "2", "3", "4", "5", "6"]


def test_a_run_that_is_stopped_goes_on_too(tmp_path: Path) -> None:
    book = Book()
    with serve(book.respond) as server, patch("systock.extract.extract_api._BATCH_ROWS", 3):
        settings = source(server.url, {"pagination": PAGES})
        extract(settings, tmp_path, batches=2)
        assert pages(server) == ["1", "2", "3"]
        assert ids(extract(settings, tmp_path).only()) == list(range(1, 16))
        assert pages(server) == ["4", "5", "6"]


@pytest.mark.parametrize("changed", ["age", "settings", "cursor", "damage", "clock"])
def test_begins_anew_where_two_states_would_mix(tmp_path: Path, changed: str) -> None:
    book = Book()
    with serve(book.respond) as server:
        table: dict[str, Any] = {"pagination": PAGES, "mode": "changes"}
        if changed == "cursor":
            table["cursor"] = {"column": "at", "param": "since"}
        book.breaks_at = 4
        extract(source(server.url, table, attempts=1), tmp_path).error()
        book.breaks_at, book.state = 99, "b"
        server.requests.clear()
        more: dict[str, Any] = {}
        cursors: dict[str, str] = {}
        if changed == "age":
            more["resume_within"] = "0 seconds"
        elif changed == "settings":
            table["params"] = {"state": "open"}
        elif changed == "cursor":
            cursors["orders"] = json.dumps({"of": "at auto", "from": "2024-05-31T12:00:00Z", "style": "TZ", "seen": []})
        elif changed == "damage":
            path = tmp_path / "asked" / "orders.pages"
            path.write_bytes(path.read_bytes()[:150])
        elif changed == "clock":
            late = datetime.now(UTC) - timedelta(hours=5)
            with patch("systock.extract.extract_api.datetime") as clock:
                clock.now.return_value = late
                rows = extract(source(server.url, table), tmp_path).only().rows
        if changed != "clock":
            rows = extract(source(server.url, table, **more), tmp_path, cursors).only().rows
        assert pages(server)[0] == "1"
    assert {row["state"] for row in rows} == {"b"} and len(rows) == 15


@pytest.mark.parametrize("torn", [1, 20, 60])
def test_a_torn_end_costs_one_page(tmp_path: Path, torn: int) -> None:
    book = Book()
    with serve(book.respond) as server:
        settings = source(server.url, {"pagination": PAGES}, attempts=1)
        book.breaks_at = 5
        extract(settings, tmp_path).error()
        path = tmp_path / "asked" / "orders.pages"
        path.write_bytes(path.read_bytes()[:-torn])
        book.breaks_at = 6
        server.requests.clear()
        extract(settings, tmp_path).error()
        assert pages(server) == ["4", "5", "6"]
        book.breaks_at = 99
        assert ids(extract(settings, tmp_path).only()) == list(range(1, 16))
        assert pages(server) == ["6"]


def test_a_place_that_is_no_longer_valid_is_left(tmp_path: Path) -> None:
    expired = [False]

    def respond(request: Request) -> Reply:
        at = request.number("cursor")
        if at == 2 and not expired[0]:
            return Reply({}, 500)
        if at == 2 and len(server.requests) == 1:
            return Reply({"message": "cursor expired"}, 400)
        return Reply({"rows": [{"id": at}], "next": at + 1 if at < 3 else None})

    with serve(respond) as server:
        table = {"records": "rows", "pagination": {"type": "cursor", "next": "next"}}
        settings = source(server.url, table, attempts=1)
        extract(settings, tmp_path).error()
        expired[0] = True
        server.requests.clear()
        error = extract(settings, tmp_path).error()
        assert "cursor expired" in str(error) and "begins anew" in str(error) and error.transient
        assert ids(extract(settings, tmp_path).only()) == [0, 1, 2, 3]


def test_the_cursor_is_the_same_whether_it_was_cut_off_or_not(tmp_path: Path) -> None:
    book = Book()
    with serve(book.respond) as server:
        settings = source(server.url, {"pagination": PAGES, "cursor": {"column": "at", "param": "since"}}, attempts=1)
        book.breaks_at = 4
        extract(settings, tmp_path).error()
        book.breaks_at = 99
        resumed = extract(settings, tmp_path).only()
        at_once = extract(settings, tmp_path / "other").only()
        assert (resumed.cursor, resumed.rows) == (at_once.cursor, at_once.rows)
        again = extract(settings, tmp_path, {"orders": resumed.cursor or ""}).only()
    assert again.rows == [] and resumed.cursor is not None


def test_a_disk_that_refuses_costs_only_the_resuming(tmp_path: Path) -> None:
    book = Book()
    (tmp_path / "asked").write_text("no folder")
    with serve(book.respond) as server:
        found = extract(source(server.url, {"pagination": PAGES}), tmp_path)
    assert len(found.only().rows) == 15


def test_no_secret_is_on_disk(tmp_path: Path) -> None:
    def respond(request: Request) -> Reply:
        page = request.number("page", 1)
        if page == 4:
            return Reply({}, 500)
        return Reply({"rows": [{"id": page}], "next": f"/orders?key=s3cret&page={page + 1}"})

    auth = {"type": "api_key", "key": "s3cret", "param": "key"}
    table = {"records": "rows", "pagination": {"type": "next_url", "next": "next"}}
    with serve(respond) as server:
        extract(source(server.url, table, auth=auth, attempts=1), tmp_path).error()
        path = tmp_path / "asked" / "orders.pages"
        assert path.stat().st_mode & 0o077 == 0
        texts = [json.dumps(entry) for entry in entries(path)]
        assert len(texts) == 4 and not any("s3cret" in text for text in texts)


def entries(path: Path) -> list[Any]:
    """All that is kept in a spool, read apart from it: size, digest, then zstd."""
    found, data = [], path.read_bytes()
    while data:
        line, _, data = data.partition(b"\n")
        size = int(line.split()[0])
        packed, data = data[8:size], data[size:]
        found.append(json.loads(pa.input_stream(pa.py_buffer(packed), compression="zstd").read()))
    return found


class Parents:
    """Orders by page, each with lines by page."""

    def __init__(self) -> None:
        self.orders = {number: [f"{number}-{line}" for line in range(number % 4)] for number in range(1, 8)}
        self.breaks_at = ""
        self.gone: set[int] = set()

    def respond(self, request: Request) -> Reply:
        if f"{request.path}?{request.params.get('page')}" == self.breaks_at:
            return Reply({}, 500)
        page = request.number("page")
        if request.path == "/orders":
            numbers = [number for number in self.orders if number >= request.number("min_id")]
            found = [{"id": number, "ref": f"A/{number}"} for number in numbers]
            return Reply(found[(page - 1) * 3 : page * 3])
        number = int(request.path.split("/")[2].removeprefix("A%2F"))
        if number in self.gone:
            return Reply({}, 404)
        return Reply([{"line": line} for line in self.orders[number]][(page - 1) * 2 : page * 2])

    def expected(self) -> list[tuple[str, str]]:
        return [
            (f"A/{number}", line) for number, lines in self.orders.items() for line in lines if number not in self.gone
        ]

    def settings(self, server: Server, **more: Any) -> Any:
        orders = {"endpoint": "/orders", "pagination": PAGES, **more}
        lines = {
            "endpoint": "/orders/{ref}/lines",
            "parent": "orders",
            "pagination": PAGES,
            "key": ["orders_ref", "line"],
        }
        return source(server.url, tables={"orders": orders, "lines": lines}, attempts=1)


def pairs(rows: list[Any]) -> list[tuple[str, str]]:
    return [(row["orders_ref"], row["line"]) for row in rows]


def test_children_of_each_parent(tmp_path: Path) -> None:
    api = Parents()
    api.gone.add(3)
    with serve(api.respond) as server:
        found = extract(api.settings(server), tmp_path)
    assert ids(found.tables["orders"]) == list(range(1, 8))
    assert pairs(found.tables["lines"].rows) == api.expected()


def test_children_go_on_wherever_they_were_cut_off(tmp_path: Path) -> None:
    api = Parents()
    with serve(api.respond) as server:
        settings = api.settings(server)
        places = []
        for request in [r for r in (extract(settings, tmp_path / "whole"), server.requests)[1] if r.path != "/orders"]:
            places.append(f"{request.path}?{request.params['page']}")
        places += ["/orders?2", "/orders?3"]
        assert len(set(places)) == 17
        for place in places:
            folder = tmp_path / place.replace("/", "_")
            api.breaks_at = place
            assert list(extract(settings, folder).failed)
            api.breaks_at = ""
            before = len(server.requests)
            found = extract(settings, folder)
            assert pairs(found.tables["lines"].rows) == api.expected(), place
            if place.startswith("/orders/A%2F7"):
                assert sum("lines" in path for path in server.paths()[before:]) == 4 - int(place[-1])


def test_children_of_new_parents_only_and_none_lost_when_they_fail(tmp_path: Path) -> None:
    api = Parents()
    cursor = {"column": "id", "param": "min_id"}
    with serve(api.respond) as server:
        settings = api.settings(server, cursor=cursor)
        found = extract(settings, tmp_path)
        cursors = {name: table.cursor or "" for name, table in found.tables.items()}
        assert pairs(found.tables["lines"].rows) == api.expected()
        api.orders |= {9: ["x", "y", "z"], 10: ["x"]}
        api.breaks_at = "/orders/A%2F10/lines?1"
        failed = extract(settings, tmp_path, cursors)
        assert ids(failed.tables["orders"]) == [9, 10] and "lines" in failed.failed
        cursors["orders"] = failed.tables["orders"].cursor or ""
        api.breaks_at = ""
        again = extract(settings, tmp_path, cursors)
    assert again.tables["orders"].rows == []
    assert pairs(again.tables["lines"].rows) == [("A/9", "x"), ("A/9", "y"), ("A/9", "z"), ("A/10", "x")]


def test_children_that_go_on_are_asked_for_of_parents_that_came_since(tmp_path: Path) -> None:
    """Orders 9 and 10 came behind the page that was listed when the lines were cut off."""
    api = Parents()
    with serve(api.respond) as server:
        settings = api.settings(server, cursor={"column": "id", "param": "min_id"})
        found = extract(settings, tmp_path)
        cursors = {name: table.cursor or "" for name, table in found.tables.items()}
        api.orders |= {9: ["x", "y", "z"]}
        api.breaks_at = "/orders/A%2F9/lines?2"
        failed = extract(settings, tmp_path, cursors)
        assert list(failed.failed) == ["lines"]
        cursors["orders"] = failed.tables["orders"].cursor or ""
        api.orders |= {10: ["x"]}
        api.breaks_at = ""
        again = extract(settings, tmp_path, cursors)
        assert ids(again.tables["orders"]) == [10]
        assert pairs(again.tables["lines"].rows) == [("A/9", "x"), ("A/9", "y"), ("A/9", "z"), ("A/10", "x")]
        cursors = {name: table.cursor or "" for name, table in again.tables.items()}
        assert [table.rows for table in extract(settings, tmp_path, cursors).tables.values()] == [[], []]


def test_what_is_no_record_has_no_children(tmp_path: Path) -> None:
    def respond(request: Request) -> Reply:
        return Reply([{"id": 1, "at": "2024-05-31"}, None, 5]) if request.path == "/orders" else Reply([{"line": 1}])

    with serve(respond) as server:
        cursor = {"column": "at", "param": "since"}
        tables = {
            "orders": {"endpoint": "/orders", "cursor": cursor},
            "lines": {"endpoint": "/orders/{id}/lines", "parent": "orders", "key": ["line"]},
        }
        found = extract(source(server.url, tables=tables), tmp_path)
    assert found.tables["lines"].rows == [{"orders_id": "1", "line": "1"}]
    assert len(found.tables["orders"].wrong) == 2 and not found.tables["lines"].wrong


def test_an_endpoint_that_no_parent_has(tmp_path: Path) -> None:
    api = Parents()
    api.gone = set(api.orders)
    with serve(api.respond) as server:
        found = extract(api.settings(server), tmp_path)
    assert "none of the 7 parents has this endpoint" in str(found.failed["lines"])


def test_a_parent_without_the_field(tmp_path: Path) -> None:
    with serve(lambda request: Reply([{"id": 1}])) as server:
        tables = {
            "orders": {"endpoint": "/orders"},
            "lines": {"endpoint": "/orders/{number}/lines", "parent": "orders", "key": ["line"]},
        }
        found = extract(source(server.url, tables=tables), tmp_path)
    assert """a record of the parent has no 'number': it has id""" in str(found.failed["lines"])
