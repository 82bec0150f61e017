-- A span of business days over which a product's end-of-day stock, its unit cost and its value at a place stayed the same.
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
    unit_cost_amount     numeric(18, 6),          -- per base unit at the end of each day, in currency_code; NULL = not known
    currency_code        text,                    -- ISO 4217 of the cost and the value
    value_amount         numeric(18, 4),          -- at the end of each day, by cost_method; NULL = not known. Never summed over days
    PRIMARY KEY (product_durable_key, location_durable_key, stock_status, from_date)
);

-- No span before the first anchor: unknown stock is no row, never a made-up number. The spans of one stock follow each other without
-- a gap up to the open one. Values stay in the product's currency: rates change daily and would cut every span.
-- By moving average and FIFO the value is that after the last posting of the day in gold.stock_cost; what an entry at another place
-- posts here counts on the business day of this place. By standard cost it is on_hand_units x the one valid at the day's end by the
-- location's last known zone and cutover; after a product's deletion the last known.
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

-- by moving average and FIFO: each entry that changed the value of a stock, on the business day of its place
posted_entry AS (
    SELECT
        posting.product_durable_key,
        posting.location_durable_key,
        posting.stock_status,
        COALESCE(
            MAX(CASE WHEN posting.posting_no = 0 THEN posting.business_date END),
            MAX(business_date(
                posting.occurred_at,
                COALESCE(place.timezone, project.timezone),
                COALESCE(place.business_day_cutover, project.business_day_cutover)
            ))
        ) AS business_date,
        posting.occurred_at,
        posting.entry_order,
        posting.ledger_entry_key,
        MAX(posting.unit_cost_after_amount) AS unit_cost_amount,
        MAX(posting.value_after_amount) AS value_amount,
        MAX(posting.currency_code) AS currency_code
    FROM gold.stock_cost AS posting
    CROSS JOIN meta.project AS project
    LEFT JOIN gold.dim_location AS place
        ON place.location_durable_key = posting.location_durable_key
        AND place.valid_from_at <= posting.occurred_at
        AND place.superseded_at > posting.occurred_at
    GROUP BY posting.product_durable_key, posting.location_durable_key, posting.stock_status, posting.occurred_at,
        posting.entry_order, posting.ledger_entry_key
),

marked_posting AS (
    SELECT
        product_durable_key,
        location_durable_key,
        stock_status,
        business_date,
        unit_cost_amount,
        value_amount,
        currency_code,
        LEAD(business_date) OVER (
            PARTITION BY product_durable_key, location_durable_key, stock_status
            ORDER BY business_date, occurred_at, entry_order, ledger_entry_key
        ) AS next_date
    FROM posted_entry
),

-- the value at the end of a day, with the stock where that changed on it; every day of a run is one
valued_day AS (
    SELECT
        posting.product_durable_key,
        posting.location_durable_key,
        posting.stock_status,
        posting.business_date AS from_date,
        run.product_id,
        run.location_id,
        run.on_hand_units,
        posting.unit_cost_amount,
        posting.value_amount,
        posting.currency_code,
        COUNT(run.on_hand_units) OVER (
            PARTITION BY posting.product_durable_key, posting.location_durable_key, posting.stock_status
            ORDER BY posting.business_date
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS run_no
    FROM marked_posting AS posting
    LEFT JOIN run
        ON run.product_durable_key = posting.product_durable_key
        AND run.location_durable_key = posting.location_durable_key
        AND run.stock_status = posting.stock_status
        AND run.from_date = posting.business_date
    WHERE posting.next_date IS NULL OR posting.next_date > posting.business_date
),

posted_day AS (
    SELECT
        product_durable_key,
        location_durable_key,
        stock_status,
        from_date,
        MAX(product_id) OVER (
            PARTITION BY product_durable_key, location_durable_key, stock_status, run_no
        ) AS product_id,
        MAX(location_id) OVER (
            PARTITION BY product_durable_key, location_durable_key, stock_status, run_no
        ) AS location_id,
        MAX(on_hand_units) OVER (
            PARTITION BY product_durable_key, location_durable_key, stock_status, run_no
        ) AS on_hand_units,
        unit_cost_amount,
        value_amount,
        currency_code,
        run_no
    FROM valued_day
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

-- all days from which on something is otherwise: by either way, of which the project has one
day AS (
    SELECT
        run.product_durable_key,
        run.location_durable_key,
        run.stock_status,
        run.product_id,
        run.location_id,
        GREATEST(run.run_from_date, run.cost_from_date) AS from_date,
        run.on_hand_units,
        run.standard_cost_amount AS unit_cost_amount,
        run.currency_code,
        mul(run.on_hand_units, run.standard_cost_amount, 4) AS value_amount
    FROM costed_run AS run
    CROSS JOIN meta.project AS project
    WHERE project.cost_method = 'standard'
        AND run.cost_from_date < run.cost_to_date
        AND run.cost_from_date < run.run_to_date
        AND run.cost_to_date > run.run_from_date
    UNION ALL
    SELECT
        product_durable_key,
        location_durable_key,
        stock_status,
        product_id,
        location_id,
        from_date,
        on_hand_units,
        unit_cost_amount,
        currency_code,
        value_amount
    FROM posted_day
    WHERE run_no > 0
),

compared_day AS (
    SELECT
        product_durable_key,
        location_durable_key,
        stock_status,
        product_id,
        location_id,
        from_date,
        on_hand_units,
        unit_cost_amount,
        currency_code,
        value_amount,
        LAG(on_hand_units) OVER (
            PARTITION BY product_durable_key, location_durable_key, stock_status ORDER BY from_date
        ) AS previous_on_hand_units,
        LAG(unit_cost_amount) OVER (
            PARTITION BY product_durable_key, location_durable_key, stock_status ORDER BY from_date
        ) AS previous_cost_amount,
        LAG(value_amount) OVER (
            PARTITION BY product_durable_key, location_durable_key, stock_status ORDER BY from_date
        ) AS previous_value_amount,
        LAG(currency_code) OVER (
            PARTITION BY product_durable_key, location_durable_key, stock_status ORDER BY from_date
        ) AS previous_currency_code
    FROM day
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
    unit_cost_amount,
    CASE WHEN unit_cost_amount IS NOT NULL THEN currency_code END AS currency_code,
    value_amount
FROM compared_day
WHERE previous_on_hand_units IS NULL
    OR on_hand_units <> previous_on_hand_units
    OR unit_cost_amount IS DISTINCT FROM previous_cost_amount
    OR value_amount IS DISTINCT FROM previous_value_amount
    OR (unit_cost_amount IS NOT NULL AND currency_code IS DISTINCT FROM previous_currency_code);
