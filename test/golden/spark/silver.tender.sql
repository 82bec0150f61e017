CREATE TABLE silver.tender (
  source_name STRING NOT NULL,
  sale_id STRING NOT NULL,
  tender_no STRING NOT NULL,
  tender_method STRING NOT NULL,
  amount DECIMAL(18, 4) NOT NULL,
  currency_code STRING,
  updated_at TIMESTAMP
);
