-- One line of a customer's order, with what of it is reserved, shipped and cancelled so far.
-- history: corrections
CREATE TABLE silver.order_line (
    source_name          text           NOT NULL,                           -- the source whose order it is
    order_id             text           NOT NULL CHECK (order_id <> ''),    -- the customer's order
    line_no              text           NOT NULL CHECK (line_no <> ''),     -- line within it
    location_source_name text,                                              -- whose code location_id is; omitted: as codes_of says
    location_id          text           NOT NULL CHECK (location_id <> ''), -- the place whose goods it takes
    product_source_name  text,                                              -- whose code product_id is; omitted: as codes_of says
    product_id           text           NOT NULL CHECK (product_id <> ''),  -- what was ordered
    customer_id          text,                                              -- who ordered, where known
    ordered_at           timestamptz,                                       -- the instant, where the source gives one
    ordered_at_local     timestamp,                                         -- else the location's wall clock
    shipped_at           timestamptz,                                       -- when the last of it left
    ordered_quantity     numeric(18, 3) NOT NULL
        CHECK (ordered_quantity >= 0 AND ordered_quantity < 10000000),      -- in unit
    reserved_quantity    numeric(18, 3) NOT NULL DEFAULT 0
        CHECK (reserved_quantity >= 0 AND reserved_quantity < 10000000),    -- set aside for it and not yet shipped, in unit
    shipped_quantity     numeric(18, 3) NOT NULL DEFAULT 0
        CHECK (shipped_quantity >= 0 AND shipped_quantity < 10000000),      -- in unit
    cancelled_quantity   numeric(18, 3) NOT NULL DEFAULT 0
        CHECK (cancelled_quantity >= 0 AND cancelled_quantity < 10000000),  -- no longer wanted, in unit
    unit                 text,                                              -- omitted: the product's base unit
    unit_price_amount    numeric(18, 6) CHECK (unit_price_amount >= 0),     -- per unit, where known
    currency_code        text           CHECK (length(currency_code) = 3),  -- ISO 4217; omitted: the project's currency
    channel              text,                                              -- online, phone, ...
    updated_at           timestamptz,                                       -- when the source last changed it
    PRIMARY KEY (source_name, order_id, line_no),
    CHECK (ordered_at IS NOT NULL OR ordered_at_local IS NOT NULL),
    CHECK (CAST(ordered_quantity AS double precision) * CAST(unit_price_amount AS double precision) < 10000000000000)
);
