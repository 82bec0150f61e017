CREATE TABLE gold.dim_location (
  location_key BIGINT NOT NULL,
  location_durable_key BIGINT NOT NULL,
  source_name STRING NOT NULL,
  location_id STRING NOT NULL,
  location_name STRING,
  location_type STRING NOT NULL,
  region STRING,
  city STRING,
  country_code STRING,
  timezone STRING NOT NULL,
  is_timezone_known BOOLEAN NOT NULL,
  business_day_cutover STRING NOT NULL,
  currency_code STRING NOT NULL,
  opened_date DATE,
  closed_date DATE,
  floor_area_m2 DECIMAL(18, 3),
  valid_from_at TIMESTAMP NOT NULL,
  valid_to_at TIMESTAMP NOT NULL,
  superseded_at TIMESTAMP NOT NULL,
  is_current BOOLEAN NOT NULL,
  is_latest BOOLEAN NOT NULL
);
WITH place AS (
  SELECT
    location.source_name,
    location.location_id,
    location.version_at,
    location.is_deleted,
    location.location_name,
    location.location_type,
    location.region,
    location.city,
    location.country_code,
    CASE
      WHEN CASE WHEN try_to_timestamp('2000-01-01 ' || location.timezone, 'yyyy-MM-dd VV') IS NOT NULL THEN CAST(from_utc_timestamp(CAST(CAST('2000-01-01 00:00:00+00' AS TIMESTAMP) AS TIMESTAMP), location.timezone) AS TIMESTAMP_NTZ) END IS NOT NULL
      THEN location.timezone
      ELSE project.timezone
    END AS timezone,
    CASE WHEN try_to_timestamp('2000-01-01 ' || location.timezone, 'yyyy-MM-dd VV') IS NOT NULL THEN CAST(from_utc_timestamp(CAST(CAST('2000-01-01 00:00:00+00' AS TIMESTAMP) AS TIMESTAMP), location.timezone) AS TIMESTAMP_NTZ) END IS NOT NULL AS is_timezone_known,
    COALESCE(location.business_day_cutover, project.business_day_cutover) AS business_day_cutover,
    COALESCE(location.currency_code, project.currency_code) AS currency_code,
    location.opened_date,
    location.closed_date,
    location.floor_area_m2
  FROM silver.location AS location
  CROSS JOIN meta.project AS project
), described AS (
  SELECT
    source_name,
    location_id,
    version_at,
    is_deleted,
    CASE
      WHEN is_deleted
      THEN 'deleted'
      ELSE md5(concat_ws('', CAST(length(CAST(location_name AS STRING)) AS STRING), ':', CAST(location_name AS STRING), CAST(length(CAST(location_type AS STRING)) AS STRING), ':', CAST(location_type AS STRING), CAST(length(CAST(region AS STRING)) AS STRING), ':', CAST(region AS STRING), CAST(length(CAST(city AS STRING)) AS STRING), ':', CAST(city AS STRING), CAST(length(CAST(country_code AS STRING)) AS STRING), ':', CAST(country_code AS STRING), CAST(length(CAST(timezone AS STRING)) AS STRING), ':', CAST(timezone AS STRING), CAST(length(CAST(is_timezone_known AS STRING)) AS STRING), ':', CAST(is_timezone_known AS STRING), CAST(length(CAST(business_day_cutover AS STRING)) AS STRING), ':', CAST(business_day_cutover AS STRING), CAST(length(CAST(currency_code AS STRING)) AS STRING), ':', CAST(currency_code AS STRING), CAST(length(CAST(opened_date AS STRING)) AS STRING), ':', CAST(opened_date AS STRING), CAST(length(CAST(closed_date AS STRING)) AS STRING), ':', CAST(closed_date AS STRING), CAST(length(CAST(floor_area_m2 AS STRING)) AS STRING), ':', CAST(floor_area_m2 AS STRING)))
    END AS content_hash
  FROM place
), compared AS (
  SELECT
    source_name,
    location_id,
    version_at,
    is_deleted,
    content_hash,
    LAG(content_hash) OVER (PARTITION BY source_name, location_id ORDER BY version_at NULLS LAST) AS previous_hash
  FROM described
), version AS (
  SELECT
    source_name,
    location_id,
    version_at,
    is_deleted,
    LAG(version_at) OVER (PARTITION BY source_name, location_id ORDER BY version_at NULLS LAST) AS previous_at,
    LEAD(version_at) OVER (PARTITION BY source_name, location_id ORDER BY version_at NULLS LAST) AS next_at,
    LEAD(is_deleted) OVER (PARTITION BY source_name, location_id ORDER BY version_at NULLS LAST) AS is_next_deleted,
    LEAD(version_at, 2) OVER (PARTITION BY source_name, location_id ORDER BY version_at NULLS LAST) AS next_but_one_at
  FROM compared
  WHERE
    previous_hash IS NULL OR previous_hash <> content_hash
)
SELECT
  GREATEST(CAST(conv(substr(md5(concat_ws('', CAST(length(version.source_name) AS STRING), ':', version.source_name, CAST(length(version.location_id) AS STRING), ':', version.location_id, CAST(length(CAST(unix_micros(CAST(version.version_at AS TIMESTAMP)) AS STRING)) AS STRING), ':', CAST(unix_micros(CAST(version.version_at AS TIMESTAMP)) AS STRING))), 1, 15), 16, 10) AS BIGINT), CAST(1 AS BIGINT)) AS location_key,
  GREATEST(CAST(conv(substr(md5(concat_ws('', CAST(length(version.source_name) AS STRING), ':', version.source_name, CAST(length(version.location_id) AS STRING), ':', version.location_id)), 1, 15), 16, 10) AS BIGINT), CAST(1 AS BIGINT)) AS location_durable_key,
  version.source_name,
  version.location_id,
  place.location_name,
  place.location_type,
  place.region,
  place.city,
  place.country_code,
  place.timezone,
  place.is_timezone_known,
  place.business_day_cutover,
  place.currency_code,
  place.opened_date,
  place.closed_date,
  place.floor_area_m2,
  CASE
    WHEN version.previous_at IS NULL
    THEN CAST('1900-01-01 00:00:00+00' AS TIMESTAMP)
    ELSE version.version_at
  END AS valid_from_at,
  COALESCE(version.next_at, CAST('9999-12-31 00:00:00+00' AS TIMESTAMP)) AS valid_to_at,
  COALESCE(
    CASE
      WHEN version.is_next_deleted
      THEN version.next_but_one_at
      ELSE version.next_at
    END,
    CAST('9999-12-31 00:00:00+00' AS TIMESTAMP)
  ) AS superseded_at,
  version.next_at IS NULL AS is_current,
  version.next_at IS NULL
  OR (
    version.is_next_deleted AND version.next_but_one_at IS NULL
  ) AS is_latest
FROM version
INNER JOIN place
  ON place.source_name = version.source_name
  AND place.location_id = version.location_id
  AND place.version_at = version.version_at
WHERE
  NOT version.is_deleted
UNION ALL
SELECT
  0 AS location_key,
  0 AS location_durable_key,
  '(unknown)' AS source_name,
  '(unknown)' AS location_id,
  '(unknown)' AS location_name,
  '(unknown)' AS location_type,
  CAST(NULL AS STRING) AS region,
  CAST(NULL AS STRING) AS city,
  CAST(NULL AS STRING) AS country_code,
  project.timezone,
  FALSE AS is_timezone_known,
  project.business_day_cutover,
  project.currency_code,
  CAST(NULL AS DATE) AS opened_date,
  CAST(NULL AS DATE) AS closed_date,
  CAST(NULL AS DECIMAL(18, 3)) AS floor_area_m2,
  CAST('1900-01-01 00:00:00+00' AS TIMESTAMP) AS valid_from_at,
  CAST('9999-12-31 00:00:00+00' AS TIMESTAMP) AS valid_to_at,
  CAST('9999-12-31 00:00:00+00' AS TIMESTAMP) AS superseded_at,
  TRUE AS is_current,
  TRUE AS is_latest
FROM meta.project AS project;
