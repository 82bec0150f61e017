-- What a place knows of one of its business days beside the receipts: opening hours, footfall, labour, target.
-- history: corrections
CREATE TABLE silver.store_day (
    source_name          text           NOT NULL,                           -- the source that states it
    location_source_name text,                                              -- whose code location_id is; omitted: as codes_of says
    location_id          text           NOT NULL CHECK (location_id <> ''), -- where
    business_date        date           NOT NULL,                           -- the location's business day
    opened_time          time,                                              -- wall clock at which it opened
    closed_time          time,                                              -- wall clock at which it closed; not after opened_time: on the
                                                                            -- next day
    visitors             bigint
        CHECK (visitors >= 0 AND visitors < 10000000),                      -- people who came in: the footfall
    labour_hours         numeric(18, 3)
        CHECK (labour_hours >= 0 AND labour_hours < 10000000),              -- hours worked
    target_amount        numeric(18, 4)
        CHECK (target_amount >= 0 AND target_amount < 10000000000000),      -- net sales aimed at, without tax
    currency_code        text           CHECK (length(currency_code) = 3),  -- ISO 4217 of the target; omitted: the project's currency
    updated_at           timestamptz,                                       -- when the source last changed it
    PRIMARY KEY (source_name, location_id, business_date)
);
