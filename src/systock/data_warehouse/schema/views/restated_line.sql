-- A sale line that came, changed or ceased to count after a snapshot had first reported its business day.
-- refresh: view
CREATE TABLE serve.restated_line (
    sale_line_key              uuid           NOT NULL, -- hash of source, sale and line: its row in gold.fact_sale_line, if it has one
    source_name                text           NOT NULL, -- the source whose receipt it is
    sale_id                    text           NOT NULL, -- receipt or invoice
    line_no                    text           NOT NULL, -- line within it
    location_durable_key       bigint         NOT NULL, -- hash of the location's source and id
    location_id                text           NOT NULL, -- where it was sold
    business_date              date           NOT NULL, -- local day that was reported
    restatement_kind           text           NOT NULL, -- late: first came after the report; corrected: replaced after it; withdrawn: no
                                                        -- longer counts; moved: counts on another day or at another place instead
    first_snapshot_no          bigint         NOT NULL, -- the snapshot that first reported the day, after its end there
    known_from_at              timestamptz    NOT NULL, -- when that became known
    first_reporting_net_amount numeric(18, 4),          -- what it added to the day as known then; NULL = from before
                                                        -- meta.progress.history_from_at
    reporting_net_amount       numeric(18, 4) NOT NULL, -- what it adds to the day now, tax excluded, in the project's currency
    PRIMARY KEY (sale_line_key, location_durable_key, business_date)
);

-- What the source moved to another day or place, or removed, is told by the version that was believed at the report, dated by what is
-- known of its place today. A line that came from another day is a corrected one of its new day. What did not change has the kind NULL
-- and is left out last: as a condition of the join it would have engines compare every line with every report.
WITH reported AS (
    SELECT
        change.location_durable_key,
        change.business_date,
        MIN(change.snapshot_no) AS snapshot_no
    FROM snapshot.sales_state__changes AS change
    WHERE change.is_day_over AND NOT change.is_removed
    GROUP BY change.location_durable_key, change.business_date
),

report AS (
    SELECT
        reported.location_durable_key,
        reported.business_date,
        reported.snapshot_no,
        taken.known_at
    FROM reported
    INNER JOIN snapshot.taken AS taken
        ON taken.snapshot_no = reported.snapshot_no
        AND taken.kind = 'sales_state'
),

known_line AS (
    SELECT
        version.source_name,
        version.sale_id,
        version.line_no,
        MIN(version.known_from_at) AS first_known_at,
        MAX(version.known_from_at) AS known_from_at
    FROM silver.sale_line__versions AS version
    GROUP BY version.source_name, version.sale_id, version.line_no
),

changed_line AS (
    SELECT
        line.sale_line_key,
        line.source_name,
        line.sale_id,
        line.line_no,
        line.location_durable_key,
        line.location_id,
        line.business_date,
        CASE
            WHEN known_line.known_from_at <= report.known_at THEN NULL
            WHEN known_line.first_known_at <= report.known_at AND NOT line.is_counted THEN 'withdrawn'
            WHEN known_line.first_known_at <= report.known_at THEN 'corrected'
            WHEN line.is_counted THEN 'late'
        END AS restatement_kind,
        report.snapshot_no,
        report.known_at,
        known_line.known_from_at,
        CASE WHEN line.is_counted THEN line.reporting_net_amount ELSE 0 END AS reporting_net_amount
    FROM report
    INNER JOIN gold.fact_sale_line AS line
        ON line.location_durable_key = report.location_durable_key
        AND line.business_date = report.business_date
    INNER JOIN known_line
        ON known_line.source_name = line.source_name
        AND known_line.sale_id = line.sale_id
        AND known_line.line_no = line.line_no
),

replaced_version AS (
    SELECT
        version.source_name,
        version.sale_id,
        version.line_no,
        version.location_source_name,
        version.location_id,
        COALESCE(
            version.sold_at, local_to_utc(version.sold_at_local, COALESCE(place.timezone, project.timezone))
        ) AS sold_at,
        version.known_from_at,
        version.known_to_at,
        project.timezone AS project_timezone,
        project.business_day_cutover AS project_cutover
    FROM silver.sale_line__versions AS version
    CROSS JOIN meta.project AS project
    LEFT JOIN gold.dim_location AS place
        ON place.source_name = version.location_source_name
        AND place.location_id = version.location_id
        AND place.is_latest
    WHERE version.known_to_at < TIMESTAMPTZ '9999-12-31 00:00:00+00'
        AND NOT version.is_deleted AND NOT version.is_test AND NOT version.is_void
        AND version.sale_kind <> 'cancellation'
),

dated_version AS (
    SELECT
        version.source_name,
        version.sale_id,
        version.line_no,
        COALESCE(
            place.location_durable_key, dim_key(version.location_source_name, version.location_id)
        ) AS location_durable_key,
        version.location_id,
        business_date(
            version.sold_at,
            COALESCE(place.timezone, version.project_timezone),
            COALESCE(place.business_day_cutover, version.project_cutover)
        ) AS business_date,
        version.known_from_at,
        version.known_to_at
    FROM replaced_version AS version
    LEFT JOIN gold.dim_location AS place
        ON place.source_name = version.location_source_name
        AND place.location_id = version.location_id
        AND place.valid_from_at <= version.sold_at
        AND place.superseded_at > version.sold_at
),

gone_line AS (
    SELECT
        fact_key(version.source_name, version.sale_id, version.line_no) AS sale_line_key,
        version.source_name,
        version.sale_id,
        version.line_no,
        version.location_durable_key,
        version.location_id,
        version.business_date,
        CASE WHEN COALESCE(line.is_counted, FALSE) THEN 'moved' ELSE 'withdrawn' END AS restatement_kind,
        report.snapshot_no,
        report.known_at,
        version.known_to_at AS known_from_at,
        CAST(0 AS numeric(18, 4)) AS reporting_net_amount
    FROM report
    INNER JOIN dated_version AS version
        ON version.location_durable_key = report.location_durable_key
        AND version.business_date = report.business_date
        AND version.known_from_at <= report.known_at
        AND version.known_to_at > report.known_at
    LEFT JOIN gold.fact_sale_line AS line
        ON line.source_name = version.source_name
        AND line.sale_id = version.sale_id
        AND line.line_no = version.line_no
    WHERE line.sale_line_key IS NULL
        OR line.location_durable_key <> version.location_durable_key
        OR line.business_date <> version.business_date
),

restated AS (
    SELECT * FROM changed_line
    WHERE restatement_kind IS NOT NULL
    UNION ALL
    SELECT * FROM gone_line
)

SELECT
    restated.sale_line_key,
    restated.source_name,
    restated.sale_id,
    restated.line_no,
    restated.location_durable_key,
    restated.location_id,
    restated.business_date,
    restated.restatement_kind,
    restated.snapshot_no AS first_snapshot_no,
    restated.known_from_at,
    CASE
        WHEN restated.restatement_kind = 'late' THEN 0
        WHEN progress.history_from_at <= restated.known_at THEN COALESCE(believed.reporting_net_amount, 0)
    END AS first_reporting_net_amount,
    restated.reporting_net_amount
FROM restated
CROSS JOIN meta.progress AS progress
LEFT JOIN gold.fact_sale_line__versions AS believed
    ON believed.sale_line_key = restated.sale_line_key
    AND believed.location_durable_key = restated.location_durable_key
    AND believed.business_date = restated.business_date
    AND believed.known_from_at <= restated.known_at
    AND believed.known_to_at > restated.known_at;
