"""A good small project to break: its command line in this process, what it published, and the same made from clean data."""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import io
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from current_state import current_gold
from small_chain import deliver, make_project
from systock import Project
from systock.cli.app import main

AT = "2024-03-01T10:00:00+00:00"
HEADER = "receipt,line,store,product,sold_at,quantity,unit,price,status,changed_at\n"
MODIFIED = 1_710_000_000.0


def sale(receipt: str, **values: str) -> str:
    """One good line of pos_sales_*.csv, with other values where told."""
    fields = {
        "receipt": receipt, "line": "1", "store": "S1", "product": "P1", "sold_at": AT, "quantity": "2", "unit": "",
        "price": "1.50", "status": "", "changed_at": AT,
    }  # fmt: skip
    return ",".join((fields | values).values()) + "\n"


DAY_TWO = HEADER + "".join(sale(f"2-{number}") for number in range(5))


@dataclass(frozen=True)
class Ran:
    """What one call of the command line did."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Shop:
    """A project folder that tests break."""

    path: Path

    def systock(self, *arguments: str) -> Ran:
        """Run the command line on the project."""
        out, err = io.StringIO(), io.StringIO()
        with _wide(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main([*arguments, "--project", str(self.path)])
        return Ran(code, out.getvalue(), err.getvalue())

    def run(self, *arguments: str) -> Ran:
        """Run the pipeline and expect that it does."""
        ran = self.systock("run", *arguments)
        assert ran.code == 0, ran.err
        return ran

    def put(self, name: str, content: str | bytes, moment: float = MODIFIED) -> Path:
        """Drop a file into incoming/."""
        path = self.path / "incoming" / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        os.utime(path, (moment, moment))
        return path

    def replace(self, file: str, old: str, new: str) -> None:
        """Change the text of one of the project's own files."""
        text = (self.path / file).read_text()
        assert old in text
        (self.path / file).write_text(text.replace(old, new))

    def published(self) -> str:
        """The hash of the published file, byte for byte."""
        return hashlib.sha256((self.path / "warehouse.duckdb").read_bytes()).hexdigest()

    def files(self, *folders: str) -> dict[str, str]:
        """Every file of these folders with its content's hash."""
        return {
            path.relative_to(self.path).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for folder in folders
            for path in sorted((self.path / folder).rglob("*"))
            if path.is_file()
        }

    def gold(self) -> dict[str, tuple[int, str]]:
        """Row count and content hash of every gold table that readers see."""
        return current_gold(self.path / "warehouse.duckdb")

    def refused(self) -> dict[str, str]:
        """The files that could not be read, by name, with the reason and the next step."""
        status = Project(self.path)
        return {Path(row.path).name: f"{row.reason} | {row.todo}" for row in status._place.log().rejected()}

    def set_aside(self) -> list[tuple[str, int, str, str | None, str | None]]:
        """(file, row, rule, column, value) of each line that is set aside."""
        rows = Project(self.path).quarantine()
        return [(Path(row["file"]).name, row["row"], row["rule"], row["column"], row["value"]) for row in rows]

    def sums_up(self) -> None:
        """Every landed line is in the row equation once per entity that its table feeds, and the terms add up."""
        terms = "kept + unchanged + superseded + duplicates + quarantined + left_out"
        [row] = (
            Project(self.path)
            .query(f"""SELECT count(*) FILTER (WHERE lines <> {terms}) AS broken, count(*) AS counted,
            (SELECT count(*) FROM meta.batch AS b WHERE NOT EXISTS (SELECT 1 FROM meta.row_count AS r
                WHERE r.batch_no = b.batch_no AND r.lines = b.lines)) AS missing FROM meta.row_count""")
            .to_pylist()
        )
        assert row["counted"] > 0 and row["broken"] == row["missing"] == 0, row

    def is_whole(self, **good: str | bytes) -> None:
        """Gold is what a clean project makes of the good files alone (by name without .csv), and every line is counted."""
        self.sums_up()
        assert self.gold() == clean(tuple(sorted(good.items())))


def told(ran: Ran, code: int, *words: str) -> None:
    """The call ended with this exit code and one message that holds the words and a next step."""
    assert ran.code == code, (ran.code, ran.out, ran.err)
    assert len(re.findall(r"^Error:", ran.err, re.MULTILINE)) == 1, ran.err
    assert "Traceback" not in ran.err + ran.out and "unexpected" not in ran.err, ran.err
    assert "next" in ran.err, ran.err
    for word in words:
        assert word in ran.err, (word, ran.err)


def good_shop(folder: Path) -> Shop:
    """A copy of a project that has published its first day."""
    shutil.copytree(_first_day(), folder)
    return Shop(folder)


@contextlib.contextmanager
def without_privileges() -> Iterator[Shop]:
    """A project whose permissions count: root, for whom they don't, is nobody meanwhile."""
    folder = Path(tempfile.mkdtemp(prefix="systock_"))  # pytest's own folders are closed to others
    shop = good_shop(folder / "shop")
    root = os.geteuid() == 0
    if root:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, 65534, 65534)
        os.seteuid(65534)
    try:
        yield shop
    finally:
        if root:
            os.seteuid(0)
        for path in folder.rglob("*"):
            if path.is_dir():
                path.chmod(0o755)
        shutil.rmtree(folder, ignore_errors=True)


@lru_cache(maxsize=1)
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="systock_good_"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@lru_cache(maxsize=1)
def _first_day() -> Path:
    project = make_project(_folder() / "good")
    with (project / "systock.toml").open("a") as settings:
        settings.write("\n[run]\nattempts = 1\n")  # what a first failure says and leaves is what is looked at
    products = [(f"P{n}", "x", "1", "pcs", "2024-01-01T00:00:00+00:00") for n in range(3)]
    deliver(project, "erp_products", products, "1")
    deliver(project, "erp_locations", [("S1", "Berlin", "Europe/Berlin")], "1")
    Shop(project).put("pos_sales_1.csv", HEADER + "".join(sale(f"1-{number}") for number in range(20)))
    Shop(project).run()
    return project


@lru_cache(maxsize=64)
def clean(good: tuple[tuple[str, str | bytes], ...]) -> dict[str, tuple[int, str]]:
    """Gold of a project that was given only the good files, in one run from nothing."""
    if not good:
        return Shop(_first_day()).gold()
    shop = Shop(_folder() / hashlib.sha256(repr(good).encode()).hexdigest())
    shutil.copytree(_first_day(), shop.path, ignore=shutil.ignore_patterns(".systock", "warehouse.duckdb"))
    for name, content in good:
        shop.put(f"{name}.csv" if "." not in name else name, content)
    shop.run()
    found = shop.gold()
    shutil.rmtree(shop.path)
    return found


@contextlib.contextmanager
def _wide() -> Iterator[None]:
    """No table is narrowed to a terminal."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "400"
    try:
        yield
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before
