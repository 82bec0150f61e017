-- A business day of a place: opening hours, footfall, labour and target as stated, sales and transactions as sold.
-- refresh: by key
CREATE TABLE gold.fact_store_day (
    location_durable_key        bigint         NOT NULL, -- hash of the location's source and id, never 0
    business_date               date           NOT NULL
        REFERENCES gold.dim_date (date_key),             -- the location's business day
    location_id                 text           NOT NULL, -- where
    opened_at                   timestamptz,             -- when it opened; NULL = not known, as all that is stated
    closed_at                   timestamptz,             -- when it closed
    open_hours                  numeric(18, 3),          -- hours from opened_at to closed_at
    visitors                    bigint,                  -- people who came in: the footfall
    labour_hours                numeric(18, 3),          -- hours worked
    reporting_target_amount     numeric(18, 4),          -- net sales aimed at, without tax, in the project's currency
    sale_lines                  bigint         NOT NULL, -- counted sale and return lines; 0 = nothing was sold
    transactions                bigint         NOT NULL, -- receipts with such lines
    sold_units                  numeric(18, 3) NOT NULL, -- units on sale lines, in base units
    net_units                   numeric(18, 3) NOT NULL, -- sold - returned, in base units
    reporting_gross_amount      numeric(18, 4) NOT NULL, -- sale lines before discount, without tax, in the project's currency
    reporting_discount_amount   numeric(18, 4) NOT NULL, -- discounts on sale lines
    reporting_returns_amount    numeric(18, 4) NOT NULL, -- net of return lines, positive
    reporting_net_amount        numeric(18, 4) NOT NULL, -- gross - discounts - returns
    reporting_cost_amount       numeric(18, 4) NOT NULL, -- cost of the lines whose cost is known
    reporting_costed_net_amount numeric(18, 4) NOT NULL, -- net of these lines: what the cost is set against
    PRIMARY KEY (location_durable_key, business_date)
);

-- A row for every day that has a counted sale line or something stated. What several sources state of one day is merged: of one
-- figure stated more than once the greatest holds. Opening times are read in the zone that the location was in on that day. Held back,
-- in gold.unconverted_document_line: a statement with a day outside the calendar, or with a target in a currency without rate.
WITH stated AS (
    SELECT
        day.location_source_name,
        day.location_id,
        day.business_date,
        day.opened_time,
        day.closed_time,
        day.visitors,
        day.labour_hours,
        day.target_amount,
        CASE
            WHEN day.target_amount IS NULL OR COALESCE(day.currency_code, project.currency_code) = project.currency_code
                THEN 1
            ELSE rate.exchange_rate
        END AS exchange_rate,
        COALESCE(place.timezone, project.timezone) AS timezone
    FROM silver.store_day AS day
    CROSS JOIN meta.project AS project
    LEFT JOIN gold.exchange_rate_day AS rate
        ON rate.currency_code = day.currency_code
        AND rate.rate_date = day.business_date
    LEFT JOIN gold.dim_location AS place
        ON place.source_name = day.location_source_name
        AND place.location_id = day.location_id
        AND place.is_latest
    WHERE day.business_date BETWEEN project.calendar_from_date AND project.calendar_to_date
),

part AS (
    SELECT
        dim_key(location_source_name, location_id) AS location_durable_key,
        business_date,
        location_id,
        start_of_business_date(business_date, timezone, opened_time) AS opened_at,
        start_of_business_date(
            CASE WHEN closed_time > opened_time THEN business_date ELSE add_days(business_date, 1) END,
            timezone, closed_time
        ) AS closed_at,
        visitors,
        labour_hours,
        mul(target_amount, exchange_rate, 4) AS reporting_target_amount,
        CAST(NULL AS bigint) AS sale_key,
        0 AS sale_lines,
        CAST(0 AS numeric(18, 3)) AS sold_units,
        CAST(0 AS numeric(18, 3)) AS net_units,
        CAST(0 AS numeric(18, 4)) AS gross_amount,
        CAST(0 AS numeric(18, 4)) AS discount_amount,
        CAST(0 AS numeric(18, 4)) AS returns_amount,
        CAST(0 AS numeric(18, 4)) AS net_amount,
        CAST(0 AS numeric(18, 4)) AS cost_amount,
        CAST(0 AS numeric(18, 4)) AS costed_net_amount
    FROM stated
    WHERE exchange_rate IS NOT NULL
    UNION ALL
    SELECT
        location_durable_key,
        business_date,
        location_id,
        CAST(NULL AS timestamptz) AS opened_at,
        CAST(NULL AS timestamptz) AS closed_at,
        CAST(NULL AS bigint) AS visitors,
        CAST(NULL AS numeric(18, 3)) AS labour_hours,
        CAST(NULL AS numeric(18, 4)) AS reporting_target_amount,
        sale_key,
        1 AS sale_lines,
        CASE WHEN is_return THEN 0 ELSE quantity_units END AS sold_units,
        quantity_units AS net_units,
        CASE WHEN is_return THEN 0 ELSE reporting_gross_amount END AS gross_amount,
        CASE WHEN is_return THEN 0 ELSE reporting_discount_amount END AS discount_amount,
        CASE WHEN is_return THEN -reporting_net_amount ELSE 0 END AS returns_amount,
        reporting_net_amount AS net_amount,
        COALESCE(reporting_cost_amount, 0) AS cost_amount,
        CASE WHEN reporting_cost_amount IS NULL THEN 0 ELSE reporting_net_amount END AS costed_net_amount
    FROM gold.fact_sale_line
    WHERE is_counted
),

day AS (
    SELECT
        location_durable_key,
        business_date,
        MIN(location_id) AS location_id,
        MIN(opened_at) AS opened_at,
        MAX(closed_at) AS closed_at,
        MAX(visitors) AS visitors,
        MAX(labour_hours) AS labour_hours,
        MAX(reporting_target_amount) AS reporting_target_amount,
        SUM(sale_lines) AS sale_lines,
        COUNT(DISTINCT sale_key) AS transactions,
        SUM(sold_units) AS sold_units,
        SUM(net_units) AS net_units,
        SUM(gross_amount) AS gross_amount,
        SUM(discount_amount) AS discount_amount,
        SUM(returns_amount) AS returns_amount,
        SUM(net_amount) AS net_amount,
        SUM(cost_amount) AS cost_amount,
        SUM(costed_net_amount) AS costed_net_amount
    FROM part
    GROUP BY location_durable_key, business_date
)

SELECT
    location_durable_key,
    business_date,
    location_id,
    opened_at,
    closed_at,
    hours_between(closed_at, opened_at) AS open_hours,
    visitors,
    labour_hours,
    reporting_target_amount,
    CAST(sale_lines AS bigint) AS sale_lines,
    CAST(transactions AS bigint) AS transactions,
    CAST(sold_units AS numeric(18, 3)) AS sold_units,
    CAST(net_units AS numeric(18, 3)) AS net_units,
    CAST(gross_amount AS numeric(18, 4)) AS reporting_gross_amount,
    CAST(discount_amount AS numeric(18, 4)) AS reporting_discount_amount,
    CAST(returns_amount AS numeric(18, 4)) AS reporting_returns_amount,
    CAST(net_amount AS numeric(18, 4)) AS reporting_net_amount,
    CAST(cost_amount AS numeric(18, 4)) AS reporting_cost_amount,
    CAST(costed_net_amount AS numeric(18, 4)) AS reporting_costed_net_amount
FROM day;
