-- The stock ledger: every movement and count of a product at a place, with the balance before and after it.
-- refresh: ledger
CREATE TABLE gold.stock_ledger (
    ledger_entry_key     uuid           PRIMARY KEY,                      -- its entry in gold.stock_entry
    entry_kind           text           NOT NULL
        CHECK (entry_kind IN ('movement', 'count')),                      -- adds to the balance, or sets it
    entity               text           NOT NULL
        CHECK (entity IN ('stock_movement', 'sale_line', 'stock_count')), -- the silver entity behind it
    source_name          text           NOT NULL,                         -- the source whose document it is
    entry_id             text           NOT NULL,                         -- movement_id, count_id or sale_id
    product_durable_key  bigint         NOT NULL,                         -- hash of the product's source and id, never 0
    product_id           text           NOT NULL,                         -- what
    location_durable_key bigint         NOT NULL,                         -- hash of the location's source and id, never 0
    location_id          text           NOT NULL,                         -- where; of a sale: where the goods came from
    stock_status         text           NOT NULL,                         -- sellable, damaged, hold
    occurred_at          timestamptz    NOT NULL,                         -- when
    business_date        date           NOT NULL
        REFERENCES gold.dim_date (date_key),                              -- local day by the location's zone and cutover as of occurred_at
    entry_order          integer        NOT NULL,                         -- order among the entries of one instant
    movement_kind        text,                                            -- why; NULL for counts
    quantity_units       numeric(18, 3) NOT NULL,                         -- signed, in the product's base unit; 0 for counts
    counted_units        numeric(18, 3),                                  -- what the balance is set to, in base units; NULL for movements
    balance_before_units numeric(18, 3),                                  -- on hand before it, in base units; NULL = not known
    balance_after_units  numeric(18, 3),                                  -- on hand after it, in base units; NULL = not known
    variance_units       numeric(18, 3)                                   -- counted - book; NULL for movements and where the book was not
                                                                          -- known
);

-- A movement ADDS, a count SETS and its difference to the book is the variance. Before the first anchor the balance is not known
-- (NULL). An anchor is
--   * a count or a level;
--   * an opening movement: it starts the balance where that is not known, and adds where it is;
--   * the instant before the first entry, if that is a movement and a source that posts to this stock has stock_starts = 'zero'.
-- The balance of a product that is not stocked is never known.
-- Only the entries of a stock from the first touched instant on are computed again: before them the refresh puts one of the kind
-- 'carried', which sets the balance that was left before.
-- moved: the sum of all movements so far, as if nothing else had happened
WITH moved_entry AS (
    SELECT
        ledger_entry_key,
        entry_kind,
        entity,
        source_name,
        entry_id,
        product_durable_key,
        product_id,
        location_durable_key,
        location_id,
        stock_status,
        occurred_at,
        business_date,
        entry_order,
        movement_kind,
        quantity_units,
        counted_units,
        is_stocked,
        ROW_NUMBER() OVER (
            PARTITION BY product_durable_key, location_durable_key, stock_status
            ORDER BY occurred_at, entry_order, ledger_entry_key
        ) AS entry_no,
        CAST(SUM(quantity_units) OVER (
            PARTITION BY product_durable_key, location_durable_key, stock_status
            ORDER BY occurred_at, entry_order, ledger_entry_key
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS numeric(38, 3)) AS moved_units,
        SUM(CASE WHEN entry_kind <> 'movement' OR movement_kind = 'opening' THEN 1 ELSE 0 END) OVER (
            PARTITION BY product_durable_key, location_durable_key, stock_status
            ORDER BY occurred_at, entry_order, ledger_entry_key
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS anchors_so_far,
        -- a number that grows by 10^19 with every anchor: what is far below it can be carried along under it
        CAST(SUM(CASE WHEN entry_kind <> 'movement' OR movement_kind = 'opening'
            THEN CAST(10000000000000000000 AS numeric(38, 3)) ELSE 0 END) OVER (
            PARTITION BY product_durable_key, location_durable_key, stock_status
            ORDER BY occurred_at, entry_order, ledger_entry_key
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS numeric(38, 3)) AS anchor_mark,
        MAX(CASE WHEN starts_at_zero THEN 1 ELSE 0 END) OVER (
            PARTITION BY product_durable_key, location_durable_key, stock_status
        ) = 1 AS is_zero_start
    FROM gold.stock_entry
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
        product_durable_key,
        product_id,
        location_durable_key,
        location_id,
        stock_status,
        occurred_at,
        business_date,
        entry_order,
        movement_kind,
        quantity_units,
        counted_units,
        is_stocked,
        entry_no,
        moved_units,
        is_zero_start,
        COALESCE(counted_units, quantity_units) - moved_units AS shift_units,
        CASE
            WHEN entry_kind <> 'movement' OR (movement_kind = 'opening' AND anchors_so_far = 1 AND NOT is_zero_start)
                THEN anchor_mark
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
        product_durable_key,
        product_id,
        location_durable_key,
        location_id,
        stock_status,
        occurred_at,
        business_date,
        entry_order,
        movement_kind,
        quantity_units,
        counted_units,
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
        product_durable_key,
        product_id,
        location_durable_key,
        location_id,
        stock_status,
        occurred_at,
        business_date,
        entry_order,
        movement_kind,
        quantity_units,
        counted_units,
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
    product_durable_key,
    product_id,
    location_durable_key,
    location_id,
    stock_status,
    occurred_at,
    business_date,
    entry_order,
    movement_kind,
    quantity_units,
    counted_units,
    CAST(balance_before_units AS numeric(18, 3)) AS balance_before_units,
    CAST(balance_after_units AS numeric(18, 3)) AS balance_after_units,
    CAST(
        CASE WHEN entry_kind = 'count' THEN counted_units - balance_before_units END AS numeric(18, 3)
    ) AS variance_units
FROM balanced_entry
WHERE entry_kind <> 'carried';
