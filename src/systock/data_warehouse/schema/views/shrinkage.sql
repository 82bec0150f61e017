-- What of the book was not found at a place in a calendar month, at cost, and its share of the month's sales there.
-- refresh: view
CREATE TABLE serve.shrinkage (
    location_durable_key       bigint         NOT NULL, -- hash of the location's source and id
    month_start_date           date           NOT NULL, -- first day of the month; only months with a physical count
    location_id                text           NOT NULL, -- where
    location_name              text,                    -- its last known name
    count_lines                bigint         NOT NULL, -- physical counts before which the book was known
    lines_without_value        bigint         NOT NULL, -- those whose variance has no known cost or rate: in units only
    loss_units                 numeric(18, 3) NOT NULL, -- sum of book - counted where less was found, in base units
    gain_units                 numeric(18, 3) NOT NULL, -- sum of counted - book where more was found, in base units
    reporting_loss_amount      numeric(18, 4) NOT NULL, -- the losses at cost, positive, in the project's currency
    reporting_gain_amount      numeric(18, 4) NOT NULL, -- the gains at cost, in the project's currency
    reporting_shrinkage_amount numeric(18, 4) NOT NULL, -- losses - gains
    reporting_net_amount       numeric(18, 4) NOT NULL, -- net sales of the month there, in the project's currency
    loss_ratio                 numeric(18, 4),          -- losses / net sales
    shrinkage_ratio            numeric(18, 4),          -- (losses - gains) / net sales
    PRIMARY KEY (location_durable_key, month_start_date)
);

-- shrinkage = (book - counted) at cost. The book is that of today: documents entered late have left it, whatever was seen at the shelf.
WITH counted AS (
    SELECT
        location_durable_key,
        add_days(business_date, 1 - CAST(EXTRACT(DAY FROM business_date) AS integer)) AS month_start_date,
        location_id,
        variance_units,
        reporting_variance_amount
    FROM gold.fact_stock_count
    WHERE count_kind = 'physical' AND variance_units IS NOT NULL
),

month AS (
    SELECT
        location_durable_key,
        month_start_date,
        MIN(location_id) AS location_id,
        COUNT(*) AS count_lines,
        SUM(
            CASE WHEN variance_units <> 0 AND reporting_variance_amount IS NULL THEN 1 ELSE 0 END
        ) AS lines_without_value,
        SUM(GREATEST(-variance_units, 0)) AS loss_units,
        SUM(GREATEST(variance_units, 0)) AS gain_units,
        COALESCE(SUM(GREATEST(-reporting_variance_amount, 0)), 0) AS loss_amount,
        COALESCE(SUM(GREATEST(reporting_variance_amount, 0)), 0) AS gain_amount
    FROM counted
    GROUP BY location_durable_key, month_start_date
),

sold_day AS (
    SELECT
        location_durable_key,
        add_days(business_date, 1 - CAST(EXTRACT(DAY FROM business_date) AS integer)) AS month_start_date,
        reporting_net_amount
    FROM gold.fact_store_day
),

sold AS (
    SELECT
        location_durable_key,
        month_start_date,
        SUM(reporting_net_amount) AS net_amount
    FROM sold_day
    GROUP BY location_durable_key, month_start_date
)

SELECT
    month.location_durable_key,
    month.month_start_date,
    month.location_id,
    place.location_name,
    CAST(month.count_lines AS bigint) AS count_lines,
    CAST(month.lines_without_value AS bigint) AS lines_without_value,
    CAST(month.loss_units AS numeric(18, 3)) AS loss_units,
    CAST(month.gain_units AS numeric(18, 3)) AS gain_units,
    CAST(month.loss_amount AS numeric(18, 4)) AS reporting_loss_amount,
    CAST(month.gain_amount AS numeric(18, 4)) AS reporting_gain_amount,
    CAST(month.loss_amount - month.gain_amount AS numeric(18, 4)) AS reporting_shrinkage_amount,
    CAST(COALESCE(sold.net_amount, 0) AS numeric(18, 4)) AS reporting_net_amount,
    safe_div(month.loss_amount, sold.net_amount, 4) AS loss_ratio,
    safe_div(month.loss_amount - month.gain_amount, sold.net_amount, 4) AS shrinkage_ratio
FROM month
LEFT JOIN sold
    ON sold.location_durable_key = month.location_durable_key
    AND sold.month_start_date = month.month_start_date
LEFT JOIN serve.location_current AS place
    ON place.location_durable_key = month.location_durable_key;
