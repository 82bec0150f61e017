-- What was reported of a location's sales on a business day, at a point in time; a later restatement is another snapshot's row.
-- refresh: snapshot
CREATE TABLE snapshot.sales_state (
    location_durable_key bigint         NOT NULL, -- hash of the location's source and id
    location_id          text           NOT NULL, -- where it was sold
    business_date        date           NOT NULL, -- local day
    line_count           bigint         NOT NULL, -- counted sale lines
    transaction_count    bigint         NOT NULL, -- receipts with a counted line
    net_units            numeric(18, 3) NOT NULL, -- sold - returned, in base units
    gross_amount         numeric(18, 4) NOT NULL, -- before discount, tax excluded, in the project's currency
    discount_amount      numeric(18, 4) NOT NULL, -- discounts, tax excluded, in the project's currency
    net_amount           numeric(18, 4) NOT NULL, -- after discounts and returns, tax excluded, in the project's currency
    tax_amount           numeric(18, 4) NOT NULL, -- tax on net_amount, in the project's currency
    is_day_over          boolean        NOT NULL
        DEFAULT TRUE,                             -- had the day ended there? false: of a day at work, not yet a report of it
    PRIMARY KEY (location_durable_key, business_date)
);

WITH day AS (
    SELECT
        line.location_durable_key,
        line.business_date,
        MIN(line.location_id) AS location_id,
        COUNT(*) AS line_count,
        COUNT(DISTINCT line.sale_key) AS transaction_count,
        SUM(line.quantity_units) AS net_units,
        SUM(line.reporting_gross_amount) AS gross_amount,
        SUM(line.reporting_discount_amount) AS discount_amount,
        SUM(line.reporting_net_amount) AS net_amount,
        SUM(line.reporting_tax_amount) AS tax_amount
    FROM gold.fact_sale_line AS line
    WHERE line.is_counted
    GROUP BY line.location_durable_key, line.business_date
),

place AS (
    SELECT
        location.location_durable_key,
        business_date(
            capture.ended_by_at, location.timezone, location.business_day_cutover
        ) AS business_date
    FROM gold.dim_location AS location
    CROSS JOIN meta.capture AS capture
    WHERE location.location_key <> 0
        AND location.valid_from_at <= capture.ended_by_at
        AND location.superseded_at > capture.ended_by_at
)

SELECT
    day.location_durable_key,
    day.location_id,
    day.business_date,
    day.line_count,
    day.transaction_count,
    CAST(day.net_units AS numeric(18, 3)) AS net_units,
    CAST(day.gross_amount AS numeric(18, 4)) AS gross_amount,
    CAST(day.discount_amount AS numeric(18, 4)) AS discount_amount,
    CAST(day.net_amount AS numeric(18, 4)) AS net_amount,
    CAST(day.tax_amount AS numeric(18, 4)) AS tax_amount,
    day.business_date < COALESCE(
        place.business_date,
        business_date(capture.ended_by_at, project.timezone, project.business_day_cutover)
    ) AS is_day_over
FROM day
CROSS JOIN meta.capture AS capture
CROSS JOIN meta.project AS project
LEFT JOIN place
    ON place.location_durable_key = day.location_durable_key
WHERE day.business_date <= capture.as_of_date;
