CREATE TABLE silver.price (
  source_name STRING NOT NULL,
  product_source_name STRING,
  product_id STRING NOT NULL,
  location_source_name STRING,
  location_id STRING NOT NULL DEFAULT '',
  price_list STRING NOT NULL DEFAULT '',
  from_date DATE NOT NULL,
  to_date DATE,
  price_amount DECIMAL(18, 6) NOT NULL,
  unit STRING,
  price_includes_tax BOOLEAN NOT NULL DEFAULT FALSE,
  currency_code STRING,
  updated_at TIMESTAMP
);
