-- Everything that moved or stated the stock of a product at a place: one row per movement or count, with the balance around it.
-- refresh: ledger
CREATE TABLE gold.stock_ledger (
    ledger_entry_key      uuid           PRIMARY KEY,                     -- hash of entity and natural key
    entry_kind            text           NOT NULL
        CHECK (entry_kind IN ('movement', 'count')),                      -- adds to the balance, or sets it
    entity                text           NOT NULL
        CHECK (entity IN ('stock_movement', 'sale_line', 'stock_count')), -- the silver entity behind it
    source_name           text           NOT NULL,                        -- the source whose document it is
    entry_id              text           NOT NULL,                        -- movement_id, count_id or sale_id
    entry_line_no         text,                                           -- line_no of a sale line
    product_durable_key   bigint         NOT NULL,                        -- hash of the product's source and id, never 0
    product_source_name   text           NOT NULL,                        -- whose code product_id is
    product_id            text           NOT NULL,                        -- what
    location_durable_key  bigint         NOT NULL,                        -- hash of the location's source and id, never 0
    location_source_name  text           NOT NULL,                        -- whose code location_id is
    location_id           text           NOT NULL,                        -- where; of a sale: where the goods came from
    stock_status          text           NOT NULL,                        -- sellable, damaged, hold
    occurred_at           timestamptz    NOT NULL,                        -- when
    business_date         date           NOT NULL
        REFERENCES gold.dim_date (date_key),                              -- local day by the location's zone and cutover as of occurred_at
    entry_order           integer        NOT NULL,                        -- order among the entries of one instant
    movement_kind         text,                                           -- why; NULL for counts
    count_kind            text,                                           -- physical or level; NULL for movements
    quantity_units        numeric(18, 3) NOT NULL,                        -- signed, in the product's base unit; 0 for counts
    counted_units         numeric(18, 3),                                 -- what the balance is set to, in base units; NULL for movements
    balance_before_units  numeric(18, 3),                                 -- on hand before it, in base units; NULL = not known
    balance_after_units   numeric(18, 3),                                 -- on hand after it, in base units; NULL = not known
    variance_units        numeric(18, 3),                                 -- counted - book; NULL for movements and where the book was not
                                                                          -- known
    unit_cost_amount      numeric(18, 6),                                 -- cost per base unit that the document states, in
                                                                          -- cost_currency_code
    cost_currency_code    text,                                           -- ISO 4217 of unit_cost_amount
    CHECK ((entry_kind = 'count') = (counted_units IS NOT NULL)),
    CHECK ((entry_kind = 'movement') = (movement_kind IS NOT NULL))
);

-- What posts: every stock movement; counted sale lines of stocked products from sources whose sales move stock, taken from where
-- they were fulfilled: a negative effect is a sale, a positive one a customer return; every count. Units convert as in
-- gold.fact_sale_line; what can't be converted, or lies outside the calendar, is in gold.unconverted_line instead.
-- Order: by instant; within one instant movements by the order of their kind, counts after all of them; then by key. A count
-- that has only a date stands at the last microsecond of that business day; a level without any date at its extraction.
-- Balance: a movement ADDS, a count SETS and its difference to the book is the variance. Before the first anchor the balance
-- is not known (NULL). An anchor is
--   * a count or a level;
--   * an opening movement: it starts the balance where that is not known, and adds where it is;
--   * the instant before the first entry, if that is a movement and a source that posts to this stock has stock_starts = 'zero'.
-- The balance of a product that is not stocked is never known.
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
        COALESCE(movement.currency_code, project.currency_code) AS cost_currency_code
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
        CAST(NULL AS text) AS cost_currency_code
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
        CAST(NULL AS text) AS cost_currency_code
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
        posting.cost_currency_code,
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
        posting.cost_currency_code,
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
        posting.cost_currency_code
    FROM dated_posting AS posting
    LEFT JOIN gold.dim_product AS article
        ON article.source_name = posting.product_source_name
        AND article.product_id = posting.product_id
        AND article.is_latest
    LEFT JOIN silver.product_unit AS unit
        ON unit.source_name = posting.product_source_name
        AND unit.product_id = posting.product_id
        AND unit.unit = posting.unit
    WHERE posting.business_date BETWEEN posting.calendar_from_date AND posting.calendar_to_date
),

entry AS (
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
        CASE WHEN posting.entry_kind = 'movement' AND source.stock_starts = 'zero' THEN 1 ELSE 0 END AS starts_at_zero,
        CASE WHEN posting.entry_kind = 'count' OR posting.movement_kind = 'opening' THEN 1 ELSE 0 END AS is_anchor,
        CAST(safe_div(posting.unit_cost_amount, posting.base_units, 6) AS numeric(18, 6)) AS unit_cost_amount,
        CASE WHEN posting.unit_cost_amount IS NOT NULL THEN posting.cost_currency_code END AS cost_currency_code
    FROM measured_posting AS posting
    LEFT JOIN gold.dim_movement_kind AS kind
        ON kind.movement_kind = posting.movement_kind
    LEFT JOIN meta.source AS source
        ON source.source_name = posting.source_name
    WHERE posting.base_units IS NOT NULL
        AND (posting.is_stocked OR posting.entity <> 'sale_line')
),

-- moved: the sum of all movements so far, as if nothing else had happened
moved_entry AS (
    SELECT
        ledger_entry_key,
        entry_kind,
        entity,
        source_name,
        entry_id,
        entry_line_no,
        product_durable_key,
        product_source_name,
        product_id,
        location_durable_key,
        location_source_name,
        location_id,
        stock_status,
        occurred_at,
        business_date,
        entry_order,
        movement_kind,
        count_kind,
        quantity_units,
        counted_units,
        unit_cost_amount,
        cost_currency_code,
        is_stocked,
        is_anchor,
        ROW_NUMBER() OVER (
            PARTITION BY product_durable_key, location_durable_key, stock_status
            ORDER BY occurred_at, entry_order, ledger_entry_key
        ) AS entry_no,
        CAST(SUM(quantity_units) OVER (
            PARTITION BY product_durable_key, location_durable_key, stock_status
            ORDER BY occurred_at, entry_order, ledger_entry_key
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS numeric(38, 3)) AS moved_units,
        SUM(is_anchor) OVER (
            PARTITION BY product_durable_key, location_durable_key, stock_status
            ORDER BY occurred_at, entry_order, ledger_entry_key
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS anchors_so_far,
        -- a number that grows by 10^19 with every anchor: what is far below it can be carried along under it
        CAST(SUM(CASE WHEN is_anchor = 1 THEN CAST(10000000000000000000 AS numeric(38, 3)) ELSE 0 END) OVER (
            PARTITION BY product_durable_key, location_durable_key, stock_status
            ORDER BY occurred_at, entry_order, ledger_entry_key
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS numeric(38, 3)) AS anchor_mark,
        MAX(starts_at_zero) OVER (
            PARTITION BY product_durable_key, location_durable_key, stock_status
        ) = 1 AS is_zero_start
    FROM entry
),

-- shift: what an entry, if it sets the balance, adds to moved for all entries up to the next one that does; only one with a
-- set_mark does: a count, or the opening that is the first anchor
set_entry AS (
    SELECT
        ledger_entry_key,
        entry_kind,
        entity,
        source_name,
        entry_id,
        entry_line_no,
        product_durable_key,
        product_source_name,
        product_id,
        location_durable_key,
        location_source_name,
        location_id,
        stock_status,
        occurred_at,
        business_date,
        entry_order,
        movement_kind,
        count_kind,
        quantity_units,
        counted_units,
        unit_cost_amount,
        cost_currency_code,
        is_stocked,
        entry_no,
        moved_units,
        is_zero_start,
        CASE WHEN entry_kind = 'count' THEN counted_units ELSE quantity_units END - moved_units AS shift_units,
        CASE
            WHEN entry_kind = 'count' OR (is_anchor = 1 AND anchors_so_far = 1 AND NOT is_zero_start) THEN anchor_mark
        END AS set_mark
    FROM moved_entry
),

-- the shift of the last entry that set the balance, up to this entry and up to the one before: the greatest mark is the last
shifted_entry AS (
    SELECT
        ledger_entry_key,
        entry_kind,
        entity,
        source_name,
        entry_id,
        entry_line_no,
        product_durable_key,
        product_source_name,
        product_id,
        location_durable_key,
        location_source_name,
        location_id,
        stock_status,
        occurred_at,
        business_date,
        entry_order,
        movement_kind,
        count_kind,
        quantity_units,
        counted_units,
        unit_cost_amount,
        cost_currency_code,
        is_stocked,
        entry_no,
        moved_units,
        is_zero_start,
        MAX(set_mark + shift_units) OVER (
            PARTITION BY product_durable_key, location_durable_key, stock_status
            ORDER BY entry_no
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) - MAX(set_mark) OVER (
            PARTITION BY product_durable_key, location_durable_key, stock_status
            ORDER BY entry_no
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS last_shift_units,
        MAX(set_mark + shift_units) OVER (
            PARTITION BY product_durable_key, location_durable_key, stock_status
            ORDER BY entry_no
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) - MAX(set_mark) OVER (
            PARTITION BY product_durable_key, location_durable_key, stock_status
            ORDER BY entry_no
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS shift_units_before
    FROM set_entry
),

balanced_entry AS (
    SELECT
        ledger_entry_key,
        entry_kind,
        entity,
        source_name,
        entry_id,
        entry_line_no,
        product_durable_key,
        product_source_name,
        product_id,
        location_durable_key,
        location_source_name,
        location_id,
        stock_status,
        occurred_at,
        business_date,
        entry_order,
        movement_kind,
        count_kind,
        quantity_units,
        counted_units,
        unit_cost_amount,
        cost_currency_code,
        CASE
            WHEN NOT is_stocked THEN NULL
            WHEN shift_units_before IS NOT NULL THEN moved_units - quantity_units + shift_units_before
            WHEN is_zero_start AND (entry_no > 1 OR entry_kind = 'movement') THEN moved_units - quantity_units
        END AS balance_before_units,
        CASE
            WHEN NOT is_stocked THEN NULL
            WHEN last_shift_units IS NOT NULL THEN moved_units + last_shift_units
            WHEN is_zero_start THEN moved_units
        END AS balance_after_units
    FROM shifted_entry
)

SELECT
    ledger_entry_key,
    entry_kind,
    entity,
    source_name,
    entry_id,
    entry_line_no,
    product_durable_key,
    product_source_name,
    product_id,
    location_durable_key,
    location_source_name,
    location_id,
    stock_status,
    occurred_at,
    business_date,
    entry_order,
    movement_kind,
    count_kind,
    quantity_units,
    counted_units,
    CAST(balance_before_units AS numeric(18, 3)) AS balance_before_units,
    CAST(balance_after_units AS numeric(18, 3)) AS balance_after_units,
    CAST(
        CASE WHEN entry_kind = 'count' THEN counted_units - balance_before_units END AS numeric(18, 3)
    ) AS variance_units,
    unit_cost_amount,
    cost_currency_code
FROM balanced_entry;
