"""Stock valued again from the first touched instant on equals stock valued from the beginning, and value is conserved all the way."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from random import Random
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from sql.case_runner import DEFAULTS, VERSION, table_files
from systock.data_warehouse import cost_state, refresh_cost
from systock.data_warehouse.compiled import (
    CompiledTable,
    compile_refresh,
    compile_table,
    compile_touched,
    plan_of,
    read_compiled,
)  # fmt: skip
from systock.data_warehouse.engine.duckdb import DuckDBEngine, connect
from systock.data_warehouse.macros import define_zones
from systock.data_warehouse.portable_sql import compile_sql
from systock.data_warehouse.refresh import Change, Refresh
from systock.data_warehouse.refresh_cost import run_kernel
from systock.data_warehouse.refresh_keys import RefreshPlan
from systock.quality.value_conservation import conserves_value

FILES = table_files()
COLUMNS = {
    name: [*(c.name for c in file.columns), *(VERSION if file.schema == "silver" else ())]
    for name, file in FILES.items()
}
INPUTS = ("gold.dim_product", "gold.exchange_rate_day", "gold.stock_entry", "gold.fact_transfer_line")
MADE = (
    "gold.stock_ledger", "gold.cost_group", "gold.transfer_loss", "gold.stock_cost", "gold.fact_stock_movement", "gold.fact_stock_count", "gold.fact_stock_interval",
)  # fmt: skip
ORDER = ("opening", "receipt", "transfer_in", "production_in", "customer_return", "transfer_out", "production_out", "sale", "adjustment", "revaluation")  # fmt: skip
OUT = ("transfer_out", "production_out", "sale")
FOREVER = "TIMESTAMPTZ '9999-12-31 00:00:00+00'"


@cache
def compiled(name: str) -> CompiledTable:
    table = read_compiled(compile_table(FILES[name]))
    staged = name.replace(".", "_") + "_staged"
    return replace(table, refresh="full", select=f"SELECT * FROM {staged}", reads=(staged,)) if name in INPUTS else table  # fmt: skip


@cache
def plan(name: str) -> RefreshPlan:
    return plan_of(FILES[name], FILES, COLUMNS)


class Compiled:
    """The compiled SQL, as a run has it."""

    @staticmethod
    @cache
    def refresh(table: CompiledTable) -> dict[str, Any]:
        return compile_refresh(FILES[table.qualified], plan(table.qualified))

    @staticmethod
    @cache
    def touched(table: CompiledTable, moved: str) -> list[str]:
        return compile_touched(FILES[table.qualified], plan(table.qualified), moved)


@dataclass(frozen=True)
class Entry:
    """One entry; its number is its identity, so that an edit moves or changes it."""

    number: int
    product: int
    place: int
    hour: int
    kind: str
    units: int
    cost: int | None
    amount: int
    paper: str | None
    gives_back: int

    def row(self, zero_start: bool) -> str:
        """As values of gold.stock_entry."""
        is_count, late = self.kind == "count", self.kind == "revaluation"
        at = f"TIMESTAMPTZ '2024-05-01 00:00:00+00' + INTERVAL {6 * self.hour} HOUR"
        units = 0 if late or is_count else -abs(self.units) if self.kind in OUT else self.units
        cost = "NULL" if self.cost is None or is_count or late else str(self.cost)
        paper = "NULL" if self.paper is None else repr(self.paper)
        back = f"'{uuid.UUID(int=self.gives_back)}'" if self.kind == "customer_return" else "NULL"
        return (
            f"('{uuid.UUID(int=self.number)}', '{'count' if is_count else 'movement'}', '{'stock_count' if is_count else 'stock_movement'}', "
            f"'erp', '{self.number}', NULL, {self.product}, 'erp', 'P{self.product}', {self.place}, 'erp', 'S{self.place}', 'sellable', {at}, "
            f"CAST({at} AS DATE), {1000 if is_count else ORDER.index(self.kind)}, {'NULL' if is_count else repr(self.kind)}, "
            f"{repr('physical') if is_count else 'NULL'}, {units}, {abs(self.units) if is_count else 'NULL'}, TRUE, {zero_start and not is_count}, "
            f"{cost}, {self.amount if late else 'NULL'}, {repr('USD') if self.number % 3 == 0 else repr('EUR')}, {back}, NULL, NULL, {paper}, {paper}, 1, NULL)"
        )


def entries(draw: Any, most: int = 16) -> dict[int, Entry]:
    found = draw(st.lists(st.builds(
        Entry, st.integers(1, 25), st.integers(1, 4), st.integers(1, 2), st.integers(0, 20), st.sampled_from([*ORDER, "count"]),
        st.integers(1, 6), st.none() | st.integers(1, 9), st.integers(-9, 30), st.sampled_from(["T", "T", "U", None]), st.integers(1, 25),
    ), max_size=most))  # fmt: skip
    return {entry.number: entry for entry in found}


def versions(draw: Any) -> list[str]:
    """Each product as no, one or two versions, some in another currency."""
    rows = []
    for product in range(1, 5):
        days = draw(st.sampled_from([[], [1], [1, 3]]))
        for number, day in enumerate(days):
            end = f"TIMESTAMPTZ '2024-05-{days[1]:02} 00:00:00+00'" if number + 1 < len(days) else FOREVER
            begin = "TIMESTAMPTZ '1900-01-01 00:00:00+00'" if number == 0 else f"TIMESTAMPTZ '2024-05-{day:02} 00:00:00+00'"  # fmt: skip
            standard, currency = draw(st.sampled_from(["NULL", "3", "5"])), draw(st.sampled_from(["EUR", "EUR", "USD"]))
            last = number + 1 == len(days)
            rows.append(f"({10 * product + number}, {product}, 'erp', 'P{product}', {standard}, '{currency}', TRUE, {begin}, {end}, {end}, {last}, {last})")  # fmt: skip
    return rows


VERSION_COLUMNS = """product_key, product_durable_key, source_name, product_id, standard_cost_amount, currency_code, is_stocked,
    valid_from_at, valid_to_at, superseded_at, is_current, is_latest"""


def losses(draw: Any) -> list[str]:
    """What of each product was given up of a transfer, or came beyond what was sent."""
    found = draw(st.dictionaries(st.tuples(st.integers(1, 4), st.sampled_from("TU")), st.integers(-3, 3), max_size=4))
    return [
        f"('{uuid.UUID(int=100 * product + ord(paper))}', 'erp', '{paper}', '1', 0, {product}, 'P{product}', 0, 1, 'S1', 0, 2, 'S2', {SHIPPED}, "
        f"DATE '2024-05-01', {SHIPPED}, 9, 9, {max(units, 0)}, 0, {max(-units, 0)})"
        for (product, paper), units in found.items()
    ]


SHIPPED = "TIMESTAMPTZ '2024-05-03 00:00:00+00'"
LOSS_COLUMNS = """transfer_line_key, source_name, transfer_id, line_no, product_key, product_durable_key, product_id, from_location_key,
    from_location_durable_key, from_location_id, to_location_key, to_location_durable_key, to_location_id, shipped_at, business_date,
    written_off_at, shipped_units, received_units, lost_units, in_transit_units, surplus_units"""


def stage(
    engine: DuckDBEngine,
    state: dict[int, Entry],
    products: list[str],
    rates: list[int],
    lost: list[str],
    zero_start: bool,
) -> None:
    """Put a state of the inputs where the tables read it."""
    for name, columns, rows in (
        ("stock_entry", "", [entry.row(zero_start) for entry in state.values()]),
        ("dim_product", f"({VERSION_COLUMNS})", products),
        ("fact_transfer_line", f"({LOSS_COLUMNS})", lost),
        ("exchange_rate_day", "", [f"('USD', DATE '2024-05-01' + {day}, {rate} / 10, DATE '2024-05-01', FALSE)" for day, rate in enumerate(rates)]),
    ):  # fmt: skip
        engine.execute(f"DELETE FROM gold_{name}_staged")
        if rows:
            engine.execute(f"INSERT INTO gold_{name}_staged {columns} VALUES {', '.join(rows)}")


def follow(engine: DuckDBEngine, *, exists: bool) -> Refresh:
    """Refresh all tables, in their order; only what changed moves, as in a run."""
    refresh = Refresh(engine, Compiled(), {f"{name.replace('.', '_')}_staged": Change(new="x") for name in INPUTS})
    if not exists:
        for name in (*INPUTS, *MADE):
            engine.execute(f"DELETE FROM {name}")
    for name in (*INPUTS, *MADE):
        refresh.table(compiled(name), exists=exists)
    assert [check for check in conserves_value(engine, refresh.changes) if not check.passed] == []
    return refresh


@pytest.fixture(scope="module")
def engine() -> Iterator[DuckDBEngine]:
    with connect(None, threads=1) as engine, pytest.MonkeyPatch.context() as patch:
        patch.setattr(refresh_cost, "_ENTRIES_AT_ONCE", 10)
        patch.setattr(cost_state, "AGES", tuple(hours * 3_600_000_000 for hours in (72, 36, 18, 6)))
        engine.execute(define_zones(()))
        for name in (
            "meta.project",
            "gold.dim_location",
            "gold.dim_date",
            "gold.dim_movement_kind",
            "gold.stock_count_explanation",
            *INPUTS,
            *MADE,
        ):
            for statement in engine.create_table_sql(FILES[name]):
                engine.execute(statement)
        for name in INPUTS:
            columns = ", ".join(f"{c.name} {c.type}" for c in FILES[name].columns)
            engine.execute(f"CREATE TABLE {name.replace('.', '_')}_staged ({columns})")
        values = DEFAULTS["meta.project"]
        engine.execute(f"INSERT INTO meta.project ({', '.join(values)}) VALUES ({', '.join(values.values())})")
        select = FILES["gold.dim_date"].select
        assert select is not None
        engine.execute(f"INSERT INTO gold.dim_date {compile_sql(select)}")
        yield engine


@pytest.mark.parametrize("method", ["moving_average", "fifo", "standard"])
@settings(max_examples=max(4, settings.default.max_examples // 2))  # each follows up to four edits
@given(data=st.data())
def test_touched_suffixes_equal_all(engine: DuckDBEngine, method: str, data: st.DataObject) -> None:
    engine.execute(f"UPDATE meta.project SET cost_method = '{method}'")
    zero_start = data.draw(st.booleans())
    state, products, rates, lost = entries(data.draw), versions(data.draw), [8] * 6, losses(data.draw)
    stage(engine, state, products, rates, lost, zero_start)
    follow(engine, exists=False)
    for _ in range(data.draw(st.integers(1, 4))):
        gone = data.draw(st.sets(st.integers(1, 25), max_size=2))
        edit = entries(data.draw, data.draw(st.sampled_from([1, 3, 16])))
        state = {number: e for number, e in {**state, **edit}.items() if number not in gone}
        products = versions(data.draw) if data.draw(st.integers(0, 3)) == 0 else products
        rates = data.draw(st.sampled_from([rates, rates, rates, [8, 8, 9, 9, 9, 9], [8, 8]]))
        lost = losses(data.draw) if data.draw(st.booleans()) else lost
        stage(engine, state, products, rates, lost, zero_start)
        for done in follow(engine, exists=True).done:
            event(f"{done.table} {done.how} {'written' if done.written else 'same'}")
    refreshed = {name: engine.rows(f"SELECT * FROM {name} ORDER BY ALL") for name in MADE}
    follow(engine, exists=False)
    for name in MADE:
        assert refreshed[name] == engine.rows(f"SELECT * FROM {name} ORDER BY ALL"), name


def valued_alike(engine: DuckDBEngine, *, exists: bool) -> bool:
    """Refresh the costs, compare them with all valued from the beginning; were any touched?"""
    for name in (*INPUTS, *MADE) if not exists else ():
        engine.execute(f"DELETE FROM {name}")
    refresh = Refresh(engine, Compiled(), {f"{name.replace('.', '_')}_staged": Change(new="x") for name in INPUTS})
    for name in (*INPUTS, "gold.stock_ledger", "gold.cost_group", "gold.transfer_loss", "gold.stock_cost"):
        refresh.table(compiled(name), exists=exists)
    with engine.transaction():  # the states that the whole valuation keeps are undone
        engine.execute("CREATE OR REPLACE TEMP TABLE whole AS SELECT * FROM gold.stock_cost LIMIT 0")
        run_kernel(engine, "gold.stock_cost", compiled("gold.stock_cost").select, "whole")
        whole = engine.rows("SELECT * FROM whole ORDER BY ALL")
        engine.rollback()
    assert engine.rows("SELECT * FROM gold.stock_cost ORDER BY ALL") == whole
    return exists and "gold.stock_cost" in refresh.changes


def some_entry(draw: Random, number: int, hours: tuple[int, int]) -> Entry:
    return Entry(
        number, draw.randint(1, 4), draw.randint(1, 2), draw.randint(*hours), draw.choice([*ORDER, "count", "sale", "receipt"]),
        draw.randint(1, 6), draw.choice([None, 1, 2, 3, 7]), draw.randint(-9, 30), draw.choice(["T", "U", "V", "W", None]), draw.randint(1, 60),
    )  # fmt: skip


@pytest.mark.parametrize("method", ["moving_average", "fifo"])
@settings(max_examples=max(3, settings.default.max_examples // 5))
@given(draw=st.integers(0, 2**32).map(Random))
def test_day_after_day_from_kept_states(engine: DuckDBEngine, method: str, draw: Random) -> None:
    engine.execute(f"UPDATE meta.project SET cost_method = '{method}'")
    zero_start, standard = draw.random() < 0.7, draw.choice(["NULL", "3"])
    products = [
        f"({product}, {product}, 'erp', 'P{product}', {standard}, 'EUR', TRUE, TIMESTAMPTZ '1900-01-01 00:00:00+00', {FOREVER}, {FOREVER}, TRUE, TRUE)"
        for product in range(1, 5)
    ]
    state = {number: some_entry(draw, number, (0, 20)) for number in range(1, draw.randint(20, 60))}
    rates, exists = [8] * 30, False
    for day in range(4):
        stage(engine, state, products, rates, [], zero_start)
        if valued_alike(engine, exists=exists):
            used = "SELECT count(*), count(*) FILTER (from_at > TIMESTAMPTZ '2000-01-01 00:00:00+00') FROM touched"
            [(touched, from_states)] = engine.rows(used)
            event(
                "all from states" if touched == from_states else "some from states" if from_states else "from nothing"
            )
        exists = True
        for _ in range(draw.choice([1, 1, 2, 5])):
            number = max(state, default=0) + 1
            what = draw.random()
            if what < 0.6 or not state:
                state[number] = some_entry(draw, number, (20 + 2 * day, 22 + 2 * day))
            elif what < 0.7:
                state[number] = some_entry(draw, number, (0, 22 + 2 * day))
            elif what < 0.8:
                del state[draw.choice(sorted(state))]
            elif what < 0.95:
                which = draw.choice(sorted(state))
                other = some_entry(draw, which, (0, 22 + 2 * day))
                name = draw.choice(
                    ["product", "place", "hour", "kind", "units", "cost", "amount", "paper", "gives_back"]
                )
                state[which] = replace(state[which], **{name: getattr(other, name)})
            else:
                rates = [*rates[: draw.randint(0, 20)], *[9] * 30][:30]


def test_what_is_valued_together_follows_every_change_that_matters(engine: DuckDBEngine) -> None:
    def article(product: int, currency: str) -> str:
        return f"({product}, {product}, 'erp', 'P{product}', 3, '{currency}', TRUE, TIMESTAMPTZ '1900-01-01 00:00:00+00', {FOREVER}, {FOREVER}, TRUE, TRUE)"

    def received(number: int, product: int) -> Entry:
        return Entry(number, product, 1, 1, "receipt", 2, 3, 0, None, 0)

    engine.execute("UPDATE meta.project SET cost_method = 'moving_average'")
    used = Entry(3, 1, 1, 2, "production_out", 1, None, 0, "T", 0)
    made = Entry(4, 2, 1, 3, "production_in", 1, None, 0, "T", 0)
    first = {1: received(1, 1), 2: received(2, 2)}
    both, dollars = [article(1, "EUR"), article(2, "EUR")], [article(1, "USD"), article(2, "EUR")]
    apart = [(1, 1, "EUR"), (2, 2, "EUR")]
    steps: list[tuple[dict[int, Entry], list[str], list[tuple[int, int, str]]]] = [
        (first, both, apart),
        (first | {3: used, 4: made}, both, [(1, 1, "EUR"), (2, 1, "EUR")]),
        (first | {4: made}, both, apart),
        (first, both, apart),
        (first | {5: received(5, 2)}, both, apart),
        (first, dollars, [(1, 1, "USD"), (2, 2, "EUR")]),
        (first | {6: received(6, 3)}, dollars, [(1, 1, "USD"), (2, 2, "EUR"), (3, 3, "EUR")]),
        ({2: received(2, 2)}, dollars, [(2, 2, "EUR")]),
    ]
    for number, (state, products, expected) in enumerate(steps):
        stage(engine, state, products, [8] * 6, [], True)
        done = follow(engine, exists=number > 0).done
        found = engine.rows("SELECT product_durable_key, cost_group, currency_code FROM gold.cost_group ORDER BY 1")
        assert found == expected, number
        if number == 4:  # one more receipt
            assert not [table for table in done if table.table == "gold.cost_group"]


def test_intervals_are_made_again_from_the_first_touched_day_on(engine: DuckDBEngine) -> None:
    engine.execute("UPDATE meta.project SET cost_method = 'moving_average'")
    daily = {n: Entry(n, 1, 1, 4 * n, "receipt", 2, 3, 0, None, 0) for n in range(1, 26)}
    stage(engine, daily, [], [], [], True)
    follow(engine, exists=False)
    stage(engine, {**daily, 30: Entry(30, 1, 1, 4 * 20, "receipt", 5, 3, 0, None, 0)}, [], [], [], True)
    done = follow(engine, exists=True).done[-1]
    assert (done.table, done.touched, done.written, done.removed) == ("gold.fact_stock_interval", 1, 6, 6)
    # its day is the 20th, costs are looked for two days before, and the span before those is carried: of the 17th to the 25th
    assert engine.rows("SELECT count(*) FROM stale") == [(9,)]


def step_by_step(
    engine: DuckDBEngine, method: str, *states: list[Entry], products: list[str] | None = None
) -> list[tuple[Any, ...]]:
    """One state of the entries after the other; the groups that the last touched, first touched hour and hour of the state."""
    engine.execute(f"UPDATE meta.project SET cost_method = '{method}'")
    for number, state in enumerate(states):
        stage(engine, {entry.number: entry for entry in state}, products or [], [], [], True)
        valued_alike(engine, exists=number > 0)
    hours = ", ".join(
        f"date_diff('hour', TIMESTAMPTZ '2024-05-01 00:00:00+00', {at}) / 6" for at in ("first_at", "from_at")
    )
    return engine.rows(f"SELECT k1, {hours} FROM touched WHERE from_at > TIMESTAMPTZ '2000-01-01 00:00:00+00'")


def received(number: int, hour: int, cost: int, product: int = 1) -> Entry:
    return Entry(number, product, 1, hour, "receipt", 3, cost, 0, "D", 0)


@pytest.mark.parametrize("method", ["moving_average", "fifo"])
def test_a_state_after_a_changed_entry_is_thrown_away(engine: DuckDBEngine, method: str) -> None:
    first = [received(number, number, number) for number in range(1, 11)]
    later = [*first, received(11, 20, 5)]
    changed = [replace(first[1], cost=9), *later[:1], *later[2:]]  # the state at 10 is no longer true
    # 72 hours before the last one: at 8
    assert step_by_step(engine, method, first, later, changed, [*changed, received(12, 12, 2)]) == [(1, 12, 8)]


@pytest.mark.parametrize("method", ["moving_average", pytest.param("fifo", marks=pytest.mark.long)])
@pytest.mark.parametrize("edit", [{"units": 2}, {"product": 2}, {"hour": 19}, {"paper": "U"}, {"place": 1}, None])
def test_a_shipment_touches_what_was_received_before_it(
    engine: DuckDBEngine, method: str, edit: dict[str, Any] | None
) -> None:
    stock = [received(1, 1, 2), replace(received(2, 1, 7), place=2), received(3, 2, 3, product=2)]
    inward = Entry(4, 1, 2, 10, "transfer_in", 4, None, 0, "T", 0)
    outward = Entry(5, 1, 1, 20, "transfer_out", 4, None, 0, "T", 0)
    before = [*stock, inward, outward]
    after = [*stock, inward, *([] if edit is None else [replace(outward, **edit)])]
    for one, other in ((before, after), (after, before)):
        step_by_step(engine, method, one, other, [*other, received(9, 22, 1)])


# Edits of what goes out are found as for a shipment, above: here the one that is no shipment's, and that it is gone.
@pytest.mark.parametrize("method", ["moving_average", pytest.param("fifo", marks=pytest.mark.long)])
@pytest.mark.parametrize(
    "edit",
    [
        *(
            pytest.param(edit, marks=pytest.mark.long)
            for edit in ({"units": 2}, {"product": 2}, {"hour": 19}, {"paper": "U"})
        ),
        {"kind": "sale"},
        None,
    ],
)
def test_a_component_touches_what_was_made_of_it_before(
    engine: DuckDBEngine, method: str, edit: dict[str, Any] | None
) -> None:
    stock = [received(1, 1, 2), received(2, 2, 3, product=2), received(3, 2, 3, product=3)]
    made = Entry(4, 3, 1, 10, "production_in", 2, None, 0, "T", 0)
    used = Entry(5, 1, 1, 20, "production_out", 4, None, 0, "T", 0)
    before = [*stock, made, replace(used, number=6, product=2, hour=8), used]
    after = [*before[:-1], *([] if edit is None else [replace(used, **edit)])]
    for one, other in ((before, after), (after, before)):
        step_by_step(engine, method, one, other, [*other, received(9, 22, 1, product=2)])


@pytest.mark.parametrize("method", ["moving_average", "fifo"])
def test_what_later_entries_refer_to_is_read_from_before_the_state(engine: DuckDBEngine, method: str) -> None:
    sold = Entry(3, 1, 1, 3, "sale", 2, None, 0, None, 0)
    first = [received(1, 1, 2), received(2, 2, 5), sold, received(4, 10, 8)]
    back = Entry(5, 1, 1, 20, "customer_return", 1, None, 0, None, 3)
    freight = Entry(6, 1, 1, 21, "revaluation", 1, None, 12, "D", 0)
    assert step_by_step(engine, method, first, [*first, back, freight]) == [(1, 20, 10)]


@pytest.mark.parametrize("method", ["moving_average", "fifo"])
@pytest.mark.parametrize("paper", ["T", None])
def test_what_comes_beyond_a_transfer_costs_what_was_shipped_before_the_state(
    engine: DuckDBEngine, method: str, paper: str | None
) -> None:
    stock = [received(1, 1, 2), replace(received(2, 1, 8), place=2), replace(received(3, 6, 5), place=2)]
    outward, inward = Entry(4, 1, 1, 2, "transfer_out", 1, None, 0, paper, 0), Entry(5, 1, 2, 5, "transfer_in", 1, None, 0, paper, 0)  # fmt: skip
    dearer = [replace(received(6, 3, 9), paper=None), replace(outward, number=7, hour=4, paper="V")]
    first = [*stock, outward, inward, *dearer, received(8, 10, 8, product=2), received(9, 10, 8)]
    beyond = replace(inward, number=10, hour=20, units=2)
    assert step_by_step(engine, method, first, [*first, beyond]) == [(1, 20, 10)]
    [(amount,)] = engine.rows(f"SELECT cost_amount FROM gold.stock_cost WHERE ledger_entry_key = '{uuid.UUID(int=10)}' AND posting_no = 0")  # fmt: skip
    assert amount == 4


def test_only_the_touched_group_is_valued_anew(engine: DuckDBEngine) -> None:
    engine.execute("UPDATE meta.project SET cost_method = 'moving_average'")
    state = {n: Entry(n, 1 + n % 4, 1, n // 2, "receipt", 1, 2, 0, None, 0) for n in range(1, 25)}
    stage(engine, state, [], [], [], True)
    follow(engine, exists=False)
    stage(engine, {**state, 25: Entry(25, 1, 1, 7, "receipt", 2, 2, 0, None, 0)}, [], [], [], True)
    done = {part.table: part for part in follow(engine, exists=True).done}["gold.stock_cost"]
    # product 1 has its receipts at hours 2, 4, 6, 8, 10 and 12: from the new one at 7 on, three have another value after them
    assert (done.how, done.touched, done.written, done.removed) == ("from the first touched instant", 1, 4, 3)
