"""A server of faults: what passes is tried again, what does not is told with source, endpoint and next step."""

from __future__ import annotations

import itertools
import time
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from api_server import FAULTS, Delivered, Reply, Request, certificate, extract, ids, orders, serve, source

PAGES = {"type": "page"}


def paged(request: Request) -> Reply:
    page = request.number("page")
    return Reply([{"id": page}] if page < 5 else [])


@pytest.mark.parametrize("fault", FAULTS)
def test_what_passes_is_tried_again(tmp_path: Path, fault: str) -> None:
    counter = itertools.count()

    def respond(request: Request) -> Reply:
        good = paged(request)
        return FAULTS[fault](good) if next(counter) % 2 == 0 else good

    with serve(respond) as server:
        found = extract(source(server.url, {"pagination": PAGES}), tmp_path)
    assert ids(found.only()) == [1, 2, 3, 4]
    assert len(server.requests) == 10
    assert (found.waited >= 35) == (fault == "too many requests")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("a fault of the API", "the API has a fault: 500: sorry (tried 3 times)"),
        ("a gateway", "the API has a fault: 502 (tried 3 times)"),
        ("a reset", "broke off: "),
        ("a body that is cut", "the answer was cut off"),
        ("JSON that is cut", "the answer is cut off: Expecting ',' delimiter, after 10 of 10 characters"),
        ("no body at all", "the answer has no body"),
        ("a web page", "the answer is a web page ('Log in'), not JSON"),
        ("too many requests", "the API asks to slow down (429)"),
        ("bytes that are no text", "the answer is not text"),
        ("broken compression", "broke off: "),
    ],
)
def test_what_does_not_pass_is_told_and_the_next_run_goes_on(tmp_path: Path, fault: str, said: str) -> None:
    broken = [True]

    def respond(request: Request) -> Reply:
        good = paged(request)
        return FAULTS[fault](good) if broken[0] and request.number("page") == 4 else good

    with serve(respond) as server:
        settings = source(server.url, {"pagination": PAGES}, attempts=3)
        error = extract(settings, tmp_path).error()
        assert str(error).startswith("shop, GET /orders: ")
        assert said in str(error)
        assert "the next run, which goes on from there" in str(error)
        assert error.todo and error.transient
        broken[0] = False
        server.requests.clear()
        assert ids(extract(settings, tmp_path).only()) == [1, 2, 3, 4]
    assert [request.params["page"] for request in server.requests] == ["4", "5"]


def test_other_tables_and_sources_are_unharmed(tmp_path: Path) -> None:
    def respond(request: Request) -> Reply:
        return Reply({"message": "no such table"}, 404) if request.path == "/gone" else paged(request)

    tables = {name: {"endpoint": f"/{name}", "pagination": PAGES} for name in ("a", "gone", "b")}
    with serve(respond) as server:
        found = extract(source(server.url, tables=tables), tmp_path)
    assert list(found.tables) == ["a", "b"]
    text = str(found.failed["gone"])
    assert text.startswith("shop, GET /gone: the API answers 404: no such table")
    assert "Correct endpoint or base_url." in text
    assert not found.failed["gone"].transient


def test_a_host_that_never_answers(tmp_path: Path) -> None:
    with serve(lambda request: Reply(fault="hang")) as server:
        error = extract(source(server.url, timeout="0.2 seconds", attempts=2), tmp_path).error()
    assert "127.0.0.1" in str(error) and "did not answer within 0.2 seconds" in str(error)
    assert error.transient


def test_a_host_that_is_not_there_fails_the_source_once(tmp_path: Path) -> None:
    with serve(paged) as server:
        url = server.url
    tables = {"a": {"endpoint": "/a"}, "b": {"endpoint": "/b"}}
    found = extract(source(url, tables=tables, attempts=2), tmp_path)
    assert "cannot be reached" in str(found.failed["a"]) and "Connection refused" in str(found.failed["a"])
    assert set(found.failed) == {"a", None}


def test_a_body_that_drips(tmp_path: Path) -> None:
    with serve(lambda request: Reply(orders(50), fault="drip")) as server:
        began = time.monotonic()
        error = extract(source(server.url, timeout="0.15 seconds", attempts=1), tmp_path).error()
    assert "the answer was not complete after 1.5 seconds" in str(error)
    assert time.monotonic() - began < 10


def test_a_certificate_that_is_not_trusted(tmp_path: Path) -> None:
    with serve(paged, certificate(tmp_path)) as server:
        tables = {"a": {"endpoint": "/a"}, "b": {"endpoint": "/b"}}
        found = extract(source(server.url, tables=tables), tmp_path)
        assert "the certificate of 127.0.0.1" in str(found.failed["a"])
        assert "is not trusted: self-signed certificate" in str(found.failed["a"])
        assert "ca_file" in str(found.failed["a"]) and not found.failed["a"].transient
        assert set(found.failed) == {"a", None} and server.requests == []
        trusted = source(server.url, {"pagination": PAGES}, ca_file="ca.pem")
        assert ids(extract(trusted, tmp_path).only()) == [1, 2, 3, 4]


def test_settings_that_only_show_when_asked(tmp_path: Path) -> None:
    with serve(paged) as server:
        auth = {"type": "bearer", "token": "s3cret\n"}
        error = str(extract(source(server.url, auth=auth), tmp_path).error())
        assert "the call cannot be sent" in error and "s3cret" not in error
        table = {"body": {"params": [1]}, "params": {"params.3": "x"}}
        assert "has no place in the body" in str(extract(source(server.url, table), tmp_path).error())
        error = str(extract(source(server.url, ca_file="missing.pem"), tmp_path).error())
        assert "'missing.pem' cannot be read as certificates: No such file" in error


@pytest.mark.parametrize("as_date", [False, True])
def test_a_wait_that_is_asked_for_is_kept(tmp_path: Path, as_date: bool) -> None:
    counter = itertools.count()

    def respond(request: Request) -> Reply:
        if next(counter) == 0:
            until = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
            return Reply({}, 503, {"Retry-After": until if as_date else "90"})
        return paged(request)

    with serve(respond) as server:
        found = extract(source(server.url, {"pagination": PAGES}), tmp_path)
        assert ids(found.only()) == [1, 2, 3, 4]
        assert 85 <= found.waited <= 91
        counter = itertools.count()
        error = extract(source(server.url, {"pagination": PAGES}, longest_wait="1 minute"), tmp_path).error()
    assert "longer than longest_wait" in str(error) and error.transient


class Bucket:
    """Calls fill a bucket of ten, of which one leaks each second of the time that was waited for."""

    def __init__(self, headers: str) -> None:
        self.filled, self.overflows, self._headers = 0.0, 0, headers

    def respond(self, request: Request) -> Reply:
        page = request.number("page")
        self.filled += 1
        if self.filled > 10:
            self.overflows += 1
            self.filled = 6.0
            return Reply({}, 429, {"Retry-After": "4"})
        headers = {"X-Shopify-Shop-Api-Call-Limit": f"{self.filled:.0f}/10"}
        if self._headers == "remaining":
            headers = {"X-RateLimit-Remaining": f"{10 - self.filled:.0f}", "X-RateLimit-Reset": "10"}
        if self.filled >= 9:
            self.filled = 8.0
        return Reply([{"id": page}] if page < 30 else [], headers=headers if self._headers else {})


@pytest.mark.parametrize("headers", ["bucket", "remaining", ""])
def test_leaky_buckets(tmp_path: Path, headers: str) -> None:
    with serve(Bucket(headers).respond) as server:
        found = extract(source(server.url, {"pagination": PAGES}), tmp_path)
    assert ids(found.only()) == list(range(1, 30))
    if headers == "bucket":
        assert found.waited >= 20


def test_graphql_says_with_status_200_that_it_was_asked_too_much(tmp_path: Path) -> None:
    counter = itertools.count()
    throttled: dict[str, Any] = {
        "errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}],
        "extensions": {
            "cost": {"requestedQueryCost": 112, "throttleStatus": {"currentlyAvailable": 12, "restoreRate": 50.0}}
        },
    }

    def respond(request: Request) -> Reply:
        return Reply(throttled if next(counter) == 0 else {"data": {"orders": orders(2)}})

    with serve(respond) as server:
        found = extract(source(server.url, {"query": "{ orders }", "records": "data.orders"}), tmp_path)
    assert ids(found.only()) == [1, 2]
    assert found.waited == pytest.approx(2.0)


def test_errors_with_status_200(tmp_path: Path) -> None:
    with serve(lambda request: Reply({"data": None, "errors": [{"message": "Field 'x' does not exist"}]})) as server:
        error = extract(source(server.url, {"query": "{ x }", "records": "data.x"}), tmp_path).error()
    assert "Field 'x' does not exist" in str(error)
    with serve(lambda request: Reply({"error": {"message": "no"}, "result": []})) as server:
        table = {"body": {}, "records": "result", "errors": "error"}
        assert "the API answers with errors" in str(extract(source(server.url, table), tmp_path).error())


def test_requests_per_second(tmp_path: Path) -> None:
    with serve(paged) as server:
        found = extract(source(server.url, {"pagination": PAGES}, requests_per_second=0.5), tmp_path)
    assert 7 <= found.waited <= 8.1


def test_an_answer_of_2_gb_is_refused_in_bounded_memory(tmp_path: Path) -> None:
    sent = [0]

    def endless(request: Request) -> Iterator[bytes]:
        yield b'{"data": ['
        part = b'{"id": 1, "text": "' + b"x" * 60_000 + b'"},'
        while sent[0] < 2 << 30:
            sent[0] += len(part)
            yield part

    with serve(endless) as server:
        tracemalloc.start()
        error = extract(source(server.url, {"records": "data"}, max_response_mb=8), tmp_path).error()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert "the answer is larger than 8 MB" in str(error) and "max_response_mb" in str(error)
    assert peak < 40 << 20 and sent[0] < 100 << 20


def test_a_small_answer_that_unpacks_to_a_huge_one(tmp_path: Path) -> None:
    import zlib

    packer = zlib.compressobj(9, wbits=31)
    packed = b"".join(packer.compress(b" " * (1 << 20)) for _ in range(200)) + packer.flush()
    assert len(packed) < 1 << 20
    with serve(lambda request: Reply(packed, headers={"Content-Encoding": "gzip"})) as server:
        tracemalloc.start()
        error = extract(source(server.url, max_response_mb=8), tmp_path).error()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert "the answer is larger than 8 MB" in str(error)
    assert peak < 40 << 20


def test_300_levels_are_kept_and_more_than_can_be_read_are_told(tmp_path: Path) -> None:
    def nested(levels: int) -> bytes:
        return b'[{"id": 1, "deep": ' + b'{"a": [' * (levels // 2) + b'"x"' + b"]}" * (levels // 2) + b"}]"

    with serve(lambda request: Reply(nested(300))) as server:
        row = extract(source(server.url), tmp_path).only().rows[0]
    assert row["deep"] == '{"a":[' * 150 + '"x"' + "]}" * 150
    with serve(lambda request: Reply(nested(100_000))) as server:
        error = extract(source(server.url), tmp_path).error()
    assert "shop, GET /orders: the JSON is nested too deeply" in str(error)


def only(tmp_path: Path, body: Any, **table: Any) -> Delivered:
    with serve(lambda request: Reply(body)) as server:
        return extract(source(server.url, table), tmp_path).only()


def test_values_are_kept_to_the_letter(tmp_path: Path) -> None:
    body = (
        b'[{"id": 12345678901234567890123, "price": 1.10, "rate": 1E-7, "on": true, "off": null, "text": "\\u20ac \\ud800",'
        b' "cost": {"__class__": "Decimal", "decimal": "12.3400"}, "tags": ["a", 1.0]},'
        b' {"id": 2, "new": "column", "nul": "a\\u0000b"}]'
    )
    rows = only(tmp_path, body).rows
    assert rows[0] | {"new": None, "nul": None} == {
        "id": "12345678901234567890123",
        "price": "1.10",
        "rate": "1E-7",
        "on": "true",
        "off": None,
        "text": "€ \\ud800",
        "cost": '{"__class__":"Decimal","decimal":"12.3400"}',
        "tags": '["a",1.0]',
        "new": None,
        "nul": None,
    }
    assert (rows[1]["new"], rows[1]["nul"], rows[1]["price"]) == ("column", "a\\u0000b", None)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"data": {"items": orders(3)}}, "data.items"),
        ([{"page": 1}, orders(3)], "1"),
        ({"orders": {"a": {"id": 1}, "b": {"id": 2}, "c": {"id": 3}}}, "orders.*"),
        ({"stores": [{"orders": orders(2)}, {"orders": [{"id": 3}]}, {"orders": None}]}, "stores.orders"),
        ({"a.b": orders(3)}, "a.b"),
    ],
)
def test_records_anywhere_in_the_body(tmp_path: Path, body: Any, path: str) -> None:
    assert ids(only(tmp_path, body, records=path)) == [1, 2, 3]


def test_a_single_record_and_none(tmp_path: Path) -> None:
    assert ids(only(tmp_path, {"id": 7}, records=".")) == [7]
    for body, path in (({"data": None}, "data"), ({"data": {"stores": []}}, "data.stores.orders")):
        found = only(tmp_path, body, records=path)
        assert (found.rows, found.wrong) == ([], [])


def test_records_that_are_not_there_name_what_is(tmp_path: Path) -> None:
    with serve(lambda request: Reply({"items": orders(1), "meta": {}})) as server:
        error = str(extract(source(server.url), tmp_path).error())
        assert "the answer is an object, not a list; there are: items, meta" in error and "such as 'items'" in error
        error = str(extract(source(server.url, {"records": "item"}), tmp_path).error())
        assert "records = 'item' leads nowhere; there are: items, meta" in error


def test_what_is_no_row_is_set_aside_with_its_reason(tmp_path: Path) -> None:
    found = only(tmp_path, b'[{"id": 1}, null, 5, {"id": 2, "id": 3}, {}, "x"]')
    assert ids(found) == [1]
    assert found.wrong == [
        ("null", "not an object"),
        ("5", "not an object"),
        ('{"id":2,"id":3}', "the name 'id' stands twice in the object"),
        ("{}", "an object without any field"),
        ('"x"', "not an object"),
    ]


def test_a_name_that_stands_twice_loses_nothing(tmp_path: Path) -> None:
    lines = b'{"orders": [{"id": 7, "lines": [{"no": 1, "no": 2}, {"no": 3}]}]}'
    found = only(tmp_path, lines, records="orders.lines", outer={"order_id": "orders.id"})
    assert found.wrong == [('{"no":1,"no":2}', "the name 'no' stands twice in the object")]
    assert [(row["order_id"], row["no"]) for row in found.rows] == [("7", "3")]
    for outer in ({}, {"order_id": "orders.id"}):
        with serve(lambda request: Reply(b'{"orders": [{"id": 1}], "orders": [{"id": 2}]}')) as server:
            error = extract(source(server.url, {"records": "orders", "outer": outer}), tmp_path).error()
            assert "the name 'orders' stands twice in the answer" in str(error)


def test_fields_that_have_names_of_ours(tmp_path: Path) -> None:
    rows = only(tmp_path, [{"_malformed": 1, "_reason": 2}, {"_deleted_at": 3, "Id": 4, "id": 5}]).rows
    assert rows[0] == {"_malformed_": "1", "_reason_": "2", "_deleted_at_": None, "Id": None, "id_2": None}
    assert rows[1]["_deleted_at_"] == "3" and (rows[1]["Id"], rows[1]["id_2"]) == ("4", "5")
