CREATE TABLE serve.sales_as_of (
  product_durable_key BIGINT NOT NULL,
  location_durable_key BIGINT NOT NULL,
  business_date DATE NOT NULL,
  product_id STRING NOT NULL,
  location_id STRING NOT NULL,
  lines BIGINT NOT NULL,
  sold_units DECIMAL(18, 3) NOT NULL,
  returned_units DECIMAL(18, 3) NOT NULL,
  net_units DECIMAL(18, 3) NOT NULL,
  reporting_gross_amount DECIMAL(18, 4) NOT NULL,
  reporting_discount_amount DECIMAL(18, 4) NOT NULL,
  reporting_returns_amount DECIMAL(18, 4) NOT NULL,
  reporting_net_amount DECIMAL(18, 4) NOT NULL,
  reporting_cost_amount DECIMAL(18, 4),
  lines_without_cost BIGINT NOT NULL
);
WITH kept AS (
  SELECT
    CASE WHEN asked.known_at >= progress.history_from_at THEN TRUE ELSE CAST(raise_error('what was known before ' || CAST(progress.history_from_at AS STRING) || ' UTC is not kept in this warehouse: ' || 'systock rebuild --history keeps it, systock query --known-at asks without it') AS BOOLEAN) END AS is_kept
  FROM meta.progress AS progress
  CROSS JOIN meta.asked AS asked
), day AS (
  SELECT
    line.product_durable_key,
    line.location_durable_key,
    line.business_date,
    line.product_id,
    line.location_id,
    COUNT(*) AS lines,
    SUM(CASE WHEN line.is_return THEN 0 ELSE line.quantity_units END) AS sold_units,
    SUM(CASE WHEN line.is_return THEN -line.quantity_units ELSE 0 END) AS returned_units,
    SUM(line.quantity_units) AS net_units,
    SUM(CASE WHEN line.is_return THEN 0 ELSE line.reporting_gross_amount END) AS gross_amount,
    SUM(
      CASE
        WHEN line.is_return
        THEN 0
        ELSE line.reporting_gross_amount - line.reporting_net_amount
      END
    ) AS discount_amount,
    SUM(CASE WHEN line.is_return THEN -line.reporting_net_amount ELSE 0 END) AS returns_amount,
    SUM(line.reporting_net_amount) AS net_amount,
    SUM(line.reporting_cost_amount) AS cost_amount,
    SUM(CASE WHEN line.reporting_cost_amount IS NULL THEN 1 ELSE 0 END) AS lines_without_cost
  FROM gold.fact_sale_line__versions AS line
  CROSS JOIN meta.asked AS asked
  WHERE
    line.business_date BETWEEN asked.first_date AND asked.last_date
    AND line.known_from_at <= asked.known_at
    AND line.known_to_at > asked.known_at
  GROUP BY
    line.product_durable_key,
    line.location_durable_key,
    line.business_date,
    line.product_id,
    line.location_id
)
SELECT
  day.product_durable_key,
  day.location_durable_key,
  day.business_date,
  day.product_id,
  day.location_id,
  CAST(day.lines AS BIGINT) AS lines,
  CAST(day.sold_units AS DECIMAL(18, 3)) AS sold_units,
  CAST(day.returned_units AS DECIMAL(18, 3)) AS returned_units,
  CAST(day.net_units AS DECIMAL(18, 3)) AS net_units,
  CAST(day.gross_amount AS DECIMAL(18, 4)) AS reporting_gross_amount,
  CAST(day.discount_amount AS DECIMAL(18, 4)) AS reporting_discount_amount,
  CAST(day.returns_amount AS DECIMAL(18, 4)) AS reporting_returns_amount,
  CAST(day.net_amount AS DECIMAL(18, 4)) AS reporting_net_amount,
  CAST(day.cost_amount AS DECIMAL(18, 4)) AS reporting_cost_amount,
  CAST(day.lines_without_cost AS BIGINT) AS lines_without_cost
FROM day
CROSS JOIN kept
WHERE
  kept.is_kept;
