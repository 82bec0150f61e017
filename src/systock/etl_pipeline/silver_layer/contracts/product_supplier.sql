-- On what terms a supplier sells a product to us.
-- history: corrections
CREATE TABLE silver.product_supplier (
    source_name            text           NOT NULL,                            -- the source that states it
    product_source_name    text,                                               -- whose code product_id is; omitted: as codes_of says
    product_id             text           NOT NULL CHECK (product_id <> ''),   -- what
    supplier_source_name   text,                                               -- whose code supplier_id is; omitted: as codes_of says
    supplier_id            text           NOT NULL CHECK (supplier_id <> ''),  -- from whom
    unit_cost_amount       numeric(18, 6) CHECK (unit_cost_amount >= 0),       -- per unit, in currency_code
    currency_code          text           CHECK (length(currency_code) = 3),   -- ISO 4217; omitted: the project's currency
    unit                   text,                                               -- what the quantities are in; omitted: the product's base
                                                                               -- unit
    pack_quantity          numeric(18, 3) CHECK (pack_quantity > 0),           -- it is only sold in multiples of this
    minimum_order_quantity numeric(18, 3) CHECK (minimum_order_quantity >= 0), -- least that may be ordered
    agreed_lead_time_days  integer        CHECK (agreed_lead_time_days >= 0),  -- days from order to delivery, as agreed
    updated_at             timestamptz,                                        -- when the source last changed it
    PRIMARY KEY (source_name, product_id, supplier_id)
);
