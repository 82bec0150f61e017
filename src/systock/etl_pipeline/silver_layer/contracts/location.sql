-- A place that sells or keeps stock, as its source described it from one instant on.
-- history: valid time
CREATE TABLE silver.location (
    source_name          text           NOT NULL,                                       -- the source whose code location_id is
    location_id          text           NOT NULL CHECK (location_id <> ''),             -- the source's own code
    location_name        text,                                                          -- name
    location_type        text           NOT NULL DEFAULT 'store'
        CHECK (location_type IN ('store', 'warehouse', 'online', 'transit', 'virtual')), -- what kind of place
    region               text,                                                          -- sales region
    city                 text,                                                          -- city
    country_code         text           CHECK (length(country_code) = 2),               -- ISO 3166-1 alpha-2
    timezone             text,                                                          -- IANA zone; omitted: the project's zone
    business_day_cutover time,                                                          -- local time at which the business day begins; omitted: the project's
    currency_code        text           CHECK (length(currency_code) = 3),              -- ISO 4217; omitted: the project's currency
    opened_date          date,                                                          -- first trading day
    closed_date          date,                                                          -- last trading day
    floor_area_m2        numeric(18, 3) CHECK (floor_area_m2 >= 0),                     -- selling area in square metres
    updated_at           timestamptz,                                                   -- when the source made this version
    PRIMARY KEY (source_name, location_id)
);
