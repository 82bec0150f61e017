CREATE TABLE serve.stock_daily (
  business_date DATE NOT NULL,
  product_durable_key BIGINT NOT NULL,
  location_durable_key BIGINT NOT NULL,
  stock_status STRING NOT NULL,
  product_id STRING NOT NULL,
  location_id STRING NOT NULL,
  on_hand_units DECIMAL(18, 3) NOT NULL,
  value_amount DECIMAL(18, 4),
  currency_code STRING,
  reporting_value_amount DECIMAL(18, 4)
);
WITH last_day AS (
  SELECT
    last_date
  FROM gold.last_day
  WHERE
    fact_kind = 'stock'
)
SELECT
  day.date_key AS business_date,
  stock.product_durable_key,
  stock.location_durable_key,
  stock.stock_status,
  stock.product_id,
  stock.location_id,
  stock.on_hand_units,
  stock.value_amount,
  stock.currency_code,
  CAST(round(stock.value_amount * (CASE
    WHEN stock.currency_code = project.currency_code
    THEN 1
    ELSE rate.exchange_rate
  END), 4) AS DECIMAL(18, 4)) AS reporting_value_amount
FROM gold.fact_stock_interval AS stock
CROSS JOIN meta.project AS project
CROSS JOIN last_day
INNER JOIN gold.dim_date AS day
  ON day.date_key >= stock.from_date
  AND day.date_key < stock.to_date
  AND day.date_key <= last_day.last_date
LEFT JOIN gold.exchange_rate_day AS rate
  ON rate.currency_code = stock.currency_code AND rate.rate_date = day.date_key;
