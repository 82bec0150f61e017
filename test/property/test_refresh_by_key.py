"""Refresh by key equals a full recompute, for realistic and for odd queries, whatever changes at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from random import Random

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from systock.data_warehouse.portable_sql import compile_text

from .random_query import TABLES as RANDOM_TABLES
from .random_query import ChainedQuery, RandomQuery, random_edits, random_rows
from .refresh_world import Rows, World, write_plainly

TEXTS, SHOPS, PRODUCTS = ["'a'", "'b'"], ["'x'", "'y'", "NULL"], ["'p'", "'q'", "'r'"]
DAYS = [f"DATE '2024-03-{day:02}'" for day in (1, 2, 3, 4)]
INSTANTS = [f"TIMESTAMPTZ '2024-03-{day:02} {hour}:30:00+00'" for day in (1, 2, 3) for hour in ("03", "12")]
UNITS = ["1", "2", "-1", "3"]
BOOLEANS = ["TRUE", "FALSE"]

# table → column → type and the values that it is tried with
DATA: Mapping[str, Mapping[str, tuple[str, list[str]]]] = {
    "silver.product": {
        "source_name": ("text", TEXTS),
        "product_id": ("text", PRODUCTS),
        "version_at": ("timestamptz", INSTANTS),
        "is_deleted": ("boolean", BOOLEANS),
        "category": ("text", ["'toys'", "'food'", "NULL"]),
        "parent_product_id": ("text", [*PRODUCTS, "NULL"]),
    },
    "silver.header": {
        "source_name": ("text", TEXTS),
        "sale_id": ("text", ["'1'", "'2'", "'3'"]),
        "location_id": ("text", SHOPS),
        "sold_at": ("timestamptz", INSTANTS),
        "is_void": ("boolean", BOOLEANS),
    },
    "silver.sale_line": {
        "source_name": ("text", TEXTS),
        "sale_id": ("text", ["'1'", "'2'", "'3'"]),
        "line_no": ("text", ["'1'", "'2'"]),
        "location_id": ("text", SHOPS),
        "product_source_name": ("text", TEXTS),
        "product_id": ("text", PRODUCTS),
        "sold_at": ("timestamptz", INSTANTS),
        "quantity": ("integer", UNITS),
    },
    "silver.stock_movement": {
        "source_name": ("text", TEXTS),
        "movement_id": ("text", ["'1'", "'2'", "'3'"]),
        "location_id": ("text", SHOPS),
        "product_source_name": ("text", TEXTS),
        "product_id": ("text", PRODUCTS),
        "occurred_at": ("timestamptz", INSTANTS),
        "quantity": ("integer", UNITS),
        "stock_status": ("text", ["'sellable'", "'hold'"]),
    },
    "silver.stock_count": {
        "source_name": ("text", TEXTS),
        "count_id": ("text", ["'1'", "'2'"]),
        "location_id": ("text", SHOPS),
        "product_source_name": ("text", TEXTS),
        "product_id": ("text", PRODUCTS),
        "counted_at": ("timestamptz", INSTANTS),
        "quantity": ("integer", UNITS),
    },
    "gold.dim_product": {
        "product_key": ("bigint", ["1", "2", "3"]),
        "product_durable_key": ("bigint", ["11", "12"]),
        "source_name": ("text", TEXTS),
        "product_id": ("text", PRODUCTS),
        "valid_from_at": ("timestamptz", INSTANTS[:4]),
        "valid_to_at": ("timestamptz", INSTANTS[2:]),
        "category": ("text", ["'toys'", "'food'", "NULL"]),
    },
    "gold.dim_location": {
        "location_key": ("bigint", ["1", "2"]),
        "location_id": ("text", SHOPS),
        "valid_from_at": ("timestamptz", INSTANTS[:3]),
        "valid_to_at": ("timestamptz", INSTANTS[3:]),
        "timezone": ("text", ["'Europe/Berlin'", "'UTC'", "NULL"]),
    },
    "gold.ledger": {
        "product_durable_key": ("bigint", ["11", "12"]),
        "location_durable_key": ("bigint", ["21", "NULL"]),
        "entry_id": ("text", ["'1'", "'2'", "'3'", "'4'"]),
        "business_date": ("date", DAYS),
        "balance": ("integer", ["0", "1", "2", "NULL"]),
    },
    "bronze.pos__invoice": {
        "_file": ("text", ["'f'", "'g'"]),
        "_row": ("bigint", ["1", "2", "3", "4", "5"]),
        "invoice": ("text", ["'1'", "'2'"]),
        "sku": ("text", PRODUCTS),
        "amount": ("text", ["'1'", "'2'"]),
    },
    "meta.project": {
        "timezone": ("text", ["'UTC'", "'Europe/Berlin'"]),
        "cutover": ("time", ["TIME '04:00'", "TIME '00:00'"]),
    },
}


@dataclass(frozen=True)
class Case:
    """A table file's SELECT, its key, and what the touched keys must be."""

    sql: str
    key: tuple[str, ...]
    meanings: tuple[str, ...]
    whole_for: frozenset[str] = frozenset()
    definitions: Mapping[str, str] = field(default_factory=dict)


CASES = {
    "type 2 dimension": Case(
        """
        WITH compared AS (
            SELECT product.*, LAG(category) OVER (PARTITION BY source_name, product_id ORDER BY version_at, category, is_deleted)
                AS category_before FROM silver.product AS product
        ),
        version AS (
            SELECT compared.*, LEAD(version_at) OVER (PARTITION BY source_name, product_id ORDER BY version_at, category, is_deleted)
                AS next_at FROM compared WHERE category_before IS DISTINCT FROM category
        )
        SELECT dim_key(source_name, product_id, instant_text(version_at)) AS product_key, dim_key(source_name, product_id)
            AS product_durable_key, source_name, product_id, category, COALESCE(next_at, TIMESTAMPTZ '9999-12-31 00:00:00+00') AS valid_to_at
        FROM version WHERE NOT is_deleted
        UNION ALL
        SELECT 0 AS product_key, 0 AS product_durable_key, '(unknown)' AS source_name, '(unknown)' AS product_id, CAST(NULL AS text)
            AS category, TIMESTAMPTZ '9999-12-31 00:00:00+00' AS valid_to_at
        FROM meta.project AS project
        """,
        ("product_key",),
        ("product.source_name", "product.product_id"),
        frozenset({"meta.project"}),
    ),
    "fact over header and line": Case(
        """
        WITH sold AS (
            SELECT source_name, sale_id, line.line_no, line.product_source_name, line.product_id, line.quantity, header.sold_at,
                header.location_id, header.is_void
            FROM silver.sale_line AS line INNER JOIN silver.header AS header USING (source_name, sale_id)
        )
        SELECT fact_key(sold.source_name, sold.sale_id, sold.line_no) AS line_key, sold.quantity,
            COALESCE(product.product_key, 0) AS product_key, COALESCE(place.location_key, 0) AS location_key,
            business_date(sold.sold_at, COALESCE(place.timezone, project.timezone), project.cutover) AS business_date
        FROM sold
        CROSS JOIN meta.project AS project
        LEFT JOIN gold.dim_product AS product
            ON product.source_name = sold.product_source_name AND product.product_id = sold.product_id
            AND product.valid_from_at <= sold.sold_at AND sold.sold_at < product.valid_to_at
        LEFT JOIN gold.dim_location AS place
            ON place.location_id = sold.location_id AND place.valid_from_at <= sold.sold_at AND sold.sold_at < place.valid_to_at
        WHERE NOT sold.is_void
        """,
        ("line_key",),
        ("line.source_name", "line.sale_id", "line.line_no"),
        frozenset({"meta.project"}),
    ),
    "day aggregate": Case(
        """
        SELECT business_date(line.sold_at, COALESCE(place.timezone, project.timezone), project.cutover) AS business_date,
            line.location_id, COALESCE(product.category, '?') AS category, SUM(line.quantity) AS units, COUNT(*) AS line_count
        FROM silver.sale_line AS line
        CROSS JOIN meta.project AS project
        LEFT JOIN gold.dim_location AS place ON place.location_id = line.location_id AND place.location_key = 1
        LEFT JOIN gold.dim_product AS product ON product.source_name = line.product_source_name AND product.product_id = line.product_id
        GROUP BY business_date(line.sold_at, COALESCE(place.timezone, project.timezone), project.cutover), line.location_id,
            COALESCE(product.category, '?')
        HAVING COUNT(*) <> 2
        """,
        ("business_date", "location_id", "category"),
        (
            "BUSINESS_DATE(line.sold_at, COALESCE(place.timezone, project.timezone), project.cutover)",
            "line.location_id",
            "COALESCE(product.category, '?')",
        ),
        frozenset({"meta.project"}),
    ),
    "ranking": Case(
        """
        WITH sold AS (
            SELECT line.location_id, line.product_id, SUM(line.quantity) AS units FROM silver.sale_line AS line
            GROUP BY line.location_id, line.product_id
        )
        SELECT location_id, product_id, units, RANK() OVER (PARTITION BY location_id ORDER BY units DESC) AS place FROM sold WHERE units > 0
        """,
        ("location_id", "product_id"),
        ("line.location_id",),
    ),
    "anti join": Case(
        """
        SELECT line.source_name, line.sale_id, line.line_no FROM silver.sale_line AS line
        LEFT JOIN gold.dim_product AS product ON product.source_name = line.product_source_name AND product.product_id = line.product_id
        WHERE product.product_key IS NULL
            AND NOT EXISTS (SELECT 1 FROM silver.header AS header WHERE header.sale_id = line.sale_id AND header.is_void)
        """,
        ("source_name", "sale_id", "line_no"),
        ("line.source_name", "line.sale_id", "line.line_no"),
    ),
    "ledger": Case(
        """
        WITH posting AS (
            SELECT 'movement' AS entity, movement.source_name, movement.movement_id AS entry_id, movement.location_id,
                movement.product_source_name, movement.product_id, movement.stock_status, movement.occurred_at, movement.quantity,
                CAST(NULL AS integer) AS counted
            FROM silver.stock_movement AS movement
            UNION ALL
            SELECT 'sale_line' AS entity, line.source_name, line.sale_id || '/' || line.line_no AS entry_id,
                COALESCE(line.location_id, 'x') AS location_id, line.product_source_name, line.product_id, 'sellable' AS stock_status,
                line.sold_at AS occurred_at, -line.quantity AS quantity, CAST(NULL AS integer) AS counted
            FROM silver.sale_line AS line
            WHERE line.quantity <> 3
            UNION ALL
            SELECT 'count' AS entity, counted.source_name, counted.count_id AS entry_id, counted.location_id,
                counted.product_source_name, counted.product_id, 'sellable' AS stock_status, counted.counted_at AS occurred_at,
                0 AS quantity, counted.quantity AS counted
            FROM silver.stock_count AS counted
        ),
        entry AS (
            SELECT fact_key(posting.entity, posting.source_name, posting.entry_id) AS entry_key, posting.*,
                COALESCE(product.product_durable_key, dim_key(posting.product_source_name, posting.product_id)) AS product_durable_key,
                dim_key(posting.location_id) AS location_durable_key, COALESCE(product.category, '?') AS category
            FROM posting
            LEFT JOIN gold.dim_product AS product
                ON product.source_name = posting.product_source_name AND product.product_id = posting.product_id
                AND product.valid_from_at <= posting.occurred_at AND posting.occurred_at < product.valid_to_at
        ),
        anchored AS (
            SELECT entry.*, SUM(CASE WHEN counted IS NULL THEN 0 ELSE 1 END) OVER (
                PARTITION BY product_durable_key, location_durable_key, stock_status
                ORDER BY occurred_at, entry_key, quantity, counted, category ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS segment
            FROM entry
        )
        SELECT entry_key, location_id, product_id, stock_status, occurred_at, category, SUM(COALESCE(counted, quantity)) OVER (
            PARTITION BY product_durable_key, location_durable_key, stock_status, segment
            ORDER BY occurred_at, entry_key, quantity, counted, category ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS balance
        FROM anchored
        """,
        ("entry_key",),
        ("product_source_name", "product_id", "location_id", "stock_status"),
        definitions={
            "gold.dim_product": """SELECT dim_key(source_name, product_id, instant_text(version_at)) AS product_key,
                dim_key(source_name, product_id) AS product_durable_key, source_name, product_id FROM silver.product"""
        },
    ),
    "intervals": Case(
        """
        WITH marked AS (
            SELECT ledger.*, LEAD(business_date) OVER (PARTITION BY product_durable_key, location_durable_key
                ORDER BY business_date, entry_id, balance) AS next_date
            FROM gold.ledger AS ledger WHERE balance IS NOT NULL
        ),
        day_end AS (
            SELECT marked.*, LAG(balance) OVER (PARTITION BY product_durable_key, location_durable_key ORDER BY business_date) AS balance_before
            FROM marked WHERE next_date IS NULL OR next_date > business_date
        )
        SELECT product_durable_key, location_durable_key, business_date AS from_date, LEAD(business_date) OVER (
            PARTITION BY product_durable_key, location_durable_key ORDER BY business_date) AS to_date, balance
        FROM day_end WHERE balance_before IS NULL OR balance_before <> balance
        """,
        ("product_durable_key", "location_durable_key", "from_date"),
        ("ledger.product_durable_key", "ledger.location_durable_key"),
    ),
    "mapping with numbered lines": Case(
        """
        SELECT 'pos' AS source_name, invoice.invoice AS sale_id, CAST(ROW_NUMBER() OVER (
            PARTITION BY invoice._file, invoice.invoice ORDER BY invoice._row, invoice.sku, invoice.amount) AS text) AS line_no,
            invoice.sku AS product_id, product.category
        FROM bronze.pos__invoice AS invoice
        LEFT JOIN (SELECT DISTINCT product_id, category FROM silver.product) AS product ON product.product_id = invoice.sku
            AND product.category = 'toys'
        """,
        ("source_name", "sale_id", "line_no"),
        ("invoice.invoice", "invoice._file"),
    ),
    "self join": Case(
        """
        SELECT child.source_name, child.product_id, child.version_at, parent.category AS parent_category, COUNT(parent.product_id) OVER (
            PARTITION BY child.source_name, child.product_id) AS parent_count
        FROM silver.product AS child LEFT JOIN silver.product AS parent
            ON parent.source_name = child.source_name AND parent.product_id = child.parent_product_id AND parent.version_at <= child.version_at
        """,
        ("source_name", "product_id", "version_at"),
        ("child.source_name", "child.product_id"),
    ),
    "latest by lateral, days by spine": Case(
        """
        WITH span AS (
            SELECT ledger.product_durable_key, ledger.entry_id, ledger.business_date, ledger.balance, latest.business_date AS last_date
            FROM gold.ledger AS ledger
            LEFT JOIN LATERAL (
                SELECT later.business_date FROM gold.ledger AS later WHERE later.product_durable_key = ledger.product_durable_key
                    AND later.entry_id = ledger.entry_id ORDER BY later.business_date DESC LIMIT 1
            ) AS latest ON TRUE
        )
        SELECT span.product_durable_key, span.entry_id, spine.day, SUM(span.balance) AS balance FROM span
        CROSS JOIN LATERAL date_spine(span.business_date, span.last_date) AS spine
        GROUP BY span.product_durable_key, span.entry_id, spine.day
        """,
        ("product_durable_key", "entry_id", "day"),
        ("ledger.product_durable_key", "ledger.entry_id"),
    ),
    "a total used twice": Case(
        """
        WITH sold AS (
            SELECT line.product_id, line.location_id, SUM(line.quantity) AS units FROM silver.sale_line AS line
            JOIN silver.header AS header ON header.sale_id = line.sale_id AND NOT header.is_void GROUP BY line.product_id, line.location_id
        ),
        moved AS (
            SELECT movement.product_id, movement.location_id, MAX(movement.quantity) AS units FROM silver.stock_movement AS movement
            JOIN silver.stock_count AS counted ON counted.product_id = movement.product_id GROUP BY movement.product_id, movement.location_id
        )
        SELECT a.product_id, a.location_id, a.units, b.units AS other_units, moved.units AS moved_units
        FROM sold AS a
        LEFT JOIN sold AS b ON b.product_id = a.product_id AND b.location_id <> a.location_id
        JOIN moved ON moved.product_id = a.product_id AND moved.units <= a.units
        """,
        ("product_id", "location_id"),
        ("line.product_id", "line.location_id"),
    ),
    "what exists elsewhere": Case(
        """
        SELECT DISTINCT header.source_name, header.sale_id, header.location_id,
            (SELECT MAX(line.quantity) FROM silver.sale_line AS line WHERE line.sale_id = header.sale_id
                AND line.product_id IN (SELECT product.product_id FROM gold.dim_product AS product WHERE product.category = 'toys')) AS most
        FROM silver.header AS header
        WHERE EXISTS (SELECT 1 FROM silver.stock_movement AS movement JOIN silver.stock_count AS counted USING (product_id)
                WHERE movement.location_id = header.location_id GROUP BY movement.product_id HAVING COUNT(*) > 1)
            OR header.location_id IN (SELECT place.location_id FROM gold.dim_location AS place WHERE place.location_id = header.location_id)
            OR header.location_id IS NULL
        """,
        ("source_name", "sale_id", "location_id"),
        ("header.source_name", "header.sale_id", "header.location_id"),
    ),
    "last state per key": Case(
        """
        SELECT DISTINCT ON (movement.product_id, movement.location_id) movement.product_id, movement.location_id, movement.occurred_at,
            movement.quantity, movement.movement_id, movement.source_name
        FROM silver.stock_movement AS movement
        ORDER BY movement.product_id, movement.location_id, movement.occurred_at DESC, movement.quantity, movement.movement_id,
            movement.source_name
        """,
        ("product_id", "location_id"),
        ("movement.product_id", "movement.location_id"),
    ),
    "everything that was named": Case(
        """
        SELECT line.product_id, line.location_id FROM silver.sale_line AS line
        UNION
        SELECT movement.product_id, movement.location_id FROM silver.stock_movement AS movement WHERE movement.quantity > 0
        UNION
        SELECT 'none' AS product_id, place.location_id FROM gold.dim_location AS place
        """,
        ("product_id", "location_id"),
        ("product_id", "location_id"),
    ),
}


@cache
def _durable_keys() -> dict[tuple[str, str], str]:
    """The durable key of each product, by its source and id."""
    pairs = [(source, product) for source in TEXTS for product in PRODUCTS]
    values = ", ".join(f"({source}, {product})" for source, product in pairs)
    text = compile_text(f"SELECT dim_key(named.a, named.b) AS made FROM (VALUES {values}) AS named (a, b)")
    return {pair: str(made) for pair, (made,) in zip(pairs, duckdb.sql(text).fetchall(), strict=True)}


def _as_defined(table: str, row: tuple[str, ...]) -> tuple[str, ...]:
    return (row[0], _durable_keys()[row[2], row[3]], *row[2:]) if table == "gold.dim_product" else row


@st.composite
def _states(draw: st.DrawFn, tables: frozenset[str]) -> tuple[dict[str, Rows], dict[str, Rows]]:
    """Inputs before and after: rows that come, go and change, in some or all of the tables at once."""
    before: dict[str, Rows] = {}
    after: dict[str, Rows] = {}
    for table in sorted(tables):
        row = st.tuples(*(st.sampled_from(values) for _, values in DATA[table].values()))
        row = row.map(lambda drawn, table=table: _as_defined(table, drawn))
        if table == "meta.project":
            before[table] = [draw(row)]
            after[table] = [draw(row)] if draw(st.integers(0, 7)) == 0 else before[table]
            continue
        rows = draw(st.lists(row, max_size=7))
        before[table] = rows
        kept = [row for row in rows if draw(st.integers(0, 4)) > 0] if draw(st.booleans()) else rows
        after[table] = [*kept, *draw(st.lists(row, max_size=2))] if draw(st.booleans()) else kept
    return before, after


@pytest.fixture(scope="module")
def world() -> World:
    return World({table: {name: type_ for name, (type_, _) in columns.items()} for table, columns in DATA.items()})


@pytest.mark.parametrize("name", CASES)
def test_refresh_equals_recompute(world: World, name: str) -> None:
    case = CASES[name]
    plan = world.plan(case.sql, case.key, case.definitions)
    assert plan.whole is None
    assert plan.meanings == case.meanings
    assert set(plan.whole_for) == case.whole_for

    @settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
    @given(_states(plan.inputs))
    def follow(states: tuple[dict[str, Rows], dict[str, Rows]]) -> None:
        world.follow(plan, case.sql, *states)

    follow()


@pytest.fixture(scope="module")
def random_world() -> World:
    world = World({table: dict.fromkeys(columns, "bigint") for table, columns in RANDOM_TABLES.items()}, write_plainly)
    world.connection.execute("CREATE MACRO dim_key(a, b) AS CAST(hash(a, b) >> 12 AS BIGINT)")
    return world


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32))
def test_refresh_equals_recompute_for_random_queries(random_world: World, seed: int) -> None:
    """The number is the seed of a query and of what happens to its inputs: it is what a failure is found again by."""
    random = Random(seed)
    query = RandomQuery(random)
    key = [name for name in query.columns if random.random() < 0.6] or query.columns[:1]
    _follow(random_world, random, query.sql, key)


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32))
def test_refresh_equals_recompute_where_one_key_is_joined_time_and_again(random_world: World, seed: int) -> None:
    """Most ways from an input to the key find nothing that another does not find: they are left out."""
    random = Random(seed)
    _follow(random_world, random, ChainedQuery(random).sql, ["c0"])


def _follow(world: World, random: Random, sql: str, key: list[str]) -> None:
    plan = world.plan(sql, key)
    if plan.whole is not None:
        return
    for _ in range(4):
        before = {table: random_rows(random, table, random.choice([0, 2, 5, 8, 12, 16])) for table in RANDOM_TABLES}
        before["s.one"] = before["s.one"][:1]
        changed = [table for table in RANDOM_TABLES if random.random() < 0.4] or [random.choice(sorted(plan.inputs))]
        after = {**before, **{table: random_edits(random, table, before[table]) for table in changed}}
        world.follow(plan, sql, before, after)
