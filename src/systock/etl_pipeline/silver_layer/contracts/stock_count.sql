-- What was found on the shelf, or what a system says is there, at one instant.
-- history: corrections
CREATE TABLE silver.stock_count (
    source_name          text           NOT NULL,                             -- the source whose count it is
    location_source_name text,                                                -- whose code location_id is; omitted: as codes_of says
    location_id          text           NOT NULL CHECK (location_id <> ''),   -- where
    product_source_name  text,                                                -- whose code product_id is; omitted: as codes_of says
    product_id           text           NOT NULL CHECK (product_id <> ''),    -- what
    count_id             text           NOT NULL CHECK (count_id <> ''),      -- count sheet and line
    stock_status         text           NOT NULL DEFAULT 'sellable'
        CHECK (stock_status IN ('sellable', 'damaged', 'hold')),              -- which stock was counted
    counted_at           timestamptz,                                         -- the instant, where the source gives one
    counted_at_local     timestamp,                                           -- else the location's wall clock
    counted_date         date,                                                -- else the business day, at whose end it stands
    count_kind           text           NOT NULL DEFAULT 'physical'
        CHECK (count_kind IN ('physical', 'level')),                          -- counted by hand, or a level that a system states
    quantity             numeric(18, 3) NOT NULL,                             -- counted, in unit
    unit                 text,                                                -- omitted: the product's base unit
    updated_at           timestamptz,                                         -- when the source last changed it
    PRIMARY KEY (source_name, count_id),
    CHECK (counted_at IS NOT NULL OR counted_at_local IS NOT NULL OR counted_date IS NOT NULL),
    CHECK (abs(quantity) < 10000000)
);
