"""Contracts with sources: what a new, missing or re-typed column does under each policy, and that nothing is lost by it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from systock import Project
from systock.cli.summary import summary_text
from systock.pipeline_manager.run_pipeline import RunSummary

HEADER = "id,store,sku,at,qty,price"
MAPPING = """SELECT
    id AS sale_id,
    '1' AS line_no,
    store AS location_id,
    sku AS product_id,
    at AS sold_at,
    qty AS quantity,
    price AS unit_price_amount
FROM bronze.pos__sales
"""


class Shop:
    """A till whose exports change."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.set("")
        self.map(MAPPING)

    def set(self, settings: str, mode: str = "append") -> None:
        (self.folder / "systock.toml").write_text(
            '[project]\nname = "shop"\ncalendar_from = 2024-01-01\ncalendar_to = 2024-12-31\n[sources.pos]\ntype = "files"\n[sources.pos.tables.sales]\npath = "in/*"\n'
            f'mode = "{mode}"\nkey = ["id"]\n{settings}\n'
        )

    def policies(self, policy: str, more: str = "") -> None:
        self.set("".join(f'{kind}_columns = "{policy}"\n' for kind in ("new", "missing", "retyped")) + more)

    def map(self, select: str, entity: str = "sale_line") -> None:
        path = self.folder / f"sources/pos/{entity}.sql"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(select)

    def put(self, name: str, header: str, first: int, count: int = 10, tail: str = "1.50", day: int = 1) -> None:
        """A file with lines of consecutive numbers; tail: what stands behind the quantity."""
        lines = [f"{number},S1,A,2024-05-31T09:00:00Z,1,{tail}" for number in range(first, first + count)]
        path = self.folder / "in" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join([header, *lines, ""]))
        os.utime(path, (1_700_000_000 + 86_400 * day,) * 2)

    def drifting(self) -> None:
        """Three deliveries after a first one: a further column, one that is called otherwise, values of another form."""
        self.put("b.csv", f"{HEADER},promo", 11, tail="1.50,x", day=2)
        self.put("c.csv", HEADER.replace("price", "unit_price"), 21, day=3)
        self.put("d.csv", HEADER, 31, tail='"1,50"', day=4)

    def run(self, **options: Any) -> RunSummary:
        return Project(self.folder).run(**options)

    def sold(self) -> list[int]:
        rows = Project(self.folder).query("SELECT sale_id FROM silver.sale_line").column(0).to_pylist()
        return sorted(map(int, rows))

    def reasons(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for row in Project(self.folder).quarantine(0):
            counts[row["rule"]] = counts.get(row["rule"], 0) + 1
        return counts

    def drift(self) -> set[tuple[str, str, str, str | None]]:
        return {
            (row["drift"], row["column"], row["file"], row["where"]) for row in Project(self.folder).status()["drift"]
        }


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A till whose first export is in the warehouse."""
    made = Shop(tmp_path_factory.mktemp("first"))
    made.put("a.csv", HEADER, 1)
    made.run()
    return made.folder


@pytest.fixture
def shop(first: Path, tmp_path: Path) -> Shop:
    return Shop(Path(shutil.copytree(first, tmp_path / "shop")))


LINE = "sources/pos/sale_line.sql:8"
NEW, RENAMED = "new column 'promo'", f"new column 'unit_price'; column 'price' is missing, which {LINE} reads"
RETYPED = f"10 of 10 values of 'unit_price_amount' do not read as numeric(18, 6) ({LINE})"


BOTH = MAPPING.replace("price AS", "coalesce(unit_price, price) AS")
BOTH_WITH_COMMA = BOTH.replace("coalesce(unit_price, price)", "replace(coalesce(unit_price, price), ',', '.')")


def test_evolve_takes_what_reads_and_tells_of_the_rest(shop: Shop) -> None:
    shop.drifting()
    summary = shop.run()
    assert shop.sold() == [*range(1, 21)]
    assert shop.reasons() == {"missing": 10, "no number": 10}
    assert shop.drift() == {
        ("new", "promo", "in/b.csv", None),
        ("new", "unit_price", "in/c.csv", None),
        ("missing", "price", "in/c.csv", LINE),
        ("retyped", "unit_price_amount", "in/d.csv", LINE),
    }
    text = summary_text(summary, Project(shop.folder))
    assert (
        "Not as before  pos.sales, in/b.csv: new column 'promo'. To take it, add promo AS … to sources/pos/sale_line.sql"
        in text
    )
    assert (
        f"If it is called 'unit_price' now, write coalesce(unit_price, price) for price in {LINE}, which reads the"
        in text
    )


def test_freeze_refuses_the_file_whole_until_something_changes(shop: Shop) -> None:
    shop.policies("freeze")
    shop.drifting()
    shop.put("c.csv", HEADER.replace("price", "unit_price,promo"), 21, tail="1.50,x", day=3)
    summary = shop.run()
    assert shop.sold() == [*range(1, 11)]
    assert {row["file"]: row["reason"] for row in summary.rejected} == {
        "in/b.csv": NEW,
        "in/c.csv": f"{NEW}; {RENAMED}",
        "in/d.csv": RETYPED,
    }
    assert "sources.pos.tables.sales.known_columns" in summary.rejected[0]["todo"]
    assert shop.drift() == {
        ("new", "promo", "in/b.csv", None),
        ("new", "promo", "in/c.csv", None),
        ("new", "unit_price", "in/c.csv", None),
        ("missing", "price", "in/c.csv", LINE),
        ("retyped", "unit_price_amount", "in/d.csv", LINE),
    }
    assert [batch["path"] for batch in Project(shop.folder).batches()] == ["in/a.csv"]
    # The mapping reads what only a refused file has, which stays refused: that stops nobody.
    shop.map(BOTH)
    assert [row["reason"] for row in shop.run().rejected] == [NEW, NEW, RETYPED]
    assert shop.sold() == [*range(1, 11)]
    # The new column is agreed, the mapping mended whole: all is as agreed now.
    shop.policies("freeze", 'known_columns = ["promo"]\n')
    shop.map(BOTH_WITH_COMMA)
    assert shop.run().rejected == []
    assert shop.sold() == [*range(1, 41)]
    assert len(Project(shop.folder).batches()) == 4 and shop.reasons() == {} and shop.drift() == set()


def test_quarantine_keeps_all_lines_aside_and_takes_them_when_it_is_agreed(shop: Shop) -> None:
    shop.policies("quarantine")
    shop.run()
    shop.drifting()
    summary = shop.run()
    assert shop.sold() == [*range(1, 11)]
    assert shop.reasons() == {NEW: 10, RENAMED: 10, RETYPED: 10}
    [entity] = [row for row in summary.entities if row["entity"] == "sale_line"]
    assert (entity["lines"], entity["kept"], entity["quarantined"]) == (30, 0, 30)
    row = next(row for row in Project(shop.folder).quarantine(0) if row["rule"] == NEW)
    raw = Project(shop.folder).quarantine_show(row["number"])["raw"]
    assert '"promo":"x"' in raw and '"price":"1.50"' in raw
    assert ("retyped", "unit_price_amount", "in/d.csv", LINE) in shop.drift()
    assert len(Project(shop.folder).batches()) == 4
    # Lines of a batch that is held do not make its columns agreed.
    shop.put("e.csv", f"{HEADER},promo", 41, tail="1.50,x", day=5)
    shop.run()
    assert shop.reasons()[NEW] == 20
    shop.policies("quarantine", 'known_columns = ["promo"]\n')
    shop.map(BOTH_WITH_COMMA)
    shop.run()
    assert shop.sold() == [*range(1, 51)]
    assert shop.reasons() == {}


@pytest.mark.long
@pytest.mark.parametrize("policy", ["evolve", "quarantine"])
def test_in_one_run_or_in_several_the_same_is_held(tmp_path: Path, policy: str) -> None:
    found = []
    for number, at_once in enumerate((True, False)):
        (tmp_path / str(number)).mkdir()
        shop = Shop(tmp_path / str(number))
        shop.policies(policy)
        shop.put("a.csv", HEADER, 1)
        if not at_once:
            shop.run()
        for name, header, first, tail, day in (
            ("b.csv", f"{HEADER},promo", 11, "1.50,x", 2), ("c.csv", HEADER.replace("price", "unit_price"), 21, "1.50", 3),
            ("d.csv", HEADER, 31, '"1,50"', 4), ("e.csv", f"{HEADER},promo", 41, "1.50,x", 5),
        ):  # fmt: skip
            shop.put(name, header, first, tail=tail, day=day)
            if not at_once:
                shop.run()
        shop.run()
        found.append((shop.sold(), shop.reasons()))
        assert shop.run(full=True).status == "published"
        assert (shop.sold(), shop.reasons()) == found[-1]
    assert found[0] == found[1]


def test_a_full_extract_that_is_held_closes_nothing(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.map("SELECT id AS product_id, name AS product_name FROM bronze.pos__sales", "product")
    (tmp_path / "sources/pos/sale_line.sql").unlink()
    shop.set('missing_columns = "quarantine"', mode="full")

    def deliver(text: str, day: int) -> None:
        path = tmp_path / f"in/{day}.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        os.utime(path, (1_700_000_000 + 86_400 * day,) * 2)
        shop.run()

    def products() -> set[tuple[str, str]]:
        rows = (
            Project(tmp_path)
            .query("SELECT product_id, product_name FROM serve.product_current WHERE product_key <> 0")
            .to_pylist()
        )
        return {(row["product_id"], row["product_name"]) for row in rows}

    deliver("id,name\na,Apple\nb,Pear\n", 1)
    assert products() == {("a", "Apple"), ("b", "Pear")}
    deliver("id,title\na,Apple\n", 2)
    assert products() == {("a", "Apple"), ("b", "Pear")}
    # A whole extract without it closes it.
    deliver("id,name\na,Apple\n", 3)
    current = (
        Project(tmp_path)
        .query("SELECT product_id, is_deleted FROM silver.product WHERE product_id = 'b' ORDER BY version_at DESC")
        .to_pylist()
    )
    assert current[0]["is_deleted"] is True


def test_a_few_odd_values_are_no_other_type(shop: Shop) -> None:
    shop.policies("quarantine")
    path = shop.folder / "in/b.csv"
    lines = [f"{n},S1,A,2024-05-31T09:00:00Z,1,{'x' if n % 2 else '2.00'}" for n in range(11, 21)]
    path.write_text("\n".join([HEADER, *lines, ""]))
    os.utime(path, (1_700_100_000, 1_700_100_000))
    shop.run()
    assert shop.reasons() == {"no number": 5}


def test_a_workbook_goes_all_the_way(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.set('skip_rows = 1\nnew_columns = "freeze"')
    (tmp_path / "in").mkdir()
    for number, extra in enumerate(([], ["note"])):
        book = xlsxwriter.Workbook(tmp_path / f"in/{number}.xlsx")
        sheet = book.add_worksheet("Sales")
        sheet.write_row(0, 0, ["Sales of the day"])
        sheet.write_row(1, 0, [*HEADER.split(","), *extra])
        for row in range(3):
            sheet.write_row(2 + row, 0, [f"{number}{row}", "S1", "A", "2024-05-31T09:00:00Z", 2, 1.1])
        book.close()
        os.utime(tmp_path / f"in/{number}.xlsx", (1_700_000_000 + number,) * 2)
    summary = shop.run()
    assert [row["file"] for row in summary.rejected] == ["in/1.xlsx"]
    rows = Project(tmp_path).query("SELECT quantity, unit_price_amount FROM silver.sale_line").to_pylist()
    assert [(float(row["quantity"]), float(row["unit_price_amount"])) for row in rows] == [(2.0, 1.1)] * 3
