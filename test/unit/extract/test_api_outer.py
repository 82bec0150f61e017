"""Records inside of other records take fields of those along that they lie in."""

from __future__ import annotations

from typing import Any

import pytest

from systock.errors import SourceError
from systock.extract.api_outer import with_outer

BODY = {
    "shop": "x",
    "orders": [
        {"id": 1, "buyer": {"id": 9}, "refunds": [{"id": 5, "lines": [{"q": 1}, {"q": 2, "id": 8}]}, {"id": 6, "lines": []}]},
        {"id": 2, "buyer": None, "refunds": [{"id": 7, "lines": [{"q": 3}]}]},
        {"id": 3},
    ],
}  # fmt: skip


@pytest.mark.parametrize(("way", "values"), [
    ("orders.id", [1, 1, 2]),
    ("orders.buyer.id", [9, 9, None]),
    ("orders.refunds.id", [5, 5, 7]),
    ("orders.refunds.no", [None, None, None]),
    ("shop", ["x", "x", "x"]),
    ("elsewhere.id", [None, None, None]),
])  # fmt: skip
def test_a_field_of_what_a_record_lies_in(way: str, values: list[Any]) -> None:
    records = with_outer(BODY, "orders.refunds.lines", {"of": way})
    assert [record["q"] for record in records] == [1, 2, 3]
    assert [record["of"] for record in records] == values


def test_a_record_keeps_its_own_field() -> None:
    assert with_outer(BODY, "orders.refunds.lines", {"id": "orders.id"})[1] == {"id": 8, "q": 2}


def test_what_is_no_object_stays_for_others_to_judge() -> None:
    assert with_outer({"orders": [1, {"a": 2}, None]}, "orders", {"shop": "shop"}) == [1, {"shop": None, "a": 2}]


def test_a_path_that_leads_nowhere_is_an_error_and_an_empty_list_is_none() -> None:
    with pytest.raises(SourceError, match=r"'lines\.x' leads nowhere; there are: shop, orders"):
        with_outer(BODY, "lines.x", {"of": "orders.id"})
    assert with_outer({"orders": []}, "orders.lines", {"of": "orders.id"}) == []
    assert with_outer({"orders": None}, "orders.lines", {"of": "orders.id"}) == []
