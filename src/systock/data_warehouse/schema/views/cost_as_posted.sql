-- A posting of the stock ledger's value as it stands in the books: on its own day or, late for a closed period, on the first day then open.
-- refresh: view
CREATE TABLE serve.cost_as_posted (
    ledger_entry_key     uuid           NOT NULL, -- the entry that caused the posting (gold.stock_cost)
    posting_no           integer        NOT NULL, -- 0 = what the entry itself moves, then what else it caused
    posting_kind         text           NOT NULL, -- entry, transfer, transit_loss, settlement, revaluation, variance (gold.stock_cost)
    movement_kind        text           NOT NULL, -- sale, receipt, ... (gold.dim_movement_kind); count; transfer_loss
    posted_date          date           NOT NULL, -- the business day on which it is booked
    business_date        date           NOT NULL, -- the entry's own day: on it the posting stands as restated
    posting_reason       text           NOT NULL, -- on time; else why it is booked later: late, withdrawn, corrected or revalued; see below
    product_durable_key  bigint         NOT NULL, -- hash of the product's source and id: of the stock that changes in value
    product_id           text,                    -- what; NULL = none of its documents is left
    location_durable_key bigint         NOT NULL, -- hash of the location's source and id: where it is
    location_id          text,                    -- where; NULL = none of its documents is left
    stock_status         text           NOT NULL, -- sellable, damaged, hold; in_transit of a transit_loss
    entity               text           NOT NULL, -- the silver entity behind the entry
    source_name          text           NOT NULL, -- the source whose document it is
    entry_id             text           NOT NULL, -- movement_id, count_id, sale_id or transfer_id
    entry_line_no        text,                    -- line_no of a sale line or a transfer line
    currency_code        text           NOT NULL, -- ISO 4217 of the amount; sum no two currencies
    cost_amount          numeric(18, 4) NOT NULL, -- what is added to the stock's value; cost of goods sold = - that of sale and customer_return
    PRIMARY KEY (
        ledger_entry_key, posting_no, posting_kind, movement_kind, posted_date, business_date, product_durable_key,
        location_durable_key, stock_status, currency_code
    )
);

-- Every landing that changes a posting's value books the change: + what is believed from then on, - what was believed before. Where its
-- day was closed then, on the day after the last closed one. So the sum by business_date is the value as restated (gold.stock_cost), the
-- sum by posted_date is what the books say, and that of a closed period stays. What comes in one landing with a close or with a
-- reopening is still in time: closed for a landing is what was closed before it and is after it. Where no close was ever known, both
-- are gold.stock_cost.
-- late: nothing of the entry is booked on its day. withdrawn: it no longer stands on that day. corrected: a version of its document became
-- known after its day was closed. revalued: its document is as it was, what its goods cost is not.
WITH landing AS (
    SELECT version.known_from_at AS landed_at
    FROM gold.stock_cost__versions AS version
    UNION
    SELECT version.known_to_at AS landed_at
    FROM gold.stock_cost__versions AS version
    WHERE version.known_to_at < TIMESTAMPTZ '9999-12-31 00:00:00+00'
),

believed AS (
    SELECT
        landing.landed_at,
        MAX(
            CASE
                WHEN period.known_from_at < landing.landed_at AND period.known_to_at >= landing.landed_at
                    AND (period.closed_at IS NULL OR period.closed_at < landing.landed_at)
                    THEN period.closed_through_date
            END
        ) AS closed_before_date,
        MAX(
            CASE
                WHEN period.known_from_at <= landing.landed_at AND period.known_to_at > landing.landed_at
                    AND (period.closed_at IS NULL OR period.closed_at <= landing.landed_at)
                    THEN period.closed_through_date
            END
        ) AS closed_after_date
    FROM landing
    CROSS JOIN silver.period_close__versions AS period
    WHERE NOT period.is_deleted
    GROUP BY landing.landed_at
),

closed AS (
    SELECT
        landed_at,
        CASE
            WHEN closed_before_date < closed_after_date THEN closed_before_date
            ELSE closed_after_date
        END AS closed_through_date
    FROM believed
    WHERE closed_before_date IS NOT NULL AND closed_after_date IS NOT NULL
),

-- Most postings never change: they are booked once, as they stand.
changed_posting AS (
    SELECT DISTINCT version.ledger_entry_key, version.posting_no
    FROM gold.stock_cost__versions AS version
    WHERE version.known_to_at < TIMESTAMPTZ '9999-12-31 00:00:00+00'
),

side AS (
    SELECT TRUE AS is_opened
    UNION ALL
    SELECT FALSE AS is_opened
),

change AS (
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
    WHERE side.is_opened OR version.known_to_at < TIMESTAMPTZ '9999-12-31 00:00:00+00'
),

booked_change AS (
    SELECT
        change.ledger_entry_key,
        change.posting_no,
        change.posting_kind,
        change.movement_kind,
        CASE
            WHEN change.business_date <= closed.closed_through_date THEN add_days(closed.closed_through_date, 1)
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
),

posting AS (
    SELECT
        version.ledger_entry_key,
        version.posting_no,
        version.posting_kind,
        COALESCE(version.movement_kind, 'count') AS movement_kind,
        CASE
            WHEN version.business_date <= closed.closed_through_date THEN add_days(closed.closed_through_date, 1)
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
    WHERE changed.ledger_entry_key IS NULL
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
        CAST(SUM(cost_amount) AS numeric(18, 4)) AS cost_amount
    FROM booked_change
    GROUP BY
        ledger_entry_key, posting_no, posting_kind, movement_kind, posted_date, business_date, product_durable_key,
        location_durable_key, stock_status, currency_code
    HAVING SUM(cost_amount) <> 0
),

late_entry AS (
    SELECT DISTINCT ledger_entry_key, business_date, entity, source_name, entry_id, entry_line_no
    FROM posting
    WHERE posted_date <> business_date
),

entry_on_time AS (
    SELECT DISTINCT late.ledger_entry_key, late.business_date
    FROM late_entry AS late
    INNER JOIN posting
        ON posting.ledger_entry_key = late.ledger_entry_key
        AND posting.business_date = late.business_date
        AND posting.posted_date = late.business_date
),

entry_standing AS (
    SELECT DISTINCT late.ledger_entry_key, late.business_date
    FROM late_entry AS late
    INNER JOIN gold.stock_cost AS posting
        ON posting.ledger_entry_key = late.ledger_entry_key
        AND posting.business_date = late.business_date
),

-- Of the days of late entries: when they were first closed.
closed_day AS (
    SELECT
        late.business_date,
        MIN(
            CASE WHEN period.closed_at > period.known_from_at THEN period.closed_at ELSE period.known_from_at END
        ) AS closed_at
    FROM (SELECT DISTINCT business_date FROM late_entry) AS late
    INNER JOIN silver.period_close__versions AS period
        ON period.closed_through_date >= late.business_date
    WHERE NOT period.is_deleted
    GROUP BY late.business_date
),

document_version AS (
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
),

entry_corrected AS (
    SELECT DISTINCT late.ledger_entry_key, late.business_date
    FROM late_entry AS late
    INNER JOIN closed_day
        ON closed_day.business_date = late.business_date
    INNER JOIN document_version AS version
        ON version.entity = late.entity
        AND version.source_name = late.source_name
        AND version.entry_id = late.entry_id
        AND version.line_no = COALESCE(late.entry_line_no, '')
        AND version.known_from_at > closed_day.closed_at
),

explained AS (
    SELECT
        posting.ledger_entry_key,
        posting.posting_no,
        posting.posting_kind,
        posting.movement_kind,
        posting.posted_date,
        posting.business_date,
        CASE
            WHEN posting.posted_date = posting.business_date THEN 'on time'
            WHEN entry_on_time.ledger_entry_key IS NULL THEN 'late'
            WHEN entry_standing.ledger_entry_key IS NULL THEN 'withdrawn'
            WHEN entry_corrected.ledger_entry_key IS NOT NULL THEN 'corrected'
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
    WHERE posting.cost_amount <> 0
        AND NOT EXISTS (SELECT 1 FROM silver.period_close__versions)
        -- Who sees some places only sees both ends of their transfers in gold.stock_cost; here each place has its own.
        AND (
            posting.posting_kind NOT IN ('transfer', 'transit_loss')
            OR posting.location_durable_key IN (SELECT own.location_durable_key FROM gold.stock_ledger AS own)
            OR posting.ledger_entry_key IN (SELECT loss.transfer_line_key FROM gold.transfer_loss AS loss)
        )
),

product AS (
    SELECT product_durable_key, MIN(product_id) AS product_id
    FROM gold.stock_ledger
    GROUP BY product_durable_key
),

place AS (
    SELECT location_durable_key, MIN(location_id) AS location_id
    FROM gold.stock_ledger
    GROUP BY location_durable_key
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
