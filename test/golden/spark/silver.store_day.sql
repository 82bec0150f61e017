CREATE TABLE silver.store_day (
  source_name STRING NOT NULL,
  location_source_name STRING,
  location_id STRING NOT NULL,
  business_date DATE NOT NULL,
  opened_time STRING,
  closed_time STRING,
  visitors BIGINT,
  labour_hours DECIMAL(18, 3),
  target_amount DECIMAL(18, 4),
  currency_code STRING,
  updated_at TIMESTAMP
);
