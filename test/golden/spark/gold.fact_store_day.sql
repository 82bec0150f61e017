CREATE TABLE gold.fact_store_day (
  location_durable_key BIGINT NOT NULL,
  business_date DATE NOT NULL,
  location_id STRING NOT NULL,
  opened_at TIMESTAMP,
  closed_at TIMESTAMP,
  open_hours DECIMAL(18, 3),
  visitors BIGINT,
  labour_hours DECIMAL(18, 3),
  reporting_target_amount DECIMAL(18, 4),
  sale_lines BIGINT NOT NULL,
  transactions BIGINT NOT NULL,
  sold_units DECIMAL(18, 3) NOT NULL,
  net_units DECIMAL(18, 3) NOT NULL,
  reporting_gross_amount DECIMAL(18, 4) NOT NULL,
  reporting_discount_amount DECIMAL(18, 4) NOT NULL,
  reporting_returns_amount DECIMAL(18, 4) NOT NULL,
  reporting_net_amount DECIMAL(18, 4) NOT NULL,
  reporting_cost_amount DECIMAL(18, 4) NOT NULL,
  reporting_costed_net_amount DECIMAL(18, 4) NOT NULL
);
WITH stated AS (
  SELECT
    day.location_source_name,
    day.location_id,
    day.business_date,
    day.opened_time,
    day.closed_time,
    day.visitors,
    day.labour_hours,
    day.target_amount,
    CASE
      WHEN day.target_amount IS NULL
      OR COALESCE(day.currency_code, project.currency_code) = project.currency_code
      THEN 1
      ELSE rate.exchange_rate
    END AS exchange_rate,
    COALESCE(place.timezone, project.timezone) AS timezone
  FROM silver.store_day AS day
  CROSS JOIN meta.project AS project
  LEFT JOIN gold.exchange_rate_day AS rate
    ON rate.currency_code = day.currency_code AND rate.rate_date = day.business_date
  LEFT JOIN gold.dim_location AS place
    ON place.source_name = day.location_source_name
    AND place.location_id = day.location_id
    AND place.is_latest
  WHERE
    day.business_date BETWEEN project.calendar_from_date AND project.calendar_to_date
), part AS (
  SELECT
    GREATEST(CAST(conv(substr(md5(concat_ws('', CAST(length(location_source_name) AS STRING), ':', location_source_name, CAST(length(location_id) AS STRING), ':', location_id)), 1, 15), 16, 10) AS BIGINT), CAST(1 AS BIGINT)) AS location_durable_key,
    business_date,
    location_id,
    CASE WHEN try_to_timestamp('2000-01-01 ' || timezone, 'yyyy-MM-dd VV') IS NOT NULL THEN CASE WHEN from_utc_timestamp(to_utc_timestamp(CAST((CAST(CAST(business_date AS DATE) AS TIMESTAMP) + make_dt_interval(0, CAST(substr(opened_time, 1, 2) AS INT), CAST(substr(opened_time, 4, 2) AS INT), COALESCE(CAST(NULLIF(substr(opened_time, 7), '') AS DECIMAL(8, 6)), 0))) AS TIMESTAMP), timezone) + INTERVAL '60' MINUTE, timezone) = CAST((CAST(CAST(business_date AS DATE) AS TIMESTAMP) + make_dt_interval(0, CAST(substr(opened_time, 1, 2) AS INT), CAST(substr(opened_time, 4, 2) AS INT), COALESCE(CAST(NULLIF(substr(opened_time, 7), '') AS DECIMAL(8, 6)), 0))) AS TIMESTAMP) THEN to_utc_timestamp(CAST((CAST(CAST(business_date AS DATE) AS TIMESTAMP) + make_dt_interval(0, CAST(substr(opened_time, 1, 2) AS INT), CAST(substr(opened_time, 4, 2) AS INT), COALESCE(CAST(NULLIF(substr(opened_time, 7), '') AS DECIMAL(8, 6)), 0))) AS TIMESTAMP), timezone) + INTERVAL '60' MINUTE WHEN from_utc_timestamp(to_utc_timestamp(CAST((CAST(CAST(business_date AS DATE) AS TIMESTAMP) + make_dt_interval(0, CAST(substr(opened_time, 1, 2) AS INT), CAST(substr(opened_time, 4, 2) AS INT), COALESCE(CAST(NULLIF(substr(opened_time, 7), '') AS DECIMAL(8, 6)), 0))) AS TIMESTAMP), timezone) + INTERVAL '30' MINUTE, timezone) = CAST((CAST(CAST(business_date AS DATE) AS TIMESTAMP) + make_dt_interval(0, CAST(substr(opened_time, 1, 2) AS INT), CAST(substr(opened_time, 4, 2) AS INT), COALESCE(CAST(NULLIF(substr(opened_time, 7), '') AS DECIMAL(8, 6)), 0))) AS TIMESTAMP) THEN to_utc_timestamp(CAST((CAST(CAST(business_date AS DATE) AS TIMESTAMP) + make_dt_interval(0, CAST(substr(opened_time, 1, 2) AS INT), CAST(substr(opened_time, 4, 2) AS INT), COALESCE(CAST(NULLIF(substr(opened_time, 7), '') AS DECIMAL(8, 6)), 0))) AS TIMESTAMP), timezone) + INTERVAL '30' MINUTE ELSE to_utc_timestamp(CAST((CAST(CAST(business_date AS DATE) AS TIMESTAMP) + make_dt_interval(0, CAST(substr(opened_time, 1, 2) AS INT), CAST(substr(opened_time, 4, 2) AS INT), COALESCE(CAST(NULLIF(substr(opened_time, 7), '') AS DECIMAL(8, 6)), 0))) AS TIMESTAMP), timezone) END END AS opened_at,
    CASE WHEN try_to_timestamp('2000-01-01 ' || timezone, 'yyyy-MM-dd VV') IS NOT NULL THEN CASE WHEN from_utc_timestamp(to_utc_timestamp(CAST((CAST(CAST((CASE
      WHEN closed_time > opened_time
      THEN business_date
      ELSE date_add(CAST(business_date AS DATE), CAST(1 AS INT))
    END) AS DATE) AS TIMESTAMP) + make_dt_interval(0, CAST(substr(closed_time, 1, 2) AS INT), CAST(substr(closed_time, 4, 2) AS INT), COALESCE(CAST(NULLIF(substr(closed_time, 7), '') AS DECIMAL(8, 6)), 0))) AS TIMESTAMP), timezone) + INTERVAL '60' MINUTE, timezone) = CAST((CAST(CAST((CASE
      WHEN closed_time > opened_time
      THEN business_date
      ELSE date_add(CAST(business_date AS DATE), CAST(1 AS INT))
    END) AS DATE) AS TIMESTAMP) + make_dt_interval(0, CAST(substr(closed_time, 1, 2) AS INT), CAST(substr(closed_time, 4, 2) AS INT), COALESCE(CAST(NULLIF(substr(closed_time, 7), '') AS DECIMAL(8, 6)), 0))) AS TIMESTAMP) THEN to_utc_timestamp(CAST((CAST(CAST((CASE
      WHEN closed_time > opened_time
      THEN business_date
      ELSE date_add(CAST(business_date AS DATE), CAST(1 AS INT))
    END) AS DATE) AS TIMESTAMP) + make_dt_interval(0, CAST(substr(closed_time, 1, 2) AS INT), CAST(substr(closed_time, 4, 2) AS INT), COALESCE(CAST(NULLIF(substr(closed_time, 7), '') AS DECIMAL(8, 6)), 0))) AS TIMESTAMP), timezone) + INTERVAL '60' MINUTE WHEN from_utc_timestamp(to_utc_timestamp(CAST((CAST(CAST((CASE
      WHEN closed_time > opened_time
      THEN business_date
      ELSE date_add(CAST(business_date AS DATE), CAST(1 AS INT))
    END) AS DATE) AS TIMESTAMP) + make_dt_interval(0, CAST(substr(closed_time, 1, 2) AS INT), CAST(substr(closed_time, 4, 2) AS INT), COALESCE(CAST(NULLIF(substr(closed_time, 7), '') AS DECIMAL(8, 6)), 0))) AS TIMESTAMP), timezone) + INTERVAL '30' MINUTE, timezone) = CAST((CAST(CAST((CASE
      WHEN closed_time > opened_time
      THEN business_date
      ELSE date_add(CAST(business_date AS DATE), CAST(1 AS INT))
    END) AS DATE) AS TIMESTAMP) + make_dt_interval(0, CAST(substr(closed_time, 1, 2) AS INT), CAST(substr(closed_time, 4, 2) AS INT), COALESCE(CAST(NULLIF(substr(closed_time, 7), '') AS DECIMAL(8, 6)), 0))) AS TIMESTAMP) THEN to_utc_timestamp(CAST((CAST(CAST((CASE
      WHEN closed_time > opened_time
      THEN business_date
      ELSE date_add(CAST(business_date AS DATE), CAST(1 AS INT))
    END) AS DATE) AS TIMESTAMP) + make_dt_interval(0, CAST(substr(closed_time, 1, 2) AS INT), CAST(substr(closed_time, 4, 2) AS INT), COALESCE(CAST(NULLIF(substr(closed_time, 7), '') AS DECIMAL(8, 6)), 0))) AS TIMESTAMP), timezone) + INTERVAL '30' MINUTE ELSE to_utc_timestamp(CAST((CAST(CAST((CASE
      WHEN closed_time > opened_time
      THEN business_date
      ELSE date_add(CAST(business_date AS DATE), CAST(1 AS INT))
    END) AS DATE) AS TIMESTAMP) + make_dt_interval(0, CAST(substr(closed_time, 1, 2) AS INT), CAST(substr(closed_time, 4, 2) AS INT), COALESCE(CAST(NULLIF(substr(closed_time, 7), '') AS DECIMAL(8, 6)), 0))) AS TIMESTAMP), timezone) END END AS closed_at,
    visitors,
    labour_hours,
    CAST(round(target_amount * exchange_rate, 4) AS DECIMAL(18, 4)) AS reporting_target_amount,
    CAST(NULL AS BIGINT) AS sale_key,
    0 AS sale_lines,
    CAST(0 AS DECIMAL(18, 3)) AS sold_units,
    CAST(0 AS DECIMAL(18, 3)) AS net_units,
    CAST(0 AS DECIMAL(18, 4)) AS gross_amount,
    CAST(0 AS DECIMAL(18, 4)) AS discount_amount,
    CAST(0 AS DECIMAL(18, 4)) AS returns_amount,
    CAST(0 AS DECIMAL(18, 4)) AS net_amount,
    CAST(0 AS DECIMAL(18, 4)) AS cost_amount,
    CAST(0 AS DECIMAL(18, 4)) AS costed_net_amount
  FROM stated
  WHERE
    exchange_rate IS NOT NULL
  UNION ALL
  SELECT
    location_durable_key,
    business_date,
    location_id,
    CAST(NULL AS TIMESTAMP) AS opened_at,
    CAST(NULL AS TIMESTAMP) AS closed_at,
    CAST(NULL AS BIGINT) AS visitors,
    CAST(NULL AS DECIMAL(18, 3)) AS labour_hours,
    CAST(NULL AS DECIMAL(18, 4)) AS reporting_target_amount,
    sale_key,
    1 AS sale_lines,
    CASE WHEN is_return THEN 0 ELSE quantity_units END AS sold_units,
    quantity_units AS net_units,
    CASE WHEN is_return THEN 0 ELSE reporting_gross_amount END AS gross_amount,
    CASE WHEN is_return THEN 0 ELSE reporting_discount_amount END AS discount_amount,
    CASE WHEN is_return THEN -reporting_net_amount ELSE 0 END AS returns_amount,
    reporting_net_amount AS net_amount,
    COALESCE(reporting_cost_amount, 0) AS cost_amount,
    CASE WHEN reporting_cost_amount IS NULL THEN 0 ELSE reporting_net_amount END AS costed_net_amount
  FROM gold.fact_sale_line
  WHERE
    is_counted
), day AS (
  SELECT
    location_durable_key,
    business_date,
    MIN(location_id) AS location_id,
    MIN(opened_at) AS opened_at,
    MAX(closed_at) AS closed_at,
    MAX(visitors) AS visitors,
    MAX(labour_hours) AS labour_hours,
    MAX(reporting_target_amount) AS reporting_target_amount,
    SUM(sale_lines) AS sale_lines,
    COUNT(DISTINCT sale_key) AS transactions,
    SUM(sold_units) AS sold_units,
    SUM(net_units) AS net_units,
    SUM(gross_amount) AS gross_amount,
    SUM(discount_amount) AS discount_amount,
    SUM(returns_amount) AS returns_amount,
    SUM(net_amount) AS net_amount,
    SUM(cost_amount) AS cost_amount,
    SUM(costed_net_amount) AS costed_net_amount
  FROM part
  GROUP BY
    location_durable_key,
    business_date
)
SELECT
  location_durable_key,
  business_date,
  location_id,
  opened_at,
  closed_at,
  CAST(CAST(((2BD * abs(CAST(unix_micros(CAST(closed_at AS TIMESTAMP)) - unix_micros(CAST(opened_at AS TIMESTAMP)) AS DECIMAL(20, 0))) + abs(3600000BD)) DIV NULLIF(2BD * abs(3600000BD), 0BD) * CAST(sign(CAST(unix_micros(CAST(closed_at AS TIMESTAMP)) - unix_micros(CAST(opened_at AS TIMESTAMP)) AS DECIMAL(20, 0))) * sign(3600000BD) AS BIGINT)) AS DECIMAL(38, 0)) * 0.001BD AS DECIMAL(18, 3)) AS open_hours,
  visitors,
  labour_hours,
  reporting_target_amount,
  CAST(sale_lines AS BIGINT) AS sale_lines,
  CAST(transactions AS BIGINT) AS transactions,
  CAST(sold_units AS DECIMAL(18, 3)) AS sold_units,
  CAST(net_units AS DECIMAL(18, 3)) AS net_units,
  CAST(gross_amount AS DECIMAL(18, 4)) AS reporting_gross_amount,
  CAST(discount_amount AS DECIMAL(18, 4)) AS reporting_discount_amount,
  CAST(returns_amount AS DECIMAL(18, 4)) AS reporting_returns_amount,
  CAST(net_amount AS DECIMAL(18, 4)) AS reporting_net_amount,
  CAST(cost_amount AS DECIMAL(18, 4)) AS reporting_cost_amount,
  CAST(costed_net_amount AS DECIMAL(18, 4)) AS reporting_costed_net_amount
FROM day;
