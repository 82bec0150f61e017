-- How a supplier delivers: fill rate, on time in full, lead time; cancelled order lines left out.
-- refresh: view
CREATE TABLE serve.supplier_performance (
    supplier_durable_key     bigint         PRIMARY KEY, -- hash of the supplier's source and id
    supplier_id              text           NOT NULL,    -- who
    supplier_name            text,                       -- its last known name
    order_lines              bigint         NOT NULL,    -- lines ordered
    due_lines                bigint         NOT NULL,    -- lines whose day of delivery (first confirmed, else expected) is not after the
                                                         -- last day with any fact
    lines_without_due_date   bigint         NOT NULL,    -- lines without any day of delivery: never due
    on_order_lines           bigint         NOT NULL,    -- lines of which something is still expected
    reporting_ordered_amount numeric(18, 4),             -- of the lines whose cost and rate are known, in the project's currency; NULL =
                                                         -- of none
    due_units                numeric(18, 3) NOT NULL,    -- ordered on the lines due, each product in its base unit
    filled_units             numeric(18, 3) NOT NULL,    -- the smaller of accepted and ordered, summed over the lines due
    fill_ratio               numeric(18, 4),             -- filled_units / due_units; NULL without a line due
    on_time_in_full_lines    bigint         NOT NULL,    -- lines due and accepted in full by their day of delivery
    on_time_in_full_ratio    numeric(18, 4),             -- on_time_in_full_lines / due_lines; NULL without a line due
    rejected_ratio           numeric(18, 4),             -- units rejected / units received, over all lines
    received_lines           bigint         NOT NULL,    -- lines of which something came in: what lead times are of
    mean_lead_time_days      numeric(18, 4),             -- sum of days from order to last receipt / received_lines
    lead_time_deviation_days numeric(18, 4),             -- their sample standard deviation; NULL with fewer than two
    agreed_lead_time_days    integer                     -- as agreed, last known
);

-- fill rate = sum of min(accepted, ordered) / sum of ordered over the lines due; accepted = received - rejected. OTIF = lines accepted in
-- full by the first confirmed (else expected) date / lines due. Lead time = days from order to last receipt; its deviation is
-- sqrt((n x sum of squares - square of sum) / (n x (n - 1))).
WITH last_day AS (
    SELECT last_date
    FROM gold.last_day
    WHERE fact_kind = 'supply'
),

line AS (
    SELECT
        line.supplier_durable_key,
        line.supplier_id,
        COALESCE(line.due_date <= last_day.last_date, FALSE) AS is_due,
        line.due_date,
        line.ordered_units,
        line.accepted_units,
        line.received_units,
        line.rejected_units,
        line.on_order_units,
        line.is_on_time_in_full,
        line.reporting_ordered_amount,
        CASE WHEN line.received_units > 0 THEN line.lead_time_days END AS lead_time_days
    FROM gold.fact_purchase_order_line AS line
    CROSS JOIN last_day
    WHERE NOT line.is_cancelled
),

supplier AS (
    SELECT
        supplier_durable_key,
        MIN(supplier_id) AS supplier_id,
        COUNT(*) AS order_lines,
        SUM(CASE WHEN is_due THEN 1 ELSE 0 END) AS due_lines,
        SUM(CASE WHEN due_date IS NULL THEN 1 ELSE 0 END) AS lines_without_due_date,
        SUM(CASE WHEN on_order_units > 0 THEN 1 ELSE 0 END) AS on_order_lines,
        SUM(reporting_ordered_amount) AS ordered_amount,
        SUM(CASE WHEN is_due THEN ordered_units ELSE 0 END) AS due_units,
        SUM(CASE WHEN is_due THEN LEAST(accepted_units, ordered_units) ELSE 0 END) AS filled_units,
        SUM(CASE WHEN is_due AND is_on_time_in_full THEN 1 ELSE 0 END) AS on_time_in_full_lines,
        SUM(rejected_units) AS rejected_units,
        SUM(received_units) AS received_units,
        COUNT(lead_time_days) AS received_lines,
        SUM(CAST(lead_time_days AS bigint)) AS lead_time_sum,
        SUM(CAST(lead_time_days AS bigint) * lead_time_days) AS lead_time_squares
    FROM line
    GROUP BY supplier_durable_key
),

spread AS (
    SELECT
        supplier_durable_key,
        safe_div(
            received_lines * lead_time_squares - lead_time_sum * lead_time_sum,
            received_lines * (received_lines - 1), 8
        ) AS lead_time_variance
    FROM supplier
)

SELECT
    supplier.supplier_durable_key,
    supplier.supplier_id,
    described.supplier_name,
    CAST(supplier.order_lines AS bigint) AS order_lines,
    CAST(supplier.due_lines AS bigint) AS due_lines,
    CAST(supplier.lines_without_due_date AS bigint) AS lines_without_due_date,
    CAST(supplier.on_order_lines AS bigint) AS on_order_lines,
    CAST(supplier.ordered_amount AS numeric(18, 4)) AS reporting_ordered_amount,
    CAST(supplier.due_units AS numeric(18, 3)) AS due_units,
    CAST(supplier.filled_units AS numeric(18, 3)) AS filled_units,
    safe_div(supplier.filled_units, supplier.due_units, 4) AS fill_ratio,
    CAST(supplier.on_time_in_full_lines AS bigint) AS on_time_in_full_lines,
    safe_div(supplier.on_time_in_full_lines, supplier.due_lines, 4) AS on_time_in_full_ratio,
    safe_div(supplier.rejected_units, supplier.received_units, 4) AS rejected_ratio,
    CAST(supplier.received_lines AS bigint) AS received_lines,
    safe_div(supplier.lead_time_sum, supplier.received_lines, 4) AS mean_lead_time_days,
    CAST(SQRT(CAST(spread.lead_time_variance AS double precision)) AS numeric(18, 4)) AS lead_time_deviation_days,
    described.agreed_lead_time_days
FROM supplier
INNER JOIN spread
    ON spread.supplier_durable_key = supplier.supplier_durable_key
LEFT JOIN serve.supplier_current AS described
    ON described.supplier_durable_key = supplier.supplier_durable_key;
