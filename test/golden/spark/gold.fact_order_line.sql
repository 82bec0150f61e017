CREATE TABLE gold.fact_order_line (
  order_line_key STRING NOT NULL,
  source_name STRING NOT NULL,
  order_id STRING NOT NULL,
  line_no STRING NOT NULL,
  order_key BIGINT NOT NULL,
  product_key BIGINT NOT NULL,
  product_durable_key BIGINT NOT NULL,
  product_id STRING NOT NULL,
  location_key BIGINT NOT NULL,
  location_durable_key BIGINT NOT NULL,
  location_id STRING NOT NULL,
  customer_key BIGINT NOT NULL,
  customer_id STRING,
  channel STRING NOT NULL,
  ordered_at TIMESTAMP NOT NULL,
  business_date DATE NOT NULL,
  shipped_at TIMESTAMP,
  shipped_date DATE,
  ordered_to_shipped_hours DECIMAL(18, 3),
  ordered_units DECIMAL(18, 3) NOT NULL,
  shipped_units DECIMAL(18, 3) NOT NULL,
  cancelled_units DECIMAL(18, 3) NOT NULL,
  open_units DECIMAL(18, 3) NOT NULL,
  reserved_units DECIMAL(18, 3) NOT NULL,
  currency_code STRING NOT NULL,
  ordered_amount DECIMAL(18, 4),
  reporting_ordered_amount DECIMAL(18, 4)
);
WITH located_line AS (
  SELECT
    line.source_name,
    line.order_id,
    line.line_no,
    line.location_source_name,
    line.location_id,
    line.product_source_name,
    line.product_id,
    line.customer_id,
    COALESCE(
      line.ordered_at,
      CASE WHEN try_to_timestamp('2000-01-01 ' || (COALESCE(place.timezone, project.timezone)), 'yyyy-MM-dd VV') IS NOT NULL THEN CASE WHEN from_utc_timestamp(to_utc_timestamp(CAST(line.ordered_at_local AS TIMESTAMP), (COALESCE(place.timezone, project.timezone))) + INTERVAL '60' MINUTE, (COALESCE(place.timezone, project.timezone))) = CAST(line.ordered_at_local AS TIMESTAMP) THEN to_utc_timestamp(CAST(line.ordered_at_local AS TIMESTAMP), (COALESCE(place.timezone, project.timezone))) + INTERVAL '60' MINUTE WHEN from_utc_timestamp(to_utc_timestamp(CAST(line.ordered_at_local AS TIMESTAMP), (COALESCE(place.timezone, project.timezone))) + INTERVAL '30' MINUTE, (COALESCE(place.timezone, project.timezone))) = CAST(line.ordered_at_local AS TIMESTAMP) THEN to_utc_timestamp(CAST(line.ordered_at_local AS TIMESTAMP), (COALESCE(place.timezone, project.timezone))) + INTERVAL '30' MINUTE ELSE to_utc_timestamp(CAST(line.ordered_at_local AS TIMESTAMP), (COALESCE(place.timezone, project.timezone))) END END
    ) AS ordered_at,
    line.shipped_at,
    line.ordered_quantity,
    line.reserved_quantity,
    line.shipped_quantity,
    line.cancelled_quantity,
    line.unit,
    CAST(round(line.ordered_quantity * line.unit_price_amount, 4) AS DECIMAL(18, 4)) AS ordered_amount,
    COALESCE(line.currency_code, project.currency_code) AS currency_code,
    line.channel,
    project.currency_code AS project_currency_code,
    project.timezone AS project_timezone,
    project.business_day_cutover AS project_cutover,
    project.calendar_from_date,
    project.calendar_to_date
  FROM silver.order_line AS line
  CROSS JOIN meta.project AS project
  LEFT JOIN gold.dim_location AS place
    ON place.source_name = line.location_source_name
    AND place.location_id = line.location_id
    AND place.is_latest
), dated_line AS (
  SELECT
    line.source_name,
    line.order_id,
    line.line_no,
    CASE WHEN line.ordered_at < place.valid_to_at THEN place.location_key ELSE 0 END AS location_key,
    GREATEST(CAST(conv(substr(md5(concat_ws('', CAST(length(line.location_source_name) AS STRING), ':', line.location_source_name, CAST(length(line.location_id) AS STRING), ':', line.location_id)), 1, 15), 16, 10) AS BIGINT), CAST(1 AS BIGINT)) AS location_durable_key,
    line.location_id,
    line.product_source_name,
    line.product_id,
    line.customer_id,
    COALESCE(NULLIF(line.channel, ''), place.location_type, '(unknown)') AS channel,
    line.ordered_at,
    CASE WHEN try_to_timestamp('2000-01-01 ' || (COALESCE(place.timezone, line.project_timezone)), 'yyyy-MM-dd VV') IS NOT NULL THEN CAST(from_utc_timestamp(CAST(line.ordered_at AS TIMESTAMP), (COALESCE(place.timezone, line.project_timezone))) - make_dt_interval(0, CAST(substr((COALESCE(place.business_day_cutover, line.project_cutover)), 1, 2) AS INT), CAST(substr((COALESCE(place.business_day_cutover, line.project_cutover)), 4, 2) AS INT), COALESCE(CAST(NULLIF(substr((COALESCE(place.business_day_cutover, line.project_cutover)), 7), '') AS DECIMAL(8, 6)), 0)) AS DATE) END AS business_date,
    line.shipped_at,
    CASE WHEN try_to_timestamp('2000-01-01 ' || (COALESCE(place.timezone, line.project_timezone)), 'yyyy-MM-dd VV') IS NOT NULL THEN CAST(from_utc_timestamp(CAST(line.shipped_at AS TIMESTAMP), (COALESCE(place.timezone, line.project_timezone))) - make_dt_interval(0, CAST(substr((COALESCE(place.business_day_cutover, line.project_cutover)), 1, 2) AS INT), CAST(substr((COALESCE(place.business_day_cutover, line.project_cutover)), 4, 2) AS INT), COALESCE(CAST(NULLIF(substr((COALESCE(place.business_day_cutover, line.project_cutover)), 7), '') AS DECIMAL(8, 6)), 0)) AS DATE) END AS shipped_date,
    line.ordered_quantity,
    line.reserved_quantity,
    line.shipped_quantity,
    line.cancelled_quantity,
    line.unit,
    line.ordered_amount,
    line.currency_code,
    line.project_currency_code,
    line.calendar_from_date,
    line.calendar_to_date
  FROM located_line AS line
  LEFT JOIN gold.dim_location AS place
    ON place.source_name = line.location_source_name
    AND place.location_id = line.location_id
    AND place.valid_from_at <= line.ordered_at
    AND place.superseded_at > line.ordered_at
), measured_line AS (
  SELECT
    line.source_name,
    line.order_id,
    line.line_no,
    line.location_key,
    line.location_durable_key,
    line.location_id,
    COALESCE(article.product_key, 0) AS product_key,
    GREATEST(CAST(conv(substr(md5(concat_ws('', CAST(length(line.product_source_name) AS STRING), ':', line.product_source_name, CAST(length(line.product_id) AS STRING), ':', line.product_id)), 1, 15), 16, 10) AS BIGINT), CAST(1 AS BIGINT)) AS product_durable_key,
    line.product_id,
    line.customer_id,
    line.channel,
    line.ordered_at,
    line.business_date,
    line.shipped_at,
    line.shipped_date,
    line.ordered_quantity,
    line.reserved_quantity,
    line.shipped_quantity,
    line.cancelled_quantity,
    CASE
      WHEN line.unit IS NULL OR line.unit = latest_article.base_unit
      THEN 1
      WHEN unit.base_units IS NOT NULL
      THEN unit.base_units
      WHEN latest_article.base_unit IS NULL
      THEN 1
    END AS base_units,
    line.ordered_amount,
    line.currency_code,
    CASE
      WHEN line.currency_code = line.project_currency_code
      THEN 1
      ELSE rate.exchange_rate
    END AS exchange_rate
  FROM dated_line AS line
  LEFT JOIN gold.dim_product AS article
    ON article.source_name = line.product_source_name
    AND article.product_id = line.product_id
    AND article.valid_from_at <= line.ordered_at
    AND article.valid_to_at > line.ordered_at
  LEFT JOIN gold.dim_product AS latest_article
    ON latest_article.source_name = line.product_source_name
    AND latest_article.product_id = line.product_id
    AND latest_article.is_latest
  LEFT JOIN silver.product_unit AS unit
    ON unit.source_name = line.product_source_name
    AND unit.product_id = line.product_id
    AND unit.unit = line.unit
  LEFT JOIN gold.exchange_rate_day AS rate
    ON rate.currency_code = line.currency_code AND rate.rate_date = line.business_date
  WHERE
    line.business_date BETWEEN line.calendar_from_date AND line.calendar_to_date
), converted_line AS (
  SELECT
    source_name,
    order_id,
    line_no,
    location_key,
    location_durable_key,
    location_id,
    product_key,
    product_durable_key,
    product_id,
    customer_id,
    channel,
    ordered_at,
    business_date,
    shipped_at,
    shipped_date,
    CAST(round(ordered_quantity * base_units, 3) AS DECIMAL(18, 3)) AS ordered_units,
    CAST(round(reserved_quantity * base_units, 3) AS DECIMAL(18, 3)) AS reserved_units,
    CAST(round(shipped_quantity * base_units, 3) AS DECIMAL(18, 3)) AS shipped_units,
    CAST(round(cancelled_quantity * base_units, 3) AS DECIMAL(18, 3)) AS cancelled_units,
    ordered_amount,
    currency_code,
    exchange_rate
  FROM measured_line
  WHERE
    base_units IS NOT NULL
)
SELECT
  concat_ws('-', substr(md5(concat_ws('', CAST(length(line.source_name) AS STRING), ':', line.source_name, CAST(length(line.order_id) AS STRING), ':', line.order_id, CAST(length(line.line_no) AS STRING), ':', line.line_no)), 1, 8), substr(md5(concat_ws('', CAST(length(line.source_name) AS STRING), ':', line.source_name, CAST(length(line.order_id) AS STRING), ':', line.order_id, CAST(length(line.line_no) AS STRING), ':', line.line_no)), 9, 4), substr(md5(concat_ws('', CAST(length(line.source_name) AS STRING), ':', line.source_name, CAST(length(line.order_id) AS STRING), ':', line.order_id, CAST(length(line.line_no) AS STRING), ':', line.line_no)), 13, 4), substr(md5(concat_ws('', CAST(length(line.source_name) AS STRING), ':', line.source_name, CAST(length(line.order_id) AS STRING), ':', line.order_id, CAST(length(line.line_no) AS STRING), ':', line.line_no)), 17, 4), substr(md5(concat_ws('', CAST(length(line.source_name) AS STRING), ':', line.source_name, CAST(length(line.order_id) AS STRING), ':', line.order_id, CAST(length(line.line_no) AS STRING), ':', line.line_no)), 21, 12)) AS order_line_key,
  line.source_name,
  line.order_id,
  line.line_no,
  GREATEST(CAST(conv(substr(md5(concat_ws('', CAST(length(line.source_name) AS STRING), ':', line.source_name, CAST(length(line.order_id) AS STRING), ':', line.order_id)), 1, 15), 16, 10) AS BIGINT), CAST(1 AS BIGINT)) AS order_key,
  line.product_key,
  line.product_durable_key,
  line.product_id,
  line.location_key,
  line.location_durable_key,
  line.location_id,
  COALESCE(customer.customer_key, 0) AS customer_key,
  line.customer_id,
  line.channel,
  line.ordered_at,
  line.business_date,
  line.shipped_at,
  line.shipped_date,
  CAST(CAST(((2BD * abs(CAST(unix_micros(CAST(line.shipped_at AS TIMESTAMP)) - unix_micros(CAST(line.ordered_at AS TIMESTAMP)) AS DECIMAL(20, 0))) + abs(3600000BD)) DIV NULLIF(2BD * abs(3600000BD), 0BD) * CAST(sign(CAST(unix_micros(CAST(line.shipped_at AS TIMESTAMP)) - unix_micros(CAST(line.ordered_at AS TIMESTAMP)) AS DECIMAL(20, 0))) * sign(3600000BD) AS BIGINT)) AS DECIMAL(38, 0)) * 0.001BD AS DECIMAL(18, 3)) AS ordered_to_shipped_hours,
  line.ordered_units,
  line.shipped_units,
  line.cancelled_units,
  GREATEST(line.ordered_units - line.shipped_units - line.cancelled_units, 0) AS open_units,
  line.reserved_units,
  line.currency_code,
  line.ordered_amount,
  CAST(round(line.ordered_amount * line.exchange_rate, 4) AS DECIMAL(18, 4)) AS reporting_ordered_amount
FROM converted_line AS line
LEFT JOIN gold.dim_customer AS customer
  ON customer.source_name = line.source_name
  AND customer.customer_id = line.customer_id;
