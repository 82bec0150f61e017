CREATE TABLE serve.restatements (
  location_durable_key BIGINT NOT NULL,
  business_date DATE NOT NULL,
  location_id STRING NOT NULL,
  first_snapshot_no BIGINT NOT NULL,
  first_as_of_at TIMESTAMP NOT NULL,
  first_known_at TIMESTAMP,
  first_reporting_net_amount DECIMAL(18, 4) NOT NULL,
  reporting_net_amount DECIMAL(18, 4) NOT NULL,
  restated_reporting_net_amount DECIMAL(18, 4) NOT NULL,
  first_net_units DECIMAL(18, 3) NOT NULL,
  net_units DECIMAL(18, 3) NOT NULL,
  restated_net_units DECIMAL(18, 3) NOT NULL,
  late_lines BIGINT NOT NULL,
  corrected_lines BIGINT NOT NULL,
  withdrawn_lines BIGINT NOT NULL
);
WITH first_report AS (
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
), reported AS (
  SELECT
    change.location_durable_key,
    change.business_date,
    change.location_id,
    change.snapshot_no,
    taken.as_of,
    taken.known_at,
    change.net_amount,
    change.net_units
  FROM first_report
  INNER JOIN snapshot.sales_state__changes AS change
    ON change.location_durable_key = first_report.location_durable_key
    AND change.business_date = first_report.business_date
    AND change.snapshot_no = first_report.snapshot_no
  INNER JOIN snapshot.taken AS taken
    ON taken.snapshot_no = first_report.snapshot_no AND taken.kind = 'sales_state'
  WHERE
    NOT change.is_removed
), current_day AS (
  SELECT
    location_durable_key,
    business_date,
    reporting_net_amount AS net_amount,
    net_units
  FROM gold.fact_store_day
), cause AS (
  SELECT
    location_durable_key,
    business_date,
    SUM(CASE WHEN restatement_kind = 'late' THEN 1 ELSE 0 END) AS late_lines,
    SUM(CASE WHEN restatement_kind <> 'late' THEN 1 ELSE 0 END) AS corrected_lines,
    SUM(CASE WHEN restatement_kind IN ('withdrawn', 'moved') THEN 1 ELSE 0 END) AS withdrawn_lines
  FROM serve.restated_line
  GROUP BY
    location_durable_key,
    business_date
)
SELECT
  reported.location_durable_key,
  reported.business_date,
  reported.location_id,
  reported.snapshot_no AS first_snapshot_no,
  reported.as_of AS first_as_of_at,
  reported.known_at AS first_known_at,
  reported.net_amount AS first_reporting_net_amount,
  COALESCE(current_day.net_amount, 0) AS reporting_net_amount,
  COALESCE(current_day.net_amount, 0) - reported.net_amount AS restated_reporting_net_amount,
  reported.net_units AS first_net_units,
  COALESCE(current_day.net_units, 0) AS net_units,
  COALESCE(current_day.net_units, 0) - reported.net_units AS restated_net_units,
  CAST(COALESCE(cause.late_lines, 0) AS BIGINT) AS late_lines,
  CAST(COALESCE(cause.corrected_lines, 0) AS BIGINT) AS corrected_lines,
  CAST(COALESCE(cause.withdrawn_lines, 0) AS BIGINT) AS withdrawn_lines
FROM reported
LEFT JOIN current_day
  ON current_day.location_durable_key = reported.location_durable_key
  AND current_day.business_date = reported.business_date
LEFT JOIN cause
  ON cause.location_durable_key = reported.location_durable_key
  AND cause.business_date = reported.business_date
WHERE
  COALESCE(current_day.net_amount, 0) <> reported.net_amount
  OR COALESCE(current_day.net_units, 0) <> reported.net_units;
