CREATE TABLE gold.unconverted_document_line (
  unconverted_document_line_key STRING NOT NULL,
  entity STRING NOT NULL,
  source_name STRING NOT NULL,
  natural_key STRING NOT NULL,
  reason STRING NOT NULL,
  held_value STRING NOT NULL,
  product_id STRING,
  location_id STRING,
  business_date DATE
);
WITH paid AS (
  SELECT
    tender.source_name,
    tender.sale_id,
    tender.tender_no,
    tender.currency_code,
    sale.location_id,
    sale.business_date,
    ROW_NUMBER() OVER (
      PARTITION BY tender.source_name, tender.sale_id, tender.tender_no
      ORDER BY sale.sold_at NULLS LAST, sale.line_no NULLS LAST
    ) AS line_number
  FROM silver.tender AS tender
  LEFT JOIN gold.fact_sale_line AS sale
    ON sale.source_name = tender.source_name AND sale.sale_id = tender.sale_id
), entry AS (
  SELECT
    'order_line' AS entity,
    line.source_name,
    line.order_id AS entry_id,
    line.line_no AS entry_line_no,
    line.location_source_name,
    line.location_id,
    line.product_source_name,
    line.product_id,
    line.unit,
    CAST(NULL AS STRING) AS currency_code,
    line.ordered_at AS stated_at,
    line.ordered_at_local AS stated_at_local,
    CAST(NULL AS DATE) AS stated_date
  FROM silver.order_line AS line
  UNION ALL
  SELECT
    'purchase_order_line' AS entity,
    line.source_name,
    line.purchase_order_id AS entry_id,
    line.line_no AS entry_line_no,
    line.location_source_name,
    line.location_id,
    line.product_source_name,
    line.product_id,
    line.unit,
    CAST(NULL AS STRING) AS currency_code,
    line.ordered_at AS stated_at,
    line.ordered_at_local AS stated_at_local,
    CAST(NULL AS DATE) AS stated_date
  FROM silver.purchase_order_line AS line
  UNION ALL
  SELECT
    'transfer_line' AS entity,
    line.source_name,
    line.transfer_id AS entry_id,
    line.line_no AS entry_line_no,
    line.location_source_name,
    line.from_location_id AS location_id,
    line.product_source_name,
    line.product_id,
    line.unit,
    CAST(NULL AS STRING) AS currency_code,
    line.shipped_at AS stated_at,
    line.shipped_at_local AS stated_at_local,
    CAST(NULL AS DATE) AS stated_date
  FROM silver.transfer_line AS line
  UNION ALL
  SELECT
    'tender' AS entity,
    paid.source_name,
    paid.sale_id AS entry_id,
    paid.tender_no AS entry_line_no,
    CAST(NULL AS STRING) AS location_source_name,
    paid.location_id,
    CAST(NULL AS STRING) AS product_source_name,
    CAST(NULL AS STRING) AS product_id,
    CAST(NULL AS STRING) AS unit,
    paid.currency_code,
    CAST(NULL AS TIMESTAMP) AS stated_at,
    CAST(NULL AS TIMESTAMP_NTZ) AS stated_at_local,
    paid.business_date AS stated_date
  FROM paid
  WHERE
    paid.line_number = 1
  UNION ALL
  SELECT
    'store_day' AS entity,
    day.source_name,
    day.location_id AS entry_id,
    CAST(day.business_date AS STRING) AS entry_line_no,
    day.location_source_name,
    day.location_id,
    CAST(NULL AS STRING) AS product_source_name,
    CAST(NULL AS STRING) AS product_id,
    CAST(NULL AS STRING) AS unit,
    CASE WHEN day.target_amount IS NOT NULL THEN day.currency_code END AS currency_code,
    CAST(NULL AS TIMESTAMP) AS stated_at,
    CAST(NULL AS TIMESTAMP_NTZ) AS stated_at_local,
    day.business_date AS stated_date
  FROM silver.store_day AS day
), located_entry AS (
  SELECT
    entry.entity,
    entry.source_name,
    entry.entry_id,
    entry.entry_line_no,
    entry.location_source_name,
    entry.location_id,
    entry.product_id,
    entry.unit,
    COALESCE(
      entry.unit IS NOT NULL
      AND entry.unit <> article.base_unit
      AND unit.base_units IS NULL,
      FALSE
    ) AS is_unit_lacking,
    entry.currency_code,
    COALESCE(
      entry.stated_at,
      CASE WHEN try_to_timestamp('2000-01-01 ' || (COALESCE(place.timezone, project.timezone)), 'yyyy-MM-dd VV') IS NOT NULL THEN CASE WHEN from_utc_timestamp(to_utc_timestamp(CAST(entry.stated_at_local AS TIMESTAMP), (COALESCE(place.timezone, project.timezone))) + INTERVAL '60' MINUTE, (COALESCE(place.timezone, project.timezone))) = CAST(entry.stated_at_local AS TIMESTAMP) THEN to_utc_timestamp(CAST(entry.stated_at_local AS TIMESTAMP), (COALESCE(place.timezone, project.timezone))) + INTERVAL '60' MINUTE WHEN from_utc_timestamp(to_utc_timestamp(CAST(entry.stated_at_local AS TIMESTAMP), (COALESCE(place.timezone, project.timezone))) + INTERVAL '30' MINUTE, (COALESCE(place.timezone, project.timezone))) = CAST(entry.stated_at_local AS TIMESTAMP) THEN to_utc_timestamp(CAST(entry.stated_at_local AS TIMESTAMP), (COALESCE(place.timezone, project.timezone))) + INTERVAL '30' MINUTE ELSE to_utc_timestamp(CAST(entry.stated_at_local AS TIMESTAMP), (COALESCE(place.timezone, project.timezone))) END END
    ) AS stated_at,
    entry.stated_date,
    project.currency_code AS project_currency_code,
    project.timezone AS project_timezone,
    project.business_day_cutover AS project_cutover,
    project.calendar_from_date,
    project.calendar_to_date
  FROM entry
  CROSS JOIN meta.project AS project
  LEFT JOIN gold.dim_location AS place
    ON place.source_name = entry.location_source_name
    AND place.location_id = entry.location_id
    AND place.is_latest
  LEFT JOIN gold.dim_product AS article
    ON article.source_name = entry.product_source_name
    AND article.product_id = entry.product_id
    AND article.is_latest
  LEFT JOIN silver.product_unit AS unit
    ON unit.source_name = entry.product_source_name
    AND unit.product_id = entry.product_id
    AND unit.unit = entry.unit
), dated_entry AS (
  SELECT
    entry.entity,
    entry.source_name,
    entry.entry_id,
    entry.entry_line_no,
    entry.location_id,
    entry.product_id,
    entry.unit,
    entry.is_unit_lacking,
    entry.currency_code,
    CASE
      WHEN entry.stated_at IS NULL
      THEN entry.stated_date
      ELSE CASE WHEN try_to_timestamp('2000-01-01 ' || (COALESCE(place.timezone, entry.project_timezone)), 'yyyy-MM-dd VV') IS NOT NULL THEN CAST(from_utc_timestamp(CAST(entry.stated_at AS TIMESTAMP), (COALESCE(place.timezone, entry.project_timezone))) - make_dt_interval(0, CAST(substr((COALESCE(place.business_day_cutover, entry.project_cutover)), 1, 2) AS INT), CAST(substr((COALESCE(place.business_day_cutover, entry.project_cutover)), 4, 2) AS INT), COALESCE(CAST(NULLIF(substr((COALESCE(place.business_day_cutover, entry.project_cutover)), 7), '') AS DECIMAL(8, 6)), 0)) AS DATE) END
    END AS business_date,
    entry.project_currency_code,
    entry.calendar_from_date,
    entry.calendar_to_date
  FROM located_entry AS entry
  LEFT JOIN gold.dim_location AS place
    ON place.source_name = entry.location_source_name
    AND place.location_id = entry.location_id
    AND place.valid_from_at <= entry.stated_at
    AND place.superseded_at > entry.stated_at
), judged_entry AS (
  SELECT
    entry.entity,
    entry.source_name,
    entry.entry_id,
    entry.entry_line_no,
    entry.location_id,
    entry.product_id,
    entry.unit,
    entry.currency_code,
    entry.business_date,
    CASE
      WHEN NOT entry.business_date BETWEEN entry.calendar_from_date AND entry.calendar_to_date
      THEN 'date outside the calendar'
      WHEN entry.is_unit_lacking
      THEN 'unit without conversion'
      WHEN entry.business_date IS NULL
      THEN 'sale not known'
      WHEN entry.currency_code <> entry.project_currency_code AND rate.exchange_rate IS NULL
      THEN 'currency without rate'
    END AS reason
  FROM dated_entry AS entry
  LEFT JOIN gold.exchange_rate_day AS rate
    ON rate.currency_code = entry.currency_code AND rate.rate_date = entry.business_date
)
SELECT
  concat_ws('-', substr(md5(concat_ws('', CAST(length(entity) AS STRING), ':', entity, CAST(length(source_name) AS STRING), ':', source_name, CAST(length(entry_id) AS STRING), ':', entry_id, CAST(length(entry_line_no) AS STRING), ':', entry_line_no)), 1, 8), substr(md5(concat_ws('', CAST(length(entity) AS STRING), ':', entity, CAST(length(source_name) AS STRING), ':', source_name, CAST(length(entry_id) AS STRING), ':', entry_id, CAST(length(entry_line_no) AS STRING), ':', entry_line_no)), 9, 4), substr(md5(concat_ws('', CAST(length(entity) AS STRING), ':', entity, CAST(length(source_name) AS STRING), ':', source_name, CAST(length(entry_id) AS STRING), ':', entry_id, CAST(length(entry_line_no) AS STRING), ':', entry_line_no)), 13, 4), substr(md5(concat_ws('', CAST(length(entity) AS STRING), ':', entity, CAST(length(source_name) AS STRING), ':', source_name, CAST(length(entry_id) AS STRING), ':', entry_id, CAST(length(entry_line_no) AS STRING), ':', entry_line_no)), 17, 4), substr(md5(concat_ws('', CAST(length(entity) AS STRING), ':', entity, CAST(length(source_name) AS STRING), ':', source_name, CAST(length(entry_id) AS STRING), ':', entry_id, CAST(length(entry_line_no) AS STRING), ':', entry_line_no)), 21, 12)) AS unconverted_document_line_key,
  entity,
  source_name,
  entry_id || ' / ' || entry_line_no AS natural_key,
  reason,
  CASE reason
    WHEN 'date outside the calendar'
    THEN CAST(business_date AS STRING)
    WHEN 'unit without conversion'
    THEN unit
    WHEN 'sale not known'
    THEN entry_id
    ELSE currency_code
  END AS held_value,
  product_id,
  location_id,
  business_date
FROM judged_entry
WHERE
  reason IS NOT NULL;
