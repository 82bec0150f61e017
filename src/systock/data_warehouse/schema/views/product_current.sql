-- Each article as last described, deleted ones too: one row per durable key, the unknown member left out.
-- refresh: view
CREATE TABLE serve.product_current (
    product_durable_key  bigint         PRIMARY KEY, -- hash of source and product: what facts join on
    product_key          bigint         NOT NULL,    -- key of the version shown
    source_name          text           NOT NULL,    -- the source whose code product_id is
    product_id           text           NOT NULL,    -- the source's own code
    sku                  text,                       -- stock keeping unit, as printed on labels
    gtin                 text,                       -- GS1 article number (EAN, UPC)
    product_name         text,                       -- name in the source's language
    brand                text,                       -- brand name
    category_1           text,                       -- category path, top level
    category_2           text,                       -- category path, second level
    category_3           text,                       -- category path, third level
    category_4           text,                       -- category path, fourth level
    parent_product_id    text,                       -- the style that this is a variant of
    size                 text,                       -- variant size
    colour               text,                       -- variant colour
    supplier_id          text,                       -- main supplier, in the code of source_name
    base_unit            text,                       -- the unit that stock is kept in; NULL = not stated
    list_price_amount    numeric(18, 4),             -- per base unit, in currency_code
    standard_cost_amount numeric(18, 6),             -- per base unit, in currency_code
    currency_code        text           NOT NULL,    -- ISO 4217; where the source omits it, the project's
    is_stocked           boolean        NOT NULL,    -- false for services and fees
    status               text,                       -- the source's life-cycle status
    launched_date        date,                       -- first day on sale
    discontinued_date    date,                       -- last day on sale
    valid_from_at        timestamptz    NOT NULL,    -- from when this description holds; the first one from 1900-01-01
    is_deleted           boolean        NOT NULL     -- the source no longer lists the article; shown as last described
);

SELECT
    product_durable_key,
    product_key,
    source_name,
    product_id,
    sku,
    gtin,
    product_name,
    brand,
    category_1,
    category_2,
    category_3,
    category_4,
    parent_product_id,
    size,
    colour,
    supplier_id,
    base_unit,
    list_price_amount,
    standard_cost_amount,
    currency_code,
    is_stocked,
    status,
    launched_date,
    discontinued_date,
    valid_from_at,
    NOT is_current AS is_deleted
FROM gold.dim_product
WHERE is_latest AND product_key <> 0;
