"""Exported files say what the tables say, to the letter, and are there whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from systock.data_warehouse.engine.duckdb import DuckDBEngine, connect
from systock.errors import NotWritable, StorageError, UsageError
from systock.load.export import export_tables, file_name, matching

ROWS = [
    (1, "", Decimal("1.5000"), date(2024, 2, 29), datetime(9999, 12, 31, tzinfo=UTC), True, UUID(int=7)),
    (2, None, None, None, None, None, None),
    (3, 'a "quoted", text\nof two lines\r', Decimal("-0.0001"), date(1900, 1, 1), datetime(2024, 3, 31, 1, 30, 0, 250, UTC), False, UUID(int=0)),
    (4, "NULL", Decimal("12345678901234.5678"), date(9999, 12, 31), datetime(1900, 1, 1, tzinfo=UTC), None, None),
    (5, " ;é\t€ ", Decimal("0.0000"), None, None, None, None),
]  # fmt: skip


@pytest.fixture
def engine() -> Iterator[DuckDBEngine]:
    with connect(None) as engine:
        for schema in ("gold", "serve", "work", "bronze"):
            engine.execute(f"CREATE SCHEMA {schema}")
        engine.execute(
            "CREATE TABLE gold.fact (n BIGINT, t VARCHAR, amount DECIMAL(18, 4), d DATE, moment TIMESTAMPTZ, b BOOLEAN, u UUID)"
        )
        engine.insert("gold.fact", ROWS)
        engine.execute("CREATE VIEW serve.total AS SELECT sum(n)::BIGINT AS n FROM gold.fact")
        engine.execute('CREATE TABLE gold."ümlaut/..%" AS SELECT 1 AS "a,b"')
        engine.execute("CREATE TABLE work.hidden AS SELECT 1 AS a")
        engine.execute("CREATE TABLE bronze.hidden AS SELECT 1 AS a")
        engine.execute("CREATE MACRO serve.as_of(day, known_at) AS TABLE SELECT 1 AS a")
        yield engine


def export(engine: DuckDBEngine, asked: list[str], folder: Path, form: str) -> list[dict[str, object]]:
    return export_tables(engine, matching(engine, asked), folder, form, lambda _: None)


def test_csv_is_exact_and_tells_missing_from_empty(engine: DuckDBEngine, tmp_path: Path) -> None:
    [told] = export(engine, ["gold.fact"], tmp_path / "new" / "folder", "csv")
    path = tmp_path / "new" / "folder" / "gold.fact.csv"
    assert told == {"table": "gold.fact", "file": str(path), "rows": 5, "bytes": path.stat().st_size}
    text = path.read_bytes().decode()
    head, rest = text.split("\n", 1)
    assert head == "n,t,amount,d,moment,b,u"
    lines = {line.split(",")[0]: line for line in rest.split("\n")}
    assert lines["1"] == '1,"",1.5000,2024-02-29,9999-12-31 00:00:00+00,true,00000000-0000-0000-0000-000000000007'
    assert lines["2"] == "2,,,,,,"
    assert lines["3"] == '3,"a ""quoted"", text'
    assert '\r",-0.0001,1900-01-01,2024-03-31 01:30:00.00025+00,false,' in text
    assert lines["4"] == "4,NULL,12345678901234.5678,9999-12-31,1900-01-01 00:00:00+00,,"
    # Read back as texts by another reader: nothing was lost.
    texts = pyarrow.csv.ConvertOptions(
        strings_can_be_null=True, quoted_strings_can_be_null=False, null_values=[""],
        column_types={"t": pa.string(), "amount": pa.decimal128(18, 4)},
    )  # fmt: skip
    parse = pyarrow.csv.ParseOptions(newlines_in_values=True)
    read = pyarrow.csv.read_csv(path, parse_options=parse, convert_options=texts).sort_by("n").to_pydict()
    assert read["t"] == [row[1] for row in ROWS]
    assert read["amount"] == [row[2] for row in ROWS]


def test_parquet_keeps_types_and_values(engine: DuckDBEngine, tmp_path: Path) -> None:
    export(engine, ["gold.fact"], tmp_path, "parquet")
    table = pyarrow.parquet.read_table(tmp_path / "gold.fact.parquet").sort_by("n")
    assert [str(table.schema.field(name).type) for name in ("n", "t", "amount", "d", "b")] == [
        "int64", "string", "decimal128(18, 4)", "date32[day]", "bool",
    ]  # fmt: skip
    assert table.column("moment").type == pa.timestamp("us", "UTC")
    at = [None if row[4] is None else row[4] for row in ROWS]
    assert [v.as_py() for v in table.column("moment")] == at
    for name, position in (("t", 1), ("amount", 2), ("d", 3), ("b", 5)):
        assert table.column(name).to_pylist() == [row[position] for row in ROWS]
    assert [value and str(UUID(bytes=value) if isinstance(value, bytes) else value) for value in table.column("u").to_pylist()] == [
        None if row[6] is None else str(row[6]) for row in ROWS
    ]  # fmt: skip


def test_names_and_patterns(engine: DuckDBEngine) -> None:
    assert matching(engine, ["serve.total", "GOLD.f*", "serve.*"]) == [("serve", "total"), ("gold", "fact")]
    assert [name for _, name in matching(engine, ["*"])] == ["fact", "ümlaut/..%", "total"]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("gold.fakt", ["'gold.fakt'. Did you mean 'gold.fact'?", "There are gold.fact, gold.ümlaut/..%."]),
        ("total", ["'total'", "schema.table", "Schemas: gold, serve."]),
        ("nope.*", ["'nope.*'", "Schemas: gold, serve."]),
        ("work.hidden", ["'work.hidden'"]),
        ("serve.AS_OF", ["a question with arguments: serve.as_of(day, known_at)", "systock query"]),
    ],
)
def test_what_is_no_table(engine: DuckDBEngine, tmp_path: Path, asked: str, told: list[str]) -> None:
    with pytest.raises(UsageError) as refused:
        export(engine, ["gold.fact", asked], tmp_path / "out", "csv")
    for text in told:
        assert text in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_a_name_cannot_leave_the_folder(engine: DuckDBEngine, tmp_path: Path) -> None:
    [told] = export(engine, ["gold.ü*"], tmp_path, "csv")
    assert (tmp_path / "gold.ümlaut%2F..%25.csv").read_text() == '"a,b"\n1\n'
    assert told["file"] == str(tmp_path / "gold.ümlaut%2F..%25.csv")
    assert file_name("a./../b", "csv") == "a.%2F..%2Fb.csv"


def test_a_folder_with_a_quote_in_its_name(engine: DuckDBEngine, tmp_path: Path) -> None:
    export(engine, ["serve.total"], tmp_path / "o'clock", "csv")
    assert (tmp_path / "o'clock" / "serve.total.csv").read_text() == "n\n15\n"


def test_a_failure_leaves_the_earlier_export(engine: DuckDBEngine, tmp_path: Path) -> None:
    export(engine, ["gold.fact", "serve.total"], tmp_path, "csv")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    engine.execute("INSERT INTO gold.fact (n) VALUES (6)")
    engine.execute("CREATE VIEW serve.wrong AS SELECT error('no')::BIGINT AS a FROM gold.fact")
    with pytest.raises(Exception, match="no"):
        export(engine, ["gold.fact", "serve.total", "serve.wrong"], tmp_path, "csv")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    export(engine, ["gold.fact", "serve.total"], tmp_path, "csv")
    assert (tmp_path / "serve.total.csv").read_text() == "n\n21\n"


def test_a_folder_that_cannot_be_written(engine: DuckDBEngine, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is a file"):
        export(engine, ["serve.total"], tmp_path / "file", "csv")
    with pytest.raises(StorageError, match="Not a directory"):
        export(engine, ["serve.total"], tmp_path / "file" / "below", "csv")
    # Nobody may make a folder there, root included.
    with pytest.raises(StorageError, match="/proc/systock"):
        export(engine, ["serve.total"], Path("/proc/systock"), "csv")


def test_a_table_that_is_a_folder_there_already(engine: DuckDBEngine, tmp_path: Path) -> None:
    (tmp_path / "serve.total.csv").mkdir()
    with pytest.raises(UsageError, match=r"serve\.total\.csv is a folder"):
        export(engine, ["gold.fact", "serve.total"], tmp_path, "csv")
    assert [path.name for path in tmp_path.iterdir()] == ["serve.total.csv"]


def test_a_refusal_of_the_disk_says_where_to_go(
    engine: DuckDBEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkdtemp", refused)
    with pytest.raises(NotWritable, match="not permitted") as told:
        export(engine, ["serve.total"], tmp_path, "csv")
    assert told.value.where == str(tmp_path) and "--to DIR" in str(told.value.todo)


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_memory_does_not_grow_with_the_table(tmp_path: Path, form: str) -> None:
    """Some 300 MB leave through an engine that may keep 200 MB; as one row group they would not."""
    with connect(None, memory_limit="200MB", threads=2) as engine:
        engine.execute("CREATE SCHEMA serve")
        engine.execute(
            "CREATE VIEW serve.wide AS SELECT i, repeat(i::VARCHAR || '/', 1000) AS t FROM range(50_000) AS r (i)"
        )
        [told] = export(engine, ["serve.wide"], tmp_path, form)
    assert told["rows"] == 50_000
