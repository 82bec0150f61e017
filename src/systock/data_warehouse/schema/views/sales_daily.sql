-- Sales of a location on a business day in one currency; test, voided and cancelled lines left out.
-- refresh: view
CREATE TABLE serve.sales_daily (
    location_durable_key        bigint         NOT NULL, -- hash of the location's source and id
    location_id                 text           NOT NULL, -- where it was sold
    location_name               text,                    -- its last known name
    business_date               date           NOT NULL, -- local day by the location's zone and cutover
    currency_code               text           NOT NULL, -- ISO 4217, of the amounts that do not say reporting
    lines                       bigint         NOT NULL, -- counted sale and return lines
    transactions                bigint         NOT NULL, -- receipts with at least one counted line
    sold_units                  numeric(18, 3) NOT NULL, -- units on sale lines, in base units
    returned_units              numeric(18, 3) NOT NULL, -- units that came back, positive, in base units
    net_units                   numeric(18, 3) NOT NULL, -- sold - returned
    gross_amount                numeric(18, 4) NOT NULL, -- sale lines before discount, without tax
    discount_amount             numeric(18, 4) NOT NULL, -- discount on sale lines, without tax
    returns_amount              numeric(18, 4) NOT NULL, -- paid back for returns, positive, without tax
    net_amount                  numeric(18, 4) NOT NULL, -- gross - discounts - returns, without tax
    tax_amount                  numeric(18, 4) NOT NULL, -- tax on net_amount
    cost_amount                 numeric(18, 4),          -- cost of the net units, as gold.fact_sale_line has it, where known
    costed_net_amount           numeric(18, 4) NOT NULL, -- net_amount of the lines whose cost is known
    margin_amount               numeric(18, 4),          -- costed_net_amount - cost_amount; NULL when no cost is known
    margin_ratio                numeric(18, 4),          -- margin_amount / costed_net_amount
    lines_without_cost          bigint         NOT NULL, -- lines that the cost and the margin leave out
    reporting_gross_amount      numeric(18, 4) NOT NULL, -- gross_amount in the project's currency at the day's rate
    reporting_discount_amount   numeric(18, 4) NOT NULL, -- discount_amount in the project's currency at the day's rate
    reporting_returns_amount    numeric(18, 4) NOT NULL, -- returns_amount in the project's currency at the day's rate
    reporting_net_amount        numeric(18, 4) NOT NULL, -- net_amount in the project's currency at the day's rate
    reporting_tax_amount        numeric(18, 4) NOT NULL, -- tax_amount in the project's currency at the day's rate
    reporting_cost_amount       numeric(18, 4),          -- cost_amount in the project's currency at the day's rate
    reporting_costed_net_amount numeric(18, 4) NOT NULL, -- reporting_net_amount of the lines whose cost is known: what margins are divided by
    reporting_margin_amount     numeric(18, 4),          -- margin_amount in the project's currency at the day's rate
    PRIMARY KEY (location_durable_key, business_date, currency_code)
);

WITH day AS (
    SELECT
        location_durable_key,
        MIN(location_id) AS location_id,
        business_date,
        currency_code,
        COUNT(*) AS lines,
        COUNT(DISTINCT sale_key) AS transactions,
        SUM(CASE WHEN is_return THEN 0 ELSE quantity_units END) AS sold_units,
        SUM(CASE WHEN is_return THEN -quantity_units ELSE 0 END) AS returned_units,
        SUM(quantity_units) AS net_units,
        SUM(CASE WHEN is_return THEN 0 ELSE gross_amount END) AS gross_amount,
        SUM(CASE WHEN is_return THEN 0 ELSE discount_amount END) AS discount_amount,
        SUM(CASE WHEN is_return THEN -net_amount ELSE 0 END) AS returns_amount,
        SUM(net_amount) AS net_amount,
        SUM(tax_amount) AS tax_amount,
        SUM(cost_amount) AS cost_amount,
        SUM(CASE WHEN cost_amount IS NULL THEN 0 ELSE net_amount END) AS costed_net_amount,
        SUM(CASE WHEN cost_amount IS NULL THEN 1 ELSE 0 END) AS lines_without_cost,
        SUM(CASE WHEN is_return THEN 0 ELSE reporting_gross_amount END) AS reporting_gross_amount,
        SUM(CASE WHEN is_return THEN 0 ELSE reporting_discount_amount END) AS reporting_discount_amount,
        SUM(CASE WHEN is_return THEN -reporting_net_amount ELSE 0 END) AS reporting_returns_amount,
        SUM(reporting_net_amount) AS reporting_net_amount,
        SUM(reporting_tax_amount) AS reporting_tax_amount,
        SUM(reporting_cost_amount) AS reporting_cost_amount,
        SUM(CASE WHEN reporting_cost_amount IS NULL THEN 0 ELSE reporting_net_amount END) AS reporting_costed_net_amount
    FROM gold.fact_sale_line
    WHERE is_counted
    GROUP BY location_durable_key, business_date, currency_code
)

SELECT
    day.location_durable_key,
    day.location_id,
    place.location_name,
    day.business_date,
    day.currency_code,
    CAST(day.lines AS bigint) AS lines,
    CAST(day.transactions AS bigint) AS transactions,
    CAST(day.sold_units AS numeric(18, 3)) AS sold_units,
    CAST(day.returned_units AS numeric(18, 3)) AS returned_units,
    CAST(day.net_units AS numeric(18, 3)) AS net_units,
    CAST(day.gross_amount AS numeric(18, 4)) AS gross_amount,
    CAST(day.discount_amount AS numeric(18, 4)) AS discount_amount,
    CAST(day.returns_amount AS numeric(18, 4)) AS returns_amount,
    CAST(day.net_amount AS numeric(18, 4)) AS net_amount,
    CAST(day.tax_amount AS numeric(18, 4)) AS tax_amount,
    CAST(day.cost_amount AS numeric(18, 4)) AS cost_amount,
    CAST(day.costed_net_amount AS numeric(18, 4)) AS costed_net_amount,
    CAST(day.costed_net_amount - day.cost_amount AS numeric(18, 4)) AS margin_amount,
    safe_div(day.costed_net_amount - day.cost_amount, day.costed_net_amount, 4) AS margin_ratio,
    CAST(day.lines_without_cost AS bigint) AS lines_without_cost,
    CAST(day.reporting_gross_amount AS numeric(18, 4)) AS reporting_gross_amount,
    CAST(day.reporting_discount_amount AS numeric(18, 4)) AS reporting_discount_amount,
    CAST(day.reporting_returns_amount AS numeric(18, 4)) AS reporting_returns_amount,
    CAST(day.reporting_net_amount AS numeric(18, 4)) AS reporting_net_amount,
    CAST(day.reporting_tax_amount AS numeric(18, 4)) AS reporting_tax_amount,
    CAST(day.reporting_cost_amount AS numeric(18, 4)) AS reporting_cost_amount,
    CAST(day.reporting_costed_net_amount AS numeric(18, 4)) AS reporting_costed_net_amount,
    CAST(day.reporting_costed_net_amount - day.reporting_cost_amount AS numeric(18, 4)) AS reporting_margin_amount
FROM day
LEFT JOIN serve.location_current AS place
    ON place.location_durable_key = day.location_durable_key;
