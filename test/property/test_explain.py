"""Explained rows are enough: from the silver rows that an explanation names, and no others, the number comes out again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest

from systock import Project
from systock.data_warehouse.compiled import CompiledTable, compile_table, read_compiled
from systock.data_warehouse.engine.base import Engine
from systock.data_warehouse.engine.duckdb import connect
from systock.data_warehouse.macros import define_zones
from systock.data_warehouse.refresh import Refresh
from systock.pipeline_manager.definitions import Definitions
from systock.pipeline_manager.explain import Explanation
from systock.simulator.simulate import simulate, write_project

#: Tables, and columns of them that are asked for one by one beside the whole row.
FEW = {
    "gold.fact_sale_line": ["net_amount"],
    "gold.fact_stock_movement": ["on_hand_after_units"],
    "gold.fact_purchase_order_line": ["is_on_time_in_full"],
    "gold.dim_product": ["valid_to_at"],
    "serve.sales_daily": ["net_amount"],
    "serve.stock_on_hand": ["on_hand_units"],
}
MANY = {
    "gold.fact_sale_line": ["net_amount", "reporting_cost_amount", "business_date"],
    "gold.fact_stock_movement": ["on_hand_after_units", "value_after_amount"],
    "gold.fact_stock_interval": ["on_hand_units", "to_date", "value_amount"],
    "gold.fact_stock_count": ["variance_units"],
    "gold.fact_purchase_order_line": ["received_units", "is_on_time_in_full", "lead_time_days"],
    "gold.fact_transfer_line": ["in_transit_units"],
    "gold.fact_order_line": ["ordered_units"],
    "gold.fact_store_day": ["opened_at"],
    "gold.dim_product": ["valid_to_at"],
    "serve.sales_daily": ["net_amount", "transactions", "location_name"],
    "serve.sales_weekly": ["reporting_net_amount"],
    "serve.stock_on_hand": ["on_hand_units", "is_known"],
    "serve.supplier_performance": ["fill_ratio"],
}


@dataclass(eq=False)
class Chain:
    """A chain that ran, and how each table of gold and serve, in their order, is made and filled."""

    path: Path
    definitions: Definitions
    tables: dict[str, tuple[str, CompiledTable]]

    def engine(self) -> Engine:
        return connect(self.path / "warehouse.duckdb", read_only=True)


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    folder = tmp_path_factory.mktemp("chain")
    write_project(folder)
    simulate(folder, seed=3, days=10, stores=2, products=20)
    project = Project(folder)
    project.run()
    definitions = Definitions(project.path, project.settings)
    tables = {}
    for file in definitions.tables:
        columns = ", ".join(f'"{c.name}" {c.type}' for c in file.columns)
        made = f"CREATE TABLE {file.qualified} ({columns})"
        tables[file.qualified] = (made, read_compiled(compile_table(file)))
    return Chain(project.path, definitions, tables)


@pytest.mark.parametrize("table", FEW)
def test_the_named_silver_rows_alone_make_the_number(chain: Chain, table: str) -> None:
    explain_some(chain, table, FEW[table], 1)


@pytest.mark.long
@pytest.mark.parametrize("table", MANY)
def test_the_named_silver_rows_alone_make_many_numbers(chain: Chain, table: str) -> None:
    explain_some(chain, table, MANY[table], 5)


def explain_some(chain: Chain, table: str, columns: list[str], count: int) -> None:
    keys = ", ".join(chain.definitions.file(table).primary_key)
    with chain.engine() as engine:
        every = engine.dicts(f"SELECT {keys} FROM {table} ORDER BY ALL")
    random = Random(table)
    for column in [None, *columns]:
        for key in random.sample(every, min(count, len(every))):
            with chain.engine() as engine:
                told = Explanation(engine, chain.definitions, table, key, column)
                told.trace()
                again = recomputed(chain, told, key)
            names = [column] if column else list(told.row)
            assert [[row[name] for name in names] for row in again] == [[told.row[name] for name in names]], (
                key,
                column,
            )


def recomputed(chain: Chain, told: Explanation, key: dict[str, Any]) -> list[dict[str, Any]]:
    """The row in a warehouse made of the named silver rows and the settings, and of nothing else."""
    with connect(None) as fresh:
        for schema in ("silver", "gold", "serve", "meta"):
            fresh.execute(f"CREATE SCHEMA {schema}")
        fresh.execute(define_zones(()))
        for name in [*(f"silver.{entity}" for entity in chain.definitions.contracts), "meta.project", "meta.source"]:
            taken = name.startswith("meta.") or name in told.parts
            rows = told.engine.arrow(
                told.rows_sql(name) if name in told.parts else f"SELECT * FROM {name} WHERE {not taken} IS FALSE"
            )
            fresh.connection.register("taken", rows)
            fresh.execute(f"CREATE TABLE {name} AS SELECT * FROM taken")
        for name, (make, table) in chain.tables.items():
            fresh.execute(make)
            if name in told.parts:  # what nothing reads stays empty
                Refresh(fresh, chain.definitions.compiled(), {}).table(table, exists=False)
        same = " AND ".join(f'"{name}" IS NOT DISTINCT FROM CAST(? AS {told.file.column(name).type})' for name in key)
        return fresh.dicts(f"SELECT * FROM {told.file.qualified} WHERE {same}", list(key.values()))
