CREATE TABLE gold.stock_entry (
  ledger_entry_key STRING NOT NULL,
  entry_kind STRING NOT NULL,
  entity STRING NOT NULL,
  source_name STRING NOT NULL,
  entry_id STRING NOT NULL,
  entry_line_no STRING,
  product_durable_key BIGINT NOT NULL,
  product_source_name STRING NOT NULL,
  product_id STRING NOT NULL,
  location_durable_key BIGINT NOT NULL,
  location_source_name STRING NOT NULL,
  location_id STRING NOT NULL,
  stock_status STRING NOT NULL,
  occurred_at TIMESTAMP NOT NULL,
  business_date DATE NOT NULL,
  entry_order INT NOT NULL,
  movement_kind STRING,
  count_kind STRING,
  quantity_units DECIMAL(18, 3) NOT NULL,
  counted_units DECIMAL(18, 3),
  is_stocked BOOLEAN NOT NULL,
  starts_at_zero BOOLEAN NOT NULL,
  unit_cost_amount DECIMAL(18, 6),
  value_amount DECIMAL(18, 4),
  cost_currency_code STRING,
  original_entry_key STRING,
  lot_id STRING,
  expiry_date DATE,
  document_id STRING,
  transfer_id STRING,
  base_units DECIMAL(18, 6) NOT NULL,
  entered_late_at TIMESTAMP
);
WITH posting AS (
  SELECT
    'movement' AS entry_kind,
    'stock_movement' AS entity,
    movement.source_name,
    movement.movement_id AS entry_id,
    CAST(NULL AS STRING) AS entry_line_no,
    movement.location_source_name,
    movement.location_id,
    movement.product_source_name,
    movement.product_id,
    movement.stock_status,
    movement.occurred_at AS stated_at,
    movement.occurred_at_local AS stated_at_local,
    CAST(NULL AS DATE) AS stated_date,
    movement.movement_kind,
    CAST(NULL AS STRING) AS count_kind,
    movement.quantity,
    movement.unit,
    movement.unit_cost_amount,
    movement.value_amount,
    COALESCE(movement.currency_code, project.currency_code) AS cost_currency_code,
    CAST(NULL AS STRING) AS original_entry_key,
    movement.lot_id,
    movement.expiry_date,
    movement.document_id,
    movement.transfer_id,
    movement.entered_at
  FROM silver.stock_movement AS movement
  CROSS JOIN meta.project AS project
  UNION ALL
  SELECT
    'movement' AS entry_kind,
    'sale_line' AS entity,
    line.source_name,
    line.sale_id AS entry_id,
    line.line_no AS entry_line_no,
    line.location_source_name,
    COALESCE(line.fulfilled_from_location_id, line.location_id) AS location_id,
    line.product_source_name,
    line.product_id,
    'sellable' AS stock_status,
    line.sold_at AS stated_at,
    line.sold_at_local AS stated_at_local,
    CAST(NULL AS DATE) AS stated_date,
    CASE WHEN line.quantity > 0 THEN 'sale' ELSE 'customer_return' END AS movement_kind,
    CAST(NULL AS STRING) AS count_kind,
    -line.quantity AS quantity,
    line.unit,
    CAST(NULL AS DECIMAL(18, 6)) AS unit_cost_amount,
    CAST(NULL AS DECIMAL(18, 4)) AS value_amount,
    CAST(NULL AS STRING) AS cost_currency_code,
    CASE
      WHEN line.quantity < 0
      AND line.original_sale_id IS NOT NULL
      AND line.original_line_no IS NOT NULL
      THEN concat_ws('-', substr(md5(concat_ws('', CAST(length('sale_line') AS STRING), ':', 'sale_line', CAST(length(line.source_name) AS STRING), ':', line.source_name, CAST(length(line.original_sale_id) AS STRING), ':', line.original_sale_id, CAST(length(line.original_line_no) AS STRING), ':', line.original_line_no)), 1, 8), substr(md5(concat_ws('', CAST(length('sale_line') AS STRING), ':', 'sale_line', CAST(length(line.source_name) AS STRING), ':', line.source_name, CAST(length(line.original_sale_id) AS STRING), ':', line.original_sale_id, CAST(length(line.original_line_no) AS STRING), ':', line.original_line_no)), 9, 4), substr(md5(concat_ws('', CAST(length('sale_line') AS STRING), ':', 'sale_line', CAST(length(line.source_name) AS STRING), ':', line.source_name, CAST(length(line.original_sale_id) AS STRING), ':', line.original_sale_id, CAST(length(line.original_line_no) AS STRING), ':', line.original_line_no)), 13, 4), substr(md5(concat_ws('', CAST(length('sale_line') AS STRING), ':', 'sale_line', CAST(length(line.source_name) AS STRING), ':', line.source_name, CAST(length(line.original_sale_id) AS STRING), ':', line.original_sale_id, CAST(length(line.original_line_no) AS STRING), ':', line.original_line_no)), 17, 4), substr(md5(concat_ws('', CAST(length('sale_line') AS STRING), ':', 'sale_line', CAST(length(line.source_name) AS STRING), ':', line.source_name, CAST(length(line.original_sale_id) AS STRING), ':', line.original_sale_id, CAST(length(line.original_line_no) AS STRING), ':', line.original_line_no)), 21, 12))
    END AS original_entry_key,
    CAST(NULL AS STRING) AS lot_id,
    CAST(NULL AS DATE) AS expiry_date,
    CAST(NULL AS STRING) AS document_id,
    CAST(NULL AS STRING) AS transfer_id,
    line.entered_at
  FROM silver.sale_line AS line
  INNER JOIN meta.source AS source
    ON source.source_name = line.source_name
  WHERE
    source.moves_stock
    AND NOT line.is_test
    AND NOT line.is_void
    AND line.sale_kind <> 'cancellation'
    AND line.quantity <> 0
  UNION ALL
  SELECT
    'count' AS entry_kind,
    'stock_count' AS entity,
    counted.source_name,
    counted.count_id AS entry_id,
    CAST(NULL AS STRING) AS entry_line_no,
    counted.location_source_name,
    counted.location_id,
    counted.product_source_name,
    counted.product_id,
    counted.stock_status,
    CASE
      WHEN counted.counted_at_local IS NULL AND counted.counted_date IS NULL
      THEN COALESCE(counted.counted_at, counted.version_at)
      ELSE counted.counted_at
    END AS stated_at,
    counted.counted_at_local AS stated_at_local,
    counted.counted_date AS stated_date,
    CAST(NULL AS STRING) AS movement_kind,
    counted.count_kind,
    counted.quantity,
    counted.unit,
    CAST(NULL AS DECIMAL(18, 6)) AS unit_cost_amount,
    CAST(NULL AS DECIMAL(18, 4)) AS value_amount,
    CAST(NULL AS STRING) AS cost_currency_code,
    CAST(NULL AS STRING) AS original_entry_key,
    CAST(NULL AS STRING) AS lot_id,
    CAST(NULL AS DATE) AS expiry_date,
    CAST(NULL AS STRING) AS document_id,
    CAST(NULL AS STRING) AS transfer_id,
    CAST(NULL AS TIMESTAMP) AS entered_at
  FROM silver.stock_count AS counted
), timed_posting AS (
  SELECT
    posting.entry_kind,
    posting.entity,
    posting.source_name,
    posting.entry_id,
    posting.entry_line_no,
    posting.location_source_name,
    posting.location_id,
    posting.product_source_name,
    posting.product_id,
    posting.stock_status,
    posting.stated_at,
    posting.stated_at_local,
    posting.stated_date,
    CASE
      WHEN posting.stated_at IS NOT NULL
      THEN posting.stated_at
      WHEN posting.stated_at_local IS NOT NULL
      THEN CASE WHEN try_to_timestamp('2000-01-01 ' || (COALESCE(place.timezone, project.timezone)), 'yyyy-MM-dd VV') IS NOT NULL THEN CASE WHEN from_utc_timestamp(to_utc_timestamp(CAST(posting.stated_at_local AS TIMESTAMP), (COALESCE(place.timezone, project.timezone))) + INTERVAL '60' MINUTE, (COALESCE(place.timezone, project.timezone))) = CAST(posting.stated_at_local AS TIMESTAMP) THEN to_utc_timestamp(CAST(posting.stated_at_local AS TIMESTAMP), (COALESCE(place.timezone, project.timezone))) + INTERVAL '60' MINUTE WHEN from_utc_timestamp(to_utc_timestamp(CAST(posting.stated_at_local AS TIMESTAMP), (COALESCE(place.timezone, project.timezone))) + INTERVAL '30' MINUTE, (COALESCE(place.timezone, project.timezone))) = CAST(posting.stated_at_local AS TIMESTAMP) THEN to_utc_timestamp(CAST(posting.stated_at_local AS TIMESTAMP), (COALESCE(place.timezone, project.timezone))) + INTERVAL '30' MINUTE ELSE to_utc_timestamp(CAST(posting.stated_at_local AS TIMESTAMP), (COALESCE(place.timezone, project.timezone))) END END
      ELSE CASE WHEN try_to_timestamp('2000-01-01 ' || (COALESCE(place.timezone, project.timezone)), 'yyyy-MM-dd VV') IS NOT NULL THEN CASE WHEN from_utc_timestamp(to_utc_timestamp(CAST((CAST(CAST(date_add(CAST(posting.stated_date AS DATE), CAST(1 AS INT)) AS DATE) AS TIMESTAMP) + make_dt_interval(0, CAST(substr((COALESCE(place.business_day_cutover, project.business_day_cutover)), 1, 2) AS INT), CAST(substr((COALESCE(place.business_day_cutover, project.business_day_cutover)), 4, 2) AS INT), COALESCE(CAST(NULLIF(substr((COALESCE(place.business_day_cutover, project.business_day_cutover)), 7), '') AS DECIMAL(8, 6)), 0))) AS TIMESTAMP), (COALESCE(place.timezone, project.timezone))) + INTERVAL '60' MINUTE, (COALESCE(place.timezone, project.timezone))) = CAST((CAST(CAST(date_add(CAST(posting.stated_date AS DATE), CAST(1 AS INT)) AS DATE) AS TIMESTAMP) + make_dt_interval(0, CAST(substr((COALESCE(place.business_day_cutover, project.business_day_cutover)), 1, 2) AS INT), CAST(substr((COALESCE(place.business_day_cutover, project.business_day_cutover)), 4, 2) AS INT), COALESCE(CAST(NULLIF(substr((COALESCE(place.business_day_cutover, project.business_day_cutover)), 7), '') AS DECIMAL(8, 6)), 0))) AS TIMESTAMP) THEN to_utc_timestamp(CAST((CAST(CAST(date_add(CAST(posting.stated_date AS DATE), CAST(1 AS INT)) AS DATE) AS TIMESTAMP) + make_dt_interval(0, CAST(substr((COALESCE(place.business_day_cutover, project.business_day_cutover)), 1, 2) AS INT), CAST(substr((COALESCE(place.business_day_cutover, project.business_day_cutover)), 4, 2) AS INT), COALESCE(CAST(NULLIF(substr((COALESCE(place.business_day_cutover, project.business_day_cutover)), 7), '') AS DECIMAL(8, 6)), 0))) AS TIMESTAMP), (COALESCE(place.timezone, project.timezone))) + INTERVAL '60' MINUTE WHEN from_utc_timestamp(to_utc_timestamp(CAST((CAST(CAST(date_add(CAST(posting.stated_date AS DATE), CAST(1 AS INT)) AS DATE) AS TIMESTAMP) + make_dt_interval(0, CAST(substr((COALESCE(place.business_day_cutover, project.business_day_cutover)), 1, 2) AS INT), CAST(substr((COALESCE(place.business_day_cutover, project.business_day_cutover)), 4, 2) AS INT), COALESCE(CAST(NULLIF(substr((COALESCE(place.business_day_cutover, project.business_day_cutover)), 7), '') AS DECIMAL(8, 6)), 0))) AS TIMESTAMP), (COALESCE(place.timezone, project.timezone))) + INTERVAL '30' MINUTE, (COALESCE(place.timezone, project.timezone))) = CAST((CAST(CAST(date_add(CAST(posting.stated_date AS DATE), CAST(1 AS INT)) AS DATE) AS TIMESTAMP) + make_dt_interval(0, CAST(substr((COALESCE(place.business_day_cutover, project.business_day_cutover)), 1, 2) AS INT), CAST(substr((COALESCE(place.business_day_cutover, project.business_day_cutover)), 4, 2) AS INT), COALESCE(CAST(NULLIF(substr((COALESCE(place.business_day_cutover, project.business_day_cutover)), 7), '') AS DECIMAL(8, 6)), 0))) AS TIMESTAMP) THEN to_utc_timestamp(CAST((CAST(CAST(date_add(CAST(posting.stated_date AS DATE), CAST(1 AS INT)) AS DATE) AS TIMESTAMP) + make_dt_interval(0, CAST(substr((COALESCE(place.business_day_cutover, project.business_day_cutover)), 1, 2) AS INT), CAST(substr((COALESCE(place.business_day_cutover, project.business_day_cutover)), 4, 2) AS INT), COALESCE(CAST(NULLIF(substr((COALESCE(place.business_day_cutover, project.business_day_cutover)), 7), '') AS DECIMAL(8, 6)), 0))) AS TIMESTAMP), (COALESCE(place.timezone, project.timezone))) + INTERVAL '30' MINUTE ELSE to_utc_timestamp(CAST((CAST(CAST(date_add(CAST(posting.stated_date AS DATE), CAST(1 AS INT)) AS DATE) AS TIMESTAMP) + make_dt_interval(0, CAST(substr((COALESCE(place.business_day_cutover, project.business_day_cutover)), 1, 2) AS INT), CAST(substr((COALESCE(place.business_day_cutover, project.business_day_cutover)), 4, 2) AS INT), COALESCE(CAST(NULLIF(substr((COALESCE(place.business_day_cutover, project.business_day_cutover)), 7), '') AS DECIMAL(8, 6)), 0))) AS TIMESTAMP), (COALESCE(place.timezone, project.timezone))) END END - INTERVAL '1' MICROSECOND
    END AS occurred_at,
    posting.movement_kind,
    posting.count_kind,
    posting.quantity,
    posting.unit,
    posting.unit_cost_amount,
    posting.value_amount,
    posting.cost_currency_code,
    posting.original_entry_key,
    posting.lot_id,
    posting.expiry_date,
    posting.document_id,
    posting.transfer_id,
    posting.entered_at,
    project.timezone AS project_timezone,
    project.business_day_cutover AS project_cutover,
    project.calendar_from_date,
    project.calendar_to_date
  FROM posting
  CROSS JOIN meta.project AS project
  LEFT JOIN gold.dim_location AS place
    ON place.source_name = posting.location_source_name
    AND place.location_id = posting.location_id
    AND place.is_latest
), dated_posting AS (
  SELECT
    posting.entry_kind,
    posting.entity,
    posting.source_name,
    posting.entry_id,
    posting.entry_line_no,
    posting.location_source_name,
    posting.location_id,
    posting.product_source_name,
    posting.product_id,
    posting.stock_status,
    place.location_durable_key,
    posting.occurred_at,
    CASE
      WHEN posting.stated_at IS NULL AND posting.stated_at_local IS NULL
      THEN posting.stated_date
      ELSE CASE WHEN try_to_timestamp('2000-01-01 ' || (COALESCE(place.timezone, posting.project_timezone)), 'yyyy-MM-dd VV') IS NOT NULL THEN CAST(from_utc_timestamp(CAST(posting.occurred_at AS TIMESTAMP), (COALESCE(place.timezone, posting.project_timezone))) - make_dt_interval(0, CAST(substr((COALESCE(place.business_day_cutover, posting.project_cutover)), 1, 2) AS INT), CAST(substr((COALESCE(place.business_day_cutover, posting.project_cutover)), 4, 2) AS INT), COALESCE(CAST(NULLIF(substr((COALESCE(place.business_day_cutover, posting.project_cutover)), 7), '') AS DECIMAL(8, 6)), 0)) AS DATE) END
    END AS business_date,
    posting.movement_kind,
    posting.count_kind,
    posting.quantity,
    posting.unit,
    posting.unit_cost_amount,
    posting.value_amount,
    posting.cost_currency_code,
    posting.original_entry_key,
    posting.lot_id,
    posting.expiry_date,
    posting.document_id,
    posting.transfer_id,
    posting.entered_at,
    CASE
      WHEN posting.entered_at > posting.occurred_at
      THEN CASE WHEN try_to_timestamp('2000-01-01 ' || (COALESCE(place.timezone, posting.project_timezone)), 'yyyy-MM-dd VV') IS NOT NULL THEN CAST(from_utc_timestamp(CAST(posting.entered_at AS TIMESTAMP), (COALESCE(place.timezone, posting.project_timezone))) - make_dt_interval(0, CAST(substr((COALESCE(place.business_day_cutover, posting.project_cutover)), 1, 2) AS INT), CAST(substr((COALESCE(place.business_day_cutover, posting.project_cutover)), 4, 2) AS INT), COALESCE(CAST(NULLIF(substr((COALESCE(place.business_day_cutover, posting.project_cutover)), 7), '') AS DECIMAL(8, 6)), 0)) AS DATE) END
    END AS entered_date,
    posting.calendar_from_date,
    posting.calendar_to_date
  FROM timed_posting AS posting
  LEFT JOIN gold.dim_location AS place
    ON place.source_name = posting.location_source_name
    AND place.location_id = posting.location_id
    AND place.valid_from_at <= posting.occurred_at
    AND place.superseded_at > posting.occurred_at
), measured_posting AS (
  SELECT
    posting.entry_kind,
    posting.entity,
    posting.source_name,
    posting.entry_id,
    posting.entry_line_no,
    COALESCE(
      article.product_durable_key,
      GREATEST(CAST(conv(substr(md5(concat_ws('', CAST(length(posting.product_source_name) AS STRING), ':', posting.product_source_name, CAST(length(posting.product_id) AS STRING), ':', posting.product_id)), 1, 15), 16, 10) AS BIGINT), CAST(1 AS BIGINT))
    ) AS product_durable_key,
    posting.product_source_name,
    posting.product_id,
    COALESCE(
      posting.location_durable_key,
      GREATEST(CAST(conv(substr(md5(concat_ws('', CAST(length(posting.location_source_name) AS STRING), ':', posting.location_source_name, CAST(length(posting.location_id) AS STRING), ':', posting.location_id)), 1, 15), 16, 10) AS BIGINT), CAST(1 AS BIGINT))
    ) AS location_durable_key,
    posting.location_source_name,
    posting.location_id,
    posting.stock_status,
    posting.occurred_at,
    posting.business_date,
    posting.movement_kind,
    posting.count_kind,
    COALESCE(article.is_stocked, TRUE) AS is_stocked,
    posting.quantity,
    CASE
      WHEN posting.unit IS NULL OR posting.unit = article.base_unit
      THEN 1
      WHEN unit.base_units IS NOT NULL
      THEN unit.base_units
      WHEN article.base_unit IS NULL
      THEN 1
    END AS base_units,
    posting.unit_cost_amount,
    posting.value_amount,
    posting.cost_currency_code,
    posting.original_entry_key,
    posting.lot_id,
    posting.expiry_date,
    posting.document_id,
    posting.transfer_id,
    CASE WHEN posting.entered_date > posting.business_date THEN posting.entered_at END AS entered_late_at
  FROM dated_posting AS posting
  LEFT JOIN gold.dim_product AS article
    ON article.source_name = posting.product_source_name
    AND article.product_id = posting.product_id
    AND article.is_latest
  LEFT JOIN silver.product_unit AS unit
    ON unit.source_name = posting.product_source_name
    AND unit.product_id = posting.product_id
    AND unit.unit = posting.unit
  WHERE
    CAST(CAST(from_utc_timestamp(CAST(posting.occurred_at AS TIMESTAMP), 'UTC') AS TIMESTAMP_NTZ) AS DATE) BETWEEN date_add(CAST(posting.calendar_from_date AS DATE), CAST(2 AS INT)) AND date_add(CAST(posting.calendar_to_date AS DATE), CAST((-2) AS INT))
    OR posting.business_date BETWEEN posting.calendar_from_date AND posting.calendar_to_date
)
SELECT
  CASE
    WHEN posting.entity = 'sale_line'
    THEN concat_ws('-', substr(md5(concat_ws('', CAST(length(posting.entity) AS STRING), ':', posting.entity, CAST(length(posting.source_name) AS STRING), ':', posting.source_name, CAST(length(posting.entry_id) AS STRING), ':', posting.entry_id, CAST(length(posting.entry_line_no) AS STRING), ':', posting.entry_line_no)), 1, 8), substr(md5(concat_ws('', CAST(length(posting.entity) AS STRING), ':', posting.entity, CAST(length(posting.source_name) AS STRING), ':', posting.source_name, CAST(length(posting.entry_id) AS STRING), ':', posting.entry_id, CAST(length(posting.entry_line_no) AS STRING), ':', posting.entry_line_no)), 9, 4), substr(md5(concat_ws('', CAST(length(posting.entity) AS STRING), ':', posting.entity, CAST(length(posting.source_name) AS STRING), ':', posting.source_name, CAST(length(posting.entry_id) AS STRING), ':', posting.entry_id, CAST(length(posting.entry_line_no) AS STRING), ':', posting.entry_line_no)), 13, 4), substr(md5(concat_ws('', CAST(length(posting.entity) AS STRING), ':', posting.entity, CAST(length(posting.source_name) AS STRING), ':', posting.source_name, CAST(length(posting.entry_id) AS STRING), ':', posting.entry_id, CAST(length(posting.entry_line_no) AS STRING), ':', posting.entry_line_no)), 17, 4), substr(md5(concat_ws('', CAST(length(posting.entity) AS STRING), ':', posting.entity, CAST(length(posting.source_name) AS STRING), ':', posting.source_name, CAST(length(posting.entry_id) AS STRING), ':', posting.entry_id, CAST(length(posting.entry_line_no) AS STRING), ':', posting.entry_line_no)), 21, 12))
    ELSE concat_ws('-', substr(md5(concat_ws('', CAST(length(posting.entity) AS STRING), ':', posting.entity, CAST(length(posting.source_name) AS STRING), ':', posting.source_name, CAST(length(posting.entry_id) AS STRING), ':', posting.entry_id)), 1, 8), substr(md5(concat_ws('', CAST(length(posting.entity) AS STRING), ':', posting.entity, CAST(length(posting.source_name) AS STRING), ':', posting.source_name, CAST(length(posting.entry_id) AS STRING), ':', posting.entry_id)), 9, 4), substr(md5(concat_ws('', CAST(length(posting.entity) AS STRING), ':', posting.entity, CAST(length(posting.source_name) AS STRING), ':', posting.source_name, CAST(length(posting.entry_id) AS STRING), ':', posting.entry_id)), 13, 4), substr(md5(concat_ws('', CAST(length(posting.entity) AS STRING), ':', posting.entity, CAST(length(posting.source_name) AS STRING), ':', posting.source_name, CAST(length(posting.entry_id) AS STRING), ':', posting.entry_id)), 17, 4), substr(md5(concat_ws('', CAST(length(posting.entity) AS STRING), ':', posting.entity, CAST(length(posting.source_name) AS STRING), ':', posting.source_name, CAST(length(posting.entry_id) AS STRING), ':', posting.entry_id)), 21, 12))
  END AS ledger_entry_key,
  posting.entry_kind,
  posting.entity,
  posting.source_name,
  posting.entry_id,
  posting.entry_line_no,
  posting.product_durable_key,
  posting.product_source_name,
  posting.product_id,
  posting.location_durable_key,
  posting.location_source_name,
  posting.location_id,
  posting.stock_status,
  posting.occurred_at,
  posting.business_date,
  CASE
    WHEN posting.entry_kind = 'count'
    THEN 1000
    ELSE COALESCE(kind.ledger_order, 900)
  END AS entry_order,
  posting.movement_kind,
  posting.count_kind,
  CAST(CASE
    WHEN posting.entry_kind = 'count'
    THEN 0
    ELSE CAST(round(posting.quantity * posting.base_units, 3) AS DECIMAL(18, 3))
  END AS DECIMAL(18, 3)) AS quantity_units,
  CAST(CASE
    WHEN posting.entry_kind = 'count'
    THEN CAST(round(posting.quantity * posting.base_units, 3) AS DECIMAL(18, 3))
  END AS DECIMAL(18, 3)) AS counted_units,
  posting.is_stocked,
  COALESCE(posting.entry_kind = 'movement' AND source.stock_starts = 'zero', FALSE) AS starts_at_zero,
  CAST(CAST(CAST(((2BD * abs((CAST(posting.unit_cost_amount AS DECIMAL(38, 12)) * 1000000BD)) + abs(CAST(posting.base_units AS DECIMAL(38, 12)))) DIV NULLIF(2BD * abs(CAST(posting.base_units AS DECIMAL(38, 12))), 0BD) * CAST(sign((CAST(posting.unit_cost_amount AS DECIMAL(38, 12)) * 1000000BD)) * sign(CAST(posting.base_units AS DECIMAL(38, 12))) AS BIGINT)) AS DECIMAL(38, 0)) * 0.000001BD AS DECIMAL(18, 6)) AS DECIMAL(18, 6)) AS unit_cost_amount,
  posting.value_amount,
  CASE
    WHEN posting.unit_cost_amount IS NOT NULL OR posting.value_amount IS NOT NULL
    THEN posting.cost_currency_code
  END AS cost_currency_code,
  posting.original_entry_key,
  posting.lot_id,
  posting.expiry_date,
  posting.document_id,
  posting.transfer_id,
  posting.base_units,
  posting.entered_late_at
FROM measured_posting AS posting
LEFT JOIN gold.dim_movement_kind AS kind
  ON kind.movement_kind = posting.movement_kind
LEFT JOIN meta.source AS source
  ON source.source_name = posting.source_name
WHERE
  posting.base_units IS NOT NULL
  AND (
    posting.is_stocked OR posting.entity <> 'sale_line'
  );
