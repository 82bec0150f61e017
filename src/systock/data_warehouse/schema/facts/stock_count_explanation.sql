-- What explains the variance of a count, part by part. A row per count whose book was known.
-- refresh: by key
CREATE TABLE gold.stock_count_explanation (
    ledger_entry_key        uuid           PRIMARY KEY, -- the count's entry in gold.stock_ledger
    variance_at_count_units numeric(18, 3) NOT NULL,    -- what was seen at the shelf: counted - book of what was entered by then
    late_posting_units      numeric(18, 3) NOT NULL,    -- documents dated before the count and entered after it
    variance_units          numeric(18, 3) NOT NULL,    -- counted - book of today
    in_transit_units        numeric(18, 3) NOT NULL,    -- goods on their way to the place by the papers of their transfer
    unit_error_units        numeric(18, 3) NOT NULL,    -- the count or a document, read in another unit of the product
    unposted_return_units   numeric(18, 3) NOT NULL,    -- goods that customers brought back and no movement posted
    unexplained_units       numeric(18, 3) NOT NULL,    -- the rest
    CHECK (variance_at_count_units = late_posting_units + variance_units),
    CHECK (variance_units = in_transit_units + unit_error_units + unposted_return_units + unexplained_units)
);

-- Five parts sum to variance_at_count_units. The late postings are in the book by now, so the other four sum to variance_units.
-- Each takes of what the ones before it left, in this order:
--   late posting     the movements of the span (since the count before, up to this one) that were entered (entered_at, as their source
--                    states it) after this count and on a later business day than their own. As they stand today: what a correction
--                    says of them counts as if it had been said at once
--   in transit       by its papers, a transfer to this place was shipped by then and had not arrived: received_at is later, or not
--                    stated. What of it the book has not received explains a gain, for it can have lain on the shelf already; what
--                    the book has received ahead of the papers explains a loss. At most so much; of sellable stock only
--   unit error       all that is left or nothing: the book would agree to the last unit if the count, or one stock movement of the
--                    span, were read in another unit of the product. Sale lines are not tried: of so many some would fit by chance
--   unposted return  of a gain: the lines of returned goods at this place in the span, of sources whose sales do not move stock, less
--                    the span's customer_return movements. At most so much; of sellable stock only
--   unexplained      what is left
-- All of it follows from what documents state of themselves, never from when they landed. A late document explains its count anew.
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
    WHERE balance.variance_units IS NOT NULL
),

-- those that are in the book: what came before its anchor is not
late_posting AS (
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
    WHERE balance.balance_after_units IS NOT NULL
    GROUP BY variance.ledger_entry_key
),

-- by the papers: what was on its way then, and what had arrived (of a transfer that has not all arrived, what has by now)
transfer AS (
    SELECT
        variance.ledger_entry_key,
        variance.product_durable_key,
        variance.location_durable_key,
        variance.counted_at,
        line.source_name,
        line.transfer_id,
        SUM(CASE WHEN line.received_at IS NULL THEN line.in_transit_units ELSE line.shipped_units END) AS open_units,
        SUM(CASE WHEN line.received_at IS NULL THEN line.received_units ELSE 0 END) AS arrived_units
    FROM variance
    INNER JOIN gold.fact_transfer_line AS line
        ON line.product_durable_key = variance.product_durable_key
        AND line.to_location_durable_key = variance.location_durable_key
        AND line.shipped_at <= variance.counted_at
        AND COALESCE(line.received_at, TIMESTAMPTZ '9999-12-31 00:00:00+00') > variance.counted_at
    WHERE variance.variance_units <> 0 AND variance.stock_status = 'sellable'
    GROUP BY
        variance.ledger_entry_key, variance.product_durable_key, variance.location_durable_key, variance.counted_at,
        line.source_name, line.transfer_id
),

-- beside what the book has received of it
booked_transfer AS (
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
    GROUP BY transfer.ledger_entry_key, transfer.source_name, transfer.transfer_id
),

under_way AS (
    SELECT
        ledger_entry_key,
        SUM(GREATEST(open_units - ahead_units, 0)) AS not_booked_units,
        SUM(LEAST(open_units, ahead_units)) AS ahead_units
    FROM booked_transfer
    GROUP BY ledger_entry_key
),

rest AS (
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
    WHERE variance.variance_units <> 0
),

unit_in_use AS (
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
),

misread_count AS (
    SELECT rest.ledger_entry_key
    FROM rest
    INNER JOIN unit_in_use AS unit
        ON unit.source_name = rest.product_source_name
        AND unit.product_id = rest.product_id
    WHERE rest.rest_units <> 0
        AND rest.rest_units
        = rest.counted_units - mul(safe_div(rest.counted_units, rest.base_units, 3), unit.base_units, 3)
    GROUP BY rest.ledger_entry_key
),

misread_movement AS (
    SELECT rest.ledger_entry_key
    FROM rest
    INNER JOIN unit_in_use AS unit
        ON unit.source_name = rest.product_source_name
        AND unit.product_id = rest.product_id
    INNER JOIN gold.stock_entry AS entry
        ON entry.product_durable_key = rest.product_durable_key
        AND entry.location_durable_key = rest.location_durable_key
        AND entry.stock_status = rest.stock_status
        AND entry.occurred_at <= rest.counted_at
        AND entry.occurred_at > rest.counted_before_at
    WHERE rest.rest_units <> 0
        AND entry.entity = 'stock_movement'
        AND rest.rest_units
        = mul(safe_div(entry.quantity_units, entry.base_units, 3), unit.base_units, 3) - entry.quantity_units
    GROUP BY rest.ledger_entry_key
),

brought_back AS (
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
    WHERE rest.rest_units > 0
        AND rest.stock_status = 'sellable'
        AND line.quantity_units < 0
        AND line.is_counted
        AND NOT source.moves_stock
    GROUP BY rest.ledger_entry_key
),

posted_return AS (
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
    WHERE rest.rest_units > 0
        AND entry.entity = 'stock_movement'
        AND entry.movement_kind = 'customer_return'
    GROUP BY rest.ledger_entry_key
),

explained AS (
    SELECT
        variance.ledger_entry_key,
        variance.variance_units,
        COALESCE(late_posting.late_units, 0) AS late_posting_units,
        COALESCE(rest.rest_units, 0) AS rest_units,
        CASE
            WHEN misread_count.ledger_entry_key IS NOT NULL OR misread_movement.ledger_entry_key IS NOT NULL
                THEN rest.rest_units
            ELSE 0
        END AS unit_error_units,
        GREATEST(
            COALESCE(brought_back.returned_units, 0) - COALESCE(posted_return.posted_units, 0), 0
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
),

parted AS (
    SELECT
        ledger_entry_key,
        variance_units,
        late_posting_units,
        rest_units,
        unit_error_units,
        CASE
            WHEN rest_units > unit_error_units THEN LEAST(rest_units - unit_error_units, unposted_units)
            ELSE 0
        END AS unposted_return_units
    FROM explained
)

SELECT
    ledger_entry_key,
    CAST(variance_units + late_posting_units AS numeric(18, 3)) AS variance_at_count_units,
    CAST(late_posting_units AS numeric(18, 3)) AS late_posting_units,
    variance_units,
    CAST(variance_units - rest_units AS numeric(18, 3)) AS in_transit_units,
    CAST(unit_error_units AS numeric(18, 3)) AS unit_error_units,
    CAST(unposted_return_units AS numeric(18, 3)) AS unposted_return_units,
    CAST(rest_units - unit_error_units - unposted_return_units AS numeric(18, 3)) AS unexplained_units
FROM parted;
