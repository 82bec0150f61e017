CREATE TABLE serve.product_movement (
  product_durable_key BIGINT NOT NULL,
  location_durable_key BIGINT NOT NULL,
  stock_status STRING NOT NULL,
  month_start_date DATE NOT NULL,
  product_id STRING NOT NULL,
  product_name STRING,
  location_id STRING NOT NULL,
  location_name STRING,
  opening_units DECIMAL(18, 3),
  opening_posted_units DECIMAL(18, 3) NOT NULL,
  received_units DECIMAL(18, 3) NOT NULL,
  transferred_in_units DECIMAL(18, 3) NOT NULL,
  produced_units DECIMAL(18, 3) NOT NULL,
  customer_returned_units DECIMAL(18, 3) NOT NULL,
  supplier_returned_units DECIMAL(18, 3) NOT NULL,
  transferred_out_units DECIMAL(18, 3) NOT NULL,
  used_in_production_units DECIMAL(18, 3) NOT NULL,
  sold_units DECIMAL(18, 3) NOT NULL,
  written_off_units DECIMAL(18, 3) NOT NULL,
  adjusted_units DECIMAL(18, 3) NOT NULL,
  variance_units DECIMAL(18, 3) NOT NULL,
  closing_units DECIMAL(18, 3),
  unexplained_units DECIMAL(18, 3)
);
WITH dated_entry AS (
  SELECT
    ledger_entry_key,
    product_durable_key,
    location_durable_key,
    stock_status,
    date_add(CAST(business_date AS DATE), CAST((1 - CAST(EXTRACT(DAY FROM business_date) AS INT)) AS INT)) AS month_start_date,
    business_date,
    occurred_at,
    entry_order,
    product_id,
    location_id,
    movement_kind,
    quantity_units,
    balance_before_units,
    balance_after_units,
    variance_units
  FROM gold.stock_ledger
), entry AS (
  SELECT
    product_durable_key,
    location_durable_key,
    stock_status,
    month_start_date,
    product_id,
    location_id,
    movement_kind,
    quantity_units,
    balance_before_units,
    balance_after_units,
    variance_units,
    ROW_NUMBER() OVER (
      PARTITION BY product_durable_key, location_durable_key, stock_status, month_start_date
      ORDER BY business_date NULLS LAST, occurred_at NULLS LAST, entry_order NULLS LAST, ledger_entry_key NULLS LAST
    ) AS number_from_start,
    ROW_NUMBER() OVER (
      PARTITION BY product_durable_key, location_durable_key, stock_status, month_start_date
      ORDER BY business_date DESC NULLS FIRST, occurred_at DESC NULLS FIRST, entry_order DESC NULLS FIRST, ledger_entry_key DESC NULLS FIRST
    ) AS number_from_end
  FROM dated_entry
), month AS (
  SELECT
    product_durable_key,
    location_durable_key,
    stock_status,
    month_start_date,
    MIN(product_id) AS product_id,
    MIN(location_id) AS location_id,
    MAX(CASE WHEN number_from_start = 1 THEN balance_before_units END) AS opening_units,
    MAX(CASE WHEN number_from_end = 1 THEN balance_after_units END) AS closing_units,
    SUM(quantity_units) + COALESCE(SUM(variance_units), 0) AS changed_units,
    SUM(CASE WHEN movement_kind = 'opening' THEN quantity_units ELSE 0 END) AS opening_posted_units,
    SUM(CASE WHEN movement_kind = 'receipt' THEN quantity_units ELSE 0 END) AS received_units,
    SUM(CASE WHEN movement_kind = 'transfer_in' THEN quantity_units ELSE 0 END) AS transferred_in_units,
    SUM(CASE WHEN movement_kind = 'production_in' THEN quantity_units ELSE 0 END) AS produced_units,
    SUM(CASE WHEN movement_kind = 'customer_return' THEN quantity_units ELSE 0 END) AS customer_returned_units,
    SUM(CASE WHEN movement_kind = 'supplier_return' THEN -quantity_units ELSE 0 END) AS supplier_returned_units,
    SUM(CASE WHEN movement_kind = 'transfer_out' THEN -quantity_units ELSE 0 END) AS transferred_out_units,
    SUM(CASE WHEN movement_kind = 'production_out' THEN -quantity_units ELSE 0 END) AS used_in_production_units,
    SUM(CASE WHEN movement_kind = 'sale' THEN -quantity_units ELSE 0 END) AS sold_units,
    SUM(CASE WHEN movement_kind = 'write_off' THEN -quantity_units ELSE 0 END) AS written_off_units,
    SUM(CASE WHEN movement_kind = 'adjustment' THEN quantity_units ELSE 0 END) AS adjusted_units,
    COALESCE(SUM(variance_units), 0) AS variance_units
  FROM entry
  GROUP BY
    product_durable_key,
    location_durable_key,
    stock_status,
    month_start_date
)
SELECT
  month.product_durable_key,
  month.location_durable_key,
  month.stock_status,
  month.month_start_date,
  month.product_id,
  article.product_name,
  month.location_id,
  place.location_name,
  month.opening_units,
  CAST(month.opening_posted_units AS DECIMAL(18, 3)) AS opening_posted_units,
  CAST(month.received_units AS DECIMAL(18, 3)) AS received_units,
  CAST(month.transferred_in_units AS DECIMAL(18, 3)) AS transferred_in_units,
  CAST(month.produced_units AS DECIMAL(18, 3)) AS produced_units,
  CAST(month.customer_returned_units AS DECIMAL(18, 3)) AS customer_returned_units,
  CAST(month.supplier_returned_units AS DECIMAL(18, 3)) AS supplier_returned_units,
  CAST(month.transferred_out_units AS DECIMAL(18, 3)) AS transferred_out_units,
  CAST(month.used_in_production_units AS DECIMAL(18, 3)) AS used_in_production_units,
  CAST(month.sold_units AS DECIMAL(18, 3)) AS sold_units,
  CAST(month.written_off_units AS DECIMAL(18, 3)) AS written_off_units,
  CAST(month.adjusted_units AS DECIMAL(18, 3)) AS adjusted_units,
  CAST(month.variance_units AS DECIMAL(18, 3)) AS variance_units,
  month.closing_units,
  CAST(month.closing_units - COALESCE(month.opening_units, 0) - month.changed_units AS DECIMAL(18, 3)) AS unexplained_units
FROM month
LEFT JOIN serve.product_current AS article
  ON article.product_durable_key = month.product_durable_key
LEFT JOIN serve.location_current AS place
  ON place.location_durable_key = month.location_durable_key;
