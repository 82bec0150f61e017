"""Parquet files and tables in memory as text."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from systock.extract.arrow_text import as_text
from systock.extract.batch import FileRejected
from systock.extract.read_arrow import TableReader

from .reading import collect, read_file, source_settings, version_of, write


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        ("1.10", pa.string(), "1.10"),
        ("", pa.large_string(), ""),
        ("a\0b", pa.string(), "a\\u0000b"),
        ("x", pa.dictionary(pa.int8(), pa.string()), "x"),
        (Decimal("1.10"), pa.decimal128(9, 2), "1.10"),
        (Decimal("-5E+1"), pa.decimal128(9, 0), "-50"),
        (Decimal("0.0000001"), pa.decimal128(9, 7), "0.0000001"),
        (
            Decimal("123456789012345678901234567890.1234567890"),
            pa.decimal256(45, 10),
            "123456789012345678901234567890.1234567890",
        ),
        (-7, pa.int64(), "-7"),
        (1.5, pa.float64(), "1.5"),
        (0.1, pa.float32(), "0.1"),
        (True, pa.bool_(), "true"),
        (date(2024, 2, 29), pa.date32(), "2024-02-29"),
        (date(2024, 2, 29), pa.date64(), "2024-02-29"),
        (time(9, 30), pa.time64("us"), "09:30:00"),
        (time(9, 30, 0, 100), pa.time64("us"), "09:30:00.0001"),
        (datetime(2024, 2, 29, 10, 0), pa.timestamp("us"), "2024-02-29 10:00:00"),
        (datetime(2024, 2, 29, 10, 0, 0, 500_000), pa.timestamp("ns"), "2024-02-29 10:00:00.5"),
        (datetime(2024, 2, 29, 10, 0, 10), pa.timestamp("s"), "2024-02-29 10:00:10"),
        (datetime(2024, 2, 29, 10, tzinfo=UTC), pa.timestamp("ms", "Europe/Berlin"), "2024-02-29 10:00:00Z"),
        (timedelta(days=1, seconds=5), pa.duration("s"), "1 day, 0:00:05"),
        (b"abc", pa.binary(), "abc"),
        (b"\xff\x00", pa.binary(), "/wA="),
        ([1, None], pa.list_(pa.int32()), "[1,null]"),
        ({"a": Decimal("1.50"), "b": date(2024, 1, 1)}, None, '{"a":"1.50","b":"2024-01-01"}'),
    ],
)
def test_values_have_one_canonical_text(value: Any, kind: pa.DataType, text: str) -> None:
    kind = kind or pa.struct([("a", pa.decimal128(9, 2)), ("b", pa.date32())])
    assert as_text(pa.array([value, None], kind)).to_pylist() == [text, None]


def test_a_column_without_a_type_is_null() -> None:
    assert as_text(pa.nulls(2)).to_pylist() == [None, None]


def test_trailing_zeros_go_only_from_fractions() -> None:
    values = [datetime(2024, 1, 1, 0, 0, 10), datetime(2024, 1, 1, 0, 0, 0, 120_000), None]
    texts = ["2024-01-01 00:00:10", "2024-01-01 00:00:00.12", None]
    assert as_text(pa.array(values, pa.timestamp("us"))).to_pylist() == texts


def parquet(path: Path, table: pa.Table) -> Path:
    pq.write_table(table, path)
    os.utime(path, (5, 5))
    return path


def test_a_parquet_file_is_read_with_its_row_numbers(tmp_path: Path) -> None:
    columns = [pa.array([1, 2]), pa.array(["", None]), pa.array(["a", "b"])]
    path = parquet(tmp_path / "x.parquet", pa.Table.from_arrays(columns, names=["id", "_row", "ID"]))
    table = source_settings(sales={"path": "x.parquet"}).tables["sales"]
    found = collect(read_file(version_of(path, tmp_path), table, tmp_path))
    assert found.columns == ("id", "_row_", "ID_2")
    assert found.rows == {1: ("1", "", "a"), 2: ("2", None, "b")}


def test_data_that_are_no_parquet_are_rejected(tmp_path: Path) -> None:
    path = parquet(tmp_path / "x.parquet", pa.table({"id": list(range(1000))}))
    table = source_settings(sales={"path": "x.parquet"}).tables["sales"]
    whole = path.read_bytes()
    damaged = whole[:20] + bytes(255 - byte for byte in whole[20:60]) + whole[60:]
    for content in (b"", b"PAR1", whole[:-5], whole[10:], damaged):
        write(path, content)
        with pytest.raises(FileRejected):
            collect(read_file(version_of(path, tmp_path), table, tmp_path))


def test_the_hash_of_a_table_is_of_its_values_not_of_its_layout() -> None:
    table = pa.table({"a": ["x", None, "", "yz"], "b": [1, 2, None, 4]})
    hashed = TableReader(table).content_hash
    cut = pa.concat_tables([table.slice(0, 1), table.slice(1)])
    assert TableReader(cut).content_hash == hashed
    assert TableReader(pa.concat_tables([table, table]).slice(4)).content_hash == hashed
    others = [
        table.rename_columns(["a", "c"]),
        pa.table({"a": ["x", "", None, "yz"], "b": [1, 2, None, 4]}),
        pa.table({"a": ["x", None, "y", "z"], "b": [1, 2, None, 4]}),
        table.slice(1),
    ]
    assert len({hashed, *(TableReader(other).content_hash for other in others)}) == 5
    assert collect(TableReader(table)).rows[3] == ("", None)


def test_bytes_are_judged_each_for_itself() -> None:
    from systock.extract.arrow_text import as_text

    assert as_text(pa.array([b"a", b"\xff\x00", None])).to_pylist() == ["a", "/wA=", None]
