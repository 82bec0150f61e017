CREATE TABLE snapshot.stock_state (
  product_durable_key BIGINT NOT NULL,
  location_durable_key BIGINT NOT NULL,
  stock_status STRING NOT NULL,
  product_id STRING NOT NULL,
  location_id STRING NOT NULL,
  on_hand_units DECIMAL(18, 3) NOT NULL,
  currency_code STRING,
  value_amount DECIMAL(18, 4)
);
SELECT
  interval_row.product_durable_key,
  interval_row.location_durable_key,
  interval_row.stock_status,
  interval_row.product_id,
  interval_row.location_id,
  interval_row.on_hand_units,
  interval_row.currency_code,
  interval_row.value_amount
FROM gold.fact_stock_interval AS interval_row
CROSS JOIN meta.capture AS capture
WHERE
  interval_row.from_date <= capture.as_of_date
  AND interval_row.to_date > capture.as_of_date;
