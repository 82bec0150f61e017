CREATE TABLE snapshot.product_state (
  product_durable_key BIGINT NOT NULL,
  source_name STRING NOT NULL,
  product_id STRING NOT NULL,
  product_name STRING,
  brand STRING,
  category_1 STRING,
  supplier_id STRING,
  list_price_amount DECIMAL(18, 4),
  standard_cost_amount DECIMAL(18, 6),
  currency_code STRING NOT NULL,
  is_stocked BOOLEAN NOT NULL,
  status STRING,
  on_hand_units DECIMAL(18, 3)
);
WITH stock AS (
  SELECT
    interval_row.product_durable_key,
    SUM(interval_row.on_hand_units) AS on_hand_units
  FROM gold.fact_stock_interval AS interval_row
  CROSS JOIN meta.capture AS capture
  WHERE
    interval_row.stock_status = 'sellable'
    AND interval_row.from_date <= capture.as_of_date
    AND interval_row.to_date > capture.as_of_date
  GROUP BY
    interval_row.product_durable_key
)
SELECT
  product.product_durable_key,
  product.source_name,
  product.product_id,
  product.product_name,
  product.brand,
  product.category_1,
  product.supplier_id,
  product.list_price_amount,
  product.standard_cost_amount,
  product.currency_code,
  product.is_stocked,
  product.status,
  CAST(stock.on_hand_units AS DECIMAL(18, 3)) AS on_hand_units
FROM gold.dim_product AS product
CROSS JOIN meta.capture AS capture
LEFT JOIN stock
  ON stock.product_durable_key = product.product_durable_key
WHERE
  product.product_key <> 0
  AND product.valid_from_at <= capture.as_of
  AND product.valid_to_at > capture.as_of;
