CREATE TABLE gold.fact_tender (
  tender_key STRING NOT NULL,
  source_name STRING NOT NULL,
  sale_id STRING NOT NULL,
  tender_no STRING NOT NULL,
  sale_key BIGINT NOT NULL,
  location_key BIGINT NOT NULL,
  location_durable_key BIGINT NOT NULL,
  location_id STRING NOT NULL,
  paid_at TIMESTAMP NOT NULL,
  business_date DATE NOT NULL,
  tender_method STRING NOT NULL,
  currency_code STRING NOT NULL,
  amount DECIMAL(18, 4) NOT NULL,
  reporting_amount DECIMAL(18, 4) NOT NULL
);
WITH paid AS (
  SELECT
    tender.source_name,
    tender.sale_id,
    tender.tender_no,
    tender.tender_method,
    tender.amount,
    COALESCE(tender.currency_code, project.currency_code) AS currency_code,
    project.currency_code AS project_currency_code,
    sale.location_key,
    sale.location_durable_key,
    sale.location_id,
    sale.sold_at,
    sale.business_date,
    ROW_NUMBER() OVER (
      PARTITION BY tender.source_name, tender.sale_id, tender.tender_no
      ORDER BY sale.sold_at NULLS LAST, sale.line_no NULLS LAST
    ) AS line_number
  FROM silver.tender AS tender
  CROSS JOIN meta.project AS project
  INNER JOIN gold.fact_sale_line AS sale
    ON sale.source_name = tender.source_name AND sale.sale_id = tender.sale_id
), converted AS (
  SELECT
    paid.source_name,
    paid.sale_id,
    paid.tender_no,
    paid.tender_method,
    paid.amount,
    paid.currency_code,
    CASE
      WHEN paid.currency_code = paid.project_currency_code
      THEN 1
      ELSE rate.exchange_rate
    END AS exchange_rate,
    paid.location_key,
    paid.location_durable_key,
    paid.location_id,
    paid.sold_at,
    paid.business_date
  FROM paid
  LEFT JOIN gold.exchange_rate_day AS rate
    ON rate.currency_code = paid.currency_code AND rate.rate_date = paid.business_date
  WHERE
    paid.line_number = 1
)
SELECT
  concat_ws('-', substr(md5(concat_ws('', CAST(length(source_name) AS STRING), ':', source_name, CAST(length(sale_id) AS STRING), ':', sale_id, CAST(length(tender_no) AS STRING), ':', tender_no)), 1, 8), substr(md5(concat_ws('', CAST(length(source_name) AS STRING), ':', source_name, CAST(length(sale_id) AS STRING), ':', sale_id, CAST(length(tender_no) AS STRING), ':', tender_no)), 9, 4), substr(md5(concat_ws('', CAST(length(source_name) AS STRING), ':', source_name, CAST(length(sale_id) AS STRING), ':', sale_id, CAST(length(tender_no) AS STRING), ':', tender_no)), 13, 4), substr(md5(concat_ws('', CAST(length(source_name) AS STRING), ':', source_name, CAST(length(sale_id) AS STRING), ':', sale_id, CAST(length(tender_no) AS STRING), ':', tender_no)), 17, 4), substr(md5(concat_ws('', CAST(length(source_name) AS STRING), ':', source_name, CAST(length(sale_id) AS STRING), ':', sale_id, CAST(length(tender_no) AS STRING), ':', tender_no)), 21, 12)) AS tender_key,
  source_name,
  sale_id,
  tender_no,
  GREATEST(CAST(conv(substr(md5(concat_ws('', CAST(length(source_name) AS STRING), ':', source_name, CAST(length(sale_id) AS STRING), ':', sale_id)), 1, 15), 16, 10) AS BIGINT), CAST(1 AS BIGINT)) AS sale_key,
  location_key,
  location_durable_key,
  location_id,
  sold_at AS paid_at,
  business_date,
  tender_method,
  currency_code,
  amount,
  CAST(round(amount * exchange_rate, 4) AS DECIMAL(18, 4)) AS reporting_amount
FROM converted
WHERE
  exchange_rate IS NOT NULL;
