"""Every way of paging yields each record once, in order, whatever the API says of its end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from api_server import Reply, Request, extract, ids, orders, serve, source

ALL = orders(23)


def window(start: int, size: int) -> list[dict[str, Any]]:
    return ALL[start : start + size]


def numbered(request: Request) -> Reply:
    start = (request.number("page", 1) - 1) * 5
    return Reply({"data": window(start, 5), "meta": {"total": 23, "pages": 5, "more": start + 5 < 23}})


@pytest.mark.parametrize("end", [{}, {"total": "meta.total"}, {"pages": "meta.pages"}, {"more": "meta.more"}])
def test_pages_by_number(tmp_path: Path, end: dict[str, str]) -> None:
    with serve(numbered) as server:
        found = extract(source(server.url, {"records": "data", "pagination": {"type": "page", **end}}), tmp_path)
    assert ids(found.only()) == list(range(1, 24))
    # Without a word on the end only the empty page tells it.
    assert len(server.requests) == (5 if end else 6)


def test_pages_from_zero_with_a_size(tmp_path: Path) -> None:
    def respond(request: Request) -> Reply:
        size = request.number("per_page")
        return Reply(window(request.number("page") * size, size))

    pages = {"type": "page", "first": 0, "size_param": "per_page", "size": 10}
    with serve(respond) as server:
        found = extract(source(server.url, {"pagination": pages}), tmp_path)
    assert ids(found.only()) == list(range(1, 24))


def test_404_past_the_end_is_the_end_where_said_so(tmp_path: Path) -> None:
    def respond(request: Request) -> Reply:
        rows = window((request.number("page") - 1) * 8, 8)
        return Reply(rows) if rows else Reply({"detail": "Invalid page."}, 404)

    with serve(respond) as server:
        pages = {"type": "page", "end_status": [404]}
        assert len(extract(source(server.url, {"pagination": pages}), tmp_path).only().rows) == 23
        error = extract(source(server.url, {"pagination": {"type": "page"}}), tmp_path).error()
    assert "the API answers 404: Invalid page." in str(error)


@pytest.mark.parametrize("cap", [5, 7, 100])
def test_offset_goes_by_what_came_not_by_what_was_asked(tmp_path: Path, cap: int) -> None:
    def respond(request: Request) -> Reply:
        return Reply({"items": window(request.number("offset"), min(cap, request.number("limit")))})

    with serve(respond) as server:
        pages = {"type": "offset", "size": 10}
        found = extract(source(server.url, {"records": "items", "pagination": pages}), tmp_path)
    assert ids(found.only()) == list(range(1, 24))


@pytest.mark.parametrize("pages", [
    {"type": "page"}, {"type": "page", "total": "total"}, {"type": "offset"}, {"type": "offset", "total": "total"},
    {"type": "cursor", "param": "after", "last": "id"},
])  # fmt: skip
def test_pages_of_what_the_records_lie_in(tmp_path: Path, pages: dict[str, str]) -> None:
    """Two orders a page: those of the first have six lines, as many as there are orders, those of the second none."""
    listed = [
        {"id": id, "lines": [{"id": id * 10 + no} for no in range(lines)]}
        for id, lines in enumerate([3, 3, 0, 0, 2, 1], 1)
    ]

    def respond(request: Request) -> Reply:
        begin = (request.number("page", 1) - 1) * 2 + request.number("offset", 0) + request.number("after", 0)
        return Reply({"orders": listed[begin : begin + 2], "total": len(listed)})

    table = {"records": "orders.lines", "outer": {"order_id": "orders.id"}, "paged": "orders", "pagination": pages}
    with serve(respond) as server:
        found = extract(source(server.url, table), tmp_path)
    assert ids(found.only()) == [10, 11, 12, 20, 21, 22, 50, 51, 60]


def test_a_list_of_pages_that_is_none(tmp_path: Path) -> None:
    with serve(lambda request: Reply({"orders": {"lines": [{"id": 1}]}})) as server:
        found = extract(source(server.url, {"records": "orders.lines", "paged": "orders"}), tmp_path)
    assert "paged = 'orders' leads to no list" in str(found.error())
    with pytest.raises(ValueError, match=r"'bills' is not on the way to the records: records = 'orders\.lines'"):
        source("http://127.0.0.1", {"records": "orders.lines", "paged": "bills"})


@pytest.mark.parametrize("last", [None, "", "missing"])
def test_cursor_in_the_body(tmp_path: Path, last: str | None) -> None:
    def respond(request: Request) -> Reply:
        start = int(request.params.get("after", "c0")[1:])
        rows = window(start, 6)
        meta: dict[str, Any] = {"next": f"c{start + 6}" if start + 6 < 23 else last}
        if meta["next"] == "missing":
            del meta["next"]
        return Reply({"data": {"orders": rows}, "meta": meta})

    pages = {"type": "cursor", "param": "after", "next": "meta.next"}
    with serve(respond) as server:
        found = extract(source(server.url, {"records": "data.orders", "pagination": pages}), tmp_path)
    assert ids(found.only()) == list(range(1, 24))
    assert "after" not in server.requests[0].params


def test_the_last_record_is_the_cursor(tmp_path: Path) -> None:
    def respond(request: Request) -> Reply:
        start = request.number("starting_after")
        return Reply({"data": window(start, 4), "has_more": start + 4 < 23})

    pages = {"type": "cursor", "param": "starting_after", "last": "id", "more": "has_more"}
    with serve(respond) as server:
        found = extract(source(server.url, {"records": "data", "pagination": pages}), tmp_path)
    assert ids(found.only()) == list(range(1, 24))
    assert len(server.requests) == 6


def test_link_header(tmp_path: Path) -> None:
    def respond(request: Request) -> Reply:
        page = request.number("page", 1)
        links = [f'<{server.url}/orders?page=1&x=a,b>; rel="first"']
        if page < 5:
            links.append(f'</orders?page={page + 1}&x=a%2Cb>; rel="next"; title="more, of it"')
        return Reply(window((page - 1) * 5, 5), headers={"Link": ", ".join(links)})

    with serve(respond) as server:
        found = extract(source(server.url, {"params": {"q": "1"}, "pagination": {"type": "link"}}), tmp_path)
    assert ids(found.only()) == list(range(1, 24))
    assert [request.params.get("x") for request in server.requests] == [None, "a,b", "a,b", "a,b", "a,b"]


@pytest.mark.parametrize("absolute", [True, False])
def test_next_url_under_a_name_with_a_dot(tmp_path: Path, absolute: bool) -> None:
    def respond(request: Request) -> Reply:
        skip = request.number("$skip")
        more = {"@odata.nextLink": f"{server.url if absolute else ''}/orders?$skip={skip + 9}"} if skip + 9 < 23 else {}
        return Reply({"value": window(skip, 9), **more})

    with serve(respond) as server:
        pages = {"type": "next_url", "next": "@odata.nextLink"}
        found = extract(source(server.url, {"records": "value", "pagination": pages}), tmp_path)
    assert ids(found.only()) == list(range(1, 24))


@pytest.mark.parametrize("end", ["inclusive", "exclusive"])
@pytest.mark.parametrize("total", ["23", "*"])
@pytest.mark.parametrize("behind", ["empty", "416"])
def test_range_header(tmp_path: Path, end: str, total: str, behind: str) -> None:
    def respond(request: Request) -> Reply:
        start, stop = map(int, request.headers["range"].removeprefix("items=").split("-"))
        rows = window(start, stop - start + (end == "inclusive"))
        if not rows and behind == "416":
            return Reply({"error": "out of range"}, 416)
        last = start + len(rows) - (end == "inclusive")
        return Reply(rows, 206, {"Content-Range": f"items {start}-{last}/{total}"})

    with serve(respond) as server:
        pages = {"type": "range", "size": 5, "end": end}
        found = extract(source(server.url, {"pagination": pages}), tmp_path)
    assert ids(found.only()) == list(range(1, 24))
    assert len(server.requests) == (5 if total == "23" else 6)


def test_graphql_by_take_and_skip(tmp_path: Path) -> None:
    def respond(request: Request) -> Reply:
        assert request.method == "POST" and request.body["query"].startswith("query")
        variables = request.body["variables"]
        assert variables["state"] == "Placed"
        rows = window(variables["skip"], variables["take"])
        return Reply({"data": {"orders": {"items": rows, "totalItems": 23}}})

    table = {
        "endpoint": "/shop-api",
        "query": "query ($skip: Int, $take: Int, $state: String) { orders { items { id } totalItems } }",
        "params": {"state": "Placed"},
        "records": "data.orders.items",
        "pagination": {
            "type": "offset",
            "param": "skip",
            "size_param": "take",
            "size": 10,
            "total": "data.orders.totalItems",
        },
    }
    with serve(respond) as server:
        found = extract(source(server.url, table), tmp_path)
    assert ids(found.only()) == list(range(1, 24))
    assert len(server.requests) == 3


def test_graphql_by_relay_cursors(tmp_path: Path) -> None:
    def respond(request: Request) -> Reply:
        start = int(request.body["variables"].get("after", "x0")[1:])
        edges = [{"cursor": f"x{start + n + 1}", "node": row} for n, row in enumerate(window(start, 10))]
        info = {"hasNextPage": start + 10 < 23, "endCursor": f"x{start + 10}"}
        return Reply({"data": {"orders": {"edges": edges, "pageInfo": info}}})

    table = {
        "query": "query ($after: String) { orders(first: 10, after: $after) { … } }",
        "records": "data.orders.edges.node",
        "pagination": {
            "type": "cursor",
            "param": "after",
            "next": "data.orders.pageInfo.endCursor",
            "more": "data.orders.pageInfo.hasNextPage",
        },
    }
    with serve(respond) as server:
        found = extract(source(server.url, table), tmp_path)
    assert ids(found.only()) == list(range(1, 24))


def test_places_in_the_body_of_a_call(tmp_path: Path) -> None:
    def respond(request: Request) -> Reply:
        domain, offset, limit = request.body["params"]
        assert domain == [["state", "=", "done"]]
        return Reply({"result": window(offset, limit)})

    table = {
        "body": {"method": "search", "params": [[["state", "=", "done"]], 0, 0]},
        "records": "result",
        "pagination": {"type": "offset", "param": "params.1", "size_param": "params.2", "size": 10},
    }
    with serve(respond) as server:
        found = extract(source(server.url, table), tmp_path)
    assert ids(found.only()) == list(range(1, 24))


def test_no_pages_and_no_content(tmp_path: Path) -> None:
    with serve(lambda request: Reply(ALL)) as server:
        assert len(extract(source(server.url), tmp_path).only().rows) == 23
    with serve(lambda request: Reply(status=204)) as server:
        assert extract(source(server.url), tmp_path).only().rows == []


@pytest.mark.parametrize("kind", ["page", "offset"])
def test_a_page_that_repeats_for_ever(tmp_path: Path, kind: str) -> None:
    with serve(lambda request: Reply({"page": request.params, "data": ALL[:5]})) as server:
        found = extract(source(server.url, {"records": "data", "pagination": {"type": kind}}), tmp_path)
    assert len(server.requests) == 2
    text = str(found.error())
    assert "shop, GET /orders: the pages have no end: the same records come again and again" in text
    assert "needs total, pages or more to be set" in text


def test_pages_that_go_in_a_circle(tmp_path: Path) -> None:
    def respond(request: Request) -> Reply:
        at = request.params.get("cursor", "a")
        return Reply({"data": [{"id": at}], "next": {"a": "b", "b": "c", "c": "a2", "a2": "b"}[at]})

    with serve(respond) as server:
        pages = {"type": "cursor", "next": "next"}
        error = extract(source(server.url, {"records": "data", "pagination": pages}), tmp_path).error()
    assert "the page at 'b' is named again" in str(error)


def test_pages_without_end(tmp_path: Path) -> None:
    def respond(request: Request) -> Reply:
        return Reply([{"id": request.params["page"]}])

    with serve(respond) as server:
        found = extract(source(server.url, {"pagination": {"type": "page"}}, max_pages=40), tmp_path)
    assert "there are more than 40 pages" in str(found.error())
    assert len(server.requests) == 40


def test_fewer_records_than_the_api_says_is_no_extraction(tmp_path: Path) -> None:
    missing = [True]

    def respond(request: Request) -> Reply:
        rows = [ALL[:3], ALL[3:5], ALL[5:7]][request.number("page") - 1]
        return Reply({"data": [] if rows == ALL[5:7] and missing[0] else rows, "total": 7})

    with serve(respond) as server:
        pages = {"type": "page", "total": "total"}
        settings = source(server.url, {"records": "data", "pagination": pages})
        error = extract(settings, tmp_path).error()
        assert "the API says that there are 7 records, but 5 came" in str(error)
        assert "begins anew" in str(error) and error.transient
        missing[0] = False
        server.requests.clear()
        assert ids(extract(settings, tmp_path).only()) == [1, 2, 3, 4, 5, 6, 7]
    assert [request.params["page"] for request in server.requests] == ["1", "2", "3"]


def test_what_never_passes_is_not_tried_again(tmp_path: Path) -> None:
    def respond(request: Request) -> Reply:
        return Reply({}, 404) if request.params["page"] == "4" else Reply([{"id": request.params["page"]}])

    with serve(respond) as server:
        error = extract(source(server.url, {"pagination": {"type": "page"}}), tmp_path).error()
    assert not error.transient and "begins anew" in str(error)


def test_more_is_promised_but_not_where(tmp_path: Path) -> None:
    with serve(lambda request: Reply({"data": ALL[:5], "next": None, "more": True})) as server:
        pages = {"type": "cursor", "next": "next", "more": "more"}
        error = extract(source(server.url, {"records": "data", "pagination": pages}), tmp_path).error()
    assert "the answer says that there is more, but not where" in str(error)
