-- How a place did in a calendar month: sales against visitors, labour, opening hours, floor area and target.
-- refresh: view
CREATE TABLE serve.store_performance (
    location_durable_key        bigint         NOT NULL, -- hash of the location's source and id
    month_start_date            date           NOT NULL, -- first day of the month; only months with something sold or stated
    location_id                 text           NOT NULL, -- where
    location_name               text,                    -- its last known name
    trading_days                bigint         NOT NULL, -- days with a counted sale line
    transactions                bigint         NOT NULL, -- receipts
    net_units                   numeric(18, 3) NOT NULL, -- sold - returned
    reporting_net_amount        numeric(18, 4) NOT NULL, -- gross - discounts - returns, without tax, in the project's currency
    reporting_margin_amount     numeric(18, 4) NOT NULL, -- net - cost of the lines whose cost is known
    reporting_costed_net_amount numeric(18, 4) NOT NULL, -- reporting_net_amount of the lines whose cost is known
    margin_ratio                numeric(18, 4),          -- that margin / the net of the same lines
    basket_reporting_net_amount numeric(18, 4),          -- reporting_net_amount / transactions
    basket_units                numeric(18, 4),          -- net_units / transactions
    visitors                    bigint,                  -- footfall of the days where it is stated; NULL = of none
    conversion_ratio            numeric(18, 4),          -- transactions of these days / visitors
    labour_hours                numeric(18, 3),          -- hours worked on the days where they are stated
    net_per_labour_hour_amount  numeric(18, 4),          -- net sales of these days / labour_hours, in the project's currency
    open_hours                  numeric(18, 3),          -- hours open on the days where they are stated
    net_per_open_hour_amount    numeric(18, 4),          -- net sales of these days / open_hours, in the project's currency
    floor_area_m2               numeric(18, 3),          -- selling area as last described
    net_per_m2_amount           numeric(18, 4),          -- reporting_net_amount / floor_area_m2, in the project's currency
    reporting_target_amount     numeric(18, 4),          -- target of the days where one is stated
    target_ratio                numeric(18, 4),          -- net sales of these days / target
    PRIMARY KEY (location_durable_key, month_start_date)
);

-- Each ratio is a ratio of sums over the days on which both of its parts are known, never a mean of daily ratios.
WITH day AS (
    SELECT
        location_durable_key,
        add_days(business_date, 1 - CAST(EXTRACT(DAY FROM business_date) AS integer)) AS month_start_date,
        location_id,
        sale_lines,
        transactions,
        net_units,
        reporting_net_amount,
        reporting_costed_net_amount,
        reporting_cost_amount,
        visitors,
        labour_hours,
        open_hours,
        reporting_target_amount
    FROM gold.fact_store_day
),

month AS (
    SELECT
        location_durable_key,
        month_start_date,
        MIN(location_id) AS location_id,
        SUM(CASE WHEN sale_lines > 0 THEN 1 ELSE 0 END) AS trading_days,
        SUM(transactions) AS transactions,
        SUM(net_units) AS net_units,
        SUM(reporting_net_amount) AS net_amount,
        SUM(reporting_costed_net_amount) AS costed_net_amount,
        SUM(reporting_costed_net_amount) - SUM(reporting_cost_amount) AS margin_amount,
        SUM(visitors) AS visitors,
        SUM(CASE WHEN visitors IS NOT NULL THEN transactions END) AS visited_transactions,
        SUM(labour_hours) AS labour_hours,
        SUM(CASE WHEN labour_hours IS NOT NULL THEN reporting_net_amount END) AS laboured_net_amount,
        SUM(open_hours) AS open_hours,
        SUM(CASE WHEN open_hours IS NOT NULL THEN reporting_net_amount END) AS opened_net_amount,
        SUM(reporting_target_amount) AS target_amount,
        SUM(CASE WHEN reporting_target_amount IS NOT NULL THEN reporting_net_amount END) AS targeted_net_amount
    FROM day
    GROUP BY location_durable_key, month_start_date
)

SELECT
    month.location_durable_key,
    month.month_start_date,
    month.location_id,
    place.location_name,
    CAST(month.trading_days AS bigint) AS trading_days,
    CAST(month.transactions AS bigint) AS transactions,
    CAST(month.net_units AS numeric(18, 3)) AS net_units,
    CAST(month.net_amount AS numeric(18, 4)) AS reporting_net_amount,
    CAST(month.margin_amount AS numeric(18, 4)) AS reporting_margin_amount,
    CAST(month.costed_net_amount AS numeric(18, 4)) AS reporting_costed_net_amount,
    safe_div(month.margin_amount, month.costed_net_amount, 4) AS margin_ratio,
    safe_div(month.net_amount, month.transactions, 4) AS basket_reporting_net_amount,
    safe_div(month.net_units, month.transactions, 4) AS basket_units,
    CAST(month.visitors AS bigint) AS visitors,
    safe_div(month.visited_transactions, month.visitors, 4) AS conversion_ratio,
    CAST(month.labour_hours AS numeric(18, 3)) AS labour_hours,
    safe_div(month.laboured_net_amount, month.labour_hours, 4) AS net_per_labour_hour_amount,
    CAST(month.open_hours AS numeric(18, 3)) AS open_hours,
    safe_div(month.opened_net_amount, month.open_hours, 4) AS net_per_open_hour_amount,
    place.floor_area_m2,
    safe_div(month.net_amount, place.floor_area_m2, 4) AS net_per_m2_amount,
    CAST(month.target_amount AS numeric(18, 4)) AS reporting_target_amount,
    safe_div(month.targeted_net_amount, month.target_amount, 4) AS target_ratio
FROM month
LEFT JOIN serve.location_current AS place
    ON place.location_durable_key = month.location_durable_key;
