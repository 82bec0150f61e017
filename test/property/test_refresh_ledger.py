"""The ledger posted again from the first touched instant on equals the ledger posted from the beginning, whatever changed."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sql.case_runner import table_files
from systock.data_warehouse.compiled import CompiledTable, compile_refresh, compile_table, read_compiled
from systock.data_warehouse.engine.duckdb import DuckDBEngine, connect
from systock.data_warehouse.refresh import Change, Refresh
from systock.data_warehouse.refresh_keys import RefreshPlan

ENTRY = replace(
    read_compiled(compile_table(table_files()["gold.stock_entry"])),
    refresh="full", select="SELECT * FROM staged", reads=("staged",),
)  # fmt: skip
LEDGER = read_compiled(compile_table(table_files()["gold.stock_ledger"]))
KINDS = ("opening", "receipt", "sale", "count")


@dataclass(frozen=True)
class Entry:
    """One entry of a stock; its number is its identity, so that an edit moves or changes it."""

    number: int
    product: int
    hour: int
    kind: str
    quantity: int
    starts_at_zero: bool
    is_stocked: bool

    def row(self) -> str:
        """As values of gold.stock_entry."""
        is_count = self.kind == "count"
        at = f"TIMESTAMPTZ '2024-05-01 00:00:00+00' + INTERVAL {self.hour} HOUR"
        return (
            f"('{uuid.UUID(int=self.number)}', '{'count' if is_count else 'movement'}', '{'stock_count' if is_count else 'stock_movement'}', "
            f"'erp', '{self.number}', NULL, {self.product}, 'erp', 'P{self.product}', 1, 'erp', 'S1', 'sellable', {at}, CAST({at} AS DATE), "
            f"{1000 if is_count else KINDS.index(self.kind)}, {'NULL' if is_count else repr(self.kind)}, NULL, "
            f"{0 if is_count else self.quantity}, {self.quantity if is_count else 'NULL'}, {self.is_stocked}, "
            f"{self.starts_at_zero and not is_count}, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1, NULL)"
        )


def entries(draw: Any) -> dict[int, Entry]:
    """A state of the entries. What is not stocked is so in all entries of its product."""
    unstocked = draw(st.sampled_from([None, None, 1]))
    found = draw(st.lists(st.tuples(
        st.integers(1, 12), st.integers(1, 2), st.integers(0, 9), st.sampled_from(KINDS), st.integers(-4, 9), st.sampled_from([False, False, True]),
    ), max_size=12))  # fmt: skip
    return {f[0]: Entry(*f, is_stocked=f[1] != unstocked) for f in found}


class Compiled:
    """The compiled SQL, as a run has it."""

    def refresh(self, table: CompiledTable) -> dict[str, Any]:
        return compile_refresh(table_files()[table.qualified], RefreshPlan("unused", ()))

    def touched(self, table: CompiledTable, moved: str) -> list[str]:
        raise AssertionError("the ledger finds what is touched by itself")


def stage(engine: DuckDBEngine, state: dict[int, Entry]) -> None:
    """Put a state of the entries where the first table reads it."""
    engine.execute("DELETE FROM staged")
    if state:
        engine.execute(f"INSERT INTO staged VALUES {', '.join(entry.row() for entry in state.values())}")


def built(engine: DuckDBEngine, state: dict[int, Entry]) -> None:
    """Both tables, made from nothing."""
    for table in (ENTRY, LEDGER):
        engine.execute(f"DELETE FROM {table.qualified}")
    stage(engine, state)
    for table in (ENTRY, LEDGER):
        Refresh(engine, Compiled(), {"staged": Change(everything=True)}).table(table, exists=False)


@pytest.fixture(scope="module")
def engine() -> Iterator[DuckDBEngine]:
    with connect(None, threads=1) as engine:
        for table in (ENTRY, LEDGER):
            for statement in engine.create_table_sql(table_files()[table.qualified]):
                engine.execute(statement)
        engine.execute("CREATE TABLE staged AS SELECT * FROM gold.stock_entry LIMIT 0")
        yield engine


@given(data=st.data())
def test_suffix_equals_whole(engine: DuckDBEngine, data: st.DataObject) -> None:
    state = entries(data.draw)
    built(engine, state)
    for _ in range(data.draw(st.integers(1, 3))):
        edit = entries(data.draw)
        gone = data.draw(st.sets(st.integers(1, 12), max_size=2))
        unstocked = {e.product for e in edit.values() if not e.is_stocked}
        state = {n: e for n, e in {**state, **edit}.items() if n not in gone}
        state = {n: replace(e, is_stocked=e.product not in unstocked) for n, e in state.items()}
        stage(engine, state)
        refresh = Refresh(engine, Compiled(), {"staged": Change(new="staged")})
        for table in (ENTRY, LEDGER):
            refresh.table(table, exists=True)
        assert [done.how for done in refresh.done[1:]] in ([], ["from the first touched instant"])
        differences = engine.rows(
            f"(SELECT * FROM gold.stock_ledger EXCEPT ALL ({LEDGER.select})) UNION ALL (({LEDGER.select}) EXCEPT ALL SELECT * FROM gold.stock_ledger)"
        )
        assert differences == []


def test_only_the_suffix_is_touched(engine: DuckDBEngine) -> None:
    state = {n: Entry(n, n % 2, n, "receipt", 1, True, True) for n in range(1, 101)}
    built(engine, state)
    stage(engine, {**state, 200: Entry(200, 1, 90, "receipt", 5, True, True)})
    refresh = Refresh(engine, Compiled(), {"staged": Change(new="staged")})
    for table in (ENTRY, LEDGER):
        refresh.table(table, exists=True)
    assert [(done.touched, done.written, done.removed) for done in refresh.done] == [(101, 1, 0), (1, 6, 5)]
    assert engine.rows("SELECT count(*) FROM stale") == [(5,)]  # of product 1: 91, 93, 95, 97, 99


@pytest.mark.parametrize("quantity", [2, 3])
def test_a_stock_that_comes_to_start_at_zero_is_posted_from_its_beginning(engine: DuckDBEngine, quantity: int) -> None:
    unknown = {1: Entry(1, 1, 0, "receipt", 4, False, True), 2: Entry(2, 1, 6, "sale", -1, False, True)}
    starting = {**unknown, 3: Entry(3, 1, 5, "receipt", quantity, True, True)}
    known = [(4, 4 + quantity, 3 + quantity)]
    balances = "SELECT list(CAST(balance_after_units AS INTEGER) ORDER BY occurred_at) FROM gold.stock_ledger"
    for before, after, expected in ((unknown, starting, known), (starting, unknown, [(None, None)])):
        built(engine, before)
        stage(engine, after)
        refresh = Refresh(engine, Compiled(), {"staged": Change(new="staged")})
        for table in (ENTRY, LEDGER):
            refresh.table(table, exists=True)
        assert [tuple(row) for (row,) in engine.rows(balances)] == expected
