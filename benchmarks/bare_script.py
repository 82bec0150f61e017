"""The other side: the same tables from the same files, written by hand; no checks, no history, no increments.

As quick as DuckDB gets it: typed while read, no column twice, whole numbers for keys, no copy on the way. --all-columns
writes what SyStock's facts hold beside that (keys by hash that stay the same from run to run, durable keys, amounts in
the reporting currency), to tell the price of the wider tables from that of checks and history.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import duckdb

_CSV = "header = true, auto_detect = false, delim = ',', quote = '\"'"

_READ = f"""
CREATE TEMP TABLE sale AS
SELECT *
FROM read_csv('{{incoming}}/pos/sales_*.csv', {_CSV}, columns = {{{{
    'receipt': 'VARCHAR', 'line': 'INTEGER', 'store': 'VARCHAR', 'till': 'INTEGER', 'cashier': 'VARCHAR',
    'article': 'VARCHAR', 'sold_at': 'TIMESTAMP', 'kind': 'VARCHAR', 'quantity': 'DECIMAL(9, 3)',
    'price': 'DECIMAL(9, 2)', 'discount': 'DECIMAL(9, 2)', 'tax': 'DECIMAL(9, 2)', 'card': 'VARCHAR',
    'promotion': 'VARCHAR', 'void': 'BOOLEAN', 'changed_at': 'TIMESTAMP'
}}}});

CREATE TEMP TABLE posting AS
SELECT *
FROM read_csv('{{incoming}}/erp/postings_*.csv', {_CSV}, columns = {{{{
    'posting': 'VARCHAR', 'type': 'VARCHAR', 'site': 'VARCHAR', 'article': 'VARCHAR', 'quantity': 'DECIMAL(9, 3)',
    'unit_cost': 'DECIMAL(9, 4)', 'occurred_at': 'TIMESTAMPTZ', 'posted_at': 'TIMESTAMP', 'document': 'VARCHAR',
    'transfer': 'VARCHAR'
}}}});
"""

_DIMENSIONS = f"""
CREATE TABLE dim_product AS
SELECT
    {{product_key}} AS product_key, {{product_durable_key}} AS product_durable_key, article AS product_id, ean, name,
    brand, department, article_group, unit, price AS list_price_amount, cost AS standard_cost_amount,
    CASE WHEN lag(changed_at) OVER version IS NULL THEN TIMESTAMPTZ '1900-01-01 00:00:00+00'
        ELSE changed_at END AS valid_from_at,
    coalesce(lead(changed_at) OVER version, TIMESTAMPTZ '9999-12-31 00:00:00+00') AS valid_to_at
FROM read_csv('{{incoming}}/erp/articles_*.csv', {_CSV}, columns = {{{{
    'article': 'VARCHAR', 'ean': 'VARCHAR', 'name': 'VARCHAR', 'brand': 'VARCHAR', 'department': 'VARCHAR',
    'article_group': 'VARCHAR', 'unit': 'VARCHAR', 'price': 'DECIMAL(9, 2)', 'cost': 'DECIMAL(9, 4)',
    'changed_at': 'TIMESTAMPTZ'
}}}})
WINDOW version AS (PARTITION BY article ORDER BY changed_at);

CREATE TABLE dim_location AS
SELECT
    row_number() OVER (ORDER BY site) AS location_key, {{location_durable_key}} AS location_durable_key,
    site AS location_id, name, region, country, timezone, opened_on, area
FROM read_csv('{{incoming}}/erp/sites_*.csv', {_CSV}, columns = {{{{
    'site': 'VARCHAR', 'name': 'VARCHAR', 'region': 'VARCHAR', 'country': 'VARCHAR', 'timezone': 'VARCHAR',
    'opened_on': 'DATE', 'area': 'DECIMAL(9, 3)', 'changed_at': 'TIMESTAMPTZ'
}}}});
"""


def _in_zone(instant: str) -> str:
    """Between wall clock and instant by constant zones: several times as fast as by a column."""
    return f"""CASE dim_location.timezone
            WHEN 'Europe/Berlin' THEN timezone('Europe/Berlin', {instant})
            WHEN 'Europe/Lisbon' THEN timezone('Europe/Lisbon', {instant})
            ELSE timezone(dim_location.timezone, {instant}) END"""


# A line that was changed came more than once: the last one counts.
_SALES = f"""
CREATE TEMP TABLE changed_line AS
SELECT receipt, line, max(changed_at) AS changed_at
FROM sale
GROUP BY ALL
HAVING count(*) > 1;

CREATE TABLE fact_sale_line AS
WITH current_line AS (
    SELECT
        sale.*, dim_location.location_key, dim_location.location_durable_key,
        {_in_zone("sale.sold_at")} AS sold_at_utc,
        CAST(sale.quantity * sale.price AS DECIMAL(18, 4)) - sale.discount AS paid_amount
    FROM sale
    INNER JOIN dim_location ON dim_location.location_id = sale.store
    LEFT JOIN changed_line ON changed_line.receipt = sale.receipt AND changed_line.line = sale.line
    WHERE changed_line.receipt IS NULL OR changed_line.changed_at = sale.changed_at
),

costed_line AS (
    SELECT
        line.*, line.paid_amount - line.tax AS net_amount, product.product_key, product.product_durable_key,
        CAST(line.discount * ((line.paid_amount - line.tax) / line.paid_amount) AS DECIMAL(18, 4)) AS discount_amount,
        CAST(line.quantity * product.standard_cost_amount AS DECIMAL(18, 4)) AS cost_amount
    FROM current_line AS line
    INNER JOIN dim_product AS product
        ON product.product_id = line.article
        AND product.valid_from_at <= line.sold_at_utc AND product.valid_to_at > line.sold_at_utc
)

SELECT
    receipt AS sale_id, line AS line_no, product_key, article AS product_id, location_key, store AS location_id,
    card AS customer_id, sold_at_utc AS sold_at, CAST(sold_at - INTERVAL '3 hours' AS DATE) AS business_date,
    CASE kind WHEN 'S' THEN 'sale' WHEN 'R' THEN 'return' ELSE kind END AS sale_kind, NOT void AS is_counted,
    quantity < 0 AS is_return, quantity AS quantity_units, net_amount + discount_amount AS gross_amount,
    discount_amount, net_amount, tax AS tax_amount, cost_amount, promotion AS promotion_id, cashier AS employee_id
    {{more_of_sale}}
FROM costed_line;
DROP TABLE sale;
"""

# The spans of equal end-of-day stock and cost: days on which the stock changed, cut where a cost begins, equal
# neighbours joined.
_STOCK = f"""
CREATE TABLE fact_stock_movement AS
WITH balanced_posting AS (
    SELECT
        posting.*, dim_location.location_key, dim_location.location_durable_key, product.product_key,
        product.product_durable_key, product.standard_cost_amount,
        CAST({_in_zone("posting.occurred_at")} - INTERVAL '3 hours' AS DATE) AS business_date,
        CAST(sum(posting.quantity) OVER (
            PARTITION BY posting.article, posting.site
            ORDER BY posting.occurred_at, posting.posting ROWS UNBOUNDED PRECEDING
        ) AS DECIMAL(18, 3)) AS on_hand_after_units
    FROM posting
    INNER JOIN dim_location ON dim_location.location_id = posting.site
    INNER JOIN dim_product AS product
        ON product.product_id = posting.article
        AND product.valid_from_at <= posting.occurred_at AND product.valid_to_at > posting.occurred_at
)

SELECT
    posting AS movement_id, product_key, article AS product_id, location_key, site AS location_id,
    CASE type WHEN '561' THEN 'opening' WHEN '101' THEN 'receipt' WHEN '251' THEN 'sale' WHEN '301' THEN 'transfer_out'
        WHEN '302' THEN 'transfer_in' WHEN '701' THEN 'adjustment' WHEN '551' THEN 'write_off' ELSE type
        END AS movement_kind,
    occurred_at, business_date, quantity AS quantity_units, on_hand_after_units,
    CAST(quantity * standard_cost_amount AS DECIMAL(18, 4)) AS cost_amount, unit_cost AS unit_cost_amount,
    document AS document_id, transfer AS transfer_id
    {{more_of_movement}}
FROM balanced_posting;

CREATE TABLE fact_stock_interval AS
WITH day_end AS (
    SELECT
        product_id, location_id, business_date,
        arg_max(on_hand_after_units, (occurred_at, movement_id)) AS on_hand_units
    FROM fact_stock_movement
    GROUP BY ALL
),

run AS (
    SELECT
        *, lead(business_date, 1, DATE '9999-12-31') OVER (
            PARTITION BY product_id, location_id ORDER BY business_date
        ) AS to_date
    FROM day_end
),

cost AS (
    SELECT
        product.product_id, dim_location.location_id, product.standard_cost_amount, product.product_durable_key,
        dim_location.location_durable_key,
        CAST(timezone(dim_location.timezone, product.valid_from_at) - INTERVAL '3 hours' AS DATE) AS from_date,
        CASE WHEN product.valid_to_at >= TIMESTAMPTZ '9999-12-31 00:00:00+00' THEN DATE '9999-12-31'
            ELSE CAST(timezone(dim_location.timezone, product.valid_to_at) - INTERVAL '3 hours' AS DATE) END AS to_date
    FROM dim_product AS product
    CROSS JOIN dim_location
),

costed_run AS (
    SELECT
        cost.*, greatest(run.business_date, cost.from_date) AS span_from_date, run.on_hand_units,
        lag(run.on_hand_units) OVER stock AS previous_units, lag(cost.standard_cost_amount) OVER stock AS previous_cost
    FROM run
    INNER JOIN cost
        ON cost.product_id = run.product_id AND cost.location_id = run.location_id
        AND cost.from_date < run.to_date AND cost.to_date > run.business_date AND cost.from_date < cost.to_date
    WINDOW stock AS (
        PARTITION BY run.product_id, run.location_id ORDER BY greatest(run.business_date, cost.from_date)
    )
)

SELECT
    product_id, location_id, span_from_date AS from_date,
    lead(span_from_date, 1, DATE '9999-12-31') OVER (
        PARTITION BY product_id, location_id ORDER BY span_from_date
    ) AS to_date,
    on_hand_units, standard_cost_amount, CAST(on_hand_units * standard_cost_amount AS DECIMAL(18, 4)) AS value_amount
    {{more_of_interval}}
FROM costed_run
WHERE previous_units IS NULL OR previous_units <> on_hand_units OR previous_cost <> standard_cost_amount;
"""


def _hash(*parts: str) -> str:
    return f"md5(concat_ws('|', {', '.join(parts)}))"


def _key(*parts: str) -> str:
    return f"CAST('0x' || substr({_hash(*parts)}, 1, 15) AS BIGINT)"


_LEAN = {
    "product_key": "row_number() OVER (ORDER BY article, changed_at)", "product_durable_key": "NULL",
    "location_durable_key": "NULL", "more_of_sale": "", "more_of_movement": "", "more_of_interval": "",
}  # fmt: skip
_ALL = {
    "product_key": _key("'erp'", "article", "epoch_us(changed_at)"),
    "product_durable_key": _key("'erp'", "article"),
    "location_durable_key": _key("'erp'", "site"),
    "more_of_sale": f""",
        CAST({_hash("'pos'", "receipt", "line")} AS UUID) AS sale_line_key, 'pos' AS source_name,
        {_key("'pos'", "receipt")} AS sale_key, product_durable_key, location_durable_key,
        CAST(NULL AS VARCHAR) AS fulfilled_from_location_id, CAST(0 AS BIGINT) AS customer_key,
        CAST(1 AS BIGINT) AS channel_key, 'store' AS channel, 'EUR' AS currency_code,
        CAST(1 AS DECIMAL(18, 8)) AS exchange_rate, net_amount + discount_amount AS reporting_gross_amount,
        discount_amount AS reporting_discount_amount, net_amount AS reporting_net_amount,
        tax AS reporting_tax_amount, cost_amount AS reporting_cost_amount,
        CAST(NULL AS VARCHAR) AS original_sale_id, CAST(NULL AS VARCHAR) AS original_line_no""",
    "more_of_movement": f""",
        CAST({_hash("'erp'", "posting")} AS UUID) AS stock_movement_key, 'stock_movement' AS entity,
        'erp' AS source_name, CAST(NULL AS VARCHAR) AS line_no, product_durable_key, location_durable_key,
        {_key("type")} AS movement_kind_key, 'sellable' AS stock_status, 'EUR' AS currency_code,
        CAST(on_hand_after_units * standard_cost_amount AS DECIMAL(18, 4)) AS value_after_amount,
        CAST(quantity * standard_cost_amount AS DECIMAL(18, 4)) AS reporting_cost_amount,
        CAST(on_hand_after_units * standard_cost_amount AS DECIMAL(18, 4)) AS reporting_value_after_amount,
        'EUR' AS unit_cost_currency_code, CAST(NULL AS VARCHAR) AS lot_id, CAST(NULL AS DATE) AS expiry_date""",
    "more_of_interval": """,
        product_durable_key, location_durable_key, 'sellable' AS stock_status, 'EUR' AS currency_code""",
}


def main() -> None:
    """Read the files of a folder and put the warehouse in its place in one step."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("incoming", type=Path)
    parser.add_argument("warehouse", type=Path)
    parser.add_argument("--all-columns", action="store_true")
    given = parser.parse_args()
    columns = _ALL if given.all_columns else _LEAN
    aside = given.warehouse.with_suffix(".new")
    aside.unlink(missing_ok=True)
    with duckdb.connect(str(aside), config={"preserve_insertion_order": False}) as db:
        db.execute("SET TimeZone = 'UTC'")
        for script in (_READ, _DIMENSIONS, _SALES, _STOCK):
            db.execute(script.format(incoming=given.incoming, **columns))
    os.replace(aside, given.warehouse)


if __name__ == "__main__":
    main()
