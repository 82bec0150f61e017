CREATE TABLE gold.fact_transfer_line__versions (
  transfer_line_key STRING NOT NULL,
  product_durable_key BIGINT NOT NULL,
  product_id STRING NOT NULL,
  to_location_durable_key BIGINT NOT NULL,
  to_location_id STRING NOT NULL,
  business_date DATE NOT NULL,
  received_date DATE,
  shipped_units DECIMAL(18, 3) NOT NULL,
  in_transit_units DECIMAL(18, 3) NOT NULL,
  known_from_at TIMESTAMP NOT NULL,
  known_to_at TIMESTAMP NOT NULL
);
SELECT
  transfer_line_key,
  product_durable_key,
  product_id,
  to_location_durable_key,
  to_location_id,
  business_date,
  received_date,
  shipped_units,
  in_transit_units
FROM gold.fact_transfer_line;
