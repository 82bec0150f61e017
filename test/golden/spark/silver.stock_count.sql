CREATE TABLE silver.stock_count (
  source_name STRING NOT NULL,
  location_source_name STRING,
  location_id STRING NOT NULL,
  product_source_name STRING,
  product_id STRING NOT NULL,
  count_id STRING NOT NULL,
  stock_status STRING NOT NULL DEFAULT 'sellable',
  counted_at TIMESTAMP,
  counted_at_local TIMESTAMP_NTZ,
  counted_date DATE,
  count_kind STRING NOT NULL DEFAULT 'physical',
  quantity DECIMAL(18, 3) NOT NULL,
  unit STRING,
  updated_at TIMESTAMP
);
