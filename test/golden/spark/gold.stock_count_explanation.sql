CREATE TABLE gold.stock_count_explanation (
  ledger_entry_key STRING NOT NULL,
  variance_at_count_units DECIMAL(18, 3) NOT NULL,
  late_posting_units DECIMAL(18, 3) NOT NULL,
  variance_units DECIMAL(18, 3) NOT NULL,
  in_transit_units DECIMAL(18, 3) NOT NULL,
  unit_error_units DECIMAL(18, 3) NOT NULL,
  unposted_return_units DECIMAL(18, 3) NOT NULL,
  unexplained_units DECIMAL(18, 3) NOT NULL
);
WITH variance AS (
  SELECT
    span.ledger_entry_key,
    span.product_durable_key,
    span.product_source_name,
    span.product_id,
    span.location_durable_key,
    span.stock_status,
    span.counted_before_at,
    span.counted_at,
    span.counted_units,
    span.base_units,
    balance.variance_units
  FROM gold.stock_count_span AS span
  INNER JOIN gold.stock_ledger AS balance
    ON balance.ledger_entry_key = span.ledger_entry_key
  WHERE
    balance.variance_units IS NOT NULL
), late_posting AS (
  SELECT
    variance.ledger_entry_key,
    SUM(entry.quantity_units) AS late_units
  FROM variance
  INNER JOIN gold.stock_entry AS entry
    ON entry.product_durable_key = variance.product_durable_key
    AND entry.location_durable_key = variance.location_durable_key
    AND entry.stock_status = variance.stock_status
    AND entry.occurred_at <= variance.counted_at
    AND entry.occurred_at > variance.counted_before_at
    AND entry.entered_late_at > variance.counted_at
  INNER JOIN gold.stock_ledger AS balance
    ON balance.ledger_entry_key = entry.ledger_entry_key
  WHERE
    balance.balance_after_units IS NOT NULL
  GROUP BY
    variance.ledger_entry_key
), transfer AS (
  SELECT
    variance.ledger_entry_key,
    variance.product_durable_key,
    variance.location_durable_key,
    variance.counted_at,
    line.source_name,
    line.transfer_id,
    SUM(
      CASE
        WHEN line.received_at IS NULL
        THEN line.in_transit_units
        ELSE line.shipped_units
      END
    ) AS open_units,
    SUM(CASE WHEN line.received_at IS NULL THEN line.received_units ELSE 0 END) AS arrived_units
  FROM variance
  INNER JOIN gold.fact_transfer_line AS line
    ON line.product_durable_key = variance.product_durable_key
    AND line.to_location_durable_key = variance.location_durable_key
    AND line.shipped_at <= variance.counted_at
    AND COALESCE(line.received_at, CAST('9999-12-31 00:00:00+00' AS TIMESTAMP)) > variance.counted_at
  WHERE
    variance.variance_units <> 0 AND variance.stock_status = 'sellable'
  GROUP BY
    variance.ledger_entry_key,
    variance.product_durable_key,
    variance.location_durable_key,
    variance.counted_at,
    line.source_name,
    line.transfer_id
), booked_transfer AS (
  SELECT
    transfer.ledger_entry_key,
    transfer.source_name,
    transfer.transfer_id,
    MAX(transfer.open_units) AS open_units,
    GREATEST(COALESCE(SUM(entry.quantity_units), 0) - MAX(transfer.arrived_units), 0) AS ahead_units
  FROM transfer
  LEFT JOIN gold.stock_entry AS entry
    ON entry.source_name = transfer.source_name
    AND entry.transfer_id = transfer.transfer_id
    AND entry.product_durable_key = transfer.product_durable_key
    AND entry.location_durable_key = transfer.location_durable_key
    AND entry.movement_kind = 'transfer_in'
    AND entry.occurred_at <= transfer.counted_at
  GROUP BY
    transfer.ledger_entry_key,
    transfer.source_name,
    transfer.transfer_id
), under_way AS (
  SELECT
    ledger_entry_key,
    SUM(GREATEST(open_units - ahead_units, 0)) AS not_booked_units,
    SUM(LEAST(open_units, ahead_units)) AS ahead_units
  FROM booked_transfer
  GROUP BY
    ledger_entry_key
), rest AS (
  SELECT
    variance.ledger_entry_key,
    variance.product_durable_key,
    variance.product_source_name,
    variance.product_id,
    variance.location_durable_key,
    variance.stock_status,
    variance.counted_before_at,
    variance.counted_at,
    variance.counted_units,
    variance.base_units,
    variance.variance_units - LEAST(
      GREATEST(variance.variance_units, -COALESCE(under_way.ahead_units, 0)),
      COALESCE(under_way.not_booked_units, 0)
    ) AS rest_units
  FROM variance
  LEFT JOIN under_way
    ON under_way.ledger_entry_key = variance.ledger_entry_key
  WHERE
    variance.variance_units <> 0
), unit_in_use AS (
  SELECT
    source_name,
    product_id,
    base_units
  FROM silver.product_unit
  UNION ALL
  SELECT
    source_name,
    product_id,
    1 AS base_units
  FROM silver.product_unit
), misread_count AS (
  SELECT
    rest.ledger_entry_key
  FROM rest
  INNER JOIN unit_in_use AS unit
    ON unit.source_name = rest.product_source_name AND unit.product_id = rest.product_id
  WHERE
    rest.rest_units <> 0
    AND rest.rest_units = rest.counted_units - CAST(round(CAST(CAST(((2BD * abs((CAST(rest.counted_units AS DECIMAL(38, 12)) * 1000BD)) + abs(CAST(rest.base_units AS DECIMAL(38, 12)))) DIV NULLIF(2BD * abs(CAST(rest.base_units AS DECIMAL(38, 12))), 0BD) * CAST(sign((CAST(rest.counted_units AS DECIMAL(38, 12)) * 1000BD)) * sign(CAST(rest.base_units AS DECIMAL(38, 12))) AS BIGINT)) AS DECIMAL(38, 0)) * 0.001BD AS DECIMAL(18, 3)) * unit.base_units, 3) AS DECIMAL(18, 3))
  GROUP BY
    rest.ledger_entry_key
), misread_movement AS (
  SELECT
    rest.ledger_entry_key
  FROM rest
  INNER JOIN unit_in_use AS unit
    ON unit.source_name = rest.product_source_name AND unit.product_id = rest.product_id
  INNER JOIN gold.stock_entry AS entry
    ON entry.product_durable_key = rest.product_durable_key
    AND entry.location_durable_key = rest.location_durable_key
    AND entry.stock_status = rest.stock_status
    AND entry.occurred_at <= rest.counted_at
    AND entry.occurred_at > rest.counted_before_at
  WHERE
    rest.rest_units <> 0
    AND entry.entity = 'stock_movement'
    AND rest.rest_units = CAST(round(CAST(CAST(((2BD * abs((CAST(entry.quantity_units AS DECIMAL(38, 12)) * 1000BD)) + abs(CAST(entry.base_units AS DECIMAL(38, 12)))) DIV NULLIF(2BD * abs(CAST(entry.base_units AS DECIMAL(38, 12))), 0BD) * CAST(sign((CAST(entry.quantity_units AS DECIMAL(38, 12)) * 1000BD)) * sign(CAST(entry.base_units AS DECIMAL(38, 12))) AS BIGINT)) AS DECIMAL(38, 0)) * 0.001BD AS DECIMAL(18, 3)) * unit.base_units, 3) AS DECIMAL(18, 3)) - entry.quantity_units
  GROUP BY
    rest.ledger_entry_key
), brought_back AS (
  SELECT
    rest.ledger_entry_key,
    -SUM(line.quantity_units) AS returned_units
  FROM rest
  INNER JOIN gold.fact_sale_line AS line
    ON line.product_durable_key = rest.product_durable_key
    AND line.location_durable_key = rest.location_durable_key
    AND line.sold_at <= rest.counted_at
    AND line.sold_at > rest.counted_before_at
  INNER JOIN meta.source AS source
    ON source.source_name = line.source_name
  WHERE
    rest.rest_units > 0
    AND rest.stock_status = 'sellable'
    AND line.quantity_units < 0
    AND line.is_counted
    AND NOT source.moves_stock
  GROUP BY
    rest.ledger_entry_key
), posted_return AS (
  SELECT
    rest.ledger_entry_key,
    SUM(entry.quantity_units) AS posted_units
  FROM rest
  INNER JOIN gold.stock_entry AS entry
    ON entry.product_durable_key = rest.product_durable_key
    AND entry.location_durable_key = rest.location_durable_key
    AND entry.stock_status = rest.stock_status
    AND entry.occurred_at <= rest.counted_at
    AND entry.occurred_at > rest.counted_before_at
  WHERE
    rest.rest_units > 0
    AND entry.entity = 'stock_movement'
    AND entry.movement_kind = 'customer_return'
  GROUP BY
    rest.ledger_entry_key
), explained AS (
  SELECT
    variance.ledger_entry_key,
    variance.variance_units,
    COALESCE(late_posting.late_units, 0) AS late_posting_units,
    COALESCE(rest.rest_units, 0) AS rest_units,
    CASE
      WHEN misread_count.ledger_entry_key IS NOT NULL
      OR misread_movement.ledger_entry_key IS NOT NULL
      THEN rest.rest_units
      ELSE 0
    END AS unit_error_units,
    GREATEST(
      COALESCE(brought_back.returned_units, 0) - COALESCE(posted_return.posted_units, 0),
      0
    ) AS unposted_units
  FROM variance
  LEFT JOIN late_posting
    ON late_posting.ledger_entry_key = variance.ledger_entry_key
  LEFT JOIN rest
    ON rest.ledger_entry_key = variance.ledger_entry_key
  LEFT JOIN misread_count
    ON misread_count.ledger_entry_key = variance.ledger_entry_key
  LEFT JOIN misread_movement
    ON misread_movement.ledger_entry_key = variance.ledger_entry_key
  LEFT JOIN brought_back
    ON brought_back.ledger_entry_key = variance.ledger_entry_key
  LEFT JOIN posted_return
    ON posted_return.ledger_entry_key = variance.ledger_entry_key
), parted AS (
  SELECT
    ledger_entry_key,
    variance_units,
    late_posting_units,
    rest_units,
    unit_error_units,
    CASE
      WHEN rest_units > unit_error_units
      THEN LEAST(rest_units - unit_error_units, unposted_units)
      ELSE 0
    END AS unposted_return_units
  FROM explained
)
SELECT
  ledger_entry_key,
  CAST(variance_units + late_posting_units AS DECIMAL(18, 3)) AS variance_at_count_units,
  CAST(late_posting_units AS DECIMAL(18, 3)) AS late_posting_units,
  variance_units,
  CAST(variance_units - rest_units AS DECIMAL(18, 3)) AS in_transit_units,
  CAST(unit_error_units AS DECIMAL(18, 3)) AS unit_error_units,
  CAST(unposted_return_units AS DECIMAL(18, 3)) AS unposted_return_units,
  CAST(rest_units - unit_error_units - unposted_return_units AS DECIMAL(18, 3)) AS unexplained_units
FROM parted;
