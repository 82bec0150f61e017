-- How well the book agreed with what was counted by hand at a place on a business day, and what explains the difference.
-- refresh: view
CREATE TABLE serve.count_accuracy (
    location_durable_key    bigint         NOT NULL, -- hash of the location's source and id
    business_date           date           NOT NULL, -- day of the counts
    location_id             text           NOT NULL, -- where
    location_name           text,                    -- its last known name
    count_lines             bigint         NOT NULL, -- physical counts; levels that systems state are left out
    known_lines             bigint         NOT NULL, -- counts before which the book was known: all that follows is of these
    accurate_lines          bigint         NOT NULL, -- found was what the book said by the documents entered until then
    accuracy_ratio          numeric(18, 4),          -- accurate_lines / known_lines
    known_accurate_lines    bigint         NOT NULL, -- found is what the book says today
    known_accuracy_ratio    numeric(18, 4),          -- known_accurate_lines / known_lines
    book_units              numeric(18, 3),          -- what the book says today, in base units
    missing_units           numeric(18, 3),          -- sum of what was less than that, positive
    surplus_units           numeric(18, 3),          -- sum of what was more than that
    variance_at_count_units numeric(18, 3),          -- what was seen at the shelf, losses and gains together: sum of the five parts
    late_posting_units      numeric(18, 3),          -- of it: documents entered after the count
    in_transit_units        numeric(18, 3),          -- of it: goods on their way
    unit_error_units        numeric(18, 3),          -- of it: read in another unit
    unposted_return_units   numeric(18, 3),          -- of it: goods brought back and not posted
    unexplained_units       numeric(18, 3),          -- of it: the rest
    PRIMARY KEY (location_durable_key, business_date)
);

-- The parts and their rules are those of gold.stock_count_explanation.
WITH day AS (
    SELECT
        location_durable_key,
        business_date,
        MIN(location_id) AS location_id,
        COUNT(*) AS count_lines,
        COUNT(variance_units) AS known_lines,
        SUM(CASE WHEN variance_at_count_units = 0 THEN 1 ELSE 0 END) AS accurate_lines,
        SUM(CASE WHEN variance_units = 0 THEN 1 ELSE 0 END) AS known_accurate_lines,
        SUM(book_units) AS book_units,
        SUM(GREATEST(-variance_units, 0)) AS missing_units,
        SUM(GREATEST(variance_units, 0)) AS surplus_units,
        SUM(variance_at_count_units) AS variance_at_count_units,
        SUM(late_posting_units) AS late_posting_units,
        SUM(in_transit_units) AS in_transit_units,
        SUM(unit_error_units) AS unit_error_units,
        SUM(unposted_return_units) AS unposted_return_units,
        SUM(unexplained_units) AS unexplained_units
    FROM gold.fact_stock_count
    WHERE count_kind = 'physical'
    GROUP BY location_durable_key, business_date
)

SELECT
    day.location_durable_key,
    day.business_date,
    day.location_id,
    place.location_name,
    CAST(day.count_lines AS bigint) AS count_lines,
    CAST(day.known_lines AS bigint) AS known_lines,
    CAST(day.accurate_lines AS bigint) AS accurate_lines,
    safe_div(day.accurate_lines, day.known_lines, 4) AS accuracy_ratio,
    CAST(day.known_accurate_lines AS bigint) AS known_accurate_lines,
    safe_div(day.known_accurate_lines, day.known_lines, 4) AS known_accuracy_ratio,
    CAST(day.book_units AS numeric(18, 3)) AS book_units,
    CAST(day.missing_units AS numeric(18, 3)) AS missing_units,
    CAST(day.surplus_units AS numeric(18, 3)) AS surplus_units,
    CAST(day.variance_at_count_units AS numeric(18, 3)) AS variance_at_count_units,
    CAST(day.late_posting_units AS numeric(18, 3)) AS late_posting_units,
    CAST(day.in_transit_units AS numeric(18, 3)) AS in_transit_units,
    CAST(day.unit_error_units AS numeric(18, 3)) AS unit_error_units,
    CAST(day.unposted_return_units AS numeric(18, 3)) AS unposted_return_units,
    CAST(day.unexplained_units AS numeric(18, 3)) AS unexplained_units
FROM day
LEFT JOIN serve.location_current AS place
    ON place.location_durable_key = day.location_durable_key;
