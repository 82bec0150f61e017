-- A place's business day whose sales are no longer what a snapshot first reported of it: then, now, and how many lines made the difference.
-- refresh: view
CREATE TABLE serve.restatements (
    location_durable_key           bigint         NOT NULL, -- hash of the location's source and id
    business_date                  date           NOT NULL, -- local day
    location_id                    text           NOT NULL, -- where it was sold
    first_snapshot_no              bigint         NOT NULL, -- the snapshot that first reported the day, after its end there
    first_as_of_at                 timestamptz    NOT NULL, -- the instant that this snapshot tells of
    first_known_at                 timestamptz,             -- what was known then
    first_reporting_net_amount     numeric(18, 4) NOT NULL, -- net sales as first reported, tax excluded, in the project's currency
    reporting_net_amount           numeric(18, 4) NOT NULL, -- net sales as known now
    restated_reporting_net_amount  numeric(18, 4) NOT NULL, -- now - first reported
    first_net_units                numeric(18, 3) NOT NULL, -- sold - returned as first reported
    net_units                      numeric(18, 3) NOT NULL, -- sold - returned as known now
    restated_net_units             numeric(18, 3) NOT NULL, -- now - first reported
    late_lines                     bigint         NOT NULL, -- sale lines of the day that first came after that report
    corrected_lines                bigint         NOT NULL, -- sale lines of the day that another version replaced after it
    withdrawn_lines                bigint         NOT NULL, -- of these, lines that no longer count there: voided, cancelled, marked as
                                                            -- test, removed, or moved to another day or place
    PRIMARY KEY (location_durable_key, business_date)
);

-- A day is first reported by the first snapshot that holds it as one that had ended. The documents: serve.restated_line. What no
-- document of the day caused (an exchange rate, a unit, a place's zone that came late) is in the difference and in no line count.
WITH first_report AS (
    SELECT
        change.location_durable_key,
        change.business_date,
        MIN(change.snapshot_no) AS snapshot_no
    FROM snapshot.sales_state__changes AS change
    WHERE change.is_day_over AND NOT change.is_removed
    GROUP BY change.location_durable_key, change.business_date
),

reported AS (
    SELECT
        change.location_durable_key,
        change.business_date,
        change.location_id,
        change.snapshot_no,
        taken.as_of,
        taken.known_at,
        change.net_amount,
        change.net_units
    FROM first_report
    INNER JOIN snapshot.sales_state__changes AS change
        ON change.location_durable_key = first_report.location_durable_key
        AND change.business_date = first_report.business_date
        AND change.snapshot_no = first_report.snapshot_no
    INNER JOIN snapshot.taken AS taken
        ON taken.snapshot_no = first_report.snapshot_no
        AND taken.kind = 'sales_state'
    WHERE NOT change.is_removed
),

current_day AS (
    SELECT
        location_durable_key,
        business_date,
        reporting_net_amount AS net_amount,
        net_units
    FROM gold.fact_store_day
),

cause AS (
    SELECT
        location_durable_key,
        business_date,
        SUM(CASE WHEN restatement_kind = 'late' THEN 1 ELSE 0 END) AS late_lines,
        SUM(CASE WHEN restatement_kind <> 'late' THEN 1 ELSE 0 END) AS corrected_lines,
        SUM(CASE WHEN restatement_kind IN ('withdrawn', 'moved') THEN 1 ELSE 0 END) AS withdrawn_lines
    FROM serve.restated_line
    GROUP BY location_durable_key, business_date
)

SELECT
    reported.location_durable_key,
    reported.business_date,
    reported.location_id,
    reported.snapshot_no AS first_snapshot_no,
    reported.as_of AS first_as_of_at,
    reported.known_at AS first_known_at,
    reported.net_amount AS first_reporting_net_amount,
    COALESCE(current_day.net_amount, 0) AS reporting_net_amount,
    COALESCE(current_day.net_amount, 0) - reported.net_amount AS restated_reporting_net_amount,
    reported.net_units AS first_net_units,
    COALESCE(current_day.net_units, 0) AS net_units,
    COALESCE(current_day.net_units, 0) - reported.net_units AS restated_net_units,
    CAST(COALESCE(cause.late_lines, 0) AS bigint) AS late_lines,
    CAST(COALESCE(cause.corrected_lines, 0) AS bigint) AS corrected_lines,
    CAST(COALESCE(cause.withdrawn_lines, 0) AS bigint) AS withdrawn_lines
FROM reported
LEFT JOIN current_day
    ON current_day.location_durable_key = reported.location_durable_key
    AND current_day.business_date = reported.business_date
LEFT JOIN cause
    ON cause.location_durable_key = reported.location_durable_key
    AND cause.business_date = reported.business_date
WHERE COALESCE(current_day.net_amount, 0) <> reported.net_amount
    OR COALESCE(current_day.net_units, 0) <> reported.net_units;
