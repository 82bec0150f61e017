CREATE TABLE gold.cost_group (
  product_durable_key BIGINT NOT NULL,
  cost_group BIGINT NOT NULL,
  currency_code STRING NOT NULL
);
WITH entry AS (
  SELECT DISTINCT
    product_durable_key,
    CASE
      WHEN movement_kind IN ('production_in', 'production_out')
      THEN source_name || '/' || document_id
    END AS production_id
  FROM gold.stock_entry
), link AS (
  SELECT
    product_durable_key,
    MIN(product_durable_key) OVER (PARTITION BY COALESCE(production_id, CAST(product_durable_key AS STRING))) AS linked_durable_key
  FROM entry
)
SELECT
  link.product_durable_key,
  link.linked_durable_key,
  COALESCE(article.currency_code, project.currency_code) AS currency_code
FROM link
CROSS JOIN meta.project AS project
LEFT JOIN gold.dim_product AS article
  ON article.product_durable_key = link.product_durable_key AND article.is_latest;
