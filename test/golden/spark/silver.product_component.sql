CREATE TABLE silver.product_component (
  source_name STRING NOT NULL,
  product_id STRING NOT NULL,
  component_product_id STRING NOT NULL,
  quantity DECIMAL(18, 6) NOT NULL,
  updated_at TIMESTAMP
);
