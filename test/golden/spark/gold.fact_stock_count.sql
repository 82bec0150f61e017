CREATE TABLE gold.fact_stock_count (
  stock_count_key STRING NOT NULL,
  source_name STRING NOT NULL,
  count_id STRING NOT NULL,
  count_kind STRING NOT NULL,
  product_key BIGINT NOT NULL,
  product_durable_key BIGINT NOT NULL,
  product_id STRING NOT NULL,
  location_key BIGINT NOT NULL,
  location_durable_key BIGINT NOT NULL,
  location_id STRING NOT NULL,
  stock_status STRING NOT NULL,
  counted_at TIMESTAMP NOT NULL,
  business_date DATE NOT NULL,
  book_units DECIMAL(18, 3),
  counted_units DECIMAL(18, 3) NOT NULL,
  variance_units DECIMAL(18, 3),
  currency_code STRING,
  variance_amount DECIMAL(18, 4),
  reporting_variance_amount DECIMAL(18, 4),
  variance_at_count_units DECIMAL(18, 3),
  late_posting_units DECIMAL(18, 3),
  in_transit_units DECIMAL(18, 3),
  unit_error_units DECIMAL(18, 3),
  unposted_return_units DECIMAL(18, 3),
  unexplained_units DECIMAL(18, 3)
);
WITH counted AS (
  SELECT
    entry.ledger_entry_key,
    entry.source_name,
    entry.entry_id,
    entry.count_kind,
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
    entry.stock_status,
    entry.occurred_at,
    entry.business_date,
    balance.balance_before_units,
    entry.counted_units,
    balance.variance_units,
    CASE
      WHEN project.cost_method = 'standard'
      THEN CAST(round(balance.variance_units * article.standard_cost_amount, 4) AS DECIMAL(18, 4))
      WHEN balance.variance_units IS NOT NULL
      THEN posting.cost_amount
    END AS variance_amount,
    CASE
      WHEN posting.currency_code IS NOT NULL
      THEN posting.currency_code
      WHEN article.standard_cost_amount IS NOT NULL
      THEN article.currency_code
    END AS currency_code,
    project.currency_code AS project_currency_code
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
    entry.entry_kind = 'count'
)
SELECT
  counted.ledger_entry_key AS stock_count_key,
  counted.source_name,
  counted.entry_id AS count_id,
  counted.count_kind,
  counted.product_key,
  counted.product_durable_key,
  counted.product_id,
  counted.location_key,
  counted.location_durable_key,
  counted.location_id,
  counted.stock_status,
  counted.occurred_at AS counted_at,
  counted.business_date,
  counted.balance_before_units AS book_units,
  counted.counted_units,
  counted.variance_units,
  counted.currency_code,
  counted.variance_amount,
  CAST(round(counted.variance_amount * (CASE
    WHEN counted.currency_code = counted.project_currency_code
    THEN 1
    ELSE rate.exchange_rate
  END), 4) AS DECIMAL(18, 4)) AS reporting_variance_amount,
  part.variance_at_count_units,
  part.late_posting_units,
  part.in_transit_units,
  part.unit_error_units,
  part.unposted_return_units,
  part.unexplained_units
FROM counted
LEFT JOIN gold.stock_count_explanation AS part
  ON part.ledger_entry_key = counted.ledger_entry_key
LEFT JOIN gold.exchange_rate_day AS rate
  ON rate.currency_code = counted.currency_code
  AND rate.rate_date = counted.business_date;
