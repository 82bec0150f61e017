"""A project that answers without computing anything, and a way to call the command line on it."""

from __future__ import annotations

import signal
import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import pyarrow as pa
import pytest

from systock.cli.app import main

INSTANT = datetime(2026, 3, 29, 1, 30, 0, 250, UTC)


@dataclass
class RunSummary:
    run_id: str = "r1"
    status: str = "published"
    generation: int = 3
    sources: list[dict[str, Any]] = field(default_factory=list)
    entities: list[dict[str, Any]] = field(default_factory=list)
    tables: list[dict[str, Any]] = field(default_factory=list)
    checks: int = 42
    rejected: list[dict[str, Any]] = field(default_factory=list)
    failed: list[dict[str, Any]] = field(default_factory=list)
    unusual: list[str] = field(default_factory=list)
    drift: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    target: dict[str, Any] | None = None
    seconds: float = 1.25


def source_row(**changed: Any) -> dict[str, Any]:
    row = {"source": "pos", "table": "sales", "files": 3, "lines": 1234, "repeats": 0, "malformed": 0}
    return row | {"rejected": 0, "waiting": 0} | changed


def entity_row(**changed: Any) -> dict[str, Any]:
    row = {"entity": "sale_line", "source": "pos", "lines": 1234, "kept": 1200, "unchanged": 26, "superseded": 0}
    return row | {"duplicates": 0, "quarantined": 8, "left_out": 0} | changed


def quarantined(number: int, **changed: Any) -> dict[str, Any]:
    row = {
        "number": number,
        "source": "pos",
        "table": "sales",
        "entity": "sale_line",
        "file": "incoming/a.csv",
        "row": 7,
    }
    row |= {"rule": "not a number", "column": "quantity", "value": "two", "known_at": INSTANT, "batch_id": "b1"}
    return row | changed


class FakeProject:
    """Answers what the test put into it; what is an error is raised."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {"held_back": []}
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self.path: Any = None

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls.append((name, args, {key: value for key, value in kwargs.items() if key != "progress"}))
            progress = kwargs.get("progress")
            if progress:
                progress.stage("extract", 2)
                progress.advance(2, "a.csv")
                progress.note("a note")
            answer = self.answers[name]
            if isinstance(answer, BaseException):
                raise answer
            return answer

        return call


class Called(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch) -> FakeProject:
    fake = FakeProject()

    def opened(path: Any) -> FakeProject:
        fake.path = path
        return fake

    module = types.ModuleType("systock.project")
    module.Project = opened  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "systock.project", module)
    monkeypatch.delenv("SYSTOCK_PROJECT", raising=False)
    return fake


@pytest.fixture
def systock(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Called]]:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def call(*arguments: str) -> Called:
        code = main(list(arguments))
        shown = capsys.readouterr()
        return Called(code, shown.out, shown.err)

    yield call
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def table() -> pa.Table:
    return pa.table(
        {
            "product_id": ["a", "b", None],
            "amount": pa.array([Decimal("1.5000"), Decimal("-20.0000"), None], pa.decimal128(18, 4)),
            "sold_at": pa.array([INSTANT, INSTANT, None], pa.timestamp("us", "UTC")),
            "is_void": [True, False, None],
        }
    )
