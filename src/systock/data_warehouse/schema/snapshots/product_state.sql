-- What was reported of a product at a point in time: its description, price, cost and stock.
-- refresh: snapshot
CREATE TABLE snapshot.product_state (
    product_durable_key  bigint         PRIMARY KEY, -- hash of source and product
    source_name          text           NOT NULL,    -- the source whose code product_id is
    product_id           text           NOT NULL,    -- the source's own code
    product_name         text,                       -- name
    brand                text,                       -- brand name
    category_1           text,                       -- category path, top level
    supplier_id          text,                       -- main supplier
    list_price_amount    numeric(18, 4),             -- per base unit, in currency_code
    standard_cost_amount numeric(18, 6),             -- per base unit, in currency_code
    currency_code        text           NOT NULL,    -- ISO 4217
    is_stocked           boolean        NOT NULL,    -- false for services and fees
    status               text,                       -- the source's life-cycle status
    on_hand_units        numeric(18, 3)              -- sellable stock over all locations at the day's end; NULL = not known
);

WITH stock AS (
    SELECT interval_row.product_durable_key, SUM(interval_row.on_hand_units) AS on_hand_units
    FROM gold.fact_stock_interval AS interval_row
    CROSS JOIN meta.capture AS capture
    WHERE interval_row.stock_status = 'sellable'
        AND interval_row.from_date <= capture.as_of_date
        AND interval_row.to_date > capture.as_of_date
    GROUP BY interval_row.product_durable_key
)

SELECT
    product.product_durable_key,
    product.source_name,
    product.product_id,
    product.product_name,
    product.brand,
    product.category_1,
    product.supplier_id,
    product.list_price_amount,
    product.standard_cost_amount,
    product.currency_code,
    product.is_stocked,
    product.status,
    CAST(stock.on_hand_units AS numeric(18, 3)) AS on_hand_units
FROM gold.dim_product AS product
CROSS JOIN meta.capture AS capture
LEFT JOIN stock ON stock.product_durable_key = product.product_durable_key
WHERE product.product_key <> 0
    AND product.valid_from_at <= capture.as_of
    AND product.valid_to_at > capture.as_of;
