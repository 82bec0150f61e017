CREATE TABLE serve.shrinkage (
  location_durable_key BIGINT NOT NULL,
  month_start_date DATE NOT NULL,
  location_id STRING NOT NULL,
  location_name STRING,
  count_lines BIGINT NOT NULL,
  lines_without_value BIGINT NOT NULL,
  loss_units DECIMAL(18, 3) NOT NULL,
  gain_units DECIMAL(18, 3) NOT NULL,
  reporting_loss_amount DECIMAL(18, 4) NOT NULL,
  reporting_gain_amount DECIMAL(18, 4) NOT NULL,
  reporting_shrinkage_amount DECIMAL(18, 4) NOT NULL,
  reporting_net_amount DECIMAL(18, 4) NOT NULL,
  loss_ratio DECIMAL(18, 4),
  shrinkage_ratio DECIMAL(18, 4)
);
WITH counted AS (
  SELECT
    location_durable_key,
    date_add(CAST(business_date AS DATE), CAST((1 - CAST(EXTRACT(DAY FROM business_date) AS INT)) AS INT)) AS month_start_date,
    location_id,
    variance_units,
    reporting_variance_amount
  FROM gold.fact_stock_count
  WHERE
    count_kind = 'physical' AND variance_units IS NOT NULL
), month AS (
  SELECT
    location_durable_key,
    month_start_date,
    MIN(location_id) AS location_id,
    COUNT(*) AS count_lines,
    SUM(
      CASE
        WHEN variance_units <> 0 AND reporting_variance_amount IS NULL
        THEN 1
        ELSE 0
      END
    ) AS lines_without_value,
    SUM(GREATEST(-variance_units, 0)) AS loss_units,
    SUM(GREATEST(variance_units, 0)) AS gain_units,
    COALESCE(SUM(GREATEST(-reporting_variance_amount, 0)), 0) AS loss_amount,
    COALESCE(SUM(GREATEST(reporting_variance_amount, 0)), 0) AS gain_amount
  FROM counted
  GROUP BY
    location_durable_key,
    month_start_date
), sold_day AS (
  SELECT
    location_durable_key,
    date_add(CAST(business_date AS DATE), CAST((1 - CAST(EXTRACT(DAY FROM business_date) AS INT)) AS INT)) AS month_start_date,
    reporting_net_amount
  FROM gold.fact_store_day
), sold AS (
  SELECT
    location_durable_key,
    month_start_date,
    SUM(reporting_net_amount) AS net_amount
  FROM sold_day
  GROUP BY
    location_durable_key,
    month_start_date
)
SELECT
  month.location_durable_key,
  month.month_start_date,
  month.location_id,
  place.location_name,
  CAST(month.count_lines AS BIGINT) AS count_lines,
  CAST(month.lines_without_value AS BIGINT) AS lines_without_value,
  CAST(month.loss_units AS DECIMAL(18, 3)) AS loss_units,
  CAST(month.gain_units AS DECIMAL(18, 3)) AS gain_units,
  CAST(month.loss_amount AS DECIMAL(18, 4)) AS reporting_loss_amount,
  CAST(month.gain_amount AS DECIMAL(18, 4)) AS reporting_gain_amount,
  CAST(month.loss_amount - month.gain_amount AS DECIMAL(18, 4)) AS reporting_shrinkage_amount,
  CAST(COALESCE(sold.net_amount, 0) AS DECIMAL(18, 4)) AS reporting_net_amount,
  CAST(CAST(((2BD * abs((CAST(month.loss_amount AS DECIMAL(38, 12)) * 10000BD)) + abs(CAST(sold.net_amount AS DECIMAL(38, 12)))) DIV NULLIF(2BD * abs(CAST(sold.net_amount AS DECIMAL(38, 12))), 0BD) * CAST(sign((CAST(month.loss_amount AS DECIMAL(38, 12)) * 10000BD)) * sign(CAST(sold.net_amount AS DECIMAL(38, 12))) AS BIGINT)) AS DECIMAL(38, 0)) * 0.0001BD AS DECIMAL(18, 4)) AS loss_ratio,
  CAST(CAST(((2BD * abs((CAST((month.loss_amount - month.gain_amount) AS DECIMAL(38, 12)) * 10000BD)) + abs(CAST(sold.net_amount AS DECIMAL(38, 12)))) DIV NULLIF(2BD * abs(CAST(sold.net_amount AS DECIMAL(38, 12))), 0BD) * CAST(sign((CAST((month.loss_amount - month.gain_amount) AS DECIMAL(38, 12)) * 10000BD)) * sign(CAST(sold.net_amount AS DECIMAL(38, 12))) AS BIGINT)) AS DECIMAL(38, 0)) * 0.0001BD AS DECIMAL(18, 4)) AS shrinkage_ratio
FROM month
LEFT JOIN sold
  ON sold.location_durable_key = month.location_durable_key
  AND sold.month_start_date = month.month_start_date
LEFT JOIN serve.location_current AS place
  ON place.location_durable_key = month.location_durable_key;
