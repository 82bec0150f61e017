"""What a server's tables would lose or get when they are made as they are defined now."""

from __future__ import annotations

import pytest

from systock.load.copy_rows import CopiedColumn
from systock.load.migration import TableChange, is_wider, table_changes
from systock.load.target_schema import TargetTable


def table(name: str, **columns: str) -> TargetTable:
    listed = tuple(CopiedColumn(column, column, type_) for column, type_ in columns.items())
    return TargetTable("gold", name, listed, (), "whole", "", (), (), (), ())


def test_differences_in_words() -> None:
    made = {
        "gold.a": {"x": "integer", "y": "numeric(18, 4)", "z": "text"},
        "gold.gone": {"x": "text"},
        "gold.same": {"x": "date"},
    }
    wanted = [table("a", x="bigint", y="numeric(18, 2)", new="text"), table("same", x="date"), table("comes", x="date")]
    assert table_changes(made, wanted) == [
        TableChange(
            "gold.a",
            "new comes, x is widened from integer to bigint, y is made from numeric(18, 4) to numeric(18, 2), z goes",
            ("z", "y"),
        ),
        TableChange("gold.comes", "comes"),
        TableChange("gold.gone", "goes", ("x",)),
    ]


@pytest.mark.parametrize(
    ("was", "now", "wider"),
    [
        ("numeric(18, 4)", "numeric(20, 4)", True),
        ("numeric(18, 4)", "numeric(18, 6)", False),  # two digits less before the point
        ("numeric(18, 4)", "numeric(20, 6)", True),
        ("integer", "bigint", True),
        ("bigint", "integer", False),
        ("bigint", "numeric(19, 0)", True),
        ("bigint", "numeric(18, 0)", False),
        ("date", "text", True),
        ("text", "date", False),
        ("timestamptz", "timestamp", False),
    ],
)
def test_wider_types_hold_every_value(was: str, now: str, wider: bool) -> None:
    assert is_wider(was, now) is wider
