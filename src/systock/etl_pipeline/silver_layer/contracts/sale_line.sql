-- One line of a receipt, invoice or web order that was fulfilled, returned or cancelled.
-- history: corrections
CREATE TABLE silver.sale_line (
    source_name                    text           NOT NULL,                             -- the source whose receipt it is
    sale_id                        text           NOT NULL CHECK (sale_id <> ''),       -- receipt or invoice
    line_no                        text           NOT NULL CHECK (line_no <> ''),       -- line within it
    location_source_name           text,                                                -- whose code location_id is; omitted: as codes_of says
    location_id                    text           NOT NULL,                             -- where it was sold
    fulfilled_from_location_id     text,                                                -- where the goods came from; omitted: location_id
    product_source_name            text,                                                -- whose code product_id is; omitted: as codes_of says
    product_id                     text           NOT NULL CHECK (product_id <> ''),    -- what was sold
    customer_id                    text,                                                -- who bought, where known
    sold_at                        timestamptz,                                         -- the instant, where the source gives one
    sold_at_local                  timestamp,                                           -- else the location's wall clock
    sale_kind                      text           NOT NULL DEFAULT 'sale'
        CHECK (sale_kind IN ('sale', 'return', 'exchange', 'cancellation')),            -- what happened
    is_test                        boolean        NOT NULL DEFAULT FALSE,               -- a training or test receipt: kept, never counted
    is_void                        boolean        NOT NULL DEFAULT FALSE,               -- voided at the till: kept, never counted
    quantity                       numeric(18, 3) NOT NULL,                             -- signed, in unit: returns are negative
    unit                           text,                                                -- omitted: the product's base unit
    unit_price_amount              numeric(18, 6) NOT NULL,                             -- list or shelf price per unit, before discount
    price_includes_tax             boolean        NOT NULL DEFAULT FALSE,               -- does unit_price_amount hold the tax?
    discount_amount                numeric(18, 4) NOT NULL DEFAULT 0,                   -- of the whole line, same sign as quantity, taxed like the price
    tax_amount                     numeric(18, 4) NOT NULL DEFAULT 0,                   -- of the whole line, same sign as quantity
    currency_code                  text           CHECK (length(currency_code) = 3),    -- ISO 4217; omitted: the project's currency
    channel                        text,                                                -- store, online, phone, ...; omitted: by the location's type
    promotion_id                   text,                                                -- promotion applied
    original_sale_id               text,                                                -- of a return: the receipt it comes from
    original_line_no               text,                                                -- of a return: the line it comes from
    employee_id                    text,                                                -- who sold it
    entered_at                     timestamptz,                                         -- when it was first recorded, which no correction
                                                                                        -- changes; omitted: not known
    updated_at                     timestamptz,                                         -- when the source last changed it
    PRIMARY KEY (source_name, sale_id, line_no),
    CHECK (sold_at IS NOT NULL OR sold_at_local IS NOT NULL),
    CHECK (abs(CAST(quantity AS double precision) * CAST(unit_price_amount AS double precision)) < 10000000000000),
    CHECK (abs(quantity) < 10000000),
    CHECK (abs(discount_amount) < 10000000000000),
    CHECK (abs(tax_amount) < 10000000000000),
    CHECK (sale_kind <> 'return' OR quantity <= 0),
    CHECK (tax_amount = 0 OR unit_price_amount < 0 OR (quantity < 0) = (tax_amount < 0))
);
