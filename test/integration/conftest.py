"""What tests of publishing share: one server, and a project that ran once, for as long as the tests run."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from published import Shop, deliver_day, first_day, shop_on
from systock import Project
from systock.errors import TargetError


@pytest.fixture(scope="session")
def target_server(postgres_server: str) -> str:
    """The address of the server that is published to."""
    return postgres_server


@pytest.fixture(scope="session")
def first_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a day of sales, published to its file alone."""
    return first_day(tmp_path_factory.mktemp("first") / "shop")


@dataclass(frozen=True)
class Published:
    """The first day on a server, to be copied: the project that published it, the same a day later, and the database."""

    project: Path
    a_day_later: Path
    database: str


@pytest.fixture(scope="session")
def published(target_server: str, first_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Published:
    """The first project, published to a database that others begin as a copy of."""
    psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")
    folder = tmp_path_factory.mktemp("published")
    with shop_on(target_server, first_project, folder) as made:
        made.project.target_init()
        made.run()
    with psycopg.connect(target_server, autocommit=True) as maker:
        maker.execute(f"ALTER DATABASE {made.database} IS_TEMPLATE true ALLOW_CONNECTIONS false".encode())
    later = Path(shutil.copytree(made.path, folder / "later"))
    made.publish_to("postgresql://nobody@127.0.0.1:1/none")
    shutil.copy(made.path / "systock.toml", later)
    deliver_day(later, 2)
    with pytest.raises(TargetError, match=r"warehouse\.duckdb holds generation 2"):
        Project(later).run()
    for project in (made.path, later):
        (project / "systock.toml").write_text(made.settings)
    return Published(made.path, later, made.database)


@pytest.fixture
def shop(target_server: str, published: Published, tmp_path: Path) -> Iterator[Shop]:
    """A project of its own, whose first day is published to a database of its own."""
    with shop_on(target_server, published.project, tmp_path, template=published.database) as made:
        made.project.target_init()  # what is granted on a database is not copied with it
        yield made


@pytest.fixture
def shop_ahead(target_server: str, published: Published, tmp_path: Path) -> Iterator[Shop]:
    """The same, whose file has another day that the server has not."""
    with shop_on(target_server, published.a_day_later, tmp_path, template=published.database) as made:
        made.project.target_init()  # what is granted on a database is not copied with it
        yield made


@pytest.fixture
def new_shop(target_server: str, first_project: Path, tmp_path: Path) -> Iterator[Shop]:
    """A project of its own, whose target is an initialised database of its own, with nothing in it yet."""
    with shop_on(target_server, first_project, tmp_path) as made:
        made.project.target_init()
        yield made
