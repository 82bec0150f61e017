-- One line of an order to a supplier, with what became of it so far.
-- history: corrections
CREATE TABLE silver.purchase_order_line (
    source_name          text           NOT NULL,                                 -- the source whose order it is
    purchase_order_id    text           NOT NULL CHECK (purchase_order_id <> ''), -- the order
    line_no              text           NOT NULL CHECK (line_no <> ''),           -- line within it
    supplier_source_name text,                                                    -- whose code supplier_id is; omitted: as codes_of says
    supplier_id          text           NOT NULL CHECK (supplier_id <> ''),       -- whom it was sent to
    location_source_name text,                                                    -- whose code location_id is; omitted: as codes_of says
    location_id          text           NOT NULL CHECK (location_id <> ''),       -- where it is to be delivered
    product_source_name  text,                                                    -- whose code product_id is; omitted: as codes_of says
    product_id           text           NOT NULL CHECK (product_id <> ''),        -- what was ordered
    ordered_at           timestamptz,                                             -- the instant, where the source gives one
    ordered_at_local     timestamp,                                               -- else the location's wall clock
    expected_date        date,                                                    -- day of delivery as now expected
    first_confirmed_date date,                                                    -- day of delivery as the supplier first confirmed it
    confirmed_at         timestamptz,                                             -- when the supplier first confirmed it
    shipped_at           timestamptz,                                             -- when the supplier sent it
    received_at          timestamptz,                                             -- when the last of it came in, where the source gives the
                                                                                  -- instant
    received_at_local    timestamp,                                               -- else the location's wall clock
    ordered_quantity     numeric(18, 3) NOT NULL
        CHECK (ordered_quantity >= 0 AND ordered_quantity < 10000000),            -- in unit
    received_quantity    numeric(18, 3) NOT NULL DEFAULT 0
        CHECK (received_quantity >= 0 AND received_quantity < 10000000),          -- came in so far, rejected goods included, in unit
    rejected_quantity    numeric(18, 3) NOT NULL DEFAULT 0
        CHECK (rejected_quantity >= 0),                                           -- of it refused, in unit
    unit                 text,                                                    -- omitted: the product's base unit
    unit_cost_amount     numeric(18, 6) CHECK (unit_cost_amount >= 0),            -- per unit, where known
    currency_code        text           CHECK (length(currency_code) = 3),        -- ISO 4217; omitted: the project's currency
    is_cancelled         boolean        NOT NULL DEFAULT FALSE,                   -- withdrawn by us: kept, never counted
    is_closed            boolean        NOT NULL DEFAULT FALSE,                   -- nothing more is expected
    updated_at           timestamptz,                                             -- when the source last changed it
    PRIMARY KEY (source_name, purchase_order_id, line_no),
    CHECK (ordered_at IS NOT NULL OR ordered_at_local IS NOT NULL),
    CHECK (rejected_quantity <= received_quantity),
    CHECK (received_quantity = 0 OR received_at IS NOT NULL OR received_at_local IS NOT NULL),
    CHECK (CAST(ordered_quantity AS double precision) * CAST(unit_cost_amount AS double precision) < 10000000000000)
);
