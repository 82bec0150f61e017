-- An article that is sold, bought or stocked, as its source described it from one instant on.
-- history: valid time
CREATE TABLE silver.product (
    source_name          text           NOT NULL,                                       -- the source whose code product_id is
    product_id           text           NOT NULL CHECK (product_id <> ''),              -- the source's own code
    sku                  text,                                                          -- stock keeping unit, as printed on labels
    gtin                 text,                                                          -- GS1 article number (EAN, UPC)
    product_name         text,                                                          -- name in the source's language
    brand                text,                                                          -- brand name
    category_1           text,                                                          -- category path, top level
    category_2           text,                                                          -- category path, second level
    category_3           text,                                                          -- category path, third level
    category_4           text,                                                          -- category path, fourth level
    parent_product_id    text,                                                          -- the style that this is a variant of
    size                 text,                                                          -- variant size
    colour               text,                                                          -- variant colour
    supplier_id          text,                                                          -- main supplier
    base_unit            text,                                                          -- the unit that stock is kept in
    list_price_amount    numeric(18, 4) CHECK (list_price_amount >= 0),                 -- per base unit, in currency_code
    standard_cost_amount numeric(18, 6) CHECK (standard_cost_amount >= 0),              -- per base unit, in currency_code
    currency_code        text           CHECK (length(currency_code) = 3),              -- ISO 4217; omitted: the project's currency
    is_stocked           boolean        NOT NULL DEFAULT TRUE,                          -- false for services and fees
    status               text,                                                          -- the source's life-cycle status
    launched_date        date,                                                          -- first day on sale
    discontinued_date    date,                                                          -- last day on sale
    updated_at           timestamptz,                                                   -- when the source made this version
    PRIMARY KEY (source_name, product_id)
);
