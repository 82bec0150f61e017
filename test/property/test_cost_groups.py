"""Groups of products against plain reachability."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from systock.data_warehouse.cost_groups import cost_groups


def grouped(pairs: list[tuple[int, int]]) -> dict[int, int]:
    links = pa.table(
        {
            "product_durable_key": pa.array([pair[0] for pair in pairs], pa.int64()),
            "linked_durable_key": pa.array([pair[1] for pair in pairs], pa.int64()),
        }
    )
    return {row["product_durable_key"]: row["cost_group"] for row in cost_groups(links).to_pylist()}


@given(pairs=st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), max_size=15), data=st.data())
def test_a_group_is_all_that_links_reach_under_its_smallest_key(
    pairs: list[tuple[int, int]], data: st.DataObject
) -> None:
    reach = {product: {product} for pair in pairs for product in pair}
    for _ in reach:
        for left, right in pairs:
            for product in reach:
                if reach[product] & {left, right}:
                    reach[product] |= {left, right}
    assert grouped(pairs) == {product: min(found) for product, found in reach.items()}
    assert grouped(data.draw(st.permutations(pairs))) == grouped(pairs)


def test_without_links_there_are_no_groups() -> None:
    assert grouped([]) == {}
    assert grouped([(3, 2), (5, 4), (4, 3), (7, 7)]) == {2: 2, 3: 2, 4: 2, 5: 2, 7: 7}
