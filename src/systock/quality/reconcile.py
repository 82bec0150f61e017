"""Reconciliation: what silver holds and what gold posted must be the same totals, per source, entity and business day.

The silver side is computed on its own, from silver and the dimensions; what gold holds back is counted, not forgotten:
silver = posted + held back. At a run only the lines that it brought are reconciled, at `systock check` all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from systock.data_warehouse.engine.base import Engine
from systock.data_warehouse.portable_sql import compile_text
from systock.data_warehouse.refresh import Change
from systock.quality.contract_checks import CheckResult


@dataclass(frozen=True)
class _Entity:
    """How one entity is told in silver and found again in gold."""

    name: str
    key: tuple[str, ...]
    instant: str
    local: str
    amount: str
    posted: str
    posted_key: tuple[str, ...]
    posted_amount: str
    held: str = "gold.unconverted_line"
    also: str = ""  # columns that the entity names otherwise


def _units(quantity: str) -> str:
    """A quantity of a line in base units."""
    return (
        "CASE WHEN line.unit IS NULL OR line.unit = article.base_unit OR (article.base_unit IS NULL AND unit.base_units IS NULL) "
        f"THEN line.{quantity} ELSE mul(line.{quantity}, unit.base_units, 3) END"
    )


_ENTITIES = (
    _Entity(
        "sale_line", ("sale_id", "line_no"), "line.sold_at", "line.sold_at_local",
        "mul(line.quantity, line.unit_price_amount, 4) - line.discount_amount - CASE WHEN line.price_includes_tax THEN line.tax_amount ELSE 0 END",
        "gold.fact_sale_line", ("sale_id", "line_no"), "net_amount",
    ),
    _Entity(
        "stock_movement", ("movement_id",), "line.occurred_at", "line.occurred_at_local",
        _units("quantity"),
        "(SELECT * FROM gold.stock_entry WHERE entity = 'stock_movement')", ("entry_id",), "quantity_units",
    ),
    _Entity(
        "order_line", ("order_id", "line_no"), "line.ordered_at", "line.ordered_at_local", _units("ordered_quantity"),
        "gold.fact_order_line", ("order_id", "line_no"), "ordered_units", "gold.unconverted_document_line",
    ),
    _Entity(
        "purchase_order_line", ("purchase_order_id", "line_no"), "line.ordered_at", "line.ordered_at_local", _units("ordered_quantity"),
        "gold.fact_purchase_order_line", ("purchase_order_id", "line_no"), "ordered_units", "gold.unconverted_document_line",
    ),
    _Entity(
        "transfer_line", ("transfer_id", "line_no"), "line.shipped_at", "line.shipped_at_local", _units("shipped_quantity"),
        "gold.fact_transfer_line", ("transfer_id", "line_no"), "shipped_units", "gold.unconverted_document_line", ", from_location_id AS location_id",
    ),
)  # fmt: skip

_TOTALS = """
WITH located AS (
    SELECT line.*, COALESCE({instant}, local_to_utc({local}, COALESCE(latest.timezone, project.timezone))) AS happened_at
    FROM (SELECT *{also} FROM {lines}) AS line
    CROSS JOIN meta.project AS project
    LEFT JOIN gold.dim_location AS latest
        ON latest.source_name = line.location_source_name AND latest.location_id = line.location_id AND latest.is_latest
),

stated AS (
    SELECT
        line.source_name,
        business_date(line.happened_at, COALESCE(place.timezone, project.timezone),
            COALESCE(place.business_day_cutover, project.business_day_cutover)) AS business_date,
        CASE WHEN held.natural_key IS NULL THEN {amount} END AS amount
    FROM located AS line
    CROSS JOIN meta.project AS project
    LEFT JOIN gold.dim_location AS place
        ON place.source_name = line.location_source_name AND place.location_id = line.location_id
        AND place.valid_from_at <= line.happened_at AND place.superseded_at > line.happened_at
    LEFT JOIN gold.dim_product AS article
        ON article.source_name = line.product_source_name AND article.product_id = line.product_id AND article.is_latest
    LEFT JOIN silver.product_unit AS unit
        ON unit.source_name = line.product_source_name AND unit.product_id = line.product_id AND unit.unit = line.unit
    LEFT JOIN {held_table} AS held
        ON held.entity = '{entity}' AND held.source_name = line.source_name AND held.natural_key = {natural_key}
),

expected AS (
    SELECT source_name, business_date, COUNT(*) AS stated_lines, SUM(amount) AS stated_amount FROM stated GROUP BY source_name, business_date
),

posted AS (
    SELECT source_name, business_date, COUNT(*) AS posted_lines, SUM({posted_amount}) AS posted_amount
    FROM {posted} GROUP BY source_name, business_date
),

held AS (
    SELECT source_name, business_date, COUNT(*) AS held_lines FROM {held} GROUP BY source_name, business_date
)

SELECT
    COALESCE(expected.source_name, posted.source_name) AS source_name,
    COALESCE(expected.business_date, posted.business_date) AS business_date,
    expected.stated_lines, posted.posted_lines, held.held_lines, expected.stated_amount, posted.posted_amount
FROM expected
FULL JOIN posted ON posted.source_name = expected.source_name AND posted.business_date = expected.business_date
LEFT JOIN held ON held.source_name = expected.source_name AND held.business_date = expected.business_date
WHERE COALESCE(expected.stated_lines, 0) <> COALESCE(posted.posted_lines, 0) + COALESCE(held.held_lines, 0)
    OR COALESCE(expected.stated_amount, 0) <> COALESCE(posted.posted_amount, 0)
ORDER BY source_name, business_date
"""


def reconcile(
    engine: Engine, changes: Mapping[str, Change] | None, *, zones_defined: bool = False
) -> Iterator[CheckResult]:
    """Compare silver's totals with gold's; only of the lines that a run brought, where `changes` is given.

    zones_defined: see compile_sql.
    """
    for entity in _ENTITIES:
        change = Change(everything=True) if changes is None else changes.get(f"silver.{entity.name}")
        if change is None:
            continue
        yield _verdict(engine, entity, change, zones_defined)


def _verdict(engine: Engine, entity: _Entity, change: Change, zones_defined: bool) -> CheckResult:
    natural_key = " || ' / ' || ".join(f"line.{name}" for name in entity.key)
    lines, posted = f"silver.{entity.name}", entity.posted
    held = f"(SELECT * FROM {entity.held} WHERE entity = '{entity.name}')"
    if not change.everything:
        lines = change.new
        key = ", ".join(("source_name", *entity.key))
        found = ", ".join(("source_name", *entity.posted_key))
        posted = f"(SELECT * FROM {posted} AS gold_row WHERE ({found}) IN (SELECT {key} FROM {lines}))"
        held = f"(SELECT * FROM {held} AS held_row WHERE (source_name, natural_key) IN (SELECT line.source_name, {natural_key} FROM {lines} AS line))"
    sql = _TOTALS.format(
        instant=entity.instant, local=entity.local, amount=entity.amount, lines=lines, entity=entity.name, natural_key=natural_key,
        posted=f"{posted} AS posting", posted_amount=entity.posted_amount, held=f"{held} AS held_line",
        held_table=entity.held, also=entity.also,
    )  # fmt: skip
    broken = engine.rows(compile_text(sql, zones_defined=zones_defined))
    check = f"{entity.name}: silver = posted + held back, per source and business day"
    if not broken:
        return CheckResult(check, entity.posted, True)
    source, day, stated, posted_lines, held_lines, amount, posted_amount = broken[0]
    return CheckResult(
        check, entity.posted, False,
        f"{len(broken)} business days differ; first {day} of {source}: {stated} lines of {amount} in silver, "
        f"{posted_lines or 0} lines of {posted_amount} posted, {held_lines or 0} held back",
    )  # fmt: skip
