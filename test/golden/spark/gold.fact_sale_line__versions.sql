CREATE TABLE gold.fact_sale_line__versions (
  sale_line_key STRING NOT NULL,
  sale_key BIGINT NOT NULL,
  product_durable_key BIGINT NOT NULL,
  product_id STRING NOT NULL,
  location_durable_key BIGINT NOT NULL,
  location_id STRING NOT NULL,
  business_date DATE NOT NULL,
  is_return BOOLEAN NOT NULL,
  quantity_units DECIMAL(18, 3) NOT NULL,
  reporting_gross_amount DECIMAL(18, 4) NOT NULL,
  reporting_net_amount DECIMAL(18, 4) NOT NULL,
  reporting_cost_amount DECIMAL(18, 4),
  known_from_at TIMESTAMP NOT NULL,
  known_to_at TIMESTAMP NOT NULL
);
SELECT
  sale_line_key,
  sale_key,
  product_durable_key,
  product_id,
  location_durable_key,
  location_id,
  business_date,
  is_return,
  quantity_units,
  reporting_gross_amount,
  reporting_net_amount,
  reporting_cost_amount
FROM gold.fact_sale_line
WHERE
  is_counted;
