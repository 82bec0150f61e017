-- Where a place's sales are going: on every day the net sales of the last 7 and 28 days beside those of the 7 and 28 days before.
-- refresh: view
CREATE TABLE serve.sales_trend (
    location_durable_key                  bigint         NOT NULL, -- hash of the location's source and id
    business_date                         date           NOT NULL, -- the day, from its first sale to the last day with any sale
    location_id                           text           NOT NULL, -- where
    location_name                         text,                    -- its last known name
    reporting_net_amount                  numeric(18, 4) NOT NULL, -- net sales of the day, in the project's currency; 0 without sales
    last_7_days_reporting_net_amount      numeric(18, 4) NOT NULL, -- of the 7 days up to this one
    previous_7_days_reporting_net_amount  numeric(18, 4),          -- of the 7 days before them; NULL where not all of them are there
    change_7_days_ratio                   numeric(18, 4),          -- (last 7 - previous 7) / previous 7
    last_28_days_reporting_net_amount     numeric(18, 4) NOT NULL, -- of the 28 days up to this one
    previous_28_days_reporting_net_amount numeric(18, 4),          -- of the 28 days before them; NULL where not all of them are there
    change_28_days_ratio                  numeric(18, 4),          -- (last 28 - previous 28) / previous 28
    PRIMARY KEY (location_durable_key, business_date)
);

-- change = (sum of the last n days - sum of the n days before) / sum of the n days before. Days without sales count as 0.
WITH last_day AS (
    SELECT last_date
    FROM gold.last_day
    WHERE fact_kind = 'sale'
),

place_span AS (
    SELECT
        location_durable_key,
        MIN(location_id) AS location_id,
        MIN(business_date) AS first_date
    FROM gold.fact_store_day
    WHERE sale_lines > 0
    GROUP BY location_durable_key
),

store_day AS (
    SELECT
        span.location_durable_key,
        day.date_key AS business_date,
        span.location_id,
        date_diff(day.date_key, span.first_date) AS days_before,
        COALESCE(store.reporting_net_amount, 0) AS net_amount
    FROM place_span AS span
    CROSS JOIN last_day
    INNER JOIN gold.dim_date AS day
        ON day.date_key >= span.first_date
        AND day.date_key <= last_day.last_date
    LEFT JOIN gold.fact_store_day AS store
        ON store.location_durable_key = span.location_durable_key
        AND store.business_date = day.date_key
),

summed AS (
    SELECT
        location_durable_key,
        business_date,
        location_id,
        days_before,
        net_amount,
        SUM(net_amount) OVER (
            PARTITION BY location_durable_key ORDER BY business_date ROWS BETWEEN 6 PRECEDING AND CURRENT ROW
        ) AS last_7_amount,
        SUM(net_amount) OVER (
            PARTITION BY location_durable_key ORDER BY business_date ROWS BETWEEN 13 PRECEDING AND 7 PRECEDING
        ) AS previous_7_amount,
        SUM(net_amount) OVER (
            PARTITION BY location_durable_key ORDER BY business_date ROWS BETWEEN 27 PRECEDING AND CURRENT ROW
        ) AS last_28_amount,
        SUM(net_amount) OVER (
            PARTITION BY location_durable_key ORDER BY business_date ROWS BETWEEN 55 PRECEDING AND 28 PRECEDING
        ) AS previous_28_amount
    FROM store_day
),

trend AS (
    SELECT
        location_durable_key,
        business_date,
        location_id,
        net_amount,
        last_7_amount,
        CASE WHEN days_before >= 13 THEN previous_7_amount END AS previous_7_amount,
        last_28_amount,
        CASE WHEN days_before >= 55 THEN previous_28_amount END AS previous_28_amount
    FROM summed
)

SELECT
    trend.location_durable_key,
    trend.business_date,
    trend.location_id,
    place.location_name,
    CAST(trend.net_amount AS numeric(18, 4)) AS reporting_net_amount,
    CAST(trend.last_7_amount AS numeric(18, 4)) AS last_7_days_reporting_net_amount,
    CAST(trend.previous_7_amount AS numeric(18, 4)) AS previous_7_days_reporting_net_amount,
    safe_div(trend.last_7_amount - trend.previous_7_amount, trend.previous_7_amount, 4) AS change_7_days_ratio,
    CAST(trend.last_28_amount AS numeric(18, 4)) AS last_28_days_reporting_net_amount,
    CAST(trend.previous_28_amount AS numeric(18, 4)) AS previous_28_days_reporting_net_amount,
    safe_div(trend.last_28_amount - trend.previous_28_amount, trend.previous_28_amount, 4) AS change_28_days_ratio
FROM trend
LEFT JOIN serve.location_current AS place
    ON place.location_durable_key = trend.location_durable_key;
