-- A category's sales over all time and over the last 28 business days, ranked by net sales; uncounted lines left out.
-- refresh: view
CREATE TABLE serve.top_categories (
    category_1                        text           NOT NULL, -- top category, as its products were last described; '(none)' = not stated
    category_2                        text           NOT NULL, -- second level, likewise
    products                          bigint         NOT NULL, -- products with a counted line
    net_units                         numeric(18, 3) NOT NULL, -- sold - returned, each product in its base unit
    reporting_net_amount              numeric(18, 4) NOT NULL, -- gross - discounts - returns, without tax, in the project's currency
    net_share_ratio                   numeric(18, 4),          -- reporting_net_amount / that of all categories
    reporting_margin_amount           numeric(18, 4) NOT NULL, -- net - cost of the lines whose cost is known, in the project's currency
    reporting_costed_net_amount       numeric(18, 4) NOT NULL, -- reporting_net_amount of the lines whose cost is known
    margin_ratio                      numeric(18, 4),          -- that margin / the net of the same lines
    sales_rank                        bigint         NOT NULL, -- 1 = greatest reporting_net_amount; ties share a rank
    last_28_days_net_units            numeric(18, 3) NOT NULL, -- net_units of the 28 days up to the last business day with any sale
    last_28_days_reporting_net_amount numeric(18, 4) NOT NULL, -- reporting_net_amount of the same days
    last_28_days_sales_rank           bigint         NOT NULL, -- 1 = greatest of these amounts; ties share a rank
    PRIMARY KEY (category_1, category_2)
);

-- net = gross - discounts - returns; share and margin ratio are ratios of sums.
WITH last_day AS (
    SELECT last_date
    FROM gold.last_day
    WHERE fact_kind = 'sale'
),

product AS (
    SELECT
        line.product_durable_key,
        SUM(line.quantity_units) AS net_units,
        SUM(line.reporting_net_amount) AS net_amount,
        SUM(line.reporting_cost_amount) AS cost_amount,
        SUM(CASE WHEN line.reporting_cost_amount IS NULL THEN 0 ELSE line.reporting_net_amount END)
            AS costed_net_amount,
        SUM(CASE WHEN line.business_date > add_days(last_day.last_date, -28) THEN line.quantity_units ELSE 0 END)
            AS last_28_net_units,
        SUM(CASE WHEN line.business_date > add_days(last_day.last_date, -28) THEN line.reporting_net_amount ELSE 0 END)
            AS last_28_net_amount
    FROM gold.fact_sale_line AS line
    CROSS JOIN last_day
    WHERE line.is_counted
    GROUP BY line.product_durable_key
),

category AS (
    SELECT
        COALESCE(article.category_1, '(none)') AS category_1,
        COALESCE(article.category_2, '(none)') AS category_2,
        COUNT(*) AS products,
        SUM(product.net_units) AS net_units,
        SUM(product.net_amount) AS net_amount,
        SUM(product.costed_net_amount) AS costed_net_amount,
        SUM(product.costed_net_amount) - COALESCE(SUM(product.cost_amount), 0) AS margin_amount,
        SUM(product.last_28_net_units) AS last_28_net_units,
        SUM(product.last_28_net_amount) AS last_28_net_amount
    FROM product
    LEFT JOIN serve.product_current AS article
        ON article.product_durable_key = product.product_durable_key
    GROUP BY COALESCE(article.category_1, '(none)'), COALESCE(article.category_2, '(none)')
),

total AS (
    SELECT SUM(net_amount) AS net_amount
    FROM category
)

SELECT
    category.category_1,
    category.category_2,
    CAST(category.products AS bigint) AS products,
    CAST(category.net_units AS numeric(18, 3)) AS net_units,
    CAST(category.net_amount AS numeric(18, 4)) AS reporting_net_amount,
    safe_div(category.net_amount, total.net_amount, 4) AS net_share_ratio,
    CAST(category.margin_amount AS numeric(18, 4)) AS reporting_margin_amount,
    CAST(category.costed_net_amount AS numeric(18, 4)) AS reporting_costed_net_amount,
    safe_div(category.margin_amount, category.costed_net_amount, 4) AS margin_ratio,
    RANK() OVER (ORDER BY category.net_amount DESC) AS sales_rank,
    CAST(category.last_28_net_units AS numeric(18, 3)) AS last_28_days_net_units,
    CAST(category.last_28_net_amount AS numeric(18, 4)) AS last_28_days_reporting_net_amount,
    RANK() OVER (ORDER BY category.last_28_net_amount DESC) AS last_28_days_sales_rank
FROM category
CROSS JOIN total;
