"""Names of raw columns."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from systock.extract.batch import RESERVED_COLUMNS
from systock.extract.column_names import extended_names, unique_names

NAMES = st.lists(st.sampled_from(["a", "A", "a_2", "A_2", "", " a ", "_row", "_ROW", "_row_", "column_1", "ß", "ss"]))


def test_cases() -> None:
    assert unique_names(["id", "ID", "Id"]) == ("id", "ID_2", "Id_3")
    assert unique_names(["a", "a", "a_2"]) == ("a", "a_3", "a_2")
    assert unique_names(["", "x", " "]) == ("column_1", "x", "column_3")
    assert unique_names(["_row", "_Reason", "_row_"]) == ("_row_", "_Reason_", "_row__2")
    assert extended_names(("a", "A_2"), ["A_2", "b", "", "a"]) == ("a", "A_2", "A_2_2", "b", "column_5", "a_3")


@given(NAMES, NAMES)
def test_names_are_unique_however_case_is_folded(first: list[str], more: list[str]) -> None:
    names = unique_names(first)
    extended = extended_names(names, more)
    assert extended[: len(names)] == names
    assert len(extended) == len(first) + len(more)
    assert len({name.casefold() for name in extended}) == len(extended)
    assert not {name.casefold() for name in extended} & set(RESERVED_COLUMNS)
    assert all(extended)
