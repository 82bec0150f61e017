CREATE TABLE gold.dim_supplier (
  supplier_key BIGINT NOT NULL,
  supplier_durable_key BIGINT NOT NULL,
  source_name STRING NOT NULL,
  supplier_id STRING NOT NULL,
  supplier_name STRING,
  country_code STRING,
  agreed_lead_time_days INT,
  valid_from_at TIMESTAMP NOT NULL,
  valid_to_at TIMESTAMP NOT NULL,
  superseded_at TIMESTAMP NOT NULL,
  is_current BOOLEAN NOT NULL,
  is_latest BOOLEAN NOT NULL
);
WITH described AS (
  SELECT
    supplier.source_name,
    supplier.supplier_id,
    supplier.version_at,
    supplier.is_deleted,
    CASE
      WHEN supplier.is_deleted
      THEN 'deleted'
      ELSE md5(concat_ws('', CAST(length(CAST(supplier.supplier_name AS STRING)) AS STRING), ':', CAST(supplier.supplier_name AS STRING), CAST(length(CAST(supplier.country_code AS STRING)) AS STRING), ':', CAST(supplier.country_code AS STRING), CAST(length(CAST(supplier.agreed_lead_time_days AS STRING)) AS STRING), ':', CAST(supplier.agreed_lead_time_days AS STRING)))
    END AS content_hash
  FROM silver.supplier AS supplier
), compared AS (
  SELECT
    source_name,
    supplier_id,
    version_at,
    is_deleted,
    content_hash,
    LAG(content_hash) OVER (PARTITION BY source_name, supplier_id ORDER BY version_at NULLS LAST) AS previous_hash
  FROM described
), version AS (
  SELECT
    source_name,
    supplier_id,
    version_at,
    is_deleted,
    LAG(version_at) OVER (PARTITION BY source_name, supplier_id ORDER BY version_at NULLS LAST) AS previous_at,
    LEAD(version_at) OVER (PARTITION BY source_name, supplier_id ORDER BY version_at NULLS LAST) AS next_at,
    LEAD(is_deleted) OVER (PARTITION BY source_name, supplier_id ORDER BY version_at NULLS LAST) AS is_next_deleted,
    LEAD(version_at, 2) OVER (PARTITION BY source_name, supplier_id ORDER BY version_at NULLS LAST) AS next_but_one_at
  FROM compared
  WHERE
    previous_hash IS NULL OR previous_hash <> content_hash
)
SELECT
  GREATEST(CAST(conv(substr(md5(concat_ws('', CAST(length(version.source_name) AS STRING), ':', version.source_name, CAST(length(version.supplier_id) AS STRING), ':', version.supplier_id, CAST(length(CAST(unix_micros(CAST(version.version_at AS TIMESTAMP)) AS STRING)) AS STRING), ':', CAST(unix_micros(CAST(version.version_at AS TIMESTAMP)) AS STRING))), 1, 15), 16, 10) AS BIGINT), CAST(1 AS BIGINT)) AS supplier_key,
  GREATEST(CAST(conv(substr(md5(concat_ws('', CAST(length(version.source_name) AS STRING), ':', version.source_name, CAST(length(version.supplier_id) AS STRING), ':', version.supplier_id)), 1, 15), 16, 10) AS BIGINT), CAST(1 AS BIGINT)) AS supplier_durable_key,
  version.source_name,
  version.supplier_id,
  supplier.supplier_name,
  supplier.country_code,
  supplier.agreed_lead_time_days,
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
INNER JOIN silver.supplier AS supplier
  ON supplier.source_name = version.source_name
  AND supplier.supplier_id = version.supplier_id
  AND supplier.version_at = version.version_at
WHERE
  NOT version.is_deleted
UNION ALL
SELECT
  0 AS supplier_key,
  0 AS supplier_durable_key,
  '(unknown)' AS source_name,
  '(unknown)' AS supplier_id,
  '(unknown)' AS supplier_name,
  CAST(NULL AS STRING) AS country_code,
  CAST(NULL AS INT) AS agreed_lead_time_days,
  CAST('1900-01-01 00:00:00+00' AS TIMESTAMP) AS valid_from_at,
  CAST('9999-12-31 00:00:00+00' AS TIMESTAMP) AS valid_to_at,
  CAST('9999-12-31 00:00:00+00' AS TIMESTAMP) AS superseded_at,
  TRUE AS is_current,
  TRUE AS is_latest
FROM meta.project AS project;
