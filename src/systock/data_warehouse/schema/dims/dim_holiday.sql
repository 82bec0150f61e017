-- A public holiday: a day of the calendar in a country, or in a part of it.
-- refresh: by key
CREATE TABLE gold.dim_holiday (
    country_code text NOT NULL,              -- ISO 3166-1 alpha-2, as gold.dim_location has it
    region       text NOT NULL,              -- the part of the country, as gold.dim_location has it; '' = all of it
    date_key     date NOT NULL
        REFERENCES gold.dim_date (date_key), -- the day
    holiday_name text,                       -- its name; of several the first
    PRIMARY KEY (country_code, region, date_key)
);

-- Days outside the calendar are not here, as they are not in gold.dim_date.
SELECT
    holiday.country_code,
    holiday.region,
    holiday.holiday_date AS date_key,
    MIN(holiday.holiday_name) AS holiday_name
FROM silver.holiday AS holiday
CROSS JOIN meta.project AS project
WHERE holiday.holiday_date BETWEEN project.calendar_from_date AND project.calendar_to_date
GROUP BY holiday.country_code, holiday.region, holiday.holiday_date;
