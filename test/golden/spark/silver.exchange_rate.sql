CREATE TABLE silver.exchange_rate (
  source_name STRING NOT NULL,
  from_currency_code STRING NOT NULL,
  to_currency_code STRING NOT NULL,
  rate_date DATE NOT NULL,
  rate DECIMAL(18, 8) NOT NULL,
  updated_at TIMESTAMP
);
