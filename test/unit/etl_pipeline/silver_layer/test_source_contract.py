"""What is new, missing and re-typed, by hand and against a plain reckoning."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlglot import exp

from systock.data_warehouse.engine.duckdb import connect
from systock.data_warehouse.portable_sql import parse_statements
from systock.etl_pipeline.silver_layer.landing_judge import LandingJudge
from systock.etl_pipeline.silver_layer.mapping import Mapping
from systock.etl_pipeline.silver_layer.renamed_columns import alike
from systock.etl_pipeline.silver_layer.source_contract import Counts, SourceContract, applies, held_for
from systock.extract.raw_rows import malformed_batch, row_batch
from systock.source_settings import FileTable

PRICE = (
    'SELECT Preis AS "mapped_price" FROM judged_line AS s'.replace("Preis", "preis"),
    [("price", "numeric(18, 4)", 7)],
)
DAY = ("SELECT replace(s.tag, '/', '-') AS \"mapped_day\" FROM judged_line AS s", [("day", "date", 8)])


def contract(
    readings: tuple[Any, ...] = (), needed: tuple[str, ...] = ("id", "price"), **settings: Any
) -> SourceContract:
    table = FileTable.model_validate({"path": "x", "mode": "append", "key": ["id"], **settings})
    placed = tuple(("sources/pos/sale_line.sql", reading) for reading in readings)
    return SourceContract("pos", "sales", table, dict.fromkeys(needed, "m.sql:3"), placed)


def told(found: Any) -> list[tuple[str, str]]:
    return [(drift.kind, drift.column) for drift in found]


@pytest.mark.parametrize(
    ("columns", "before", "found"),
    [
        (["id", "x"], [], []),
        (["id", "price"], [["id", "price"]], []),
        (["ID", "Price"], [["id", "price"]], []),
        (["id", "price", "Promo"], [["id", "price"]], [("new", "Promo")]),
        (["id", "price", "old"], [["id", "old"], ["id", "price"]], []),
        (["id", "agreed", "price"], [["id", "price"]], []),
        (["price"], [["id", "price", "unread"]], [("missing", "id")]),
        (["id"], [["id"]], []),
        (["id", "cost"], [["id", "price"]], [("new", "cost"), ("missing", "price")]),
        (["id", "_deleted_at"], [["id", "price"]], []),
        (["id", "price", "_deleted_at"], [["id", "price"]], []),
        (["id", "note", "_deleted_at"], [["id", "price"]], [("new", "note"), ("missing", "price")]),
    ],
)
def test_new_and_missing_columns(columns: list[str], before: list[list[str]], found: list[tuple[str, str]]) -> None:
    assert told(contract(known_columns=["Agreed"]).columns_drift(columns, before)) == found


@pytest.mark.parametrize(
    ("select", "found"),
    [
        ('coalesce("Qty 2", qty)', {"qty 2": [[["qty"]]], "qty": [[["qty 2"]]]}),
        ("coalesce(try_number(trim(a)), b)", {"a": [[["b"]]], "b": [[["a"]]]}),
        ("coalesce(a, coalesce(b, c))", {"a": [[["b", "c"]]], "b": [[["c"], ["a"]]], "c": [[["b"], ["a"]]]}),
        ("coalesce(a, b * c)", {"a": [[["b", "c"]]]}),  # b and c need each other
        ("coalesce(a, '0')", {}),
        ("coalesce(a, _file)", {}),
        ("coalesce(CASE WHEN a IS NULL THEN 'x' END, b)", {"b": [[["a"]]]}),
        ("coalesce(a || '-', b), coalesce(concat(c, '-'), d)", {"b": [[["a"]]], "d": [[["c"]]]}),
        ("coalesce(replace(x, a, 'y'), b)", {"x": [[["b"]]], "b": [[["a", "x"]]]}),
        ("coalesce(a, b), a || 'x'", {"b": [[["a"]]]}),  # a is read for itself too
        ("coalesce(a, b), coalesce(a, c)", {"a": [[["b"]], [["c"]]], "b": [[["a"]]], "c": [[["a"]]]}),
    ],
)
def test_columns_that_stand_in_for_each_other(select: str, found: dict[str, Any]) -> None:
    [parsed] = parse_statements(f"SELECT {select} FROM bronze.pos__sales", "x.sql")
    assert isinstance(parsed, exp.Select)
    assert Mapping("pos", "sale_line", Path("x.sql"), parsed, ("sales",), (), True).alternatives("sales") == found


def test_another_table_does_not_stand_in() -> None:
    [parsed] = parse_statements(
        "SELECT coalesce(s.a, t.a), coalesce(s.b, s.c) FROM bronze.pos__sales AS s JOIN bronze.pos__tills AS t ON s.d = t.d", "x.sql"
    )  # fmt: skip
    assert isinstance(parsed, exp.Select)
    mapping = Mapping("pos", "sale_line", Path("x.sql"), parsed, ("sales", "tills"), (), False)
    assert mapping.alternatives("sales") == {"b": [[["c"]]], "c": [[["b"]]]}
    assert mapping.alternatives("tills") == {}


@pytest.mark.parametrize(
    ("columns", "missing"), [(["id", "new"], []), (["id", "price"], []), (["id"], ["new", "price"])]
)
def test_a_column_is_not_missing_while_its_alternative_is_there(columns: list[str], missing: list[str]) -> None:
    either = replace(contract(needed=("id", "new", "price")), alternatives={"price": [[["new"]]], "new": [[["price"]]]})
    assert told(either.columns_drift(columns, [["id", "price"], ["id", "new"]])) == [("missing", c) for c in missing]


NAMES = st.lists(st.sampled_from("abcdef"), unique=True, max_size=5)


@given(NAMES, st.lists(NAMES, max_size=4), NAMES, NAMES)
def test_drift_agrees_with_sets(
    columns: list[str], before: list[list[str]], needed: list[str], known: list[str]
) -> None:
    found = told(contract(needed=tuple(needed), known_columns=known).columns_drift(columns, before))
    had = {name for earlier in before for name in earlier}
    new = [
        ("new", name)
        for name in sorted(columns)
        if had and name not in had and name not in needed and name not in known
    ]
    missing = [("missing", name) for name in sorted(needed) if name in had and name not in columns]
    assert found == new + missing


def counted(price: list[str | None]) -> Counts:
    counts = Counts()
    with connect(None) as engine:
        engine.connection.register("judged_line", pa.table({"preis": pa.array(price, pa.string())}))
        counts.add(engine, contract((PRICE,)))
    return counts


@pytest.mark.parametrize(
    ("price", "is_retyped"),
    [
        (["1,5"] * 5, True),
        (["1,5"] * 4, False),
        (["1,5"] * 5 + ["1.5"] * 4, True),
        (["1,5"] * 5 + ["1.5"] * 5, False),
        (["1,5"] * 5 + [None, "", " "] * 10, True),
        ([], False),
        (["1.5", "0.00005"] * 3 + ["0.00005"], True),
    ],
)
def test_more_than_half_of_the_values_make_another_type(price: list[str | None], is_retyped: bool) -> None:
    found = list(contract((PRICE,)).retyped(counted(price)))
    assert bool(found) is is_retyped
    if found and len(price) == 5:
        assert found[0].text == "5 of 5 values of 'price' do not read as numeric(18, 4) (sources/pos/sale_line.sql:7)"


def batch(columns: dict[str, list[str | None]]) -> pa.RecordBatch:
    rows = len(next(iter(columns.values())))
    return row_batch(
        tuple(columns), pa.arange(1, rows + 1), [pa.array(values, pa.string()) for values in columns.values()]
    )


def test_a_look_counts_over_all_batches_of_an_extraction() -> None:
    frozen = contract((PRICE, DAY), needed=("preis", "tag"), retyped_columns="freeze")
    judge = LandingJudge(frozen, [("Preis", "Tag")])
    look = judge.look()
    for _ in range(3):
        look.at(batch({"Preis": ["1,5", "1,6"], "Tag": ["2024/05/31", "2024/06/01"]}))
        look.at(malformed_batch(("Preis", "Tag"), [(9, "x", "expected 2 columns")]))
    refusal = look.refusal(("Preis", "Tag"))
    assert (
        refusal and refusal[0] == "6 of 6 values of 'price' do not read as numeric(18, 4) (sources/pos/sale_line.sql:7)"
    )
    assert "retyped_columns of sources.pos.tables.sales" in refusal[1]
    sound = judge.look()
    sound.at(batch({"Preis": ["1.5"] * 6, "Tag": ["2024/05/31"] * 6}))
    assert sound.refusal(("Preis", "Tag")) is None


@pytest.mark.parametrize(
    ("name", "others", "found"),
    [
        ("unit price", ["store", "Unit_Price"], "Unit_Price"),
        ("quantity", ["quantitiy"], "quantitiy"),
        ("qty", ["city"], None),
        ("qty", ["Quantity"], None),
        ("qty", [], None),
    ],
)
def test_names_that_are_alike(name: str, others: list[str], found: str | None) -> None:
    assert alike(name, others) == found


@pytest.mark.parametrize(
    ("columns", "values", "said"),
    [
        (["id", "betrag"], ["1.5", "2"], "If it is called 'betrag' now, write coalesce(betrag, preis) for preis in m.sql:3, which reads"),
        (["id", "PREIS 1"], ["x", "y"], "It may be called 'PREIS 1' now: write coalesce(\"PREIS 1\", preis) for preis in m.sql:3, which reads"),
        (["id", "note"], ["x", "1"], "If it is called 'note' now"),
        (["id", "note"], ["x", "y", "1"], None),
        (["id", "note"], [None, " "], None),
        (["id", "betrag", "menge"], ["1.5", "2"], None),
    ],
)  # fmt: skip
def test_a_new_column_is_only_taken_for_a_missing_one_that_it_is_like(
    columns: list[str], values: list[str | None], said: str | None
) -> None:
    agreed = contract((PRICE,), needed=("id", "preis"), missing_columns="freeze", retyped_columns="freeze")
    look = LandingJudge(agreed, [("id", "preis")]).look()
    look.at(batch(dict.fromkeys(columns, values)))
    refusal = look.refusal(tuple(columns))
    assert refusal is not None
    assert said in refusal[1] if said else refusal[1].endswith("to 'evolve' or 'quarantine'.")


def test_a_key_is_not_read_from_either_column() -> None:
    look = LandingJudge(contract(needed=("id",), missing_columns="freeze"), [("id",)]).look()
    refusal = look.refusal(("ID_",))
    assert refusal and refusal[1].endswith(
        "It belongs to the key of sources.pos.tables.sales: have it delivered as agreed."
    )


def test_what_is_taken_is_known_to_the_next_look() -> None:
    judge = LandingJudge(contract(needed=("id",), missing_columns="freeze", new_columns="freeze"), [("id",)])
    assert judge.look().refusal(("id", "x")) == (
        "new column 'x'",
        "Deliver it as agreed, name 'x' in sources.pos.tables.sales.known_columns, mend the mapping, or set new_columns of "
        "sources.pos.tables.sales to 'evolve' or 'quarantine'.",
    )
    evolving = LandingJudge(contract(needed=("id", "x"), missing_columns="freeze"), [("id",)])
    assert evolving.look().refusal(("id",)) is None  # it was never there
    assert evolving.look().refusal(("id", "x")) is None
    refusal = evolving.look().refusal(("id",))
    assert refusal and refusal[0].startswith("column 'x' is missing")


def test_only_what_is_to_be_quarantined_holds_a_batch() -> None:
    with connect(None) as engine:
        engine.connection.register("judged_line", pa.table({"preis": ["1,5"] * 9}))
        one = contract((PRICE,), retyped_columns="quarantine")
        assert held_for(one, ["id", "price", "x"], [["id", "price"]], engine) == (
            "9 of 9 values of 'price' do not read as numeric(18, 4) (sources/pos/sale_line.sql:7)"
        )
        other = contract((PRICE,), new_columns="quarantine", retyped_columns="freeze")
        assert held_for(other, ["id", "price", "x"], [["id", "price"]], engine) == "new column 'x'"
        assert held_for(other, ["id", "price"], [["id", "price"]], engine) is None
    assert applies(other.settings, "freeze") and not applies(contract().settings, "freeze")
