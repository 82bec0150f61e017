-- What a product costs the customer for some days, at a place or by a price list.
-- history: corrections
CREATE TABLE silver.price (
    source_name          text           NOT NULL,                           -- the source that states it
    product_source_name  text,                                              -- whose code product_id is; omitted: as codes_of says
    product_id           text           NOT NULL CHECK (product_id <> ''),  -- what
    location_source_name text,                                              -- whose code location_id is; omitted: as codes_of says
    location_id          text           NOT NULL DEFAULT '',                -- where; '' = wherever the price list holds
    price_list           text           NOT NULL DEFAULT '',                -- name of the price list; '' = none
    from_date            date           NOT NULL,                           -- first day
    to_date              date,                                              -- the day after the last one; omitted: until the next price
    price_amount         numeric(18, 6) NOT NULL CHECK (price_amount >= 0), -- per unit
    unit                 text,                                              -- omitted: the product's base unit
    price_includes_tax   boolean        NOT NULL DEFAULT FALSE,             -- does price_amount hold the tax?
    currency_code        text           CHECK (length(currency_code) = 3),  -- ISO 4217; omitted: the project's currency
    updated_at           timestamptz,                                       -- when the source last changed it
    PRIMARY KEY (source_name, product_id, location_id, price_list, from_date),
    CHECK (to_date > from_date)
);
