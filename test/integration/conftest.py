"""What tests of publishing share: one server, and a project that ran once, for as long as the tests run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from published import Shop, first_day, shop_on
from servers import POSTGRES, postgres


@pytest.fixture(scope="session", params=POSTGRES)
def target_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a PostgreSQL server."""
    for address in postgres(tmp_path_factory.mktemp("target"), request.param):
        if "SYSTOCK_TEST_PG_DSN" not in os.environ:  # our own: nothing on it must outlive the machine
            psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")
            with psycopg.connect(address, autocommit=True) as session:
                session.execute("ALTER SYSTEM SET fsync = off")
                session.execute("SELECT pg_reload_conf()")
        yield address


@pytest.fixture(scope="session")
def first_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a day of sales, published to its file alone."""
    return first_day(tmp_path_factory.mktemp("first") / "shop")


@pytest.fixture
def shop(target_server: str, first_project: Path, tmp_path: Path) -> Iterator[Shop]:
    """A project of its own, whose target is an initialised database of its own."""
    with shop_on(target_server, first_project, tmp_path) as made:
        made.project.target_init()
        yield made
