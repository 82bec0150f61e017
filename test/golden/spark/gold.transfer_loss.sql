CREATE TABLE gold.transfer_loss (
  transfer_line_key STRING NOT NULL,
  source_name STRING NOT NULL,
  transfer_id STRING NOT NULL,
  line_no STRING NOT NULL,
  product_durable_key BIGINT NOT NULL,
  to_location_durable_key BIGINT NOT NULL,
  occurred_at TIMESTAMP NOT NULL,
  business_date DATE NOT NULL,
  quantity_units DECIMAL(18, 3) NOT NULL
);
WITH transfer_end AS (
  SELECT
    source_name,
    transfer_id,
    product_durable_key,
    MAX(occurred_at) AS last_moved_at
  FROM gold.stock_entry
  WHERE
    movement_kind IN ('transfer_out', 'transfer_in')
  GROUP BY
    source_name,
    transfer_id,
    product_durable_key
), loss AS (
  SELECT
    line.transfer_line_key,
    line.source_name,
    line.transfer_id,
    line.line_no,
    line.product_durable_key,
    line.to_location_durable_key,
    GREATEST(line.written_off_at, transfer_end.last_moved_at) AS occurred_at,
    line.surplus_units - line.lost_units AS quantity_units
  FROM gold.fact_transfer_line AS line
  INNER JOIN transfer_end
    ON transfer_end.source_name = line.source_name
    AND transfer_end.transfer_id = line.transfer_id
    AND transfer_end.product_durable_key = line.product_durable_key
  WHERE
    line.surplus_units <> line.lost_units
), dated_loss AS (
  SELECT
    loss.transfer_line_key,
    loss.source_name,
    loss.transfer_id,
    loss.line_no,
    loss.product_durable_key,
    loss.to_location_durable_key,
    loss.occurred_at,
    CASE WHEN try_to_timestamp('2000-01-01 ' || (COALESCE(place.timezone, project.timezone)), 'yyyy-MM-dd VV') IS NOT NULL THEN CAST(from_utc_timestamp(CAST(loss.occurred_at AS TIMESTAMP), (COALESCE(place.timezone, project.timezone))) - make_dt_interval(0, CAST(substr((COALESCE(place.business_day_cutover, project.business_day_cutover)), 1, 2) AS INT), CAST(substr((COALESCE(place.business_day_cutover, project.business_day_cutover)), 4, 2) AS INT), COALESCE(CAST(NULLIF(substr((COALESCE(place.business_day_cutover, project.business_day_cutover)), 7), '') AS DECIMAL(8, 6)), 0)) AS DATE) END AS business_date,
    loss.quantity_units
  FROM loss
  CROSS JOIN meta.project AS project
  LEFT JOIN gold.dim_location AS place
    ON place.location_durable_key = loss.to_location_durable_key
    AND place.valid_from_at <= loss.occurred_at
    AND place.superseded_at > loss.occurred_at
)
SELECT
  loss.transfer_line_key,
  loss.source_name,
  loss.transfer_id,
  loss.line_no,
  loss.product_durable_key,
  loss.to_location_durable_key,
  loss.occurred_at,
  loss.business_date,
  loss.quantity_units
FROM dated_loss AS loss
INNER JOIN gold.dim_date AS calendar
  ON calendar.date_key = loss.business_date;
