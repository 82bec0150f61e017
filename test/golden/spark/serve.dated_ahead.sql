CREATE TABLE serve.dated_ahead (
  ledger_entry_key STRING NOT NULL,
  entity STRING NOT NULL,
  source_name STRING NOT NULL,
  entry_id STRING NOT NULL,
  entry_line_no STRING,
  product_id STRING NOT NULL,
  location_id STRING NOT NULL,
  occurred_at TIMESTAMP NOT NULL,
  business_date DATE NOT NULL,
  known_from_at TIMESTAMP NOT NULL,
  known_date DATE NOT NULL
);
WITH known_entry AS (
  SELECT
    'stock_movement' AS entity,
    source_name,
    movement_id AS entry_id,
    CAST(NULL AS STRING) AS entry_line_no,
    known_from_at
  FROM silver.stock_movement__versions
  WHERE
    known_to_at = CAST('9999-12-31 00:00:00+00' AS TIMESTAMP)
  UNION ALL
  SELECT
    'sale_line' AS entity,
    source_name,
    sale_id AS entry_id,
    line_no AS entry_line_no,
    known_from_at
  FROM silver.sale_line__versions
  WHERE
    known_to_at = CAST('9999-12-31 00:00:00+00' AS TIMESTAMP)
  UNION ALL
  SELECT
    'stock_count' AS entity,
    source_name,
    count_id AS entry_id,
    CAST(NULL AS STRING) AS entry_line_no,
    known_from_at
  FROM silver.stock_count__versions
  WHERE
    known_to_at = CAST('9999-12-31 00:00:00+00' AS TIMESTAMP)
), dated_entry AS (
  SELECT
    entry.ledger_entry_key,
    entry.entity,
    entry.source_name,
    entry.entry_id,
    entry.entry_line_no,
    entry.product_id,
    entry.location_id,
    entry.occurred_at,
    entry.business_date,
    known.known_from_at,
    CASE WHEN try_to_timestamp('2000-01-01 ' || (COALESCE(place.timezone, project.timezone)), 'yyyy-MM-dd VV') IS NOT NULL THEN CAST(from_utc_timestamp(CAST(known.known_from_at AS TIMESTAMP), (COALESCE(place.timezone, project.timezone))) - make_dt_interval(0, CAST(substr((COALESCE(place.business_day_cutover, project.business_day_cutover)), 1, 2) AS INT), CAST(substr((COALESCE(place.business_day_cutover, project.business_day_cutover)), 4, 2) AS INT), COALESCE(CAST(NULLIF(substr((COALESCE(place.business_day_cutover, project.business_day_cutover)), 7), '') AS DECIMAL(8, 6)), 0)) AS DATE) END AS known_date
  FROM gold.stock_entry AS entry
  INNER JOIN known_entry AS known
    ON known.entity = entry.entity
    AND known.source_name = entry.source_name
    AND known.entry_id = entry.entry_id
    AND COALESCE(known.entry_line_no, '') = COALESCE(entry.entry_line_no, '')
  CROSS JOIN meta.project AS project
  LEFT JOIN serve.location_current AS place
    ON place.location_durable_key = entry.location_durable_key
  WHERE
    entry.occurred_at > known.known_from_at
)
SELECT
  ledger_entry_key,
  entity,
  source_name,
  entry_id,
  entry_line_no,
  product_id,
  location_id,
  occurred_at,
  business_date,
  known_from_at,
  known_date
FROM dated_entry
WHERE
  business_date > known_date;
