CREATE TABLE gold.product_component (
  product_durable_key BIGINT NOT NULL,
  component_durable_key BIGINT NOT NULL,
  product_id STRING NOT NULL,
  component_product_id STRING NOT NULL,
  quantity_units DECIMAL(18, 6) NOT NULL,
  is_kit BOOLEAN NOT NULL,
  is_limiting BOOLEAN NOT NULL
);
WITH made AS (
  SELECT
    source_name,
    product_id
  FROM silver.product_component
  GROUP BY
    source_name,
    product_id
)
SELECT
  GREATEST(CAST(conv(substr(md5(concat_ws('', CAST(length(part.source_name) AS STRING), ':', part.source_name, CAST(length(part.product_id) AS STRING), ':', part.product_id)), 1, 15), 16, 10) AS BIGINT), CAST(1 AS BIGINT)) AS product_durable_key,
  GREATEST(CAST(conv(substr(md5(concat_ws('', CAST(length(part.source_name) AS STRING), ':', part.source_name, CAST(length(part.component_product_id) AS STRING), ':', part.component_product_id)), 1, 15), 16, 10) AS BIGINT), CAST(1 AS BIGINT)) AS component_durable_key,
  part.product_id,
  part.component_product_id,
  part.quantity AS quantity_units,
  NOT COALESCE(article.is_stocked, TRUE) AS is_kit,
  COALESCE(component.is_stocked, TRUE) OR made.product_id IS NOT NULL AS is_limiting
FROM silver.product_component AS part
LEFT JOIN gold.dim_product AS article
  ON article.source_name = part.source_name
  AND article.product_id = part.product_id
  AND article.is_latest
LEFT JOIN gold.dim_product AS component
  ON component.source_name = part.source_name
  AND component.product_id = part.component_product_id
  AND component.is_latest
LEFT JOIN made
  ON made.source_name = part.source_name
  AND made.product_id = part.component_product_id;
