CREATE TABLE serve.supplier_performance (
  supplier_durable_key BIGINT NOT NULL,
  supplier_id STRING NOT NULL,
  supplier_name STRING,
  order_lines BIGINT NOT NULL,
  due_lines BIGINT NOT NULL,
  lines_without_due_date BIGINT NOT NULL,
  on_order_lines BIGINT NOT NULL,
  reporting_ordered_amount DECIMAL(18, 4),
  due_units DECIMAL(18, 3) NOT NULL,
  filled_units DECIMAL(18, 3) NOT NULL,
  fill_ratio DECIMAL(18, 4),
  on_time_in_full_lines BIGINT NOT NULL,
  on_time_in_full_ratio DECIMAL(18, 4),
  rejected_ratio DECIMAL(18, 4),
  received_lines BIGINT NOT NULL,
  mean_lead_time_days DECIMAL(18, 4),
  lead_time_deviation_days DECIMAL(18, 4),
  agreed_lead_time_days INT
);
WITH last_day AS (
  SELECT
    last_date
  FROM gold.last_day
  WHERE
    fact_kind = 'supply'
), line AS (
  SELECT
    line.supplier_durable_key,
    line.supplier_id,
    COALESCE(line.due_date <= last_day.last_date, FALSE) AS is_due,
    line.due_date,
    line.ordered_units,
    line.accepted_units,
    line.received_units,
    line.rejected_units,
    line.on_order_units,
    line.is_on_time_in_full,
    line.reporting_ordered_amount,
    CASE WHEN line.received_units > 0 THEN line.lead_time_days END AS lead_time_days
  FROM gold.fact_purchase_order_line AS line
  CROSS JOIN last_day
  WHERE
    NOT line.is_cancelled
), supplier AS (
  SELECT
    supplier_durable_key,
    MIN(supplier_id) AS supplier_id,
    COUNT(*) AS order_lines,
    SUM(CASE WHEN is_due THEN 1 ELSE 0 END) AS due_lines,
    SUM(CASE WHEN due_date IS NULL THEN 1 ELSE 0 END) AS lines_without_due_date,
    SUM(CASE WHEN on_order_units > 0 THEN 1 ELSE 0 END) AS on_order_lines,
    SUM(reporting_ordered_amount) AS ordered_amount,
    SUM(CASE WHEN is_due THEN ordered_units ELSE 0 END) AS due_units,
    SUM(CASE WHEN is_due THEN LEAST(accepted_units, ordered_units) ELSE 0 END) AS filled_units,
    SUM(CASE WHEN is_due AND is_on_time_in_full THEN 1 ELSE 0 END) AS on_time_in_full_lines,
    SUM(rejected_units) AS rejected_units,
    SUM(received_units) AS received_units,
    COUNT(lead_time_days) AS received_lines,
    SUM(CAST(lead_time_days AS BIGINT)) AS lead_time_sum,
    SUM(CAST(lead_time_days AS BIGINT) * lead_time_days) AS lead_time_squares
  FROM line
  GROUP BY
    supplier_durable_key
), spread AS (
  SELECT
    supplier_durable_key,
    CAST(CAST(((2BD * abs((CAST((received_lines * lead_time_squares - lead_time_sum * lead_time_sum) AS DECIMAL(38, 12)) * 100000000BD)) + abs(CAST((received_lines * (
      received_lines - 1
    )) AS DECIMAL(38, 12)))) DIV NULLIF(2BD * abs(CAST((received_lines * (
      received_lines - 1
    )) AS DECIMAL(38, 12))), 0BD) * CAST(sign((CAST((received_lines * lead_time_squares - lead_time_sum * lead_time_sum) AS DECIMAL(38, 12)) * 100000000BD)) * sign(CAST((received_lines * (
      received_lines - 1
    )) AS DECIMAL(38, 12))) AS BIGINT)) AS DECIMAL(38, 0)) * 0.00000001BD AS DECIMAL(18, 8)) AS lead_time_variance
  FROM supplier
)
SELECT
  supplier.supplier_durable_key,
  supplier.supplier_id,
  described.supplier_name,
  CAST(supplier.order_lines AS BIGINT) AS order_lines,
  CAST(supplier.due_lines AS BIGINT) AS due_lines,
  CAST(supplier.lines_without_due_date AS BIGINT) AS lines_without_due_date,
  CAST(supplier.on_order_lines AS BIGINT) AS on_order_lines,
  CAST(supplier.ordered_amount AS DECIMAL(18, 4)) AS reporting_ordered_amount,
  CAST(supplier.due_units AS DECIMAL(18, 3)) AS due_units,
  CAST(supplier.filled_units AS DECIMAL(18, 3)) AS filled_units,
  CAST(CAST(((2BD * abs((CAST(supplier.filled_units AS DECIMAL(38, 12)) * 10000BD)) + abs(CAST(supplier.due_units AS DECIMAL(38, 12)))) DIV NULLIF(2BD * abs(CAST(supplier.due_units AS DECIMAL(38, 12))), 0BD) * CAST(sign((CAST(supplier.filled_units AS DECIMAL(38, 12)) * 10000BD)) * sign(CAST(supplier.due_units AS DECIMAL(38, 12))) AS BIGINT)) AS DECIMAL(38, 0)) * 0.0001BD AS DECIMAL(18, 4)) AS fill_ratio,
  CAST(supplier.on_time_in_full_lines AS BIGINT) AS on_time_in_full_lines,
  CAST(CAST(((2BD * abs((CAST(supplier.on_time_in_full_lines AS DECIMAL(38, 12)) * 10000BD)) + abs(CAST(supplier.due_lines AS DECIMAL(38, 12)))) DIV NULLIF(2BD * abs(CAST(supplier.due_lines AS DECIMAL(38, 12))), 0BD) * CAST(sign((CAST(supplier.on_time_in_full_lines AS DECIMAL(38, 12)) * 10000BD)) * sign(CAST(supplier.due_lines AS DECIMAL(38, 12))) AS BIGINT)) AS DECIMAL(38, 0)) * 0.0001BD AS DECIMAL(18, 4)) AS on_time_in_full_ratio,
  CAST(CAST(((2BD * abs((CAST(supplier.rejected_units AS DECIMAL(38, 12)) * 10000BD)) + abs(CAST(supplier.received_units AS DECIMAL(38, 12)))) DIV NULLIF(2BD * abs(CAST(supplier.received_units AS DECIMAL(38, 12))), 0BD) * CAST(sign((CAST(supplier.rejected_units AS DECIMAL(38, 12)) * 10000BD)) * sign(CAST(supplier.received_units AS DECIMAL(38, 12))) AS BIGINT)) AS DECIMAL(38, 0)) * 0.0001BD AS DECIMAL(18, 4)) AS rejected_ratio,
  CAST(supplier.received_lines AS BIGINT) AS received_lines,
  CAST(CAST(((2BD * abs((CAST(supplier.lead_time_sum AS DECIMAL(38, 12)) * 10000BD)) + abs(CAST(supplier.received_lines AS DECIMAL(38, 12)))) DIV NULLIF(2BD * abs(CAST(supplier.received_lines AS DECIMAL(38, 12))), 0BD) * CAST(sign((CAST(supplier.lead_time_sum AS DECIMAL(38, 12)) * 10000BD)) * sign(CAST(supplier.received_lines AS DECIMAL(38, 12))) AS BIGINT)) AS DECIMAL(38, 0)) * 0.0001BD AS DECIMAL(18, 4)) AS mean_lead_time_days,
  CAST(SQRT(CAST(spread.lead_time_variance AS DOUBLE)) AS DECIMAL(18, 4)) AS lead_time_deviation_days,
  described.agreed_lead_time_days
FROM supplier
INNER JOIN spread
  ON spread.supplier_durable_key = supplier.supplier_durable_key
LEFT JOIN serve.supplier_current AS described
  ON described.supplier_durable_key = supplier.supplier_durable_key;
