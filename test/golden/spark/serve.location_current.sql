CREATE TABLE serve.location_current (
  location_durable_key BIGINT NOT NULL,
  location_key BIGINT NOT NULL,
  source_name STRING NOT NULL,
  location_id STRING NOT NULL,
  location_name STRING,
  location_type STRING NOT NULL,
  region STRING,
  city STRING,
  country_code STRING,
  timezone STRING NOT NULL,
  is_timezone_known BOOLEAN NOT NULL,
  business_day_cutover STRING NOT NULL,
  currency_code STRING NOT NULL,
  opened_date DATE,
  closed_date DATE,
  floor_area_m2 DECIMAL(18, 3),
  valid_from_at TIMESTAMP NOT NULL,
  is_deleted BOOLEAN NOT NULL
);
SELECT
  location_durable_key,
  location_key,
  source_name,
  location_id,
  location_name,
  location_type,
  region,
  city,
  country_code,
  timezone,
  is_timezone_known,
  business_day_cutover,
  currency_code,
  opened_date,
  closed_date,
  floor_area_m2,
  valid_from_at,
  NOT is_current AS is_deleted
FROM gold.dim_location
WHERE
  is_latest AND location_key <> 0;
