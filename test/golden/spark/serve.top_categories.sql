CREATE TABLE serve.top_categories (
  category_1 STRING NOT NULL,
  category_2 STRING NOT NULL,
  products BIGINT NOT NULL,
  net_units DECIMAL(18, 3) NOT NULL,
  reporting_net_amount DECIMAL(18, 4) NOT NULL,
  net_share_ratio DECIMAL(18, 4),
  reporting_margin_amount DECIMAL(18, 4) NOT NULL,
  reporting_costed_net_amount DECIMAL(18, 4) NOT NULL,
  margin_ratio DECIMAL(18, 4),
  sales_rank BIGINT NOT NULL,
  last_28_days_net_units DECIMAL(18, 3) NOT NULL,
  last_28_days_reporting_net_amount DECIMAL(18, 4) NOT NULL,
  last_28_days_sales_rank BIGINT NOT NULL
);
WITH last_day AS (
  SELECT
    last_date
  FROM gold.last_day
  WHERE
    fact_kind = 'sale'
), product AS (
  SELECT
    line.product_durable_key,
    SUM(line.quantity_units) AS net_units,
    SUM(line.reporting_net_amount) AS net_amount,
    SUM(line.reporting_cost_amount) AS cost_amount,
    SUM(
      CASE
        WHEN line.reporting_cost_amount IS NULL
        THEN 0
        ELSE line.reporting_net_amount
      END
    ) AS costed_net_amount,
    SUM(
      CASE
        WHEN line.business_date > date_add(CAST(last_day.last_date AS DATE), CAST((-28) AS INT))
        THEN line.quantity_units
        ELSE 0
      END
    ) AS last_28_net_units,
    SUM(
      CASE
        WHEN line.business_date > date_add(CAST(last_day.last_date AS DATE), CAST((-28) AS INT))
        THEN line.reporting_net_amount
        ELSE 0
      END
    ) AS last_28_net_amount
  FROM gold.fact_sale_line AS line
  CROSS JOIN last_day
  WHERE
    line.is_counted
  GROUP BY
    line.product_durable_key
), category AS (
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
  GROUP BY
    COALESCE(article.category_1, '(none)'),
    COALESCE(article.category_2, '(none)')
), total AS (
  SELECT
    SUM(net_amount) AS net_amount
  FROM category
)
SELECT
  category.category_1,
  category.category_2,
  CAST(category.products AS BIGINT) AS products,
  CAST(category.net_units AS DECIMAL(18, 3)) AS net_units,
  CAST(category.net_amount AS DECIMAL(18, 4)) AS reporting_net_amount,
  CAST(CAST(((2BD * abs((CAST(category.net_amount AS DECIMAL(38, 12)) * 10000BD)) + abs(CAST(total.net_amount AS DECIMAL(38, 12)))) DIV NULLIF(2BD * abs(CAST(total.net_amount AS DECIMAL(38, 12))), 0BD) * CAST(sign((CAST(category.net_amount AS DECIMAL(38, 12)) * 10000BD)) * sign(CAST(total.net_amount AS DECIMAL(38, 12))) AS BIGINT)) AS DECIMAL(38, 0)) * 0.0001BD AS DECIMAL(18, 4)) AS net_share_ratio,
  CAST(category.margin_amount AS DECIMAL(18, 4)) AS reporting_margin_amount,
  CAST(category.costed_net_amount AS DECIMAL(18, 4)) AS reporting_costed_net_amount,
  CAST(CAST(((2BD * abs((CAST(category.margin_amount AS DECIMAL(38, 12)) * 10000BD)) + abs(CAST(category.costed_net_amount AS DECIMAL(38, 12)))) DIV NULLIF(2BD * abs(CAST(category.costed_net_amount AS DECIMAL(38, 12))), 0BD) * CAST(sign((CAST(category.margin_amount AS DECIMAL(38, 12)) * 10000BD)) * sign(CAST(category.costed_net_amount AS DECIMAL(38, 12))) AS BIGINT)) AS DECIMAL(38, 0)) * 0.0001BD AS DECIMAL(18, 4)) AS margin_ratio,
  RANK() OVER (ORDER BY category.net_amount DESC NULLS FIRST) AS sales_rank,
  CAST(category.last_28_net_units AS DECIMAL(18, 3)) AS last_28_days_net_units,
  CAST(category.last_28_net_amount AS DECIMAL(18, 4)) AS last_28_days_reporting_net_amount,
  RANK() OVER (ORDER BY category.last_28_net_amount DESC NULLS FIRST) AS last_28_days_sales_rank
FROM category
CROSS JOIN total;
