-- End-of-day stock of a product at a location in one status on a business day, from its first anchor to the last day with any fact.
-- refresh: view
CREATE TABLE serve.stock_daily (
    business_date          date           NOT NULL, -- the day
    product_durable_key    bigint         NOT NULL, -- hash of the product's source and id
    location_durable_key   bigint         NOT NULL, -- hash of the location's source and id
    stock_status           text           NOT NULL, -- sellable, damaged, hold
    product_id             text           NOT NULL, -- what
    location_id            text           NOT NULL, -- where
    on_hand_units          numeric(18, 3) NOT NULL, -- at the end of the day, in base units. Never summed over days: average it
    value_amount           numeric(18, 4),          -- by cost_method, in currency_code. Never summed over days
    currency_code          text,                    -- ISO 4217 of value_amount
    reporting_value_amount numeric(18, 4),          -- value_amount in the project's currency at the day's rate. Never summed over days
    PRIMARY KEY (business_date, product_durable_key, location_durable_key, stock_status)
);

WITH last_day AS (
    SELECT last_date
    FROM gold.last_day
    WHERE fact_kind = 'stock'
)

SELECT
    day.date_key AS business_date,
    stock.product_durable_key,
    stock.location_durable_key,
    stock.stock_status,
    stock.product_id,
    stock.location_id,
    stock.on_hand_units,
    stock.value_amount,
    stock.currency_code,
    mul(
        stock.value_amount,
        CASE WHEN stock.currency_code = project.currency_code THEN 1 ELSE rate.exchange_rate END, 4
    ) AS reporting_value_amount
FROM gold.fact_stock_interval AS stock
CROSS JOIN meta.project AS project
CROSS JOIN last_day
INNER JOIN gold.dim_date AS day
    ON day.date_key >= stock.from_date
    AND day.date_key < stock.to_date
    AND day.date_key <= last_day.last_date
LEFT JOIN gold.exchange_rate_day AS rate
    ON rate.currency_code = stock.currency_code
    AND rate.rate_date = day.date_key;
