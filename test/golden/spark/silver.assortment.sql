CREATE TABLE silver.assortment (
  source_name STRING NOT NULL,
  location_source_name STRING,
  location_id STRING NOT NULL,
  product_source_name STRING,
  product_id STRING NOT NULL,
  from_date DATE NOT NULL,
  to_date DATE,
  updated_at TIMESTAMP
);
