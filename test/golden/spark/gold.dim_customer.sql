CREATE TABLE gold.dim_customer (
  customer_key BIGINT NOT NULL,
  source_name STRING NOT NULL,
  customer_id STRING NOT NULL,
  customer_type STRING,
  segment STRING,
  city STRING,
  country_name STRING,
  email_hash STRING
);
SELECT
  GREATEST(CAST(conv(substr(md5(concat_ws('', CAST(length(customer.source_name) AS STRING), ':', customer.source_name, CAST(length(customer.customer_id) AS STRING), ':', customer.customer_id)), 1, 15), 16, 10) AS BIGINT), CAST(1 AS BIGINT)) AS customer_key,
  customer.source_name,
  customer.customer_id,
  customer.customer_type,
  customer.segment,
  customer.city,
  customer.country_name,
  customer.email_hash
FROM silver.customer AS customer
UNION ALL
SELECT
  0 AS customer_key,
  '(unknown)' AS source_name,
  '(unknown)' AS customer_id,
  CAST(NULL AS STRING) AS customer_type,
  CAST(NULL AS STRING) AS segment,
  CAST(NULL AS STRING) AS city,
  CAST(NULL AS STRING) AS country_name,
  CAST(NULL AS STRING) AS email_hash
FROM meta.project AS project;
