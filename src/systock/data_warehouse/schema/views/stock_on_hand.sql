-- What is on hand now: the latest end-of-day stock of a product at a location in one status; NULL where it is not known.
-- refresh: view
CREATE TABLE serve.stock_on_hand (
    product_durable_key    bigint         NOT NULL, -- hash of the product's source and id
    location_durable_key   bigint         NOT NULL, -- hash of the location's source and id
    stock_status           text           NOT NULL, -- sellable, damaged, hold
    product_id             text           NOT NULL, -- what
    product_name           text,                    -- its last known name
    location_id            text           NOT NULL, -- where
    location_name          text,                    -- its last known name
    is_known               boolean        NOT NULL, -- is there an anchor (count, level, opening, zero start) to reckon from?
    on_hand_units          numeric(18, 3),          -- sum of movements since the last anchor + the anchor, in base units; NULL = not known
    since_date             date,                    -- first business day with this stock and this cost
    unit_cost_amount       numeric(18, 6),          -- per base unit, in currency_code
    currency_code          text,                    -- ISO 4217 of the cost and the value
    value_amount           numeric(18, 4),          -- what it is worth by cost_method, in currency_code
    reporting_value_amount numeric(18, 4),          -- value_amount in the project's currency at the rate of the last day with any fact
    PRIMARY KEY (product_durable_key, location_durable_key, stock_status)
);

-- Whatever moved or was sold somewhere has a row; products that are not stocked have none. Products that are only sold, by sources
-- whose sales move no stock, are unknown, never a sum of sales below zero.
WITH last_day AS (
    SELECT last_date
    FROM gold.last_day
    WHERE fact_kind = 'stock'
),

seen AS (
    SELECT product_durable_key, location_durable_key, stock_status, product_id, location_id
    FROM gold.stock_ledger
    UNION ALL
    SELECT product_durable_key, location_durable_key, 'sellable' AS stock_status, product_id, location_id
    FROM gold.fact_sale_line
    WHERE is_counted AND fulfilled_from_location_id IS NULL
),

stock AS (
    SELECT
        product_durable_key,
        location_durable_key,
        stock_status,
        MIN(product_id) AS product_id,
        MIN(location_id) AS location_id
    FROM seen
    GROUP BY product_durable_key, location_durable_key, stock_status
)

SELECT
    stock.product_durable_key,
    stock.location_durable_key,
    stock.stock_status,
    stock.product_id,
    article.product_name,
    stock.location_id,
    place.location_name,
    latest.on_hand_units IS NOT NULL AS is_known,
    latest.on_hand_units,
    latest.from_date AS since_date,
    latest.unit_cost_amount,
    latest.currency_code,
    latest.value_amount,
    mul(
        latest.value_amount,
        CASE WHEN latest.currency_code = project.currency_code THEN 1 ELSE rate.exchange_rate END, 4
    ) AS reporting_value_amount
FROM stock
CROSS JOIN meta.project AS project
CROSS JOIN last_day
LEFT JOIN serve.product_current AS article
    ON article.product_durable_key = stock.product_durable_key
LEFT JOIN serve.location_current AS place
    ON place.location_durable_key = stock.location_durable_key
LEFT JOIN gold.fact_stock_interval AS latest
    ON latest.product_durable_key = stock.product_durable_key
    AND latest.location_durable_key = stock.location_durable_key
    AND latest.stock_status = stock.stock_status
    AND latest.from_date <= last_day.last_date
    AND latest.to_date > last_day.last_date
LEFT JOIN gold.exchange_rate_day AS rate
    ON rate.currency_code = latest.currency_code
    AND rate.rate_date = last_day.last_date
WHERE COALESCE(article.is_stocked, TRUE);
