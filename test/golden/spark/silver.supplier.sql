CREATE TABLE silver.supplier (
  source_name STRING NOT NULL,
  supplier_id STRING NOT NULL,
  supplier_name STRING,
  country_code STRING,
  agreed_lead_time_days INT,
  updated_at TIMESTAMP
);
