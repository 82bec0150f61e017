"""Looking back from a cursor's value, in the form in which the source writes it; which rows are known."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from systock.extract.database import Value
from systock.extract.late_rows import moved_back, packed, row_hashes, unknown_rows, unpacked, written_like


@pytest.mark.parametrize(
    ("text", "window", "earlier"),
    [
        ("2024-03-01 00:05:00", timedelta(minutes=10), "2024-02-29 23:55:00"),
        ("2024-03-01T00:05:00.500Z", timedelta(minutes=10), "2024-02-29T23:55:00.500Z"),
        ("2024-03-01 00:05:00.123456+00", timedelta(milliseconds=1), "2024-03-01 00:05:00.122456+00"),
        ("2024-03-01 00:05", timedelta(minutes=10), "2024-02-29 23:55"),
        ("2024-03-01 00:05:00+05:30", timedelta(days=1), "2024-02-29 00:05:00+05:30"),
        ("2024-03-01", timedelta(days=1), "2024-02-29"),
        ("2024-03-01", timedelta(minutes=1), "2024-02-29"),
        ("0001-01-01 00:00:00", timedelta(days=1), "0001-01-01 00:00:00"),
        ("17", 5, "12"),
        ("-3", 5, "-8"),
        ("10.50", 1, "9.50"),
        ("99999999999999999999", 1, "99999999999999999998"),
        ("1717171717", timedelta(days=1), None),
        ("2024-13-01", timedelta(days=1), None),
        ("infinity", timedelta(days=1), None),
        ("x17", 5, None),
        ("2024-03-01", 5, None),
    ],
)
def test_so_much_earlier_in_the_same_form(text: str, window: timedelta | int, earlier: str | None) -> None:
    assert moved_back(Value(text, bare=True), window) == (earlier and Value(earlier, bare=True))


@given(
    st.datetimes(datetime(1000, 1, 1), datetime(9998, 1, 1)), st.timedeltas(timedelta(0), timedelta(3650)),
    st.sampled_from(["2024-03-01 00:05:00", "2024-03-01T00:05:00.123456Z", "2024-03-01 00:05:00.5+00"]),
)  # fmt: skip
def test_texts_sort_as_their_times(instant: datetime, window: timedelta, form: str) -> None:
    text = written_like(Value(form), instant)
    early = moved_back(Value(text), window)
    assert early is not None and early.text <= text and len(early.text) == len(text)
    if "." not in form:
        whole = instant.replace(microsecond=0)
        assert early.text == (whole - window).strftime("%Y-%m-%d %H:%M:%S").zfill(19)


TEXTS = st.one_of(st.none(), st.text(max_size=3))


@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=8), st.lists(st.tuples(TEXTS, TEXTS), max_size=8))
def test_only_rows_that_were_not_there_pass(before: list[tuple[str, str]], now: list[tuple[str, str]]) -> None:
    def batch(rows: list[tuple[str, str]]) -> pa.RecordBatch:
        columns = [pa.array([row[place] for row in rows], pa.string()) for place in (0, 1)]
        return pa.RecordBatch.from_arrays(columns, names=["a", "b"])

    known = unpacked(packed(row_hashes(batch(before))))
    [passed] = unknown_rows([batch(now)], known)
    escaped = Counter(tuple(v and v.replace("\0", "\\u0000") for v in row) for row in before)
    expected = []
    for row in now:
        said = tuple(v and v.replace("\0", "\\u0000") for v in row)
        expected += [] if escaped[said] else [row]
        escaped[said] -= bool(escaped[said])
    assert [tuple(row.values()) for row in passed.to_pylist()] == expected
