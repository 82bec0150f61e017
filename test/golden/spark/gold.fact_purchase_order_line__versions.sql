CREATE TABLE gold.fact_purchase_order_line__versions (
  purchase_order_line_key STRING NOT NULL,
  product_durable_key BIGINT NOT NULL,
  product_id STRING NOT NULL,
  location_durable_key BIGINT NOT NULL,
  location_id STRING NOT NULL,
  business_date DATE NOT NULL,
  received_date DATE,
  ordered_units DECIMAL(18, 3) NOT NULL,
  on_order_units DECIMAL(18, 3) NOT NULL,
  known_from_at TIMESTAMP NOT NULL,
  known_to_at TIMESTAMP NOT NULL
);
SELECT
  purchase_order_line_key,
  product_durable_key,
  product_id,
  location_durable_key,
  location_id,
  business_date,
  received_date,
  ordered_units,
  on_order_units
FROM gold.fact_purchase_order_line
WHERE
  NOT is_cancelled;
