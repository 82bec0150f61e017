-- That a place ranges a product for some days. Where a place has any, these rows are its whole range.
-- history: corrections
CREATE TABLE silver.assortment (
    source_name          text        NOT NULL,                           -- the source that states it
    location_source_name text,                                           -- whose code location_id is; omitted: as codes_of says
    location_id          text        NOT NULL CHECK (location_id <> ''), -- where
    product_source_name  text,                                           -- whose code product_id is; omitted: as codes_of says
    product_id           text        NOT NULL CHECK (product_id <> ''),  -- what
    from_date            date        NOT NULL,                           -- first ranged day
    to_date              date,                                           -- the day after the last ranged one; omitted: still ranged
    updated_at           timestamptz,                                    -- when the source last changed it
    PRIMARY KEY (source_name, location_id, product_id, from_date),
    CHECK (to_date > from_date)
);
