-- A product's sales over all time and over the last 28 business days, ranked by net sales; test, voided and cancelled lines left out.
-- refresh: view
CREATE TABLE serve.top_products (
    product_durable_key               bigint         PRIMARY KEY, -- hash of the product's source and id
    product_id                        text           NOT NULL,    -- what was sold
    product_name                      text,                       -- its last known name
    brand                             text,                       -- its last known brand
    category_1                        text,                       -- its last known top category
    net_units                         numeric(18, 3) NOT NULL,    -- sold - returned, in base units
    reporting_net_amount              numeric(18, 4) NOT NULL,    -- gross - discounts - returns, without tax, in the project's currency
    reporting_margin_amount           numeric(18, 4),             -- net - cost of the lines whose cost is known, in the project's currency
    reporting_costed_net_amount       numeric(18, 4) NOT NULL,    -- reporting_net_amount of the lines whose cost is known
    margin_ratio                      numeric(18, 4),             -- that margin / the net of the same lines
    transactions                      bigint         NOT NULL,    -- receipts that hold it
    first_sold_date                   date           NOT NULL,    -- first business day with a line of it
    last_sold_date                    date           NOT NULL,    -- last business day with a line of it
    sales_rank                        bigint         NOT NULL,    -- 1 = greatest reporting_net_amount; ties share a rank
    last_28_days_net_units            numeric(18, 3) NOT NULL,    -- net_units of the 28 days up to the last business day with any sale
    last_28_days_reporting_net_amount numeric(18, 4) NOT NULL,    -- reporting_net_amount of the same days
    last_28_days_sales_rank           bigint         NOT NULL     -- 1 = greatest of these amounts; ties share a rank
);

WITH last_day AS (
    SELECT last_date
    FROM gold.last_day
    WHERE fact_kind = 'sale'
),

total AS (
    SELECT
        line.product_durable_key,
        MIN(line.product_id) AS product_id,
        SUM(line.quantity_units) AS net_units,
        SUM(line.reporting_net_amount) AS reporting_net_amount,
        SUM(line.reporting_cost_amount) AS reporting_cost_amount,
        SUM(CASE WHEN line.reporting_cost_amount IS NULL THEN 0 ELSE line.reporting_net_amount END)
            AS reporting_costed_net_amount,
        COUNT(DISTINCT line.sale_key) AS transactions,
        MIN(line.business_date) AS first_sold_date,
        MAX(line.business_date) AS last_sold_date,
        SUM(CASE WHEN line.business_date > add_days(last_day.last_date, -28) THEN line.quantity_units ELSE 0 END)
            AS last_28_days_net_units,
        SUM(CASE WHEN line.business_date > add_days(last_day.last_date, -28) THEN line.reporting_net_amount ELSE 0 END)
            AS last_28_days_reporting_net_amount
    FROM gold.fact_sale_line AS line
    CROSS JOIN last_day
    WHERE line.is_counted
    GROUP BY line.product_durable_key
)

SELECT
    total.product_durable_key,
    total.product_id,
    article.product_name,
    article.brand,
    article.category_1,
    CAST(total.net_units AS numeric(18, 3)) AS net_units,
    CAST(total.reporting_net_amount AS numeric(18, 4)) AS reporting_net_amount,
    CAST(total.reporting_costed_net_amount - total.reporting_cost_amount AS numeric(18, 4)) AS reporting_margin_amount,
    CAST(total.reporting_costed_net_amount AS numeric(18, 4)) AS reporting_costed_net_amount,
    safe_div(
        total.reporting_costed_net_amount - total.reporting_cost_amount, total.reporting_costed_net_amount, 4
    ) AS margin_ratio,
    CAST(total.transactions AS bigint) AS transactions,
    total.first_sold_date,
    total.last_sold_date,
    RANK() OVER (ORDER BY total.reporting_net_amount DESC) AS sales_rank,
    CAST(total.last_28_days_net_units AS numeric(18, 3)) AS last_28_days_net_units,
    CAST(total.last_28_days_reporting_net_amount AS numeric(18, 4)) AS last_28_days_reporting_net_amount,
    RANK() OVER (ORDER BY total.last_28_days_reporting_net_amount DESC) AS last_28_days_sales_rank
FROM total
LEFT JOIN serve.product_current AS article
    ON article.product_durable_key = total.product_durable_key;
