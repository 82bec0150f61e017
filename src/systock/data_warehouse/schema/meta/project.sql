-- The project's settings that figures depend on: one row.
-- refresh: build
CREATE TABLE meta.project (
    project_name            text    PRIMARY KEY, -- name of the project
    currency_code           text    NOT NULL,    -- ISO 4217: the currency of all reporting amounts
    timezone                text    NOT NULL,    -- IANA zone where a location states none
    business_day_cutover    time    NOT NULL,    -- local time at which the business day begins where a location states none
    retail_year_start_month integer NOT NULL,    -- month in which the 4-5-4 year begins
    cost_method             text    NOT NULL,    -- what stock is valued at: moving_average, fifo or standard
    calendar_from_date      date    NOT NULL,    -- first day of the calendar
    calendar_to_date        date    NOT NULL     -- last day of the calendar
);
