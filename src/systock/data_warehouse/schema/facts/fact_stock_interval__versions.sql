-- What was ever believed of a product's end-of-day stock at a place from a business day on, and in which span of knowledge.
-- refresh: versions
CREATE TABLE gold.fact_stock_interval__versions (
    product_durable_key  bigint         NOT NULL, -- hash of the product's source and id, never 0
    location_durable_key bigint         NOT NULL, -- hash of the location's source and id, never 0
    stock_status         text           NOT NULL, -- sellable, damaged, hold
    from_date            date           NOT NULL, -- first business day with this stock; it stands until the next one's
    product_id           text           NOT NULL, -- what
    location_id          text           NOT NULL, -- where
    on_hand_units        numeric(18, 3) NOT NULL, -- at the end of each day, in base units. Never summed over days
    currency_code        text,                    -- ISO 4217 of value_amount
    value_amount         numeric(18, 4),          -- at the end of each day, by cost_method; NULL = not known. Never summed over days
    known_from_at        timestamptz    NOT NULL, -- when it became known
    known_to_at          timestamptz    NOT NULL, -- until when it was believed, exclusive; 9999-12-31 = still
    PRIMARY KEY (product_durable_key, location_durable_key, stock_status, from_date, known_from_at)
);

-- Without the end of the span, which is the beginning of the next: a day that follows another makes one new row and closes none.
SELECT
    product_durable_key,
    location_durable_key,
    stock_status,
    from_date,
    product_id,
    location_id,
    on_hand_units,
    currency_code,
    value_amount
FROM gold.fact_stock_interval;
