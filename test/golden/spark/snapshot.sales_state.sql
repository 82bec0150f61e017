CREATE TABLE snapshot.sales_state (
  location_durable_key BIGINT NOT NULL,
  location_id STRING NOT NULL,
  business_date DATE NOT NULL,
  line_count BIGINT NOT NULL,
  transaction_count BIGINT NOT NULL,
  net_units DECIMAL(18, 3) NOT NULL,
  gross_amount DECIMAL(18, 4) NOT NULL,
  discount_amount DECIMAL(18, 4) NOT NULL,
  net_amount DECIMAL(18, 4) NOT NULL,
  tax_amount DECIMAL(18, 4) NOT NULL,
  is_day_over BOOLEAN NOT NULL DEFAULT TRUE
);
WITH day AS (
  SELECT
    line.location_durable_key,
    line.business_date,
    MIN(line.location_id) AS location_id,
    COUNT(*) AS line_count,
    COUNT(DISTINCT line.sale_key) AS transaction_count,
    SUM(line.quantity_units) AS net_units,
    SUM(line.reporting_gross_amount) AS gross_amount,
    SUM(line.reporting_discount_amount) AS discount_amount,
    SUM(line.reporting_net_amount) AS net_amount,
    SUM(line.reporting_tax_amount) AS tax_amount
  FROM gold.fact_sale_line AS line
  WHERE
    line.is_counted
  GROUP BY
    line.location_durable_key,
    line.business_date
), place AS (
  SELECT
    location.location_durable_key,
    CASE WHEN try_to_timestamp('2000-01-01 ' || location.timezone, 'yyyy-MM-dd VV') IS NOT NULL THEN CAST(from_utc_timestamp(CAST(capture.ended_by_at AS TIMESTAMP), location.timezone) - make_dt_interval(0, CAST(substr(location.business_day_cutover, 1, 2) AS INT), CAST(substr(location.business_day_cutover, 4, 2) AS INT), COALESCE(CAST(NULLIF(substr(location.business_day_cutover, 7), '') AS DECIMAL(8, 6)), 0)) AS DATE) END AS business_date
  FROM gold.dim_location AS location
  CROSS JOIN meta.capture AS capture
  WHERE
    location.location_key <> 0
    AND location.valid_from_at <= capture.ended_by_at
    AND location.superseded_at > capture.ended_by_at
)
SELECT
  day.location_durable_key,
  day.location_id,
  day.business_date,
  day.line_count,
  day.transaction_count,
  CAST(day.net_units AS DECIMAL(18, 3)) AS net_units,
  CAST(day.gross_amount AS DECIMAL(18, 4)) AS gross_amount,
  CAST(day.discount_amount AS DECIMAL(18, 4)) AS discount_amount,
  CAST(day.net_amount AS DECIMAL(18, 4)) AS net_amount,
  CAST(day.tax_amount AS DECIMAL(18, 4)) AS tax_amount,
  day.business_date < COALESCE(
    place.business_date,
    CASE WHEN try_to_timestamp('2000-01-01 ' || project.timezone, 'yyyy-MM-dd VV') IS NOT NULL THEN CAST(from_utc_timestamp(CAST(capture.ended_by_at AS TIMESTAMP), project.timezone) - make_dt_interval(0, CAST(substr(project.business_day_cutover, 1, 2) AS INT), CAST(substr(project.business_day_cutover, 4, 2) AS INT), COALESCE(CAST(NULLIF(substr(project.business_day_cutover, 7), '') AS DECIMAL(8, 6)), 0)) AS DATE) END
  ) AS is_day_over
FROM day
CROSS JOIN meta.capture AS capture
CROSS JOIN meta.project AS project
LEFT JOIN place
  ON place.location_durable_key = day.location_durable_key
WHERE
  day.business_date <= capture.as_of_date;
