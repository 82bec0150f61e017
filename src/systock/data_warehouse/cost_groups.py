"""Which products are valued together: those that production documents or kits connect, directly or by way of others."""

from __future__ import annotations

import pyarrow as pa


def cost_groups(links: pa.Table) -> pa.Table:
    """product_durable_key and its cost_group, for links of product_durable_key with linked_durable_key, both bigint.

    The group is its smallest product key, so that a new link renames no more than it joins. A product with a link to itself alone
    is a group of its own, under its own key.
    """
    parent: dict[int, int] = {}

    def smallest(product: int) -> int:
        while (above := parent.setdefault(product, product)) != product:
            parent[product] = parent[above]
            product = parent[product]
        return product

    for pair in zip(
        *(links.column(name).to_pylist() for name in ("product_durable_key", "linked_durable_key")), strict=True
    ):
        low, high = sorted(smallest(product) for product in pair)
        parent[high] = low
    products = sorted(parent)
    return pa.table(
        {
            "product_durable_key": pa.array(products, pa.int64()),
            "cost_group": pa.array([smallest(product) for product in products], pa.int64()),
        }
    )
