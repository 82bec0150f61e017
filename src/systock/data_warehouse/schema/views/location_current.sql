-- Each place as last described, deleted ones too: one row per durable key, the unknown member left out.
-- refresh: view
CREATE TABLE serve.location_current (
    location_durable_key bigint         PRIMARY KEY, -- hash of source and location: what facts join on
    location_key         bigint         NOT NULL,    -- key of the version shown
    source_name          text           NOT NULL,    -- the source whose code location_id is
    location_id          text           NOT NULL,    -- the source's own code
    location_name        text,                       -- name
    location_type        text           NOT NULL,    -- what kind of place
    region               text,                       -- sales region
    city                 text,                       -- city
    country_code         text,                       -- ISO 3166-1 alpha-2
    timezone             text           NOT NULL,    -- IANA zone; where the source omits it, the project's
    is_timezone_known    boolean        NOT NULL,    -- did the source state a zone that exists?
    business_day_cutover time           NOT NULL,    -- local time at which the business day begins
    currency_code        text           NOT NULL,    -- ISO 4217; where the source omits it, the project's
    opened_date          date,                       -- first trading day
    closed_date          date,                       -- last trading day
    floor_area_m2        numeric(18, 3),             -- selling area in square metres
    valid_from_at        timestamptz    NOT NULL,    -- from when this description holds; the first one from 1900-01-01
    is_deleted           boolean        NOT NULL     -- the source no longer lists the place; shown as last described
);

SELECT
    location_durable_key,
    location_key,
    source_name,
    location_id,
    location_name,
    location_type,
    region,
    city,
    country_code,
    timezone,
    is_timezone_known,
    business_day_cutover,
    currency_code,
    opened_date,
    closed_date,
    floor_area_m2,
    valid_from_at,
    NOT is_current AS is_deleted
FROM gold.dim_location
WHERE is_latest AND location_key <> 0;
