-- Sales of a product at a place on a business day, as they were known at an instant: serve.sales_as_of(first_date, last_date, known_at).
-- refresh: function
CREATE TABLE serve.sales_as_of (
    product_durable_key       bigint         NOT NULL, -- hash of the product's source and id
    location_durable_key      bigint         NOT NULL, -- hash of the location's source and id
    business_date             date           NOT NULL, -- local day, from first_date to last_date, both included
    product_id                text           NOT NULL, -- what was sold
    location_id               text           NOT NULL, -- where it was sold
    lines                     bigint         NOT NULL, -- counted sale and return lines
    sold_units                numeric(18, 3) NOT NULL, -- units on sale lines, in base units
    returned_units            numeric(18, 3) NOT NULL, -- units that came back, positive, in base units
    net_units                 numeric(18, 3) NOT NULL, -- sold - returned
    reporting_gross_amount    numeric(18, 4) NOT NULL, -- sale lines before discount, without tax, in the project's currency
    reporting_discount_amount numeric(18, 4) NOT NULL, -- discount on sale lines, without tax, in the project's currency
    reporting_returns_amount  numeric(18, 4) NOT NULL, -- paid back for returns, positive, without tax, in the project's currency
    reporting_net_amount      numeric(18, 4) NOT NULL, -- gross - discounts - returns, in the project's currency
    reporting_cost_amount     numeric(18, 4),          -- cost of the lines whose cost was known, in the project's currency
    lines_without_cost        bigint         NOT NULL, -- lines that the cost leaves out
    PRIMARY KEY (product_durable_key, location_durable_key, business_date)
);

-- The formulas of serve.sales_daily, over the lines believed at known_at. Before meta.progress.history_from_at as in serve.stock_as_of.
WITH kept AS (
    SELECT is_kept(asked.known_at, progress.history_from_at) AS is_kept
    FROM meta.progress AS progress
    CROSS JOIN meta.asked AS asked
),

day AS (
    SELECT
        line.product_durable_key,
        line.location_durable_key,
        line.business_date,
        line.product_id,
        line.location_id,
        COUNT(*) AS lines,
        SUM(CASE WHEN line.is_return THEN 0 ELSE line.quantity_units END) AS sold_units,
        SUM(CASE WHEN line.is_return THEN -line.quantity_units ELSE 0 END) AS returned_units,
        SUM(line.quantity_units) AS net_units,
        SUM(CASE WHEN line.is_return THEN 0 ELSE line.reporting_gross_amount END) AS gross_amount,
        SUM(
            CASE WHEN line.is_return THEN 0 ELSE line.reporting_gross_amount - line.reporting_net_amount END
        ) AS discount_amount,
        SUM(CASE WHEN line.is_return THEN -line.reporting_net_amount ELSE 0 END) AS returns_amount,
        SUM(line.reporting_net_amount) AS net_amount,
        SUM(line.reporting_cost_amount) AS cost_amount,
        SUM(CASE WHEN line.reporting_cost_amount IS NULL THEN 1 ELSE 0 END) AS lines_without_cost
    FROM gold.fact_sale_line__versions AS line
    CROSS JOIN meta.asked AS asked
    WHERE line.business_date BETWEEN asked.first_date AND asked.last_date
        AND line.known_from_at <= asked.known_at
        AND line.known_to_at > asked.known_at
    GROUP BY line.product_durable_key, line.location_durable_key, line.business_date, line.product_id, line.location_id
)

SELECT
    day.product_durable_key,
    day.location_durable_key,
    day.business_date,
    day.product_id,
    day.location_id,
    CAST(day.lines AS bigint) AS lines,
    CAST(day.sold_units AS numeric(18, 3)) AS sold_units,
    CAST(day.returned_units AS numeric(18, 3)) AS returned_units,
    CAST(day.net_units AS numeric(18, 3)) AS net_units,
    CAST(day.gross_amount AS numeric(18, 4)) AS reporting_gross_amount,
    CAST(day.discount_amount AS numeric(18, 4)) AS reporting_discount_amount,
    CAST(day.returns_amount AS numeric(18, 4)) AS reporting_returns_amount,
    CAST(day.net_amount AS numeric(18, 4)) AS reporting_net_amount,
    CAST(day.cost_amount AS numeric(18, 4)) AS reporting_cost_amount,
    CAST(day.lines_without_cost AS bigint) AS lines_without_cost
FROM day
CROSS JOIN kept
WHERE kept.is_kept;
