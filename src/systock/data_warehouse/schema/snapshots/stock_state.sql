-- What was reported of a product's stock at a place at a point in time.
-- refresh: snapshot
CREATE TABLE snapshot.stock_state (
    product_durable_key  bigint         NOT NULL, -- hash of source and product
    location_durable_key bigint         NOT NULL, -- hash of the location's source and id
    stock_status         text           NOT NULL, -- sellable, damaged, hold
    product_id           text           NOT NULL, -- what
    location_id          text           NOT NULL, -- where
    on_hand_units        numeric(18, 3) NOT NULL, -- at the day's end, in base units
    currency_code        text,                    -- ISO 4217 of value_amount
    value_amount         numeric(18, 4),          -- of on_hand_units at cost; NULL = not known
    PRIMARY KEY (product_durable_key, location_durable_key, stock_status)
);

SELECT
    interval_row.product_durable_key,
    interval_row.location_durable_key,
    interval_row.stock_status,
    interval_row.product_id,
    interval_row.location_id,
    interval_row.on_hand_units,
    interval_row.currency_code,
    interval_row.value_amount
FROM gold.fact_stock_interval AS interval_row
CROSS JOIN meta.capture AS capture
WHERE interval_row.from_date <= capture.as_of_date
    AND interval_row.to_date > capture.as_of_date;
