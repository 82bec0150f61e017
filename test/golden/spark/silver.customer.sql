CREATE TABLE silver.customer (
  source_name STRING NOT NULL,
  customer_id STRING NOT NULL,
  customer_type STRING,
  segment STRING,
  city STRING,
  country_name STRING,
  email_hash STRING,
  updated_at TIMESTAMP
);
