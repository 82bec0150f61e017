"""Who asks: every kind of credentials, tokens that end, and where credentials never go."""

from __future__ import annotations

import base64
import itertools
from pathlib import Path
from typing import Any

import pytest

from api_server import Reply, Request, Server, extract, ids, orders, serve, source
from systock.extract.api_auth import AuthRefused

SECRET = "s3cr3t/+?é"
PAGES = {"type": "page", "size_param": "size"}


def listed(request: Request) -> Reply:
    return Reply(orders(3) if request.number("page", 1) == 1 else [])


def basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


@pytest.mark.parametrize(
    ("auth", "name", "value"),
    [
        ({"type": "bearer", "token": "tok"}, "authorization", "Bearer tok"),
        ({"type": "api_key", "key": "tok"}, "x-api-key", "tok"),
        ({"type": "api_key", "key": "tok", "header": "X-Shopify-Access-Token"}, "x-shopify-access-token", "tok"),
        ({"type": "basic", "user": "ann", "password": SECRET}, "authorization", basic("ann", SECRET)),
    ],
)
def test_credentials_in_a_header(tmp_path: Path, auth: dict[str, str], name: str, value: str) -> None:
    def respond(request: Request) -> Reply:
        return listed(request) if request.headers.get(name) == value else Reply({"message": "who are you?"}, 401)

    with serve(respond) as server:
        found = extract(source(server.url, {"pagination": PAGES}, auth=auth), tmp_path)
    assert ids(found.only()) == [1, 2, 3]


def test_key_as_a_parameter_is_on_every_page_and_never_kept(tmp_path: Path) -> None:
    def respond(request: Request) -> Reply:
        assert request.params["key"] == SECRET
        page = request.number("page", 1)
        following = f"{server.url}/orders?page={page + 1}&key=echoed" if page < 3 else None
        if page == 3:
            return Reply({"message": f"no such page, dear {SECRET}"}, 400)
        return Reply({"rows": [{"id": page}], "next": following})

    auth = {"type": "api_key", "key": SECRET, "param": "key"}
    table = {"records": "rows", "pagination": {"type": "next_url", "next": "next"}}
    with serve(respond) as server:
        settings = source(server.url, table, auth=auth)
        found = extract(settings, tmp_path)
    assert len(server.requests) == 3
    assert "no such page, dear …" in str(found.error())


def oauth(server: Server, **more: Any) -> dict[str, Any]:
    url = f"{server.url}/token"
    return {"type": "oauth2", "token_url": url, "client_id": "me", "client_secret": SECRET, **more}


@pytest.mark.parametrize("send", ["basic", "body"])
@pytest.mark.parametrize("expires", [3600, "3600", None, 0])
def test_client_credentials_are_changed_for_a_token_that_is_renewed(tmp_path: Path, send: str, expires: Any) -> None:
    counter = itertools.count(1)
    valid: set[str] = set()

    def respond(request: Request) -> Reply:
        if request.path == "/token":
            assert request.body["grant_type"] == "client_credentials" and request.body["scope"] == "read"
            if send == "basic":
                assert request.headers["authorization"] == basic("me", "s3cr3t%2F%2B%3F%C3%A9")
            else:
                assert (request.body["client_id"], request.body["client_secret"]) == ("me", SECRET)
            token = f"t{next(counter)}"
            valid.add(token)
            return Reply({"access_token": token, "token_type": "bearer", "expires_in": expires})
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in valid:
            return Reply({}, 401)
        page = request.number("page")
        if page == 2:
            valid.clear()  # all tokens end in the middle
        return Reply([{"id": page}] if page < 5 else [])

    with serve(respond) as server:
        settings = source(server.url, {"pagination": PAGES}, auth=oauth(server, send=send, scope="read"))
        found = extract(settings, tmp_path)
    assert ids(found.only()) == [1, 2, 3, 4]
    assert server.paths().count("/token") == (5 if expires == 0 else 2)


def test_a_fresh_token_that_is_refused_at_first(tmp_path: Path) -> None:
    calls = itertools.count()

    def respond(request: Request) -> Reply:
        if request.path == "/token":
            return Reply({"access_token": "fresh"})
        return listed(request) if next(calls) > 1 else Reply({"message": "not yet"}, 401)

    with serve(respond) as server:
        found = extract(source(server.url, {"pagination": PAGES}, auth=oauth(server)), tmp_path)
    assert ids(found.only()) == [1, 2, 3]
    assert server.paths().count("/token") == 1
    assert 1 <= found.waited <= 3


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_wrong_secret_is_told_without_it(tmp_path: Path, status: int) -> None:
    with serve(lambda request: Reply({"error_description": f"{SECRET} is wrong"}, status)) as server:
        found = extract(source(server.url, auth=oauth(server)), tmp_path)
    text = str(found.error())
    assert f"shop, GET /orders: /token refuses the credentials: {status}: … is wrong" in text
    assert "Check the secrets of auth (type 'oauth2'), which may have expired." in text
    assert isinstance(found.error(), AuthRefused) and not found.error().transient


def test_login_yields_a_token_in_the_body(tmp_path: Path) -> None:
    def respond(request: Request) -> Reply:
        if request.path == "/api/auth/login":
            assert request.body == {"username": "ann", "password": SECRET}
            return Reply({"data": {"token": "T"}})
        return listed(request) if request.headers.get("x-session") == "T" else Reply({}, 401)

    auth = {"type": "login", "endpoint": "/auth/login", "user": "ann", "password": SECRET}
    auth |= {"token": "data.token", "header": "X-Session", "prefix": ""}
    with serve(respond) as server:
        found = extract(source(f"{server.url}/api", {"pagination": PAGES}, auth=auth), tmp_path)
    assert ids(found.only()) == [1, 2, 3]


def test_graphql_login_yields_a_token_in_a_header_and_ends_with_status_200(tmp_path: Path) -> None:
    logins = itertools.count(1)
    valid: set[str] = set()

    def respond(request: Request) -> Reply:
        if "login" in request.body["query"]:
            assert request.body["variables"] == {"u": "ann", "p": SECRET}
            valid.add(token := f"v{next(logins)}")
            return Reply({"data": {"login": {}}}, headers={"Vendure-Auth-Token": token})
        if request.headers.get("authorization", "")[7:] not in valid:
            return Reply({"errors": [{"message": "no", "extensions": {"code": "FORBIDDEN"}}], "data": None})
        skip = request.body["variables"]["skip"]
        if skip == 2:
            valid.clear()
        return Reply({"data": {"orders": orders(5)[skip : skip + 2]}})

    auth = {"type": "login", "endpoint": "", "user": "ann", "password": SECRET, "token_header": "vendure-auth-token"}
    auth["body"] = {"query": "mutation { login }", "variables": {"u": "{user}", "p": "{password}"}}  # type: ignore[assignment]
    table = {
        "endpoint": "",
        "query": "query { orders }",
        "records": "data.orders",
        "pagination": {"type": "offset", "param": "skip", "size_param": "take"},
    }
    with serve(respond) as server:
        found = extract(source(server.url, table, auth=auth), tmp_path)
    assert ids(found.only()) == [1, 2, 3, 4, 5]


def test_an_expired_token_fails_the_source_once_and_keeps_what_was_fetched(tmp_path: Path) -> None:
    ends = {"at": 3}

    def respond(request: Request) -> Reply:
        if request.number("page") >= ends["at"]:
            return Reply({"message": "expired"}, 401)
        return Reply([{"id": request.params["page"]}] if request.number("page") < 6 else [])

    tables = {name: {"endpoint": f"/{name}", "pagination": {"type": "page"}} for name in ("orders", "lines")}
    with serve(respond) as server:
        settings = source(server.url, tables=tables, auth={"type": "bearer", "token": "tok"})
        found = extract(settings, tmp_path)
        # The other table would be refused as well: it is not asked for.
        assert set(server.paths()) == {"/orders"}
        assert "the API refuses the credentials: 401: expired" in str(found.failed["orders"])
        assert "goes on from there" in str(found.failed["orders"])
        assert found.failed[None] is found.failed["orders"]
        ends["at"] = 99
        server.requests.clear()
        again = extract(settings, tmp_path)
    assert ids(again.tables["orders"]) == [1, 2, 3, 4, 5]
    assert [request.params["page"] for request in server.requests if request.path == "/orders"] == ["3", "4", "5", "6"]


def test_credentials_stay_with_their_host(tmp_path: Path) -> None:
    def elsewhere(request: Request) -> Reply:
        return Reply([{"id": 9}])

    with serve(elsewhere) as other:

        def respond(request: Request) -> Reply:
            if request.path == "/redirected":
                return Reply({}, 302, {"Location": f"{other.url}/orders"})
            return Reply({"rows": [{"id": 1}], "next": f"{other.url}/orders"})

        with serve(respond) as server:
            host = other.url.removeprefix("http://")
            pages = {"type": "next_url", "next": "next"}
            linked = {"endpoint": "/linked", "records": "rows", "pagination": pages}
            both = {"redirected": {"endpoint": "/redirected"}, "linked": linked}
            auth = {"type": "bearer", "token": "tok"}
            secret = {"X-App": "app"}
            found = extract(source(server.url, tables=both, auth=auth, secret_headers=secret), tmp_path)
            assert other.requests == []
            assert f"redirects to another port, {host}" in str(found.failed["redirected"])
            assert f'add it to the source: hosts = ["{host}"]' in str(found.failed["linked"])

            both["linked"] |= {"records": ""}
            allowed = source(server.url, tables={"redirected": both["redirected"]}, auth=auth, hosts=[host])
            assert ids(extract(allowed, tmp_path).only()) == [9]
            assert not {"authorization", "x-app"} & set(other.requests[-1].headers)


def test_a_next_page_by_another_scheme_says_so(tmp_path: Path) -> None:
    def respond(request: Request) -> Reply:
        return Reply({"rows": [{"id": 1}], "next": f"https://{request.headers['host']}/orders"})

    with serve(respond) as server:
        table = {"records": "rows", "pagination": {"type": "next_url", "next": "next"}}
        host = server.url.removeprefix("http://")
        said = str(extract(source(server.url, table), tmp_path).error())
        assert f"the next page is said to be https://{host} and not http, as base_url says" in said, said
        assert "write it so in base_url" in said and "another host" not in said


def test_a_next_page_on_an_allowed_host_gets_the_credentials(tmp_path: Path) -> None:
    with serve(lambda request: Reply({"rows": [{"id": 2}]})) as other:
        with serve(lambda request: Reply({"rows": [{"id": 1}], "next": f"{other.url}/orders"})) as server:
            table = {"records": "rows", "pagination": {"type": "next_url", "next": "next"}}
            auth = {"type": "bearer", "token": "tok"}
            found = extract(source(server.url, table, auth=auth, hosts=["127.0.0.1"]), tmp_path)
        assert ids(found.only()) == [1, 2]
        assert other.requests[0].headers["authorization"] == "Bearer tok"


def test_redirects_within_the_host_keep_the_credentials(tmp_path: Path) -> None:
    def respond(request: Request) -> Reply:
        if request.path == "/orders":
            return Reply({}, 301, {"Location": "/v2/orders"})
        if request.path == "/loop":
            return Reply({}, 307, {"Location": "/loop"})
        return listed(request) if request.headers.get("authorization") else Reply({}, 401)

    auth = {"type": "bearer", "token": "tok"}
    with serve(respond) as server:
        assert ids(extract(source(server.url, auth=auth), tmp_path).only()) == [1, 2, 3]
        error = extract(source(server.url, {"endpoint": "/loop"}, auth=auth), tmp_path).error()
        assert "redirects without end" in str(error)
        error = extract(source(server.url, {"body": {}}, auth=auth), tmp_path).error()
        assert "POST is answered by a redirect (301)" in str(error)
