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
  first_reporting_net_amount DECIMAL(18, 4),
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
), report AS (
  SELECT
    reported.location_durable_key,
    reported.business_date,
    reported.snapshot_no,
    taken.known_at
  FROM reported
  INNER JOIN snapshot.taken AS taken
    ON taken.snapshot_no = reported.snapshot_no AND taken.kind = 'sales_state'
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
), changed_line AS (
  SELECT
    line.sale_line_key,
    line.source_name,
    line.sale_id,
    line.line_no,
    line.location_durable_key,
    line.location_id,
    line.business_date,
    CASE
      WHEN known_line.known_from_at <= report.known_at
      THEN NULL
      WHEN known_line.first_known_at <= report.known_at AND NOT line.is_counted
      THEN 'withdrawn'
      WHEN known_line.first_known_at <= report.known_at
      THEN 'corrected'
      WHEN line.is_counted
      THEN 'late'
    END AS restatement_kind,
    report.snapshot_no,
    report.known_at,
    known_line.known_from_at,
    CASE WHEN line.is_counted THEN line.reporting_net_amount ELSE 0 END AS reporting_net_amount
  FROM report
  INNER JOIN gold.fact_sale_line AS line
    ON line.location_durable_key = report.location_durable_key
    AND line.business_date = report.business_date
  INNER JOIN known_line
    ON known_line.source_name = line.source_name
    AND known_line.sale_id = line.sale_id
    AND known_line.line_no = line.line_no
), replaced_version AS (
  SELECT
    version.source_name,
    version.sale_id,
    version.line_no,
    version.location_source_name,
    version.location_id,
    COALESCE(
      version.sold_at,
      CASE WHEN try_to_timestamp('2000-01-01 ' || (COALESCE(place.timezone, project.timezone)), 'yyyy-MM-dd VV') IS NOT NULL THEN CASE WHEN from_utc_timestamp(to_utc_timestamp(CAST(version.sold_at_local AS TIMESTAMP), (COALESCE(place.timezone, project.timezone))) + INTERVAL '60' MINUTE, (COALESCE(place.timezone, project.timezone))) = CAST(version.sold_at_local AS TIMESTAMP) THEN to_utc_timestamp(CAST(version.sold_at_local AS TIMESTAMP), (COALESCE(place.timezone, project.timezone))) + INTERVAL '60' MINUTE WHEN from_utc_timestamp(to_utc_timestamp(CAST(version.sold_at_local AS TIMESTAMP), (COALESCE(place.timezone, project.timezone))) + INTERVAL '30' MINUTE, (COALESCE(place.timezone, project.timezone))) = CAST(version.sold_at_local AS TIMESTAMP) THEN to_utc_timestamp(CAST(version.sold_at_local AS TIMESTAMP), (COALESCE(place.timezone, project.timezone))) + INTERVAL '30' MINUTE ELSE to_utc_timestamp(CAST(version.sold_at_local AS TIMESTAMP), (COALESCE(place.timezone, project.timezone))) END END
    ) AS sold_at,
    version.known_from_at,
    version.known_to_at,
    project.timezone AS project_timezone,
    project.business_day_cutover AS project_cutover
  FROM silver.sale_line__versions AS version
  CROSS JOIN meta.project AS project
  LEFT JOIN gold.dim_location AS place
    ON place.source_name = version.location_source_name
    AND place.location_id = version.location_id
    AND place.is_latest
  WHERE
    version.known_to_at < CAST('9999-12-31 00:00:00+00' AS TIMESTAMP)
    AND NOT version.is_deleted
    AND NOT version.is_test
    AND NOT version.is_void
    AND version.sale_kind <> 'cancellation'
), dated_version AS (
  SELECT
    version.source_name,
    version.sale_id,
    version.line_no,
    COALESCE(
      place.location_durable_key,
      GREATEST(CAST(conv(substr(md5(concat_ws('', CAST(length(version.location_source_name) AS STRING), ':', version.location_source_name, CAST(length(version.location_id) AS STRING), ':', version.location_id)), 1, 15), 16, 10) AS BIGINT), CAST(1 AS BIGINT))
    ) AS location_durable_key,
    version.location_id,
    CASE WHEN try_to_timestamp('2000-01-01 ' || (COALESCE(place.timezone, version.project_timezone)), 'yyyy-MM-dd VV') IS NOT NULL THEN CAST(from_utc_timestamp(CAST(version.sold_at AS TIMESTAMP), (COALESCE(place.timezone, version.project_timezone))) - make_dt_interval(0, CAST(substr((COALESCE(place.business_day_cutover, version.project_cutover)), 1, 2) AS INT), CAST(substr((COALESCE(place.business_day_cutover, version.project_cutover)), 4, 2) AS INT), COALESCE(CAST(NULLIF(substr((COALESCE(place.business_day_cutover, version.project_cutover)), 7), '') AS DECIMAL(8, 6)), 0)) AS DATE) END AS business_date,
    version.known_from_at,
    version.known_to_at
  FROM replaced_version AS version
  LEFT JOIN gold.dim_location AS place
    ON place.source_name = version.location_source_name
    AND place.location_id = version.location_id
    AND place.valid_from_at <= version.sold_at
    AND place.superseded_at > version.sold_at
), gone_line AS (
  SELECT
    concat_ws('-', substr(md5(concat_ws('', CAST(length(version.source_name) AS STRING), ':', version.source_name, CAST(length(version.sale_id) AS STRING), ':', version.sale_id, CAST(length(version.line_no) AS STRING), ':', version.line_no)), 1, 8), substr(md5(concat_ws('', CAST(length(version.source_name) AS STRING), ':', version.source_name, CAST(length(version.sale_id) AS STRING), ':', version.sale_id, CAST(length(version.line_no) AS STRING), ':', version.line_no)), 9, 4), substr(md5(concat_ws('', CAST(length(version.source_name) AS STRING), ':', version.source_name, CAST(length(version.sale_id) AS STRING), ':', version.sale_id, CAST(length(version.line_no) AS STRING), ':', version.line_no)), 13, 4), substr(md5(concat_ws('', CAST(length(version.source_name) AS STRING), ':', version.source_name, CAST(length(version.sale_id) AS STRING), ':', version.sale_id, CAST(length(version.line_no) AS STRING), ':', version.line_no)), 17, 4), substr(md5(concat_ws('', CAST(length(version.source_name) AS STRING), ':', version.source_name, CAST(length(version.sale_id) AS STRING), ':', version.sale_id, CAST(length(version.line_no) AS STRING), ':', version.line_no)), 21, 12)) AS sale_line_key,
    version.source_name,
    version.sale_id,
    version.line_no,
    version.location_durable_key,
    version.location_id,
    version.business_date,
    CASE WHEN COALESCE(line.is_counted, FALSE) THEN 'moved' ELSE 'withdrawn' END AS restatement_kind,
    report.snapshot_no,
    report.known_at,
    version.known_to_at AS known_from_at,
    CAST(0 AS DECIMAL(18, 4)) AS reporting_net_amount
  FROM report
  INNER JOIN dated_version AS version
    ON version.location_durable_key = report.location_durable_key
    AND version.business_date = report.business_date
    AND version.known_from_at <= report.known_at
    AND version.known_to_at > report.known_at
  LEFT JOIN gold.fact_sale_line AS line
    ON line.source_name = version.source_name
    AND line.sale_id = version.sale_id
    AND line.line_no = version.line_no
  WHERE
    line.sale_line_key IS NULL
    OR line.location_durable_key <> version.location_durable_key
    OR line.business_date <> version.business_date
), restated AS (
  SELECT
    *
  FROM changed_line
  WHERE
    restatement_kind IS NOT NULL
  UNION ALL
  SELECT
    *
  FROM gone_line
)
SELECT
  restated.sale_line_key,
  restated.source_name,
  restated.sale_id,
  restated.line_no,
  restated.location_durable_key,
  restated.location_id,
  restated.business_date,
  restated.restatement_kind,
  restated.snapshot_no AS first_snapshot_no,
  restated.known_from_at,
  CASE
    WHEN restated.restatement_kind = 'late'
    THEN 0
    WHEN progress.history_from_at <= restated.known_at
    THEN COALESCE(believed.reporting_net_amount, 0)
  END AS first_reporting_net_amount,
  restated.reporting_net_amount
FROM restated
CROSS JOIN meta.progress AS progress
LEFT JOIN gold.fact_sale_line__versions AS believed
  ON believed.sale_line_key = restated.sale_line_key
  AND believed.location_durable_key = restated.location_durable_key
  AND believed.business_date = restated.business_date
  AND believed.known_from_at <= restated.known_at
  AND believed.known_to_at > restated.known_at;
