CREATE TABLE silver.product_unit (
  source_name STRING NOT NULL,
  product_id STRING NOT NULL,
  unit STRING NOT NULL,
  base_units DECIMAL(18, 6) NOT NULL,
  barcode STRING,
  updated_at TIMESTAMP
);
