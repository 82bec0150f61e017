CREATE TABLE gold.exchange_rate_day (
  currency_code STRING NOT NULL,
  rate_date DATE NOT NULL,
  exchange_rate DECIMAL(18, 8) NOT NULL,
  published_date DATE NOT NULL,
  is_inverse BOOLEAN NOT NULL
);
WITH quotation AS (
  SELECT
    CASE
      WHEN rate.to_currency_code = project.currency_code
      THEN rate.from_currency_code
      ELSE rate.to_currency_code
    END AS currency_code,
    rate.rate_date AS published_date,
    rate.source_name,
    rate.to_currency_code <> project.currency_code AS is_inverse,
    CASE
      WHEN rate.to_currency_code = project.currency_code
      THEN rate.rate
      ELSE CAST(CAST(CAST(((2BD * abs((CAST(1 AS DECIMAL(38, 12)) * 100000000BD)) + abs(CAST(rate.rate AS DECIMAL(38, 12)))) DIV NULLIF(2BD * abs(CAST(rate.rate AS DECIMAL(38, 12))), 0BD) * CAST(sign((CAST(1 AS DECIMAL(38, 12)) * 100000000BD)) * sign(CAST(rate.rate AS DECIMAL(38, 12))) AS BIGINT)) AS DECIMAL(38, 0)) * 0.00000001BD AS DECIMAL(18, 8)) AS DECIMAL(18, 8))
    END AS exchange_rate,
    project.calendar_from_date,
    project.calendar_to_date
  FROM silver.exchange_rate AS rate
  CROSS JOIN meta.project AS project
  WHERE
    rate.from_currency_code <> rate.to_currency_code
    AND (
      rate.to_currency_code = project.currency_code
      OR rate.from_currency_code = project.currency_code
    )
), span AS (
  SELECT
    currency_code,
    published_date,
    is_inverse,
    exchange_rate,
    calendar_from_date,
    calendar_to_date,
    LEAD(published_date) OVER (
      PARTITION BY currency_code
      ORDER BY published_date NULLS LAST, is_inverse DESC NULLS FIRST, source_name DESC NULLS FIRST
    ) AS next_published_date
  FROM quotation
  WHERE
    exchange_rate > 0
)
SELECT
  span.currency_code,
  spine.day AS rate_date,
  span.exchange_rate,
  span.published_date,
  span.is_inverse
FROM span
CROSS JOIN LATERAL (SELECT explode(CASE WHEN CAST((GREATEST(span.published_date, span.calendar_from_date)) AS DATE) <= CAST((LEAST(
  COALESCE(
    date_add(CAST(span.next_published_date AS DATE), CAST((-1) AS INT)),
    span.calendar_to_date
  ),
  span.calendar_to_date
)) AS DATE) THEN sequence(CAST((GREATEST(span.published_date, span.calendar_from_date)) AS DATE), CAST((LEAST(
  COALESCE(
    date_add(CAST(span.next_published_date AS DATE), CAST((-1) AS INT)),
    span.calendar_to_date
  ),
  span.calendar_to_date
)) AS DATE), INTERVAL '1' DAY) ELSE array() END) AS day) AS spine;
