CREATE TABLE serve.stock_as_of (
  product_durable_key BIGINT NOT NULL,
  location_durable_key BIGINT NOT NULL,
  product_id STRING NOT NULL,
  location_id STRING NOT NULL,
  on_hand_units DECIMAL(18, 3),
  sellable_units DECIMAL(18, 3),
  reserved_units DECIMAL(18, 3) NOT NULL,
  available_units DECIMAL(18, 3),
  in_transit_units DECIMAL(18, 3) NOT NULL,
  on_order_units DECIMAL(18, 3) NOT NULL,
  currency_code STRING,
  value_amount DECIMAL(18, 4)
);
WITH kept AS (
  SELECT
    CASE WHEN asked.known_at >= progress.history_from_at THEN TRUE ELSE CAST(raise_error('what was known before ' || CAST(progress.history_from_at AS STRING) || ' UTC is not kept in this warehouse: ' || 'systock rebuild --history keeps it, systock query --known-at asks without it') AS BOOLEAN) END AS is_kept
  FROM meta.progress AS progress
  CROSS JOIN meta.asked AS asked
), component AS (
  SELECT
    part.product_durable_key,
    part.product_id,
    part.component_durable_key,
    part.component_product_id,
    part.quantity_units,
    COUNT(*) OVER (PARTITION BY part.product_durable_key) AS component_count
  FROM gold.product_component__versions AS part
  CROSS JOIN meta.asked AS asked
  WHERE
    part.is_kit
    AND part.is_limiting
    AND part.known_from_at <= asked.known_at
    AND part.known_to_at > asked.known_at
), used AS (
  SELECT
    component_durable_key
  FROM component
  GROUP BY
    component_durable_key
), component_change AS (
  SELECT
    stock.product_durable_key,
    stock.location_durable_key,
    stock.location_id,
    MAX(stock.from_date) AS from_date
  FROM gold.fact_stock_interval__versions AS stock
  INNER JOIN used
    ON used.component_durable_key = stock.product_durable_key
  CROSS JOIN meta.asked AS asked
  WHERE
    stock.stock_status = 'sellable'
    AND stock.from_date <= asked.as_of
    AND stock.known_from_at <= asked.known_at
    AND stock.known_to_at > asked.known_at
  GROUP BY
    stock.product_durable_key,
    stock.location_durable_key,
    stock.location_id
), component_part AS (
  SELECT
    stock.product_durable_key AS component_durable_key,
    stock.location_durable_key,
    stock.location_id,
    stock.on_hand_units AS sellable_units,
    0 AS reserved_units
  FROM component_change
  CROSS JOIN meta.asked AS asked
  INNER JOIN gold.fact_stock_interval__versions AS stock
    ON stock.product_durable_key = component_change.product_durable_key
    AND stock.location_durable_key = component_change.location_durable_key
    AND stock.location_id = component_change.location_id
    AND stock.from_date = component_change.from_date
  WHERE
    stock.stock_status = 'sellable'
    AND stock.known_from_at <= asked.known_at
    AND stock.known_to_at > asked.known_at
  UNION ALL
  SELECT
    COALESCE(component.component_durable_key, line.product_durable_key) AS component_durable_key,
    line.location_durable_key,
    line.location_id,
    NULL AS sellable_units,
    CAST(round((CASE
      WHEN line.shipped_date > asked.as_of
      THEN line.ordered_units - line.cancelled_units
      ELSE line.reserved_units
    END) * (COALESCE(component.quantity_units, 1)), 3) AS DECIMAL(18, 3)) AS reserved_units
  FROM gold.fact_order_line__versions AS line
  CROSS JOIN meta.asked AS asked
  LEFT JOIN component
    ON component.product_durable_key = line.product_durable_key
  LEFT JOIN used
    ON used.component_durable_key = line.product_durable_key
  WHERE
    (
      component.product_durable_key IS NOT NULL
      OR used.component_durable_key IS NOT NULL
    )
    AND line.business_date <= asked.as_of
    AND line.known_from_at <= asked.known_at
    AND line.known_to_at > asked.known_at
), component_stock AS (
  SELECT
    component_durable_key,
    location_durable_key,
    location_id,
    SUM(sellable_units) - SUM(reserved_units) AS available_units
  FROM component_part
  GROUP BY
    component_durable_key,
    location_durable_key,
    location_id
), kit_part AS (
  SELECT
    component.product_durable_key,
    component.product_id,
    component.component_count,
    stock.location_durable_key,
    stock.location_id,
    CAST(CAST(round(stock.available_units * 1000000, 0) AS DECIMAL(18, 0)) AS BIGINT) AS available_millionths,
    CAST(CAST(round(component.quantity_units * 1000000, 0) AS DECIMAL(18, 0)) AS BIGINT) AS needed_millionths
  FROM component
  INNER JOIN component_stock AS stock
    ON stock.component_durable_key = component.component_durable_key
), kit AS (
  SELECT
    product_durable_key,
    product_id,
    location_durable_key,
    location_id,
    CASE
      WHEN COUNT(available_millionths) = component_count
      THEN MIN(
        CASE
          WHEN available_millionths >= 0
          THEN (available_millionths DIV NULLIF(needed_millionths, 0))
          ELSE -((needed_millionths - 1 - available_millionths) DIV NULLIF(needed_millionths, 0))
        END
      )
    END AS available_units
  FROM kit_part
  GROUP BY
    product_durable_key,
    product_id,
    location_durable_key,
    location_id,
    component_count
), last_change AS (
  SELECT
    stock.product_durable_key,
    stock.location_durable_key,
    stock.stock_status,
    stock.product_id,
    stock.location_id,
    MAX(stock.from_date) AS from_date
  FROM gold.fact_stock_interval__versions AS stock
  CROSS JOIN meta.asked AS asked
  WHERE
    stock.from_date <= asked.as_of
    AND stock.known_from_at <= asked.known_at
    AND stock.known_to_at > asked.known_at
  GROUP BY
    stock.product_durable_key,
    stock.location_durable_key,
    stock.stock_status,
    stock.product_id,
    stock.location_id
), part AS (
  SELECT
    stock.product_durable_key,
    stock.location_durable_key,
    stock.product_id,
    stock.location_id,
    stock.on_hand_units,
    CASE WHEN stock.stock_status = 'sellable' THEN stock.on_hand_units ELSE 0 END AS sellable_units,
    stock.currency_code,
    COALESCE(stock.value_amount, CASE WHEN stock.on_hand_units = 0 THEN 0 END) AS value_amount,
    0 AS reserved_units,
    0 AS in_transit_units,
    0 AS on_order_units,
    CAST(NULL AS BIGINT) AS kit_available_units
  FROM last_change
  CROSS JOIN meta.asked AS asked
  INNER JOIN gold.fact_stock_interval__versions AS stock
    ON stock.product_durable_key = last_change.product_durable_key
    AND stock.location_durable_key = last_change.location_durable_key
    AND stock.stock_status = last_change.stock_status
    AND stock.location_id = last_change.location_id
    AND stock.from_date = last_change.from_date
  WHERE
    stock.known_from_at <= asked.known_at AND stock.known_to_at > asked.known_at
  UNION ALL
  SELECT
    line.product_durable_key,
    line.location_durable_key,
    line.product_id,
    line.location_id,
    NULL AS on_hand_units,
    NULL AS sellable_units,
    NULL AS currency_code,
    NULL AS value_amount,
    CASE
      WHEN line.shipped_date > asked.as_of
      THEN line.ordered_units - line.cancelled_units
      ELSE line.reserved_units
    END AS reserved_units,
    0 AS in_transit_units,
    0 AS on_order_units,
    NULL AS kit_available_units
  FROM gold.fact_order_line__versions AS line
  CROSS JOIN meta.asked AS asked
  WHERE
    line.business_date <= asked.as_of
    AND line.known_from_at <= asked.known_at
    AND line.known_to_at > asked.known_at
  UNION ALL
  SELECT
    line.product_durable_key,
    line.to_location_durable_key AS location_durable_key,
    line.product_id,
    line.to_location_id AS location_id,
    NULL AS on_hand_units,
    NULL AS sellable_units,
    NULL AS currency_code,
    NULL AS value_amount,
    0 AS reserved_units,
    CASE
      WHEN line.received_date > asked.as_of
      THEN line.shipped_units
      ELSE line.in_transit_units
    END AS in_transit_units,
    0 AS on_order_units,
    NULL AS kit_available_units
  FROM gold.fact_transfer_line__versions AS line
  CROSS JOIN meta.asked AS asked
  WHERE
    line.business_date <= asked.as_of
    AND line.known_from_at <= asked.known_at
    AND line.known_to_at > asked.known_at
  UNION ALL
  SELECT
    line.product_durable_key,
    line.location_durable_key,
    line.product_id,
    line.location_id,
    NULL AS on_hand_units,
    NULL AS sellable_units,
    NULL AS currency_code,
    NULL AS value_amount,
    0 AS reserved_units,
    0 AS in_transit_units,
    CASE
      WHEN line.received_date > asked.as_of
      THEN line.ordered_units
      ELSE line.on_order_units
    END AS on_order_units,
    NULL AS kit_available_units
  FROM gold.fact_purchase_order_line__versions AS line
  CROSS JOIN meta.asked AS asked
  WHERE
    line.business_date <= asked.as_of
    AND line.known_from_at <= asked.known_at
    AND line.known_to_at > asked.known_at
  UNION ALL
  SELECT
    component.component_durable_key AS product_durable_key,
    line.location_durable_key,
    component.component_product_id AS product_id,
    line.location_id,
    NULL AS on_hand_units,
    NULL AS sellable_units,
    NULL AS currency_code,
    NULL AS value_amount,
    CAST(round((CASE
      WHEN line.shipped_date > asked.as_of
      THEN line.ordered_units - line.cancelled_units
      ELSE line.reserved_units
    END) * component.quantity_units, 3) AS DECIMAL(18, 3)) AS reserved_units,
    0 AS in_transit_units,
    0 AS on_order_units,
    NULL AS kit_available_units
  FROM gold.fact_order_line__versions AS line
  CROSS JOIN meta.asked AS asked
  INNER JOIN component
    ON component.product_durable_key = line.product_durable_key
  WHERE
    line.business_date <= asked.as_of
    AND line.known_from_at <= asked.known_at
    AND line.known_to_at > asked.known_at
  UNION ALL
  SELECT
    kit.product_durable_key,
    kit.location_durable_key,
    kit.product_id,
    kit.location_id,
    NULL AS on_hand_units,
    NULL AS sellable_units,
    NULL AS currency_code,
    NULL AS value_amount,
    0 AS reserved_units,
    0 AS in_transit_units,
    0 AS on_order_units,
    kit.available_units AS kit_available_units
  FROM kit
), place AS (
  SELECT
    product_durable_key,
    location_durable_key,
    product_id,
    location_id,
    SUM(on_hand_units) AS on_hand_units,
    SUM(sellable_units) AS sellable_units,
    SUM(reserved_units) AS reserved_units,
    SUM(in_transit_units) AS in_transit_units,
    SUM(on_order_units) AS on_order_units,
    MAX(kit_available_units) AS kit_available_units,
    CASE WHEN MIN(currency_code) = MAX(currency_code) THEN MIN(currency_code) END AS currency_code,
    CASE
      WHEN COUNT(on_hand_units) = COUNT(value_amount)
      AND MIN(currency_code) = MAX(currency_code)
      THEN SUM(value_amount)
    END AS value_amount
  FROM part
  GROUP BY
    product_durable_key,
    location_durable_key,
    product_id,
    location_id
)
SELECT
  place.product_durable_key,
  place.location_durable_key,
  place.product_id,
  place.location_id,
  CAST(place.on_hand_units AS DECIMAL(18, 3)) AS on_hand_units,
  CAST(place.sellable_units AS DECIMAL(18, 3)) AS sellable_units,
  CAST(place.reserved_units AS DECIMAL(18, 3)) AS reserved_units,
  CAST(COALESCE(place.kit_available_units, place.sellable_units - place.reserved_units) AS DECIMAL(18, 3)) AS available_units,
  CAST(place.in_transit_units AS DECIMAL(18, 3)) AS in_transit_units,
  CAST(place.on_order_units AS DECIMAL(18, 3)) AS on_order_units,
  place.currency_code,
  CAST(place.value_amount AS DECIMAL(18, 4)) AS value_amount
FROM place
CROSS JOIN kept
WHERE
  kept.is_kept
  AND (
    place.on_hand_units IS NOT NULL
    OR place.reserved_units <> 0
    OR place.in_transit_units <> 0
    OR place.on_order_units <> 0
    OR place.kit_available_units IS NOT NULL
  );
