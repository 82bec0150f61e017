"""A small project that is published to a PostgreSQL server, and the proof that both hold the same rows."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb

from small_chain import deliver, make_project
from systock import Project
from systock.data_warehouse.content_hash import content_hash_sql
from systock.pipeline_manager.definitions import Definitions


def sale_rows(day: int, count: int, product: str = "P{}") -> list[tuple[str, ...]]:
    """Sales of a day in March 2024: `count` lines of three products."""
    at = f"2024-03-{day:02d}T10:00:00+00:00"
    return [
        (f"{day}-{number}", "1", "S1", product.format(number % 3), at, "2", "", "1.50", "", at)
        for number in range(count)
    ]


def deliver_day(project: Path, day: int, count: int = 20, name: str = "", product: str = "P{}") -> None:
    """Drop a day's file of the till."""
    deliver(
        project, "pos_sales", sale_rows(day, count, product), name or f"day{day:02d}", modified=1_712_000_000.0 + day
    )


def first_day(folder: Path) -> Path:
    """A project with a catalogue, places, counts and one day of sales, that ran once: copied by each test."""
    project = make_project(folder)
    products = [(f"P{n}", "x", "1", "pcs", "2024-01-01T00:00:00+00:00") for n in range(3)]
    deliver(project, "erp_products", products, "1", modified=1_711_000_000.0)
    deliver(project, "erp_locations", [("S1", "First", "Europe/Berlin"), ("S2", "Second", "")], "1", 1_711_000_000.0)
    deliver(project, "counts_counts", [("S1", f"P{n}", "2024-02-28", "50") for n in range(3)], "1", 1_711_500_000.0)
    deliver_day(project, 1)
    Project(project).run()
    return project


class Shop:
    """A project and a database of its own. `admin`: a superuser's session there, each statement committed.

    template: the database that it begins as a copy of.
    """

    def __init__(
        self, address: str, base: Path, folder: Path, *, database: str = "", user: str = "", template: str = "template1"
    ) -> None:
        import psycopg

        self.path, self.database = folder / "shop", database or f"t_{uuid.uuid4().hex[:12]}"
        shutil.copytree(base, self.path)
        with psycopg.connect(address, autocommit=True) as maker:
            name = self.database.replace(chr(34), chr(34) * 2)
            maker.execute(f'CREATE DATABASE "{name}" TEMPLATE {template}'.encode())
        self.superuser_url = self._url(address, "")
        self.url = self._url(address, user)
        self.settings = (self.path / "systock.toml").read_text()
        self.publish_to(self.url)
        self.admin = psycopg.connect(self.superuser_url, autocommit=True)

    def _url(self, address: str, user: str) -> str:
        base, _, query = address.partition("?")
        scheme, _, rest = base.partition("://")
        at = f"{user}@{rest.rpartition('@')[2]}" if user else rest
        return f"{scheme}://{at.rpartition('/')[0]}/{quote(self.database, safe='')}?{query}".rstrip("?")

    def publish_to(self, url: str, more: str = "") -> None:
        """Write the settings with this target."""
        text = f'{self.settings}\n[target]\nurl = "{url}"\n{more}\n[run]\nattempts = 1\nthreads = 1\n'
        (self.path / "systock.toml").write_text(text)

    @property
    def project(self) -> Project:
        return Project(self.path)

    def run(self) -> dict[str, Any]:
        """One run; what it did on the server."""
        target = self.project.run().target
        assert target is not None
        return target

    def rows(self, sql: str, values: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
        """Rows on the server."""
        return self.admin.execute(sql.encode(), values).fetchall()

    def generation(self) -> int | None:
        """The generation that readers of the server see."""
        rows = self.rows("SELECT generation FROM meta.progress") if self.has("meta.progress") else []
        return rows[0][0] if rows else None

    def has(self, name: str) -> bool:
        return bool(self.rows("SELECT to_regclass(%s) IS NOT NULL", (name,))[0][0])

    def differences(self) -> list[str]:
        """Tables whose rows on the server are not those of the published file."""
        here = duckdb.connect(str(self.path / "warehouse.duckdb"), read_only=True)
        found = []
        with here:
            here.execute("SET TimeZone = 'UTC'")
            for table in Definitions(self.path, self.project.settings).target_schema.tables:
                columns = [(column.name, column.type) for column in table.columns]
                there = [(column.target, column.type) for column in table.columns]
                name, name_there = (
                    f'"{a}"."{b}"' for a, b in ((table.schema, table.name), (table.schema_there, table.name_there))
                )
                [mine] = here.execute(content_hash_sql(name, columns)).fetchall()
                [theirs] = self.rows(content_hash_sql(name_there, there, "postgres"))
                if (mine[0], mine[1]) != (theirs[0], theirs[1]):
                    found.append(f"{table.qualified}: {mine} here, {theirs} there")
        return found

    def close(self) -> None:
        self.admin.close()


@contextmanager
def shop_on(address: str, base: Path, folder: Path, **more: str) -> Iterator[Shop]:
    """A shop whose database is a target already."""
    shop = Shop(address, base, folder, **more)
    try:
        yield shop
    finally:
        shop.close()
