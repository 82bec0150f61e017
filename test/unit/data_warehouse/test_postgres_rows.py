"""Which rows roles with places of their own see: of every table it is decided, also of those that are still to come."""

from __future__ import annotations

from pathlib import Path

from systock.data_warehouse.engine.postgres_rows import place_condition
from systock.data_warehouse.engine.postgres_schema import PostgresSchema
from systock.data_warehouse.table_file import load_folder, parse_text
from systock.pipeline_manager.definitions import CONTRACTS, SCHEMA

CONDITIONS = {
    table.qualified: place_condition(table)
    for table in PostgresSchema(load_folder(SCHEMA), load_folder(CONTRACTS)).stored
}


def test_what_names_no_place_is_a_list_or_hidden() -> None:
    assert {name for name, condition in CONDITIONS.items() if not condition and not name.startswith("meta.")} == {
        "gold.cost_group", "gold.dim_channel", "gold.dim_customer", "gold.dim_date", "gold.dim_holiday",
        "gold.dim_movement_kind", "gold.dim_product", "gold.dim_promotion", "gold.dim_supplier", "gold.exchange_rate_day",
        "gold.last_day", "gold.product_component", "gold.product_component__versions",
        "silver.period_close__versions", "snapshot.taken",
    }  # fmt: skip
    assert {name for name, condition in CONDITIONS.items() if condition == "false"} == {
        "snapshot.product_state__changes"
    }


def test_places_by_key_by_source_and_code_and_by_code() -> None:
    assert CONDITIONS["gold.fact_transfer_line"].count("= ANY (ARRAY(SELECT v.location_durable_key") == 2
    assert '("location_source_name", "to_location_id") IN' in CONDITIONS["silver.transfer_line__versions"]
    assert "v.is_whole_code" in CONDITIONS["gold.unconverted_line"]


def test_an_own_table_that_names_no_place_is_seen_by_none_of_these_roles() -> None:
    text = "-- Own.\n-- refresh: full\nCREATE TABLE gold.own (\n    {} bigint -- what\n);\nSELECT 1 AS {}"
    assert place_condition(parse_text(text.format("total", "total"), Path("own.sql"))) == "false"
    column = "location_durable_key"
    assert column in place_condition(parse_text(text.format(column, column), Path("own.sql")))
