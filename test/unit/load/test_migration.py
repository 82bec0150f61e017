"""What a server's tables would lose or get when they are made as they are defined now."""

from __future__ import annotations

from pathlib import Path

import pytest

from systock.data_warehouse.engine.postgres_schema import PostgresSchema
from systock.data_warehouse.table_file import parse_text
from systock.errors import DefinitionError
from systock.load.copy_rows import CopiedColumn
from systock.load.migration import Alteration, TableChange, is_wider, table_changes
from systock.load.target_schema import TargetTable, make_schema


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
    assert table_changes(made, {}, wanted) == [
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


def defined(columns: str, header: str = "") -> TargetTable:
    """The table of a file with these columns and one to refer to."""
    texts = [
        f"-- Mine.\n-- refresh: full\n{header}CREATE TABLE gold.mine (\n{columns}\n);\nSELECT 1 AS a\n".replace(
            "SELECT 1 AS a", "SELECT " + ", ".join(f"NULL AS {line.split()[0]}" for line in columns.splitlines())
        ),
        "-- Other.\n-- refresh: full\nCREATE TABLE gold.dim_other (\n  a integer PRIMARY KEY -- a\n);\nSELECT 1 AS a",
    ]
    files = {file.qualified: file for file in (parse_text(text, Path("mine.sql")) for text in texts)}
    return next(table for table in make_schema(PostgresSchema(files, {})).tables if table.name == "mine")


def change(was: TargetTable, now: TargetTable) -> TableChange | None:
    types = {was.on_server: {column.target: column.type for column in was.columns}}
    return next(iter(table_changes(types, {was.on_server: was.parts}, [now])), None)


WAS = """  k integer PRIMARY KEY, -- k
  former integer NOT NULL CHECK (former > 0) REFERENCES gold.dim_other (a) -- o"""


def test_a_stated_former_name_is_a_rename_with_all_that_hangs_on_the_column() -> None:
    now = defined(WAS.replace("former", "latter"), "-- renamed: older to latter, former to latter\n")
    mine = 'ALTER TABLE "gold"."mine"'
    assert change(defined(WAS), now) == TableChange(
        "gold.mine", "former becomes latter", (),
        Alteration(
            (
                f'{mine} RENAME COLUMN "former" TO "latter"', f'{mine} RENAME CONSTRAINT "mine_former_check" TO "mine_latter_check"',
                'ALTER INDEX "gold"."mine_former_idx" RENAME TO "mine_latter_idx"',
                f'{mine} RENAME CONSTRAINT "mine_former_fkey" TO "mine_latter_fkey"',
            ),
            (),
        ),
    )  # fmt: skip
    assert change(now, now) is None


def test_a_column_that_may_be_null_comes_in_place_another_does_not() -> None:
    found = change(defined(WAS), defined(WAS.replace("(a) -- o", "(a), -- o\n  more text DEFAULT 'x' -- m")))
    assert found is not None and found.text == "more comes" and found.in_place is not None
    assert found.in_place.before == ("""ALTER TABLE "gold"."mine" ADD COLUMN "more" text COLLATE "C" DEFAULT 'x'""",)
    found = change(defined(WAS), defined(WAS.replace("(a) -- o", "(a), -- o\n  more text NOT NULL -- m")))
    assert found is not None and found.in_place is None


def test_without_its_former_name_a_column_goes_and_is_lost() -> None:
    found = change(defined(WAS), defined(WAS.replace("former", "latter")))
    assert found is not None and (found.loses, found.in_place) == (("former",), None)
    widened = change(
        defined(WAS),
        defined(
            WAS.replace("former integer", "latter bigint").replace("former", "latter"), "-- renamed: former to latter\n"
        ),
    )
    assert widened is not None and (widened.loses, widened.in_place) == ((), None)
    assert widened.text == "former becomes latter, latter is widened from integer to bigint"


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("old", "not understood"),
        ("old to gone", "names gone, which is no column"),
        ("k to former", "names k, which still is a column"),
        ("a to former, a to k", "names a, more than once"),
    ],
)
def test_wrong_former_names(header: str, said: str) -> None:
    with pytest.raises(DefinitionError, match=said):
        defined(WAS, f"-- renamed: {header}\n")
