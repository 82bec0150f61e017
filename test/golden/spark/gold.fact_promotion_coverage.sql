CREATE TABLE gold.fact_promotion_coverage (
  promotion_coverage_key STRING NOT NULL,
  promotion_key BIGINT NOT NULL,
  product_durable_key BIGINT NOT NULL,
  product_id STRING NOT NULL,
  location_durable_key BIGINT NOT NULL,
  location_id STRING NOT NULL,
  from_date DATE NOT NULL,
  to_date DATE NOT NULL
);
SELECT
  concat_ws('-', substr(md5(concat_ws('', CAST(length(promotion.source_name) AS STRING), ':', promotion.source_name, CAST(length(promotion.promotion_id) AS STRING), ':', promotion.promotion_id, CAST(length(promotion.product_id) AS STRING), ':', promotion.product_id, CAST(length(promotion.location_id) AS STRING), ':', promotion.location_id)), 1, 8), substr(md5(concat_ws('', CAST(length(promotion.source_name) AS STRING), ':', promotion.source_name, CAST(length(promotion.promotion_id) AS STRING), ':', promotion.promotion_id, CAST(length(promotion.product_id) AS STRING), ':', promotion.product_id, CAST(length(promotion.location_id) AS STRING), ':', promotion.location_id)), 9, 4), substr(md5(concat_ws('', CAST(length(promotion.source_name) AS STRING), ':', promotion.source_name, CAST(length(promotion.promotion_id) AS STRING), ':', promotion.promotion_id, CAST(length(promotion.product_id) AS STRING), ':', promotion.product_id, CAST(length(promotion.location_id) AS STRING), ':', promotion.location_id)), 13, 4), substr(md5(concat_ws('', CAST(length(promotion.source_name) AS STRING), ':', promotion.source_name, CAST(length(promotion.promotion_id) AS STRING), ':', promotion.promotion_id, CAST(length(promotion.product_id) AS STRING), ':', promotion.product_id, CAST(length(promotion.location_id) AS STRING), ':', promotion.location_id)), 17, 4), substr(md5(concat_ws('', CAST(length(promotion.source_name) AS STRING), ':', promotion.source_name, CAST(length(promotion.promotion_id) AS STRING), ':', promotion.promotion_id, CAST(length(promotion.product_id) AS STRING), ':', promotion.product_id, CAST(length(promotion.location_id) AS STRING), ':', promotion.location_id)), 21, 12)) AS promotion_coverage_key,
  GREATEST(CAST(conv(substr(md5(concat_ws('', CAST(length(promotion.source_name) AS STRING), ':', promotion.source_name, CAST(length(promotion.promotion_id) AS STRING), ':', promotion.promotion_id)), 1, 15), 16, 10) AS BIGINT), CAST(1 AS BIGINT)) AS promotion_key,
  CASE
    WHEN promotion.product_id = ''
    THEN 0
    ELSE GREATEST(CAST(conv(substr(md5(concat_ws('', CAST(length(promotion.product_source_name) AS STRING), ':', promotion.product_source_name, CAST(length(promotion.product_id) AS STRING), ':', promotion.product_id)), 1, 15), 16, 10) AS BIGINT), CAST(1 AS BIGINT))
  END AS product_durable_key,
  promotion.product_id,
  CASE
    WHEN promotion.location_id = ''
    THEN 0
    ELSE GREATEST(CAST(conv(substr(md5(concat_ws('', CAST(length(promotion.location_source_name) AS STRING), ':', promotion.location_source_name, CAST(length(promotion.location_id) AS STRING), ':', promotion.location_id)), 1, 15), 16, 10) AS BIGINT), CAST(1 AS BIGINT))
  END AS location_durable_key,
  promotion.location_id,
  promotion.from_date,
  COALESCE(promotion.to_date, CAST('9999-12-31' AS DATE)) AS to_date
FROM silver.promotion AS promotion;
