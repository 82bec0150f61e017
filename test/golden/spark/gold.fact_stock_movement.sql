CREATE TABLE gold.fact_stock_movement (
  stock_movement_key STRING NOT NULL,
  entity STRING NOT NULL,
  source_name STRING NOT NULL,
  movement_id STRING NOT NULL,
  line_no STRING,
  product_key BIGINT NOT NULL,
  product_durable_key BIGINT NOT NULL,
  product_id STRING NOT NULL,
  location_key BIGINT NOT NULL,
  location_durable_key BIGINT NOT NULL,
  location_id STRING NOT NULL,
  movement_kind_key BIGINT NOT NULL,
  movement_kind STRING NOT NULL,
  stock_status STRING NOT NULL,
  occurred_at TIMESTAMP NOT NULL,
  business_date DATE NOT NULL,
  quantity_units DECIMAL(18, 3) NOT NULL,
  on_hand_after_units DECIMAL(18, 3),
  currency_code STRING,
  cost_amount DECIMAL(18, 4),
  value_after_amount DECIMAL(18, 4),
  reporting_cost_amount DECIMAL(18, 4),
  reporting_value_after_amount DECIMAL(18, 4),
  unit_cost_amount DECIMAL(18, 6),
  unit_cost_currency_code STRING,
  lot_id STRING,
  expiry_date DATE,
  document_id STRING,
  transfer_id STRING
);
WITH movement AS (
  SELECT
    entry.ledger_entry_key,
    entry.entity,
    entry.source_name,
    entry.entry_id,
    entry.entry_line_no,
    CASE
      WHEN entry.occurred_at < article.valid_to_at
      THEN article.product_key
      ELSE 0
    END AS product_key,
    entry.product_durable_key,
    entry.product_id,
    CASE WHEN entry.occurred_at < place.valid_to_at THEN place.location_key ELSE 0 END AS location_key,
    entry.location_durable_key,
    entry.location_id,
    entry.movement_kind,
    entry.stock_status,
    entry.occurred_at,
    entry.business_date,
    entry.quantity_units,
    balance.balance_after_units,
    CASE
      WHEN project.cost_method = 'standard'
      THEN CAST(round(entry.quantity_units * article.standard_cost_amount, 4) AS DECIMAL(18, 4))
      ELSE posting.cost_amount
    END AS cost_amount,
    CASE
      WHEN project.cost_method = 'standard'
      THEN CAST(round(balance.balance_after_units * article.standard_cost_amount, 4) AS DECIMAL(18, 4))
      ELSE posting.value_after_amount
    END AS value_after_amount,
    CASE
      WHEN posting.currency_code IS NOT NULL
      THEN posting.currency_code
      WHEN article.standard_cost_amount IS NOT NULL
      THEN article.currency_code
    END AS currency_code,
    project.currency_code AS project_currency_code,
    entry.unit_cost_amount,
    entry.cost_currency_code,
    entry.lot_id,
    entry.expiry_date,
    entry.document_id,
    entry.transfer_id
  FROM gold.stock_entry AS entry
  INNER JOIN gold.stock_ledger AS balance
    ON balance.ledger_entry_key = entry.ledger_entry_key
  CROSS JOIN meta.project AS project
  LEFT JOIN gold.dim_product AS article
    ON article.product_durable_key = entry.product_durable_key
    AND article.valid_from_at <= entry.occurred_at
    AND article.superseded_at > entry.occurred_at
  LEFT JOIN gold.dim_location AS place
    ON place.location_durable_key = entry.location_durable_key
    AND place.valid_from_at <= entry.occurred_at
    AND place.superseded_at > entry.occurred_at
  LEFT JOIN gold.stock_cost AS posting
    ON posting.ledger_entry_key = entry.ledger_entry_key AND posting.posting_no = 0
  WHERE
    entry.entry_kind = 'movement'
)
SELECT
  movement.ledger_entry_key AS stock_movement_key,
  movement.entity,
  movement.source_name,
  movement.entry_id AS movement_id,
  movement.entry_line_no AS line_no,
  movement.product_key,
  movement.product_durable_key,
  movement.product_id,
  movement.location_key,
  movement.location_durable_key,
  movement.location_id,
  COALESCE(kind.movement_kind_key, 0) AS movement_kind_key,
  movement.movement_kind,
  movement.stock_status,
  movement.occurred_at,
  movement.business_date,
  movement.quantity_units,
  movement.balance_after_units AS on_hand_after_units,
  movement.currency_code,
  movement.cost_amount,
  movement.value_after_amount,
  CAST(round(movement.cost_amount * (CASE
    WHEN movement.currency_code = movement.project_currency_code
    THEN 1
    ELSE rate.exchange_rate
  END), 4) AS DECIMAL(18, 4)) AS reporting_cost_amount,
  CAST(round(movement.value_after_amount * (CASE
    WHEN movement.currency_code = movement.project_currency_code
    THEN 1
    ELSE rate.exchange_rate
  END), 4) AS DECIMAL(18, 4)) AS reporting_value_after_amount,
  movement.unit_cost_amount,
  movement.cost_currency_code AS unit_cost_currency_code,
  movement.lot_id,
  movement.expiry_date,
  movement.document_id,
  movement.transfer_id
FROM movement
LEFT JOIN gold.dim_movement_kind AS kind
  ON kind.movement_kind = movement.movement_kind
LEFT JOIN gold.exchange_rate_day AS rate
  ON rate.currency_code = movement.currency_code
  AND rate.rate_date = movement.business_date;
