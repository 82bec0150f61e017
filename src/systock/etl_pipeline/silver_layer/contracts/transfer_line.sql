-- One line of goods sent from one place to another, with what of it has arrived and what was lost.
-- history: corrections
CREATE TABLE silver.transfer_line (
    source_name          text           NOT NULL,                                -- the source whose document it is
    transfer_id          text           NOT NULL CHECK (transfer_id <> ''),      -- the transfer; as on stock_movement where that has it
    line_no              text           NOT NULL CHECK (line_no <> ''),          -- line within it
    location_source_name text,                                                   -- whose codes the two locations are; omitted: as codes_of
                                                                                 -- says
    from_location_id     text           NOT NULL CHECK (from_location_id <> ''), -- where it left
    to_location_id       text           NOT NULL CHECK (to_location_id <> ''),   -- where it goes
    product_source_name  text,                                                   -- whose code product_id is; omitted: as codes_of says
    product_id           text           NOT NULL CHECK (product_id <> ''),       -- what
    shipped_at           timestamptz,                                            -- the instant it left, where the source gives one
    shipped_at_local     timestamp,                                              -- else the wall clock of from_location_id
    received_at          timestamptz,                                            -- the instant the last of it arrived
    received_at_local    timestamp,                                              -- else the wall clock of to_location_id
    shipped_quantity     numeric(18, 3) NOT NULL
        CHECK (shipped_quantity >= 0 AND shipped_quantity < 10000000),           -- in unit
    received_quantity    numeric(18, 3) NOT NULL DEFAULT 0
        CHECK (received_quantity >= 0 AND received_quantity < 10000000),         -- arrived so far, in unit; more than shipped is a surplus
    lost_quantity        numeric(18, 3) NOT NULL DEFAULT 0
        CHECK (lost_quantity >= 0 AND lost_quantity < 10000000),                 -- given up on, in unit
    unit                 text,                                                   -- omitted: the product's base unit
    status               text,                                                   -- the source's own status
    carrier              text,                                                   -- who carries it
    updated_at           timestamptz,                                            -- when the source last changed it
    PRIMARY KEY (source_name, transfer_id, line_no),
    CHECK (shipped_at IS NOT NULL OR shipped_at_local IS NOT NULL)
);
