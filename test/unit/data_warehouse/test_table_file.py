"""Reading table files: what they say, and what is said about wrong ones."""

from __future__ import annotations

from pathlib import Path

import pytest

import systock
from systock.data_warehouse.table_file import Column, Reference, load_folder, parse_text
from systock.errors import DefinitionError

CONTRACTS = Path(systock.__file__).parent / "etl_pipeline" / "silver_layer" / "contracts"

GOOD = """\
-- What left, or came back,
-- over the counter.
-- refresh: by key
CREATE TABLE gold.fact_line (
    line_key      uuid           PRIMARY KEY,                          -- hash of sale and line
    product_key   bigint         NOT NULL REFERENCES gold.dim_product (product_key), -- version valid then
    kind          text           NOT NULL DEFAULT 'sale'
        CHECK (kind IN ('sale', 'return -- not a comment')),           -- what happened
    quantity      numeric(18,3)  NOT NULL CHECK (quantity <> 0),       -- signed:
                                                                       -- returns are negative
    sold_at       timestamp with time zone,                            -- instant
    is_void       bool,                                                -- voided
    share         double precision,                                    -- share
    note          text,                                                -- free text
    CONSTRAINT signs CHECK (kind <> 'return' OR quantity < 0),
    CHECK (note <> ''),
    CHECK (note <> '' OR quantity > 0),                                -- why
    FOREIGN KEY (kind) REFERENCES gold.dim_kind (kind)
);

WITH sold AS (
    SELECT 1 AS x -- a comment
)
SELECT line_key, product_key, kind, quantity, sold_at, is_void, share, note FROM silver.sale_line, sold;
"""


def test_a_file_says_all_this() -> None:
    table = parse_text(GOOD, Path("fact_line.sql"))
    assert (table.qualified, table.schema, table.name) == ("gold.fact_line", "gold", "fact_line")
    assert table.sentence == "What left, or came back, over the counter."
    assert (table.refresh, table.history) == ("by key", None)
    assert table.columns[0] == Column("line_key", "uuid", False, None, "hash of sale and line", 5)
    assert table.columns[2] == Column("kind", "text", False, "'sale'", "what happened", 7)
    assert table.column("quantity").comment == "signed: returns are negative"
    assert [column.type for column in table.columns] == [
        "uuid", "bigint", "text", "numeric(18, 3)", "timestamptz", "boolean", "double precision", "text",
    ]  # fmt: skip
    assert [column.nullable for column in table.columns] == [False] * 4 + [True] * 4
    assert table.primary_key == ("line_key",)
    assert table.references == (
        Reference("product_key", "gold.dim_product", "product_key", 6),
        Reference("kind", "gold.dim_kind", "kind", 7),
    )
    assert [(check.name, check.columns, check.text, check.line) for check in table.checks] == [
        ("fact_line_kind_check", ("kind",), "kind IN ('sale', 'return -- not a comment')", 8),
        ("fact_line_quantity_check", ("quantity",), "quantity <> 0", 9),
        ("signs", ("kind", "quantity"), "kind <> 'return' OR quantity < 0", 15),
        ("fact_line_check", ("note",), "note <> ''", 16),
        ("fact_line_check1", ("note", "quantity"), "note <> '' OR quantity > 0", 17),
    ]
    assert table.select is not None and table.select_line == 21
    assert table.line == 4


def test_contracts_are_read_whole() -> None:
    contracts = load_folder(CONTRACTS)
    assert "silver.sale_line" in contracts
    for table in contracts.values():
        assert table.history in ("valid time", "corrections") and table.select is None and table.primary_key
        assert all(column.comment for column in table.columns)
    movement = contracts["silver.stock_movement"]
    assert movement.column("movement_kind").comment == "why"
    assert any(
        check.text.startswith("CASE movement_kind WHEN 'receipt' THEN quantity >= 0 WHEN") for check in movement.checks
    )
    assert movement.column("stock_status").default_sql == "'sellable'"


def test_the_definition_hash_is_of_what_is_defined() -> None:
    def hash_of(old: str = "", new: str = "") -> str:
        return parse_text(GOOD.replace(old, new) if old else GOOD, Path("x.sql")).definition_hash

    assert hash_of() == hash_of("-- instant", "-- the instant") == hash_of("    SELECT 1", "  SELECT  1")
    for old, new in (
        ("SELECT 1", "SELECT 2"),
        ("numeric(18,3)", "numeric(18,4)"),
        ("by key", "full"),
        ("<> ''", "= ''"),
    ):
        assert hash_of(old, new) != hash_of()


def test_later_folders_replace_earlier_ones(tmp_path: Path) -> None:
    for folder, sentence in (("ours", "Ours."), ("models/deep", "Theirs.")):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "x.sql").write_text(
            f"-- {sentence}\n-- refresh: full\nCREATE TABLE gold.x (a text -- a\n);\nSELECT 'a' AS a"
        )
    assert load_folder(tmp_path / "ours", tmp_path / "models")["gold.x"].sentence == "Theirs."
    (tmp_path / "ours" / "y.sql").write_text((tmp_path / "ours" / "x.sql").read_text())
    with pytest.raises(DefinitionError, match=r"gold\.x is defined twice"):
        load_folder(tmp_path / "ours")


def test_a_table_of_versions_may_begin_with_the_first_row_of_an_entity() -> None:
    text = """\
-- What was believed of a row.
-- refresh: versions
-- kept since: silver.period_close
CREATE TABLE gold.x__versions (
    a             text        NOT NULL, -- a
    known_from_at timestamptz NOT NULL, -- from
    known_to_at   timestamptz NOT NULL, -- to
    PRIMARY KEY (a, known_from_at)
);

SELECT a FROM gold.x;
"""
    table = parse_text(text, Path("x.sql"))
    assert (table.refresh, table.kept_since) == ("versions", "silver.period_close")
    assert table.sentence == "What was believed of a row."
    always = parse_text(text.replace("-- kept since: silver.period_close\n", ""), Path("x.sql"))
    assert always.kept_since is None


def made(columns: str, select: str = "SELECT 1 AS a", header: str = "-- A row.\n-- refresh: full\n") -> str:
    return f"{header}CREATE TABLE gold.x (\n{columns}\n);\n{select};"


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        (made("a integer"), 4, "column a has no comment"),
        (made("a integer, -- a\nb integer"), 5, "column b has no comment"),
        (made("a integer, -- a\na integer -- b"), 5, "a stands twice"),
        (made("a integer -- a", header="-- A row.\n"), 2, "states no refresh kind"),
        (made("a integer -- a", header="-- refresh: full\n"), 1, "no sentence"),
        (made("a integer -- a", header="-- A row.\n\n-- refresh: sometimes\n"), 3, "unknown refresh kind 'sometimes'"),
        (made("a integer -- a", header="-- A row.\n-- refresh: kernel\n"), 3, "states the refresh kind 'kernel'"),
        (made("a integer -- a", header="-- A.\n-- history: all\n"), 2, "unknown history kind"),
        (made("a integer -- a", header="-- A.\n-- history: corrections\n-- refresh: full\n"), 4, "both a refresh and"),
        (made("a integer -- a", header="-- A.\n-- history: corrections\n"), 3, "has a SELECT"),
        (
            made("a integer -- a", header="-- A.\n-- kept since: silver.x\n-- refresh: full\n"),
            2,
            "since when it is kept",
        ),
        (made("a integer -- a", ""), 3, "has no SELECT"),
        (made("a integer -- a", "SELECT 1 AS b"), 6, "does not make a; it makes b, which is not in the table"),
        (made("a integer, -- a\nb text -- b", "SELECT 'b' AS b, 1 AS a"), 7, "output 1 is b where the table has a"),
        (made("a integer -- a", "SELECT 1 AS a, 2 AS a"), 6, "makes a more than once"),
        (made("a integer -- a", "SELECT 1 + 1"), 6, "output 1 has no name; it does not make a"),
        (made("a integer -- a", "SELECT * FROM gold.y"), 6, "SELECT \\*"),
        (made("a integer -- a", "SELECT y.* FROM gold.y"), 6, "SELECT \\*"),
        (made("a integer -- a", "SELECT 1 AS b UNION ALL SELECT 2 AS a"), 6, "does not make a"),
        (made("a integer -- a", "SELECT 1 AS a; SELECT 2 AS a"), 6, "more than one"),
        (made("a integer -- a", "SELECT 1 AS a FROM"), 6, "near 'FROM'|table name"),
        (made("a integer -- a", "SELECT 'a AS a"), None, "cannot be read"),
        (made("a varchar(3) -- a"), 4, "the type VARCHAR\\(3\\)"),
        (made("a numeric -- a"), 4, "the type DECIMAL"),
        (made("a numeric(40, 2) -- a"), 4, "the type DECIMAL\\(40, 2\\)"),
        (made("a jsonb -- a"), 4, "the type JSONB"),
        (made("a integer UNIQUE -- a"), 4, "UNIQUE on column a"),
        (made("a integer, -- a\nUNIQUE (a)"), 3, "not supported"),
        (made("a integer PRIMARY KEY, -- a\nPRIMARY KEY (a)"), 3, "more than one PRIMARY KEY"),
        (made("a integer, -- a\nPRIMARY KEY (b)"), 3, "PRIMARY KEY names b"),
        (made("a integer CHECK (b > 1) -- a"), 4, "names b, which is no column"),
        (made("a integer REFERENCES gold.y -- a"), 4, "does not name one column"),
        ("-- A.\n-- refresh: full\nCREATE TABLE x (a integer -- a\n);\nSELECT 1 AS a", 3, "not named schema.table"),
        ("-- A.\n-- refresh: full\nSELECT 1 AS a", 3, "does not begin with CREATE TABLE"),
        ("", 1, "does not begin with CREATE TABLE"),
    ],
)
def test_a_wrong_file_is_told_where_and_what(text: str, line: int | None, what: str) -> None:
    with pytest.raises(DefinitionError, match=what) as caught:
        parse_text(text, Path("models/x.sql"))
    assert caught.value.where == (f"models/x.sql:{line}" if line else "models/x.sql")
    assert caught.value.todo


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "x.sql").write_bytes("-- Größe".encode("cp1252"))
    with pytest.raises(DefinitionError, match="not UTF-8"):
        load_folder(tmp_path)
