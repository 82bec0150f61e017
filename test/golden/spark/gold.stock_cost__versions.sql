CREATE TABLE gold.stock_cost__versions (
  ledger_entry_key STRING NOT NULL,
  posting_no INT NOT NULL,
  posting_kind STRING NOT NULL,
  product_durable_key BIGINT NOT NULL,
  location_durable_key BIGINT NOT NULL,
  stock_status STRING NOT NULL,
  movement_kind STRING,
  business_date DATE NOT NULL,
  entity STRING NOT NULL,
  source_name STRING NOT NULL,
  entry_id STRING NOT NULL,
  entry_line_no STRING,
  currency_code STRING NOT NULL,
  cost_amount DECIMAL(18, 4) NOT NULL,
  known_from_at TIMESTAMP NOT NULL,
  known_to_at TIMESTAMP NOT NULL
);
SELECT
  ledger_entry_key,
  posting_no,
  posting_kind,
  product_durable_key,
  location_durable_key,
  stock_status,
  movement_kind,
  business_date,
  entity,
  source_name,
  entry_id,
  entry_line_no,
  currency_code,
  cost_amount
FROM gold.stock_cost
WHERE
  cost_amount <> 0;
