"""Whatever way an API pages, fails and changes: each version of a record is delivered once, by a model that knows them all."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

from api_server import FAULTS, Delivered, Reply, Request, extract, serve, source

NOON = datetime(2024, 5, 31, 12, tzinfo=UTC)
SECRET = "s3cr3t"
WAYS: dict[str, dict[str, Any]] = {
    "page": {"type": "page", "size_param": "size"},
    "page with total": {"type": "page", "size_param": "size", "total": "total"},
    "offset": {"type": "offset", "size_param": "size"},
    "cursor": {"type": "cursor", "next": "next", "size_param": "size"},
    "last": {"type": "cursor", "last": "sort", "size_param": "size"},
    "link": {"type": "link", "size_param": "size"},
    "next url": {"type": "next_url", "next": "next", "size_param": "size"},
    "range": {"type": "range"},
    "exclusive range": {"type": "range", "end": "exclusive", "unit": ""},
    "graphql": {"type": "offset", "size_param": "size", "total": "data.total"},
}
Version = tuple[str | None, str | None]


@dataclass
class World:
    """An API, and what is true in it."""

    way: str
    size: int
    cap: int
    is_newest_first: bool
    incremental: bool
    faults: list[str]
    token_lives: int
    records: dict[int, tuple[int, float]] = field(default_factory=dict)  # id: version and minute
    answered: int = 0
    tokens: int = 0
    left: int = 0

    def change(self, number: int, minutes: float) -> None:
        """A record gets a new version, so many minutes after the latest one, or late by less than ten."""
        latest = max((minute for _, minute in self.records.values()), default=0.0)
        version, _ = self.records.get(number, (0, 0.0))
        self.records[number] = (version + 1, latest + minutes)

    def versions(self) -> Counter[Version]:
        return Counter((str(number), str(version)) for number, (version, _) in self.records.items())

    def respond(self, request: Request) -> Reply:
        self.answered += 1
        fault = self.faults.pop() if self.faults else ""
        if fault == "a token that ends":
            self.left = 0
        elif fault:
            return FAULTS[fault](Reply([{"id": "wrong"}]))
        if request.path == "/login":
            self.tokens += 1
            self.left = self.token_lives
            return Reply({"token": f"{SECRET}-{self.tokens}"})
        if request.headers.get("authorization") != f"Bearer {SECRET}-{self.tokens}" or self.left == 0:
            return Reply({"message": f"{request.headers.get('authorization')}"}, 401)
        self.left -= 1
        return self._page(request)

    def _page(self, request: Request) -> Reply:
        given = request.body["variables"] if request.body else request.params
        rows = [
            {"id": number, "v": version, "at": (NOON + timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:%SZ")}
            for number, (version, minute) in self.records.items()
        ]
        rows = [row for row in rows if row["at"] >= given.get("since", "")]
        rows.sort(key=lambda row: (row["at"], row["id"]), reverse=self.is_newest_first)
        for row in rows:
            row["sort"] = f"{row['at']}/{row['id']}"
        asked = int(given.get("size", 100))
        cursor = given.get("cursor", "0")
        if "/" in cursor:
            start = [row["sort"] for row in rows].index(cursor) + 1
        else:
            start = int(given.get("offset", cursor)) or (int(given.get("page", 1)) - 1) * min(asked, self.cap)
        headers = {}
        if "range" in request.headers:
            first, last = map(int, request.headers["range"].removeprefix("items=").split("-"))
            start, asked = first, last - first + (self.way == "range")
        found = rows[start : start + min(asked, self.cap)]
        end = start + len(found)
        if "range" in request.headers:
            headers["Content-Range"] = (
                f"items {start}-{end - (self.way == 'range')}/{len(rows) if self.size % 2 else '*'}"
            )
        following: Any = None
        if end < len(rows):
            following = end
            url = f"/orders?cursor={end}&size={asked}" + (f"&since={given['since']}" if "since" in given else "")
            if self.way == "link":
                headers["Link"] = f'<{url}>; rel="next"'
            if self.way == "next url":
                following = url
        body = {"rows": found, "next": following, "total": len(rows)}
        return Reply({"data": body} if request.body else body, headers=headers)

    def extract(self, url: str, folder: Path, kept: dict[str, str]) -> Delivered:
        """Run until a run goes well, as a schedule does."""
        way = {**WAYS[self.way]} | {"size": self.size}
        table: dict[str, Any] = {"mode": "full", "records": "rows", "pagination": way}
        if self.way == "graphql":
            table |= {"query": "query { orders }", "records": "data.rows"}
        if self.incremental:
            table |= {"mode": "append", "key": [], "cursor": {"column": "at", "param": "since"}}
        auth = {"type": "login", "endpoint": "/login", "password": SECRET}
        for _ in range(80):
            found = extract(source(url, table, auth=auth, attempts=2), folder, kept)
            if not found.failed:
                return found.only()
            text = str(found.error())
            assert text.startswith(("shop, GET /orders: ", "shop, POST /orders: ")) and SECRET not in text, text
            assert found.error().todo
            if not found.error().transient:
                assert "401" in text, text
            event("a run failed")
        raise AssertionError("no run went well")


WORLDS = st.builds(
    World,
    way=st.sampled_from(sorted(WAYS)),
    size=st.integers(1, 9),
    cap=st.integers(2, 9),
    is_newest_first=st.booleans(),
    incremental=st.booleans(),
    faults=st.lists(st.sampled_from([*[""] * 12, "a token that ends", *sorted(FAULTS)]), max_size=60),
    token_lives=st.integers(1, 30),
)
CHANGES = st.lists(st.tuples(st.integers(1, 60), st.floats(-9, 40).map(round)), min_size=5, max_size=40)


def check(world: World, rounds: list[list[tuple[int, int]]]) -> None:
    kept: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder, serve(world.respond) as server:
        known: Counter[Version] = Counter()
        for changes in rounds:
            for number, minutes in changes:
                # Later than ten minutes behind what was delivered is beyond the window; within one round none is late.
                world.change(
                    number, max(minutes, -9) if minutes < 0 and changes[0] == (number, minutes) else abs(minutes)
                )
            delivered = world.extract(server.url, Path(folder), kept)
            came = Counter((row["id"], row["v"]) for row in delivered.rows)
            assert came == (world.versions() - known if world.incremental else world.versions())
            known |= world.versions()
            if delivered.cursor is not None:
                kept = {"orders": delivered.cursor}


def test_nothing_is_lost_and_nothing_doubled() -> None:
    """At least 500 answers by default, 10,000 in the long profile."""
    answered = [0]

    @settings(max_examples=4 * max(25, settings.default.max_examples))
    @given(WORLDS, st.lists(CHANGES, min_size=1, max_size=4))
    def search(world: World, rounds: list[list[tuple[int, int]]]) -> None:
        check(world, rounds)
        answered[0] += world.answered

    search()
    assert answered[0] >= 20 * max(25, settings.default.max_examples)
