CREATE TABLE gold.fact_sale_line (
  sale_line_key STRING NOT NULL,
  source_name STRING NOT NULL,
  sale_id STRING NOT NULL,
  line_no STRING NOT NULL,
  sale_key BIGINT NOT NULL,
  product_key BIGINT NOT NULL,
  product_durable_key BIGINT NOT NULL,
  product_id STRING NOT NULL,
  location_key BIGINT NOT NULL,
  location_durable_key BIGINT NOT NULL,
  location_id STRING NOT NULL,
  fulfilled_from_location_id STRING,
  customer_key BIGINT NOT NULL,
  customer_id STRING,
  channel_key BIGINT NOT NULL,
  channel STRING NOT NULL,
  sold_at TIMESTAMP NOT NULL,
  business_date DATE NOT NULL,
  sale_kind STRING NOT NULL,
  is_counted BOOLEAN NOT NULL,
  is_return BOOLEAN NOT NULL,
  quantity_units DECIMAL(18, 3) NOT NULL,
  currency_code STRING NOT NULL,
  gross_amount DECIMAL(18, 4) NOT NULL,
  discount_amount DECIMAL(18, 4) NOT NULL,
  net_amount DECIMAL(18, 4) NOT NULL,
  tax_amount DECIMAL(18, 4) NOT NULL,
  cost_amount DECIMAL(18, 4),
  exchange_rate DECIMAL(18, 8) NOT NULL,
  reporting_gross_amount DECIMAL(18, 4) NOT NULL,
  reporting_discount_amount DECIMAL(18, 4) NOT NULL,
  reporting_net_amount DECIMAL(18, 4) NOT NULL,
  reporting_tax_amount DECIMAL(18, 4) NOT NULL,
  reporting_cost_amount DECIMAL(18, 4),
  promotion_id STRING,
  original_sale_id STRING,
  original_line_no STRING,
  employee_id STRING
);
WITH located_line AS (
  SELECT
    line.source_name,
    line.sale_id,
    line.line_no,
    line.location_source_name,
    line.location_id,
    line.fulfilled_from_location_id,
    line.product_source_name,
    line.product_id,
    line.customer_id,
    COALESCE(
      line.sold_at,
      CASE WHEN try_to_timestamp('2000-01-01 ' || (COALESCE(place.timezone, project.timezone)), 'yyyy-MM-dd VV') IS NOT NULL THEN CASE WHEN from_utc_timestamp(to_utc_timestamp(CAST(line.sold_at_local AS TIMESTAMP), (COALESCE(place.timezone, project.timezone))) + INTERVAL '60' MINUTE, (COALESCE(place.timezone, project.timezone))) = CAST(line.sold_at_local AS TIMESTAMP) THEN to_utc_timestamp(CAST(line.sold_at_local AS TIMESTAMP), (COALESCE(place.timezone, project.timezone))) + INTERVAL '60' MINUTE WHEN from_utc_timestamp(to_utc_timestamp(CAST(line.sold_at_local AS TIMESTAMP), (COALESCE(place.timezone, project.timezone))) + INTERVAL '30' MINUTE, (COALESCE(place.timezone, project.timezone))) = CAST(line.sold_at_local AS TIMESTAMP) THEN to_utc_timestamp(CAST(line.sold_at_local AS TIMESTAMP), (COALESCE(place.timezone, project.timezone))) + INTERVAL '30' MINUTE ELSE to_utc_timestamp(CAST(line.sold_at_local AS TIMESTAMP), (COALESCE(place.timezone, project.timezone))) END END
    ) AS sold_at,
    line.sale_kind,
    line.is_test,
    line.is_void,
    line.quantity,
    line.unit,
    line.unit_price_amount,
    line.price_includes_tax,
    line.discount_amount,
    line.tax_amount,
    COALESCE(line.currency_code, project.currency_code) AS currency_code,
    line.channel,
    line.promotion_id,
    line.original_sale_id,
    line.original_line_no,
    line.employee_id,
    posting.ledger_entry_key IS NOT NULL AS is_posted,
    -posting.cost_amount AS posted_cost_amount,
    posting.currency_code AS posted_currency_code,
    project.currency_code AS project_currency_code,
    project.timezone AS project_timezone,
    project.business_day_cutover AS project_cutover,
    project.calendar_from_date,
    project.calendar_to_date
  FROM silver.sale_line AS line
  CROSS JOIN meta.project AS project
  LEFT JOIN gold.dim_location AS place
    ON place.source_name = line.location_source_name
    AND place.location_id = line.location_id
    AND place.is_latest
  LEFT JOIN gold.stock_cost AS posting
    ON posting.source_name = line.source_name
    AND posting.entry_id = line.sale_id
    AND posting.entry_line_no = line.line_no
    AND posting.entity = 'sale_line'
    AND posting.posting_no = 0
), dated_line AS (
  SELECT
    line.source_name,
    line.sale_id,
    line.line_no,
    CASE WHEN line.sold_at < place.valid_to_at THEN place.location_key ELSE 0 END AS location_key,
    place.location_durable_key,
    place.location_type,
    line.location_source_name,
    line.location_id,
    line.fulfilled_from_location_id,
    line.product_source_name,
    line.product_id,
    line.customer_id,
    line.sold_at,
    CASE WHEN try_to_timestamp('2000-01-01 ' || (COALESCE(place.timezone, line.project_timezone)), 'yyyy-MM-dd VV') IS NOT NULL THEN CAST(from_utc_timestamp(CAST(line.sold_at AS TIMESTAMP), (COALESCE(place.timezone, line.project_timezone))) - make_dt_interval(0, CAST(substr((COALESCE(place.business_day_cutover, line.project_cutover)), 1, 2) AS INT), CAST(substr((COALESCE(place.business_day_cutover, line.project_cutover)), 4, 2) AS INT), COALESCE(CAST(NULLIF(substr((COALESCE(place.business_day_cutover, line.project_cutover)), 7), '') AS DECIMAL(8, 6)), 0)) AS DATE) END AS business_date,
    line.sale_kind,
    line.is_test,
    line.is_void,
    line.quantity,
    line.unit,
    line.unit_price_amount,
    line.price_includes_tax,
    line.discount_amount,
    line.tax_amount,
    line.currency_code,
    COALESCE(NULLIF(line.channel, ''), place.location_type, '(unknown)') AS channel,
    line.promotion_id,
    line.original_sale_id,
    line.original_line_no,
    line.employee_id,
    line.is_posted,
    line.posted_cost_amount,
    line.posted_currency_code,
    line.project_currency_code,
    line.calendar_from_date,
    line.calendar_to_date
  FROM located_line AS line
  LEFT JOIN gold.dim_location AS place
    ON place.source_name = line.location_source_name
    AND place.location_id = line.location_id
    AND place.valid_from_at <= line.sold_at
    AND place.superseded_at > line.sold_at
), measured_line AS (
  SELECT
    line.source_name,
    line.sale_id,
    line.line_no,
    line.location_key,
    COALESCE(
      line.location_durable_key,
      GREATEST(CAST(conv(substr(md5(concat_ws('', CAST(length(line.location_source_name) AS STRING), ':', line.location_source_name, CAST(length(line.location_id) AS STRING), ':', line.location_id)), 1, 15), 16, 10) AS BIGINT), CAST(1 AS BIGINT))
    ) AS location_durable_key,
    line.location_id,
    line.fulfilled_from_location_id,
    CASE WHEN line.sold_at < article.valid_to_at THEN article.product_key ELSE 0 END AS product_key,
    COALESCE(
      article.product_durable_key,
      GREATEST(CAST(conv(substr(md5(concat_ws('', CAST(length(line.product_source_name) AS STRING), ':', line.product_source_name, CAST(length(line.product_id) AS STRING), ':', line.product_id)), 1, 15), 16, 10) AS BIGINT), CAST(1 AS BIGINT))
    ) AS product_durable_key,
    line.product_id,
    line.customer_id,
    line.sold_at,
    line.business_date,
    line.sale_kind,
    NOT line.is_test AND NOT line.is_void AND line.sale_kind <> 'cancellation' AS is_counted,
    line.quantity < 0 OR line.sale_kind = 'return' AS is_return,
    CASE
      WHEN line.unit IS NULL OR line.unit = latest_article.base_unit
      THEN line.quantity
      WHEN unit.base_units IS NOT NULL
      THEN CAST(round(line.quantity * unit.base_units, 3) AS DECIMAL(18, 3))
      WHEN latest_article.base_unit IS NULL
      THEN line.quantity
    END AS quantity_units,
    CAST(round(line.quantity * line.unit_price_amount, 4) AS DECIMAL(18, 4)) AS price_amount,
    line.price_includes_tax,
    line.discount_amount,
    line.tax_amount,
    line.currency_code,
    line.project_currency_code,
    CASE
      WHEN line.currency_code = line.project_currency_code
      THEN 1
      ELSE rate.exchange_rate
    END AS exchange_rate,
    article.standard_cost_amount,
    line.is_posted,
    line.posted_cost_amount,
    COALESCE(line.posted_currency_code, article.currency_code) AS cost_currency_code,
    line.channel,
    line.promotion_id,
    line.original_sale_id,
    line.original_line_no,
    line.employee_id
  FROM dated_line AS line
  LEFT JOIN gold.dim_product AS article
    ON article.source_name = line.product_source_name
    AND article.product_id = line.product_id
    AND article.valid_from_at <= line.sold_at
    AND article.superseded_at > line.sold_at
  LEFT JOIN gold.dim_product AS latest_article
    ON latest_article.source_name = line.product_source_name
    AND latest_article.product_id = line.product_id
    AND latest_article.is_latest
  LEFT JOIN silver.product_unit AS unit
    ON unit.source_name = line.product_source_name
    AND unit.product_id = line.product_id
    AND unit.unit = line.unit
  LEFT JOIN gold.exchange_rate_day AS rate
    ON rate.currency_code = line.currency_code AND rate.rate_date = line.business_date
  WHERE
    CAST(CAST(from_utc_timestamp(CAST(line.sold_at AS TIMESTAMP), 'UTC') AS TIMESTAMP_NTZ) AS DATE) BETWEEN date_add(CAST(line.calendar_from_date AS DATE), CAST(2 AS INT)) AND date_add(CAST(line.calendar_to_date AS DATE), CAST((-2) AS INT))
    OR line.business_date BETWEEN line.calendar_from_date AND line.calendar_to_date
), converted_line AS (
  SELECT
    line.source_name,
    line.sale_id,
    line.line_no,
    line.location_key,
    line.location_durable_key,
    line.location_id,
    line.fulfilled_from_location_id,
    line.product_key,
    line.product_durable_key,
    line.product_id,
    line.customer_id,
    line.sold_at,
    line.business_date,
    line.sale_kind,
    line.is_counted,
    line.is_return,
    line.quantity_units,
    CASE
      WHEN line.price_includes_tax
      THEN line.price_amount - line.discount_amount - line.tax_amount
      ELSE line.price_amount - line.discount_amount
    END AS net_amount,
    CASE
      WHEN line.price_includes_tax
      AND line.discount_amount <> 0
      AND line.tax_amount <> 0
      AND (
        (
          line.tax_amount > 0
          AND line.price_amount - line.discount_amount >= line.tax_amount
        )
        OR (
          line.tax_amount < 0
          AND line.price_amount - line.discount_amount <= line.tax_amount
        )
      )
      THEN CAST(CAST(((2BD * abs((CAST(CAST(line.discount_amount AS DECIMAL(18, 4)) * 10000BD AS DECIMAL(18, 0)) * CAST(CAST((line.price_amount - line.discount_amount - line.tax_amount) AS DECIMAL(18, 4)) * 10000BD AS DECIMAL(18, 0)))) + abs(CAST(CAST((line.price_amount - line.discount_amount) AS DECIMAL(18, 4)) * 10000BD AS DECIMAL(18, 0)))) DIV NULLIF(2BD * abs(CAST(CAST((line.price_amount - line.discount_amount) AS DECIMAL(18, 4)) * 10000BD AS DECIMAL(18, 0))), 0BD) * CAST(sign((CAST(CAST(line.discount_amount AS DECIMAL(18, 4)) * 10000BD AS DECIMAL(18, 0)) * CAST(CAST((line.price_amount - line.discount_amount - line.tax_amount) AS DECIMAL(18, 4)) * 10000BD AS DECIMAL(18, 0)))) * sign(CAST(CAST((line.price_amount - line.discount_amount) AS DECIMAL(18, 4)) * 10000BD AS DECIMAL(18, 0))) AS BIGINT)) AS DECIMAL(38, 0)) * 0.0001BD AS DECIMAL(18, 4))
      ELSE line.discount_amount
    END AS discount_amount,
    line.tax_amount,
    line.currency_code,
    line.project_currency_code,
    line.exchange_rate,
    line.cost_currency_code,
    CASE
      WHEN line.is_posted
      THEN line.posted_cost_amount
      ELSE CAST(round(line.quantity_units * line.standard_cost_amount, 4) AS DECIMAL(18, 4))
    END AS own_cost_amount,
    CASE
      WHEN line.cost_currency_code = line.project_currency_code
      THEN 1
      WHEN line.cost_currency_code = line.currency_code
      THEN line.exchange_rate
      ELSE rate.exchange_rate
    END AS cost_exchange_rate,
    line.channel,
    line.promotion_id,
    line.original_sale_id,
    line.original_line_no,
    line.employee_id
  FROM measured_line AS line
  LEFT JOIN gold.exchange_rate_day AS rate
    ON rate.currency_code = line.cost_currency_code
    AND rate.rate_date = line.business_date
  WHERE
    line.quantity_units IS NOT NULL AND line.exchange_rate IS NOT NULL
)
SELECT
  concat_ws('-', substr(md5(concat_ws('', CAST(length(line.source_name) AS STRING), ':', line.source_name, CAST(length(line.sale_id) AS STRING), ':', line.sale_id, CAST(length(line.line_no) AS STRING), ':', line.line_no)), 1, 8), substr(md5(concat_ws('', CAST(length(line.source_name) AS STRING), ':', line.source_name, CAST(length(line.sale_id) AS STRING), ':', line.sale_id, CAST(length(line.line_no) AS STRING), ':', line.line_no)), 9, 4), substr(md5(concat_ws('', CAST(length(line.source_name) AS STRING), ':', line.source_name, CAST(length(line.sale_id) AS STRING), ':', line.sale_id, CAST(length(line.line_no) AS STRING), ':', line.line_no)), 13, 4), substr(md5(concat_ws('', CAST(length(line.source_name) AS STRING), ':', line.source_name, CAST(length(line.sale_id) AS STRING), ':', line.sale_id, CAST(length(line.line_no) AS STRING), ':', line.line_no)), 17, 4), substr(md5(concat_ws('', CAST(length(line.source_name) AS STRING), ':', line.source_name, CAST(length(line.sale_id) AS STRING), ':', line.sale_id, CAST(length(line.line_no) AS STRING), ':', line.line_no)), 21, 12)) AS sale_line_key,
  line.source_name,
  line.sale_id,
  line.line_no,
  GREATEST(CAST(conv(substr(md5(concat_ws('', CAST(length(line.source_name) AS STRING), ':', line.source_name, CAST(length(line.sale_id) AS STRING), ':', line.sale_id)), 1, 15), 16, 10) AS BIGINT), CAST(1 AS BIGINT)) AS sale_key,
  line.product_key,
  line.product_durable_key,
  line.product_id,
  line.location_key,
  line.location_durable_key,
  line.location_id,
  NULLIF(line.fulfilled_from_location_id, line.location_id) AS fulfilled_from_location_id,
  COALESCE(customer.customer_key, 0) AS customer_key,
  line.customer_id,
  COALESCE(channel.channel_key, 0) AS channel_key,
  line.channel,
  line.sold_at,
  line.business_date,
  line.sale_kind,
  line.is_counted,
  line.is_return,
  line.quantity_units,
  line.currency_code,
  line.net_amount + line.discount_amount AS gross_amount,
  line.discount_amount,
  line.net_amount,
  line.tax_amount,
  CASE
    WHEN line.cost_currency_code = line.currency_code
    THEN line.own_cost_amount
    ELSE CAST(CAST(((2BD * abs((CAST(CAST(round(line.own_cost_amount * line.cost_exchange_rate, 4) AS DECIMAL(18, 4)) AS DECIMAL(38, 12)) * 10000BD)) + abs(CAST(line.exchange_rate AS DECIMAL(38, 12)))) DIV NULLIF(2BD * abs(CAST(line.exchange_rate AS DECIMAL(38, 12))), 0BD) * CAST(sign((CAST(CAST(round(line.own_cost_amount * line.cost_exchange_rate, 4) AS DECIMAL(18, 4)) AS DECIMAL(38, 12)) * 10000BD)) * sign(CAST(line.exchange_rate AS DECIMAL(38, 12))) AS BIGINT)) AS DECIMAL(38, 0)) * 0.0001BD AS DECIMAL(18, 4))
  END AS cost_amount,
  line.exchange_rate,
  CAST(round((line.net_amount + line.discount_amount) * line.exchange_rate, 4) AS DECIMAL(18, 4)) AS reporting_gross_amount,
  CAST(round((line.net_amount + line.discount_amount) * line.exchange_rate, 4) AS DECIMAL(18, 4)) - CAST(round(line.net_amount * line.exchange_rate, 4) AS DECIMAL(18, 4)) AS reporting_discount_amount,
  CAST(round(line.net_amount * line.exchange_rate, 4) AS DECIMAL(18, 4)) AS reporting_net_amount,
  CAST(round(line.tax_amount * line.exchange_rate, 4) AS DECIMAL(18, 4)) AS reporting_tax_amount,
  CAST(round(line.own_cost_amount * line.cost_exchange_rate, 4) AS DECIMAL(18, 4)) AS reporting_cost_amount,
  line.promotion_id,
  line.original_sale_id,
  line.original_line_no,
  line.employee_id
FROM converted_line AS line
LEFT JOIN gold.dim_channel AS channel
  ON channel.channel = line.channel
LEFT JOIN gold.dim_customer AS customer
  ON customer.source_name = line.source_name
  AND customer.customer_id = line.customer_id;
