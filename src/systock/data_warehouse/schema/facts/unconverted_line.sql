-- A sale line, stock movement or count that is held back from the facts, and why; it leaves this list when what it lacks arrives.
-- refresh: by key
CREATE TABLE gold.unconverted_line (
    unconverted_line_key uuid PRIMARY KEY,                                -- hash of entity and natural key
    entity               text NOT NULL
        CHECK (entity IN ('sale_line', 'stock_movement', 'stock_count')), -- the silver entity it is a row of
    source_name          text NOT NULL,                                   -- the source it came from
    natural_key          text NOT NULL,                                   -- sale_id / line_no, movement_id or count_id
    reason               text NOT NULL
        CHECK (reason IN ('date outside the calendar', 'unit without conversion', 'currency without rate')), -- the first of these that holds
    held_value           text NOT NULL,                                   -- the date, the unit or the currency at fault
    product_id           text NOT NULL,                                   -- what it is about
    location_id          text NOT NULL,                                   -- where
    business_date        date NOT NULL                                    -- local day, by the location's zone and cutover; may lie outside
                                                                          -- gold.dim_date
);

-- The conditions of gold.fact_sale_line and gold.stock_ledger turned round: a sale line is in that fact or here, a movement or a
-- count is in the ledger or here. A movement's cost in a currency without rate holds nothing back: its units are known.
WITH calendar AS (
    SELECT
        project.currency_code,
        project.timezone,
        project.business_day_cutover,
        project.calendar_from_date,
        project.calendar_to_date,
        -- instants between these are inside the calendar in every zone
        start_of_business_date(add_days(project.calendar_from_date, 2), 'UTC', CAST('00:00' AS time)) AS safe_from_at,
        start_of_business_date(add_days(project.calendar_to_date, -2), 'UTC', CAST('00:00' AS time)) AS safe_to_at
    FROM meta.project AS project
),

entry AS (
    SELECT
        'sale_line' AS entity,
        line.source_name,
        line.sale_id AS entry_id,
        line.line_no AS entry_line_no,
        line.location_source_name,
        line.location_id,
        line.product_source_name,
        line.product_id,
        line.unit,
        COALESCE(line.currency_code, calendar.currency_code) AS currency_code,
        line.sold_at AS stated_at,
        line.sold_at_local AS stated_at_local,
        CAST(NULL AS date) AS stated_date
    FROM silver.sale_line AS line
    CROSS JOIN calendar
    WHERE line.unit IS NOT NULL
        OR line.currency_code <> calendar.currency_code
        OR COALESCE(line.sold_at, local_to_utc(line.sold_at_local, 'UTC')) < calendar.safe_from_at
        OR COALESCE(line.sold_at, local_to_utc(line.sold_at_local, 'UTC')) > calendar.safe_to_at
    UNION ALL
    SELECT
        'stock_movement' AS entity,
        movement.source_name,
        movement.movement_id AS entry_id,
        CAST(NULL AS text) AS entry_line_no,
        movement.location_source_name,
        movement.location_id,
        movement.product_source_name,
        movement.product_id,
        movement.unit,
        calendar.currency_code,
        movement.occurred_at AS stated_at,
        movement.occurred_at_local AS stated_at_local,
        CAST(NULL AS date) AS stated_date
    FROM silver.stock_movement AS movement
    CROSS JOIN calendar
    WHERE movement.unit IS NOT NULL
        OR COALESCE(movement.occurred_at, local_to_utc(movement.occurred_at_local, 'UTC')) < calendar.safe_from_at
        OR COALESCE(movement.occurred_at, local_to_utc(movement.occurred_at_local, 'UTC')) > calendar.safe_to_at
    UNION ALL
    SELECT
        'stock_count' AS entity,
        counted.source_name,
        counted.count_id AS entry_id,
        CAST(NULL AS text) AS entry_line_no,
        counted.location_source_name,
        counted.location_id,
        counted.product_source_name,
        counted.product_id,
        counted.unit,
        calendar.currency_code,
        CASE
            WHEN counted.counted_at_local IS NULL AND counted.counted_date IS NULL
                THEN COALESCE(counted.counted_at, counted.version_at)
            ELSE counted.counted_at
        END AS stated_at,
        counted.counted_at_local AS stated_at_local,
        counted.counted_date AS stated_date
    FROM silver.stock_count AS counted
    CROSS JOIN calendar
    WHERE counted.unit IS NOT NULL
        OR counted.counted_date < add_days(calendar.calendar_from_date, 2)
        OR counted.counted_date > add_days(calendar.calendar_to_date, -2)
        OR COALESCE(counted.counted_at, local_to_utc(counted.counted_at_local, 'UTC'), counted.version_at)
            < calendar.safe_from_at
        OR COALESCE(counted.counted_at, local_to_utc(counted.counted_at_local, 'UTC'), counted.version_at)
            > calendar.safe_to_at
),

suspect AS (
    SELECT
        entry.entity,
        entry.source_name,
        entry.entry_id,
        entry.entry_line_no,
        entry.location_source_name,
        entry.location_id,
        entry.product_id,
        entry.unit,
        entry.currency_code,
        entry.stated_at,
        entry.stated_at_local,
        entry.stated_date,
        entry.unit <> article.base_unit AND unit.base_units IS NULL AS is_unit_lacking,
        entry.currency_code <> calendar.currency_code AS is_rate_needed
    FROM entry
    CROSS JOIN calendar
    LEFT JOIN gold.dim_product AS article
        ON article.source_name = entry.product_source_name
        AND article.product_id = entry.product_id
        AND article.is_latest
    LEFT JOIN silver.product_unit AS unit
        ON unit.source_name = entry.product_source_name
        AND unit.product_id = entry.product_id
        AND unit.unit = entry.unit
),

located_suspect AS (
    SELECT
        suspect.entity,
        suspect.source_name,
        suspect.entry_id,
        suspect.entry_line_no,
        suspect.location_source_name,
        suspect.location_id,
        suspect.product_id,
        suspect.unit,
        suspect.currency_code,
        suspect.is_unit_lacking,
        suspect.is_rate_needed,
        suspect.stated_date,
        COALESCE(
            suspect.stated_at, local_to_utc(suspect.stated_at_local, COALESCE(place.timezone, calendar.timezone))
        ) AS stated_at
    FROM suspect
    CROSS JOIN calendar
    LEFT JOIN gold.dim_location AS place
        ON place.source_name = suspect.location_source_name
        AND place.location_id = suspect.location_id
        AND place.is_latest
),

dated_suspect AS (
    SELECT
        suspect.entity,
        suspect.source_name,
        suspect.entry_id,
        suspect.entry_line_no,
        suspect.location_id,
        suspect.product_id,
        suspect.unit,
        suspect.currency_code,
        suspect.is_unit_lacking,
        suspect.is_rate_needed,
        CASE
            WHEN suspect.stated_at IS NULL THEN suspect.stated_date
            ELSE business_date(
                suspect.stated_at,
                COALESCE(place.timezone, calendar.timezone),
                COALESCE(place.business_day_cutover, calendar.business_day_cutover)
            )
        END AS business_date
    FROM located_suspect AS suspect
    CROSS JOIN calendar
    LEFT JOIN gold.dim_location AS place
        ON place.source_name = suspect.location_source_name
        AND place.location_id = suspect.location_id
        AND place.valid_from_at <= suspect.stated_at
        AND place.superseded_at > suspect.stated_at
),

judged_suspect AS (
    SELECT
        suspect.entity,
        suspect.source_name,
        suspect.entry_id,
        suspect.entry_line_no,
        suspect.location_id,
        suspect.product_id,
        suspect.unit,
        suspect.currency_code,
        suspect.business_date,
        CASE
            WHEN suspect.business_date NOT BETWEEN calendar.calendar_from_date AND calendar.calendar_to_date
                THEN 'date outside the calendar'
            WHEN suspect.is_unit_lacking THEN 'unit without conversion'
            WHEN suspect.is_rate_needed AND rate.exchange_rate IS NULL THEN 'currency without rate'
        END AS reason
    FROM dated_suspect AS suspect
    CROSS JOIN calendar
    LEFT JOIN gold.exchange_rate_day AS rate
        ON rate.currency_code = suspect.currency_code
        AND rate.rate_date = suspect.business_date
)

SELECT
    CASE
        WHEN entity = 'sale_line' THEN fact_key(entity, source_name, entry_id, entry_line_no)
        ELSE fact_key(entity, source_name, entry_id)
    END AS unconverted_line_key,
    entity,
    source_name,
    CASE WHEN entity = 'sale_line' THEN entry_id || ' / ' || entry_line_no ELSE entry_id END AS natural_key,
    reason,
    CASE
        WHEN reason = 'date outside the calendar' THEN CAST(business_date AS text)
        WHEN reason = 'unit without conversion' THEN unit
        ELSE currency_code
    END AS held_value,
    product_id,
    location_id,
    business_date
FROM judged_suspect
WHERE reason IS NOT NULL;
