"""Every case beside this file, on DuckDB and on PostgreSQL; and that each stored table and view has some."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sql.case_file import read_case
from sql.case_runner import CaseFailed, prepare, run_case, table_files
from systock.data_warehouse.engine.postgres_ddl import guard_statements

from ..servers import Server

FOLDER = Path(__file__).parent
CASES = sorted(FOLDER.glob("*/*.case"))


@pytest.fixture(scope="module")
def connection(postgres_server: str) -> Iterator[Any]:
    """A database on PostgreSQL, in a session whose time zone may change no row."""
    psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")
    server = Server("postgres", postgres_server, Path())
    with psycopg.connect(server.url) as opened:
        opened.execute("SET timezone = 'America/New_York'")
        prepare(opened)
        opened.execute(guard_statements()[0].sql)
        opened.commit()
        yield opened
    server.close()


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_case(path: Path, connection: Any) -> None:
    run_case(read_case(path), connection)


def test_every_table_has_cases() -> None:
    # What tables of versions hold hangs on the landings before: test_two_times and test_two_time_questions prove them.
    tables = {t.name for t in table_files().values() if t.schema in ("gold", "serve") and t.refresh != "versions"}
    assert tables - {path.parent.name for path in CASES} == set()


def test_every_case_belongs_to_a_table() -> None:
    tables = {table.name for table in table_files().values()}
    assert {path.parent.name for path in CASES} - tables == set()


CASE = """
-- A product that no one changes is one row from the beginning.
given silver.product
source_name | product_id | product_name
erp         | A          | {given}
expect gold.dim_product where product_key <> 0
product_id | product_name | size
A          | {expected}   | {size}
"""


@pytest.mark.parametrize(
    ("given", "expected", "size"), [("Tea", "Coffee", ""), ("Tea", "", ""), ("", "''", ""), ("Tea", "Tea", "''")]
)
def test_other_rows_than_expected_fail(tmp_path: Path, given: str, expected: str, size: str) -> None:
    path = tmp_path / "rule.case"
    path.write_text(CASE.format(given=given, expected=expected, size=size))
    with pytest.raises(CaseFailed, match="too many"):
        run_case(read_case(path))


def test_equal_rows_pass_also_nulls_and_empty_texts(tmp_path: Path) -> None:
    path = tmp_path / "rule.case"
    for value in ("Tea", "", "''", "= CAST('Tea' AS text)"):
        path.write_text(CASE.format(given=value, expected=value, size=""))
        run_case(read_case(path))


def test_a_row_too_few_fails(tmp_path: Path) -> None:
    path = tmp_path / "rule.case"
    path.write_text(CASE.format(given="Tea", expected="Tea", size="") + "B | Tea |\n")
    with pytest.raises(CaseFailed, match=r"missing: .*'product_id': B"):
        run_case(read_case(path))


def test_a_broken_constraint_fails(tmp_path: Path) -> None:
    path = tmp_path / "rule.case"
    path.write_text(
        "-- Two locations of one key.\ngiven silver.location\nsource_name | location_id | location_type\n"
        "erp | S1 | store\nerp | S1 | moon\nexpect gold.dim_location where FALSE\nlocation_id\n"
    )
    with pytest.raises(CaseFailed, match="CHECK"):
        run_case(read_case(path))


@pytest.mark.parametrize(
    "text", ["given silver.product\na\n", "-- rule\na | b\n", "-- rule\ngiven x\na | b\n1\nexpect x\na\n"]
)
def test_a_case_that_does_not_read_says_where(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rule.case"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"rule\.case"):
        read_case(path)
