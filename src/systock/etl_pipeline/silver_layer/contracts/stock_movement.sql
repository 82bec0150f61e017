-- One posting that added goods to a location or took them away, other than by a sale line of a source that moves stock.
-- history: corrections
CREATE TABLE silver.stock_movement (
    source_name          text           NOT NULL,                             -- the source whose document it is
    movement_id          text           NOT NULL CHECK (movement_id <> ''),   -- document and line
    location_source_name text,                                                -- whose code location_id is; omitted: as codes_of says
    location_id          text           NOT NULL CHECK (location_id <> ''),   -- where
    product_source_name  text,                                                -- whose code product_id is; omitted: as codes_of says
    product_id           text           NOT NULL CHECK (product_id <> ''),    -- what
    occurred_at          timestamptz,                                         -- the instant, where the source gives one
    occurred_at_local    timestamp,                                           -- else the location's wall clock
    movement_kind        text           NOT NULL CHECK (movement_kind IN (
        'opening', 'receipt', 'sale', 'customer_return', 'supplier_return', 'transfer_out', 'transfer_in',
        'adjustment', 'write_off', 'production_in', 'production_out', 'revaluation')), -- why
    quantity             numeric(18, 3) NOT NULL,                             -- signed, in unit: out is negative
    unit                 text,                                                -- omitted: the product's base unit
    unit_cost_amount     numeric(18, 6) CHECK (unit_cost_amount >= 0),        -- per unit, where known
    currency_code        text           CHECK (length(currency_code) = 3),    -- ISO 4217; omitted: the project's currency
    value_amount         numeric(18, 4) CHECK (abs(value_amount) < 10000000000000), -- what a revaluation adds to the goods of its document, else
                                                                          -- to all that is there
    stock_status         text           NOT NULL DEFAULT 'sellable'
        CHECK (stock_status IN ('sellable', 'damaged', 'hold')),              -- which stock it moves
    lot_id               text,                                                -- lot or batch of the goods
    expiry_date          date,                                                -- best before
    document_id          text,                                                -- the paper behind it
    transfer_id          text,                                                -- pairs transfer_out with transfer_in
    entered_at           timestamptz,                                         -- when it was first recorded, which no correction changes; omitted:
                                                                          -- not known
    updated_at           timestamptz,                                         -- when the source last changed it
    PRIMARY KEY (source_name, movement_id),
    CHECK (occurred_at IS NOT NULL OR occurred_at_local IS NOT NULL),
    CHECK (abs(CAST(quantity AS double precision) * CAST(unit_cost_amount AS double precision)) < 10000000000000),
    CHECK (CASE movement_kind
        WHEN 'receipt' THEN quantity >= 0
        WHEN 'transfer_in' THEN quantity >= 0
        WHEN 'production_in' THEN quantity >= 0
        WHEN 'transfer_out' THEN quantity <= 0
        WHEN 'production_out' THEN quantity <= 0
        WHEN 'write_off' THEN quantity <= 0
        WHEN 'revaluation' THEN quantity = 0 ELSE TRUE END),
    CHECK (abs(quantity) < 10000000),
    CHECK (value_amount IS NULL OR movement_kind = 'revaluation')
);
