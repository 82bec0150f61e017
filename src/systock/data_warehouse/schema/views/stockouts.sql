-- On how many ranged days a product was out of stock at a place, over all time and over the last 28 business days.
-- refresh: view
CREATE TABLE serve.stockouts (
    product_durable_key         bigint         NOT NULL, -- hash of the product's source and id
    location_durable_key        bigint         NOT NULL, -- hash of the location's source and id
    product_id                  text           NOT NULL, -- what
    product_name                text,                    -- its last known name
    location_id                 text           NOT NULL, -- where
    location_name               text,                    -- its last known name
    ranged_days                 bigint         NOT NULL, -- ranged days up to the last day with any fact on which the stock is known
    unknown_days                bigint         NOT NULL, -- ranged days up to then on which it is not: left out
    stockout_days               bigint         NOT NULL, -- of ranged_days those that end with sellable stock at 0 or below
    stockout_ratio              numeric(18, 4),          -- stockout_days / ranged_days; NULL without a ranged day
    last_28_days_ranged_days    bigint         NOT NULL, -- ranged_days of the 28 days up to the last day with any fact
    last_28_days_stockout_days  bigint         NOT NULL, -- stockout_days of the same days
    last_28_days_stockout_ratio numeric(18, 4),          -- their ratio
    is_out                      boolean        NOT NULL, -- ranged and out of stock on the last day
    PRIMARY KEY (product_durable_key, location_durable_key)
);

-- stock-out = a day on which a ranged product (gold.fact_assortment) ends at <= 0; rate = stock-out days / ranged days, of sums. Days are
-- counted from spans, never one by one.
WITH last_day AS (
    SELECT
        last_date,
        add_days(last_date, 1) AS end_date,
        add_days(last_date, -27) AS from_28_date
    FROM gold.last_day
    WHERE fact_kind = 'stock'
),

ranged AS (
    SELECT
        assortment.product_durable_key,
        assortment.location_durable_key,
        assortment.product_id,
        assortment.location_id,
        assortment.from_date,
        LEAST(assortment.to_date, last_day.end_date) AS to_date,
        last_day.last_date,
        last_day.from_28_date
    FROM gold.fact_assortment AS assortment
    CROSS JOIN last_day
    WHERE assortment.from_date <= last_day.last_date
),

span AS (
    SELECT
        product_durable_key,
        location_durable_key,
        product_id,
        location_id,
        date_diff(to_date, from_date) AS all_days,
        0 AS ranged_days,
        0 AS stockout_days,
        0 AS last_28_ranged_days,
        0 AS last_28_stockout_days,
        0 AS out_number
    FROM ranged
    UNION ALL
    SELECT
        ranged.product_durable_key,
        ranged.location_durable_key,
        ranged.product_id,
        ranged.location_id,
        0 AS all_days,
        date_diff(LEAST(ranged.to_date, stock.to_date), GREATEST(ranged.from_date, stock.from_date)) AS ranged_days,
        CASE
            WHEN stock.on_hand_units <= 0
                THEN date_diff(
                    LEAST(ranged.to_date, stock.to_date), GREATEST(ranged.from_date, stock.from_date)
                )
            ELSE 0
        END AS stockout_days,
        GREATEST(date_diff(
            LEAST(ranged.to_date, stock.to_date),
            GREATEST(ranged.from_date, stock.from_date, ranged.from_28_date)
        ), 0) AS last_28_ranged_days,
        CASE
            WHEN stock.on_hand_units <= 0
                THEN GREATEST(date_diff(
                    LEAST(ranged.to_date, stock.to_date),
                    GREATEST(ranged.from_date, stock.from_date, ranged.from_28_date)
                ), 0)
            ELSE 0
        END AS last_28_stockout_days,
        CASE
            WHEN stock.on_hand_units <= 0 AND ranged.to_date > ranged.last_date AND stock.to_date > ranged.last_date
                THEN 1
            ELSE 0
        END AS out_number
    FROM ranged
    INNER JOIN gold.fact_stock_interval AS stock
        ON stock.product_durable_key = ranged.product_durable_key
        AND stock.location_durable_key = ranged.location_durable_key
        AND stock.from_date < ranged.to_date
        AND stock.to_date > ranged.from_date
    WHERE stock.stock_status = 'sellable'
),

counted AS (
    SELECT
        product_durable_key,
        location_durable_key,
        MIN(product_id) AS product_id,
        MIN(location_id) AS location_id,
        SUM(all_days) AS all_days,
        SUM(ranged_days) AS ranged_days,
        SUM(stockout_days) AS stockout_days,
        SUM(last_28_ranged_days) AS last_28_ranged_days,
        SUM(last_28_stockout_days) AS last_28_stockout_days,
        MAX(out_number) AS out_number
    FROM span
    GROUP BY product_durable_key, location_durable_key
)

SELECT
    counted.product_durable_key,
    counted.location_durable_key,
    counted.product_id,
    article.product_name,
    counted.location_id,
    place.location_name,
    CAST(counted.ranged_days AS bigint) AS ranged_days,
    CAST(counted.all_days - counted.ranged_days AS bigint) AS unknown_days,
    CAST(counted.stockout_days AS bigint) AS stockout_days,
    safe_div(counted.stockout_days, counted.ranged_days, 4) AS stockout_ratio,
    CAST(counted.last_28_ranged_days AS bigint) AS last_28_days_ranged_days,
    CAST(counted.last_28_stockout_days AS bigint) AS last_28_days_stockout_days,
    safe_div(counted.last_28_stockout_days, counted.last_28_ranged_days, 4) AS last_28_days_stockout_ratio,
    counted.out_number = 1 AS is_out
FROM counted
LEFT JOIN serve.product_current AS article
    ON article.product_durable_key = counted.product_durable_key
LEFT JOIN serve.location_current AS place
    ON place.location_durable_key = counted.location_durable_key;
