"""Parts: row groups, widening, and leaving nothing behind."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from systock.etl_pipeline.bronze_layer import part_writer
from systock.etl_pipeline.bronze_layer.part_writer import PartWriter, columns_of, widened
from systock.extract.raw_rows import malformed_batch, row_batch


def rows(columns: tuple[str, ...], first: int, count: int) -> pa.RecordBatch:
    values = [pa.array([f"{name}{n}" for n in range(count)], pa.string()) for name in columns]
    return row_batch(columns, pa.arange(first, first + count), values)


def test_rows_gather_into_row_groups_of_the_size_that_scans_like(tmp_path: Path) -> None:
    with patch.object(part_writer, "ROW_GROUP_ROWS", 100):
        part = PartWriter(tmp_path / "x.parquet", ("a",))
        for number in range(1, 8):
            part.write(number, rows(("a",), 1, 45))
        part.finish()
    stored = pq.ParquetFile(tmp_path / "x.parquet")
    assert [stored.metadata.row_group(n).num_rows for n in range(stored.num_row_groups)] == [100, 100, 100, 15]
    table = stored.read()
    assert table.schema.names == ["_batch_no", "_row", "_malformed", "_reason", "a"]
    assert [str(kind) for kind in table.schema.types] == ["int32", "int64", "string", "string", "string"]
    assert table["_batch_no"].to_pylist() == [number for number in range(1, 8) for _ in range(45)]


def test_column_names_of_all_kinds(tmp_path: Path) -> None:
    names = ("x.y", "_row.z", "a b", "é", 'q"', "_batch_no_", "list.element")
    part = PartWriter(tmp_path / "x.parquet", names)
    part.write(1, rows(names, 1, 2))
    part.finish()
    table = pq.read_table(tmp_path / "x.parquet")
    assert tuple(table.column_names[4:]) == names
    assert table["x.y"].to_pylist() == ["x.y0", "x.y1"]


def test_wide_rows_end_a_row_group_by_their_size(tmp_path: Path) -> None:
    with patch.object(part_writer, "ROW_GROUP_BYTES", 1000):
        part = PartWriter(tmp_path / "x.parquet", ("a",))
        for number in range(5):
            part.write(1, row_batch(("a",), pa.array([number]), [pa.array(["x" * 600])]))
        part.finish()
    assert pq.ParquetFile(tmp_path / "x.parquet").num_row_groups == 3


def test_columns_that_come_later_are_null_before(tmp_path: Path) -> None:
    part = PartWriter(tmp_path / "x.parquet", ())
    part.write(1, malformed_batch((), [(1, "x", "not JSON")]))
    part.write(1, rows(("a",), 2, 2))
    part.write(1, rows(("a", "b"), 4, 1))
    part.finish()
    assert [path.name for path in tmp_path.iterdir()] == ["x.parquet"]
    table = pq.read_table(tmp_path / "x.parquet")
    assert table["_row"].to_pylist() == [1, 2, 3, 4]
    assert (table["a"].to_pylist(), table["b"].to_pylist()) == ([None, "a0", "a1", "a0"], [None, None, None, "b0"])


@pytest.mark.parametrize("broken", ["write_table", "close"])
def test_a_part_that_fails_leaves_nothing(tmp_path: Path, broken: str) -> None:
    part = PartWriter(tmp_path / "x.parquet", ("a",))
    part.write(1, rows(("a",), 1, 3))
    part.write(1, rows(("a", "b"), 4, 3))
    with patch.object(pq.ParquetWriter, broken, side_effect=RuntimeError), pytest.raises(RuntimeError):
        part.finish()
    part.discard()
    assert list(tmp_path.iterdir()) == []


def test_widening_keeps_values_and_fills_with_null() -> None:
    batch = widened(rows(("a", "b"), 1, 1), ("b", "c", "a"))
    assert columns_of(batch) == ("b", "c", "a")
    assert batch.to_pylist() == [{"_row": 1, "_malformed": None, "_reason": None, "b": "b0", "c": None, "a": "a0"}]
