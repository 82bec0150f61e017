CREATE TABLE serve.sales_weekly (
  location_durable_key BIGINT NOT NULL,
  retail_year INT NOT NULL,
  retail_week INT NOT NULL,
  location_id STRING NOT NULL,
  location_name STRING,
  week_start_date DATE NOT NULL,
  trading_days BIGINT NOT NULL,
  transactions BIGINT NOT NULL,
  sold_units DECIMAL(18, 3) NOT NULL,
  net_units DECIMAL(18, 3) NOT NULL,
  reporting_gross_amount DECIMAL(18, 4) NOT NULL,
  reporting_discount_amount DECIMAL(18, 4) NOT NULL,
  reporting_returns_amount DECIMAL(18, 4) NOT NULL,
  reporting_net_amount DECIMAL(18, 4) NOT NULL,
  reporting_margin_amount DECIMAL(18, 4) NOT NULL,
  reporting_costed_net_amount DECIMAL(18, 4) NOT NULL,
  margin_ratio DECIMAL(18, 4),
  last_year_reporting_net_amount DECIMAL(18, 4),
  net_change_ratio DECIMAL(18, 4)
);
WITH last_day AS (
  SELECT
    last_date
  FROM gold.last_day
  WHERE
    fact_kind = 'sale'
), part AS (
  SELECT
    store.location_durable_key,
    day.retail_year,
    day.retail_week,
    store.location_id,
    date_add(CAST(day.date_key AS DATE), CAST((1 - day.retail_day_of_week) AS INT)) AS week_start_date,
    1 AS trading_days,
    store.transactions,
    store.sold_units,
    store.net_units,
    store.reporting_gross_amount,
    store.reporting_discount_amount,
    store.reporting_returns_amount,
    store.reporting_net_amount,
    store.reporting_costed_net_amount,
    store.reporting_cost_amount,
    CAST(NULL AS DECIMAL(18, 4)) AS last_year_amount
  FROM gold.fact_store_day AS store
  INNER JOIN gold.dim_date AS day
    ON day.date_key = store.business_date
  WHERE
    store.sale_lines > 0
  UNION ALL
  SELECT
    store.location_durable_key,
    day.retail_year,
    day.retail_week,
    store.location_id,
    date_add(CAST(day.date_key AS DATE), CAST((1 - day.retail_day_of_week) AS INT)) AS week_start_date,
    0 AS trading_days,
    0 AS transactions,
    0 AS sold_units,
    0 AS net_units,
    0 AS reporting_gross_amount,
    0 AS reporting_discount_amount,
    0 AS reporting_returns_amount,
    0 AS reporting_net_amount,
    0 AS reporting_costed_net_amount,
    0 AS reporting_cost_amount,
    store.reporting_net_amount AS last_year_amount
  FROM gold.fact_store_day AS store
  CROSS JOIN last_day
  INNER JOIN gold.dim_date AS day
    ON day.comparable_last_year_date = store.business_date
    AND day.date_key <= last_day.last_date
  WHERE
    store.sale_lines > 0
), week AS (
  SELECT
    location_durable_key,
    retail_year,
    retail_week,
    MIN(location_id) AS location_id,
    MIN(week_start_date) AS week_start_date,
    SUM(trading_days) AS trading_days,
    SUM(transactions) AS transactions,
    SUM(sold_units) AS sold_units,
    SUM(net_units) AS net_units,
    SUM(reporting_gross_amount) AS gross_amount,
    SUM(reporting_discount_amount) AS discount_amount,
    SUM(reporting_returns_amount) AS returns_amount,
    SUM(reporting_net_amount) AS net_amount,
    SUM(reporting_costed_net_amount) AS costed_net_amount,
    SUM(reporting_costed_net_amount) - SUM(reporting_cost_amount) AS margin_amount,
    SUM(last_year_amount) AS last_year_amount
  FROM part
  GROUP BY
    location_durable_key,
    retail_year,
    retail_week
  HAVING
    SUM(trading_days) > 0
)
SELECT
  week.location_durable_key,
  week.retail_year,
  week.retail_week,
  week.location_id,
  place.location_name,
  week.week_start_date,
  CAST(week.trading_days AS BIGINT) AS trading_days,
  CAST(week.transactions AS BIGINT) AS transactions,
  CAST(week.sold_units AS DECIMAL(18, 3)) AS sold_units,
  CAST(week.net_units AS DECIMAL(18, 3)) AS net_units,
  CAST(week.gross_amount AS DECIMAL(18, 4)) AS reporting_gross_amount,
  CAST(week.discount_amount AS DECIMAL(18, 4)) AS reporting_discount_amount,
  CAST(week.returns_amount AS DECIMAL(18, 4)) AS reporting_returns_amount,
  CAST(week.net_amount AS DECIMAL(18, 4)) AS reporting_net_amount,
  CAST(week.margin_amount AS DECIMAL(18, 4)) AS reporting_margin_amount,
  CAST(week.costed_net_amount AS DECIMAL(18, 4)) AS reporting_costed_net_amount,
  CAST(CAST(((2BD * abs((CAST(week.margin_amount AS DECIMAL(38, 12)) * 10000BD)) + abs(CAST(week.costed_net_amount AS DECIMAL(38, 12)))) DIV NULLIF(2BD * abs(CAST(week.costed_net_amount AS DECIMAL(38, 12))), 0BD) * CAST(sign((CAST(week.margin_amount AS DECIMAL(38, 12)) * 10000BD)) * sign(CAST(week.costed_net_amount AS DECIMAL(38, 12))) AS BIGINT)) AS DECIMAL(38, 0)) * 0.0001BD AS DECIMAL(18, 4)) AS margin_ratio,
  CAST(week.last_year_amount AS DECIMAL(18, 4)) AS last_year_reporting_net_amount,
  CAST(CAST(((2BD * abs((CAST((week.net_amount - week.last_year_amount) AS DECIMAL(38, 12)) * 10000BD)) + abs(CAST(week.last_year_amount AS DECIMAL(38, 12)))) DIV NULLIF(2BD * abs(CAST(week.last_year_amount AS DECIMAL(38, 12))), 0BD) * CAST(sign((CAST((week.net_amount - week.last_year_amount) AS DECIMAL(38, 12)) * 10000BD)) * sign(CAST(week.last_year_amount AS DECIMAL(38, 12))) AS BIGINT)) AS DECIMAL(38, 0)) * 0.0001BD AS DECIMAL(18, 4)) AS net_change_ratio
FROM week
LEFT JOIN serve.location_current AS place
  ON place.location_durable_key = week.location_durable_key;
