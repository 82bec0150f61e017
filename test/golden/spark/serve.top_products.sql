CREATE TABLE serve.top_products (
  product_durable_key BIGINT NOT NULL,
  product_id STRING NOT NULL,
  product_name STRING,
  brand STRING,
  category_1 STRING,
  net_units DECIMAL(18, 3) NOT NULL,
  reporting_net_amount DECIMAL(18, 4) NOT NULL,
  reporting_margin_amount DECIMAL(18, 4),
  reporting_costed_net_amount DECIMAL(18, 4) NOT NULL,
  margin_ratio DECIMAL(18, 4),
  transactions BIGINT NOT NULL,
  first_sold_date DATE NOT NULL,
  last_sold_date DATE NOT NULL,
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
), total AS (
  SELECT
    line.product_durable_key,
    MIN(line.product_id) AS product_id,
    SUM(line.quantity_units) AS net_units,
    SUM(line.reporting_net_amount) AS reporting_net_amount,
    SUM(line.reporting_cost_amount) AS reporting_cost_amount,
    SUM(
      CASE
        WHEN line.reporting_cost_amount IS NULL
        THEN 0
        ELSE line.reporting_net_amount
      END
    ) AS reporting_costed_net_amount,
    COUNT(DISTINCT line.sale_key) AS transactions,
    MIN(line.business_date) AS first_sold_date,
    MAX(line.business_date) AS last_sold_date,
    SUM(
      CASE
        WHEN line.business_date > date_add(CAST(last_day.last_date AS DATE), CAST((-28) AS INT))
        THEN line.quantity_units
        ELSE 0
      END
    ) AS last_28_days_net_units,
    SUM(
      CASE
        WHEN line.business_date > date_add(CAST(last_day.last_date AS DATE), CAST((-28) AS INT))
        THEN line.reporting_net_amount
        ELSE 0
      END
    ) AS last_28_days_reporting_net_amount
  FROM gold.fact_sale_line AS line
  CROSS JOIN last_day
  WHERE
    line.is_counted
  GROUP BY
    line.product_durable_key
)
SELECT
  total.product_durable_key,
  total.product_id,
  article.product_name,
  article.brand,
  article.category_1,
  CAST(total.net_units AS DECIMAL(18, 3)) AS net_units,
  CAST(total.reporting_net_amount AS DECIMAL(18, 4)) AS reporting_net_amount,
  CAST(total.reporting_costed_net_amount - total.reporting_cost_amount AS DECIMAL(18, 4)) AS reporting_margin_amount,
  CAST(total.reporting_costed_net_amount AS DECIMAL(18, 4)) AS reporting_costed_net_amount,
  CAST(CAST(((2BD * abs((CAST((total.reporting_costed_net_amount - total.reporting_cost_amount) AS DECIMAL(38, 12)) * 10000BD)) + abs(CAST(total.reporting_costed_net_amount AS DECIMAL(38, 12)))) DIV NULLIF(2BD * abs(CAST(total.reporting_costed_net_amount AS DECIMAL(38, 12))), 0BD) * CAST(sign((CAST((total.reporting_costed_net_amount - total.reporting_cost_amount) AS DECIMAL(38, 12)) * 10000BD)) * sign(CAST(total.reporting_costed_net_amount AS DECIMAL(38, 12))) AS BIGINT)) AS DECIMAL(38, 0)) * 0.0001BD AS DECIMAL(18, 4)) AS margin_ratio,
  CAST(total.transactions AS BIGINT) AS transactions,
  total.first_sold_date,
  total.last_sold_date,
  RANK() OVER (ORDER BY total.reporting_net_amount DESC NULLS FIRST) AS sales_rank,
  CAST(total.last_28_days_net_units AS DECIMAL(18, 3)) AS last_28_days_net_units,
  CAST(total.last_28_days_reporting_net_amount AS DECIMAL(18, 4)) AS last_28_days_reporting_net_amount,
  RANK() OVER (ORDER BY total.last_28_days_reporting_net_amount DESC NULLS FIRST) AS last_28_days_sales_rank
FROM total
LEFT JOIN serve.product_current AS article
  ON article.product_durable_key = total.product_durable_key;
