CREATE TABLE serve.supplier_current (
  supplier_durable_key BIGINT NOT NULL,
  supplier_key BIGINT NOT NULL,
  source_name STRING NOT NULL,
  supplier_id STRING NOT NULL,
  supplier_name STRING,
  country_code STRING,
  agreed_lead_time_days INT,
  valid_from_at TIMESTAMP NOT NULL,
  is_deleted BOOLEAN NOT NULL
);
SELECT
  supplier_durable_key,
  supplier_key,
  source_name,
  supplier_id,
  supplier_name,
  country_code,
  agreed_lead_time_days,
  valid_from_at,
  NOT is_current AS is_deleted
FROM gold.dim_supplier
WHERE
  is_latest AND supplier_key <> 0;
