"""What a system that is asked delivers, as raw rows: what is no row among them, and a hash that does not see how they are cut."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pyarrow as pa

from systock.extract.pull import Pull, malformed_rows
from systock.extract.read_pull import PullReader


def reader(*batches: pa.RecordBatch) -> PullReader:
    def read() -> Iterator[pa.RecordBatch]:
        yield from batches

    return PullReader(Pull("shop", "orders", "append", "GET /orders", "1", datetime(2024, 1, 1, tzinfo=UTC), read()))


def rows(*values: str, name: str = "id") -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array(values)], names=[name])


def lines(found: PullReader) -> list[dict[str, str | int | None]]:
    return [line for batch in found for line in batch.to_pylist()]


def hash_of(*batches: pa.RecordBatch) -> str:
    found = reader(*batches)
    list(found)
    return found.content_hash


def test_what_is_no_row_is_numbered_with_the_rows() -> None:
    found = reader(rows("a"), malformed_rows([("5", "not an object"), ("a\x00\ud800", "no")]), rows("b", name="ID"))
    assert lines(found) == [
        {"_row": 1, "_malformed": None, "_reason": None, "id": "a"},
        {"_row": 2, "_malformed": "5", "_reason": "not an object", "id": None},
        {"_row": 3, "_malformed": "a\\u0000\\ud800", "_reason": "no", "id": None},
        {"_row": 4, "_malformed": None, "_reason": None, "id": None, "ID_2": "b"},
    ]
    assert (found.lines, found.malformed, found.columns) == (4, 2, ("id", "ID_2"))


def test_the_hash_is_over_what_is_no_row_too() -> None:
    five, six = malformed_rows([("5", "not an object")]), malformed_rows([("6", "not an object")])
    hashes = {hash_of(rows("a")), hash_of(rows("a"), five), hash_of(rows("a"), six), hash_of(rows("a"), five, five)}
    assert len(hashes) == 4
    assert hash_of(rows("a", "b"), five) == hash_of(rows("a"), rows("b"), five)


def test_a_column_that_comes_after_what_is_no_row() -> None:
    five = malformed_rows([("5", "not an object")])
    both = pa.RecordBatch.from_arrays([pa.array([None, None, "b"]), pa.array(["a", None, None])], names=["new", "id"])
    assert hash_of(rows("a"), five, rows("b", name="new")) != hash_of(both)
    assert lines(reader(rows("a"), five, rows("b", name="new")))[2] == {
        "_row": 3,
        "_malformed": None,
        "_reason": None,
        "id": None,
        "new": "b",
    }
