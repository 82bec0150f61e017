CREATE TABLE gold.fact_order_line__versions (
  order_line_key STRING NOT NULL,
  product_durable_key BIGINT NOT NULL,
  product_id STRING NOT NULL,
  location_durable_key BIGINT NOT NULL,
  location_id STRING NOT NULL,
  business_date DATE NOT NULL,
  shipped_date DATE,
  ordered_units DECIMAL(18, 3) NOT NULL,
  cancelled_units DECIMAL(18, 3) NOT NULL,
  reserved_units DECIMAL(18, 3) NOT NULL,
  known_from_at TIMESTAMP NOT NULL,
  known_to_at TIMESTAMP NOT NULL
);
SELECT
  order_line_key,
  product_durable_key,
  product_id,
  location_durable_key,
  location_id,
  business_date,
  shipped_date,
  ordered_units,
  cancelled_units,
  reserved_units
FROM gold.fact_order_line;
