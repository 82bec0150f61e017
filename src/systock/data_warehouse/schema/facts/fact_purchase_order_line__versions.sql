-- What was ever believed of a line of an order to a supplier, and in which span of knowledge.
-- refresh: versions
CREATE TABLE gold.fact_purchase_order_line__versions (
    purchase_order_line_key uuid           NOT NULL, -- hash of source, order and line
    product_durable_key     bigint         NOT NULL, -- hash of the product's source and id, never 0
    product_id              text           NOT NULL, -- what
    location_durable_key    bigint         NOT NULL, -- hash of the location's source and id, never 0
    location_id             text           NOT NULL, -- where it is to be delivered
    business_date           date           NOT NULL, -- local day on which it was ordered
    received_date           date,                    -- local day on which the last of it came in; NULL = not yet
    ordered_units           numeric(18, 3) NOT NULL, -- in the product's base unit
    on_order_units          numeric(18, 3) NOT NULL, -- still expected, never below 0
    known_from_at           timestamptz    NOT NULL, -- when it became known
    known_to_at             timestamptz    NOT NULL, -- until when it was believed, exclusive; 9999-12-31 = still
    PRIMARY KEY (purchase_order_line_key, known_from_at)
);

SELECT
    purchase_order_line_key,
    product_durable_key,
    product_id,
    location_durable_key,
    location_id,
    business_date,
    received_date,
    ordered_units,
    on_order_units
FROM gold.fact_purchase_order_line
WHERE NOT is_cancelled;
