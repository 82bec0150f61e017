-- A sale line that came, changed or ceased to count after a snapshot had first reported its business day.
-- refresh: view
CREATE TABLE serve.restated_line (
    sale_line_key        uuid           PRIMARY KEY, -- its row in gold.fact_sale_line
    source_name          text           NOT NULL,    -- the source whose receipt it is
    sale_id              text           NOT NULL,    -- receipt or invoice
    line_no              text           NOT NULL,    -- line within it
    location_durable_key bigint         NOT NULL,    -- hash of the location's source and id
    location_id          text           NOT NULL,    -- where it was sold
    business_date        date           NOT NULL,    -- local day
    restatement_kind     text           NOT NULL,    -- late: first came after the report; corrected: replaced after it; withdrawn: no longer
                                                     -- counts since then
    first_snapshot_no    bigint         NOT NULL,    -- the snapshot that first reported the day, after its end there
    known_from_at        timestamptz    NOT NULL,    -- when the version that holds now became known
    reporting_net_amount numeric(18, 4) NOT NULL     -- what it adds to the day now, tax excluded, in the project's currency; 0 when withdrawn
);

WITH reported AS (
    SELECT
        change.location_durable_key,
        change.business_date,
        MIN(change.snapshot_no) AS snapshot_no
    FROM snapshot.sales_state__changes AS change
    WHERE change.is_day_over AND NOT change.is_removed
    GROUP BY change.location_durable_key, change.business_date
),

line AS (
    SELECT
        line.sale_line_key,
        line.source_name,
        line.sale_id,
        line.line_no,
        line.location_durable_key,
        line.location_id,
        line.business_date,
        line.is_counted,
        line.reporting_net_amount,
        reported.snapshot_no,
        taken.known_at
    FROM reported
    INNER JOIN snapshot.taken AS taken
        ON taken.snapshot_no = reported.snapshot_no
        AND taken.kind = 'sales_state'
    INNER JOIN gold.fact_sale_line AS line
        ON line.location_durable_key = reported.location_durable_key
        AND line.business_date = reported.business_date
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
)

SELECT
    line.sale_line_key,
    line.source_name,
    line.sale_id,
    line.line_no,
    line.location_durable_key,
    line.location_id,
    line.business_date,
    CASE
        WHEN known_line.first_known_at > line.known_at THEN 'late'
        WHEN NOT line.is_counted THEN 'withdrawn'
        ELSE 'corrected'
    END AS restatement_kind,
    line.snapshot_no AS first_snapshot_no,
    known_line.known_from_at,
    CASE WHEN line.is_counted THEN line.reporting_net_amount ELSE 0 END AS reporting_net_amount
FROM line
INNER JOIN known_line
    ON known_line.source_name = line.source_name
    AND known_line.sale_id = line.sale_id
    AND known_line.line_no = line.line_no
WHERE known_line.known_from_at > line.known_at
    AND (line.is_counted OR known_line.first_known_at <= line.known_at);
