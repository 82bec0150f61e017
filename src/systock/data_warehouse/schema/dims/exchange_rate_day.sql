-- What one unit of a currency is worth in the project's currency on a day: the latest rate published on or before it.
-- refresh: by key
CREATE TABLE gold.exchange_rate_day (
    currency_code  text           NOT NULL,                           -- ISO 4217, other than the project's
    rate_date      date           NOT NULL,                           -- business date that the rate is used on
    exchange_rate  numeric(18, 8) NOT NULL CHECK (exchange_rate > 0), -- project currency per one unit of currency_code
    published_date date           NOT NULL,                           -- the day the rate was published for
    is_inverse     boolean        NOT NULL,                           -- 1 / rate of a quotation the other way round
    PRIMARY KEY (currency_code, rate_date)
);

-- A quotation from the project's currency is inverted. Of several for one pair and day, the direct one wins, then the
-- first publisher by name: the last in the order below, since the others span no day.
WITH quotation AS (
    SELECT
        CASE
            WHEN rate.to_currency_code = project.currency_code THEN rate.from_currency_code
            ELSE rate.to_currency_code
        END AS currency_code,
        rate.rate_date AS published_date,
        rate.source_name,
        rate.to_currency_code <> project.currency_code AS is_inverse,
        CASE
            WHEN rate.to_currency_code = project.currency_code THEN rate.rate
            ELSE CAST(safe_div(1, rate.rate, 8) AS numeric(18, 8))
        END AS exchange_rate,
        project.calendar_from_date,
        project.calendar_to_date
    FROM silver.exchange_rate AS rate
    CROSS JOIN meta.project AS project
    WHERE rate.from_currency_code <> rate.to_currency_code
        AND (rate.to_currency_code = project.currency_code OR rate.from_currency_code = project.currency_code)
),

span AS (
    SELECT
        currency_code,
        published_date,
        is_inverse,
        exchange_rate,
        calendar_from_date,
        calendar_to_date,
        LEAD(published_date) OVER (
            PARTITION BY currency_code ORDER BY published_date, is_inverse DESC, source_name DESC
        ) AS next_published_date
    FROM quotation
    WHERE exchange_rate > 0
)

SELECT
    span.currency_code,
    spine.day AS rate_date,
    span.exchange_rate,
    span.published_date,
    span.is_inverse
FROM span
CROSS JOIN LATERAL date_spine(
    GREATEST(span.published_date, span.calendar_from_date),
    LEAST(COALESCE(add_days(span.next_published_date, -1), span.calendar_to_date), span.calendar_to_date)
) AS spine;
