CREATE TABLE silver.promotion (
  source_name STRING NOT NULL,
  promotion_id STRING NOT NULL,
  product_source_name STRING,
  product_id STRING NOT NULL DEFAULT '',
  location_source_name STRING,
  location_id STRING NOT NULL DEFAULT '',
  promotion_name STRING,
  mechanic STRING,
  from_date DATE NOT NULL,
  to_date DATE,
  updated_at TIMESTAMP
);
