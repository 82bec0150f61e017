CREATE TABLE gold.stock_cost (
  ledger_entry_key STRING NOT NULL,
  posting_no INT NOT NULL,
  posting_kind STRING NOT NULL,
  cost_group BIGINT NOT NULL,
  product_durable_key BIGINT NOT NULL,
  location_durable_key BIGINT NOT NULL,
  stock_status STRING NOT NULL,
  occurred_at TIMESTAMP NOT NULL,
  movement_kind STRING,
  transfer_id STRING,
  cost_amount DECIMAL(18, 4),
  unit_cost_after_amount DECIMAL(18, 6),
  value_after_amount DECIMAL(18, 4),
  business_date DATE NOT NULL,
  entry_order INT NOT NULL,
  entity STRING NOT NULL,
  source_name STRING NOT NULL,
  entry_id STRING NOT NULL,
  entry_line_no STRING,
  currency_code STRING NOT NULL
);
WITH entry AS (
  SELECT
    entry.ledger_entry_key,
    entry.product_durable_key,
    entry.location_durable_key,
    entry.stock_status,
    entry.occurred_at,
    entry.movement_kind,
    entry.quantity_units,
    balance.balance_after_units,
    entry.unit_cost_amount,
    entry.value_amount,
    entry.cost_currency_code,
    entry.original_entry_key,
    entry.transfer_id,
    entry.document_id,
    entry.business_date,
    entry.entry_order,
    entry.entity,
    entry.source_name,
    entry.entry_id,
    entry.entry_line_no
  FROM gold.stock_entry AS entry
  INNER JOIN gold.stock_ledger AS balance
    ON balance.ledger_entry_key = entry.ledger_entry_key
  UNION ALL
  SELECT
    loss.transfer_line_key AS ledger_entry_key,
    loss.product_durable_key,
    loss.to_location_durable_key AS location_durable_key,
    'in_transit' AS stock_status,
    loss.occurred_at,
    'transfer_loss' AS movement_kind,
    loss.quantity_units,
    CAST(NULL AS DECIMAL(18, 3)) AS balance_after_units,
    CAST(NULL AS DECIMAL(18, 6)) AS unit_cost_amount,
    CAST(NULL AS DECIMAL(18, 4)) AS value_amount,
    CAST(NULL AS STRING) AS cost_currency_code,
    CAST(NULL AS STRING) AS original_entry_key,
    loss.transfer_id,
    CAST(NULL AS STRING) AS document_id,
    loss.business_date,
    990 AS entry_order,
    'transfer_line' AS entity,
    loss.source_name,
    loss.transfer_id AS entry_id,
    loss.line_no AS entry_line_no
  FROM gold.transfer_loss AS loss
), stated_entry AS (
  SELECT
    entry.ledger_entry_key,
    grouped.cost_group,
    entry.product_durable_key,
    entry.location_durable_key,
    entry.stock_status,
    entry.occurred_at,
    entry.movement_kind,
    entry.quantity_units,
    entry.balance_after_units,
    entry.unit_cost_amount,
    article.standard_cost_amount,
    entry.value_amount,
    entry.original_entry_key,
    entry.source_name || '/' || entry.transfer_id AS transfer_id,
    entry.source_name || '/' || entry.document_id AS document_id,
    entry.business_date,
    entry.entry_order,
    entry.entity,
    entry.source_name,
    entry.entry_id,
    entry.entry_line_no,
    grouped.currency_code,
    COALESCE(entry.cost_currency_code = grouped.currency_code, FALSE) AS is_stated_in_own,
    COALESCE(article.currency_code = grouped.currency_code, FALSE) AS is_standard_in_own,
    CASE
      WHEN entry.cost_currency_code = project.currency_code
      THEN 1
      ELSE stated_rate.exchange_rate
    END AS stated_exchange_rate,
    CASE
      WHEN article.currency_code = project.currency_code
      THEN 1
      ELSE standard_rate.exchange_rate
    END AS standard_exchange_rate,
    CASE
      WHEN grouped.currency_code = project.currency_code
      THEN 1
      ELSE own_rate.exchange_rate
    END AS exchange_rate
  FROM entry
  INNER JOIN gold.cost_group AS grouped
    ON grouped.product_durable_key = entry.product_durable_key
  CROSS JOIN meta.project AS project
  LEFT JOIN gold.dim_product AS article
    ON article.product_durable_key = entry.product_durable_key
    AND article.valid_from_at <= entry.occurred_at
    AND article.superseded_at > entry.occurred_at
  LEFT JOIN gold.exchange_rate_day AS own_rate
    ON own_rate.currency_code = grouped.currency_code
    AND own_rate.rate_date = entry.business_date
  LEFT JOIN gold.exchange_rate_day AS stated_rate
    ON stated_rate.currency_code = entry.cost_currency_code
    AND stated_rate.rate_date = entry.business_date
  LEFT JOIN gold.exchange_rate_day AS standard_rate
    ON standard_rate.currency_code = article.currency_code
    AND standard_rate.rate_date = entry.business_date
)
SELECT
  ledger_entry_key,
  cost_group,
  product_durable_key,
  location_durable_key,
  stock_status,
  occurred_at,
  movement_kind,
  quantity_units,
  balance_after_units,
  CASE
    WHEN is_stated_in_own
    THEN unit_cost_amount
    ELSE CAST(CAST(CAST(((2BD * abs((CAST(CAST(round(unit_cost_amount * stated_exchange_rate, 6) AS DECIMAL(18, 6)) AS DECIMAL(38, 12)) * 1000000BD)) + abs(CAST(exchange_rate AS DECIMAL(38, 12)))) DIV NULLIF(2BD * abs(CAST(exchange_rate AS DECIMAL(38, 12))), 0BD) * CAST(sign((CAST(CAST(round(unit_cost_amount * stated_exchange_rate, 6) AS DECIMAL(18, 6)) AS DECIMAL(38, 12)) * 1000000BD)) * sign(CAST(exchange_rate AS DECIMAL(38, 12))) AS BIGINT)) AS DECIMAL(38, 0)) * 0.000001BD AS DECIMAL(18, 6)) AS DECIMAL(18, 6))
  END AS unit_cost_amount,
  CASE
    WHEN is_standard_in_own
    THEN standard_cost_amount
    ELSE CAST(CAST(CAST(((2BD * abs((CAST(CAST(round(standard_cost_amount * standard_exchange_rate, 6) AS DECIMAL(18, 6)) AS DECIMAL(38, 12)) * 1000000BD)) + abs(CAST(exchange_rate AS DECIMAL(38, 12)))) DIV NULLIF(2BD * abs(CAST(exchange_rate AS DECIMAL(38, 12))), 0BD) * CAST(sign((CAST(CAST(round(standard_cost_amount * standard_exchange_rate, 6) AS DECIMAL(18, 6)) AS DECIMAL(38, 12)) * 1000000BD)) * sign(CAST(exchange_rate AS DECIMAL(38, 12))) AS BIGINT)) AS DECIMAL(38, 0)) * 0.000001BD AS DECIMAL(18, 6)) AS DECIMAL(18, 6))
  END AS standard_cost_amount,
  CASE
    WHEN is_stated_in_own
    THEN value_amount
    ELSE CAST(CAST(CAST(((2BD * abs((CAST(CAST(round(value_amount * stated_exchange_rate, 4) AS DECIMAL(18, 4)) AS DECIMAL(38, 12)) * 10000BD)) + abs(CAST(exchange_rate AS DECIMAL(38, 12)))) DIV NULLIF(2BD * abs(CAST(exchange_rate AS DECIMAL(38, 12))), 0BD) * CAST(sign((CAST(CAST(round(value_amount * stated_exchange_rate, 4) AS DECIMAL(18, 4)) AS DECIMAL(38, 12)) * 10000BD)) * sign(CAST(exchange_rate AS DECIMAL(38, 12))) AS BIGINT)) AS DECIMAL(38, 0)) * 0.0001BD AS DECIMAL(18, 4)) AS DECIMAL(18, 4))
  END AS value_amount,
  original_entry_key,
  transfer_id,
  document_id,
  business_date,
  entry_order,
  entity,
  source_name,
  entry_id,
  entry_line_no,
  currency_code
FROM stated_entry;
