CREATE TABLE serve.cost_as_posted (
  ledger_entry_key STRING NOT NULL,
  posting_no INT NOT NULL,
  posting_kind STRING NOT NULL,
  movement_kind STRING NOT NULL,
  posted_date DATE NOT NULL,
  business_date DATE NOT NULL,
  posting_reason STRING NOT NULL,
  product_durable_key BIGINT NOT NULL,
  product_id STRING,
  location_durable_key BIGINT NOT NULL,
  location_id STRING,
  stock_status STRING NOT NULL,
  entity STRING NOT NULL,
  source_name STRING NOT NULL,
  entry_id STRING NOT NULL,
  entry_line_no STRING,
  currency_code STRING NOT NULL,
  cost_amount DECIMAL(18, 4) NOT NULL
);
WITH landing AS (
  SELECT
    version.known_from_at AS landed_at
  FROM gold.stock_cost__versions AS version
  UNION
  SELECT
    version.known_to_at AS landed_at
  FROM gold.stock_cost__versions AS version
  WHERE
    version.known_to_at < CAST('9999-12-31 00:00:00+00' AS TIMESTAMP)
), believed AS (
  SELECT
    landing.landed_at,
    MAX(
      CASE
        WHEN period.known_from_at < landing.landed_at
        AND period.known_to_at >= landing.landed_at
        AND (
          period.closed_at IS NULL OR period.closed_at < landing.landed_at
        )
        THEN period.closed_through_date
      END
    ) AS closed_before_date,
    MAX(
      CASE
        WHEN period.known_from_at <= landing.landed_at
        AND period.known_to_at > landing.landed_at
        AND (
          period.closed_at IS NULL OR period.closed_at <= landing.landed_at
        )
        THEN period.closed_through_date
      END
    ) AS closed_after_date
  FROM landing
  CROSS JOIN silver.period_close__versions AS period
  WHERE
    NOT period.is_deleted
  GROUP BY
    landing.landed_at
), closed AS (
  SELECT
    landed_at,
    CASE
      WHEN closed_before_date < closed_after_date
      THEN closed_before_date
      ELSE closed_after_date
    END AS closed_through_date
  FROM believed
  WHERE
    closed_before_date IS NOT NULL AND closed_after_date IS NOT NULL
), changed_posting AS (
  SELECT DISTINCT
    version.ledger_entry_key,
    version.posting_no
  FROM gold.stock_cost__versions AS version
  WHERE
    version.known_to_at < CAST('9999-12-31 00:00:00+00' AS TIMESTAMP)
), side AS (
  SELECT
    TRUE AS is_opened
  UNION ALL
  SELECT
    FALSE AS is_opened
), change AS (
  SELECT
    version.ledger_entry_key,
    version.posting_no,
    version.posting_kind,
    COALESCE(version.movement_kind, 'count') AS movement_kind,
    version.business_date,
    version.product_durable_key,
    version.location_durable_key,
    version.stock_status,
    version.entity,
    version.source_name,
    version.entry_id,
    version.entry_line_no,
    version.currency_code,
    CASE WHEN side.is_opened THEN version.cost_amount ELSE -version.cost_amount END AS cost_amount,
    CASE WHEN side.is_opened THEN version.known_from_at ELSE version.known_to_at END AS landed_at
  FROM gold.stock_cost__versions AS version
  INNER JOIN changed_posting AS changed
    ON changed.ledger_entry_key = version.ledger_entry_key
    AND changed.posting_no = version.posting_no
  CROSS JOIN side
  WHERE
    side.is_opened
    OR version.known_to_at < CAST('9999-12-31 00:00:00+00' AS TIMESTAMP)
), booked_change AS (
  SELECT
    change.ledger_entry_key,
    change.posting_no,
    change.posting_kind,
    change.movement_kind,
    CASE
      WHEN change.business_date <= closed.closed_through_date
      THEN date_add(CAST(closed.closed_through_date AS DATE), CAST(1 AS INT))
      ELSE change.business_date
    END AS posted_date,
    change.business_date,
    change.product_durable_key,
    change.location_durable_key,
    change.stock_status,
    change.entity,
    change.source_name,
    change.entry_id,
    change.entry_line_no,
    change.currency_code,
    change.cost_amount
  FROM change
  LEFT JOIN closed
    ON closed.landed_at = change.landed_at
), posting AS (
  SELECT
    version.ledger_entry_key,
    version.posting_no,
    version.posting_kind,
    COALESCE(version.movement_kind, 'count') AS movement_kind,
    CASE
      WHEN version.business_date <= closed.closed_through_date
      THEN date_add(CAST(closed.closed_through_date AS DATE), CAST(1 AS INT))
      ELSE version.business_date
    END AS posted_date,
    version.business_date,
    version.product_durable_key,
    version.location_durable_key,
    version.stock_status,
    version.entity,
    version.source_name,
    version.entry_id,
    version.entry_line_no,
    version.currency_code,
    version.cost_amount
  FROM gold.stock_cost__versions AS version
  LEFT JOIN changed_posting AS changed
    ON changed.ledger_entry_key = version.ledger_entry_key
    AND changed.posting_no = version.posting_no
  LEFT JOIN closed
    ON closed.landed_at = version.known_from_at
  WHERE
    changed.ledger_entry_key IS NULL
  UNION ALL
  SELECT
    ledger_entry_key,
    posting_no,
    posting_kind,
    movement_kind,
    posted_date,
    business_date,
    product_durable_key,
    location_durable_key,
    stock_status,
    MIN(entity) AS entity,
    MIN(source_name) AS source_name,
    MIN(entry_id) AS entry_id,
    MIN(entry_line_no) AS entry_line_no,
    currency_code,
    CAST(SUM(cost_amount) AS DECIMAL(18, 4)) AS cost_amount
  FROM booked_change
  GROUP BY
    ledger_entry_key,
    posting_no,
    posting_kind,
    movement_kind,
    posted_date,
    business_date,
    product_durable_key,
    location_durable_key,
    stock_status,
    currency_code
  HAVING
    SUM(cost_amount) <> 0
), late_entry AS (
  SELECT DISTINCT
    ledger_entry_key,
    business_date,
    entity,
    source_name,
    entry_id,
    entry_line_no
  FROM posting
  WHERE
    posted_date <> business_date
), entry_on_time AS (
  SELECT DISTINCT
    late.ledger_entry_key,
    late.business_date
  FROM late_entry AS late
  INNER JOIN posting
    ON posting.ledger_entry_key = late.ledger_entry_key
    AND posting.business_date = late.business_date
    AND posting.posted_date = late.business_date
), entry_standing AS (
  SELECT DISTINCT
    late.ledger_entry_key,
    late.business_date
  FROM late_entry AS late
  INNER JOIN gold.stock_cost AS posting
    ON posting.ledger_entry_key = late.ledger_entry_key
    AND posting.business_date = late.business_date
), closed_day AS (
  SELECT
    late.business_date,
    MIN(
      CASE
        WHEN period.closed_at > period.known_from_at
        THEN period.closed_at
        ELSE period.known_from_at
      END
    ) AS closed_at
  FROM (
    SELECT DISTINCT
      business_date
    FROM late_entry
  ) AS late
  INNER JOIN silver.period_close__versions AS period
    ON period.closed_through_date >= late.business_date
  WHERE
    NOT period.is_deleted
  GROUP BY
    late.business_date
), document_version AS (
  SELECT
    'stock_movement' AS entity,
    version.source_name,
    version.movement_id AS entry_id,
    '' AS line_no,
    version.known_from_at
  FROM silver.stock_movement__versions AS version
  UNION ALL
  SELECT
    'sale_line' AS entity,
    version.source_name,
    version.sale_id AS entry_id,
    version.line_no,
    version.known_from_at
  FROM silver.sale_line__versions AS version
  UNION ALL
  SELECT
    'stock_count' AS entity,
    version.source_name,
    version.count_id AS entry_id,
    '' AS line_no,
    version.known_from_at
  FROM silver.stock_count__versions AS version
  UNION ALL
  SELECT
    'transfer_line' AS entity,
    version.source_name,
    version.transfer_id AS entry_id,
    version.line_no,
    version.known_from_at
  FROM silver.transfer_line__versions AS version
), entry_corrected AS (
  SELECT DISTINCT
    late.ledger_entry_key,
    late.business_date
  FROM late_entry AS late
  INNER JOIN closed_day
    ON closed_day.business_date = late.business_date
  INNER JOIN document_version AS version
    ON version.entity = late.entity
    AND version.source_name = late.source_name
    AND version.entry_id = late.entry_id
    AND version.line_no = COALESCE(late.entry_line_no, '')
    AND version.known_from_at > closed_day.closed_at
), explained AS (
  SELECT
    posting.ledger_entry_key,
    posting.posting_no,
    posting.posting_kind,
    posting.movement_kind,
    posting.posted_date,
    posting.business_date,
    CASE
      WHEN posting.posted_date = posting.business_date
      THEN 'on time'
      WHEN entry_on_time.ledger_entry_key IS NULL
      THEN 'late'
      WHEN entry_standing.ledger_entry_key IS NULL
      THEN 'withdrawn'
      WHEN entry_corrected.ledger_entry_key IS NOT NULL
      THEN 'corrected'
      ELSE 'revalued'
    END AS posting_reason,
    posting.product_durable_key,
    posting.location_durable_key,
    posting.stock_status,
    posting.entity,
    posting.source_name,
    posting.entry_id,
    posting.entry_line_no,
    posting.currency_code,
    posting.cost_amount
  FROM posting
  LEFT JOIN entry_on_time
    ON entry_on_time.ledger_entry_key = posting.ledger_entry_key
    AND entry_on_time.business_date = posting.business_date
  LEFT JOIN entry_standing
    ON entry_standing.ledger_entry_key = posting.ledger_entry_key
    AND entry_standing.business_date = posting.business_date
  LEFT JOIN entry_corrected
    ON entry_corrected.ledger_entry_key = posting.ledger_entry_key
    AND entry_corrected.business_date = posting.business_date
  UNION ALL
  SELECT
    posting.ledger_entry_key,
    posting.posting_no,
    posting.posting_kind,
    COALESCE(posting.movement_kind, 'count') AS movement_kind,
    posting.business_date AS posted_date,
    posting.business_date,
    'on time' AS posting_reason,
    posting.product_durable_key,
    posting.location_durable_key,
    posting.stock_status,
    posting.entity,
    posting.source_name,
    posting.entry_id,
    posting.entry_line_no,
    posting.currency_code,
    posting.cost_amount
  FROM gold.stock_cost AS posting
  WHERE
    posting.cost_amount <> 0
    AND NOT EXISTS(
      SELECT
        1
      FROM silver.period_close__versions
    )
    AND (
      NOT posting.posting_kind IN ('transfer', 'transit_loss')
      OR posting.location_durable_key IN (
        SELECT
          own.location_durable_key
        FROM gold.stock_ledger AS own
      )
      OR posting.ledger_entry_key IN (
        SELECT
          loss.transfer_line_key
        FROM gold.transfer_loss AS loss
      )
    )
), product AS (
  SELECT
    product_durable_key,
    MIN(product_id) AS product_id
  FROM gold.stock_ledger
  GROUP BY
    product_durable_key
), place AS (
  SELECT
    location_durable_key,
    MIN(location_id) AS location_id
  FROM gold.stock_ledger
  GROUP BY
    location_durable_key
)
SELECT
  explained.ledger_entry_key,
  explained.posting_no,
  explained.posting_kind,
  explained.movement_kind,
  explained.posted_date,
  explained.business_date,
  explained.posting_reason,
  explained.product_durable_key,
  product.product_id,
  explained.location_durable_key,
  place.location_id,
  explained.stock_status,
  explained.entity,
  explained.source_name,
  explained.entry_id,
  explained.entry_line_no,
  explained.currency_code,
  explained.cost_amount
FROM explained
LEFT JOIN product
  ON product.product_durable_key = explained.product_durable_key
LEFT JOIN place
  ON place.location_durable_key = explained.location_durable_key;
