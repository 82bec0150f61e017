-- A count with the count of the same stock before it: what moved between the two is what its variance comes from.
-- refresh: by key
CREATE TABLE gold.stock_count_span (
    ledger_entry_key     uuid           PRIMARY KEY, -- the count's entry in gold.stock_ledger
    product_durable_key  bigint         NOT NULL,    -- hash of the product's source and id, never 0
    product_source_name  text           NOT NULL,    -- whose code product_id is
    product_id           text           NOT NULL,    -- what
    location_durable_key bigint         NOT NULL,    -- hash of the location's source and id, never 0
    stock_status         text           NOT NULL,    -- sellable, damaged, hold
    counted_before_at    timestamptz    NOT NULL,    -- the instant of the count before; 0001-01-01 = none
    counted_at           timestamptz    NOT NULL,    -- the instant of this one: up to it movements belong to the span
    counted_units        numeric(18, 3) NOT NULL,    -- found, in base units
    base_units           numeric(18, 6) NOT NULL     -- base units in one of the unit that was counted in
);

SELECT
    ledger_entry_key,
    product_durable_key,
    product_source_name,
    product_id,
    location_durable_key,
    stock_status,
    COALESCE(
        LAG(occurred_at) OVER (
            PARTITION BY product_durable_key, location_durable_key, stock_status
            ORDER BY occurred_at, ledger_entry_key
        ),
        TIMESTAMPTZ '0001-01-01 00:00:00+00'
    ) AS counted_before_at,
    occurred_at AS counted_at,
    counted_units,
    base_units
FROM gold.stock_entry
WHERE entry_kind = 'count';
