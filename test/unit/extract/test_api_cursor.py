"""Incremental extraction: nothing is lost and nothing doubled at the edges, late records included."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from api_server import Delivered, Reply, Request, extract, ids, serve, source
from systock.api_settings import Incremental
from systock.errors import SourceError
from systock.extract.api_cursor import Since

NOON = datetime(2024, 5, 31, 12, tzinfo=UTC)


class Shop:
    """Records that change; the API filters as its kind says."""

    def __init__(self, folder: Path, kind: str = "inclusive", form: str = "iso", **cursor: Any) -> None:
        self.records: dict[int, dict[str, Any]] = {}
        self._folder, self._kind, self._form = folder, kind, form
        self._cursor = {"column": "updated_at", "param": "since", **cursor}
        self.kept: dict[str, str] = {}
        self.asked: list[str | None] = []

    def put(self, number: int, minutes: float, **more: Any) -> None:
        at = NOON + timedelta(minutes=minutes)
        value: Any = at.isoformat().replace("+00:00", "Z")
        if self._form == "epoch":
            value = int(at.timestamp())
        if self._form == "naive":
            value = at.strftime("%Y-%m-%d %H:%M:%S")
        self.records[number] = {"id": number, "updated_at": value, **more}

    def respond(self, request: Request) -> Reply:
        since = request.params.get("since")
        self.asked.append(since)
        rows = sorted(self.records.values(), key=lambda row: str(row["updated_at"]))
        if since is not None and self._kind != "ignored":
            bound: Any = int(since) if self._form == "epoch" else since.replace("T", " ")
            if self._kind == "day":
                rows = [row for row in rows if str(row["updated_at"])[:10] >= since]
            else:
                rows = [
                    row
                    for row in rows
                    if (at := row["updated_at"] if self._form == "epoch" else row["updated_at"].replace("T", " "))
                    > bound
                    or (at == bound and self._kind != "exclusive")
                ]
        return Reply(rows)

    def run(self, span: tuple[datetime, datetime] | None = None, **table: Any) -> list[int]:
        with serve(self.respond) as server:
            found = extract(source(server.url, {"cursor": self._cursor, **table}), self._folder, self.kept, span)
        self.last: Delivered = found.only()
        if self.last.cursor is not None:
            self.kept = {"orders": self.last.cursor}
        return ids(self.last)


def test_only_what_is_new_comes_and_late_records_too(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    for number in range(1, 5):
        shop.put(number, number)
    assert shop.run() == [1, 2, 3, 4]
    assert shop.asked == [None]
    assert shop.run() == []
    shop.put(5, 3.5)  # committed late
    shop.put(6, 4)  # at the same instant as the last one
    shop.put(2, 20)
    assert shop.run() == [5, 6, 2]
    assert shop.run() == []
    assert shop.asked[1:] == ["2024-05-31T11:54:00Z", "2024-05-31T11:54:00Z", "2024-05-31T12:10:00Z"]


@pytest.mark.parametrize("kind", ["inclusive", "exclusive", "ignored"])
@pytest.mark.parametrize("form", ["iso", "epoch", "naive"])
def test_each_kind_of_filter(tmp_path: Path, kind: str, form: str) -> None:
    cursor: dict[str, Any] = {"late_window": "2 minutes", "exclusive": kind == "exclusive"}
    cursor["format"] = {"iso": "auto", "epoch": "epoch", "naive": "%Y-%m-%d %H:%M:%S"}[form]
    shop = Shop(tmp_path, kind, form, **cursor)
    shop.put(1, 0)
    shop.put(2, 5)
    assert shop.run() == [1, 2]
    shop.put(3, 3)  # just inside the window
    shop.put(4, 5)
    assert shop.run() == [3, 4]
    assert shop.run() == []


def test_a_filter_by_day(tmp_path: Path) -> None:
    shop = Shop(tmp_path, "day", format="%Y-%m-%d", late_window="0 seconds")
    shop.put(1, 0)
    shop.put(2, 5)
    assert shop.run() == [1, 2]
    shop.put(3, -100)  # the day is asked for as a whole: it is new, however late
    assert shop.run() == [3]
    assert shop.asked[1] == "2024-05-31"
    shop.put(4, 60 * 24)
    assert shop.run() == [4]
    assert shop.run() == []


def test_numbers(tmp_path: Path) -> None:
    kept: dict[str, str] = {}
    rows = [{"id": number} for number in (8, 9, 10)]

    def respond(request: Request) -> Reply:
        return Reply([row for row in rows if row["id"] > request.number("after", 0)])

    with serve(respond) as server:
        cursor = {"column": "id", "param": "after", "exclusive": True}
        settings = source(server.url, {"cursor": cursor})
        for expected in ([8, 9, 10], [], [11]):
            found = extract(settings, tmp_path, kept).only()
            assert ids(found) == expected
            kept = {"orders": found.cursor or ""}
            if not expected:
                rows.append({"id": 11})
    assert [request.params.get("after") for request in server.requests] == [None, "9", "9"]


def test_the_cursor_never_goes_back(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.put(1, 0)
    shop.put(2, 60)
    assert shop.run() == [1, 2]
    first = json.loads(shop.kept["orders"])["from"]
    del shop.records[2]  # the source was put back to an older state
    shop.put(1, 51)
    assert shop.run() == [1]
    assert json.loads(shop.kept["orders"])["from"] == first
    shop.put(2, 60)
    assert shop.run() == []


def test_an_instant_in_the_future_does_not_hide_what_comes_until_then(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    now = (datetime.now(UTC) - NOON) / timedelta(minutes=1)
    shop.put(1, now - 1)
    shop.put(2, 60 * 24 * 365 * 900)
    assert sorted(shop.run()) == [1, 2]
    shop.put(3, now)
    assert shop.run() == [3]


@pytest.mark.parametrize("behind", [0, 40])
def test_what_changes_while_it_is_read_comes_again(tmp_path: Path, behind: int) -> None:
    """The first page is read, then record 1 changes, then, much later by the API's clock, record 2."""
    now = datetime.now(UTC) - timedelta(minutes=behind)
    at = [(now + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ") for minutes in (-300, 1, 25)]
    records = {"1": at[0], "2": at[0]}
    is_first = True

    def respond(request: Request) -> Reply:
        page = request.number("page")
        if page == 2 and is_first:
            records.update({"1": at[1], "2": at[2]})
        rows = [
            {"id": number, "at": records[number]}
            for number in sorted(records)
            if records[number] >= request.params.get("since", "")
        ]
        return Reply(rows[page - 1 : page], headers={"Date": format_datetime(now, usegmt=True)})

    with serve(respond) as server:
        table = {"pagination": {"type": "page"}, "cursor": {"column": "at", "param": "since"}}
        first = extract(source(server.url, table), tmp_path).only()
        is_first = False
        again = extract(source(server.url, table), tmp_path, {"orders": first.cursor or ""}).only()
    assert [(row["id"], row["at"]) for row in first.rows] == [("1", at[0]), ("2", at[2])]
    assert [(row["id"], row["at"]) for row in again.rows] == [("1", at[1])]


def test_a_record_without_a_value_comes_once(tmp_path: Path) -> None:
    shop = Shop(tmp_path, "ignored")
    shop.put(1, 0)
    shop.records[2] = {"id": 2, "updated_at": None}
    assert sorted(shop.run()) == [1, 2]
    assert shop.run() == []


def test_the_same_content_twice_is_two_records_without_a_key(tmp_path: Path) -> None:
    rows = [{"at": "2024-05-31T12:00:00Z", "sku": "a"}] * 2
    kept: dict[str, str] = {}
    with serve(lambda request: Reply(rows)) as server:
        settings = source(server.url, {"key": [], "cursor": {"column": "at", "param": "since"}})
        for expected in (2, 0, 1):
            found = extract(settings, tmp_path, kept).only()
            assert len(found.rows) == expected
            kept = {"orders": found.cursor or ""}
            if not expected:
                rows = rows + rows[:1]


def test_start_template_and_upper_bound(tmp_path: Path) -> None:
    shop = Shop(tmp_path, start="2024-05-31T12:03:00Z", param="query", template="updated_at:>='{}'", until_param="to")
    with serve(lambda request: Reply([])) as server:
        cursor = {"column": "at", "param": "q", "template": "at:>='{}'", "start": "2024-01-01", "until_param": "to"}
        extract(source(server.url, {"cursor": cursor}), tmp_path).only()
        span = (NOON, NOON + timedelta(hours=1))
        extract(source(server.url, {"cursor": cursor}), tmp_path, span=span).only()
    assert server.requests[0].params == {"q": "at:>='2024-01-01'"}
    assert server.requests[1].params == {"q": "at:>='2024-05-31T12:00:00Z'", "to": "at:>='2024-05-31T13:00:00Z'"}
    assert shop.kept == {}


def test_a_backfill_leaves_the_cursor_where_it_is(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    for number in range(6):
        shop.put(number, 10 * number)
    assert shop.run() == [0, 1, 2, 3, 4, 5]
    kept = dict(shop.kept)
    span = (NOON + timedelta(minutes=10), NOON + timedelta(minutes=30))
    assert shop.run(span) == [1, 2, 3]
    assert shop.kept == kept
    with pytest.raises(SourceError, match="without a key"):
        shop.run(span, key=[])


@pytest.mark.parametrize(("begins", "moves"), [(None, True), (0, True), (40, False)])
def test_a_backfill_without_an_end_goes_on_from_the_last_record(
    tmp_path: Path, begins: int | None, moves: bool
) -> None:
    shop = Shop(tmp_path)
    for number in range(6):
        shop.put(number, 10 * number - 30)
    assert len(shop.run()) == 6
    kept = dict(shop.kept)
    shop.put(7, 60)
    start = datetime.min.replace(tzinfo=UTC) if begins is None else NOON + timedelta(minutes=begins)
    expected = {None: [0, 1, 2, 3, 4, 5, 7], 0: [3, 4, 5, 7], 40: [7]}[begins]
    assert shop.run((start, datetime.max.replace(tzinfo=UTC))) == expected
    # From behind the cursor on it would jump over what lies between.
    assert (shop.kept != kept) == moves
    assert shop.run() == ([] if moves else [7])


def test_a_number_is_no_time(tmp_path: Path) -> None:
    span = (NOON, NOON + timedelta(hours=1))
    with serve(lambda request: Reply([{"id": 1}])) as server:
        settings = source(server.url, {"cursor": {"column": "id", "param": "after"}})
        kept = {"orders": extract(settings, tmp_path).only().cursor or ""}
        assert "its cursor is a number" in str(extract(settings, tmp_path, kept, span).error())
        everything = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
        assert ids(extract(settings, tmp_path, kept, everything).only()) == [1]


def test_a_backfill_passes_by_tables_that_are_only_as_of_now(tmp_path: Path) -> None:
    with serve(lambda request: Reply([])) as server:
        assert extract(source(server.url), tmp_path, span=(NOON, NOON)).tables == {}
    assert server.requests == []


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("soon", "the cursor 'at' holds 'soon', neither a number nor a time"),
        (None, "a record has no 'at', which is the cursor"),
    ],
)
def test_a_cursor_that_cannot_be_read(tmp_path: Path, value: str | None, said: str) -> None:
    row = {"id": 1} if value is None else {"id": 1, "at": value}
    with serve(lambda request: Reply([row])) as server:
        settings = source(server.url, {"cursor": {"column": "at", "param": "since"}})
        assert said in str(extract(settings, tmp_path).error())


def test_a_cursor_that_changed_its_type(tmp_path: Path) -> None:
    rows = [{"id": 1, "at": "2024-05-31T12:00:00Z"}]
    with serve(lambda request: Reply(rows)) as server:
        settings = source(server.url, {"cursor": {"column": "at", "param": "since"}})
        kept = extract(settings, tmp_path).only().cursor or ""
        rows[0] = {"id": 1, "at": "17"}
        error = extract(settings, tmp_path, {"orders": kept}).error()
    assert "holds '17', but the ones before were times" in str(error)


@pytest.mark.parametrize(
    ("value", "settings", "asks"),
    [
        ("2024-05-31T12:00:00.123Z", {}, "2024-05-31T11:50:00.123Z"),
        ("2024-05-31T14:00:00+02:00", {}, "2024-05-31T11:50:00Z"),
        ("2024-05-31T12:00:00-0200", {}, "2024-05-31T13:50:00Z"),
        ("2024-05-31T12:00:00", {}, "2024-05-31T11:50:00"),
        ("2024-05-31", {}, "2024-05-30"),
        ("2024-05-31T12:00:00.5Z", {"exclusive": True, "late_window": "0 seconds"}, "2024-05-31T12:00:00.4Z"),
        ("2024-05-31T12:00:00Z", {"format": "epoch_ms"}, "1717156200000"),
        ("1717156800123", {"format": "epoch_ms", "late_window": "1 second"}, "1717156799123"),
        ("31.05.2024 12:00", {"format": "%d.%m.%Y %H:%M"}, "31.05.2024 11:50"),
        ("100", {"late_window": 7}, "93"),
        ("100.5", {}, "100.5"),
    ],
)
def test_where_the_next_extraction_begins(value: str, settings: dict[str, Any], asks: str) -> None:
    cursor = Incremental.model_validate({"column": "at", "param": "since", **settings})
    since = Since(cursor, None, datetime(2030, 1, 1, tzinfo=UTC))
    assert since.take(since.mark({"at": value}))
    kept = since.text()
    assert Since(cursor, kept, datetime(2030, 1, 1, tzinfo=UTC)).asks_from == asks


def test_what_is_dated_in_the_future_does_not_move_the_cursor() -> None:
    cursor = Incremental.model_validate({"column": "at", "param": "since"})
    since = Since(cursor, None, datetime(2030, 1, 2, tzinfo=UTC))
    for at in ("2030-01-01T00:00:00Z", "2099-01-01T00:00:00Z"):
        assert since.take(since.mark({"at": at}))
    again = Since(cursor, since.text(), datetime(2030, 1, 3, tzinfo=UTC))
    assert again.asks_from == "2029-12-31T23:50:00Z"
    assert not again.take(again.mark({"at": "2099-01-01T00:00:00Z"}))
    assert again.take(again.mark({"at": "2030-01-01T12:00:00Z"}))


@pytest.mark.parametrize("kept", ['{"of": "id auto", "from": "99", "style": "number", "seen": []}', "[1]", "{}"])
def test_a_cursor_of_something_else_says_nothing(kept: str) -> None:
    cursor = Incremental.model_validate({"column": "at", "param": "since", "start": "2024-01-01"})
    assert Since(cursor, kept, datetime(2030, 1, 1, tzinfo=UTC)).asks_from == "2024-01-01"


def test_a_window_that_does_not_fit(tmp_path: Path) -> None:
    for value, window in (("5", "1 minute"), ("2024-05-31T12:00:00Z", 5)):
        with serve(lambda request, value=value: Reply([{"id": 1, "at": value}])) as server:  # type: ignore[misc]
            cursor = {"column": "at", "param": "since", "late_window": window}
            found = extract(source(server.url, {"cursor": cursor}), tmp_path)
        assert "cursor.late_window is a" in str(found.error())


def test_what_is_remembered_is_bounded_by_the_window() -> None:
    cursor = Incremental.model_validate({"column": "at", "param": "since", "late_window": "1 second"})
    since = Since(cursor, None, datetime(2030, 1, 1, tzinfo=UTC))
    with patch("systock.extract.api_cursor._PRUNE_AT", 5_000):
        for number in range(20_000):
            at = (NOON + timedelta(milliseconds=number)).isoformat(timespec="milliseconds")
            since.take(since.mark({"at": at}))
            assert len(since._kept) <= 6_001
    assert len(json.loads(since.text() or "")["seen"]) == 1001
