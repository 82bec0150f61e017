-- A document that lies on a later business day than the one on which it became known: a count in the future, a clock that is wrong.
-- refresh: view
CREATE TABLE serve.dated_ahead (
    ledger_entry_key uuid        PRIMARY KEY, -- its entry in gold.stock_ledger
    entity           text        NOT NULL,    -- the silver entity behind it
    source_name      text        NOT NULL,    -- the source whose document it is
    entry_id         text        NOT NULL,    -- movement_id, count_id or sale_id
    entry_line_no    text,                    -- line_no of a sale line
    product_id       text        NOT NULL,    -- what
    location_id      text        NOT NULL,    -- where
    occurred_at      timestamptz NOT NULL,    -- when it says that it happened
    business_date    date        NOT NULL,    -- local day of that
    known_from_at    timestamptz NOT NULL,    -- when what it says now became known
    known_date       date        NOT NULL     -- local day of that
);

-- Nothing that came before its day is held back: days may be planned, and an archive may have lost its times. It stands at its instant;
-- the days before it are as if it were not there, and what comes to be known of them later is posted before it, a count's variance
-- included. Questions about now look at the last day with any fact, which is then that day: correct the document, or deliver it gone.
WITH known_entry AS (
    SELECT
        'stock_movement' AS entity,
        source_name,
        movement_id AS entry_id,
        CAST(NULL AS text) AS entry_line_no,
        known_from_at
    FROM silver.stock_movement__versions
    WHERE known_to_at = TIMESTAMPTZ '9999-12-31 00:00:00+00'
    UNION ALL
    SELECT
        'sale_line' AS entity,
        source_name,
        sale_id AS entry_id,
        line_no AS entry_line_no,
        known_from_at
    FROM silver.sale_line__versions
    WHERE known_to_at = TIMESTAMPTZ '9999-12-31 00:00:00+00'
    UNION ALL
    SELECT
        'stock_count' AS entity,
        source_name,
        count_id AS entry_id,
        CAST(NULL AS text) AS entry_line_no,
        known_from_at
    FROM silver.stock_count__versions
    WHERE known_to_at = TIMESTAMPTZ '9999-12-31 00:00:00+00'
),

dated_entry AS (
    SELECT
        entry.ledger_entry_key,
        entry.entity,
        entry.source_name,
        entry.entry_id,
        entry.entry_line_no,
        entry.product_id,
        entry.location_id,
        entry.occurred_at,
        entry.business_date,
        known.known_from_at,
        business_date(
            known.known_from_at,
            COALESCE(place.timezone, project.timezone),
            COALESCE(place.business_day_cutover, project.business_day_cutover)
        ) AS known_date
    FROM gold.stock_entry AS entry
    INNER JOIN known_entry AS known
        ON known.entity = entry.entity
        AND known.source_name = entry.source_name
        AND known.entry_id = entry.entry_id
        AND COALESCE(known.entry_line_no, '') = COALESCE(entry.entry_line_no, '')
    CROSS JOIN meta.project AS project
    LEFT JOIN serve.location_current AS place
        ON place.location_durable_key = entry.location_durable_key
    WHERE entry.occurred_at > known.known_from_at
)

SELECT
    ledger_entry_key,
    entity,
    source_name,
    entry_id,
    entry_line_no,
    product_id,
    location_id,
    occurred_at,
    business_date,
    known_from_at,
    known_date
FROM dated_entry
WHERE business_date > known_date;
