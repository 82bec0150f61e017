CREATE TABLE gold.fact_assortment (
  product_durable_key BIGINT NOT NULL,
  location_durable_key BIGINT NOT NULL,
  from_date DATE NOT NULL,
  to_date DATE NOT NULL,
  product_id STRING NOT NULL,
  location_id STRING NOT NULL,
  is_listed BOOLEAN NOT NULL
);
WITH listed AS (
  SELECT
    GREATEST(CAST(conv(substr(md5(concat_ws('', CAST(length(listing.product_source_name) AS STRING), ':', listing.product_source_name, CAST(length(listing.product_id) AS STRING), ':', listing.product_id)), 1, 15), 16, 10) AS BIGINT), CAST(1 AS BIGINT)) AS product_durable_key,
    GREATEST(CAST(conv(substr(md5(concat_ws('', CAST(length(listing.location_source_name) AS STRING), ':', listing.location_source_name, CAST(length(listing.location_id) AS STRING), ':', listing.location_id)), 1, 15), 16, 10) AS BIGINT), CAST(1 AS BIGINT)) AS location_durable_key,
    listing.product_id,
    listing.location_id,
    listing.from_date,
    COALESCE(listing.to_date, CAST('9999-12-31' AS DATE)) AS to_date
  FROM silver.assortment AS listing
), listed_place AS (
  SELECT
    location_durable_key
  FROM listed
  GROUP BY
    location_durable_key
), received AS (
  SELECT
    product_durable_key,
    location_durable_key,
    MIN(product_id) AS product_id,
    MIN(location_id) AS location_id,
    MIN(business_date) AS from_date
  FROM gold.stock_entry
  WHERE
    quantity_units > 0 OR counted_units > 0
  GROUP BY
    product_durable_key,
    location_durable_key
), span AS (
  SELECT
    product_durable_key,
    location_durable_key,
    product_id,
    location_id,
    from_date,
    to_date,
    TRUE AS is_listed
  FROM listed
  UNION ALL
  SELECT
    received.product_durable_key,
    received.location_durable_key,
    received.product_id,
    received.location_id,
    received.from_date,
    LEAST(
      COALESCE(
        date_add(CAST(article.discontinued_date AS DATE), CAST(1 AS INT)),
        CAST('9999-12-31' AS DATE)
      ),
      COALESCE(
        date_add(CAST(place.closed_date AS DATE), CAST(1 AS INT)),
        CAST('9999-12-31' AS DATE)
      )
    ) AS to_date,
    FALSE AS is_listed
  FROM received
  LEFT JOIN listed_place
    ON listed_place.location_durable_key = received.location_durable_key
  LEFT JOIN gold.dim_product AS article
    ON article.product_durable_key = received.product_durable_key AND article.is_latest
  LEFT JOIN gold.dim_location AS place
    ON place.location_durable_key = received.location_durable_key AND place.is_latest
  WHERE
    listed_place.location_durable_key IS NULL AND COALESCE(article.is_stocked, TRUE)
), reached_span AS (
  SELECT
    product_durable_key,
    location_durable_key,
    product_id,
    location_id,
    from_date,
    to_date,
    is_listed,
    MAX(to_date) OVER (
      PARTITION BY product_durable_key, location_durable_key
      ORDER BY from_date NULLS LAST, to_date NULLS LAST
      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS reached_date
  FROM span
  WHERE
    to_date > from_date
), numbered_span AS (
  SELECT
    product_durable_key,
    location_durable_key,
    product_id,
    location_id,
    from_date,
    to_date,
    is_listed,
    SUM(CASE WHEN from_date <= reached_date THEN 0 ELSE 1 END) OVER (
      PARTITION BY product_durable_key, location_durable_key
      ORDER BY from_date NULLS LAST, to_date NULLS LAST
    ) AS span_number
  FROM reached_span
)
SELECT
  product_durable_key,
  location_durable_key,
  MIN(from_date) AS from_date,
  MAX(to_date) AS to_date,
  MIN(product_id) AS product_id,
  MIN(location_id) AS location_id,
  BOOL_AND(is_listed) AS is_listed
FROM numbered_span
GROUP BY
  product_durable_key,
  location_durable_key,
  span_number;
