"""The cost tables' refresh: their SELECTs say what the kernels read, and this runs the kernels over it, a part at a time."""

from __future__ import annotations

from systock.data_warehouse.engine.base import Engine

#: How many entries are valued at once: whole cost groups, so that memory follows the largest of them, not the ledger.
_ENTRIES_AT_ONCE = 500_000
_ORDER = "cost_group, occurred_at, entry_order, ledger_entry_key"


def values_stock(engine: Engine) -> bool:
    """Does the project's cost_method value stock by postings? By standard cost nothing is posted."""
    return engine.rows("SELECT cost_method FROM meta.project") != [("standard",)]


def kernel_key(table: str) -> tuple[str, ...]:
    """The columns of a kernel's SELECT that cut its rows into parts of which each is worked out by itself; none: only all at once."""
    return {"gold.cost_group": (), "gold.stock_cost": ("cost_group",)}[table]


def run_kernel(engine: Engine, table: str, select: str, into: str) -> None:
    """Put the rows that the table's kernel makes of the SELECT's rows into a table like it."""
    {"gold.cost_group": _groups, "gold.stock_cost": _postings}[table](engine, select, into)
    for made in ("cost_link", "linked_product", "cost_input", "cost_posting"):
        engine.execute(f"DROP TABLE IF EXISTS {made}")


def _groups(engine: Engine, select: str, into: str) -> None:
    from systock.data_warehouse.cost_groups import cost_groups

    engine.execute(f"CREATE OR REPLACE TEMP TABLE cost_link AS {select}")
    engine.execute("CREATE OR REPLACE TEMP TABLE linked_product (product_durable_key bigint, cost_group bigint)")
    links = engine.arrow("SELECT product_durable_key, linked_durable_key FROM cost_link")
    engine.insert("linked_product", cost_groups(links))
    engine.execute(f"""
        INSERT INTO {into} BY NAME
        SELECT product.product_durable_key, product.cost_group, CASE
            WHEN MIN(link.currency_code) OVER one_group = MAX(link.currency_code) OVER one_group THEN link.currency_code
            ELSE project.currency_code END AS currency_code
        FROM linked_product AS product
        INNER JOIN (SELECT DISTINCT product_durable_key, currency_code FROM cost_link) AS link USING (product_durable_key)
        CROSS JOIN meta.project AS project
        WINDOW one_group AS (PARTITION BY product.cost_group)""")


def _postings(engine: Engine, select: str, into: str) -> None:
    import pyarrow as pa

    from systock.data_warehouse.stock_cost import INPUT_COLUMNS, OUTPUT_COLUMNS, cost_postings

    [(method,)] = engine.rows("SELECT cost_method FROM meta.project")
    engine.execute(f"CREATE OR REPLACE TEMP TABLE cost_input AS SELECT * FROM ({select}) ORDER BY {_ORDER}")
    made, read = ", ".join(OUTPUT_COLUMNS), ", ".join(INPUT_COLUMNS)
    engine.execute(f"CREATE OR REPLACE TEMP TABLE cost_posting AS SELECT {made} FROM gold.stock_cost LIMIT 0")
    spans = engine.rows(f"""
        SELECT MIN(cost_group), MAX(cost_group) FROM (
            SELECT cost_group, SUM(COUNT(*)) OVER (ORDER BY cost_group) // {_ENTRIES_AT_ONCE} AS part FROM cost_input GROUP BY cost_group
        ) GROUP BY part ORDER BY part""")
    for first, last in spans:
        entries = engine.arrow(
            f"SELECT {read} FROM cost_input WHERE cost_group BETWEEN {first} AND {last} ORDER BY {_ORDER}"
        )
        engine.insert("cost_posting", pa.Table.from_batches(cost_postings(entries.to_batches(), method)))
    engine.execute(f"""
        INSERT INTO {into} BY NAME
        SELECT posting.*, entry.business_date, entry.entry_order, entry.entity, entry.source_name, entry.entry_id, entry.entry_line_no,
            entry.currency_code
        FROM cost_posting AS posting
        INNER JOIN cost_input AS entry ON entry.ledger_entry_key = posting.ledger_entry_key""")
