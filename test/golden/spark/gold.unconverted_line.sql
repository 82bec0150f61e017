CREATE TABLE gold.unconverted_line (
  unconverted_line_key STRING NOT NULL,
  entity STRING NOT NULL,
  source_name STRING NOT NULL,
  natural_key STRING NOT NULL,
  reason STRING NOT NULL,
  held_value STRING NOT NULL,
  product_id STRING NOT NULL,
  location_id STRING NOT NULL,
  business_date DATE NOT NULL
);
WITH calendar AS (
  SELECT
    project.currency_code,
    project.timezone,
    project.business_day_cutover,
    project.calendar_from_date,
    project.calendar_to_date,
    CASE WHEN from_utc_timestamp(to_utc_timestamp(CAST((CAST(CAST(date_add(CAST(project.calendar_from_date AS DATE), CAST(2 AS INT)) AS DATE) AS TIMESTAMP) + make_dt_interval(0, CAST(substr(CAST('00:00' AS STRING), 1, 2) AS INT), CAST(substr(CAST('00:00' AS STRING), 4, 2) AS INT), COALESCE(CAST(NULLIF(substr(CAST('00:00' AS STRING), 7), '') AS DECIMAL(8, 6)), 0))) AS TIMESTAMP), 'UTC') + INTERVAL '60' MINUTE, 'UTC') = CAST((CAST(CAST(date_add(CAST(project.calendar_from_date AS DATE), CAST(2 AS INT)) AS DATE) AS TIMESTAMP) + make_dt_interval(0, CAST(substr(CAST('00:00' AS STRING), 1, 2) AS INT), CAST(substr(CAST('00:00' AS STRING), 4, 2) AS INT), COALESCE(CAST(NULLIF(substr(CAST('00:00' AS STRING), 7), '') AS DECIMAL(8, 6)), 0))) AS TIMESTAMP) THEN to_utc_timestamp(CAST((CAST(CAST(date_add(CAST(project.calendar_from_date AS DATE), CAST(2 AS INT)) AS DATE) AS TIMESTAMP) + make_dt_interval(0, CAST(substr(CAST('00:00' AS STRING), 1, 2) AS INT), CAST(substr(CAST('00:00' AS STRING), 4, 2) AS INT), COALESCE(CAST(NULLIF(substr(CAST('00:00' AS STRING), 7), '') AS DECIMAL(8, 6)), 0))) AS TIMESTAMP), 'UTC') + INTERVAL '60' MINUTE WHEN from_utc_timestamp(to_utc_timestamp(CAST((CAST(CAST(date_add(CAST(project.calendar_from_date AS DATE), CAST(2 AS INT)) AS DATE) AS TIMESTAMP) + make_dt_interval(0, CAST(substr(CAST('00:00' AS STRING), 1, 2) AS INT), CAST(substr(CAST('00:00' AS STRING), 4, 2) AS INT), COALESCE(CAST(NULLIF(substr(CAST('00:00' AS STRING), 7), '') AS DECIMAL(8, 6)), 0))) AS TIMESTAMP), 'UTC') + INTERVAL '30' MINUTE, 'UTC') = CAST((CAST(CAST(date_add(CAST(project.calendar_from_date AS DATE), CAST(2 AS INT)) AS DATE) AS TIMESTAMP) + make_dt_interval(0, CAST(substr(CAST('00:00' AS STRING), 1, 2) AS INT), CAST(substr(CAST('00:00' AS STRING), 4, 2) AS INT), COALESCE(CAST(NULLIF(substr(CAST('00:00' AS STRING), 7), '') AS DECIMAL(8, 6)), 0))) AS TIMESTAMP) THEN to_utc_timestamp(CAST((CAST(CAST(date_add(CAST(project.calendar_from_date AS DATE), CAST(2 AS INT)) AS DATE) AS TIMESTAMP) + make_dt_interval(0, CAST(substr(CAST('00:00' AS STRING), 1, 2) AS INT), CAST(substr(CAST('00:00' AS STRING), 4, 2) AS INT), COALESCE(CAST(NULLIF(substr(CAST('00:00' AS STRING), 7), '') AS DECIMAL(8, 6)), 0))) AS TIMESTAMP), 'UTC') + INTERVAL '30' MINUTE ELSE to_utc_timestamp(CAST((CAST(CAST(date_add(CAST(project.calendar_from_date AS DATE), CAST(2 AS INT)) AS DATE) AS TIMESTAMP) + make_dt_interval(0, CAST(substr(CAST('00:00' AS STRING), 1, 2) AS INT), CAST(substr(CAST('00:00' AS STRING), 4, 2) AS INT), COALESCE(CAST(NULLIF(substr(CAST('00:00' AS STRING), 7), '') AS DECIMAL(8, 6)), 0))) AS TIMESTAMP), 'UTC') END AS safe_from_at,
    CASE WHEN from_utc_timestamp(to_utc_timestamp(CAST((CAST(CAST(date_add(CAST(project.calendar_to_date AS DATE), CAST((-2) AS INT)) AS DATE) AS TIMESTAMP) + make_dt_interval(0, CAST(substr(CAST('00:00' AS STRING), 1, 2) AS INT), CAST(substr(CAST('00:00' AS STRING), 4, 2) AS INT), COALESCE(CAST(NULLIF(substr(CAST('00:00' AS STRING), 7), '') AS DECIMAL(8, 6)), 0))) AS TIMESTAMP), 'UTC') + INTERVAL '60' MINUTE, 'UTC') = CAST((CAST(CAST(date_add(CAST(project.calendar_to_date AS DATE), CAST((-2) AS INT)) AS DATE) AS TIMESTAMP) + make_dt_interval(0, CAST(substr(CAST('00:00' AS STRING), 1, 2) AS INT), CAST(substr(CAST('00:00' AS STRING), 4, 2) AS INT), COALESCE(CAST(NULLIF(substr(CAST('00:00' AS STRING), 7), '') AS DECIMAL(8, 6)), 0))) AS TIMESTAMP) THEN to_utc_timestamp(CAST((CAST(CAST(date_add(CAST(project.calendar_to_date AS DATE), CAST((-2) AS INT)) AS DATE) AS TIMESTAMP) + make_dt_interval(0, CAST(substr(CAST('00:00' AS STRING), 1, 2) AS INT), CAST(substr(CAST('00:00' AS STRING), 4, 2) AS INT), COALESCE(CAST(NULLIF(substr(CAST('00:00' AS STRING), 7), '') AS DECIMAL(8, 6)), 0))) AS TIMESTAMP), 'UTC') + INTERVAL '60' MINUTE WHEN from_utc_timestamp(to_utc_timestamp(CAST((CAST(CAST(date_add(CAST(project.calendar_to_date AS DATE), CAST((-2) AS INT)) AS DATE) AS TIMESTAMP) + make_dt_interval(0, CAST(substr(CAST('00:00' AS STRING), 1, 2) AS INT), CAST(substr(CAST('00:00' AS STRING), 4, 2) AS INT), COALESCE(CAST(NULLIF(substr(CAST('00:00' AS STRING), 7), '') AS DECIMAL(8, 6)), 0))) AS TIMESTAMP), 'UTC') + INTERVAL '30' MINUTE, 'UTC') = CAST((CAST(CAST(date_add(CAST(project.calendar_to_date AS DATE), CAST((-2) AS INT)) AS DATE) AS TIMESTAMP) + make_dt_interval(0, CAST(substr(CAST('00:00' AS STRING), 1, 2) AS INT), CAST(substr(CAST('00:00' AS STRING), 4, 2) AS INT), COALESCE(CAST(NULLIF(substr(CAST('00:00' AS STRING), 7), '') AS DECIMAL(8, 6)), 0))) AS TIMESTAMP) THEN to_utc_timestamp(CAST((CAST(CAST(date_add(CAST(project.calendar_to_date AS DATE), CAST((-2) AS INT)) AS DATE) AS TIMESTAMP) + make_dt_interval(0, CAST(substr(CAST('00:00' AS STRING), 1, 2) AS INT), CAST(substr(CAST('00:00' AS STRING), 4, 2) AS INT), COALESCE(CAST(NULLIF(substr(CAST('00:00' AS STRING), 7), '') AS DECIMAL(8, 6)), 0))) AS TIMESTAMP), 'UTC') + INTERVAL '30' MINUTE ELSE to_utc_timestamp(CAST((CAST(CAST(date_add(CAST(project.calendar_to_date AS DATE), CAST((-2) AS INT)) AS DATE) AS TIMESTAMP) + make_dt_interval(0, CAST(substr(CAST('00:00' AS STRING), 1, 2) AS INT), CAST(substr(CAST('00:00' AS STRING), 4, 2) AS INT), COALESCE(CAST(NULLIF(substr(CAST('00:00' AS STRING), 7), '') AS DECIMAL(8, 6)), 0))) AS TIMESTAMP), 'UTC') END AS safe_to_at
  FROM meta.project AS project
), entry AS (
  SELECT
    'sale_line' AS entity,
    line.source_name,
    line.sale_id AS entry_id,
    line.line_no AS entry_line_no,
    line.location_source_name,
    line.location_id,
    line.product_source_name,
    line.product_id,
    line.unit,
    COALESCE(line.currency_code, calendar.currency_code) AS currency_code,
    line.sold_at AS stated_at,
    line.sold_at_local AS stated_at_local,
    CAST(NULL AS DATE) AS stated_date
  FROM silver.sale_line AS line
  CROSS JOIN calendar
  WHERE
    line.unit IS NOT NULL
    OR line.currency_code <> calendar.currency_code
    OR COALESCE(
      line.sold_at,
      CASE WHEN from_utc_timestamp(to_utc_timestamp(CAST(line.sold_at_local AS TIMESTAMP), 'UTC') + INTERVAL '60' MINUTE, 'UTC') = CAST(line.sold_at_local AS TIMESTAMP) THEN to_utc_timestamp(CAST(line.sold_at_local AS TIMESTAMP), 'UTC') + INTERVAL '60' MINUTE WHEN from_utc_timestamp(to_utc_timestamp(CAST(line.sold_at_local AS TIMESTAMP), 'UTC') + INTERVAL '30' MINUTE, 'UTC') = CAST(line.sold_at_local AS TIMESTAMP) THEN to_utc_timestamp(CAST(line.sold_at_local AS TIMESTAMP), 'UTC') + INTERVAL '30' MINUTE ELSE to_utc_timestamp(CAST(line.sold_at_local AS TIMESTAMP), 'UTC') END
    ) < calendar.safe_from_at
    OR COALESCE(
      line.sold_at,
      CASE WHEN from_utc_timestamp(to_utc_timestamp(CAST(line.sold_at_local AS TIMESTAMP), 'UTC') + INTERVAL '60' MINUTE, 'UTC') = CAST(line.sold_at_local AS TIMESTAMP) THEN to_utc_timestamp(CAST(line.sold_at_local AS TIMESTAMP), 'UTC') + INTERVAL '60' MINUTE WHEN from_utc_timestamp(to_utc_timestamp(CAST(line.sold_at_local AS TIMESTAMP), 'UTC') + INTERVAL '30' MINUTE, 'UTC') = CAST(line.sold_at_local AS TIMESTAMP) THEN to_utc_timestamp(CAST(line.sold_at_local AS TIMESTAMP), 'UTC') + INTERVAL '30' MINUTE ELSE to_utc_timestamp(CAST(line.sold_at_local AS TIMESTAMP), 'UTC') END
    ) > calendar.safe_to_at
  UNION ALL
  SELECT
    'stock_movement' AS entity,
    movement.source_name,
    movement.movement_id AS entry_id,
    CAST(NULL AS STRING) AS entry_line_no,
    movement.location_source_name,
    movement.location_id,
    movement.product_source_name,
    movement.product_id,
    movement.unit,
    calendar.currency_code,
    movement.occurred_at AS stated_at,
    movement.occurred_at_local AS stated_at_local,
    CAST(NULL AS DATE) AS stated_date
  FROM silver.stock_movement AS movement
  CROSS JOIN calendar
  WHERE
    movement.unit IS NOT NULL
    OR COALESCE(
      movement.occurred_at,
      CASE WHEN from_utc_timestamp(to_utc_timestamp(CAST(movement.occurred_at_local AS TIMESTAMP), 'UTC') + INTERVAL '60' MINUTE, 'UTC') = CAST(movement.occurred_at_local AS TIMESTAMP) THEN to_utc_timestamp(CAST(movement.occurred_at_local AS TIMESTAMP), 'UTC') + INTERVAL '60' MINUTE WHEN from_utc_timestamp(to_utc_timestamp(CAST(movement.occurred_at_local AS TIMESTAMP), 'UTC') + INTERVAL '30' MINUTE, 'UTC') = CAST(movement.occurred_at_local AS TIMESTAMP) THEN to_utc_timestamp(CAST(movement.occurred_at_local AS TIMESTAMP), 'UTC') + INTERVAL '30' MINUTE ELSE to_utc_timestamp(CAST(movement.occurred_at_local AS TIMESTAMP), 'UTC') END
    ) < calendar.safe_from_at
    OR COALESCE(
      movement.occurred_at,
      CASE WHEN from_utc_timestamp(to_utc_timestamp(CAST(movement.occurred_at_local AS TIMESTAMP), 'UTC') + INTERVAL '60' MINUTE, 'UTC') = CAST(movement.occurred_at_local AS TIMESTAMP) THEN to_utc_timestamp(CAST(movement.occurred_at_local AS TIMESTAMP), 'UTC') + INTERVAL '60' MINUTE WHEN from_utc_timestamp(to_utc_timestamp(CAST(movement.occurred_at_local AS TIMESTAMP), 'UTC') + INTERVAL '30' MINUTE, 'UTC') = CAST(movement.occurred_at_local AS TIMESTAMP) THEN to_utc_timestamp(CAST(movement.occurred_at_local AS TIMESTAMP), 'UTC') + INTERVAL '30' MINUTE ELSE to_utc_timestamp(CAST(movement.occurred_at_local AS TIMESTAMP), 'UTC') END
    ) > calendar.safe_to_at
  UNION ALL
  SELECT
    'stock_count' AS entity,
    counted.source_name,
    counted.count_id AS entry_id,
    CAST(NULL AS STRING) AS entry_line_no,
    counted.location_source_name,
    counted.location_id,
    counted.product_source_name,
    counted.product_id,
    counted.unit,
    calendar.currency_code,
    CASE
      WHEN counted.counted_at_local IS NULL AND counted.counted_date IS NULL
      THEN COALESCE(counted.counted_at, counted.version_at)
      ELSE counted.counted_at
    END AS stated_at,
    counted.counted_at_local AS stated_at_local,
    counted.counted_date AS stated_date
  FROM silver.stock_count AS counted
  CROSS JOIN calendar
  WHERE
    counted.unit IS NOT NULL
    OR counted.counted_date < date_add(CAST(calendar.calendar_from_date AS DATE), CAST(2 AS INT))
    OR counted.counted_date > date_add(CAST(calendar.calendar_to_date AS DATE), CAST((-2) AS INT))
    OR COALESCE(
      counted.counted_at,
      CASE WHEN from_utc_timestamp(to_utc_timestamp(CAST(counted.counted_at_local AS TIMESTAMP), 'UTC') + INTERVAL '60' MINUTE, 'UTC') = CAST(counted.counted_at_local AS TIMESTAMP) THEN to_utc_timestamp(CAST(counted.counted_at_local AS TIMESTAMP), 'UTC') + INTERVAL '60' MINUTE WHEN from_utc_timestamp(to_utc_timestamp(CAST(counted.counted_at_local AS TIMESTAMP), 'UTC') + INTERVAL '30' MINUTE, 'UTC') = CAST(counted.counted_at_local AS TIMESTAMP) THEN to_utc_timestamp(CAST(counted.counted_at_local AS TIMESTAMP), 'UTC') + INTERVAL '30' MINUTE ELSE to_utc_timestamp(CAST(counted.counted_at_local AS TIMESTAMP), 'UTC') END,
      counted.version_at
    ) < calendar.safe_from_at
    OR COALESCE(
      counted.counted_at,
      CASE WHEN from_utc_timestamp(to_utc_timestamp(CAST(counted.counted_at_local AS TIMESTAMP), 'UTC') + INTERVAL '60' MINUTE, 'UTC') = CAST(counted.counted_at_local AS TIMESTAMP) THEN to_utc_timestamp(CAST(counted.counted_at_local AS TIMESTAMP), 'UTC') + INTERVAL '60' MINUTE WHEN from_utc_timestamp(to_utc_timestamp(CAST(counted.counted_at_local AS TIMESTAMP), 'UTC') + INTERVAL '30' MINUTE, 'UTC') = CAST(counted.counted_at_local AS TIMESTAMP) THEN to_utc_timestamp(CAST(counted.counted_at_local AS TIMESTAMP), 'UTC') + INTERVAL '30' MINUTE ELSE to_utc_timestamp(CAST(counted.counted_at_local AS TIMESTAMP), 'UTC') END,
      counted.version_at
    ) > calendar.safe_to_at
), suspect AS (
  SELECT
    entry.entity,
    entry.source_name,
    entry.entry_id,
    entry.entry_line_no,
    entry.location_source_name,
    entry.location_id,
    entry.product_id,
    entry.unit,
    entry.currency_code,
    entry.stated_at,
    entry.stated_at_local,
    entry.stated_date,
    entry.unit <> article.base_unit AND unit.base_units IS NULL AS is_unit_lacking,
    entry.currency_code <> calendar.currency_code AS is_rate_needed
  FROM entry
  CROSS JOIN calendar
  LEFT JOIN gold.dim_product AS article
    ON article.source_name = entry.product_source_name
    AND article.product_id = entry.product_id
    AND article.is_latest
  LEFT JOIN silver.product_unit AS unit
    ON unit.source_name = entry.product_source_name
    AND unit.product_id = entry.product_id
    AND unit.unit = entry.unit
), located_suspect AS (
  SELECT
    suspect.entity,
    suspect.source_name,
    suspect.entry_id,
    suspect.entry_line_no,
    suspect.location_source_name,
    suspect.location_id,
    suspect.product_id,
    suspect.unit,
    suspect.currency_code,
    suspect.is_unit_lacking,
    suspect.is_rate_needed,
    suspect.stated_date,
    COALESCE(
      suspect.stated_at,
      CASE WHEN try_to_timestamp('2000-01-01 ' || (COALESCE(place.timezone, calendar.timezone)), 'yyyy-MM-dd VV') IS NOT NULL THEN CASE WHEN from_utc_timestamp(to_utc_timestamp(CAST(suspect.stated_at_local AS TIMESTAMP), (COALESCE(place.timezone, calendar.timezone))) + INTERVAL '60' MINUTE, (COALESCE(place.timezone, calendar.timezone))) = CAST(suspect.stated_at_local AS TIMESTAMP) THEN to_utc_timestamp(CAST(suspect.stated_at_local AS TIMESTAMP), (COALESCE(place.timezone, calendar.timezone))) + INTERVAL '60' MINUTE WHEN from_utc_timestamp(to_utc_timestamp(CAST(suspect.stated_at_local AS TIMESTAMP), (COALESCE(place.timezone, calendar.timezone))) + INTERVAL '30' MINUTE, (COALESCE(place.timezone, calendar.timezone))) = CAST(suspect.stated_at_local AS TIMESTAMP) THEN to_utc_timestamp(CAST(suspect.stated_at_local AS TIMESTAMP), (COALESCE(place.timezone, calendar.timezone))) + INTERVAL '30' MINUTE ELSE to_utc_timestamp(CAST(suspect.stated_at_local AS TIMESTAMP), (COALESCE(place.timezone, calendar.timezone))) END END
    ) AS stated_at
  FROM suspect
  CROSS JOIN calendar
  LEFT JOIN gold.dim_location AS place
    ON place.source_name = suspect.location_source_name
    AND place.location_id = suspect.location_id
    AND place.is_latest
), dated_suspect AS (
  SELECT
    suspect.entity,
    suspect.source_name,
    suspect.entry_id,
    suspect.entry_line_no,
    suspect.location_id,
    suspect.product_id,
    suspect.unit,
    suspect.currency_code,
    suspect.is_unit_lacking,
    suspect.is_rate_needed,
    CASE
      WHEN suspect.stated_at IS NULL
      THEN suspect.stated_date
      ELSE CASE WHEN try_to_timestamp('2000-01-01 ' || (COALESCE(place.timezone, calendar.timezone)), 'yyyy-MM-dd VV') IS NOT NULL THEN CAST(from_utc_timestamp(CAST(suspect.stated_at AS TIMESTAMP), (COALESCE(place.timezone, calendar.timezone))) - make_dt_interval(0, CAST(substr((COALESCE(place.business_day_cutover, calendar.business_day_cutover)), 1, 2) AS INT), CAST(substr((COALESCE(place.business_day_cutover, calendar.business_day_cutover)), 4, 2) AS INT), COALESCE(CAST(NULLIF(substr((COALESCE(place.business_day_cutover, calendar.business_day_cutover)), 7), '') AS DECIMAL(8, 6)), 0)) AS DATE) END
    END AS business_date
  FROM located_suspect AS suspect
  CROSS JOIN calendar
  LEFT JOIN gold.dim_location AS place
    ON place.source_name = suspect.location_source_name
    AND place.location_id = suspect.location_id
    AND place.valid_from_at <= suspect.stated_at
    AND place.superseded_at > suspect.stated_at
), judged_suspect AS (
  SELECT
    suspect.entity,
    suspect.source_name,
    suspect.entry_id,
    suspect.entry_line_no,
    suspect.location_id,
    suspect.product_id,
    suspect.unit,
    suspect.currency_code,
    suspect.business_date,
    CASE
      WHEN NOT suspect.business_date BETWEEN calendar.calendar_from_date AND calendar.calendar_to_date
      THEN 'date outside the calendar'
      WHEN suspect.is_unit_lacking
      THEN 'unit without conversion'
      WHEN suspect.is_rate_needed AND rate.exchange_rate IS NULL
      THEN 'currency without rate'
    END AS reason
  FROM dated_suspect AS suspect
  CROSS JOIN calendar
  LEFT JOIN gold.exchange_rate_day AS rate
    ON rate.currency_code = suspect.currency_code
    AND rate.rate_date = suspect.business_date
)
SELECT
  CASE
    WHEN entity = 'sale_line'
    THEN concat_ws('-', substr(md5(concat_ws('', CAST(length(entity) AS STRING), ':', entity, CAST(length(source_name) AS STRING), ':', source_name, CAST(length(entry_id) AS STRING), ':', entry_id, CAST(length(entry_line_no) AS STRING), ':', entry_line_no)), 1, 8), substr(md5(concat_ws('', CAST(length(entity) AS STRING), ':', entity, CAST(length(source_name) AS STRING), ':', source_name, CAST(length(entry_id) AS STRING), ':', entry_id, CAST(length(entry_line_no) AS STRING), ':', entry_line_no)), 9, 4), substr(md5(concat_ws('', CAST(length(entity) AS STRING), ':', entity, CAST(length(source_name) AS STRING), ':', source_name, CAST(length(entry_id) AS STRING), ':', entry_id, CAST(length(entry_line_no) AS STRING), ':', entry_line_no)), 13, 4), substr(md5(concat_ws('', CAST(length(entity) AS STRING), ':', entity, CAST(length(source_name) AS STRING), ':', source_name, CAST(length(entry_id) AS STRING), ':', entry_id, CAST(length(entry_line_no) AS STRING), ':', entry_line_no)), 17, 4), substr(md5(concat_ws('', CAST(length(entity) AS STRING), ':', entity, CAST(length(source_name) AS STRING), ':', source_name, CAST(length(entry_id) AS STRING), ':', entry_id, CAST(length(entry_line_no) AS STRING), ':', entry_line_no)), 21, 12))
    ELSE concat_ws('-', substr(md5(concat_ws('', CAST(length(entity) AS STRING), ':', entity, CAST(length(source_name) AS STRING), ':', source_name, CAST(length(entry_id) AS STRING), ':', entry_id)), 1, 8), substr(md5(concat_ws('', CAST(length(entity) AS STRING), ':', entity, CAST(length(source_name) AS STRING), ':', source_name, CAST(length(entry_id) AS STRING), ':', entry_id)), 9, 4), substr(md5(concat_ws('', CAST(length(entity) AS STRING), ':', entity, CAST(length(source_name) AS STRING), ':', source_name, CAST(length(entry_id) AS STRING), ':', entry_id)), 13, 4), substr(md5(concat_ws('', CAST(length(entity) AS STRING), ':', entity, CAST(length(source_name) AS STRING), ':', source_name, CAST(length(entry_id) AS STRING), ':', entry_id)), 17, 4), substr(md5(concat_ws('', CAST(length(entity) AS STRING), ':', entity, CAST(length(source_name) AS STRING), ':', source_name, CAST(length(entry_id) AS STRING), ':', entry_id)), 21, 12))
  END AS unconverted_line_key,
  entity,
  source_name,
  CASE
    WHEN entity = 'sale_line'
    THEN entry_id || ' / ' || entry_line_no
    ELSE entry_id
  END AS natural_key,
  reason,
  CASE
    WHEN reason = 'date outside the calendar'
    THEN CAST(business_date AS STRING)
    WHEN reason = 'unit without conversion'
    THEN unit
    ELSE currency_code
  END AS held_value,
  product_id,
  location_id,
  business_date
FROM judged_suspect
WHERE
  reason IS NOT NULL;
