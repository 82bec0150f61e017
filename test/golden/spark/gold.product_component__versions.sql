CREATE TABLE gold.product_component__versions (
  product_durable_key BIGINT NOT NULL,
  component_durable_key BIGINT NOT NULL,
  product_id STRING NOT NULL,
  component_product_id STRING NOT NULL,
  quantity_units DECIMAL(18, 6) NOT NULL,
  is_kit BOOLEAN NOT NULL,
  is_limiting BOOLEAN NOT NULL,
  known_from_at TIMESTAMP NOT NULL,
  known_to_at TIMESTAMP NOT NULL
);
SELECT
  product_durable_key,
  component_durable_key,
  product_id,
  component_product_id,
  quantity_units,
  is_kit,
  is_limiting
FROM gold.product_component;
