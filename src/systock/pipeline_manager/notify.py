"""Telling people: each notice once, to every address of [notify], through Apprise; what fails is noted, never raised."""

from __future__ import annotations

import logging
import re
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from systock.errors import SettingsError, StorageError
from systock.pipeline_manager.state import Notice, State

if TYPE_CHECKING:
    from apprise import Apprise

    from systock.config import NotifySettings


def tell(state: State | None, settings: NotifySettings, notices: Sequence[Notice]) -> list[str]:
    """Send these notices (those that are new), and those that reached nobody so far; returns what went wrong.

    A notice is told when one address took it; else it is tried again later, for a day.
    """
    if not settings.urls:
        return []
    waiting = _waiting(state, notices) if state else list(notices)
    problems: list[str] = []
    for notice in waiting:
        results = send(settings, notice)
        failed = [f"{result['address']}: {result['problem']}" for result in results if result["problem"]]
        if state:
            with suppress(StorageError):
                state.tried(notice, len(failed) < len(results), "; ".join(failed) or None)
        problems += [f"not notified of {notice.title!r}: {problem}" for problem in failed]
    return problems


def _waiting(state: State, notices: Sequence[Notice]) -> list[Notice]:
    """What is to be sent now; a notice that can't be stored is sent all the same: the disk may be what it tells of."""
    unstored = []
    for notice in notices:
        try:
            state.add_notice(notice)
        except StorageError:
            unstored.append(notice)
    with suppress(sqlite3.Error):
        return state.waiting_notices() + unstored
    return unstored


def send(settings: NotifySettings, notice: Notice) -> list[dict[str, Any]]:
    """Send a notice to every address: which, and what went wrong with it. No result shows any part of an address."""
    from apprise import LogCapture, NotifyType

    kind = NotifyType.INFO if notice.event == "test" else NotifyType.FAILURE
    results = []
    for name, url in _named(settings):
        with LogCapture(level=logging.WARNING, fmt="%(message)s") as log:  # type: ignore[no-untyped-call]
            apprise = _apprise()
            try:
                if not apprise.add(url):
                    problem: str | None = "is no address that Apprise knows"
                elif apprise.notify(title=notice.title, body=notice.body, notify_type=kind):
                    problem = None
                else:
                    said = " ".join(log.getvalue().split())
                    problem = f"could not be reached. {_without_secrets(said, url)}".strip()
            except Exception as error:  # a plugin's own fault must not fail the run
                problem = f"could not be reached: {type(error).__name__}"
        results.append({"address": name, "problem": problem})
    return results


def check_addresses(settings: NotifySettings) -> None:
    """Raise SettingsError for an address that could never be notified."""
    if not settings.urls:
        return
    for name, url in _named(settings):
        if not _apprise().add(url):
            raise SettingsError(
                "is no address that Apprise knows", where=name, state="Nothing was started.",
                todo="Write one such as 'jsons://host/path' or 'mailtos://user:${PASSWORD}@host?to=a@b.com'; 'systock notify' tries it.",
            )  # fmt: skip


def _apprise() -> Apprise:
    from apprise import Apprise

    # It logs addresses that it can't read, secrets and all: none of that may reach anybody's log.
    logger = logging.getLogger("apprise")
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    return Apprise()


def _named(settings: NotifySettings) -> list[tuple[str, str]]:
    """Each address with a name that can be shown: its place in the settings, and its kind."""
    urls = [url.get_secret_value() for url in settings.urls]
    return [(f"notify.urls[{number}] ({url.partition(':')[0]})", url) for number, url in enumerate(urls)]


def _without_secrets(text: str, url: str) -> str:
    """The text without any part of an address but host names."""
    for part in re.split(r"[/:@?&=]+", url.partition("://")[2]):
        if len(part) > 3 and "." not in part:
            text = text.replace(part, "…")
    return text
