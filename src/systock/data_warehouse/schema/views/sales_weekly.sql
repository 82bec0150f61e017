-- A place's sales of a week of the retail calendar, beside those of the comparable week of the year before.
-- refresh: view
CREATE TABLE serve.sales_weekly (
    location_durable_key           bigint         NOT NULL, -- hash of the location's source and id
    retail_year                    integer        NOT NULL, -- retail year, as in gold.dim_date
    retail_week                    integer        NOT NULL, -- week of it, Sunday to Saturday; only weeks with a counted sale line
    location_id                    text           NOT NULL, -- where
    location_name                  text,                    -- its last known name
    week_start_date                date           NOT NULL, -- Sunday of the week
    trading_days                   bigint         NOT NULL, -- days with a counted sale line
    transactions                   bigint         NOT NULL, -- receipts
    sold_units                     numeric(18, 3) NOT NULL, -- units on sale lines
    net_units                      numeric(18, 3) NOT NULL, -- sold - returned
    reporting_gross_amount         numeric(18, 4) NOT NULL, -- sale lines before discount, without tax, in the project's currency
    reporting_discount_amount      numeric(18, 4) NOT NULL, -- discounts on sale lines
    reporting_returns_amount       numeric(18, 4) NOT NULL, -- net of return lines, positive
    reporting_net_amount           numeric(18, 4) NOT NULL, -- gross - discounts - returns
    reporting_margin_amount        numeric(18, 4) NOT NULL, -- net - cost of the lines whose cost is known
    reporting_costed_net_amount    numeric(18, 4) NOT NULL, -- reporting_net_amount of the lines whose cost is known
    margin_ratio                   numeric(18, 4),          -- that margin / the net of the same lines
    last_year_reporting_net_amount numeric(18, 4),          -- net of the comparable days of the year before; NULL = none
    net_change_ratio               numeric(18, 4),          -- (net - last year's) / last year's; NULL without last year
    PRIMARY KEY (location_durable_key, retail_year, retail_week)
);

-- net = gross - discounts - returns; margin ratio and change are ratios of the week's sums. The comparable day is
-- comparable_last_year_date of gold.dim_date, 52 weeks before; of a week that is not over, only days up to the last day with any sale
-- are compared.
WITH last_day AS (
    SELECT last_date
    FROM gold.last_day
    WHERE fact_kind = 'sale'
),

part AS (
    SELECT
        store.location_durable_key,
        day.retail_year,
        day.retail_week,
        store.location_id,
        add_days(day.date_key, 1 - day.retail_day_of_week) AS week_start_date,
        1 AS trading_days,
        store.transactions,
        store.sold_units,
        store.net_units,
        store.reporting_gross_amount,
        store.reporting_discount_amount,
        store.reporting_returns_amount,
        store.reporting_net_amount,
        store.reporting_costed_net_amount,
        store.reporting_cost_amount,
        CAST(NULL AS numeric(18, 4)) AS last_year_amount
    FROM gold.fact_store_day AS store
    INNER JOIN gold.dim_date AS day
        ON day.date_key = store.business_date
    WHERE store.sale_lines > 0
    UNION ALL
    SELECT
        store.location_durable_key,
        day.retail_year,
        day.retail_week,
        store.location_id,
        add_days(day.date_key, 1 - day.retail_day_of_week) AS week_start_date,
        0 AS trading_days,
        0 AS transactions,
        0 AS sold_units,
        0 AS net_units,
        0 AS reporting_gross_amount,
        0 AS reporting_discount_amount,
        0 AS reporting_returns_amount,
        0 AS reporting_net_amount,
        0 AS reporting_costed_net_amount,
        0 AS reporting_cost_amount,
        store.reporting_net_amount AS last_year_amount
    FROM gold.fact_store_day AS store
    CROSS JOIN last_day
    INNER JOIN gold.dim_date AS day
        ON day.comparable_last_year_date = store.business_date
        AND day.date_key <= last_day.last_date
    WHERE store.sale_lines > 0
),

week AS (
    SELECT
        location_durable_key,
        retail_year,
        retail_week,
        MIN(location_id) AS location_id,
        MIN(week_start_date) AS week_start_date,
        SUM(trading_days) AS trading_days,
        SUM(transactions) AS transactions,
        SUM(sold_units) AS sold_units,
        SUM(net_units) AS net_units,
        SUM(reporting_gross_amount) AS gross_amount,
        SUM(reporting_discount_amount) AS discount_amount,
        SUM(reporting_returns_amount) AS returns_amount,
        SUM(reporting_net_amount) AS net_amount,
        SUM(reporting_costed_net_amount) AS costed_net_amount,
        SUM(reporting_costed_net_amount) - SUM(reporting_cost_amount) AS margin_amount,
        SUM(last_year_amount) AS last_year_amount
    FROM part
    GROUP BY location_durable_key, retail_year, retail_week
    HAVING SUM(trading_days) > 0
)

SELECT
    week.location_durable_key,
    week.retail_year,
    week.retail_week,
    week.location_id,
    place.location_name,
    week.week_start_date,
    CAST(week.trading_days AS bigint) AS trading_days,
    CAST(week.transactions AS bigint) AS transactions,
    CAST(week.sold_units AS numeric(18, 3)) AS sold_units,
    CAST(week.net_units AS numeric(18, 3)) AS net_units,
    CAST(week.gross_amount AS numeric(18, 4)) AS reporting_gross_amount,
    CAST(week.discount_amount AS numeric(18, 4)) AS reporting_discount_amount,
    CAST(week.returns_amount AS numeric(18, 4)) AS reporting_returns_amount,
    CAST(week.net_amount AS numeric(18, 4)) AS reporting_net_amount,
    CAST(week.margin_amount AS numeric(18, 4)) AS reporting_margin_amount,
    CAST(week.costed_net_amount AS numeric(18, 4)) AS reporting_costed_net_amount,
    safe_div(week.margin_amount, week.costed_net_amount, 4) AS margin_ratio,
    CAST(week.last_year_amount AS numeric(18, 4)) AS last_year_reporting_net_amount,
    safe_div(week.net_amount - week.last_year_amount, week.last_year_amount, 4) AS net_change_ratio
FROM week
LEFT JOIN serve.location_current AS place
    ON place.location_durable_key = week.location_durable_key;
