"""Databases as sources, against real servers: to the letter, once, late commits and deletes included."""

from __future__ import annotations

import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pyarrow.parquet as pq
import pytest

from systock.etl_pipeline.bronze_layer.land_batches import LandingSummary, land, open_log
from systock.extract import database_sqlite
from systock.extract.arrow_text import as_text
from systock.source_settings import DatabaseSource

from ..servers import PASSWORD, PASSWORD_IN_URL, Server, free_port, mariadb, postgres

NOW = datetime(2024, 6, 1, tzinfo=UTC)
KINDS = ("sqlite", "postgres", "mysql")


@pytest.fixture(scope="session")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Addresses of servers, started when first asked for."""
    running: dict[str, Any] = {}
    yield running
    for server in running.values():
        next(server[0], None)


def server_of(kind: str, addresses: dict[str, Any], factory: pytest.TempPathFactory, folder: Path) -> Server:
    if kind == "sqlite":
        return Server(kind, "", folder)
    if kind not in addresses:
        started = {"postgres": postgres, "mysql": mariadb}[kind](factory.mktemp(kind))
        addresses[kind] = (started, next(started))
    return Server(kind, addresses[kind][1], folder)


@pytest.fixture(params=KINDS)
def shop(request: pytest.FixtureRequest, addresses: Any, tmp_path_factory: Any, tmp_path: Path) -> Iterator[Shop]:
    server = server_of(request.param, addresses, tmp_path_factory, tmp_path)
    yield Shop(server, tmp_path)
    server.close()


class Shop:
    """A project whose source `erp` is a database."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.url = server.url
        self.timeout, self.answer_timeout = "5 seconds", "5 seconds"
        self.landings = 0

    def ask(self, span: tuple[datetime, datetime] | None = None, **tables: dict[str, Any]) -> LandingSummary:
        """Land; each landing is a minute after the one before."""
        waits = {"timeout": self.timeout, "answer_timeout": self.answer_timeout}
        source = DatabaseSource.model_validate({"type": "database", "url": self.url, **waits, "tables": tables})
        self.landings += 1
        now = NOW + timedelta(minutes=self.landings)
        return land(self.folder, {"erp": source}, now=now, between=span)

    def rows(self, **tables: dict[str, Any]) -> list[tuple[Any, ...]]:
        """The rows that a landing brings, without their numbers."""
        before = self.landed()
        failures = self.ask(**tables).failures
        assert not failures, failures[0].error
        return self.landed()[len(before) :]

    def landed(self, table: str = "sales") -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = []
        for batch in open_log(self.folder).batches(table=table):
            assert batch.part
            part = pq.read_table(self.folder / ".systock" / "bronze" / batch.part)
            found += [tuple(row[name] for name in batch.columns) for row in part.to_pylist()]
        return found

    def failure(self, **tables: dict[str, Any]) -> str:
        """What is said where the landing of a table fails; nothing lands."""
        before = self.landed()
        [failure] = self.ask(**tables).failures
        assert self.landed() == before
        assert (failure.source, PASSWORD in str(failure.error), PASSWORD_IN_URL in str(failure.error)) == (
            "erp",
            False,
            False,
        )
        assert failure.error.where and failure.error.todo
        return str(failure.error)

    def sales(self, *rows: tuple[int, str, str]) -> None:
        """Rows of id, instant and price."""
        self.server.execute(*(f"INSERT INTO sales VALUES ({n}, '{at}', '{price}')" for n, at, price in rows))


def create(shop: Shop) -> None:
    kind = {"sqlite": "TEXT", "postgres": "timestamp", "mysql": "datetime"}[shop.server.kind]
    shop.server.execute(f"CREATE TABLE sales (id integer PRIMARY KEY, changed {kind}, price numeric(10,2))")


FULL = {"mode": "full", "key": ["id"]}
BY_ID = {"mode": "append", "key": ["id"], "cursor": "id"}
BY_CHANGE = {"mode": "changes", "key": ["id"], "cursor": ["changed", "id"], "updated_at": "changed"}


# values


def test_values_of_sqlite_to_the_letter(tmp_path: Path) -> None:
    shop = Shop(Server("sqlite", "", tmp_path), tmp_path)
    shop.server.execute("CREATE TABLE sales (id integer PRIMARY KEY, a, b numeric, c text)")
    values: list[tuple[Any, ...]] = [
        (9223372036854775807, 5, "007"), (0.1 + 0.2, 5.5, ""), (b"12.30", 100000000000000000000, None), (b"\xff\x00", "x", "\0é'\"\n"),
        (1e300, -0.0, "a,b"), (None, 19.99, "2024-02-30"),
    ]  # fmt: skip
    connection = shop.server.connect()
    for number, row in enumerate(values):
        as_stored = [float(v) if isinstance(v, int) and v > 2**63 else v for v in row]
        connection.execute("INSERT INTO sales VALUES (?, ?, ?, ?)", (number, *as_stored))
    assert shop.rows(sales=FULL) == [
        ("0", "9223372036854775807", "5", "007"),
        ("1", "0.30000000000000004", "5.5", ""),
        ("2", "12.30", "1e+20", None),
        ("3", "/wA=", "x", "\\u0000é'\"\n"),
        ("4", "1e+300", "0", "a,b"),
        ("5", None, "19.99", "2024-02-30"),
    ]


def test_text_of_sqlite_that_is_no_utf8_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_sqlite, "_ROWS", 2)
    shop = Shop(Server("sqlite", "", tmp_path), tmp_path)
    shop.server.execute("CREATE TABLE sales (id integer PRIMARY KEY, a)")
    for number in range(9):
        text = "CAST(X'61FF' AS TEXT)" if number in (5, 8) else "'é'"
        shop.server.execute(f"INSERT INTO sales VALUES ({number}, {text})")
    assert shop.rows(sales=FULL) == [(str(number), "a\ufffd" if number in (5, 8) else "é") for number in range(9)]


def test_what_one_column_of_sqlite_holds_reads_the_same_whatever_stands_beside_it() -> None:
    values = [
        5,
        5.0,
        5.5,
        2**53,
        2**53 + 1,
        2**63 - 1,
        -(2**63),
        1e15,
        1e16,
        1e-7,
        -0.0,
        "5",
        b"5",
        b"\xff",
        None,
        "",
        0.1 + 0.2,
    ]
    alone = {repr(value): as_text(database_sqlite._texts([value])).to_pylist()[0] for value in values}
    for one in values:
        for other in values:
            both = as_text(database_sqlite._texts([one, other])).to_pylist()
            assert both == [alone[repr(one)], alone[repr(other)]], (one, other)
    assert (alone["5"], alone["9007199254740993"], alone["0.30000000000000004"], alone["b'5'"]) == (
        "5", "9007199254740993", "0.30000000000000004", "5",
    )  # fmt: skip


def test_values_of_postgres_to_the_letter(addresses: Any, tmp_path_factory: Any, tmp_path: Path) -> None:
    shop = Shop(server_of("postgres", addresses, tmp_path_factory, tmp_path), tmp_path)
    cases = {
        "numeric(38,4) '12345678901234567890123456789012.3400'": "12345678901234567890123456789012.3400",
        "numeric 'NaN'": "NaN",
        "numeric '1e-20'": "0.00000000000000000001",
        "money '1234.5'": "1234.50",
        "float8 '0.1'": "0.1",
        "real '123456.78'": "123456.78",
        "bigint '9223372036854775807'": "9223372036854775807",
        "true": "true",
        "date '2024-02-29'": "2024-02-29",
        "date 'infinity'": "infinity",
        "time '23:59:59.5'": "23:59:59.5",
        "timestamp '2024-03-31 02:30:00.000001'": "2024-03-31 02:30:00.000001",
        "timestamptz '2024-03-31 02:30:00+05:30'": "2024-03-30 21:00:00+00",
        "interval '1 day 2 hours'": "P1DT2H",
        "bytea 'caf\\303\\251'": "café",
        "bytea '\\xff00'": "/wA=",
        "jsonb '{\"b\": [1, 2.50]}'": '{"b": [1, 2.50]}',
        "json '{\"b\":1.0}'": '{"b":1.0}',
        "json 'null'": "null",
        "jsonb 'null'": "null",
        "ARRAY[1, NULL, 3]": "[1,null,3]",
        "ARRAY['a,b', '\"']": '["a,b","\\""]',
        "ROW(1, 'x')": '{"f1":1,"f2":"x"}',
        "uuid 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "inet '10.0.0.1'": "10.0.0.1/32",
        "text ''": "",
        "NULL::text": None,
        "text 'it''s \"é\n\t\\'": "it's \"é\n\t\\",
    }
    named = ", ".join(f"{sql} AS c{n}" for n, sql in enumerate(cases))
    shop.server.execute("SET lc_monetary = 'C'")
    [row] = shop.rows(sales={"mode": "append", "query": f"SELECT {named};"})
    assert row == tuple(cases.values())


def test_values_of_mysql_to_the_letter(addresses: Any, tmp_path_factory: Any, tmp_path: Path) -> None:
    shop = Shop(server_of("mysql", addresses, tmp_path_factory, tmp_path), tmp_path)
    cases = {
        "decimal(38,4)": ("'1234567890123456789012345678901234.3400'", "1234567890123456789012345678901234.3400"),
        "bigint unsigned": ("18446744073709551615", "18446744073709551615"),
        "float": ("123456.78", "123456.78"),
        "double": ("0.1", "0.1"),
        "date": ("'0000-00-00'", "0000-00-00"),
        "datetime(6)": ("'2024-03-31 02:30:00.000001'", "2024-03-31 02:30:00.000001"),
        "datetime": ("'2024-00-00 00:00:00'", "2024-00-00 00:00:00"),
        "timestamp NULL": ("'2024-03-31 02:30:00'", "2024-03-31 02:30:00Z"),
        "time": ("'-838:59:59'", "-838:59:59"),
        "year": ("2024", "2024"),
        "bit(3)": ("b'101'", "5"),
        "varbinary(9)": ("'café'", "café"),
        "blob": ("X'FF00'", "/wA="),
        "longblob": (f"X'{'ff' * 90}'", "/" * 120),
        "char(5)": ("'ab'", "ab"),
        "text": ("'it''s \"é\", \\\\\n\r\n'", 'it\'s "é", \\\n\r\n'),
        "varchar(1)": ("''", ""),
        "varchar(2)": ("NULL", None),
        "varchar(3) CHARACTER SET latin1": ("'ü'", "ü"),
        "json": ("'{\"b\": [1, 2.50]}'", '{"b": [1, 2.50]}'),
        "enum('a','b')": ("'b'", "b"),
    }
    shop.server.execute(
        "SET sql_mode = '', time_zone = '+00:00'",
        f"CREATE TABLE sales ({', '.join(f'c{n} {kind}' for n, kind in enumerate(cases))})",
        f"INSERT INTO sales VALUES ({', '.join(given for given, _ in cases.values())})",
    )
    [row] = shop.rows(sales={"mode": "append"})
    assert row == tuple(said for _, said in cases.values())


def test_a_table_of_one_column_keeps_its_nulls(shop: Shop) -> None:
    shop.server.execute("CREATE TABLE sales (a varchar(9))", "INSERT INTO sales VALUES (NULL), (''), ('x')")
    assert sorted(shop.rows(sales={"mode": "append"}), key=repr) == [("",), ("x",), (None,)]


def test_hostile_names(shop: Shop) -> None:
    quote = shop.server.kind == "mysql"
    table, key, other = ('`a"b;--``c`', "`I d`", "`sel'ect`") if quote else ('"a""b;--`c"', '"I d"', '"sel\'ect"')
    shop.server.execute(
        f"CREATE TABLE {table} ({key} integer, {other} varchar(9))", f"INSERT INTO {table} VALUES (1, 'x')"
    )
    name = 'a"b;--`c'
    for cursor in ([], ["I d", "sel'ect"]):
        settings = {"mode": "changes", "key": ["I d"], "table": name, "cursor": cursor}
        assert shop.rows(sales=settings) == ([("1", "x")] if not cursor else [])
    assert shop.rows(sales={"mode": "append", "query": f"SELECT 2 AS a FROM {table} ;\n", "cursor": "a"}) == [("2",)]


# modes


def test_a_whole_table_lands_when_it_has_changed(shop: Shop) -> None:
    create(shop)
    assert shop.rows(sales=FULL) == []
    shop.sales((2, "2024-01-02 00:00:00", "2.50"), (1, "2024-01-01 00:00:00", "1.25"))
    assert [row[0] for row in shop.rows(sales=FULL)] == ["1", "2"]
    assert shop.rows(sales=FULL) == []
    shop.server.execute("UPDATE sales SET price = 3.5 WHERE id = 2")
    assert len(shop.rows(sales=FULL)) == 2
    shop.server.execute("UPDATE sales SET price = 2.5 WHERE id = 2")
    assert len(shop.rows(sales=FULL)) == 2
    assert len(open_log(shop.folder).batches()) == 3


def test_behind_a_cursor_only_what_is_new_is_read(shop: Shop) -> None:
    create(shop)
    shop.sales((1, "2024-01-01 00:00:00", "1.25"), (2, "2024-01-01 00:00:00", "1.25"))
    assert [row[0] for row in shop.rows(sales=BY_ID)] == ["1", "2"]
    assert shop.rows(sales=BY_ID) == []
    shop.sales((10, "2024-01-01 00:00:00", "1.25"))
    assert [row[0] for row in shop.rows(sales=BY_ID)] == ["10"]
    cursor = open_log(shop.folder).cursor("erp", "sales")
    assert cursor and '"10"' in cursor  # by number, not by text
    shop.sales((9, "2024-01-01 00:00:00", "1.25"))
    shop.server.execute("UPDATE sales SET price = 9 WHERE id = 1")
    assert shop.rows(sales=BY_ID) == []
    # Another cursor begins anew.
    assert len(shop.rows(sales={**BY_ID, "cursor": ["changed", "id"]})) == 4


def test_several_columns_of_a_cursor_part_rows_of_one_instant(shop: Shop) -> None:
    create(shop)
    shop.sales((1, "2024-01-01 00:00:00", "1"), (5, "2024-01-02 00:00:00", "1"))
    shop.rows(sales=BY_CHANGE)
    shop.sales((9, "2024-01-02 00:00:00", "1"), (3, "2024-01-03 00:00:00", "1"))
    assert [row[0] for row in shop.rows(sales=BY_CHANGE)] == ["3", "9"]


def test_what_is_committed_late_is_read_in_the_window_and_what_is_known_is_not(shop: Shop) -> None:
    create(shop)
    window = {**BY_CHANGE, "late_window": "10 minutes"}
    shop.sales((1, "2024-01-01 10:00:00", "1"), (2, "2024-01-01 10:20:00", "1"), (3, "2024-01-01 10:30:00", "1"))
    assert len(shop.rows(sales=window)) == 3
    assert shop.rows(sales=window) == []
    shop.sales((4, "2024-01-01 10:25:00", "late"[:0] or "1"), (5, "2024-01-01 10:19:59", "1"))
    assert [row[0] for row in shop.rows(sales=window)] == ["4"]
    shop.server.execute("UPDATE sales SET price = 7 WHERE id = 2")
    assert [(row[0], float(row[2])) for row in shop.rows(sales=window)] == [("2", 7.0)]
    shop.sales((6, "2024-01-01 11:00:00", "1"))
    assert [row[0] for row in shop.rows(sales=window)] == ["6"]
    assert shop.rows(sales=window) == []


def test_a_window_of_numbers(shop: Shop) -> None:
    create(shop)
    shop.sales((1, "2024-01-01 10:00:00", "1"), (10, "2024-01-01 10:00:00", "1"))
    window = {**BY_ID, "late_window": 5}
    shop.rows(sales=window)
    shop.sales((4, "2024-01-01 10:00:00", "1"), (5, "2024-01-01 10:00:00", "1"), (11, "2024-01-01 10:00:00", "1"))
    assert [row[0] for row in shop.rows(sales=window)] == ["5", "11"]


def test_a_window_that_is_set_or_changed_later_doubles_nothing(shop: Shop) -> None:
    shop.server.execute("CREATE TABLE sales (id integer, a varchar(9))", "INSERT INTO sales VALUES (1, 'x'), (2, 'x')")
    lines = {"mode": "append", "cursor": "id"}
    assert len(shop.rows(sales=lines)) == 2
    for number, window in ((3, 5), (4, 50)):
        shop.server.execute(f"INSERT INTO sales VALUES ({number}, 'x')")
        assert shop.rows(sales={**lines, "late_window": window}) == [(str(number), "x")]
    shop.server.execute("INSERT INTO sales VALUES (2, 'x'), (1, 'x'), (1, 'x')")
    # Equal lines are lines all the same.
    assert shop.rows(sales={**lines, "late_window": 50}) == [("2", "x"), ("1", "x"), ("1", "x")]
    assert shop.rows(sales={**lines, "late_window": 50}) == []


def test_a_cursor_that_is_an_instant(shop: Shop) -> None:
    kind = {"sqlite": "TEXT", "postgres": "timestamptz", "mysql": "timestamp(3) NULL"}[shop.server.kind]
    shop.server.execute(f"CREATE TABLE sales (id integer, changed {kind})")
    settings = {"mode": "append", "cursor": "changed", "late_window": "1 second"}
    for number, instant in enumerate(
        ("2024-03-31 01:59:59.5", "2024-03-31 02:00:00", "2024-03-31 01:59:59", "2024-03-31 01:59:58")
    ):
        shop.server.execute(f"INSERT INTO sales VALUES ({number}, '{instant}')")
        assert [row[0] for row in shop.rows(sales=settings)] == ([str(number)] if number < 3 else [])


def test_all_tables_are_of_one_instant(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is committed while the first table is read is not in the second."""
    from systock.extract import extract_database

    if shop.server.kind == "sqlite":
        shop.server.execute("PRAGMA journal_mode = WAL")
    create(shop)
    shop.server.execute("CREATE TABLE details (id integer)", "INSERT INTO details VALUES (1)")
    shop.sales((1, "2024-01-01 00:00:00", "1"))
    read = extract_database._Table._read

    def meanwhile(table: Any, *arguments: Any, **named: Any) -> Any:
        yield from read(table, *arguments, **named)
        if table._name == "sales":
            shop.server.execute("INSERT INTO details VALUES (2)")

    monkeypatch.setattr(extract_database._Table, "_read", meanwhile)
    shop.ask(sales=FULL, details={"mode": "append"})
    assert shop.landed("details") == [("1",)]


def test_an_open_transaction_is_neither_seen_nor_lost(shop: Shop) -> None:
    if shop.server.kind == "sqlite":
        pytest.skip("SQLite has one writer: its cursors never go past an open transaction")
    create(shop)
    window = {**BY_ID, "late_window": 100}
    writer = shop.server.connect(autocommit=False)
    shop.server.run(writer, "INSERT INTO sales VALUES (1, '2024-01-01 00:00:00', 1)")
    shop.sales((2, "2024-01-01 00:00:00", "1"))
    assert [row[0] for row in shop.rows(sales=window)] == ["2"]
    writer.commit()
    assert [row[0] for row in shop.rows(sales=window)] == ["1"]
    assert shop.rows(sales=window) == []


def test_deleted_rows_are_told(shop: Shop) -> None:
    create(shop)
    deletes = {**BY_CHANGE, "deletes": "keys"}
    shop.sales(*((n, f"2024-01-01 00:00:0{n}", "1") for n in (1, 2, 3)))
    shop.rows(sales=deletes)
    shop.server.execute("DELETE FROM sales WHERE id IN (1, 3)")
    shop.sales((4, "2024-01-01 00:00:02", "1"))
    found = shop.rows(sales=deletes)
    at = "2024-06-01T00:02:00.000000Z"
    assert sorted(row[0] for row in found if row[3] == at) == ["1", "3"]
    assert {(row[0], row[1][:19], row[2]) for row in found if row[3] == at and row[0] == "3"} == {
        ("3", "2024-01-01 00:00:03", None)
    }
    assert {row[0] for row in found if row[3] is None} == {"2", "4"}
    assert shop.rows(sales=deletes) == []
    shop.sales((3, "2024-01-01 00:00:09", "5"))
    assert [row[0] for row in shop.rows(sales=deletes)] == ["3"]


def test_a_row_that_comes_back_as_it_was_is_read(shop: Shop) -> None:
    create(shop)
    deletes = {**BY_CHANGE, "deletes": "keys", "key": ["id", "price"]}
    windowed = {**BY_CHANGE, "deletes": "keys", "table": "sales", "late_window": "1 hour"}
    rows = [(n, f"2024-01-01 00:00:0{n}", "1") for n in (1, 2, 3, 4)]
    shop.sales(*rows)
    shop.ask(sales=deletes, other=windowed)
    shop.server.execute("DELETE FROM sales WHERE id IN (2, 3)")
    shop.ask(sales=deletes, other=windowed)
    # One is put back, another is committed far behind the cursor, a third lies behind it as any.
    shop.sales(rows[1], (0, "2023-01-01 00:00:00", "1"), (5, "2024-01-01 00:00:05", "1"))
    before, aside = len(shop.landed()), len(shop.landed("other"))
    shop.ask(sales=deletes, other=windowed)
    for came in (shop.landed()[before:], shop.landed("other")[aside:]):
        assert sorted((row[0], row[1][:19]) for row in came) == [
            ("0", "2023-01-01 00:00:00"), ("2", "2024-01-01 00:00:02"), ("5", "2024-01-01 00:00:05"),
        ]  # fmt: skip
    assert shop.rows(sales=deletes) == []


def test_rows_whose_keys_the_server_does_not_take_as_text(shop: Shop) -> None:
    shop.server.execute(
        "CREATE TABLE sales (id double precision PRIMARY KEY, changed timestamp NOT NULL)",
        *(f"INSERT INTO sales VALUES ({n}.5, '2024-01-01 00:00:0{n}')" for n in (1, 2, 3)),
    )
    floats = {
        "mode": "changes",
        "key": ["id"],
        "cursor": "changed",
        "deletes": "keys",
        "query": "SELECT id * 1 AS id, changed FROM sales",
    }
    assert len(shop.rows(sales=floats)) == 3
    shop.server.execute("DELETE FROM sales WHERE id = 2.5")
    shop.rows(sales=floats)
    shop.server.execute("INSERT INTO sales VALUES (2.5, '2024-01-01 00:00:02')")
    assert [row[0] for row in shop.rows(sales=floats)] == ["2.5"]


def test_a_span_reads_again_and_moves_no_cursor(shop: Shop) -> None:
    create(shop)
    shop.sales(*((n, f"2024-01-0{n} 12:00:00", "1") for n in (1, 2, 3)))
    first, last = datetime(2024, 1, 2, tzinfo=UTC), datetime(2024, 1, 3, tzinfo=UTC)
    summary = shop.ask(span=(first, last), sales=BY_CHANGE, whole={**FULL, "table": "sales"})
    assert (summary.failures, [row[0] for row in shop.landed()], shop.landed("whole")) == ([], ["2"], [])
    assert len(shop.rows(sales=BY_CHANGE)) == 3
    [failure] = shop.ask(span=(first, last), sales=BY_ID).failures
    assert "no time" in str(failure.error)


def test_a_cursor_that_went_back_is_an_error_and_from_reads_again(shop: Shop) -> None:
    create(shop)
    shop.sales(*((n, f"2024-01-0{n} 12:00:00", "1") for n in (1, 2, 3)))
    shop.rows(sales=BY_ID)
    shop.server.execute("DELETE FROM sales WHERE id > 1")
    said = shop.failure(sales=BY_ID)
    assert "went back: its highest value is 1, the last extraction ended at 3" in said
    assert "systock run --select erp.sales --from 1970-01-01" in said
    shop.sales((2, "2024-01-05 12:00:00", "9"))
    shop.ask(span=(datetime(1970, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC)), sales=BY_ID)
    assert {row[0] for row in shop.landed()[3:]} == {"1", "2"}
    shop.sales((3, "2024-01-05 12:00:00", "9"))
    assert [row[0] for row in shop.rows(sales=BY_ID)] == ["3"]


def test_a_cursor_that_went_back_within_the_window_or_with_deletes_is_none(shop: Shop) -> None:
    create(shop)
    shop.sales(*((n, f"2024-01-0{n} 12:00:00", "1") for n in (1, 2, 3)))
    window = {**BY_ID, "late_window": 2}
    deletes = {**BY_CHANGE, "deletes": "keys", "table": "sales"}
    shop.ask(sales=window, other=deletes)
    shop.server.execute("DELETE FROM sales WHERE id > 1")
    shop.sales((2, "2024-01-01 00:00:00", "9"))
    assert not shop.ask(sales=window, other=deletes).failures
    assert [row[0] for row in shop.landed()[3:]] == ["2"]
    assert ("3", "2024-01-03 12:00:00", None) in [row[:3] for row in shop.landed("other")]
    assert [row[0] for row in shop.landed("other")[3:] if row[3] is None] == ["1", "2"]


# errors


def test_what_is_not_there_is_named_with_what_is_and_harms_no_other_table(shop: Shop) -> None:
    create(shop)
    shop.sales((1, "2024-01-01 00:00:00", "1"))
    summary = shop.ask(
        gone=FULL,
        sales={**FULL, "key": ["idd"]},
        other={**FULL, "table": "sales"},
        bad={"mode": "append", "query": "SELEC 1"},
    )
    assert [failure.table for failure in summary.failures] == ["gone", "sales", "bad"]
    gone, sales, bad = (str(failure.error) for failure in summary.failures)
    assert "sources.erp.tables.gone" in gone and "gone" in gone.splitlines()[0] and "Correct the table" in gone
    assert "no column 'idd'" in sales and "Did you mean 'id'?" in sales and "id, changed, price" in sales
    assert "Correct the table" in bad
    assert not any(failure.error.transient for failure in summary.failures)
    assert shop.landed("other") != []


def test_a_cursor_of_null_or_of_another_kind_than_its_window_is_refused(shop: Shop) -> None:
    create(shop)
    shop.server.execute("INSERT INTO sales VALUES (1, NULL, 1)")
    assert "is NULL in some rows" in shop.failure(sales=BY_CHANGE)
    assert "late_window says 60 seconds, but the cursor 'id'" in shop.failure(
        sales={**BY_ID, "late_window": "1 minute"}
    )


def test_a_column_that_changed_its_type_is_text_as_before(shop: Shop) -> None:
    create(shop)
    shop.sales((1, "2024-01-01 00:00:00", "1"))
    shop.rows(sales=BY_ID)
    if shop.server.kind != "sqlite":
        change = "ALTER COLUMN price TYPE text" if shop.server.kind == "postgres" else "MODIFY price text"
        shop.server.execute(f"ALTER TABLE sales {change}")
    shop.server.execute(
        "ALTER TABLE sales ADD COLUMN note varchar(9)",
        "INSERT INTO sales VALUES (2, '2024-01-01 00:00:00', 'x', 'new')",
    )
    assert shop.rows(sales=BY_ID) == [("2", "2024-01-01 00:00:00", "x", "new")]


def test_a_cursor_that_changed_its_type_is_an_error(addresses: Any, tmp_path_factory: Any, tmp_path: Path) -> None:
    shop = Shop(server_of("postgres", addresses, tmp_path_factory, tmp_path), tmp_path)
    create(shop)
    shop.sales((1, "2024-01-01 00:00:00", "1"))
    shop.rows(sales=BY_CHANGE)
    shop.server.execute("ALTER TABLE sales ALTER COLUMN changed TYPE integer USING 5")
    assert "the column's type may have changed" in shop.failure(sales=BY_CHANGE)


def test_nobody_writes(shop: Shop) -> None:
    create(shop)
    if shop.server.kind == "postgres":
        said = shop.failure(sales={"mode": "append", "query": "SELECT setval(pg_get_serial_sequence('x', 'y'), 1)"})
        assert said
    shop.server.execute("CREATE TABLE kept (a integer)")
    shop.failure(sales={"mode": "append", "query": "SELECT 1) AS x; DROP TABLE kept; SELECT (1"})
    shop.server.execute("INSERT INTO kept VALUES (1)")


def test_a_wrong_password_is_said_and_not_shown(addresses: Any, tmp_path_factory: Any, tmp_path: Path) -> None:
    shop = Shop(server_of("mysql", addresses, tmp_path_factory, tmp_path), tmp_path)
    shop.url = shop.url.replace("root@", f"root:{PASSWORD_IN_URL}@")
    said = shop.failure(sales=FULL)
    assert "Correct user and password" in said and "Access denied" in said


def test_a_wrong_database_is_said(shop: Shop) -> None:
    if shop.server.kind == "sqlite":
        shop.url += "x"
        assert "no such file" in shop.failure(sales=FULL)
        (shop.folder / "not.sqlite").write_text("hello " * 200)
        shop.url = "sqlite:///not.sqlite"
        assert "not a database" in shop.failure(sales=FULL)
    else:
        shop.url = shop.url.replace("/t_", "/u_")
        assert "Correct the database's name" in shop.failure(sales=FULL)


def test_a_table_that_not_every_system_has(shop: Shop) -> None:
    optional = {**FULL, "optional": True}
    assert shop.rows(sales=optional) == []
    create(shop)
    shop.sales((1, "2024-05-01 10:00:00", "1.50"))
    assert [row[0] for row in shop.rows(sales=optional)] == ["1"]
    # What is wrong with it otherwise is said; so is a table that every system has.
    assert "nosuch" in shop.failure(sales={**optional, "query": "SELECT nosuch FROM sales"})
    said = shop.failure(sales={**FULL, "table": "nosuch"})
    assert "nosuch" in said and "Correct the table" in said and said.count("nosuch") <= 2 and "SQLSTATE" not in said


def test_a_name_with_a_dot_in_it_is_quoted(shop: Shop) -> None:
    create(shop)
    shop.sales((1, "2024-05-01 10:00:00", "1.50"))
    sign = "`" if shop.server.kind == "mysql" else '"'
    shop.server.execute(f"ALTER TABLE sales RENAME TO {sign}2024.sales{sign}")
    assert [row[0] for row in shop.rows(sales={**FULL, "table": '"2024.sales"'})] == ["1"]


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_a_host_that_never_answers_is_given_up_and_may_pass(tmp_path: Path, scheme: str) -> None:
    shop = Shop(Server("sqlite", "", tmp_path), tmp_path)
    shop.timeout = "2 seconds"
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        shop.url = f"{scheme}://u:{PASSWORD_IN_URL}@127.0.0.1:{silent.getsockname()[1]}/d"
        assert "did not answer" in shop.failure(sales=FULL)
    shop.url = f"{scheme}://u:{PASSWORD_IN_URL}@127.0.0.1:{free_port()}/d"
    [failure] = shop.ask(sales=FULL).failures
    assert failure.error.transient
    assert str(failure.error).count("onnect") == 1, failure.error  # Connection refused, and no driver's words around it


def test_a_lock_is_not_waited_for_for_ever(addresses: Any, tmp_path_factory: Any, tmp_path: Path) -> None:
    shop = Shop(server_of("postgres", addresses, tmp_path_factory, tmp_path), tmp_path)
    shop.timeout = "2 seconds"
    create(shop)
    holder = shop.server.connect(autocommit=False)
    shop.server.run(holder, "LOCK TABLE sales IN ACCESS EXCLUSIVE MODE")
    [failure] = shop.ask(sales=FULL).failures
    holder.rollback()
    assert failure.error.transient and "lock" in str(failure.error)


def test_a_busy_sqlite_file_may_pass(tmp_path: Path) -> None:
    shop = Shop(Server("sqlite", "", tmp_path), tmp_path)
    shop.timeout = "0.1 seconds"
    create(shop)
    holder = sqlite3.connect(tmp_path / "shop.sqlite", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    [failure] = shop.ask(sales=FULL).failures
    holder.close()
    assert failure.error.transient and "locked" in str(failure.error)


def test_a_connection_that_breaks_in_the_middle_lands_nothing_and_the_next_run_all(
    addresses: Any, tmp_path_factory: Any, tmp_path: Path
) -> None:
    shop = Shop(server_of("postgres", addresses, tmp_path_factory, tmp_path), tmp_path)
    shop.server.execute(
        "CREATE TABLE sales AS SELECT g AS id, repeat('x', 500) AS a FROM generate_series(1, 200000) AS g"
    )
    killed = threading.Event()

    def kill() -> None:
        sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%COPY (SELECT%' AND pid <> pg_backend_pid()"
        while not killed.is_set():
            shop.server.execute(sql)
            killed.wait(0.02)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        failures = shop.ask(sales={"mode": "append", "cursor": "id"}).failures
    finally:
        killed.set()
        killer.join()
    assert failures and failures[0].error.transient and shop.landed() == []
    assert len(shop.rows(sales={"mode": "append", "cursor": "id"})) == 200_000


class Relay:
    """A way to a server on loopback that at some time forwards nothing more, and keeps every connection open."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query))
        self._target = options.get("host") or parts.hostname, parts.port or 5432
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._kept: list[socket.socket] = []
        self.falls_silent = threading.Event()
        #: Bytes of answers that are let through once it may fall silent.
        self.lets_through = 1 << 20
        host = f"127.0.0.1:{self._listener.getsockname()[1]}"
        login = parts.netloc.rpartition("@")[0] or "postgres"
        self.url = f"{parts.scheme}://{login}@{host}{parts.path}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        for kept in (self._listener, *self._kept):
            kept.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                host, port = self._target
                if str(host).startswith("/"):
                    server = socket.socket(socket.AF_UNIX)
                    server.connect(f"{host}/.s.PGSQL.{port}")
                else:
                    server = socket.create_connection((host, port))
                self._kept += [client, server]
                for way in ((client, server), (server, client)):
                    threading.Thread(target=self._forward, args=way, daemon=True).start()

    def _forward(self, sender: socket.socket, receiver: socket.socket) -> None:
        with suppress(OSError):
            while data := sender.recv(65_536):
                if self.falls_silent.is_set():
                    self.lets_through -= len(data)
                    if self.lets_through < 0:
                        return
                receiver.sendall(data)


def test_a_server_that_falls_silent_in_the_middle_is_not_waited_for_for_ever(
    addresses: Any, tmp_path_factory: Any, tmp_path: Path
) -> None:
    """No reset comes, and keep-alive packets are answered: nothing but the clock tells."""
    shop = Shop(server_of("postgres", addresses, tmp_path_factory, tmp_path), tmp_path)
    shop.server.execute(
        "CREATE TABLE small AS SELECT 1 AS id",
        "CREATE TABLE sales AS SELECT g AS id, repeat('x', 500) AS a FROM generate_series(1, 20000) AS g",
    )
    relay = Relay(shop.url)
    shop.url, shop.answer_timeout = relay.url, "0.5 seconds"
    try:
        assert len(shop.rows(sales={"mode": "append"})) == 20_000
        relay.falls_silent.set()
        began = time.monotonic()
        failures = shop.ask(sales={"mode": "append"}, small={"mode": "append"}).failures
        assert time.monotonic() - began < 10
    finally:
        relay.close()
    assert {failure.table for failure in failures} == {"sales", "small"}
    for failure in failures:
        assert failure.error.transient and "has said nothing for 0.5 seconds" in failure.error.what
        assert failure.error.todo and "raise answer_timeout" in failure.error.todo


@pytest.mark.parametrize(("kind", "slow"), [("postgres", "pg_sleep(0.4)::text"), ("mysql", "sleep(1.2)")])
def test_a_query_that_takes_its_time_is_waited_for(
    kind: str, slow: str, addresses: Any, tmp_path_factory: Any, tmp_path: Path
) -> None:
    shop = Shop(server_of(kind, addresses, tmp_path_factory, tmp_path), tmp_path)
    shop.timeout = "1 second"
    table = {"mode": "append", "query": f"SELECT {slow} AS slept"}
    assert not shop.ask(sales=table).failures
    shop.answer_timeout = "0.2 seconds"
    [failure] = shop.ask(sales=table).failures
    assert failure.error.transient
