CREATE TABLE serve.stock_value (
  location_durable_key BIGINT NOT NULL,
  stock_status STRING NOT NULL,
  category_1 STRING NOT NULL,
  location_id STRING NOT NULL,
  location_name STRING,
  products BIGINT NOT NULL,
  products_unknown BIGINT NOT NULL,
  products_without_value BIGINT NOT NULL,
  reporting_value_amount DECIMAL(18, 4) NOT NULL,
  reporting_list_value_amount DECIMAL(18, 4) NOT NULL
);
WITH last_day AS (
  SELECT
    last_date
  FROM gold.last_day
  WHERE
    fact_kind = 'stock'
), stock AS (
  SELECT
    stock.location_durable_key,
    stock.stock_status,
    COALESCE(article.category_1, '(none)') AS category_1,
    stock.location_id,
    stock.location_name,
    stock.is_known,
    stock.on_hand_units,
    stock.reporting_value_amount,
    CAST(round(stock.on_hand_units * article.list_price_amount, 4) AS DECIMAL(18, 4)) AS list_value_amount,
    CASE
      WHEN article.currency_code = project.currency_code
      THEN 1
      ELSE rate.exchange_rate
    END AS exchange_rate
  FROM serve.stock_on_hand AS stock
  CROSS JOIN meta.project AS project
  CROSS JOIN last_day
  LEFT JOIN serve.product_current AS article
    ON article.product_durable_key = stock.product_durable_key
  LEFT JOIN gold.exchange_rate_day AS rate
    ON rate.currency_code = article.currency_code
    AND rate.rate_date = last_day.last_date
), valued AS (
  SELECT
    location_durable_key,
    stock_status,
    category_1,
    location_id,
    location_name,
    is_known,
    on_hand_units,
    reporting_value_amount,
    CAST(round(list_value_amount * exchange_rate, 4) AS DECIMAL(18, 4)) AS reporting_list_value_amount
  FROM stock
)
SELECT
  location_durable_key,
  stock_status,
  category_1,
  MIN(location_id) AS location_id,
  MIN(location_name) AS location_name,
  SUM(CASE WHEN on_hand_units <> 0 THEN 1 ELSE 0 END) AS products,
  SUM(CASE WHEN is_known THEN 0 ELSE 1 END) AS products_unknown,
  SUM(
    CASE WHEN on_hand_units <> 0 AND reporting_value_amount IS NULL THEN 1 ELSE 0 END
  ) AS products_without_value,
  CAST(COALESCE(SUM(reporting_value_amount), 0) AS DECIMAL(18, 4)) AS reporting_value_amount,
  CAST(COALESCE(SUM(reporting_list_value_amount), 0) AS DECIMAL(18, 4)) AS reporting_list_value_amount
FROM valued
GROUP BY
  location_durable_key,
  stock_status,
  category_1;
