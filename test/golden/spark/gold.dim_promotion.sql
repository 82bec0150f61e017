CREATE TABLE gold.dim_promotion (
  promotion_key BIGINT NOT NULL,
  source_name STRING NOT NULL,
  promotion_id STRING NOT NULL,
  promotion_name STRING,
  mechanic STRING,
  from_date DATE NOT NULL,
  to_date DATE NOT NULL
);
SELECT
  GREATEST(CAST(conv(substr(md5(concat_ws('', CAST(length(promotion.source_name) AS STRING), ':', promotion.source_name, CAST(length(promotion.promotion_id) AS STRING), ':', promotion.promotion_id)), 1, 15), 16, 10) AS BIGINT), CAST(1 AS BIGINT)) AS promotion_key,
  promotion.source_name,
  promotion.promotion_id,
  MIN(promotion.promotion_name) AS promotion_name,
  MIN(promotion.mechanic) AS mechanic,
  MIN(promotion.from_date) AS from_date,
  MAX(COALESCE(promotion.to_date, CAST('9999-12-31' AS DATE))) AS to_date
FROM silver.promotion AS promotion
GROUP BY
  promotion.source_name,
  promotion.promotion_id
UNION ALL
SELECT
  0 AS promotion_key,
  '(unknown)' AS source_name,
  '(unknown)' AS promotion_id,
  CAST(NULL AS STRING) AS promotion_name,
  CAST(NULL AS STRING) AS mechanic,
  CAST('1900-01-01' AS DATE) AS from_date,
  CAST('9999-12-31' AS DATE) AS to_date
FROM meta.project AS project;
