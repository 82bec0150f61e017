CREATE TABLE silver.location (
  source_name STRING NOT NULL,
  location_id STRING NOT NULL,
  location_name STRING,
  location_type STRING NOT NULL DEFAULT 'store',
  region STRING,
  city STRING,
  country_code STRING,
  timezone STRING,
  business_day_cutover STRING,
  currency_code STRING,
  opened_date DATE,
  closed_date DATE,
  floor_area_m2 DECIMAL(18, 3),
  updated_at TIMESTAMP
);
