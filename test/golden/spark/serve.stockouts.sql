CREATE TABLE serve.stockouts (
  product_durable_key BIGINT NOT NULL,
  location_durable_key BIGINT NOT NULL,
  product_id STRING NOT NULL,
  product_name STRING,
  location_id STRING NOT NULL,
  location_name STRING,
  ranged_days BIGINT NOT NULL,
  unknown_days BIGINT NOT NULL,
  stockout_days BIGINT NOT NULL,
  stockout_ratio DECIMAL(18, 4),
  last_28_days_ranged_days BIGINT NOT NULL,
  last_28_days_stockout_days BIGINT NOT NULL,
  last_28_days_stockout_ratio DECIMAL(18, 4),
  is_out BOOLEAN NOT NULL
);
WITH last_day AS (
  SELECT
    last_date,
    date_add(CAST(last_date AS DATE), CAST(1 AS INT)) AS end_date,
    date_add(CAST(last_date AS DATE), CAST((-27) AS INT)) AS from_28_date
  FROM gold.last_day
  WHERE
    fact_kind = 'stock'
), ranged AS (
  SELECT
    assortment.product_durable_key,
    assortment.location_durable_key,
    assortment.product_id,
    assortment.location_id,
    assortment.from_date,
    LEAST(assortment.to_date, last_day.end_date) AS to_date,
    last_day.last_date,
    last_day.from_28_date
  FROM gold.fact_assortment AS assortment
  CROSS JOIN last_day
  WHERE
    assortment.from_date <= last_day.last_date
), span AS (
  SELECT
    product_durable_key,
    location_durable_key,
    product_id,
    location_id,
    datediff(CAST(to_date AS DATE), CAST(from_date AS DATE)) AS all_days,
    0 AS ranged_days,
    0 AS stockout_days,
    0 AS last_28_ranged_days,
    0 AS last_28_stockout_days,
    0 AS out_number
  FROM ranged
  UNION ALL
  SELECT
    ranged.product_durable_key,
    ranged.location_durable_key,
    ranged.product_id,
    ranged.location_id,
    0 AS all_days,
    datediff(CAST((LEAST(ranged.to_date, stock.to_date)) AS DATE), CAST((GREATEST(ranged.from_date, stock.from_date)) AS DATE)) AS ranged_days,
    CASE
      WHEN stock.on_hand_units <= 0
      THEN datediff(CAST((LEAST(ranged.to_date, stock.to_date)) AS DATE), CAST((GREATEST(ranged.from_date, stock.from_date)) AS DATE))
      ELSE 0
    END AS stockout_days,
    GREATEST(
      datediff(CAST((LEAST(ranged.to_date, stock.to_date)) AS DATE), CAST((GREATEST(ranged.from_date, stock.from_date, ranged.from_28_date)) AS DATE)),
      0
    ) AS last_28_ranged_days,
    CASE
      WHEN stock.on_hand_units <= 0
      THEN GREATEST(
        datediff(CAST((LEAST(ranged.to_date, stock.to_date)) AS DATE), CAST((GREATEST(ranged.from_date, stock.from_date, ranged.from_28_date)) AS DATE)),
        0
      )
      ELSE 0
    END AS last_28_stockout_days,
    CASE
      WHEN stock.on_hand_units <= 0
      AND ranged.to_date > ranged.last_date
      AND stock.to_date > ranged.last_date
      THEN 1
      ELSE 0
    END AS out_number
  FROM ranged
  INNER JOIN gold.fact_stock_interval AS stock
    ON stock.product_durable_key = ranged.product_durable_key
    AND stock.location_durable_key = ranged.location_durable_key
    AND stock.from_date < ranged.to_date
    AND stock.to_date > ranged.from_date
  WHERE
    stock.stock_status = 'sellable'
), counted AS (
  SELECT
    product_durable_key,
    location_durable_key,
    MIN(product_id) AS product_id,
    MIN(location_id) AS location_id,
    SUM(all_days) AS all_days,
    SUM(ranged_days) AS ranged_days,
    SUM(stockout_days) AS stockout_days,
    SUM(last_28_ranged_days) AS last_28_ranged_days,
    SUM(last_28_stockout_days) AS last_28_stockout_days,
    MAX(out_number) AS out_number
  FROM span
  GROUP BY
    product_durable_key,
    location_durable_key
)
SELECT
  counted.product_durable_key,
  counted.location_durable_key,
  counted.product_id,
  article.product_name,
  counted.location_id,
  place.location_name,
  CAST(counted.ranged_days AS BIGINT) AS ranged_days,
  CAST(counted.all_days - counted.ranged_days AS BIGINT) AS unknown_days,
  CAST(counted.stockout_days AS BIGINT) AS stockout_days,
  CAST(CAST(((2BD * abs((CAST(counted.stockout_days AS DECIMAL(38, 12)) * 10000BD)) + abs(CAST(counted.ranged_days AS DECIMAL(38, 12)))) DIV NULLIF(2BD * abs(CAST(counted.ranged_days AS DECIMAL(38, 12))), 0BD) * CAST(sign((CAST(counted.stockout_days AS DECIMAL(38, 12)) * 10000BD)) * sign(CAST(counted.ranged_days AS DECIMAL(38, 12))) AS BIGINT)) AS DECIMAL(38, 0)) * 0.0001BD AS DECIMAL(18, 4)) AS stockout_ratio,
  CAST(counted.last_28_ranged_days AS BIGINT) AS last_28_days_ranged_days,
  CAST(counted.last_28_stockout_days AS BIGINT) AS last_28_days_stockout_days,
  CAST(CAST(((2BD * abs((CAST(counted.last_28_stockout_days AS DECIMAL(38, 12)) * 10000BD)) + abs(CAST(counted.last_28_ranged_days AS DECIMAL(38, 12)))) DIV NULLIF(2BD * abs(CAST(counted.last_28_ranged_days AS DECIMAL(38, 12))), 0BD) * CAST(sign((CAST(counted.last_28_stockout_days AS DECIMAL(38, 12)) * 10000BD)) * sign(CAST(counted.last_28_ranged_days AS DECIMAL(38, 12))) AS BIGINT)) AS DECIMAL(38, 0)) * 0.0001BD AS DECIMAL(18, 4)) AS last_28_days_stockout_ratio,
  counted.out_number = 1 AS is_out
FROM counted
LEFT JOIN serve.product_current AS article
  ON article.product_durable_key = counted.product_durable_key
LEFT JOIN serve.location_current AS place
  ON place.location_durable_key = counted.location_durable_key;
