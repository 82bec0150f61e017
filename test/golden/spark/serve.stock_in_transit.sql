CREATE TABLE serve.stock_in_transit (
  product_durable_key BIGINT NOT NULL,
  from_location_durable_key BIGINT NOT NULL,
  to_location_durable_key BIGINT NOT NULL,
  product_id STRING NOT NULL,
  product_name STRING,
  from_location_id STRING NOT NULL,
  to_location_id STRING NOT NULL,
  transfer_lines BIGINT NOT NULL,
  in_transit_units DECIMAL(18, 3) NOT NULL,
  reporting_value_amount DECIMAL(18, 4),
  lines_without_value BIGINT NOT NULL,
  first_shipped_at TIMESTAMP NOT NULL
);
WITH posted_transit AS (
  SELECT
    posting.product_durable_key,
    posting.transfer_id,
    MIN(posting.currency_code) AS currency_code,
    SUM(
      CASE
        WHEN posting.posting_kind = 'transfer'
        THEN -posting.cost_amount
        ELSE posting.cost_amount
      END
    ) AS value_amount
  FROM gold.stock_cost AS posting
  WHERE
    posting.posting_kind IN ('transfer', 'transit_loss')
  GROUP BY
    posting.product_durable_key,
    posting.transfer_id
), transfer AS (
  SELECT
    line.source_name,
    line.transfer_id,
    line.product_durable_key,
    SUM(line.in_transit_units) AS in_transit_units
  FROM gold.fact_transfer_line AS line
  WHERE
    line.in_transit_units > 0
  GROUP BY
    line.source_name,
    line.transfer_id,
    line.product_durable_key
), line AS (
  SELECT
    line.product_durable_key,
    line.from_location_durable_key,
    line.to_location_durable_key,
    line.product_id,
    line.from_location_id,
    line.to_location_id,
    line.in_transit_units,
    line.shipped_at,
    CASE
      WHEN posted.value_amount IS NULL
      THEN line.reporting_in_transit_amount
      ELSE CAST(round(CAST(round(posted.value_amount * CAST(CAST(((2BD * abs((CAST(line.in_transit_units AS DECIMAL(38, 12)) * 1000000000000BD)) + abs(CAST(transfer.in_transit_units AS DECIMAL(38, 12)))) DIV NULLIF(2BD * abs(CAST(transfer.in_transit_units AS DECIMAL(38, 12))), 0BD) * CAST(sign((CAST(line.in_transit_units AS DECIMAL(38, 12)) * 1000000000000BD)) * sign(CAST(transfer.in_transit_units AS DECIMAL(38, 12))) AS BIGINT)) AS DECIMAL(38, 0)) * 0.000000000001BD AS DECIMAL(18, 12)), 4) AS DECIMAL(18, 4)) * (CASE
        WHEN posted.currency_code = project.currency_code
        THEN 1
        ELSE rate.exchange_rate
      END), 4) AS DECIMAL(18, 4))
    END AS reporting_value_amount
  FROM gold.fact_transfer_line AS line
  INNER JOIN transfer
    ON transfer.source_name = line.source_name
    AND transfer.transfer_id = line.transfer_id
    AND transfer.product_durable_key = line.product_durable_key
  CROSS JOIN meta.project AS project
  LEFT JOIN posted_transit AS posted
    ON posted.transfer_id = line.source_name || '/' || line.transfer_id
    AND posted.product_durable_key = line.product_durable_key
  LEFT JOIN gold.exchange_rate_day AS rate
    ON rate.currency_code = posted.currency_code AND rate.rate_date = line.business_date
  WHERE
    line.in_transit_units > 0
), route AS (
  SELECT
    product_durable_key,
    from_location_durable_key,
    to_location_durable_key,
    MIN(product_id) AS product_id,
    MIN(from_location_id) AS from_location_id,
    MIN(to_location_id) AS to_location_id,
    COUNT(*) AS transfer_lines,
    SUM(in_transit_units) AS in_transit_units,
    SUM(reporting_value_amount) AS value_amount,
    SUM(CASE WHEN reporting_value_amount IS NULL THEN 1 ELSE 0 END) AS lines_without_value,
    MIN(shipped_at) AS first_shipped_at
  FROM line
  GROUP BY
    product_durable_key,
    from_location_durable_key,
    to_location_durable_key
)
SELECT
  route.product_durable_key,
  route.from_location_durable_key,
  route.to_location_durable_key,
  route.product_id,
  article.product_name,
  route.from_location_id,
  route.to_location_id,
  CAST(route.transfer_lines AS BIGINT) AS transfer_lines,
  CAST(route.in_transit_units AS DECIMAL(18, 3)) AS in_transit_units,
  CAST(route.value_amount AS DECIMAL(18, 4)) AS reporting_value_amount,
  CAST(route.lines_without_value AS BIGINT) AS lines_without_value,
  route.first_shipped_at
FROM route
LEFT JOIN serve.product_current AS article
  ON article.product_durable_key = route.product_durable_key;
