CREATE TABLE gold.fact_purchase_order_line (
  purchase_order_line_key STRING NOT NULL,
  source_name STRING NOT NULL,
  purchase_order_id STRING NOT NULL,
  line_no STRING NOT NULL,
  purchase_order_key BIGINT NOT NULL,
  supplier_key BIGINT NOT NULL,
  supplier_durable_key BIGINT NOT NULL,
  supplier_id STRING NOT NULL,
  product_key BIGINT NOT NULL,
  product_durable_key BIGINT NOT NULL,
  product_id STRING NOT NULL,
  location_key BIGINT NOT NULL,
  location_durable_key BIGINT NOT NULL,
  location_id STRING NOT NULL,
  ordered_at TIMESTAMP NOT NULL,
  business_date DATE NOT NULL,
  confirmed_at TIMESTAMP,
  shipped_at TIMESTAMP,
  received_at TIMESTAMP,
  received_date DATE,
  expected_date DATE,
  first_confirmed_date DATE,
  due_date DATE,
  ordered_to_confirmed_hours DECIMAL(18, 3),
  confirmed_to_shipped_hours DECIMAL(18, 3),
  shipped_to_received_hours DECIMAL(18, 3),
  lead_time_days INT,
  is_cancelled BOOLEAN NOT NULL,
  is_closed BOOLEAN NOT NULL,
  ordered_units DECIMAL(18, 3) NOT NULL,
  received_units DECIMAL(18, 3) NOT NULL,
  rejected_units DECIMAL(18, 3) NOT NULL,
  accepted_units DECIMAL(18, 3) NOT NULL,
  on_order_units DECIMAL(18, 3) NOT NULL,
  is_in_full BOOLEAN NOT NULL,
  is_on_time_in_full BOOLEAN,
  currency_code STRING NOT NULL,
  ordered_amount DECIMAL(18, 4),
  reporting_ordered_amount DECIMAL(18, 4)
);
WITH located_line AS (
  SELECT
    line.source_name,
    line.purchase_order_id,
    line.line_no,
    line.supplier_source_name,
    line.supplier_id,
    line.location_source_name,
    line.location_id,
    line.product_source_name,
    line.product_id,
    COALESCE(
      line.ordered_at,
      CASE WHEN try_to_timestamp('2000-01-01 ' || (COALESCE(place.timezone, project.timezone)), 'yyyy-MM-dd VV') IS NOT NULL THEN CASE WHEN from_utc_timestamp(to_utc_timestamp(CAST(line.ordered_at_local AS TIMESTAMP), (COALESCE(place.timezone, project.timezone))) + INTERVAL '60' MINUTE, (COALESCE(place.timezone, project.timezone))) = CAST(line.ordered_at_local AS TIMESTAMP) THEN to_utc_timestamp(CAST(line.ordered_at_local AS TIMESTAMP), (COALESCE(place.timezone, project.timezone))) + INTERVAL '60' MINUTE WHEN from_utc_timestamp(to_utc_timestamp(CAST(line.ordered_at_local AS TIMESTAMP), (COALESCE(place.timezone, project.timezone))) + INTERVAL '30' MINUTE, (COALESCE(place.timezone, project.timezone))) = CAST(line.ordered_at_local AS TIMESTAMP) THEN to_utc_timestamp(CAST(line.ordered_at_local AS TIMESTAMP), (COALESCE(place.timezone, project.timezone))) + INTERVAL '30' MINUTE ELSE to_utc_timestamp(CAST(line.ordered_at_local AS TIMESTAMP), (COALESCE(place.timezone, project.timezone))) END END
    ) AS ordered_at,
    line.confirmed_at,
    line.shipped_at,
    COALESCE(
      line.received_at,
      CASE WHEN try_to_timestamp('2000-01-01 ' || (COALESCE(place.timezone, project.timezone)), 'yyyy-MM-dd VV') IS NOT NULL THEN CASE WHEN from_utc_timestamp(to_utc_timestamp(CAST(line.received_at_local AS TIMESTAMP), (COALESCE(place.timezone, project.timezone))) + INTERVAL '60' MINUTE, (COALESCE(place.timezone, project.timezone))) = CAST(line.received_at_local AS TIMESTAMP) THEN to_utc_timestamp(CAST(line.received_at_local AS TIMESTAMP), (COALESCE(place.timezone, project.timezone))) + INTERVAL '60' MINUTE WHEN from_utc_timestamp(to_utc_timestamp(CAST(line.received_at_local AS TIMESTAMP), (COALESCE(place.timezone, project.timezone))) + INTERVAL '30' MINUTE, (COALESCE(place.timezone, project.timezone))) = CAST(line.received_at_local AS TIMESTAMP) THEN to_utc_timestamp(CAST(line.received_at_local AS TIMESTAMP), (COALESCE(place.timezone, project.timezone))) + INTERVAL '30' MINUTE ELSE to_utc_timestamp(CAST(line.received_at_local AS TIMESTAMP), (COALESCE(place.timezone, project.timezone))) END END
    ) AS received_at,
    COALESCE(place.timezone, project.timezone) AS latest_timezone,
    COALESCE(place.business_day_cutover, project.business_day_cutover) AS latest_cutover,
    line.expected_date,
    line.first_confirmed_date,
    line.is_cancelled,
    line.is_closed,
    line.ordered_quantity,
    line.received_quantity,
    line.rejected_quantity,
    line.unit,
    CAST(round(line.ordered_quantity * line.unit_cost_amount, 4) AS DECIMAL(18, 4)) AS ordered_amount,
    COALESCE(line.currency_code, project.currency_code) AS currency_code,
    project.currency_code AS project_currency_code,
    project.timezone AS project_timezone,
    project.business_day_cutover AS project_cutover,
    project.calendar_from_date,
    project.calendar_to_date
  FROM silver.purchase_order_line AS line
  CROSS JOIN meta.project AS project
  LEFT JOIN gold.dim_location AS place
    ON place.source_name = line.location_source_name
    AND place.location_id = line.location_id
    AND place.is_latest
), dated_line AS (
  SELECT
    line.source_name,
    line.purchase_order_id,
    line.line_no,
    line.supplier_source_name,
    line.supplier_id,
    CASE WHEN line.ordered_at < place.valid_to_at THEN place.location_key ELSE 0 END AS location_key,
    GREATEST(CAST(conv(substr(md5(concat_ws('', CAST(length(line.location_source_name) AS STRING), ':', line.location_source_name, CAST(length(line.location_id) AS STRING), ':', line.location_id)), 1, 15), 16, 10) AS BIGINT), CAST(1 AS BIGINT)) AS location_durable_key,
    line.location_id,
    line.product_source_name,
    line.product_id,
    line.ordered_at,
    CASE WHEN try_to_timestamp('2000-01-01 ' || (COALESCE(place.timezone, line.project_timezone)), 'yyyy-MM-dd VV') IS NOT NULL THEN CAST(from_utc_timestamp(CAST(line.ordered_at AS TIMESTAMP), (COALESCE(place.timezone, line.project_timezone))) - make_dt_interval(0, CAST(substr((COALESCE(place.business_day_cutover, line.project_cutover)), 1, 2) AS INT), CAST(substr((COALESCE(place.business_day_cutover, line.project_cutover)), 4, 2) AS INT), COALESCE(CAST(NULLIF(substr((COALESCE(place.business_day_cutover, line.project_cutover)), 7), '') AS DECIMAL(8, 6)), 0)) AS DATE) END AS business_date,
    line.confirmed_at,
    line.shipped_at,
    line.received_at,
    CASE WHEN try_to_timestamp('2000-01-01 ' || line.latest_timezone, 'yyyy-MM-dd VV') IS NOT NULL THEN CAST(from_utc_timestamp(CAST(line.received_at AS TIMESTAMP), line.latest_timezone) - make_dt_interval(0, CAST(substr(line.latest_cutover, 1, 2) AS INT), CAST(substr(line.latest_cutover, 4, 2) AS INT), COALESCE(CAST(NULLIF(substr(line.latest_cutover, 7), '') AS DECIMAL(8, 6)), 0)) AS DATE) END AS received_date,
    line.expected_date,
    line.first_confirmed_date,
    line.is_cancelled,
    line.is_closed,
    line.ordered_quantity,
    line.received_quantity,
    line.rejected_quantity,
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
    line.purchase_order_id,
    line.line_no,
    COALESCE(supplier.supplier_key, 0) AS supplier_key,
    GREATEST(CAST(conv(substr(md5(concat_ws('', CAST(length(line.supplier_source_name) AS STRING), ':', line.supplier_source_name, CAST(length(line.supplier_id) AS STRING), ':', line.supplier_id)), 1, 15), 16, 10) AS BIGINT), CAST(1 AS BIGINT)) AS supplier_durable_key,
    line.supplier_id,
    line.location_key,
    line.location_durable_key,
    line.location_id,
    COALESCE(article.product_key, 0) AS product_key,
    GREATEST(CAST(conv(substr(md5(concat_ws('', CAST(length(line.product_source_name) AS STRING), ':', line.product_source_name, CAST(length(line.product_id) AS STRING), ':', line.product_id)), 1, 15), 16, 10) AS BIGINT), CAST(1 AS BIGINT)) AS product_durable_key,
    line.product_id,
    line.ordered_at,
    line.business_date,
    line.confirmed_at,
    line.shipped_at,
    line.received_at,
    line.received_date,
    line.expected_date,
    line.first_confirmed_date,
    COALESCE(line.first_confirmed_date, line.expected_date) AS due_date,
    line.is_cancelled,
    line.is_closed,
    line.ordered_quantity,
    line.received_quantity,
    line.rejected_quantity,
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
  LEFT JOIN gold.dim_supplier AS supplier
    ON supplier.source_name = line.supplier_source_name
    AND supplier.supplier_id = line.supplier_id
    AND supplier.valid_from_at <= line.ordered_at
    AND supplier.valid_to_at > line.ordered_at
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
    purchase_order_id,
    line_no,
    supplier_key,
    supplier_durable_key,
    supplier_id,
    location_key,
    location_durable_key,
    location_id,
    product_key,
    product_durable_key,
    product_id,
    ordered_at,
    business_date,
    confirmed_at,
    shipped_at,
    received_at,
    received_date,
    expected_date,
    first_confirmed_date,
    due_date,
    is_cancelled,
    is_closed,
    CAST(round(ordered_quantity * base_units, 3) AS DECIMAL(18, 3)) AS ordered_units,
    CAST(round(received_quantity * base_units, 3) AS DECIMAL(18, 3)) AS received_units,
    CAST(round(rejected_quantity * base_units, 3) AS DECIMAL(18, 3)) AS rejected_units,
    ordered_quantity <= received_quantity - rejected_quantity AS is_in_full,
    ordered_amount,
    currency_code,
    exchange_rate
  FROM measured_line
  WHERE
    base_units IS NOT NULL
)
SELECT
  concat_ws('-', substr(md5(concat_ws('', CAST(length(source_name) AS STRING), ':', source_name, CAST(length(purchase_order_id) AS STRING), ':', purchase_order_id, CAST(length(line_no) AS STRING), ':', line_no)), 1, 8), substr(md5(concat_ws('', CAST(length(source_name) AS STRING), ':', source_name, CAST(length(purchase_order_id) AS STRING), ':', purchase_order_id, CAST(length(line_no) AS STRING), ':', line_no)), 9, 4), substr(md5(concat_ws('', CAST(length(source_name) AS STRING), ':', source_name, CAST(length(purchase_order_id) AS STRING), ':', purchase_order_id, CAST(length(line_no) AS STRING), ':', line_no)), 13, 4), substr(md5(concat_ws('', CAST(length(source_name) AS STRING), ':', source_name, CAST(length(purchase_order_id) AS STRING), ':', purchase_order_id, CAST(length(line_no) AS STRING), ':', line_no)), 17, 4), substr(md5(concat_ws('', CAST(length(source_name) AS STRING), ':', source_name, CAST(length(purchase_order_id) AS STRING), ':', purchase_order_id, CAST(length(line_no) AS STRING), ':', line_no)), 21, 12)) AS purchase_order_line_key,
  source_name,
  purchase_order_id,
  line_no,
  GREATEST(CAST(conv(substr(md5(concat_ws('', CAST(length(source_name) AS STRING), ':', source_name, CAST(length(purchase_order_id) AS STRING), ':', purchase_order_id)), 1, 15), 16, 10) AS BIGINT), CAST(1 AS BIGINT)) AS purchase_order_key,
  supplier_key,
  supplier_durable_key,
  supplier_id,
  product_key,
  product_durable_key,
  product_id,
  location_key,
  location_durable_key,
  location_id,
  ordered_at,
  business_date,
  confirmed_at,
  shipped_at,
  received_at,
  received_date,
  expected_date,
  first_confirmed_date,
  due_date,
  CAST(CAST(((2BD * abs(CAST(unix_micros(CAST(confirmed_at AS TIMESTAMP)) - unix_micros(CAST(ordered_at AS TIMESTAMP)) AS DECIMAL(20, 0))) + abs(3600000BD)) DIV NULLIF(2BD * abs(3600000BD), 0BD) * CAST(sign(CAST(unix_micros(CAST(confirmed_at AS TIMESTAMP)) - unix_micros(CAST(ordered_at AS TIMESTAMP)) AS DECIMAL(20, 0))) * sign(3600000BD) AS BIGINT)) AS DECIMAL(38, 0)) * 0.001BD AS DECIMAL(18, 3)) AS ordered_to_confirmed_hours,
  CAST(CAST(((2BD * abs(CAST(unix_micros(CAST(shipped_at AS TIMESTAMP)) - unix_micros(CAST(confirmed_at AS TIMESTAMP)) AS DECIMAL(20, 0))) + abs(3600000BD)) DIV NULLIF(2BD * abs(3600000BD), 0BD) * CAST(sign(CAST(unix_micros(CAST(shipped_at AS TIMESTAMP)) - unix_micros(CAST(confirmed_at AS TIMESTAMP)) AS DECIMAL(20, 0))) * sign(3600000BD) AS BIGINT)) AS DECIMAL(38, 0)) * 0.001BD AS DECIMAL(18, 3)) AS confirmed_to_shipped_hours,
  CAST(CAST(((2BD * abs(CAST(unix_micros(CAST(received_at AS TIMESTAMP)) - unix_micros(CAST(shipped_at AS TIMESTAMP)) AS DECIMAL(20, 0))) + abs(3600000BD)) DIV NULLIF(2BD * abs(3600000BD), 0BD) * CAST(sign(CAST(unix_micros(CAST(received_at AS TIMESTAMP)) - unix_micros(CAST(shipped_at AS TIMESTAMP)) AS DECIMAL(20, 0))) * sign(3600000BD) AS BIGINT)) AS DECIMAL(38, 0)) * 0.001BD AS DECIMAL(18, 3)) AS shipped_to_received_hours,
  datediff(CAST(received_date AS DATE), CAST(business_date AS DATE)) AS lead_time_days,
  is_cancelled,
  is_closed,
  ordered_units,
  received_units,
  rejected_units,
  received_units - rejected_units AS accepted_units,
  CASE
    WHEN is_cancelled OR is_closed
    THEN 0
    ELSE GREATEST(ordered_units - received_units + rejected_units, 0)
  END AS on_order_units,
  is_in_full,
  CASE
    WHEN due_date IS NOT NULL
    THEN is_in_full AND COALESCE(received_date, business_date) <= due_date
  END AS is_on_time_in_full,
  currency_code,
  ordered_amount,
  CAST(round(ordered_amount * exchange_rate, 4) AS DECIMAL(18, 4)) AS reporting_ordered_amount
FROM converted_line;
