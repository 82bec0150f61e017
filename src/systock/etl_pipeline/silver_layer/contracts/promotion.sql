-- A promotion for one product at one place; '' stands for every product and for every place.
-- history: corrections
CREATE TABLE silver.promotion (
    source_name          text        NOT NULL,                            -- the source whose code promotion_id is
    promotion_id         text        NOT NULL CHECK (promotion_id <> ''), -- the source's own code
    product_source_name  text,                                            -- whose code product_id is; omitted: as codes_of says
    product_id           text        NOT NULL DEFAULT '',                 -- what it covers; '' = every product
    location_source_name text,                                            -- whose code location_id is; omitted: as codes_of says
    location_id          text        NOT NULL DEFAULT '',                 -- where; '' = everywhere
    promotion_name       text,                                            -- name
    mechanic             text,                                            -- percent off, two for one, ...
    from_date            date        NOT NULL,                            -- first day
    to_date              date,                                            -- the day after the last one; omitted: open
    updated_at           timestamptz,                                     -- when the source last changed it
    PRIMARY KEY (source_name, promotion_id, product_id, location_id),
    CHECK (to_date > from_date)
);
