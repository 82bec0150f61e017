"""The cost tables' refresh: their SELECTs say what the kernels read, and this runs the kernels over it, a part at a time.

Postings are made again per cost group, from a kept state before the first touched instant on (see cost_state). What a state hangs on lies
before its instant, but for what the kernel looks up of later entries: a shipment whose goods were received before it, and all of a
production. Such an entry touches those it is looked up by. The states are no content of the warehouse: a function of the entries,
thrown away from the first touched instant on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from systock.data_warehouse.engine.base import Engine
from systock.data_warehouse.refresh_ledger import ENTRIES, LEDGER, compile_reading, rows_that_match
from systock.data_warehouse.table_file import TableFile

if TYPE_CHECKING:
    from systock.data_warehouse.cost_workers import Part

COSTS, GROUPS, LOSSES = "gold.stock_cost", "gold.cost_group", "gold.transfer_loss"
#: How many entries are valued at once: whole cost groups, so that memory follows the largest of them, not the ledger.
_ENTRIES_AT_ONCE = 500_000
_ORDER = "cost_group, occurred_at, entry_order, ledger_entry_key"
_BEGINNING = "TIMESTAMPTZ '0001-01-01 00:00:00+00'"

_STATE_TABLE = """
    CREATE TABLE IF NOT EXISTS work.cost_state (cost_group bigint NOT NULL, valid_at timestamptz NOT NULL, content text NOT NULL)"""

# Of the states of a group the last stays, and one of each age: the oldest, which will be the next age's; of the highest the youngest.
_TOO_MANY_STATES = """
    DELETE FROM work.cost_state WHERE (cost_group, valid_at) NOT IN (
        WITH state AS (
            SELECT cost_group, valid_at, epoch_us(MAX(valid_at) OVER (PARTITION BY cost_group)) - epoch_us(valid_at) AS age
            FROM work.cost_state
        )

        SELECT cost_group, CASE WHEN MIN(age) < {oldest} THEN MIN(valid_at) ELSE MAX(valid_at) END
        FROM state
        GROUP BY cost_group, {classes}
    )"""

# The entries that look the given ones up, which may be later. Their kind is joined like the rest: as a filter it would be tried first, on
# every entry.
_LOOKED_UP_BY = """
    SELECT grouped.cost_group AS k1, entry.occurred_at AS k2
    FROM gold.stock_entry AS entry
    SEMI JOIN (SELECT *, 'transfer_in' AS looking_kind FROM {looked_up} WHERE movement_kind = 'transfer_out') AS later
        ON entry.product_durable_key = later.product_durable_key AND entry.source_name = later.source_name
        AND entry.transfer_id = later.transfer_id AND entry.movement_kind = later.looking_kind
    INNER JOIN gold.cost_group AS grouped ON grouped.product_durable_key = entry.product_durable_key
    UNION ALL
    SELECT grouped.cost_group AS k1, entry.occurred_at AS k2
    FROM gold.stock_entry AS entry
    SEMI JOIN (
        SELECT looked_up.*, looking_kind
        FROM {looked_up} AS looked_up
        CROSS JOIN (VALUES ('production_in'), ('production_out')) AS kind (looking_kind)
        WHERE movement_kind IN ('production_in', 'production_out')
    ) AS later
        ON entry.source_name = later.source_name AND entry.document_id = later.document_id
        AND entry.movement_kind = later.looking_kind
    INNER JOIN gold.cost_group AS grouped ON grouped.product_durable_key = entry.product_durable_key"""

# Per touched group its first touched instant, and that of the state to go on from.
_FIRST_TOUCHED = f"""
    WITH looked_up AS MATERIALIZED (
        SELECT DISTINCT entry.product_durable_key, entry.source_name, entry.movement_kind, entry.transfer_id, entry.document_id
        FROM found
        INNER JOIN gold.cost_group AS grouped ON grouped.cost_group = found.k1
        INNER JOIN gold.stock_entry AS entry
            ON entry.product_durable_key = grouped.product_durable_key AND entry.occurred_at = found.k2
        WHERE entry.movement_kind IN ('transfer_out', 'production_in', 'production_out')
    ),

    touched_group AS (
        SELECT k1, MIN(k2) AS first_at
        FROM (SELECT k1, k2 FROM found UNION ALL {_LOOKED_UP_BY.format(looked_up="looked_up")})
        GROUP BY k1
    )

    SELECT t.k1, t.first_at, COALESCE(MAX(state.valid_at), {_BEGINNING}) AS from_at
    FROM touched_group AS t
    LEFT JOIN work.cost_state AS state ON state.cost_group = t.k1 AND state.valid_at <= t.first_at
    GROUP BY t.k1, t.first_at"""

_TOUCHED_PRODUCT = """
    SELECT grouped.product_durable_key, t.from_at FROM gold.cost_group AS grouped INNER JOIN touched AS t ON t.k1 = grouped.cost_group"""


def _last_shipment(has_id: str, key: Sequence[str]) -> str:
    """Before the state, the last shipment of what is received after it: of transfers with an id (IS NOT NULL), or without one."""
    same = " AND ".join(f"inward.{name} = old.{name}" for name in key)
    return f"""SELECT arg_max(old.rowid, (old.occurred_at, old.entry_order, old.ledger_entry_key))
        FROM {ENTRIES} AS old
        INNER JOIN cost_product AS t ON t.product_durable_key = old.product_durable_key AND old.occurred_at < t.from_at
        SEMI JOIN (SELECT * FROM cost_suffix WHERE movement_kind = 'transfer_in' AND transfer_id {has_id}) AS inward ON {same}
        WHERE old.movement_kind = 'transfer_out' AND old.quantity_units < 0 AND old.transfer_id {has_id}
        GROUP BY {", ".join(f"old.{name}" for name in key)}"""


# Entries before the state to which later ones refer: receipts to which a late cost is added, sales that are given back, and of each
# transfer that is received the last shipment. They are looked up, not remembered: a state would grow by every transfer that ever was.
_REFERRED_TO = f"""
    SELECT old.* FROM {ENTRIES} AS old WHERE old.rowid IN (
        SELECT old.rowid
        FROM {ENTRIES} AS old
        INNER JOIN cost_product AS t ON t.product_durable_key = old.product_durable_key AND old.occurred_at < t.from_at
        SEMI JOIN (SELECT * FROM cost_suffix WHERE movement_kind = 'revaluation') AS late
            ON late.product_durable_key = old.product_durable_key AND late.source_name = old.source_name AND late.document_id = old.document_id
        WHERE old.movement_kind = 'receipt'
        UNION
        SELECT old.rowid
        FROM {ENTRIES} AS old
        INNER JOIN cost_product AS t ON t.product_durable_key = old.product_durable_key AND old.occurred_at < t.from_at
        SEMI JOIN cost_suffix AS back ON back.original_entry_key = old.ledger_entry_key
        UNION
        {_last_shipment("IS NOT NULL", ("product_durable_key", "source_name", "transfer_id"))}
        UNION
        {_last_shipment("IS NULL", ("product_durable_key",))}
    )"""


def values_stock(engine: Engine) -> bool:
    """Does the project's cost_method value stock by postings? By standard cost nothing is posted."""
    return engine.rows("SELECT cost_method FROM meta.project") != [("standard",)]


# Whether a change of an input can change which products are valued together, or in what: mostly it can not. Any row says yes.
GROUPING = {
    ENTRIES: """
        SELECT 1 FROM gold_stock_entry_changed WHERE movement_kind IN ('production_in', 'production_out')
        UNION ALL
        SELECT 1 FROM gold_stock_entry_new AS entry ANTI JOIN gold.cost_group AS grouped USING (product_durable_key)
        UNION ALL
        SELECT 1 FROM (
            SELECT product_durable_key FROM gold_stock_entry_gone
            EXCEPT
            SELECT product_durable_key FROM gold.stock_entry AS entry SEMI JOIN gold_stock_entry_gone AS gone USING (product_durable_key)
        )""",
    "gold.dim_product": """
        SELECT 1
        FROM gold.cost_group
        SEMI JOIN (
            (
                SELECT product_durable_key, currency_code FROM gold_dim_product_gone WHERE is_latest
                EXCEPT SELECT product_durable_key, currency_code FROM gold_dim_product_new WHERE is_latest
            )
            UNION ALL (
                SELECT product_durable_key, currency_code FROM gold_dim_product_new WHERE is_latest
                EXCEPT SELECT product_durable_key, currency_code FROM gold_dim_product_gone WHERE is_latest
            )
        ) AS article USING (product_durable_key)""",
}


def kernel_key(table: str) -> tuple[str, ...]:
    """The columns of a kernel's SELECT that tell what a change touches; none: everything."""
    return {GROUPS: (), COSTS: ("cost_group", "occurred_at")}[table]


def compile_costs(table: TableFile) -> dict[str, Any]:
    """How the postings are refreshed: {first, gather, then: statements before, for and after the touched groups, stale, fresh}."""
    since = "t.product_durable_key = old.product_durable_key AND old.occurred_at >= t.from_at"
    balance = ("ledger_entry_key", "balance_after_units")
    referred = " AND ".join(
        f"t.{name} = old.{name}" for name in ("product_durable_key", "occurred_at", "ledger_entry_key")
    )
    return {
        "whole": None,
        "first": ["CREATE SCHEMA IF NOT EXISTS work", _STATE_TABLE],
        "gather": _FIRST_TOUCHED,
        "then": [
            "DELETE FROM work.cost_state USING touched AS t WHERE cost_state.cost_group = t.k1 AND cost_state.valid_at > t.first_at",
            f"CREATE OR REPLACE TEMP TABLE cost_product AS {_TOUCHED_PRODUCT}",
            f"CREATE OR REPLACE TEMP TABLE cost_suffix AS {rows_that_match(ENTRIES, (), since, 'cost_product')}",
            f"CREATE OR REPLACE TEMP TABLE cost_referred AS {_REFERRED_TO}",
            f"CREATE OR REPLACE TEMP TABLE cost_loss AS {rows_that_match(LOSSES, (), since, 'cost_product')}",
            "CREATE OR REPLACE TEMP VIEW cost_entry AS SELECT * FROM cost_suffix UNION ALL SELECT * FROM cost_referred",
            f"CREATE OR REPLACE TEMP TABLE cost_balance AS {rows_that_match(LEDGER, balance, since, 'cost_product')} "
            f"UNION ALL {rows_that_match(LEDGER, balance, referred, 'cost_referred')}",
        ],
        "stale": rows_that_match(COSTS, table.column_names, "old.cost_group = t.k1 AND old.occurred_at >= t.from_at"),
        "fresh": compile_reading(table, {ENTRIES: "cost_entry", LEDGER: "cost_balance", LOSSES: "cost_loss"}),
    }  # fmt: skip


def also_touched(moved: str, changed: str) -> list[str]:
    """Queries of what the changed rows of an input touch beside the entries they change: of a group with other products all."""
    if moved == GROUPS:
        return [f"SELECT cost_group AS k1, {_BEGINNING} AS k2 FROM {changed}"]
    return [_LOOKED_UP_BY.format(looked_up=changed)] if moved == ENTRIES else []


def run_kernel(engine: Engine, table: str, select: str, into: str, *, since: bool = False) -> None:
    """Put the rows that the table's kernel makes of the SELECT's rows into a table like it.

    since: only those of the touched groups from the instants of their states on.
    """
    if table == COSTS:
        _postings(engine, select, into, since)
    else:
        _groups(engine, select, into)
    for made in ("cost_link", "linked_product", "cost_input", "cost_posting", "cost_before"):
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


def _postings(engine: Engine, select: str, into: str, since: bool) -> None:
    import pyarrow as pa

    from systock.data_warehouse.cost_chunk import Before
    from systock.data_warehouse.cost_columns import INPUT_COLUMNS, OUTPUT_COLUMNS
    from systock.data_warehouse.cost_state import AGES
    from systock.data_warehouse.cost_workers import value_all

    [(method,)] = engine.rows("SELECT cost_method FROM meta.project")
    made, read = ", ".join(OUTPUT_COLUMNS), ", ".join(INPUT_COLUMNS)
    if since:
        entries = f"SELECT entry.*, entry.occurred_at < t.from_at AS is_before FROM ({select}) AS entry INNER JOIN touched AS t ON t.k1 = entry.cost_group"
    else:
        engine.execute("CREATE SCHEMA IF NOT EXISTS work")
        engine.execute(_STATE_TABLE)
        engine.execute("DELETE FROM work.cost_state")
        entries = f"SELECT *, FALSE AS is_before FROM ({select})"
    # By group alone: each part is read apart, and ordered then.
    engine.execute(f"CREATE OR REPLACE TEMP TABLE cost_input AS {entries} ORDER BY cost_group")
    engine.execute(f"CREATE OR REPLACE TEMP TABLE cost_posting AS SELECT {made} FROM {COSTS} LIMIT 0")
    if since:
        chosen = ", ".join(f"entry.{name}" for name in INPUT_COLUMNS)
        engine.execute(f"""
            CREATE OR REPLACE TEMP TABLE cost_before AS SELECT {chosen}, posting.cost_amount FROM cost_input AS entry
            INNER JOIN {COSTS} AS posting ON posting.ledger_entry_key = entry.ledger_entry_key AND posting.posting_no = 0
            WHERE entry.is_before""")
    spans = engine.rows(f"""
        SELECT MIN(cost_group), MAX(cost_group) FROM (
            SELECT cost_group, SUM(COUNT(*)) OVER (ORDER BY cost_group) // {_ENTRIES_AT_ONCE} AS part FROM cost_input GROUP BY cost_group
        ) GROUP BY part ORDER BY part""")

    def parts() -> Iterator[Part]:
        for first, last in spans:
            of_span = f"cost_group BETWEEN {first} AND {last}"
            given = engine.arrow(f"SELECT {read} FROM cost_input WHERE {of_span} AND NOT is_before ORDER BY {_ORDER}")
            before = None
            if since:
                found = engine.rows(f"""
                    SELECT cost_group, content FROM work.cost_state INNER JOIN touched ON k1 = cost_group AND valid_at = from_at WHERE {of_span}""")
                before = Before(dict(found), engine.arrow(f"SELECT * FROM cost_before WHERE {of_span}"))
            yield given, method, before

    [(threads,)] = engine.rows("SELECT current_setting('threads')")
    for posted, states in value_all(parts(), min(threads, len(spans))):
        engine.insert("cost_posting", posted)
        groups, instants, contents = zip(*states, strict=True)
        instant = pa.array(instants, pa.timestamp("us", "UTC"))
        engine.insert("work.cost_state", pa.table({"cost_group": groups, "valid_at": instant, "content": contents}))
    classes = " + ".join(f"CAST(age >= {age} AS integer)" for age in (1, *AGES))
    engine.execute(_TOO_MANY_STATES.format(oldest=max(AGES), classes=classes))
    engine.execute(f"""
        INSERT INTO {into} BY NAME
        SELECT posting.*, entry.movement_kind, entry.business_date, entry.entry_order, entry.entity, entry.source_name, entry.entry_id,
            entry.entry_line_no, entry.currency_code
        FROM cost_posting AS posting
        INNER JOIN cost_input AS entry ON entry.ledger_entry_key = posting.ledger_entry_key""")
