CREATE TABLE gold.fact_stock_interval__versions (
  product_durable_key BIGINT NOT NULL,
  location_durable_key BIGINT NOT NULL,
  stock_status STRING NOT NULL,
  from_date DATE NOT NULL,
  product_id STRING NOT NULL,
  location_id STRING NOT NULL,
  on_hand_units DECIMAL(18, 3) NOT NULL,
  currency_code STRING,
  value_amount DECIMAL(18, 4),
  known_from_at TIMESTAMP NOT NULL,
  known_to_at TIMESTAMP NOT NULL
);
SELECT
  product_durable_key,
  location_durable_key,
  stock_status,
  from_date,
  product_id,
  location_id,
  on_hand_units,
  currency_code,
  value_amount
FROM gold.fact_stock_interval;
