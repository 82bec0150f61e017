-- How many base units one other unit of a product holds (a case, a dozen).
-- history: corrections
CREATE TABLE silver.product_unit (
    source_name  text           NOT NULL,                              -- the source whose code product_id is
    product_id   text           NOT NULL CHECK (product_id <> ''),     -- the source's own code
    unit         text           NOT NULL CHECK (unit <> ''),           -- name of the unit
    base_units   numeric(18, 6) NOT NULL CHECK (base_units > 0),       -- base units in one unit
    barcode      text,                                                 -- barcode of this pack
    updated_at   timestamptz,                                          -- when the source last changed it
    PRIMARY KEY (source_name, product_id, unit)
);
