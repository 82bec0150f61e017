CREATE TABLE gold.fact_stock_interval (
  product_durable_key BIGINT NOT NULL,
  location_durable_key BIGINT NOT NULL,
  stock_status STRING NOT NULL,
  from_date DATE NOT NULL,
  to_date DATE NOT NULL,
  product_id STRING NOT NULL,
  location_id STRING NOT NULL,
  on_hand_units DECIMAL(18, 3) NOT NULL,
  unit_cost_amount DECIMAL(18, 6),
  currency_code STRING,
  value_amount DECIMAL(18, 4)
);
WITH marked_entry AS (
  SELECT
    product_durable_key,
    location_durable_key,
    stock_status,
    product_id,
    location_id,
    business_date,
    balance_after_units,
    LEAD(business_date) OVER (
      PARTITION BY product_durable_key, location_durable_key, stock_status
      ORDER BY business_date NULLS LAST, occurred_at NULLS LAST, entry_order NULLS LAST, ledger_entry_key NULLS LAST
    ) AS next_date
  FROM gold.stock_ledger
  WHERE
    balance_after_units IS NOT NULL
), run AS (
  SELECT
    entry.product_durable_key,
    entry.location_durable_key,
    entry.stock_status,
    entry.product_id,
    entry.location_id,
    entry.business_date AS from_date,
    COALESCE(entry.next_date, CAST('9999-12-31' AS DATE)) AS to_date,
    entry.balance_after_units AS on_hand_units,
    COALESCE(place.timezone, project.timezone) AS timezone,
    COALESCE(place.business_day_cutover, project.business_day_cutover) AS business_day_cutover
  FROM marked_entry AS entry
  CROSS JOIN meta.project AS project
  LEFT JOIN gold.dim_location AS place
    ON place.location_durable_key = entry.location_durable_key AND place.is_latest
  WHERE
    entry.next_date IS NULL OR entry.next_date > entry.business_date
), posted_entry AS (
  SELECT
    posting.product_durable_key,
    posting.location_durable_key,
    posting.stock_status,
    COALESCE(
      MAX(CASE WHEN posting.posting_no = 0 THEN posting.business_date END),
      MAX(
        CASE WHEN try_to_timestamp('2000-01-01 ' || (COALESCE(place.timezone, project.timezone)), 'yyyy-MM-dd VV') IS NOT NULL THEN CAST(from_utc_timestamp(CAST(posting.occurred_at AS TIMESTAMP), (COALESCE(place.timezone, project.timezone))) - make_dt_interval(0, CAST(substr((COALESCE(place.business_day_cutover, project.business_day_cutover)), 1, 2) AS INT), CAST(substr((COALESCE(place.business_day_cutover, project.business_day_cutover)), 4, 2) AS INT), COALESCE(CAST(NULLIF(substr((COALESCE(place.business_day_cutover, project.business_day_cutover)), 7), '') AS DECIMAL(8, 6)), 0)) AS DATE) END
      )
    ) AS business_date,
    posting.occurred_at,
    posting.entry_order,
    posting.ledger_entry_key,
    MAX(posting.unit_cost_after_amount) AS unit_cost_amount,
    MAX(posting.value_after_amount) AS value_amount,
    MAX(posting.currency_code) AS currency_code
  FROM gold.stock_cost AS posting
  CROSS JOIN meta.project AS project
  LEFT JOIN gold.dim_location AS place
    ON place.location_durable_key = posting.location_durable_key
    AND place.valid_from_at <= posting.occurred_at
    AND place.superseded_at > posting.occurred_at
  GROUP BY
    posting.product_durable_key,
    posting.location_durable_key,
    posting.stock_status,
    posting.occurred_at,
    posting.entry_order,
    posting.ledger_entry_key
), marked_posting AS (
  SELECT
    product_durable_key,
    location_durable_key,
    stock_status,
    business_date,
    unit_cost_amount,
    value_amount,
    currency_code,
    LEAD(business_date) OVER (
      PARTITION BY product_durable_key, location_durable_key, stock_status
      ORDER BY business_date NULLS LAST, occurred_at NULLS LAST, entry_order NULLS LAST, ledger_entry_key NULLS LAST
    ) AS next_date
  FROM posted_entry
), valued_day AS (
  SELECT
    posting.product_durable_key,
    posting.location_durable_key,
    posting.stock_status,
    posting.business_date AS from_date,
    run.product_id,
    run.location_id,
    run.on_hand_units,
    posting.unit_cost_amount,
    posting.value_amount,
    posting.currency_code,
    COUNT(run.on_hand_units) OVER (
      PARTITION BY posting.product_durable_key, posting.location_durable_key, posting.stock_status
      ORDER BY posting.business_date NULLS LAST
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS run_no
  FROM marked_posting AS posting
  LEFT JOIN run
    ON run.product_durable_key = posting.product_durable_key
    AND run.location_durable_key = posting.location_durable_key
    AND run.stock_status = posting.stock_status
    AND run.from_date = posting.business_date
  WHERE
    posting.next_date IS NULL OR posting.next_date > posting.business_date
), posted_day AS (
  SELECT
    product_durable_key,
    location_durable_key,
    stock_status,
    from_date,
    MAX(product_id) OVER (PARTITION BY product_durable_key, location_durable_key, stock_status, run_no) AS product_id,
    MAX(location_id) OVER (PARTITION BY product_durable_key, location_durable_key, stock_status, run_no) AS location_id,
    MAX(on_hand_units) OVER (PARTITION BY product_durable_key, location_durable_key, stock_status, run_no) AS on_hand_units,
    unit_cost_amount,
    value_amount,
    currency_code,
    run_no
  FROM valued_day
), compared_version AS (
  SELECT
    product_durable_key,
    valid_from_at,
    standard_cost_amount,
    currency_code,
    LAG(valid_from_at) OVER (PARTITION BY product_durable_key ORDER BY valid_from_at NULLS LAST) AS previous_from_at,
    LAG(standard_cost_amount) OVER (PARTITION BY product_durable_key ORDER BY valid_from_at NULLS LAST) AS previous_cost_amount,
    LAG(currency_code) OVER (PARTITION BY product_durable_key ORDER BY valid_from_at NULLS LAST) AS previous_currency_code
  FROM gold.dim_product
), cost_change AS (
  SELECT
    product_durable_key,
    standard_cost_amount,
    currency_code,
    CASE WHEN previous_from_at IS NOT NULL THEN valid_from_at END AS from_at,
    LEAD(valid_from_at) OVER (PARTITION BY product_durable_key ORDER BY valid_from_at NULLS LAST) AS to_at
  FROM compared_version
  WHERE
    previous_from_at IS NULL
    OR standard_cost_amount IS DISTINCT FROM previous_cost_amount
    OR currency_code IS DISTINCT FROM previous_currency_code
), unit_cost AS (
  SELECT
    product_durable_key,
    standard_cost_amount,
    currency_code,
    from_at,
    to_at,
    COALESCE(
      date_add(CAST(CAST(CAST(from_utc_timestamp(CAST(from_at AS TIMESTAMP), 'UTC') AS TIMESTAMP_NTZ) AS DATE) AS DATE), CAST((-2) AS INT)),
      CAST('1900-01-01' AS DATE)
    ) AS coarse_from_date,
    COALESCE(
      date_add(CAST(CAST(CAST(from_utc_timestamp(CAST(to_at AS TIMESTAMP), 'UTC') AS TIMESTAMP_NTZ) AS DATE) AS DATE), CAST(2 AS INT)),
      CAST('9999-12-31' AS DATE)
    ) AS coarse_to_date
  FROM cost_change
), costed_run AS (
  SELECT
    run.product_durable_key,
    run.location_durable_key,
    run.stock_status,
    run.product_id,
    run.location_id,
    run.from_date AS run_from_date,
    run.to_date AS run_to_date,
    run.on_hand_units,
    cost.standard_cost_amount,
    cost.currency_code,
    CASE
      WHEN cost.from_at IS NULL
      THEN CAST('1900-01-01' AS DATE)
      ELSE CASE WHEN try_to_timestamp('2000-01-01 ' || run.timezone, 'yyyy-MM-dd VV') IS NOT NULL THEN CAST(from_utc_timestamp(CAST(cost.from_at AS TIMESTAMP), run.timezone) - make_dt_interval(0, CAST(substr(run.business_day_cutover, 1, 2) AS INT), CAST(substr(run.business_day_cutover, 4, 2) AS INT), COALESCE(CAST(NULLIF(substr(run.business_day_cutover, 7), '') AS DECIMAL(8, 6)), 0)) AS DATE) END
    END AS cost_from_date,
    CASE
      WHEN cost.to_at IS NULL
      THEN CAST('9999-12-31' AS DATE)
      ELSE CASE WHEN try_to_timestamp('2000-01-01 ' || run.timezone, 'yyyy-MM-dd VV') IS NOT NULL THEN CAST(from_utc_timestamp(CAST(cost.to_at AS TIMESTAMP), run.timezone) - make_dt_interval(0, CAST(substr(run.business_day_cutover, 1, 2) AS INT), CAST(substr(run.business_day_cutover, 4, 2) AS INT), COALESCE(CAST(NULLIF(substr(run.business_day_cutover, 7), '') AS DECIMAL(8, 6)), 0)) AS DATE) END
    END AS cost_to_date
  FROM run
  LEFT JOIN unit_cost AS cost
    ON cost.product_durable_key = run.product_durable_key
    AND cost.coarse_from_date < run.to_date
    AND cost.coarse_to_date > run.from_date
), day AS (
  SELECT
    run.product_durable_key,
    run.location_durable_key,
    run.stock_status,
    run.product_id,
    run.location_id,
    GREATEST(run.run_from_date, run.cost_from_date) AS from_date,
    run.on_hand_units,
    run.standard_cost_amount AS unit_cost_amount,
    run.currency_code,
    CAST(round(run.on_hand_units * run.standard_cost_amount, 4) AS DECIMAL(18, 4)) AS value_amount
  FROM costed_run AS run
  CROSS JOIN meta.project AS project
  WHERE
    project.cost_method = 'standard'
    AND run.cost_from_date < run.cost_to_date
    AND run.cost_from_date < run.run_to_date
    AND run.cost_to_date > run.run_from_date
  UNION ALL
  SELECT
    product_durable_key,
    location_durable_key,
    stock_status,
    product_id,
    location_id,
    from_date,
    on_hand_units,
    unit_cost_amount,
    currency_code,
    value_amount
  FROM posted_day
  WHERE
    run_no > 0
), compared_day AS (
  SELECT
    product_durable_key,
    location_durable_key,
    stock_status,
    product_id,
    location_id,
    from_date,
    on_hand_units,
    unit_cost_amount,
    currency_code,
    value_amount,
    LAG(on_hand_units) OVER (
      PARTITION BY product_durable_key, location_durable_key, stock_status
      ORDER BY from_date NULLS LAST
    ) AS previous_on_hand_units,
    LAG(unit_cost_amount) OVER (
      PARTITION BY product_durable_key, location_durable_key, stock_status
      ORDER BY from_date NULLS LAST
    ) AS previous_cost_amount,
    LAG(value_amount) OVER (
      PARTITION BY product_durable_key, location_durable_key, stock_status
      ORDER BY from_date NULLS LAST
    ) AS previous_value_amount,
    LAG(currency_code) OVER (
      PARTITION BY product_durable_key, location_durable_key, stock_status
      ORDER BY from_date NULLS LAST
    ) AS previous_currency_code
  FROM day
)
SELECT
  product_durable_key,
  location_durable_key,
  stock_status,
  from_date,
  COALESCE(
    LEAD(from_date) OVER (
      PARTITION BY product_durable_key, location_durable_key, stock_status
      ORDER BY from_date NULLS LAST
    ),
    CAST('9999-12-31' AS DATE)
  ) AS to_date,
  product_id,
  location_id,
  on_hand_units,
  unit_cost_amount,
  CASE WHEN unit_cost_amount IS NOT NULL THEN currency_code END AS currency_code,
  value_amount
FROM compared_day
WHERE
  previous_on_hand_units IS NULL
  OR on_hand_units <> previous_on_hand_units
  OR unit_cost_amount IS DISTINCT FROM previous_cost_amount
  OR value_amount IS DISTINCT FROM previous_value_amount
  OR (
    unit_cost_amount IS NOT NULL
    AND currency_code IS DISTINCT FROM previous_currency_code
  );
