CREATE TABLE serve.sales_trend (
  location_durable_key BIGINT NOT NULL,
  business_date DATE NOT NULL,
  location_id STRING NOT NULL,
  location_name STRING,
  reporting_net_amount DECIMAL(18, 4) NOT NULL,
  last_7_days_reporting_net_amount DECIMAL(18, 4) NOT NULL,
  previous_7_days_reporting_net_amount DECIMAL(18, 4),
  change_7_days_ratio DECIMAL(18, 4),
  last_28_days_reporting_net_amount DECIMAL(18, 4) NOT NULL,
  previous_28_days_reporting_net_amount DECIMAL(18, 4),
  change_28_days_ratio DECIMAL(18, 4)
);
WITH last_day AS (
  SELECT
    last_date
  FROM gold.last_day
  WHERE
    fact_kind = 'sale'
), place_span AS (
  SELECT
    location_durable_key,
    MIN(location_id) AS location_id,
    MIN(business_date) AS first_date
  FROM gold.fact_store_day
  WHERE
    sale_lines > 0
  GROUP BY
    location_durable_key
), store_day AS (
  SELECT
    span.location_durable_key,
    day.date_key AS business_date,
    span.location_id,
    datediff(CAST(day.date_key AS DATE), CAST(span.first_date AS DATE)) AS days_before,
    COALESCE(store.reporting_net_amount, 0) AS net_amount
  FROM place_span AS span
  CROSS JOIN last_day
  INNER JOIN gold.dim_date AS day
    ON day.date_key >= span.first_date AND day.date_key <= last_day.last_date
  LEFT JOIN gold.fact_store_day AS store
    ON store.location_durable_key = span.location_durable_key
    AND store.business_date = day.date_key
), summed AS (
  SELECT
    location_durable_key,
    business_date,
    location_id,
    days_before,
    net_amount,
    SUM(net_amount) OVER (
      PARTITION BY location_durable_key
      ORDER BY business_date NULLS LAST
      ROWS BETWEEN 6 PRECEDING AND CURRENT ROW
    ) AS last_7_amount,
    SUM(net_amount) OVER (
      PARTITION BY location_durable_key
      ORDER BY business_date NULLS LAST
      ROWS BETWEEN 13 PRECEDING AND 7 PRECEDING
    ) AS previous_7_amount,
    SUM(net_amount) OVER (
      PARTITION BY location_durable_key
      ORDER BY business_date NULLS LAST
      ROWS BETWEEN 27 PRECEDING AND CURRENT ROW
    ) AS last_28_amount,
    SUM(net_amount) OVER (
      PARTITION BY location_durable_key
      ORDER BY business_date NULLS LAST
      ROWS BETWEEN 55 PRECEDING AND 28 PRECEDING
    ) AS previous_28_amount
  FROM store_day
), trend AS (
  SELECT
    location_durable_key,
    business_date,
    location_id,
    net_amount,
    last_7_amount,
    CASE WHEN days_before >= 13 THEN previous_7_amount END AS previous_7_amount,
    last_28_amount,
    CASE WHEN days_before >= 55 THEN previous_28_amount END AS previous_28_amount
  FROM summed
)
SELECT
  trend.location_durable_key,
  trend.business_date,
  trend.location_id,
  place.location_name,
  CAST(trend.net_amount AS DECIMAL(18, 4)) AS reporting_net_amount,
  CAST(trend.last_7_amount AS DECIMAL(18, 4)) AS last_7_days_reporting_net_amount,
  CAST(trend.previous_7_amount AS DECIMAL(18, 4)) AS previous_7_days_reporting_net_amount,
  CAST(CAST(((2BD * abs((CAST((trend.last_7_amount - trend.previous_7_amount) AS DECIMAL(38, 12)) * 10000BD)) + abs(CAST(trend.previous_7_amount AS DECIMAL(38, 12)))) DIV NULLIF(2BD * abs(CAST(trend.previous_7_amount AS DECIMAL(38, 12))), 0BD) * CAST(sign((CAST((trend.last_7_amount - trend.previous_7_amount) AS DECIMAL(38, 12)) * 10000BD)) * sign(CAST(trend.previous_7_amount AS DECIMAL(38, 12))) AS BIGINT)) AS DECIMAL(38, 0)) * 0.0001BD AS DECIMAL(18, 4)) AS change_7_days_ratio,
  CAST(trend.last_28_amount AS DECIMAL(18, 4)) AS last_28_days_reporting_net_amount,
  CAST(trend.previous_28_amount AS DECIMAL(18, 4)) AS previous_28_days_reporting_net_amount,
  CAST(CAST(((2BD * abs((CAST((trend.last_28_amount - trend.previous_28_amount) AS DECIMAL(38, 12)) * 10000BD)) + abs(CAST(trend.previous_28_amount AS DECIMAL(38, 12)))) DIV NULLIF(2BD * abs(CAST(trend.previous_28_amount AS DECIMAL(38, 12))), 0BD) * CAST(sign((CAST((trend.last_28_amount - trend.previous_28_amount) AS DECIMAL(38, 12)) * 10000BD)) * sign(CAST(trend.previous_28_amount AS DECIMAL(38, 12))) AS BIGINT)) AS DECIMAL(38, 0)) * 0.0001BD AS DECIMAL(18, 4)) AS change_28_days_ratio
FROM trend
LEFT JOIN serve.location_current AS place
  ON place.location_durable_key = trend.location_durable_key;
