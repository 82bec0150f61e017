CREATE TABLE serve.restated_line (
  sale_line_key STRING NOT NULL,
  source_name STRING NOT NULL,
  sale_id STRING NOT NULL,
  line_no STRING NOT NULL,
  location_durable_key BIGINT NOT NULL,
  location_id STRING NOT NULL,
  business_date DATE NOT NULL,
  restatement_kind STRING NOT NULL,
  first_snapshot_no BIGINT NOT NULL,
  known_from_at TIMESTAMP NOT NULL,
  reporting_net_amount DECIMAL(18, 4) NOT NULL
);
WITH reported AS (
  SELECT
    change.location_durable_key,
    change.business_date,
    MIN(change.snapshot_no) AS snapshot_no
  FROM snapshot.sales_state__changes AS change
  WHERE
    change.is_day_over AND NOT change.is_removed
  GROUP BY
    change.location_durable_key,
    change.business_date
), line AS (
  SELECT
    line.sale_line_key,
    line.source_name,
    line.sale_id,
    line.line_no,
    line.location_durable_key,
    line.location_id,
    line.business_date,
    line.is_counted,
    line.reporting_net_amount,
    reported.snapshot_no,
    taken.known_at
  FROM reported
  INNER JOIN snapshot.taken AS taken
    ON taken.snapshot_no = reported.snapshot_no AND taken.kind = 'sales_state'
  INNER JOIN gold.fact_sale_line AS line
    ON line.location_durable_key = reported.location_durable_key
    AND line.business_date = reported.business_date
), known_line AS (
  SELECT
    version.source_name,
    version.sale_id,
    version.line_no,
    MIN(version.known_from_at) AS first_known_at,
    MAX(version.known_from_at) AS known_from_at
  FROM silver.sale_line__versions AS version
  GROUP BY
    version.source_name,
    version.sale_id,
    version.line_no
)
SELECT
  line.sale_line_key,
  line.source_name,
  line.sale_id,
  line.line_no,
  line.location_durable_key,
  line.location_id,
  line.business_date,
  CASE
    WHEN known_line.first_known_at > line.known_at
    THEN 'late'
    WHEN NOT line.is_counted
    THEN 'withdrawn'
    ELSE 'corrected'
  END AS restatement_kind,
  line.snapshot_no AS first_snapshot_no,
  known_line.known_from_at,
  CASE WHEN line.is_counted THEN line.reporting_net_amount ELSE 0 END AS reporting_net_amount
FROM line
INNER JOIN known_line
  ON known_line.source_name = line.source_name
  AND known_line.sale_id = line.sale_id
  AND known_line.line_no = line.line_no
WHERE
  known_line.known_from_at > line.known_at
  AND (
    line.is_counted OR known_line.first_known_at <= line.known_at
  );
