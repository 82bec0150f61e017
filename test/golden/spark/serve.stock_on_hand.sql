CREATE TABLE serve.stock_on_hand (
  product_durable_key BIGINT NOT NULL,
  location_durable_key BIGINT NOT NULL,
  stock_status STRING NOT NULL,
  product_id STRING NOT NULL,
  product_name STRING,
  location_id STRING NOT NULL,
  location_name STRING,
  is_known BOOLEAN NOT NULL,
  on_hand_units DECIMAL(18, 3),
  since_date DATE,
  unit_cost_amount DECIMAL(18, 6),
  currency_code STRING,
  value_amount DECIMAL(18, 4),
  reporting_value_amount DECIMAL(18, 4)
);
WITH last_day AS (
  SELECT
    last_date
  FROM gold.last_day
  WHERE
    fact_kind = 'stock'
), seen AS (
  SELECT
    product_durable_key,
    location_durable_key,
    stock_status,
    product_id,
    location_id
  FROM gold.stock_ledger
  UNION ALL
  SELECT
    product_durable_key,
    location_durable_key,
    'sellable' AS stock_status,
    product_id,
    location_id
  FROM gold.fact_sale_line
  WHERE
    is_counted AND fulfilled_from_location_id IS NULL
), stock AS (
  SELECT
    product_durable_key,
    location_durable_key,
    stock_status,
    MIN(product_id) AS product_id,
    MIN(location_id) AS location_id
  FROM seen
  GROUP BY
    product_durable_key,
    location_durable_key,
    stock_status
)
SELECT
  stock.product_durable_key,
  stock.location_durable_key,
  stock.stock_status,
  stock.product_id,
  article.product_name,
  stock.location_id,
  place.location_name,
  latest.on_hand_units IS NOT NULL AS is_known,
  latest.on_hand_units,
  latest.from_date AS since_date,
  latest.unit_cost_amount,
  latest.currency_code,
  latest.value_amount,
  CAST(round(latest.value_amount * (CASE
    WHEN latest.currency_code = project.currency_code
    THEN 1
    ELSE rate.exchange_rate
  END), 4) AS DECIMAL(18, 4)) AS reporting_value_amount
FROM stock
CROSS JOIN meta.project AS project
CROSS JOIN last_day
LEFT JOIN serve.product_current AS article
  ON article.product_durable_key = stock.product_durable_key
LEFT JOIN serve.location_current AS place
  ON place.location_durable_key = stock.location_durable_key
LEFT JOIN gold.fact_stock_interval AS latest
  ON latest.product_durable_key = stock.product_durable_key
  AND latest.location_durable_key = stock.location_durable_key
  AND latest.stock_status = stock.stock_status
  AND latest.from_date <= last_day.last_date
  AND latest.to_date > last_day.last_date
LEFT JOIN gold.exchange_rate_day AS rate
  ON rate.currency_code = latest.currency_code AND rate.rate_date = last_day.last_date
WHERE
  COALESCE(article.is_stocked, TRUE);
