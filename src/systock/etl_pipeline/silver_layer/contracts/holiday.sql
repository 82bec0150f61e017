-- A public holiday of a country, or of a part of it.
-- history: corrections
CREATE TABLE silver.holiday (
    source_name  text        NOT NULL,                                  -- who publishes it
    country_code text        NOT NULL CHECK (length(country_code) = 2), -- ISO 3166-1 alpha-2
    region       text        NOT NULL DEFAULT '',                       -- the part of the country, as locations name it; '' = all of it
    holiday_date date        NOT NULL,                                  -- the day
    holiday_name text,                                                  -- its name
    updated_at   timestamptz,                                           -- when the publisher last changed it
    PRIMARY KEY (source_name, country_code, region, holiday_date)
);
