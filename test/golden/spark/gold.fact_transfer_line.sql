CREATE TABLE gold.fact_transfer_line (
  transfer_line_key STRING NOT NULL,
  source_name STRING NOT NULL,
  transfer_id STRING NOT NULL,
  line_no STRING NOT NULL,
  product_key BIGINT NOT NULL,
  product_durable_key BIGINT NOT NULL,
  product_id STRING NOT NULL,
  from_location_key BIGINT NOT NULL,
  from_location_durable_key BIGINT NOT NULL,
  from_location_id STRING NOT NULL,
  to_location_key BIGINT NOT NULL,
  to_location_durable_key BIGINT NOT NULL,
  to_location_id STRING NOT NULL,
  shipped_at TIMESTAMP NOT NULL,
  business_date DATE NOT NULL,
  received_at TIMESTAMP,
  received_date DATE,
  written_off_at TIMESTAMP,
  shipped_to_received_hours DECIMAL(18, 3),
  status STRING,
  carrier STRING,
  shipped_units DECIMAL(18, 3) NOT NULL,
  received_units DECIMAL(18, 3) NOT NULL,
  lost_units DECIMAL(18, 3) NOT NULL,
  in_transit_units DECIMAL(18, 3) NOT NULL,
  surplus_units DECIMAL(18, 3) NOT NULL,
  currency_code STRING,
  in_transit_amount DECIMAL(18, 4),
  reporting_in_transit_amount DECIMAL(18, 4)
);
WITH located_line AS (
  SELECT
    line.source_name,
    line.transfer_id,
    line.line_no,
    line.location_source_name,
    line.from_location_id,
    line.to_location_id,
    line.product_source_name,
    line.product_id,
    COALESCE(
      line.shipped_at,
      CASE WHEN try_to_timestamp('2000-01-01 ' || (COALESCE(sender.timezone, project.timezone)), 'yyyy-MM-dd VV') IS NOT NULL THEN CASE WHEN from_utc_timestamp(to_utc_timestamp(CAST(line.shipped_at_local AS TIMESTAMP), (COALESCE(sender.timezone, project.timezone))) + INTERVAL '60' MINUTE, (COALESCE(sender.timezone, project.timezone))) = CAST(line.shipped_at_local AS TIMESTAMP) THEN to_utc_timestamp(CAST(line.shipped_at_local AS TIMESTAMP), (COALESCE(sender.timezone, project.timezone))) + INTERVAL '60' MINUTE WHEN from_utc_timestamp(to_utc_timestamp(CAST(line.shipped_at_local AS TIMESTAMP), (COALESCE(sender.timezone, project.timezone))) + INTERVAL '30' MINUTE, (COALESCE(sender.timezone, project.timezone))) = CAST(line.shipped_at_local AS TIMESTAMP) THEN to_utc_timestamp(CAST(line.shipped_at_local AS TIMESTAMP), (COALESCE(sender.timezone, project.timezone))) + INTERVAL '30' MINUTE ELSE to_utc_timestamp(CAST(line.shipped_at_local AS TIMESTAMP), (COALESCE(sender.timezone, project.timezone))) END END
    ) AS shipped_at,
    COALESCE(
      line.received_at,
      CASE WHEN try_to_timestamp('2000-01-01 ' || (COALESCE(receiver.timezone, project.timezone)), 'yyyy-MM-dd VV') IS NOT NULL THEN CASE WHEN from_utc_timestamp(to_utc_timestamp(CAST(line.received_at_local AS TIMESTAMP), (COALESCE(receiver.timezone, project.timezone))) + INTERVAL '60' MINUTE, (COALESCE(receiver.timezone, project.timezone))) = CAST(line.received_at_local AS TIMESTAMP) THEN to_utc_timestamp(CAST(line.received_at_local AS TIMESTAMP), (COALESCE(receiver.timezone, project.timezone))) + INTERVAL '60' MINUTE WHEN from_utc_timestamp(to_utc_timestamp(CAST(line.received_at_local AS TIMESTAMP), (COALESCE(receiver.timezone, project.timezone))) + INTERVAL '30' MINUTE, (COALESCE(receiver.timezone, project.timezone))) = CAST(line.received_at_local AS TIMESTAMP) THEN to_utc_timestamp(CAST(line.received_at_local AS TIMESTAMP), (COALESCE(receiver.timezone, project.timezone))) + INTERVAL '30' MINUTE ELSE to_utc_timestamp(CAST(line.received_at_local AS TIMESTAMP), (COALESCE(receiver.timezone, project.timezone))) END END
    ) AS received_at,
    line.shipped_quantity,
    line.received_quantity,
    line.lost_quantity,
    line.version_at,
    line.unit,
    line.status,
    line.carrier,
    project.currency_code AS project_currency_code,
    project.timezone AS project_timezone,
    project.business_day_cutover AS project_cutover,
    project.calendar_from_date,
    project.calendar_to_date
  FROM silver.transfer_line AS line
  CROSS JOIN meta.project AS project
  LEFT JOIN gold.dim_location AS sender
    ON sender.source_name = line.location_source_name
    AND sender.location_id = line.from_location_id
    AND sender.is_latest
  LEFT JOIN gold.dim_location AS receiver
    ON receiver.source_name = line.location_source_name
    AND receiver.location_id = line.to_location_id
    AND receiver.is_latest
), dated_line AS (
  SELECT
    line.source_name,
    line.transfer_id,
    line.line_no,
    CASE WHEN line.shipped_at < sender.valid_to_at THEN sender.location_key ELSE 0 END AS from_location_key,
    GREATEST(CAST(conv(substr(md5(concat_ws('', CAST(length(line.location_source_name) AS STRING), ':', line.location_source_name, CAST(length(line.from_location_id) AS STRING), ':', line.from_location_id)), 1, 15), 16, 10) AS BIGINT), CAST(1 AS BIGINT)) AS from_location_durable_key,
    line.from_location_id,
    COALESCE(receiver.location_key, 0) AS to_location_key,
    GREATEST(CAST(conv(substr(md5(concat_ws('', CAST(length(line.location_source_name) AS STRING), ':', line.location_source_name, CAST(length(line.to_location_id) AS STRING), ':', line.to_location_id)), 1, 15), 16, 10) AS BIGINT), CAST(1 AS BIGINT)) AS to_location_durable_key,
    line.to_location_id,
    line.product_source_name,
    line.product_id,
    line.shipped_at,
    CASE WHEN try_to_timestamp('2000-01-01 ' || (COALESCE(sender.timezone, line.project_timezone)), 'yyyy-MM-dd VV') IS NOT NULL THEN CAST(from_utc_timestamp(CAST(line.shipped_at AS TIMESTAMP), (COALESCE(sender.timezone, line.project_timezone))) - make_dt_interval(0, CAST(substr((COALESCE(sender.business_day_cutover, line.project_cutover)), 1, 2) AS INT), CAST(substr((COALESCE(sender.business_day_cutover, line.project_cutover)), 4, 2) AS INT), COALESCE(CAST(NULLIF(substr((COALESCE(sender.business_day_cutover, line.project_cutover)), 7), '') AS DECIMAL(8, 6)), 0)) AS DATE) END AS business_date,
    line.received_at,
    CASE WHEN try_to_timestamp('2000-01-01 ' || (COALESCE(receiver.timezone, line.project_timezone)), 'yyyy-MM-dd VV') IS NOT NULL THEN CAST(from_utc_timestamp(CAST(line.received_at AS TIMESTAMP), (COALESCE(receiver.timezone, line.project_timezone))) - make_dt_interval(0, CAST(substr((COALESCE(receiver.business_day_cutover, line.project_cutover)), 1, 2) AS INT), CAST(substr((COALESCE(receiver.business_day_cutover, line.project_cutover)), 4, 2) AS INT), COALESCE(CAST(NULLIF(substr((COALESCE(receiver.business_day_cutover, line.project_cutover)), 7), '') AS DECIMAL(8, 6)), 0)) AS DATE) END AS received_date,
    line.shipped_quantity,
    line.received_quantity,
    line.lost_quantity,
    line.version_at,
    line.unit,
    line.status,
    line.carrier,
    line.project_currency_code,
    line.calendar_from_date,
    line.calendar_to_date
  FROM located_line AS line
  LEFT JOIN gold.dim_location AS sender
    ON sender.source_name = line.location_source_name
    AND sender.location_id = line.from_location_id
    AND sender.valid_from_at <= line.shipped_at
    AND sender.superseded_at > line.shipped_at
  LEFT JOIN gold.dim_location AS receiver
    ON receiver.source_name = line.location_source_name
    AND receiver.location_id = line.to_location_id
    AND receiver.valid_from_at <= line.shipped_at
    AND receiver.valid_to_at > line.shipped_at
), measured_line AS (
  SELECT
    line.source_name,
    line.transfer_id,
    line.line_no,
    CASE WHEN line.shipped_at < article.valid_to_at THEN article.product_key ELSE 0 END AS product_key,
    GREATEST(CAST(conv(substr(md5(concat_ws('', CAST(length(line.product_source_name) AS STRING), ':', line.product_source_name, CAST(length(line.product_id) AS STRING), ':', line.product_id)), 1, 15), 16, 10) AS BIGINT), CAST(1 AS BIGINT)) AS product_durable_key,
    line.product_id,
    line.from_location_key,
    line.from_location_durable_key,
    line.from_location_id,
    line.to_location_key,
    line.to_location_durable_key,
    line.to_location_id,
    line.shipped_at,
    line.business_date,
    line.received_at,
    line.received_date,
    CASE
      WHEN line.lost_quantity > 0 OR line.received_quantity > line.shipped_quantity
      THEN GREATEST(line.shipped_at, COALESCE(line.received_at, line.version_at))
    END AS written_off_at,
    line.shipped_quantity,
    line.received_quantity,
    line.lost_quantity,
    CASE
      WHEN line.unit IS NULL OR line.unit = latest_article.base_unit
      THEN 1
      WHEN unit.base_units IS NOT NULL
      THEN unit.base_units
      WHEN latest_article.base_unit IS NULL
      THEN 1
    END AS base_units,
    line.status,
    line.carrier,
    article.standard_cost_amount,
    CASE WHEN article.standard_cost_amount IS NOT NULL THEN article.currency_code END AS currency_code,
    CASE
      WHEN article.currency_code = line.project_currency_code
      THEN 1
      ELSE rate.exchange_rate
    END AS exchange_rate
  FROM dated_line AS line
  LEFT JOIN gold.dim_product AS article
    ON article.source_name = line.product_source_name
    AND article.product_id = line.product_id
    AND article.valid_from_at <= line.shipped_at
    AND article.superseded_at > line.shipped_at
  LEFT JOIN gold.dim_product AS latest_article
    ON latest_article.source_name = line.product_source_name
    AND latest_article.product_id = line.product_id
    AND latest_article.is_latest
  LEFT JOIN silver.product_unit AS unit
    ON unit.source_name = line.product_source_name
    AND unit.product_id = line.product_id
    AND unit.unit = line.unit
  LEFT JOIN gold.exchange_rate_day AS rate
    ON rate.currency_code = article.currency_code
    AND rate.rate_date = line.business_date
  WHERE
    line.business_date BETWEEN line.calendar_from_date AND line.calendar_to_date
), converted_line AS (
  SELECT
    source_name,
    transfer_id,
    line_no,
    product_key,
    product_durable_key,
    product_id,
    from_location_key,
    from_location_durable_key,
    from_location_id,
    to_location_key,
    to_location_durable_key,
    to_location_id,
    shipped_at,
    business_date,
    received_at,
    received_date,
    written_off_at,
    status,
    carrier,
    CAST(round(shipped_quantity * base_units, 3) AS DECIMAL(18, 3)) AS shipped_units,
    CAST(round(received_quantity * base_units, 3) AS DECIMAL(18, 3)) AS received_units,
    CAST(round(lost_quantity * base_units, 3) AS DECIMAL(18, 3)) AS lost_units,
    CAST(round((GREATEST(shipped_quantity - received_quantity - lost_quantity, 0)) * base_units, 3) AS DECIMAL(18, 3)) AS in_transit_units,
    CAST(round((GREATEST(received_quantity + lost_quantity - shipped_quantity, 0)) * base_units, 3) AS DECIMAL(18, 3)) AS surplus_units,
    standard_cost_amount,
    currency_code,
    exchange_rate
  FROM measured_line
  WHERE
    base_units IS NOT NULL
), valued_line AS (
  SELECT
    source_name,
    transfer_id,
    line_no,
    product_key,
    product_durable_key,
    product_id,
    from_location_key,
    from_location_durable_key,
    from_location_id,
    to_location_key,
    to_location_durable_key,
    to_location_id,
    shipped_at,
    business_date,
    received_at,
    received_date,
    written_off_at,
    status,
    carrier,
    shipped_units,
    received_units,
    lost_units,
    in_transit_units,
    surplus_units,
    currency_code,
    CAST(round(in_transit_units * standard_cost_amount, 4) AS DECIMAL(18, 4)) AS in_transit_amount,
    exchange_rate
  FROM converted_line
)
SELECT
  concat_ws('-', substr(md5(concat_ws('', CAST(length(source_name) AS STRING), ':', source_name, CAST(length(transfer_id) AS STRING), ':', transfer_id, CAST(length(line_no) AS STRING), ':', line_no)), 1, 8), substr(md5(concat_ws('', CAST(length(source_name) AS STRING), ':', source_name, CAST(length(transfer_id) AS STRING), ':', transfer_id, CAST(length(line_no) AS STRING), ':', line_no)), 9, 4), substr(md5(concat_ws('', CAST(length(source_name) AS STRING), ':', source_name, CAST(length(transfer_id) AS STRING), ':', transfer_id, CAST(length(line_no) AS STRING), ':', line_no)), 13, 4), substr(md5(concat_ws('', CAST(length(source_name) AS STRING), ':', source_name, CAST(length(transfer_id) AS STRING), ':', transfer_id, CAST(length(line_no) AS STRING), ':', line_no)), 17, 4), substr(md5(concat_ws('', CAST(length(source_name) AS STRING), ':', source_name, CAST(length(transfer_id) AS STRING), ':', transfer_id, CAST(length(line_no) AS STRING), ':', line_no)), 21, 12)) AS transfer_line_key,
  source_name,
  transfer_id,
  line_no,
  product_key,
  product_durable_key,
  product_id,
  from_location_key,
  from_location_durable_key,
  from_location_id,
  to_location_key,
  to_location_durable_key,
  to_location_id,
  shipped_at,
  business_date,
  received_at,
  received_date,
  written_off_at,
  CAST(CAST(((2BD * abs(CAST(unix_micros(CAST(received_at AS TIMESTAMP)) - unix_micros(CAST(shipped_at AS TIMESTAMP)) AS DECIMAL(20, 0))) + abs(3600000BD)) DIV NULLIF(2BD * abs(3600000BD), 0BD) * CAST(sign(CAST(unix_micros(CAST(received_at AS TIMESTAMP)) - unix_micros(CAST(shipped_at AS TIMESTAMP)) AS DECIMAL(20, 0))) * sign(3600000BD) AS BIGINT)) AS DECIMAL(38, 0)) * 0.001BD AS DECIMAL(18, 3)) AS shipped_to_received_hours,
  status,
  carrier,
  shipped_units,
  received_units,
  lost_units,
  in_transit_units,
  surplus_units,
  currency_code,
  in_transit_amount,
  CAST(round(in_transit_amount * exchange_rate, 4) AS DECIMAL(18, 4)) AS reporting_in_transit_amount
FROM valued_line;
