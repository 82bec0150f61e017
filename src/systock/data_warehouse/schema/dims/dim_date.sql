-- A day of the calendar: the civil, the ISO and the retail (NRF 4-5-4) calendar side by side.
-- refresh: full
CREATE TABLE gold.dim_date (
    date_key                  date    PRIMARY KEY,  -- the business date itself
    calendar_year             integer NOT NULL,     -- civil year
    calendar_quarter          integer NOT NULL
        CHECK (calendar_quarter BETWEEN 1 AND 4),   -- civil quarter, 1 to 4
    calendar_month            integer NOT NULL
        CHECK (calendar_month BETWEEN 1 AND 12),    -- civil month, 1 to 12
    month_name                text    NOT NULL,     -- English name of the civil month
    month_start_date          date    NOT NULL,     -- first day of the civil month
    day_of_month              integer NOT NULL
        CHECK (day_of_month BETWEEN 1 AND 31),      -- 1 to 31
    day_of_year               integer NOT NULL
        CHECK (day_of_year BETWEEN 1 AND 366),      -- 1 to 366
    iso_year                  integer NOT NULL,     -- year of the ISO week
    iso_week                  integer NOT NULL
        CHECK (iso_week BETWEEN 1 AND 53),          -- ISO 8601 week, 1 to 53
    iso_day_of_week           integer NOT NULL
        CHECK (iso_day_of_week BETWEEN 1 AND 7),    -- Monday = 1 to Sunday = 7
    iso_week_start_date       date    NOT NULL,     -- Monday of the ISO week
    day_name                  text    NOT NULL,     -- English name of the weekday
    is_weekend                boolean NOT NULL,     -- Saturday or Sunday
    retail_year               integer NOT NULL,     -- retail year, named after the civil year its start month lies in
    retail_year_start_date    date    NOT NULL,     -- its first Sunday
    retail_weeks_in_year      integer NOT NULL
        CHECK (retail_weeks_in_year IN (52, 53)),   -- 52, or 53 in a leap-week year
    retail_quarter            integer NOT NULL
        CHECK (retail_quarter BETWEEN 1 AND 4),     -- 13 weeks each; week 53 belongs to the 4th
    retail_month              integer NOT NULL
        CHECK (retail_month BETWEEN 1 AND 12),      -- 4, 5, 4 weeks per quarter; week 53 belongs to the 12th
    retail_month_name         text    NOT NULL,     -- English name of the civil month it stands for
    retail_week               integer NOT NULL
        CHECK (retail_week BETWEEN 1 AND 53),       -- week of the retail year, Sunday to Saturday
    retail_day_of_week        integer NOT NULL
        CHECK (retail_day_of_week BETWEEN 1 AND 7), -- Sunday = 1 to Saturday = 7
    comparable_last_year_date date,                 -- day to compare with, 52 weeks before: after a 53-week year week w meets week w + 1
                                                    -- (NRF's restated calendar); NULL in week 53
    same_week_last_year_date  date                  -- same retail week number and weekday one retail year before, not shifted; NULL in week
                                                    -- 53
);

-- The retail year starts on the Sunday nearest to the first day of its start month, which lies in [-3, +3] days of it:
-- hence the last Sunday up to three days after. Years of 53 weeks come out of the distance to the next start.
-- Comparable days: 364 days back keeps the weekday and the season. In a year that follows a 52-week year that is the same
-- retail week; after a 53-week year it is one week later in the old numbering (week 1 against week 2, ..., week 52 against
-- week 53), as NRF restates it. Week 53 itself has no counterpart, so that 52 weeks are always compared with 52.
WITH calendar_day AS (
    SELECT spine.day AS date_key
    FROM meta.project AS project
    CROSS JOIN LATERAL date_spine(project.calendar_from_date, project.calendar_to_date) AS spine
),

year_start AS (
    SELECT
        spine.day AS month_start_date,
        add_days(spine.day, 3 - (iso_day_of_week(add_days(spine.day, 3)) % 7)) AS start_date
    FROM meta.project AS project
    CROSS JOIN LATERAL date_spine(
        add_days(project.calendar_from_date, -800), add_days(project.calendar_to_date, 800)
    ) AS spine
    WHERE EXTRACT(MONTH FROM spine.day) = project.retail_year_start_month AND EXTRACT(DAY FROM spine.day) = 1
),

retail_year AS (
    SELECT
        CAST(EXTRACT(YEAR FROM month_start_date) AS integer) AS retail_year,
        month_start_date,
        start_date,
        LAG(start_date) OVER (ORDER BY start_date) AS previous_start_date,
        LEAD(start_date) OVER (ORDER BY start_date) AS next_start_date
    FROM year_start
),

retail_day AS (
    SELECT
        calendar_day.date_key,
        retail_year.retail_year,
        retail_year.month_start_date,
        retail_year.start_date,
        retail_year.previous_start_date,
        date_diff(calendar_day.date_key, retail_year.start_date) AS days_into_year,
        int_div(date_diff(retail_year.next_start_date, retail_year.start_date), 7) AS weeks_in_year,
        int_div(date_diff(calendar_day.date_key, retail_year.start_date), 7) + 1 AS retail_week
    FROM calendar_day
    INNER JOIN retail_year
        ON calendar_day.date_key >= retail_year.start_date AND calendar_day.date_key < retail_year.next_start_date
),

retail_quarter AS (
    SELECT
        date_key,
        retail_year,
        month_start_date,
        start_date,
        previous_start_date,
        days_into_year,
        weeks_in_year,
        retail_week,
        LEAST(int_div(retail_week - 1, 13), 3) + 1 AS retail_quarter,
        retail_week - 13 * LEAST(int_div(retail_week - 1, 13), 3) AS week_of_quarter
    FROM retail_day
),

retail_month AS (
    SELECT
        date_key,
        retail_year,
        month_start_date,
        start_date,
        previous_start_date,
        days_into_year,
        weeks_in_year,
        retail_week,
        retail_quarter,
        3 * (retail_quarter - 1)
        + CASE WHEN week_of_quarter <= 4 THEN 1 WHEN week_of_quarter <= 9 THEN 2 ELSE 3 END AS retail_month
    FROM retail_quarter
)

SELECT
    date_key,
    CAST(EXTRACT(YEAR FROM date_key) AS integer) AS calendar_year,
    CAST(EXTRACT(QUARTER FROM date_key) AS integer) AS calendar_quarter,
    CAST(EXTRACT(MONTH FROM date_key) AS integer) AS calendar_month,
    month_name_en(date_key) AS month_name,
    add_days(date_key, 1 - CAST(EXTRACT(DAY FROM date_key) AS integer)) AS month_start_date,
    CAST(EXTRACT(DAY FROM date_key) AS integer) AS day_of_month,
    CAST(EXTRACT(DOY FROM date_key) AS integer) AS day_of_year,
    iso_year(date_key) AS iso_year,
    iso_week(date_key) AS iso_week,
    iso_day_of_week(date_key) AS iso_day_of_week,
    add_days(date_key, 1 - iso_day_of_week(date_key)) AS iso_week_start_date,
    day_name_en(date_key) AS day_name,
    iso_day_of_week(date_key) >= 6 AS is_weekend,
    retail_year,
    start_date AS retail_year_start_date,
    weeks_in_year AS retail_weeks_in_year,
    retail_quarter,
    retail_month,
    -- the middle of the n-th month after the start month: 30 days a month never drift out of it
    month_name_en(add_days(month_start_date, 30 * (retail_month - 1) + 14)) AS retail_month_name,
    retail_week,
    (iso_day_of_week(date_key) % 7) + 1 AS retail_day_of_week,
    CASE WHEN retail_week <= 52 THEN add_days(date_key, -364) END AS comparable_last_year_date,
    CASE
        WHEN add_days(previous_start_date, days_into_year) < start_date
            THEN add_days(previous_start_date, days_into_year)
    END AS same_week_last_year_date
FROM retail_month;
