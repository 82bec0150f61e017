"""Keys that are gone, against plain sets."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from systock.extract.known_keys import gone, keys_table, packed_keys, unpacked_keys

ROWS = st.dictionaries(st.tuples(st.integers(0, 3), st.sampled_from(["", "a", "B"])), st.sampled_from(["1", "2"]))


def table(rows: dict[tuple[int, str], str]) -> pa.Table:
    batch = pa.RecordBatch.from_pydict({
        "id": pa.array([key[0] for key in rows], pa.int64()), "at": pa.array(list(rows.values()), pa.string()),
        "site": pa.array([key[1] for key in rows], pa.string()),
    }).select(["id", "site", "at"])  # fmt: skip
    return keys_table([batch], ["id", "site", "at"], ["id", "site"])


@given(ROWS, ROWS)
def test_what_is_gone_is_told_with_its_last_instant(
    before: dict[tuple[int, str], str], now: dict[tuple[int, str], str]
) -> None:
    known = unpacked_keys(packed_keys(table(before)))
    told = [row for batch in gone(known, table(now), ["id", "site"], "T") for row in batch.to_pylist()]
    assert told == [
        {"id": str(n), "site": site, "at": before[n, site], "_deleted_at": "T"}
        for n, site in sorted(before.keys() - now.keys())
    ]


@given(ROWS, st.randoms(use_true_random=False))
def test_the_same_keys_are_the_same_text(rows: dict[tuple[int, str], str], random: object) -> None:
    turned = dict(reversed(rows.items()))
    assert packed_keys(table(rows)) == packed_keys(table(turned))


def test_null_is_no_key() -> None:
    batch = pa.RecordBatch.from_pydict({"id": pa.array(["1", None])})
    assert keys_table([batch], ["id"], ["id"]).to_pylist() == [{"id": "1"}]
