CREATE TABLE serve.store_performance (
  location_durable_key BIGINT NOT NULL,
  month_start_date DATE NOT NULL,
  location_id STRING NOT NULL,
  location_name STRING,
  trading_days BIGINT NOT NULL,
  transactions BIGINT NOT NULL,
  net_units DECIMAL(18, 3) NOT NULL,
  reporting_net_amount DECIMAL(18, 4) NOT NULL,
  reporting_margin_amount DECIMAL(18, 4) NOT NULL,
  reporting_costed_net_amount DECIMAL(18, 4) NOT NULL,
  margin_ratio DECIMAL(18, 4),
  basket_reporting_net_amount DECIMAL(18, 4),
  basket_units DECIMAL(18, 4),
  visitors BIGINT,
  conversion_ratio DECIMAL(18, 4),
  labour_hours DECIMAL(18, 3),
  net_per_labour_hour_amount DECIMAL(18, 4),
  open_hours DECIMAL(18, 3),
  net_per_open_hour_amount DECIMAL(18, 4),
  floor_area_m2 DECIMAL(18, 3),
  net_per_m2_amount DECIMAL(18, 4),
  reporting_target_amount DECIMAL(18, 4),
  target_ratio DECIMAL(18, 4)
);
WITH day AS (
  SELECT
    location_durable_key,
    date_add(CAST(business_date AS DATE), CAST((1 - CAST(EXTRACT(DAY FROM business_date) AS INT)) AS INT)) AS month_start_date,
    location_id,
    sale_lines,
    transactions,
    net_units,
    reporting_net_amount,
    reporting_costed_net_amount,
    reporting_cost_amount,
    visitors,
    labour_hours,
    open_hours,
    reporting_target_amount
  FROM gold.fact_store_day
), month AS (
  SELECT
    location_durable_key,
    month_start_date,
    MIN(location_id) AS location_id,
    SUM(CASE WHEN sale_lines > 0 THEN 1 ELSE 0 END) AS trading_days,
    SUM(transactions) AS transactions,
    SUM(net_units) AS net_units,
    SUM(reporting_net_amount) AS net_amount,
    SUM(reporting_costed_net_amount) AS costed_net_amount,
    SUM(reporting_costed_net_amount) - SUM(reporting_cost_amount) AS margin_amount,
    SUM(visitors) AS visitors,
    SUM(CASE WHEN visitors IS NOT NULL THEN transactions END) AS visited_transactions,
    SUM(labour_hours) AS labour_hours,
    SUM(CASE WHEN labour_hours IS NOT NULL THEN reporting_net_amount END) AS laboured_net_amount,
    SUM(open_hours) AS open_hours,
    SUM(CASE WHEN open_hours IS NOT NULL THEN reporting_net_amount END) AS opened_net_amount,
    SUM(reporting_target_amount) AS target_amount,
    SUM(CASE WHEN reporting_target_amount IS NOT NULL THEN reporting_net_amount END) AS targeted_net_amount
  FROM day
  GROUP BY
    location_durable_key,
    month_start_date
)
SELECT
  month.location_durable_key,
  month.month_start_date,
  month.location_id,
  place.location_name,
  CAST(month.trading_days AS BIGINT) AS trading_days,
  CAST(month.transactions AS BIGINT) AS transactions,
  CAST(month.net_units AS DECIMAL(18, 3)) AS net_units,
  CAST(month.net_amount AS DECIMAL(18, 4)) AS reporting_net_amount,
  CAST(month.margin_amount AS DECIMAL(18, 4)) AS reporting_margin_amount,
  CAST(month.costed_net_amount AS DECIMAL(18, 4)) AS reporting_costed_net_amount,
  CAST(CAST(((2BD * abs((CAST(month.margin_amount AS DECIMAL(38, 12)) * 10000BD)) + abs(CAST(month.costed_net_amount AS DECIMAL(38, 12)))) DIV NULLIF(2BD * abs(CAST(month.costed_net_amount AS DECIMAL(38, 12))), 0BD) * CAST(sign((CAST(month.margin_amount AS DECIMAL(38, 12)) * 10000BD)) * sign(CAST(month.costed_net_amount AS DECIMAL(38, 12))) AS BIGINT)) AS DECIMAL(38, 0)) * 0.0001BD AS DECIMAL(18, 4)) AS margin_ratio,
  CAST(CAST(((2BD * abs((CAST(month.net_amount AS DECIMAL(38, 12)) * 10000BD)) + abs(CAST(month.transactions AS DECIMAL(38, 12)))) DIV NULLIF(2BD * abs(CAST(month.transactions AS DECIMAL(38, 12))), 0BD) * CAST(sign((CAST(month.net_amount AS DECIMAL(38, 12)) * 10000BD)) * sign(CAST(month.transactions AS DECIMAL(38, 12))) AS BIGINT)) AS DECIMAL(38, 0)) * 0.0001BD AS DECIMAL(18, 4)) AS basket_reporting_net_amount,
  CAST(CAST(((2BD * abs((CAST(month.net_units AS DECIMAL(38, 12)) * 10000BD)) + abs(CAST(month.transactions AS DECIMAL(38, 12)))) DIV NULLIF(2BD * abs(CAST(month.transactions AS DECIMAL(38, 12))), 0BD) * CAST(sign((CAST(month.net_units AS DECIMAL(38, 12)) * 10000BD)) * sign(CAST(month.transactions AS DECIMAL(38, 12))) AS BIGINT)) AS DECIMAL(38, 0)) * 0.0001BD AS DECIMAL(18, 4)) AS basket_units,
  CAST(month.visitors AS BIGINT) AS visitors,
  CAST(CAST(((2BD * abs((CAST(month.visited_transactions AS DECIMAL(38, 12)) * 10000BD)) + abs(CAST(month.visitors AS DECIMAL(38, 12)))) DIV NULLIF(2BD * abs(CAST(month.visitors AS DECIMAL(38, 12))), 0BD) * CAST(sign((CAST(month.visited_transactions AS DECIMAL(38, 12)) * 10000BD)) * sign(CAST(month.visitors AS DECIMAL(38, 12))) AS BIGINT)) AS DECIMAL(38, 0)) * 0.0001BD AS DECIMAL(18, 4)) AS conversion_ratio,
  CAST(month.labour_hours AS DECIMAL(18, 3)) AS labour_hours,
  CAST(CAST(((2BD * abs((CAST(month.laboured_net_amount AS DECIMAL(38, 12)) * 10000BD)) + abs(CAST(month.labour_hours AS DECIMAL(38, 12)))) DIV NULLIF(2BD * abs(CAST(month.labour_hours AS DECIMAL(38, 12))), 0BD) * CAST(sign((CAST(month.laboured_net_amount AS DECIMAL(38, 12)) * 10000BD)) * sign(CAST(month.labour_hours AS DECIMAL(38, 12))) AS BIGINT)) AS DECIMAL(38, 0)) * 0.0001BD AS DECIMAL(18, 4)) AS net_per_labour_hour_amount,
  CAST(month.open_hours AS DECIMAL(18, 3)) AS open_hours,
  CAST(CAST(((2BD * abs((CAST(month.opened_net_amount AS DECIMAL(38, 12)) * 10000BD)) + abs(CAST(month.open_hours AS DECIMAL(38, 12)))) DIV NULLIF(2BD * abs(CAST(month.open_hours AS DECIMAL(38, 12))), 0BD) * CAST(sign((CAST(month.opened_net_amount AS DECIMAL(38, 12)) * 10000BD)) * sign(CAST(month.open_hours AS DECIMAL(38, 12))) AS BIGINT)) AS DECIMAL(38, 0)) * 0.0001BD AS DECIMAL(18, 4)) AS net_per_open_hour_amount,
  place.floor_area_m2,
  CAST(CAST(((2BD * abs((CAST(month.net_amount AS DECIMAL(38, 12)) * 10000BD)) + abs(CAST(place.floor_area_m2 AS DECIMAL(38, 12)))) DIV NULLIF(2BD * abs(CAST(place.floor_area_m2 AS DECIMAL(38, 12))), 0BD) * CAST(sign((CAST(month.net_amount AS DECIMAL(38, 12)) * 10000BD)) * sign(CAST(place.floor_area_m2 AS DECIMAL(38, 12))) AS BIGINT)) AS DECIMAL(38, 0)) * 0.0001BD AS DECIMAL(18, 4)) AS net_per_m2_amount,
  CAST(month.target_amount AS DECIMAL(18, 4)) AS reporting_target_amount,
  CAST(CAST(((2BD * abs((CAST(month.targeted_net_amount AS DECIMAL(38, 12)) * 10000BD)) + abs(CAST(month.target_amount AS DECIMAL(38, 12)))) DIV NULLIF(2BD * abs(CAST(month.target_amount AS DECIMAL(38, 12))), 0BD) * CAST(sign((CAST(month.targeted_net_amount AS DECIMAL(38, 12)) * 10000BD)) * sign(CAST(month.target_amount AS DECIMAL(38, 12))) AS BIGINT)) AS DECIMAL(38, 0)) * 0.0001BD AS DECIMAL(18, 4)) AS target_ratio
FROM month
LEFT JOIN serve.location_current AS place
  ON place.location_durable_key = month.location_durable_key;
