"""The web shop's API over real HTTP: pages hold everything once, and each fault does what it says, when it says."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from systock.errors import UsageError
from systock.simulator.shop_api import PASSWORD, USER, ShopApi, ShopFaults, free_port
from systock.simulator.shop_data import ENDPOINTS, FILE_NAME

COUNT = 23
RECORDS = [{"id": n, "updated_at": f"2024-03-{1 + n // 2:02}T10:00:00Z"} for n in range(1, COUNT + 1)]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Callable[..., ShopApi]]:
    (tmp_path / FILE_NAME).write_text(json.dumps(dict.fromkeys(ENDPOINTS, RECORDS)))
    running: list[Any] = []

    def start(**faults: Any) -> ShopApi:
        serving = ShopApi(tmp_path, ShopFaults(**faults)).serving()
        running.append(serving)
        return serving.__enter__()

    yield start
    for serving in running:
        serving.__exit__(None, None, None)


def login(api: ShopApi, password: str = PASSWORD) -> str:
    request = urllib.request.Request(
        f"{api.base_url}/login", json.dumps({"user": USER, "password": password}).encode(), method="POST"
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(json.load(answer)["token"])


def get(api: ShopApi, path: str, token: str) -> Any:
    request = urllib.request.Request(f"{api.base_url}{path}", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def status(api: ShopApi, path: str, token: str) -> tuple[int, str | None]:
    try:
        get(api, path, token)
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Retry-After"]
    return 200, None


def ids(page: Any) -> list[int]:
    return [record["id"] for record in page["data"]]


@pytest.mark.parametrize("size", [1, 5, 23, 24])
def test_pages_hold_everything_once(shop: Callable[..., ShopApi], size: int) -> None:
    api = shop()
    token = login(api)
    first = get(api, f"/orders?limit={size}", token)
    assert (first["page"], first["pages"], first["total"]) == (1, -(-COUNT // size), COUNT)
    pages = [get(api, f"/orders?limit={size}&page={number + 1}", token) for number in range(first["pages"])]
    assert [one for page in pages for one in ids(page)] == list(range(1, COUNT + 1))
    assert get(api, f"/orders?limit={size}&page={first['pages'] + 1}", token)["data"] == []
    found, cursor = [], ""
    while cursor is not None:
        page = get(api, f"/refunds?limit={size}&cursor={cursor}", token)
        found += ids(page)
        cursor = page["next_cursor"]
    assert found == list(range(1, COUNT + 1))


def test_only_what_was_changed_since(shop: Callable[..., ShopApi]) -> None:
    api = shop()
    page = get(api, "/orders?updated_since=2024-03-11T10:00:00Z", login(api))
    assert ids(page) == [20, 21, 22, 23]
    assert page["total"] == 4


@pytest.mark.parametrize("path", ["/orders?page=0", "/orders?limit=0", "/orders?page=x", "/orders?cursor=x"])
def test_what_makes_no_sense_is_refused(shop: Callable[..., ShopApi], path: str) -> None:
    api = shop()
    assert status(api, path, login(api)) == (400, None)


def test_who_may_ask(shop: Callable[..., ShopApi]) -> None:
    api = shop()
    with pytest.raises(urllib.error.HTTPError, match="401"):
        login(api, "guessed")
    assert status(api, "/orders", "made up")[0] == 401
    assert status(api, "/prices", login(api))[0] == 404


def test_a_fresh_token_is_refused_once(shop: Callable[..., ShopApi]) -> None:
    api = shop(refusals=True)
    token = login(api)
    assert [status(api, "/orders", token)[0] for _ in range(3)] == [401, 200, 200]


def test_a_page_may_begin_with_the_last_record_of_the_one_before(shop: Callable[..., ShopApi]) -> None:
    api = shop(edges=True)
    token = login(api)
    pages = [ids(get(api, f"/orders?limit=10&page={number}", token)) for number in (1, 2, 3, 4)]
    assert pages == [list(range(1, 11)), list(range(10, 21)), list(range(20, 24)), []]


def test_every_nth_request_fails(shop: Callable[..., ShopApi]) -> None:
    api = shop(errors=3)
    token = login(api)
    assert [status(api, "/orders", token)[0] for _ in range(7)] == [200, 200, 500, 200, 200, 500, 200]


def test_each_fault_comes_so_often_at_most(shop: Callable[..., ShopApi]) -> None:
    api = shop(errors=2, most=2)
    token = login(api)
    assert [status(api, "/orders", token)[0] for _ in range(8)] == [200, 500, 200, 500, 200, 200, 200, 200]
    assert api.given == {"errors": 2}


def test_a_connection_is_reset_halfway_through_the_body(shop: Callable[..., ShopApi]) -> None:
    api = shop(resets=2)
    token = login(api)
    get(api, "/orders", token)
    with pytest.raises((ConnectionError, http.client.IncompleteRead)):
        get(api, "/orders", token)
    assert ids(get(api, "/orders", token)) == list(range(1, COUNT + 1))


def test_a_slow_body_arrives_whole(shop: Callable[..., ShopApi]) -> None:
    api = shop(slow=1)
    token = login(api)
    began = time.monotonic()
    assert len(ids(get(api, "/orders", token))) == COUNT
    assert time.monotonic() - began >= 0.4


def test_who_asks_too_often_waits_as_long_as_told(shop: Callable[..., ShopApi]) -> None:
    api = shop(limits=3)
    token = login(api)
    assert [status(api, "/orders", token) for _ in range(4)] == [(200, None), (200, None), (429, "1"), (429, "1")]
    time.sleep(1.05)
    assert status(api, "/orders", token)[0] == 200


def test_faults_by_name() -> None:
    assert ShopFaults.asked("none") == ShopFaults()
    assert ShopFaults.asked("edges, errors") == ShopFaults(edges=True, errors=ShopFaults.asked("all").errors)
    assert all(value for name, value in vars(ShopFaults.asked("all")).items() if name != "most")
    with pytest.raises(UsageError, match="'typo'") as told:
        ShopFaults.asked("typo")
    assert "errors, resets, slow, limits, edges, refusals" in str(told.value)


def test_a_port_in_use_and_a_folder_without_a_shop(shop: Callable[..., ShopApi], tmp_path: Path) -> None:
    port = shop().server_address[1]
    with pytest.raises(UsageError, match=f"port {port}"):
        ShopApi(tmp_path, ShopFaults(), int(port))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no chain with a web shop"):
        ShopApi(tmp_path / "empty", ShopFaults())


def test_a_host_that_is_none_of_this_machines_is_told(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(json.dumps(dict.fromkeys(ENDPOINTS, RECORDS)))
    for ask in (lambda: ShopApi(tmp_path, ShopFaults(), 0, "192.0.2.1"), lambda: free_port(0, "192.0.2.1")):
        with pytest.raises(UsageError, match=r"of 192\.0\.2\.1 can") as told:
            ask()
        assert "--host" in str(told.value.todo)
