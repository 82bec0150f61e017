CREATE TABLE serve.count_accuracy (
  location_durable_key BIGINT NOT NULL,
  business_date DATE NOT NULL,
  location_id STRING NOT NULL,
  location_name STRING,
  count_lines BIGINT NOT NULL,
  known_lines BIGINT NOT NULL,
  accurate_lines BIGINT NOT NULL,
  accuracy_ratio DECIMAL(18, 4),
  known_accurate_lines BIGINT NOT NULL,
  known_accuracy_ratio DECIMAL(18, 4),
  book_units DECIMAL(18, 3),
  missing_units DECIMAL(18, 3),
  surplus_units DECIMAL(18, 3),
  variance_at_count_units DECIMAL(18, 3),
  late_posting_units DECIMAL(18, 3),
  in_transit_units DECIMAL(18, 3),
  unit_error_units DECIMAL(18, 3),
  unposted_return_units DECIMAL(18, 3),
  unexplained_units DECIMAL(18, 3)
);
WITH day AS (
  SELECT
    location_durable_key,
    business_date,
    MIN(location_id) AS location_id,
    COUNT(*) AS count_lines,
    COUNT(variance_units) AS known_lines,
    SUM(CASE WHEN variance_at_count_units = 0 THEN 1 ELSE 0 END) AS accurate_lines,
    SUM(CASE WHEN variance_units = 0 THEN 1 ELSE 0 END) AS known_accurate_lines,
    SUM(book_units) AS book_units,
    SUM(GREATEST(-variance_units, 0)) AS missing_units,
    SUM(GREATEST(variance_units, 0)) AS surplus_units,
    SUM(variance_at_count_units) AS variance_at_count_units,
    SUM(late_posting_units) AS late_posting_units,
    SUM(in_transit_units) AS in_transit_units,
    SUM(unit_error_units) AS unit_error_units,
    SUM(unposted_return_units) AS unposted_return_units,
    SUM(unexplained_units) AS unexplained_units
  FROM gold.fact_stock_count
  WHERE
    count_kind = 'physical'
  GROUP BY
    location_durable_key,
    business_date
)
SELECT
  day.location_durable_key,
  day.business_date,
  day.location_id,
  place.location_name,
  CAST(day.count_lines AS BIGINT) AS count_lines,
  CAST(day.known_lines AS BIGINT) AS known_lines,
  CAST(day.accurate_lines AS BIGINT) AS accurate_lines,
  CAST(CAST(((2BD * abs((CAST(day.accurate_lines AS DECIMAL(38, 12)) * 10000BD)) + abs(CAST(day.known_lines AS DECIMAL(38, 12)))) DIV NULLIF(2BD * abs(CAST(day.known_lines AS DECIMAL(38, 12))), 0BD) * CAST(sign((CAST(day.accurate_lines AS DECIMAL(38, 12)) * 10000BD)) * sign(CAST(day.known_lines AS DECIMAL(38, 12))) AS BIGINT)) AS DECIMAL(38, 0)) * 0.0001BD AS DECIMAL(18, 4)) AS accuracy_ratio,
  CAST(day.known_accurate_lines AS BIGINT) AS known_accurate_lines,
  CAST(CAST(((2BD * abs((CAST(day.known_accurate_lines AS DECIMAL(38, 12)) * 10000BD)) + abs(CAST(day.known_lines AS DECIMAL(38, 12)))) DIV NULLIF(2BD * abs(CAST(day.known_lines AS DECIMAL(38, 12))), 0BD) * CAST(sign((CAST(day.known_accurate_lines AS DECIMAL(38, 12)) * 10000BD)) * sign(CAST(day.known_lines AS DECIMAL(38, 12))) AS BIGINT)) AS DECIMAL(38, 0)) * 0.0001BD AS DECIMAL(18, 4)) AS known_accuracy_ratio,
  CAST(day.book_units AS DECIMAL(18, 3)) AS book_units,
  CAST(day.missing_units AS DECIMAL(18, 3)) AS missing_units,
  CAST(day.surplus_units AS DECIMAL(18, 3)) AS surplus_units,
  CAST(day.variance_at_count_units AS DECIMAL(18, 3)) AS variance_at_count_units,
  CAST(day.late_posting_units AS DECIMAL(18, 3)) AS late_posting_units,
  CAST(day.in_transit_units AS DECIMAL(18, 3)) AS in_transit_units,
  CAST(day.unit_error_units AS DECIMAL(18, 3)) AS unit_error_units,
  CAST(day.unposted_return_units AS DECIMAL(18, 3)) AS unposted_return_units,
  CAST(day.unexplained_units AS DECIMAL(18, 3)) AS unexplained_units
FROM day
LEFT JOIN serve.location_current AS place
  ON place.location_durable_key = day.location_durable_key;
