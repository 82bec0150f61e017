-- A span of business days over which a product's end-of-day stock and its unit cost at a place stayed the same.
-- refresh: by key
CREATE TABLE gold.fact_stock_interval (
    product_durable_key  bigint         NOT NULL, -- hash of the product's source and id, never 0
    location_durable_key bigint         NOT NULL, -- hash of the location's source and id, never 0
    stock_status         text           NOT NULL, -- sellable, damaged, hold
    from_date            date           NOT NULL
        REFERENCES gold.dim_date (date_key),      -- first business day of the span
    to_date              date           NOT NULL
        CHECK (to_date > from_date),              -- business day after the last of the span; 9999-12-31 = open
    product_id           text           NOT NULL, -- what
    location_id          text           NOT NULL, -- where
    on_hand_units        numeric(18, 3) NOT NULL, -- at the end of each day, in base units. Never summed over days
    standard_cost_amount numeric(18, 6),          -- per base unit at the end of each day, in currency_code; NULL = not known
    currency_code        text,                    -- ISO 4217 of the cost and the value
    value_amount         numeric(18, 4),          -- on_hand_units x standard_cost_amount; NULL = not known. Never summed over days
    PRIMARY KEY (product_durable_key, location_durable_key, stock_status, from_date)
);

-- No span before the first anchor: unknown stock is no row, never a made-up number. The spans of one stock follow each other without
-- a gap up to the open one. The cost of a day is the one valid at its end by the location's last known zone and cutover; after a
-- product's deletion it is the last known. Values stay in the product's currency: rates change daily and would cut every span.
WITH marked_entry AS (
    SELECT
        product_durable_key,
        location_durable_key,
        stock_status,
        product_id,
        location_id,
        business_date,
        balance_after_units,
        LEAD(business_date) OVER (
            PARTITION BY product_durable_key, location_durable_key, stock_status
            ORDER BY business_date, occurred_at, entry_order, ledger_entry_key
        ) AS next_date
    FROM gold.stock_ledger
    WHERE balance_after_units IS NOT NULL
),

-- the last entry of a business day: what it leaves stands until the day of the next one
run AS (
    SELECT
        entry.product_durable_key,
        entry.location_durable_key,
        entry.stock_status,
        entry.product_id,
        entry.location_id,
        entry.business_date AS from_date,
        COALESCE(entry.next_date, DATE '9999-12-31') AS to_date,
        entry.balance_after_units AS on_hand_units,
        COALESCE(place.timezone, project.timezone) AS timezone,
        COALESCE(place.business_day_cutover, project.business_day_cutover) AS business_day_cutover
    FROM marked_entry AS entry
    CROSS JOIN meta.project AS project
    LEFT JOIN gold.dim_location AS place
        ON place.location_durable_key = entry.location_durable_key
        AND place.is_latest
    WHERE entry.next_date IS NULL OR entry.next_date > entry.business_date
),

compared_version AS (
    SELECT
        product_durable_key,
        valid_from_at,
        standard_cost_amount,
        currency_code,
        LAG(valid_from_at) OVER (PARTITION BY product_durable_key ORDER BY valid_from_at) AS previous_from_at,
        LAG(standard_cost_amount) OVER (
            PARTITION BY product_durable_key ORDER BY valid_from_at
        ) AS previous_cost_amount,
        LAG(currency_code) OVER (PARTITION BY product_durable_key ORDER BY valid_from_at) AS previous_currency_code
    FROM gold.dim_product
),

cost_change AS (
    SELECT
        product_durable_key,
        standard_cost_amount,
        currency_code,
        CASE WHEN previous_from_at IS NOT NULL THEN valid_from_at END AS from_at,
        LEAD(valid_from_at) OVER (PARTITION BY product_durable_key ORDER BY valid_from_at) AS to_at
    FROM compared_version
    WHERE previous_from_at IS NULL
        OR standard_cost_amount IS DISTINCT FROM previous_cost_amount
        OR currency_code IS DISTINCT FROM previous_currency_code
),

unit_cost AS (
    SELECT
        product_durable_key,
        standard_cost_amount,
        currency_code,
        from_at,
        to_at,
        COALESCE(add_days(CAST(utc_to_local(from_at, 'UTC') AS date), -2), DATE '1900-01-01') AS coarse_from_date,
        COALESCE(add_days(CAST(utc_to_local(to_at, 'UTC') AS date), 2), DATE '9999-12-31') AS coarse_to_date
    FROM cost_change
),

-- every cost that may hold on some day of the run: compared by UTC dates, which are within a day of the local ones
costed_run AS (
    SELECT
        run.product_durable_key,
        run.location_durable_key,
        run.stock_status,
        run.product_id,
        run.location_id,
        run.from_date AS run_from_date,
        run.to_date AS run_to_date,
        run.on_hand_units,
        cost.standard_cost_amount,
        cost.currency_code,
        CASE
            WHEN cost.from_at IS NULL THEN DATE '1900-01-01'
            ELSE business_date(cost.from_at, run.timezone, run.business_day_cutover)
        END AS cost_from_date,
        CASE
            WHEN cost.to_at IS NULL THEN DATE '9999-12-31'
            ELSE business_date(cost.to_at, run.timezone, run.business_day_cutover)
        END AS cost_to_date
    FROM run
    LEFT JOIN unit_cost AS cost
        ON cost.product_durable_key = run.product_durable_key
        AND cost.coarse_from_date < run.to_date
        AND cost.coarse_to_date > run.from_date
),

compared_run AS (
    SELECT
        product_durable_key,
        location_durable_key,
        stock_status,
        product_id,
        location_id,
        GREATEST(run_from_date, cost_from_date) AS from_date,
        on_hand_units,
        standard_cost_amount,
        currency_code,
        LAG(on_hand_units) OVER (
            PARTITION BY product_durable_key, location_durable_key, stock_status
            ORDER BY GREATEST(run_from_date, cost_from_date)
        ) AS previous_on_hand_units,
        LAG(standard_cost_amount) OVER (
            PARTITION BY product_durable_key, location_durable_key, stock_status
            ORDER BY GREATEST(run_from_date, cost_from_date)
        ) AS previous_cost_amount,
        LAG(currency_code) OVER (
            PARTITION BY product_durable_key, location_durable_key, stock_status
            ORDER BY GREATEST(run_from_date, cost_from_date)
        ) AS previous_currency_code
    FROM costed_run
    WHERE cost_from_date < cost_to_date
        AND cost_from_date < run_to_date
        AND cost_to_date > run_from_date
)

SELECT
    product_durable_key,
    location_durable_key,
    stock_status,
    from_date,
    COALESCE(LEAD(from_date) OVER (
        PARTITION BY product_durable_key, location_durable_key, stock_status ORDER BY from_date
    ), DATE '9999-12-31') AS to_date,
    product_id,
    location_id,
    on_hand_units,
    standard_cost_amount,
    CASE WHEN standard_cost_amount IS NOT NULL THEN currency_code END AS currency_code,
    mul(on_hand_units, standard_cost_amount, 4) AS value_amount
FROM compared_run
WHERE previous_on_hand_units IS NULL
    OR on_hand_units <> previous_on_hand_units
    OR standard_cost_amount IS DISTINCT FROM previous_cost_amount
    OR (standard_cost_amount IS NOT NULL AND currency_code IS DISTINCT FROM previous_currency_code);
