CREATE TABLE serve.returns (
  product_durable_key BIGINT NOT NULL,
  location_durable_key BIGINT NOT NULL,
  month_start_date DATE NOT NULL,
  product_id STRING NOT NULL,
  product_name STRING,
  location_id STRING NOT NULL,
  location_name STRING,
  sold_units DECIMAL(18, 3) NOT NULL,
  returned_units DECIMAL(18, 3) NOT NULL,
  reporting_sold_amount DECIMAL(18, 4) NOT NULL,
  reporting_returned_amount DECIMAL(18, 4) NOT NULL,
  return_rate_units DECIMAL(18, 4),
  return_rate_amount DECIMAL(18, 4),
  cohort_returned_units DECIMAL(18, 3) NOT NULL,
  unmatched_returned_units DECIMAL(18, 3) NOT NULL,
  cohort_return_rate_units DECIMAL(18, 4)
);
WITH part AS (
  SELECT
    product_durable_key,
    location_durable_key,
    date_add(CAST(business_date AS DATE), CAST((1 - CAST(EXTRACT(DAY FROM business_date) AS INT)) AS INT)) AS month_start_date,
    product_id,
    location_id,
    CASE WHEN is_return THEN 0 ELSE quantity_units END AS sold_units,
    CASE WHEN is_return THEN -quantity_units ELSE 0 END AS returned_units,
    CASE WHEN is_return THEN 0 ELSE reporting_net_amount END AS reporting_sold_amount,
    CASE WHEN is_return THEN -reporting_net_amount ELSE 0 END AS reporting_returned_amount,
    CAST(0 AS DECIMAL(18, 3)) AS cohort_returned_units,
    CAST(0 AS DECIMAL(18, 3)) AS matched_units
  FROM gold.fact_sale_line
  WHERE
    is_counted
  UNION ALL
  SELECT
    sold.product_durable_key,
    sold.location_durable_key,
    date_add(CAST(sold.business_date AS DATE), CAST((1 - CAST(EXTRACT(DAY FROM sold.business_date) AS INT)) AS INT)) AS month_start_date,
    sold.product_id,
    sold.location_id,
    0 AS sold_units,
    0 AS returned_units,
    0 AS reporting_sold_amount,
    0 AS reporting_returned_amount,
    -returned.quantity_units AS cohort_returned_units,
    0 AS matched_units
  FROM gold.fact_sale_line AS returned
  INNER JOIN gold.fact_sale_line AS sold
    ON sold.source_name = returned.source_name
    AND LEFT(sold.sale_id, 200) = LEFT(returned.original_sale_id, 200)
    AND sold.sale_id = returned.original_sale_id
    AND sold.line_no = returned.original_line_no
  WHERE
    returned.is_counted
    AND returned.is_return
    AND sold.is_counted
    AND NOT sold.is_return
  UNION ALL
  SELECT
    returned.product_durable_key,
    returned.location_durable_key,
    date_add(CAST(returned.business_date AS DATE), CAST((1 - CAST(EXTRACT(DAY FROM returned.business_date) AS INT)) AS INT)) AS month_start_date,
    returned.product_id,
    returned.location_id,
    0 AS sold_units,
    0 AS returned_units,
    0 AS reporting_sold_amount,
    0 AS reporting_returned_amount,
    0 AS cohort_returned_units,
    -returned.quantity_units AS matched_units
  FROM gold.fact_sale_line AS returned
  INNER JOIN gold.fact_sale_line AS sold
    ON sold.sale_line_key = concat_ws('-', substr(md5(concat_ws('', CAST(length(returned.source_name) AS STRING), ':', returned.source_name, CAST(length(returned.original_sale_id) AS STRING), ':', returned.original_sale_id, CAST(length(returned.original_line_no) AS STRING), ':', returned.original_line_no)), 1, 8), substr(md5(concat_ws('', CAST(length(returned.source_name) AS STRING), ':', returned.source_name, CAST(length(returned.original_sale_id) AS STRING), ':', returned.original_sale_id, CAST(length(returned.original_line_no) AS STRING), ':', returned.original_line_no)), 9, 4), substr(md5(concat_ws('', CAST(length(returned.source_name) AS STRING), ':', returned.source_name, CAST(length(returned.original_sale_id) AS STRING), ':', returned.original_sale_id, CAST(length(returned.original_line_no) AS STRING), ':', returned.original_line_no)), 13, 4), substr(md5(concat_ws('', CAST(length(returned.source_name) AS STRING), ':', returned.source_name, CAST(length(returned.original_sale_id) AS STRING), ':', returned.original_sale_id, CAST(length(returned.original_line_no) AS STRING), ':', returned.original_line_no)), 17, 4), substr(md5(concat_ws('', CAST(length(returned.source_name) AS STRING), ':', returned.source_name, CAST(length(returned.original_sale_id) AS STRING), ':', returned.original_sale_id, CAST(length(returned.original_line_no) AS STRING), ':', returned.original_line_no)), 21, 12))
  WHERE
    returned.is_counted
    AND returned.is_return
    AND sold.is_counted
    AND NOT sold.is_return
    AND LEFT(returned.original_sale_id, 200) IS NOT NULL
    AND returned.original_line_no IS NOT NULL
), month AS (
  SELECT
    product_durable_key,
    location_durable_key,
    month_start_date,
    MIN(product_id) AS product_id,
    MIN(location_id) AS location_id,
    CAST(SUM(sold_units) AS DECIMAL(18, 3)) AS sold_units,
    CAST(SUM(returned_units) AS DECIMAL(18, 3)) AS returned_units,
    CAST(SUM(reporting_sold_amount) AS DECIMAL(18, 4)) AS reporting_sold_amount,
    CAST(SUM(reporting_returned_amount) AS DECIMAL(18, 4)) AS reporting_returned_amount,
    CAST(SUM(cohort_returned_units) AS DECIMAL(18, 3)) AS cohort_returned_units,
    CAST(SUM(matched_units) AS DECIMAL(18, 3)) AS matched_units
  FROM part
  GROUP BY
    product_durable_key,
    location_durable_key,
    month_start_date
)
SELECT
  month.product_durable_key,
  month.location_durable_key,
  month.month_start_date,
  month.product_id,
  article.product_name,
  month.location_id,
  place.location_name,
  month.sold_units,
  month.returned_units,
  month.reporting_sold_amount,
  month.reporting_returned_amount,
  CAST(CAST(((2BD * abs((CAST(month.returned_units AS DECIMAL(38, 12)) * 10000BD)) + abs(CAST(month.sold_units AS DECIMAL(38, 12)))) DIV NULLIF(2BD * abs(CAST(month.sold_units AS DECIMAL(38, 12))), 0BD) * CAST(sign((CAST(month.returned_units AS DECIMAL(38, 12)) * 10000BD)) * sign(CAST(month.sold_units AS DECIMAL(38, 12))) AS BIGINT)) AS DECIMAL(38, 0)) * 0.0001BD AS DECIMAL(18, 4)) AS return_rate_units,
  CAST(CAST(((2BD * abs((CAST(month.reporting_returned_amount AS DECIMAL(38, 12)) * 10000BD)) + abs(CAST(month.reporting_sold_amount AS DECIMAL(38, 12)))) DIV NULLIF(2BD * abs(CAST(month.reporting_sold_amount AS DECIMAL(38, 12))), 0BD) * CAST(sign((CAST(month.reporting_returned_amount AS DECIMAL(38, 12)) * 10000BD)) * sign(CAST(month.reporting_sold_amount AS DECIMAL(38, 12))) AS BIGINT)) AS DECIMAL(38, 0)) * 0.0001BD AS DECIMAL(18, 4)) AS return_rate_amount,
  month.cohort_returned_units,
  CAST(month.returned_units - month.matched_units AS DECIMAL(18, 3)) AS unmatched_returned_units,
  CAST(CAST(((2BD * abs((CAST(month.cohort_returned_units AS DECIMAL(38, 12)) * 10000BD)) + abs(CAST(month.sold_units AS DECIMAL(38, 12)))) DIV NULLIF(2BD * abs(CAST(month.sold_units AS DECIMAL(38, 12))), 0BD) * CAST(sign((CAST(month.cohort_returned_units AS DECIMAL(38, 12)) * 10000BD)) * sign(CAST(month.sold_units AS DECIMAL(38, 12))) AS BIGINT)) AS DECIMAL(38, 0)) * 0.0001BD AS DECIMAL(18, 4)) AS cohort_return_rate_units
FROM month
LEFT JOIN serve.product_current AS article
  ON article.product_durable_key = month.product_durable_key
LEFT JOIN serve.location_current AS place
  ON place.location_durable_key = month.location_durable_key;
