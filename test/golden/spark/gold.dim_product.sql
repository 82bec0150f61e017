CREATE TABLE gold.dim_product (
  product_key BIGINT NOT NULL,
  product_durable_key BIGINT NOT NULL,
  source_name STRING NOT NULL,
  product_id STRING NOT NULL,
  sku STRING,
  gtin STRING,
  product_name STRING,
  brand STRING,
  category_1 STRING,
  category_2 STRING,
  category_3 STRING,
  category_4 STRING,
  parent_product_id STRING,
  size STRING,
  colour STRING,
  supplier_id STRING,
  base_unit STRING,
  list_price_amount DECIMAL(18, 4),
  standard_cost_amount DECIMAL(18, 6),
  currency_code STRING NOT NULL,
  is_stocked BOOLEAN NOT NULL,
  status STRING,
  launched_date DATE,
  discontinued_date DATE,
  valid_from_at TIMESTAMP NOT NULL,
  valid_to_at TIMESTAMP NOT NULL,
  superseded_at TIMESTAMP NOT NULL,
  is_current BOOLEAN NOT NULL,
  is_latest BOOLEAN NOT NULL
);
WITH described AS (
  SELECT
    product.source_name,
    product.product_id,
    product.version_at,
    product.is_deleted,
    CASE
      WHEN product.is_deleted
      THEN 'deleted'
      ELSE md5(concat_ws('', CAST(length(CAST(product.sku AS STRING)) AS STRING), ':', CAST(product.sku AS STRING), CAST(length(CAST(product.gtin AS STRING)) AS STRING), ':', CAST(product.gtin AS STRING), CAST(length(CAST(product.product_name AS STRING)) AS STRING), ':', CAST(product.product_name AS STRING), CAST(length(CAST(product.brand AS STRING)) AS STRING), ':', CAST(product.brand AS STRING), CAST(length(CAST(product.category_1 AS STRING)) AS STRING), ':', CAST(product.category_1 AS STRING), CAST(length(CAST(product.category_2 AS STRING)) AS STRING), ':', CAST(product.category_2 AS STRING), CAST(length(CAST(product.category_3 AS STRING)) AS STRING), ':', CAST(product.category_3 AS STRING), CAST(length(CAST(product.category_4 AS STRING)) AS STRING), ':', CAST(product.category_4 AS STRING), CAST(length(CAST(product.parent_product_id AS STRING)) AS STRING), ':', CAST(product.parent_product_id AS STRING), CAST(length(CAST(product.size AS STRING)) AS STRING), ':', CAST(product.size AS STRING), CAST(length(CAST(product.colour AS STRING)) AS STRING), ':', CAST(product.colour AS STRING), CAST(length(CAST(product.supplier_id AS STRING)) AS STRING), ':', CAST(product.supplier_id AS STRING), CAST(length(CAST(product.base_unit AS STRING)) AS STRING), ':', CAST(product.base_unit AS STRING), CAST(length(CAST(product.list_price_amount AS STRING)) AS STRING), ':', CAST(product.list_price_amount AS STRING), CAST(length(CAST(product.standard_cost_amount AS STRING)) AS STRING), ':', CAST(product.standard_cost_amount AS STRING), CAST(length(CAST((COALESCE(product.currency_code, project.currency_code)) AS STRING)) AS STRING), ':', CAST((COALESCE(product.currency_code, project.currency_code)) AS STRING), CAST(length(CAST(product.is_stocked AS STRING)) AS STRING), ':', CAST(product.is_stocked AS STRING), CAST(length(CAST(product.status AS STRING)) AS STRING), ':', CAST(product.status AS STRING), CAST(length(CAST(product.launched_date AS STRING)) AS STRING), ':', CAST(product.launched_date AS STRING), CAST(length(CAST(product.discontinued_date AS STRING)) AS STRING), ':', CAST(product.discontinued_date AS STRING)))
    END AS content_hash
  FROM silver.product AS product
  CROSS JOIN meta.project AS project
), compared AS (
  SELECT
    source_name,
    product_id,
    version_at,
    is_deleted,
    content_hash,
    LAG(content_hash) OVER (PARTITION BY source_name, product_id ORDER BY version_at NULLS LAST) AS previous_hash
  FROM described
), version AS (
  SELECT
    source_name,
    product_id,
    version_at,
    is_deleted,
    LAG(version_at) OVER (PARTITION BY source_name, product_id ORDER BY version_at NULLS LAST) AS previous_at,
    LEAD(version_at) OVER (PARTITION BY source_name, product_id ORDER BY version_at NULLS LAST) AS next_at,
    LEAD(is_deleted) OVER (PARTITION BY source_name, product_id ORDER BY version_at NULLS LAST) AS is_next_deleted,
    LEAD(version_at, 2) OVER (PARTITION BY source_name, product_id ORDER BY version_at NULLS LAST) AS next_but_one_at
  FROM compared
  WHERE
    previous_hash IS NULL OR previous_hash <> content_hash
)
SELECT
  GREATEST(CAST(conv(substr(md5(concat_ws('', CAST(length(version.source_name) AS STRING), ':', version.source_name, CAST(length(version.product_id) AS STRING), ':', version.product_id, CAST(length(CAST(unix_micros(CAST(version.version_at AS TIMESTAMP)) AS STRING)) AS STRING), ':', CAST(unix_micros(CAST(version.version_at AS TIMESTAMP)) AS STRING))), 1, 15), 16, 10) AS BIGINT), CAST(1 AS BIGINT)) AS product_key,
  GREATEST(CAST(conv(substr(md5(concat_ws('', CAST(length(version.source_name) AS STRING), ':', version.source_name, CAST(length(version.product_id) AS STRING), ':', version.product_id)), 1, 15), 16, 10) AS BIGINT), CAST(1 AS BIGINT)) AS product_durable_key,
  version.source_name,
  version.product_id,
  product.sku,
  product.gtin,
  product.product_name,
  product.brand,
  product.category_1,
  product.category_2,
  product.category_3,
  product.category_4,
  product.parent_product_id,
  product.size,
  product.colour,
  product.supplier_id,
  product.base_unit,
  product.list_price_amount,
  product.standard_cost_amount,
  COALESCE(product.currency_code, project.currency_code) AS currency_code,
  product.is_stocked,
  product.status,
  product.launched_date,
  product.discontinued_date,
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
INNER JOIN silver.product AS product
  ON product.source_name = version.source_name
  AND product.product_id = version.product_id
  AND product.version_at = version.version_at
CROSS JOIN meta.project AS project
WHERE
  NOT version.is_deleted
UNION ALL
SELECT
  0 AS product_key,
  0 AS product_durable_key,
  '(unknown)' AS source_name,
  '(unknown)' AS product_id,
  CAST(NULL AS STRING) AS sku,
  CAST(NULL AS STRING) AS gtin,
  '(unknown)' AS product_name,
  CAST(NULL AS STRING) AS brand,
  CAST(NULL AS STRING) AS category_1,
  CAST(NULL AS STRING) AS category_2,
  CAST(NULL AS STRING) AS category_3,
  CAST(NULL AS STRING) AS category_4,
  CAST(NULL AS STRING) AS parent_product_id,
  CAST(NULL AS STRING) AS size,
  CAST(NULL AS STRING) AS colour,
  CAST(NULL AS STRING) AS supplier_id,
  CAST(NULL AS STRING) AS base_unit,
  CAST(NULL AS DECIMAL(18, 4)) AS list_price_amount,
  CAST(NULL AS DECIMAL(18, 6)) AS standard_cost_amount,
  project.currency_code,
  TRUE AS is_stocked,
  CAST(NULL AS STRING) AS status,
  CAST(NULL AS DATE) AS launched_date,
  CAST(NULL AS DATE) AS discontinued_date,
  CAST('1900-01-01 00:00:00+00' AS TIMESTAMP) AS valid_from_at,
  CAST('9999-12-31 00:00:00+00' AS TIMESTAMP) AS valid_to_at,
  CAST('9999-12-31 00:00:00+00' AS TIMESTAMP) AS superseded_at,
  TRUE AS is_current,
  TRUE AS is_latest
FROM meta.project AS project;
