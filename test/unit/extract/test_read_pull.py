"""The content hash of an extraction: the same however it is cut and ordered in columns, another for other content."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from systock.extract.pull import DELETED_AT, Pull
from systock.extract.read_pull import PullReader

NAMES = ["a", "b", "A", "_row", DELETED_AT]
ROWS = st.lists(st.dictionaries(st.sampled_from(NAMES), st.one_of(st.none(), st.text(max_size=3))), max_size=6)


def read(batches: list[pa.RecordBatch]) -> PullReader:
    pull = Pull("s", "t", "append", "p", "@", datetime(2024, 1, 1, tzinfo=UTC), iter(batches))
    reader = PullReader(pull)
    reader.rows = [row for batch in reader for row in batch.to_pylist()]  # type: ignore[attr-defined]
    return reader


def batch(rows: list[dict[str, str | None]], names: list[str], padding: int = 0) -> pa.RecordBatch:
    schema = pa.schema([(name, pa.string()) for name in names])
    return pa.RecordBatch.from_pylist([{}] * padding + rows, schema=schema).slice(padding)


@given(ROWS, st.lists(st.integers(0, 6), max_size=3), st.permutations(NAMES), st.integers(0, 2))
def test_how_rows_are_cut_is_no_content(
    rows: list[dict[str, str | None]], cuts: list[int], names: list[str], padding: int
) -> None:
    whole = read([batch(rows, NAMES)])
    ends = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    cut = read([batch(rows[start:end], names, padding) for start, end in pairwise(ends)])
    assert [row["_row"] for row in cut.rows] == list(range(1, len(rows) + 1))  # type: ignore[attr-defined]
    # Of names that differ only in case, or that are SyStock's own, the first one met keeps itself.
    if names.index("a") < names.index("A"):
        assert cut.content_hash == whole.content_hash or not rows


@given(ROWS, ROWS)
def test_other_rows_are_other_content(one: list[dict[str, str | None]], other: list[dict[str, str | None]]) -> None:
    def said(rows: list[dict[str, str | None]]) -> list[list[str | None]]:
        return [
            [(row.get(name) or "").replace("\0", "\\u0000") if row.get(name) is not None else None for name in NAMES]
            for row in rows
        ]

    same = read([batch(one, NAMES)]).content_hash == read([batch(other, NAMES)]).content_hash
    assert same == (said(one) == said(other))
