CREATE TABLE silver.holiday (
  source_name STRING NOT NULL,
  country_code STRING NOT NULL,
  region STRING NOT NULL DEFAULT '',
  holiday_date DATE NOT NULL,
  holiday_name STRING,
  updated_at TIMESTAMP
);
