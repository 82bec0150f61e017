"""Notices through real servers on loopback: who is told what, what a server that is down does, and what is never shown."""

from __future__ import annotations

import io
import json
import logging
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from small_chain import deliver, make_project
from systock import Project
from systock.errors import BusyError, CheckFailed, DefinitionError, SettingsError, SystockError
from systock.pipeline_manager import attended_run
from systock.pipeline_manager.build import Silent
from systock.pipeline_manager.notify import check_addresses
from systock.pipeline_manager.run_pipeline import RunSummary
from systock.pipeline_manager.state import State

SECRET = "hunter2hunter2"


class Hook:
    """An HTTP server that keeps what is posted to it, and answers with `status`."""

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, Any]]] = []
        self.status, hook = 200, self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.got.append((self.path, json.loads(body)))
                self.send_response(hook.status)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"json://127.0.0.1:{self.server.server_port}/{SECRET}"
        Thread(target=self.server.serve_forever, daemon=True).start()


class Post:
    """Keeps the mails that a server takes."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, list[str], str]] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append((envelope.mail_from, envelope.rcpt_tos, envelope.content.decode()))
        return "250 OK"


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def mail() -> Iterator[tuple[Post, str]]:
    post = Post()
    controller = Controller(post, hostname="127.0.0.1", port=free_port())
    controller.start()
    yield post, f"mailto://127.0.0.1:{controller.port}?from=till@example.com&to=ops@example.com"
    controller.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Shop:
    """A project with addresses, whose runs end as a test says."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch, *urls: str, attempts: int = 1) -> None:
        self.path = make_project(path / "shop")
        for number, url in enumerate(urls):
            monkeypatch.setenv(f"ADDRESS_{number}", url)
        listed = ", ".join(f'"${{ADDRESS_{number}}}"' for number in range(len(urls)))
        settings = (self.path / "systock.toml").read_text()
        settings = settings.replace("[sources.pos]\n", '[sources.pos]\nfresh_within = "26 hours"\n', 1)
        (self.path / "systock.toml").write_text(
            settings + f'\n[notify]\nurls = [{listed}]\n[run]\nattempts = {attempts}\nretry_wait = "0 seconds"\n'
        )
        self.notes: list[str] = []
        self.patch = monkeypatch

    def note(self, text: str) -> None:
        self.notes.append(text)

    def run(self, *outcomes: Exception | None) -> None:
        """A run whose attempts end like this, one after the other."""
        left = list(outcomes)

        def one(place: Any, progress: Any, extent: Any, **_: Any) -> RunSummary:
            outcome = left.pop(0)
            with closing(State(place.state_dir)) as state:
                run_id = state.start_run()
                state.end_run(run_id, "failed" if outcome else "published", None, 0, {}, [])
            if outcome:
                raise outcome
            return RunSummary()

        self.patch.setattr(attended_run, "run", one)
        progress = Silent()
        progress.note = self.note  # type: ignore[method-assign]
        try:
            Project(self.path).run(progress=progress)
        except SystockError:
            assert outcomes[-1] is not None
        assert left == []

    def notices(self) -> list[dict[str, Any]]:
        with closing(State(self.path / ".systock")) as state:
            return state.notices(20)

    def an_hour_later(self) -> None:
        """As if the last try was long ago."""
        with closing(sqlite3.connect(self.path / ".systock" / "state.sqlite")) as db, db:
            db.execute("UPDATE notice SET tried_at = '2000-01-01T00:00:00.000+00:00'")

    def deliver(self, age: timedelta = timedelta(0)) -> None:
        """Something of the till lands, so long ago."""
        from systock.etl_pipeline.bronze_layer.land_batches import land

        deliver(
            self.path, "pos_sales", [("1", "1", "S1", "P1", "2024-03-29T10:00:00+00:00", "1", "", "5", "", "")], "1"
        )
        land(self.path, Project(self.path).settings.sources, now=datetime.now(UTC) - age)


def failure(text: str = "two rows of one key") -> CheckFailed:
    return CheckFailed(text, where="gold.fact_sale_line", todo="Mend the mapping.")


def test_a_failed_run_is_told_by_webhook_and_mail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hook: Hook, mail: tuple[Post, str]
) -> None:
    post, address = mail
    shop = Shop(tmp_path, monkeypatch, hook.url, address)
    shop.deliver()
    shop.run(failure())
    [(path, posted)] = hook.got
    assert path == f"/{SECRET}"
    assert posted["title"] == "small: run failed" and posted["type"] == "failure"
    assert "two rows of one key" in posted["message"] and "Mend the mapping" in posted["message"]
    [(sender, receivers, text)] = post.mails
    assert (sender, receivers) == ("till@example.com", ["ops@example.com"])
    assert "small: run failed" in text
    [notice] = shop.notices()
    assert notice["told_at"] and notice["problem"] is None and shop.notes == []


def test_the_same_fault_is_told_once_until_a_run_goes_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hook: Hook
) -> None:
    shop = Shop(tmp_path, monkeypatch, hook.url)
    shop.deliver()
    shop.run(failure())
    shop.run(failure())
    assert len(hook.got) == 1
    shop.run(failure("another"))
    assert len(hook.got) == 2
    shop.run(None)
    shop.run(failure())
    assert len(hook.got) == 3


def test_only_the_last_attempt_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hook: Hook) -> None:
    class Passing(SystockError):
        transient = True

    shop = Shop(tmp_path, monkeypatch, hook.url, attempts=3)
    shop.deliver()
    shop.run(Passing("slow"), Passing("slow"), None)
    assert hook.got == []
    shop.run(Passing("slow"), Passing("slow"), Passing("slow"))
    assert len(hook.got) == 1
    shop.run(BusyError("somebody else"))
    assert len(hook.got) == 1


def test_a_server_that_is_down_never_fails_a_run_and_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hook: Hook
) -> None:
    hook.status = 503
    shop = Shop(
        tmp_path,
        monkeypatch,
        hook.url,
        f"mailto://me:{SECRET}@127.0.0.1:{free_port()}?from=till@example.com&to=ops@example.com",
    )
    shop.run(None)  # nothing of the till has landed: it is late
    [notice] = shop.notices()
    assert notice["event"] == "late" and notice["told_at"] is None
    assert "notify.urls[0] (json): could not be reached" in notice["problem"]
    assert "notify.urls[1] (mailto): could not be reached" in notice["problem"]
    assert len(shop.notes) == 2
    hook.status = 200
    shop.run(None)
    assert len(hook.got) == 1, "tried again too soon"
    shop.an_hour_later()
    shop.run(None)
    assert [posted["title"] for _, posted in hook.got] == ["small: source pos is late"] * 2
    [notice] = shop.notices()
    assert notice["told_at"] and "mailto" in notice["problem"] and "json" not in notice["problem"]
    shop.an_hour_later()
    shop.run(None)
    assert len(hook.got) == 2, "told once"


def test_late_is_told_once_for_each_delivery_that_did_not_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hook: Hook
) -> None:
    shop = Shop(tmp_path, monkeypatch, hook.url)
    shop.deliver(age=timedelta(hours=25))
    shop.run(None)
    assert hook.got == []
    place = Project(shop.path)._place
    later = datetime.now(UTC) + timedelta(hours=1, minutes=1)
    for _ in range(2):
        attended_run.tell_late(place, Silent(), later)
    [(_, posted)] = hook.got
    assert posted["title"] == "small: source pos is late" and "1 day, 2:00:00" in posted["message"]
    [status] = [source for source in Project(shop.path).status()["sources"] if source["source"] == "pos"]
    assert status["is_late"] is False and status["fresh_at"]


def test_a_secret_is_shown_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    urls = [
        f"json://user:{SECRET}@127.0.0.1:{free_port()}/{SECRET}?+X-Key={SECRET}",
        f"mailto://me:{SECRET}@127.0.0.1:{free_port()}?from=till@example.com&to=ops@example.com",
        f"nonsense://{SECRET}",
    ]
    logged = io.StringIO()
    monkeypatch.setattr(logging.getLogger(), "handlers", [logging.StreamHandler(logged)])
    shop = Shop(tmp_path, monkeypatch, *urls)
    shop.run(failure())
    problem = shop.notices()[0]["problem"]
    assert problem.count("could not be reached") == 2 and "no address that Apprise knows" in problem
    shown = [str(shop.notes), str(shop.notices()), str(Project(shop.path).notify()), repr(Project(shop.path).settings)]
    with pytest.raises(SettingsError, match=r"notify.urls\[2\]") as raised:
        check_addresses(Project(shop.path).settings.notify)
    shown += [str(raised.value), str(capfd.readouterr()), logged.getvalue()]
    shown.append((shop.path / ".systock" / "state.sqlite").read_bytes().decode("latin-1"))
    assert not any(SECRET in text for text in shown)


def test_a_real_definition_error_is_told_and_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hook: Hook
) -> None:
    shop = Shop(tmp_path, monkeypatch, hook.url, attempts=3)
    shop.deliver()
    (shop.path / "sources" / "pos" / "sale_line.sql").write_text("SELECT nonsense FROM")
    with pytest.raises(DefinitionError):
        Project(shop.path).run()
    assert [row["status"] for row in Project(shop.path).runs()] == ["failed"]
    assert len(hook.got) == 1 and "sale_line.sql" in hook.got[0][1]["message"]


def test_a_test_notice_says_which_address_took_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hook: Hook) -> None:
    shop = Shop(tmp_path, monkeypatch, hook.url, f"json://127.0.0.1:{free_port()}")
    first, second = Project(shop.path).notify()
    assert first == {"address": "notify.urls[0] (json)", "problem": None}
    assert second["address"] == "notify.urls[1] (json)" and "could not be reached" in second["problem"]
    assert hook.got[0][1]["title"] == "small: a test"
