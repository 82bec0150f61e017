CREATE TABLE gold.stock_count_span (
  ledger_entry_key STRING NOT NULL,
  product_durable_key BIGINT NOT NULL,
  product_source_name STRING NOT NULL,
  product_id STRING NOT NULL,
  location_durable_key BIGINT NOT NULL,
  stock_status STRING NOT NULL,
  counted_before_at TIMESTAMP NOT NULL,
  counted_at TIMESTAMP NOT NULL,
  counted_units DECIMAL(18, 3) NOT NULL,
  base_units DECIMAL(18, 6) NOT NULL
);
SELECT
  ledger_entry_key,
  product_durable_key,
  product_source_name,
  product_id,
  location_durable_key,
  stock_status,
  COALESCE(
    LAG(occurred_at) OVER (
      PARTITION BY product_durable_key, location_durable_key, stock_status
      ORDER BY occurred_at NULLS LAST, ledger_entry_key NULLS LAST
    ),
    CAST('0001-01-01 00:00:00+00' AS TIMESTAMP)
  ) AS counted_before_at,
  occurred_at AS counted_at,
  counted_units,
  base_units
FROM gold.stock_entry
WHERE
  entry_kind = 'count';
