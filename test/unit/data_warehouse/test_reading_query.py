"""Queries that others write: the names of their answers."""

from __future__ import annotations

import duckdb
from hypothesis import given
from hypothesis import strategies as st

from systock.data_warehouse.reading_query import distinct_names


@given(st.lists(st.sampled_from(["a", "A", "a_1", "A_1", "a_2", "a_1_1", "b"]), min_size=1, max_size=7))
def test_names_are_made_distinct_as_duckdb_does_it(names: list[str]) -> None:
    columns = ", ".join(f'1 AS "{name}"' for name in names)
    made = duckdb.connect().execute(f"FROM (SELECT {columns})").description
    assert distinct_names(names) == [column[0] for column in made]
    assert len({name.lower() for name in distinct_names(names)}) == len(names)
