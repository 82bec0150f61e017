CREATE TABLE gold.stock_ledger (
  ledger_entry_key STRING NOT NULL,
  entry_kind STRING NOT NULL,
  entity STRING NOT NULL,
  source_name STRING NOT NULL,
  entry_id STRING NOT NULL,
  product_durable_key BIGINT NOT NULL,
  product_id STRING NOT NULL,
  location_durable_key BIGINT NOT NULL,
  location_id STRING NOT NULL,
  stock_status STRING NOT NULL,
  occurred_at TIMESTAMP NOT NULL,
  business_date DATE NOT NULL,
  entry_order INT NOT NULL,
  movement_kind STRING,
  quantity_units DECIMAL(18, 3) NOT NULL,
  counted_units DECIMAL(18, 3),
  balance_before_units DECIMAL(18, 3),
  balance_after_units DECIMAL(18, 3),
  variance_units DECIMAL(18, 3)
);
WITH moved_entry AS (
  SELECT
    ledger_entry_key,
    entry_kind,
    entity,
    source_name,
    entry_id,
    product_durable_key,
    product_id,
    location_durable_key,
    location_id,
    stock_status,
    occurred_at,
    business_date,
    entry_order,
    movement_kind,
    quantity_units,
    counted_units,
    is_stocked,
    ROW_NUMBER() OVER (
      PARTITION BY product_durable_key, location_durable_key, stock_status
      ORDER BY occurred_at NULLS LAST, entry_order NULLS LAST, ledger_entry_key NULLS LAST
    ) AS entry_no,
    CAST(SUM(quantity_units) OVER (
      PARTITION BY product_durable_key, location_durable_key, stock_status
      ORDER BY occurred_at NULLS LAST, entry_order NULLS LAST, ledger_entry_key NULLS LAST
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS DECIMAL(38, 3)) AS moved_units,
    SUM(
      CASE WHEN entry_kind <> 'movement' OR movement_kind = 'opening' THEN 1 ELSE 0 END
    ) OVER (
      PARTITION BY product_durable_key, location_durable_key, stock_status
      ORDER BY occurred_at NULLS LAST, entry_order NULLS LAST, ledger_entry_key NULLS LAST
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS anchors_so_far,
    CAST(SUM(
      CASE
        WHEN entry_kind <> 'movement' OR movement_kind = 'opening'
        THEN CAST(10000000000000000000 AS DECIMAL(38, 3))
        ELSE 0
      END
    ) OVER (
      PARTITION BY product_durable_key, location_durable_key, stock_status
      ORDER BY occurred_at NULLS LAST, entry_order NULLS LAST, ledger_entry_key NULLS LAST
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS DECIMAL(38, 3)) AS anchor_mark,
    MAX(CASE WHEN starts_at_zero THEN 1 ELSE 0 END) OVER (PARTITION BY product_durable_key, location_durable_key, stock_status) = 1 AS is_zero_start
  FROM gold.stock_entry
), set_entry AS (
  SELECT
    ledger_entry_key,
    entry_kind,
    entity,
    source_name,
    entry_id,
    product_durable_key,
    product_id,
    location_durable_key,
    location_id,
    stock_status,
    occurred_at,
    business_date,
    entry_order,
    movement_kind,
    quantity_units,
    counted_units,
    is_stocked,
    entry_no,
    moved_units,
    is_zero_start,
    COALESCE(counted_units, quantity_units) - moved_units AS shift_units,
    CASE
      WHEN entry_kind <> 'movement'
      OR (
        movement_kind = 'opening' AND anchors_so_far = 1 AND NOT is_zero_start
      )
      THEN anchor_mark
    END AS set_mark
  FROM moved_entry
), shifted_entry AS (
  SELECT
    ledger_entry_key,
    entry_kind,
    entity,
    source_name,
    entry_id,
    product_durable_key,
    product_id,
    location_durable_key,
    location_id,
    stock_status,
    occurred_at,
    business_date,
    entry_order,
    movement_kind,
    quantity_units,
    counted_units,
    is_stocked,
    entry_no,
    moved_units,
    is_zero_start,
    MAX(set_mark + shift_units) OVER (
      PARTITION BY product_durable_key, location_durable_key, stock_status
      ORDER BY entry_no NULLS LAST
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) - MAX(set_mark) OVER (
      PARTITION BY product_durable_key, location_durable_key, stock_status
      ORDER BY entry_no NULLS LAST
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS last_shift_units,
    MAX(set_mark + shift_units) OVER (
      PARTITION BY product_durable_key, location_durable_key, stock_status
      ORDER BY entry_no NULLS LAST
      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) - MAX(set_mark) OVER (
      PARTITION BY product_durable_key, location_durable_key, stock_status
      ORDER BY entry_no NULLS LAST
      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS shift_units_before
  FROM set_entry
), balanced_entry AS (
  SELECT
    ledger_entry_key,
    entry_kind,
    entity,
    source_name,
    entry_id,
    product_durable_key,
    product_id,
    location_durable_key,
    location_id,
    stock_status,
    occurred_at,
    business_date,
    entry_order,
    movement_kind,
    quantity_units,
    counted_units,
    CASE
      WHEN NOT is_stocked
      THEN NULL
      WHEN shift_units_before IS NOT NULL
      THEN moved_units - quantity_units + shift_units_before
      WHEN is_zero_start AND (
        entry_no > 1 OR entry_kind = 'movement'
      )
      THEN moved_units - quantity_units
    END AS balance_before_units,
    CASE
      WHEN NOT is_stocked
      THEN NULL
      WHEN last_shift_units IS NOT NULL
      THEN moved_units + last_shift_units
      WHEN is_zero_start
      THEN moved_units
    END AS balance_after_units
  FROM shifted_entry
)
SELECT
  ledger_entry_key,
  entry_kind,
  entity,
  source_name,
  entry_id,
  product_durable_key,
  product_id,
  location_durable_key,
  location_id,
  stock_status,
  occurred_at,
  business_date,
  entry_order,
  movement_kind,
  quantity_units,
  counted_units,
  CAST(balance_before_units AS DECIMAL(18, 3)) AS balance_before_units,
  CAST(balance_after_units AS DECIMAL(18, 3)) AS balance_after_units,
  CAST(CASE WHEN entry_kind = 'count' THEN counted_units - balance_before_units END AS DECIMAL(18, 3)) AS variance_units
FROM balanced_entry
WHERE
  entry_kind <> 'carried';
