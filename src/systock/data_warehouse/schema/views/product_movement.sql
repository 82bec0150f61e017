-- How the stock of a product at a location in one status got from the opening to the closing balance of a calendar month.
-- refresh: view
CREATE TABLE serve.product_movement (
    product_durable_key        bigint         NOT NULL, -- hash of the product's source and id
    location_durable_key       bigint         NOT NULL, -- hash of the location's source and id
    stock_status               text           NOT NULL, -- sellable, damaged, hold
    month_start_date           date           NOT NULL, -- first day of the month; only months with at least one entry
    product_id                 text           NOT NULL, -- what
    product_name               text,                    -- its last known name
    location_id                text           NOT NULL, -- where
    location_name              text,                    -- its last known name
    opening_units              numeric(18, 3),          -- on hand before the first entry of the month; NULL = not known
    opening_posted_units       numeric(18, 3) NOT NULL, -- opening movements
    received_units             numeric(18, 3) NOT NULL, -- receipts from suppliers
    transferred_in_units       numeric(18, 3) NOT NULL, -- transfers in
    produced_units             numeric(18, 3) NOT NULL, -- produced
    customer_returned_units    numeric(18, 3) NOT NULL, -- returns from customers
    supplier_returned_units    numeric(18, 3) NOT NULL, -- returns to suppliers, positive when going out
    transferred_out_units      numeric(18, 3) NOT NULL, -- transfers out, positive when going out
    used_in_production_units   numeric(18, 3) NOT NULL, -- used in production, positive when going out
    sold_units                 numeric(18, 3) NOT NULL, -- sales, positive when going out
    written_off_units          numeric(18, 3) NOT NULL, -- write-offs, positive when going out
    adjusted_units             numeric(18, 3) NOT NULL, -- adjustments, signed
    variance_units             numeric(18, 3) NOT NULL, -- counted - book, signed, of the counts that found a known book
    closing_units              numeric(18, 3),          -- on hand after the last entry of the month; NULL = not known
    unexplained_units          numeric(18, 3),          -- closing - opening - all of the above: what a first anchor set within the month; 0
                                                        -- where the opening was known
    PRIMARY KEY (product_durable_key, location_durable_key, stock_status, month_start_date)
);

WITH dated_entry AS (
    SELECT
        ledger_entry_key,
        product_durable_key,
        location_durable_key,
        stock_status,
        add_days(business_date, 1 - CAST(EXTRACT(DAY FROM business_date) AS integer)) AS month_start_date,
        business_date,
        occurred_at,
        entry_order,
        product_id,
        location_id,
        movement_kind,
        quantity_units,
        balance_before_units,
        balance_after_units,
        variance_units
    FROM gold.stock_ledger
),

entry AS (
    SELECT
        product_durable_key,
        location_durable_key,
        stock_status,
        month_start_date,
        product_id,
        location_id,
        movement_kind,
        quantity_units,
        balance_before_units,
        balance_after_units,
        variance_units,
        ROW_NUMBER() OVER (
            PARTITION BY product_durable_key, location_durable_key, stock_status, month_start_date
            ORDER BY business_date, occurred_at, entry_order, ledger_entry_key
        ) AS number_from_start,
        ROW_NUMBER() OVER (
            PARTITION BY product_durable_key, location_durable_key, stock_status, month_start_date
            ORDER BY business_date DESC, occurred_at DESC, entry_order DESC, ledger_entry_key DESC
        ) AS number_from_end
    FROM dated_entry
),

month AS (
    SELECT
        product_durable_key,
        location_durable_key,
        stock_status,
        month_start_date,
        MIN(product_id) AS product_id,
        MIN(location_id) AS location_id,
        MAX(CASE WHEN number_from_start = 1 THEN balance_before_units END) AS opening_units,
        MAX(CASE WHEN number_from_end = 1 THEN balance_after_units END) AS closing_units,
        SUM(quantity_units) + COALESCE(SUM(variance_units), 0) AS changed_units,
        SUM(CASE WHEN movement_kind = 'opening' THEN quantity_units ELSE 0 END) AS opening_posted_units,
        SUM(CASE WHEN movement_kind = 'receipt' THEN quantity_units ELSE 0 END) AS received_units,
        SUM(CASE WHEN movement_kind = 'transfer_in' THEN quantity_units ELSE 0 END) AS transferred_in_units,
        SUM(CASE WHEN movement_kind = 'production_in' THEN quantity_units ELSE 0 END) AS produced_units,
        SUM(CASE WHEN movement_kind = 'customer_return' THEN quantity_units ELSE 0 END) AS customer_returned_units,
        SUM(CASE WHEN movement_kind = 'supplier_return' THEN -quantity_units ELSE 0 END) AS supplier_returned_units,
        SUM(CASE WHEN movement_kind = 'transfer_out' THEN -quantity_units ELSE 0 END) AS transferred_out_units,
        SUM(CASE WHEN movement_kind = 'production_out' THEN -quantity_units ELSE 0 END) AS used_in_production_units,
        SUM(CASE WHEN movement_kind = 'sale' THEN -quantity_units ELSE 0 END) AS sold_units,
        SUM(CASE WHEN movement_kind = 'write_off' THEN -quantity_units ELSE 0 END) AS written_off_units,
        SUM(CASE WHEN movement_kind = 'adjustment' THEN quantity_units ELSE 0 END) AS adjusted_units,
        COALESCE(SUM(variance_units), 0) AS variance_units
    FROM entry
    GROUP BY product_durable_key, location_durable_key, stock_status, month_start_date
)

SELECT
    month.product_durable_key,
    month.location_durable_key,
    month.stock_status,
    month.month_start_date,
    month.product_id,
    article.product_name,
    month.location_id,
    place.location_name,
    month.opening_units,
    CAST(month.opening_posted_units AS numeric(18, 3)) AS opening_posted_units,
    CAST(month.received_units AS numeric(18, 3)) AS received_units,
    CAST(month.transferred_in_units AS numeric(18, 3)) AS transferred_in_units,
    CAST(month.produced_units AS numeric(18, 3)) AS produced_units,
    CAST(month.customer_returned_units AS numeric(18, 3)) AS customer_returned_units,
    CAST(month.supplier_returned_units AS numeric(18, 3)) AS supplier_returned_units,
    CAST(month.transferred_out_units AS numeric(18, 3)) AS transferred_out_units,
    CAST(month.used_in_production_units AS numeric(18, 3)) AS used_in_production_units,
    CAST(month.sold_units AS numeric(18, 3)) AS sold_units,
    CAST(month.written_off_units AS numeric(18, 3)) AS written_off_units,
    CAST(month.adjusted_units AS numeric(18, 3)) AS adjusted_units,
    CAST(month.variance_units AS numeric(18, 3)) AS variance_units,
    month.closing_units,
    CAST(
        month.closing_units - COALESCE(month.opening_units, 0) - month.changed_units AS numeric(18, 3)
    ) AS unexplained_units
FROM month
LEFT JOIN serve.product_current AS article
    ON article.product_durable_key = month.product_durable_key
LEFT JOIN serve.location_current AS place
    ON place.location_durable_key = month.location_durable_key;
