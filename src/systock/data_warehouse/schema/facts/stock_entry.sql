-- Everything that moved or stated the stock of a product at a place, in base units and at its instant: one row per movement or count.
-- refresh: by key
CREATE TABLE gold.stock_entry (
    ledger_entry_key     uuid           PRIMARY KEY,                      -- hash of entity and natural key
    entry_kind           text           NOT NULL
        CHECK (entry_kind IN ('movement', 'count')),                      -- adds to the balance, or sets it
    entity               text           NOT NULL
        CHECK (entity IN ('stock_movement', 'sale_line', 'stock_count')), -- the silver entity behind it
    source_name          text           NOT NULL,                         -- the source whose document it is
    entry_id             text           NOT NULL,                         -- movement_id, count_id or sale_id
    entry_line_no        text,                                            -- line_no of a sale line
    product_durable_key  bigint         NOT NULL,                         -- hash of the product's source and id, never 0
    product_source_name  text           NOT NULL,                         -- whose code product_id is
    product_id           text           NOT NULL,                         -- what
    location_durable_key bigint         NOT NULL,                         -- hash of the location's source and id, never 0
    location_source_name text           NOT NULL,                         -- whose code location_id is
    location_id          text           NOT NULL,                         -- where; of a sale: where the goods came from
    stock_status         text           NOT NULL,                         -- sellable, damaged, hold
    occurred_at          timestamptz    NOT NULL,                         -- when
    business_date        date           NOT NULL
        REFERENCES gold.dim_date (date_key),                              -- local day by the location's zone and cutover as of occurred_at
    entry_order          integer        NOT NULL,                         -- order among the entries of one instant
    movement_kind        text,                                            -- why; NULL for counts
    count_kind           text,                                            -- physical or level; NULL for movements
    quantity_units       numeric(18, 3) NOT NULL,                         -- signed, in the product's base unit; 0 for counts
    counted_units        numeric(18, 3),                                  -- what the balance is set to, in base units; NULL for movements
    is_stocked           boolean        NOT NULL,                         -- is it a product that is kept in stock?
    starts_at_zero       boolean        NOT NULL,                         -- a movement of a source whose stock starts at zero
    unit_cost_amount     numeric(18, 6),                                  -- cost per base unit that the document states, in
                                                                          -- cost_currency_code
    value_amount         numeric(18, 4),                                  -- what a revaluation adds, in cost_currency_code
    cost_currency_code   text,                                            -- ISO 4217 of unit_cost_amount and value_amount
    original_entry_key   uuid,                                            -- of a return: the entry of the sale that it gives back
    lot_id               text,                                            -- lot or batch of the goods
    expiry_date          date,                                            -- best before
    document_id          text,                                            -- the paper behind it
    transfer_id          text,                                            -- pairs transfer_out with transfer_in
    base_units           numeric(18, 6) NOT NULL,                         -- base units in one of the unit that the document states
    entered_late_at      timestamptz,                                     -- when it was entered, if on a later business day than its own
    CHECK ((entry_kind = 'count') = (counted_units IS NOT NULL)),
    CHECK ((entry_kind = 'movement') = (movement_kind IS NOT NULL))
);

-- What posts: every stock movement; counted sale lines of stocked products from sources whose sales move stock, taken from where
-- they were fulfilled: a negative effect is a sale, a positive one a customer return; every count. Units convert as in
-- gold.fact_sale_line; what can't be converted, or lies outside the calendar, is in gold.unconverted_line instead.
-- Order: by instant; within one instant movements by the order of their kind, counts after all of them; then by key. A count
-- that has only a date stands at the last microsecond of that business day; a level without any date at its extraction.
WITH posting AS (
    SELECT
        'movement' AS entry_kind,
        'stock_movement' AS entity,
        movement.source_name,
        movement.movement_id AS entry_id,
        CAST(NULL AS text) AS entry_line_no,
        movement.location_source_name,
        movement.location_id,
        movement.product_source_name,
        movement.product_id,
        movement.stock_status,
        movement.occurred_at AS stated_at,
        movement.occurred_at_local AS stated_at_local,
        CAST(NULL AS date) AS stated_date,
        movement.movement_kind,
        CAST(NULL AS text) AS count_kind,
        movement.quantity,
        movement.unit,
        movement.unit_cost_amount,
        movement.value_amount,
        COALESCE(movement.currency_code, project.currency_code) AS cost_currency_code,
        CAST(NULL AS uuid) AS original_entry_key,
        movement.lot_id,
        movement.expiry_date,
        movement.document_id,
        movement.transfer_id,
        movement.entered_at
    FROM silver.stock_movement AS movement
    CROSS JOIN meta.project AS project
    UNION ALL
    SELECT
        'movement' AS entry_kind,
        'sale_line' AS entity,
        line.source_name,
        line.sale_id AS entry_id,
        line.line_no AS entry_line_no,
        line.location_source_name,
        COALESCE(line.fulfilled_from_location_id, line.location_id) AS location_id,
        line.product_source_name,
        line.product_id,
        'sellable' AS stock_status,
        line.sold_at AS stated_at,
        line.sold_at_local AS stated_at_local,
        CAST(NULL AS date) AS stated_date,
        CASE WHEN line.quantity > 0 THEN 'sale' ELSE 'customer_return' END AS movement_kind,
        CAST(NULL AS text) AS count_kind,
        -line.quantity AS quantity,
        line.unit,
        CAST(NULL AS numeric(18, 6)) AS unit_cost_amount,
        CAST(NULL AS numeric(18, 4)) AS value_amount,
        CAST(NULL AS text) AS cost_currency_code,
        CASE
            WHEN line.quantity < 0 AND line.original_sale_id IS NOT NULL AND line.original_line_no IS NOT NULL
                THEN fact_key('sale_line', line.source_name, line.original_sale_id, line.original_line_no)
        END AS original_entry_key,
        CAST(NULL AS text) AS lot_id,
        CAST(NULL AS date) AS expiry_date,
        CAST(NULL AS text) AS document_id,
        CAST(NULL AS text) AS transfer_id,
        line.entered_at
    FROM silver.sale_line AS line
    INNER JOIN meta.source AS source
        ON source.source_name = line.source_name
    WHERE source.moves_stock
        AND NOT line.is_test
        AND NOT line.is_void
        AND line.sale_kind <> 'cancellation'
        AND line.quantity <> 0
    UNION ALL
    SELECT
        'count' AS entry_kind,
        'stock_count' AS entity,
        counted.source_name,
        counted.count_id AS entry_id,
        CAST(NULL AS text) AS entry_line_no,
        counted.location_source_name,
        counted.location_id,
        counted.product_source_name,
        counted.product_id,
        counted.stock_status,
        CASE
            WHEN counted.counted_at_local IS NULL AND counted.counted_date IS NULL
                THEN COALESCE(counted.counted_at, counted.version_at)
            ELSE counted.counted_at
        END AS stated_at,
        counted.counted_at_local AS stated_at_local,
        counted.counted_date AS stated_date,
        CAST(NULL AS text) AS movement_kind,
        counted.count_kind,
        counted.quantity,
        counted.unit,
        CAST(NULL AS numeric(18, 6)) AS unit_cost_amount,
        CAST(NULL AS numeric(18, 4)) AS value_amount,
        CAST(NULL AS text) AS cost_currency_code,
        CAST(NULL AS uuid) AS original_entry_key,
        CAST(NULL AS text) AS lot_id,
        CAST(NULL AS date) AS expiry_date,
        CAST(NULL AS text) AS document_id,
        CAST(NULL AS text) AS transfer_id,
        CAST(NULL AS timestamptz) AS entered_at
    FROM silver.stock_count AS counted
),

timed_posting AS (
    SELECT
        posting.entry_kind,
        posting.entity,
        posting.source_name,
        posting.entry_id,
        posting.entry_line_no,
        posting.location_source_name,
        posting.location_id,
        posting.product_source_name,
        posting.product_id,
        posting.stock_status,
        posting.stated_at,
        posting.stated_at_local,
        posting.stated_date,
        CASE
            WHEN posting.stated_at IS NOT NULL THEN posting.stated_at
            WHEN posting.stated_at_local IS NOT NULL
                THEN local_to_utc(posting.stated_at_local, COALESCE(place.timezone, project.timezone))
            ELSE start_of_business_date(
                add_days(posting.stated_date, 1),
                COALESCE(place.timezone, project.timezone),
                COALESCE(place.business_day_cutover, project.business_day_cutover)
            ) - INTERVAL '1 microsecond'
        END AS occurred_at,
        posting.movement_kind,
        posting.count_kind,
        posting.quantity,
        posting.unit,
        posting.unit_cost_amount,
        posting.value_amount,
        posting.cost_currency_code,
        posting.original_entry_key,
        posting.lot_id,
        posting.expiry_date,
        posting.document_id,
        posting.transfer_id,
        posting.entered_at,
        project.timezone AS project_timezone,
        project.business_day_cutover AS project_cutover,
        project.calendar_from_date,
        project.calendar_to_date
    FROM posting
    CROSS JOIN meta.project AS project
    LEFT JOIN gold.dim_location AS place
        ON place.source_name = posting.location_source_name
        AND place.location_id = posting.location_id
        AND place.is_latest
),

dated_posting AS (
    SELECT
        posting.entry_kind,
        posting.entity,
        posting.source_name,
        posting.entry_id,
        posting.entry_line_no,
        posting.location_source_name,
        posting.location_id,
        posting.product_source_name,
        posting.product_id,
        posting.stock_status,
        place.location_durable_key,
        posting.occurred_at,
        CASE
            WHEN posting.stated_at IS NULL AND posting.stated_at_local IS NULL THEN posting.stated_date
            ELSE business_date(
                posting.occurred_at,
                COALESCE(place.timezone, posting.project_timezone),
                COALESCE(place.business_day_cutover, posting.project_cutover)
            )
        END AS business_date,
        posting.movement_kind,
        posting.count_kind,
        posting.quantity,
        posting.unit,
        posting.unit_cost_amount,
        posting.value_amount,
        posting.cost_currency_code,
        posting.original_entry_key,
        posting.lot_id,
        posting.expiry_date,
        posting.document_id,
        posting.transfer_id,
        posting.entered_at,
        CASE
            WHEN posting.entered_at > posting.occurred_at
                THEN business_date(
                    posting.entered_at,
                    COALESCE(place.timezone, posting.project_timezone),
                    COALESCE(place.business_day_cutover, posting.project_cutover)
                )
        END AS entered_date,
        posting.calendar_from_date,
        posting.calendar_to_date
    FROM timed_posting AS posting
    LEFT JOIN gold.dim_location AS place
        ON place.source_name = posting.location_source_name
        AND place.location_id = posting.location_id
        AND place.valid_from_at <= posting.occurred_at
        AND place.superseded_at > posting.occurred_at
),

measured_posting AS (
    SELECT
        posting.entry_kind,
        posting.entity,
        posting.source_name,
        posting.entry_id,
        posting.entry_line_no,
        COALESCE(
            article.product_durable_key, dim_key(posting.product_source_name, posting.product_id)
        ) AS product_durable_key,
        posting.product_source_name,
        posting.product_id,
        COALESCE(
            posting.location_durable_key, dim_key(posting.location_source_name, posting.location_id)
        ) AS location_durable_key,
        posting.location_source_name,
        posting.location_id,
        posting.stock_status,
        posting.occurred_at,
        posting.business_date,
        posting.movement_kind,
        posting.count_kind,
        COALESCE(article.is_stocked, TRUE) AS is_stocked,
        posting.quantity,
        CASE
            WHEN posting.unit IS NULL OR posting.unit = article.base_unit THEN 1
            WHEN unit.base_units IS NOT NULL THEN unit.base_units
            WHEN article.base_unit IS NULL THEN 1
        END AS base_units,
        posting.unit_cost_amount,
        posting.value_amount,
        posting.cost_currency_code,
        posting.original_entry_key,
        posting.lot_id,
        posting.expiry_date,
        posting.document_id,
        posting.transfer_id,
        CASE WHEN posting.entered_date > posting.business_date THEN posting.entered_at END AS entered_late_at
    FROM dated_posting AS posting
    LEFT JOIN gold.dim_product AS article
        ON article.source_name = posting.product_source_name
        AND article.product_id = posting.product_id
        AND article.is_latest
    LEFT JOIN silver.product_unit AS unit
        ON unit.source_name = posting.product_source_name
        AND unit.product_id = posting.product_id
        AND unit.unit = posting.unit
    -- the day in UTC settles it for all but the calendar's ends, and is much cheaper than the local one
    WHERE CAST(utc_to_local(posting.occurred_at, 'UTC') AS date)
        BETWEEN add_days(posting.calendar_from_date, 2) AND add_days(posting.calendar_to_date, -2)
        OR posting.business_date BETWEEN posting.calendar_from_date AND posting.calendar_to_date
)

SELECT
    CASE
        WHEN posting.entity = 'sale_line'
            THEN fact_key(posting.entity, posting.source_name, posting.entry_id, posting.entry_line_no)
        ELSE fact_key(posting.entity, posting.source_name, posting.entry_id)
    END AS ledger_entry_key,
    posting.entry_kind,
    posting.entity,
    posting.source_name,
    posting.entry_id,
    posting.entry_line_no,
    posting.product_durable_key,
    posting.product_source_name,
    posting.product_id,
    posting.location_durable_key,
    posting.location_source_name,
    posting.location_id,
    posting.stock_status,
    posting.occurred_at,
    posting.business_date,
    CASE WHEN posting.entry_kind = 'count' THEN 1000 ELSE COALESCE(kind.ledger_order, 900) END AS entry_order,
    posting.movement_kind,
    posting.count_kind,
    CAST(CASE WHEN posting.entry_kind = 'count' THEN 0 ELSE mul(posting.quantity, posting.base_units, 3) END
        AS numeric(18, 3)) AS quantity_units,
    CAST(CASE WHEN posting.entry_kind = 'count' THEN mul(posting.quantity, posting.base_units, 3) END
        AS numeric(18, 3)) AS counted_units,
    posting.is_stocked,
    COALESCE(posting.entry_kind = 'movement' AND source.stock_starts = 'zero', FALSE) AS starts_at_zero,
    CAST(safe_div(posting.unit_cost_amount, posting.base_units, 6) AS numeric(18, 6)) AS unit_cost_amount,
    posting.value_amount,
    CASE
        WHEN posting.unit_cost_amount IS NOT NULL OR posting.value_amount IS NOT NULL THEN posting.cost_currency_code
    END AS cost_currency_code,
    posting.original_entry_key,
    posting.lot_id,
    posting.expiry_date,
    posting.document_id,
    posting.transfer_id,
    posting.base_units,
    posting.entered_late_at
FROM measured_posting AS posting
LEFT JOIN gold.dim_movement_kind AS kind
    ON kind.movement_kind = posting.movement_kind
LEFT JOIN meta.source AS source
    ON source.source_name = posting.source_name
WHERE posting.base_units IS NOT NULL
    AND (posting.is_stocked OR posting.entity <> 'sale_line');
