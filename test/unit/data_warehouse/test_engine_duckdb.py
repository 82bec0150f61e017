"""The DuckDB engine: its settings, transactions, types and errors."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from systock.data_warehouse.engine.base import Engine, OutOfMemory, QueryError
from systock.data_warehouse.engine.duckdb import DuckDBEngine, _translated, connect
from systock.data_warehouse.table_file import parse_text
from systock.errors import IntegrityError, StorageError, SystockError

TABLE = """\
-- It's a row.
-- refresh: full
CREATE TABLE gold.x (
    id       text           PRIMARY KEY,        -- the id's text
    amount   numeric(18, 4) CHECK (amount > 0), -- amount
    "order"  integer        NOT NULL,           -- order
    sold_at  timestamptz,                       -- instant
    key      uuid,                              -- key
    share    double precision                   -- share
);
SELECT 'a' AS id, 1.25 AS amount, 2 AS "order", TIMESTAMPTZ '2024-01-01 00:00:00+02' AS sold_at, fact_key('a') AS key, 1 AS share;
"""


@pytest.fixture
def engine() -> Iterator[DuckDBEngine]:
    with connect(None) as opened:
        yield opened


def test_settings_that_results_depend_on(tmp_path: Path) -> None:
    with connect(tmp_path / "x.duckdb", memory_limit="300MB", threads=1, temp_directory=tmp_path / "tmp") as engine:
        for one in (engine, engine.cursor()):
            names = "TimeZone disabled_optimizers autoinstall_known_extensions autoload_known_extensions preserve_insertion_order threads"
            found = dict(one.rows("SELECT name, value FROM duckdb_settings()"))
            assert [found[name] for name in names.split()] == [
                "UTC",
                "common_subexpressions",
                "false",
                "false",
                "false",
                "1",
            ]
            assert (
                found["temp_directory"] == str(tmp_path / "tmp") and found["storage_compatibility_version"] == "v1.0.0"
            )
            # the bug that the optimizer is off for: two intervals on one column in one SELECT
            assert one.rows("SELECT CAST(d + INTERVAL 1 MONTH AS DATE), CAST(d + INTERVAL 30 DAY AS DATE) FROM (VALUES (DATE '2024-01-31')) AS v (d)") == [
                (datetime(2024, 2, 29).date(), datetime(2024, 3, 1).date())
            ]  # fmt: skip
    with connect(None, keep_order=True) as engine:
        assert engine.rows("SELECT current_setting('preserve_insertion_order')") == [(True,)]


def test_the_file_is_one_that_older_readers_open(tmp_path: Path) -> None:
    with connect(tmp_path / "x.duckdb") as engine:
        engine.execute("CREATE TABLE t AS SELECT range AS a, repeat('x', 100) AS b FROM range(10000)")
        engine.checkpoint()
        [(tags,)] = engine.rows("SELECT tags FROM duckdb_databases() WHERE database_name = 'x'")
        assert tags["storage_version"].startswith("v1.0.0")
    # The storage version of the file header: 64 is what 0.10 to 1.1 wrote and read.
    assert (tmp_path / "x.duckdb").read_bytes()[12] == 64


def test_python_variables_are_no_tables(engine: DuckDBEngine) -> None:
    numbers = pa.table({"a": [1]})
    assert numbers.num_rows
    with pytest.raises(QueryError, match="numbers does not exist"):
        engine.rows("SELECT * FROM numbers")
    with pytest.raises(QueryError, match="numbers does not exist"):
        engine.cursor().rows("SELECT * FROM numbers")


def test_rows_dicts_and_arrow(engine: DuckDBEngine) -> None:
    protocol: Engine = engine
    sql = """SELECT TIMESTAMPTZ '2024-06-01 00:00:00.000001+00' AS at, UUID '3e0c2a2e-1111-4444-8888-123456789012' AS u,
        CAST(5 AS HUGEINT) AS h, CAST(1.5 AS DECIMAL(18, 4)) AS d, NULL AS n, CAST(NULL AS TIMESTAMPTZ) AS e"""
    expected = (
        datetime(2024, 6, 1, 0, 0, 0, 1, tzinfo=UTC), uuid.UUID("3e0c2a2e-1111-4444-8888-123456789012"), 5, Decimal("1.5000"), None, None,
    )  # fmt: skip
    assert protocol.rows(sql) == [expected]
    assert protocol.dicts(sql) == [dict(zip(("at", "u", "h", "d", "n", "e"), expected, strict=True))]
    assert protocol.rows("SELECT UUID '3e0c2a2e-1111-4444-8888-123456789012', CAST(5 AS HUGEINT)") == [expected[1:3]]
    assert protocol.rows("SELECT ? + 1", [2]) == [(3,)]
    assert protocol.rows("SELECT 1 WHERE FALSE") == [] == protocol.dicts(sql + " WHERE FALSE")
    assert protocol.arrow("SELECT 1 AS a").to_pydict() == {"a": [1]}
    assert sum(batch.num_rows for batch in protocol.batches("SELECT range FROM range(250000)")) == 250_000
    assert protocol.columns("SELECT 1 AS a, 'x' AS b") == [("a", "INTEGER"), ("b", "VARCHAR")]


def test_execute_counts_and_insert(engine: DuckDBEngine) -> None:
    assert engine.execute("CREATE TABLE t (a INTEGER, b VARCHAR)") == 0
    assert engine.execute("INSERT INTO t SELECT range, 'x' FROM range(5)") == 5
    assert engine.execute("DELETE FROM t WHERE a < ?", [2]) == 2
    assert engine.execute("UPDATE t SET b = 'y'") == 3
    assert engine.insert("t", [(8, "p"), (9, None)]) == 2
    assert engine.insert("t", []) == 0
    assert engine.insert("t", pa.table({"b": ["q"], "a": [10]})) == 1
    reader = pa.table({"a": [11]}).to_reader()
    assert engine.insert("t", reader) == 1
    assert engine.rows("SELECT a, b FROM t WHERE a > 7 ORDER BY a") == [(8, "p"), (9, None), (10, "q"), (11, None)]
    assert engine.rows("SELECT count(*) FROM duckdb_views() WHERE view_name LIKE 'arrow_%'") == [(0,)]


def test_transactions(engine: DuckDBEngine) -> None:
    engine.execute("CREATE TABLE t (a INTEGER NOT NULL)")
    with engine.transaction():
        engine.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(QueryError), engine.transaction():
        engine.execute("CREATE TABLE u (a INTEGER)")
        engine.execute("INSERT INTO t VALUES (2), (NULL)")
    engine.rollback()  # nothing open: nothing happens
    assert engine.rows("SELECT a FROM t") == [(1,)]
    with pytest.raises(QueryError):
        engine.rows("SELECT * FROM u")
    engine.begin()
    engine.execute("DELETE FROM t")
    engine.rollback()
    assert engine.rows("SELECT a FROM t") == [(1,)]


def test_tables_and_views_from_a_table_file(engine: DuckDBEngine) -> None:
    table = parse_text(TABLE, Path("x.sql"))
    for statement in engine.create_table_sql(table):
        engine.execute(statement)
    types = ["VARCHAR", "DECIMAL(18,4)", "INTEGER", "TIMESTAMP WITH TIME ZONE", "UUID", "DOUBLE"]
    assert [type_ for _, type_ in engine.columns("SELECT * FROM gold.x")] == types
    assert len(engine.column_types(table)) == len(types)
    engine.execute(
        "INSERT INTO gold.x VALUES ('a', -1, 1, NULL, NULL, NULL), ('a', NULL, 1, NULL, NULL, NULL)"
    )  # no keys, no CHECKs
    for values in ("(NULL, 1, 1, NULL, NULL, NULL)", "('a', 1, NULL, NULL, NULL, NULL)"):
        with pytest.raises(QueryError, match="NOT NULL"):
            engine.execute(f"INSERT INTO gold.x VALUES {values}")
    assert engine.rows("SELECT comment FROM duckdb_tables() WHERE table_name = 'x'") == [("It's a row.",)]
    assert engine.rows("SELECT comment FROM duckdb_columns() WHERE table_name = 'x' AND column_name = 'id'") == [
        ("the id's text",)
    ]
    view = parse_text(TABLE.replace("gold.x", "serve.x").replace("full", "view"), Path("x.sql"))
    for statement in [*engine.create_view_sql(view), *engine.create_view_sql(view)]:
        engine.execute(statement)
    assert [type_ for _, type_ in engine.columns("SELECT * FROM serve.x")] == types
    [row] = engine.rows("SELECT * FROM serve.x")
    assert row[:4] == ("a", Decimal("1.2500"), 2, datetime(2023, 12, 31, 22, tzinfo=UTC))
    assert engine.rows("SELECT comment FROM duckdb_views() WHERE view_name = 'x'") == [("It's a row.",)]


def test_errors_name_the_statement(engine: DuckDBEngine) -> None:
    with pytest.raises(QueryError, match="Conversion Error: Could not convert string 'a' to INT32") as caught:
        engine.execute("SELECT CAST('a' AS INTEGER)")
    assert caught.value.sql == "SELECT CAST('a' AS INTEGER)" and "LINE" not in caught.value.what
    with pytest.raises(QueryError, match="syntax error"):
        engine.rows("SELECT (")


def test_a_file_held_by_another_process_is_busy(tmp_path: Path) -> None:
    path = tmp_path / "x.duckdb"
    with connect(path):
        code = f"""
from pathlib import Path
from systock.data_warehouse.engine.duckdb import connect
from systock.errors import BusyError
try:
    connect(Path({str(path)!r}), read_only=True)
except BusyError as error:
    print("busy", error.transient, error.where)
"""
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": ":".join(sys.path)}
        )
    assert done.stdout.strip() == f"busy True {path}", done.stderr


def test_storage_errors(tmp_path: Path, engine: DuckDBEngine) -> None:
    with pytest.raises(StorageError, match="No space left"):
        engine.execute("COPY (SELECT range FROM range(1000000)) TO '/dev/full' (FORMAT csv)")
    with pytest.raises(StorageError, match="cannot be opened"):
        connect(tmp_path / "missing" / "x.duckdb")
    (tmp_path / "x.duckdb").write_bytes(b"no database" * 2000)
    with pytest.raises(IntegrityError, match="damaged or of another version") as caught:
        connect(tmp_path / "x.duckdb")
    assert "rebuild" in (caught.value.todo or "")
    with connect(None, memory_limit="20MB", threads=1, temp_directory=tmp_path / "spill") as small:
        small.execute("SET max_temp_directory_size = '1MB'")
        with pytest.raises(StorageError, match="the disk is full: what does not fit into memory"):
            small.rows("SELECT count(*) FROM (SELECT range, hash(range) AS h FROM range(5000000) ORDER BY h)")
            small.rows("SELECT h, count(*) FROM (SELECT hash(range) AS h FROM range(5000000)) GROUP BY h")


def _kind(error: SystockError) -> tuple[str, bool]:
    assert error.todo or isinstance(error, QueryError)
    return type(error).__name__, error.transient


def test_memory_that_ran_out_and_a_full_disk_are_told_apart(tmp_path: Path) -> None:
    work = "SELECT count(*) FROM (SELECT hash(range) AS h, count(*) FROM range(3000000) GROUP BY h)"
    with connect(None, memory_limit="20MB", threads=1, temp_directory=tmp_path / "spill") as small:
        small.execute("SET max_temp_directory_size = '1MB'")
        with pytest.raises(OutOfMemory, match="the disk is full") as caught:
            small.rows(work)
        assert _kind(caught.value) == ("OutOfMemory", True) and "Free space" in (caught.value.todo or "")
    with connect(None, memory_limit="20MB", threads=1) as small:
        small.execute("SET temp_directory = ''")
        with pytest.raises(OutOfMemory, match="memory ran out") as caught:
            small.rows(work)
        assert "memory_limit" in (caught.value.todo or "") and "disk" not in str(caught.value)


def test_a_damaged_block_is_told_by_whatever_statement_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "build.duckdb"
    with connect(path) as engine:
        engine.execute("CREATE TABLE t AS SELECT hash(range) AS h FROM range(200000)")
    whole = path.read_bytes()
    inside = whole.index(duckdb.sql("SELECT hash(1000)").fetchone()[0].to_bytes(8, "little"))  # type: ignore[index]
    path.write_bytes(whole[:inside] + bytes([whole[inside] ^ 1]) + whole[inside + 1 :])
    with connect(path) as engine:
        for ask in (engine.rows, engine.arrow, engine.execute):
            with pytest.raises(IntegrityError, match="damaged") as caught:
                ask("CREATE TABLE u AS SELECT * FROM t" if ask == engine.execute else "SELECT sum(h) FROM t")
            assert caught.value.where == str(path)
            assert "systock rebuild" in (caught.value.todo or "")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (duckdb.IOException('IO Error: Failed to create directory "x": Read-only file system'), ("NotWritable", False)),
        (duckdb.IOException('IO Error: Could not write file "x": Permission denied'), ("NotWritable", False)),
        (duckdb.TransactionException("Failed to commit: No space left on device"), ("StorageError", True)),
        (duckdb.IOException('IO Error: Could not write to file "x"'), ("StorageError", True)),
        (duckdb.InvalidInputException("Error: Out of Memory Error: failed to offload data block"), ("OutOfMemory", True)),
        (duckdb.ConversionException("Could not convert 'no space left' to INT32"), ("QueryError", False)),
    ],
)  # fmt: skip
def test_what_the_disk_says_passes_or_does_not(error: duckdb.Error, kind: tuple[str, bool]) -> None:
    assert _kind(_translated(error, "SELECT 1", None)) == kind
