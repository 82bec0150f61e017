-- A line of an order to a supplier as it stands: confirmed, shipped, received, rejected, still on order (accumulating snapshot).
-- refresh: by key
CREATE TABLE gold.fact_purchase_order_line (
    purchase_order_line_key    uuid           PRIMARY KEY, -- hash of source, order and line
    source_name                text           NOT NULL,    -- the source whose order it is
    purchase_order_id          text           NOT NULL,    -- the order
    line_no                    text           NOT NULL,    -- line within it
    purchase_order_key         bigint         NOT NULL,    -- hash of source and order: what orders are counted by
    supplier_key               bigint         NOT NULL
        REFERENCES gold.dim_supplier (supplier_key),       -- version valid at ordered_at; 0 = none
    supplier_durable_key       bigint         NOT NULL,    -- hash of the supplier's source and id, never 0
    supplier_id                text           NOT NULL,    -- whom it was sent to
    product_key                bigint         NOT NULL
        REFERENCES gold.dim_product (product_key),         -- version valid at ordered_at; 0 = none
    product_durable_key        bigint         NOT NULL,    -- hash of the product's source and id, never 0
    product_id                 text           NOT NULL,    -- what was ordered
    location_key               bigint         NOT NULL
        REFERENCES gold.dim_location (location_key),       -- version valid at ordered_at; 0 = none
    location_durable_key       bigint         NOT NULL,    -- hash of the location's source and id, never 0
    location_id                text           NOT NULL,    -- where it is to be delivered
    ordered_at                 timestamptz    NOT NULL,    -- when it was ordered
    business_date              date           NOT NULL
        REFERENCES gold.dim_date (date_key),               -- local day of ordered_at by the location's zone and cutover
    confirmed_at               timestamptz,                -- when the supplier first confirmed it; NULL = not yet
    shipped_at                 timestamptz,                -- when the supplier sent it; NULL = not yet
    received_at                timestamptz,                -- when the last of it came in; NULL = not yet
    received_date              date,                       -- local day of received_at by the location's last known zone and cutover
    expected_date              date,                       -- day of delivery as now expected
    first_confirmed_date       date,                       -- day of delivery as the supplier first confirmed it
    due_date                   date,                       -- what punctuality is judged by: first_confirmed_date, else expected_date
    ordered_to_confirmed_hours numeric(18, 3),             -- hours from ordered_at to confirmed_at
    confirmed_to_shipped_hours numeric(18, 3),             -- hours from confirmed_at to shipped_at
    shipped_to_received_hours  numeric(18, 3),             -- hours from shipped_at to received_at
    lead_time_days             integer,                    -- days from business_date to received_date
    is_cancelled               boolean        NOT NULL,    -- withdrawn by us: kept here, never counted
    is_closed                  boolean        NOT NULL,    -- nothing more is expected
    ordered_units              numeric(18, 3) NOT NULL,    -- in the product's base unit
    received_units             numeric(18, 3) NOT NULL,    -- came in so far, rejected goods included
    rejected_units             numeric(18, 3) NOT NULL,    -- of it refused
    accepted_units             numeric(18, 3) NOT NULL,    -- received - rejected
    on_order_units             numeric(18, 3) NOT NULL,    -- still expected: ordered - accepted, never below 0; 0 when cancelled or closed
    is_in_full                 boolean        NOT NULL,    -- accepted at least what was ordered
    is_on_time_in_full         boolean,                    -- in full, and received by due_date; NULL without a due_date
    currency_code              text           NOT NULL,    -- ISO 4217 of ordered_amount
    ordered_amount             numeric(18, 4),             -- ordered quantity x unit cost; NULL = not known
    reporting_ordered_amount   numeric(18, 4)              -- ordered_amount in the project's currency at the rate of business_date; NULL =
                                                           -- not known
);

-- Instants, versions and units as in gold.fact_sale_line. A unit without conversion or a date outside the calendar is held back, in
-- gold.unconverted_document_line; a currency without rate holds nothing back: the units are known.
WITH located_line AS (
    SELECT
        line.source_name,
        line.purchase_order_id,
        line.line_no,
        line.supplier_source_name,
        line.supplier_id,
        line.location_source_name,
        line.location_id,
        line.product_source_name,
        line.product_id,
        COALESCE(
            line.ordered_at, local_to_utc(line.ordered_at_local, COALESCE(place.timezone, project.timezone))
        ) AS ordered_at,
        line.confirmed_at,
        line.shipped_at,
        COALESCE(
            line.received_at, local_to_utc(line.received_at_local, COALESCE(place.timezone, project.timezone))
        ) AS received_at,
        COALESCE(place.timezone, project.timezone) AS latest_timezone,
        COALESCE(place.business_day_cutover, project.business_day_cutover) AS latest_cutover,
        line.expected_date,
        line.first_confirmed_date,
        line.is_cancelled,
        line.is_closed,
        line.ordered_quantity,
        line.received_quantity,
        line.rejected_quantity,
        line.unit,
        mul(line.ordered_quantity, line.unit_cost_amount, 4) AS ordered_amount,
        COALESCE(line.currency_code, project.currency_code) AS currency_code,
        project.currency_code AS project_currency_code,
        project.timezone AS project_timezone,
        project.business_day_cutover AS project_cutover,
        project.calendar_from_date,
        project.calendar_to_date
    FROM silver.purchase_order_line AS line
    CROSS JOIN meta.project AS project
    LEFT JOIN gold.dim_location AS place
        ON place.source_name = line.location_source_name
        AND place.location_id = line.location_id
        AND place.is_latest
),

dated_line AS (
    SELECT
        line.source_name,
        line.purchase_order_id,
        line.line_no,
        line.supplier_source_name,
        line.supplier_id,
        CASE WHEN line.ordered_at < place.valid_to_at THEN place.location_key ELSE 0 END AS location_key,
        dim_key(line.location_source_name, line.location_id) AS location_durable_key,
        line.location_id,
        line.product_source_name,
        line.product_id,
        line.ordered_at,
        business_date(
            line.ordered_at,
            COALESCE(place.timezone, line.project_timezone), COALESCE(place.business_day_cutover, line.project_cutover)
        ) AS business_date,
        line.confirmed_at,
        line.shipped_at,
        line.received_at,
        business_date(line.received_at, line.latest_timezone, line.latest_cutover) AS received_date,
        line.expected_date,
        line.first_confirmed_date,
        line.is_cancelled,
        line.is_closed,
        line.ordered_quantity,
        line.received_quantity,
        line.rejected_quantity,
        line.unit,
        line.ordered_amount,
        line.currency_code,
        line.project_currency_code,
        line.calendar_from_date,
        line.calendar_to_date
    FROM located_line AS line
    LEFT JOIN gold.dim_location AS place
        ON place.source_name = line.location_source_name
        AND place.location_id = line.location_id
        AND place.valid_from_at <= line.ordered_at
        AND place.superseded_at > line.ordered_at
),

measured_line AS (
    SELECT
        line.source_name,
        line.purchase_order_id,
        line.line_no,
        COALESCE(supplier.supplier_key, 0) AS supplier_key,
        dim_key(line.supplier_source_name, line.supplier_id) AS supplier_durable_key,
        line.supplier_id,
        line.location_key,
        line.location_durable_key,
        line.location_id,
        COALESCE(article.product_key, 0) AS product_key,
        dim_key(line.product_source_name, line.product_id) AS product_durable_key,
        line.product_id,
        line.ordered_at,
        line.business_date,
        line.confirmed_at,
        line.shipped_at,
        line.received_at,
        line.received_date,
        line.expected_date,
        line.first_confirmed_date,
        COALESCE(line.first_confirmed_date, line.expected_date) AS due_date,
        line.is_cancelled,
        line.is_closed,
        line.ordered_quantity,
        line.received_quantity,
        line.rejected_quantity,
        CASE
            WHEN line.unit IS NULL OR line.unit = latest_article.base_unit THEN 1
            WHEN unit.base_units IS NOT NULL THEN unit.base_units
            WHEN latest_article.base_unit IS NULL THEN 1
        END AS base_units,
        line.ordered_amount,
        line.currency_code,
        CASE WHEN line.currency_code = line.project_currency_code THEN 1 ELSE rate.exchange_rate END AS exchange_rate
    FROM dated_line AS line
    LEFT JOIN gold.dim_supplier AS supplier
        ON supplier.source_name = line.supplier_source_name
        AND supplier.supplier_id = line.supplier_id
        AND supplier.valid_from_at <= line.ordered_at
        AND supplier.valid_to_at > line.ordered_at
    LEFT JOIN gold.dim_product AS article
        ON article.source_name = line.product_source_name
        AND article.product_id = line.product_id
        AND article.valid_from_at <= line.ordered_at
        AND article.valid_to_at > line.ordered_at
    LEFT JOIN gold.dim_product AS latest_article
        ON latest_article.source_name = line.product_source_name
        AND latest_article.product_id = line.product_id
        AND latest_article.is_latest
    LEFT JOIN silver.product_unit AS unit
        ON unit.source_name = line.product_source_name
        AND unit.product_id = line.product_id
        AND unit.unit = line.unit
    LEFT JOIN gold.exchange_rate_day AS rate
        ON rate.currency_code = line.currency_code
        AND rate.rate_date = line.business_date
    WHERE line.business_date BETWEEN line.calendar_from_date AND line.calendar_to_date
),

converted_line AS (
    SELECT
        source_name,
        purchase_order_id,
        line_no,
        supplier_key,
        supplier_durable_key,
        supplier_id,
        location_key,
        location_durable_key,
        location_id,
        product_key,
        product_durable_key,
        product_id,
        ordered_at,
        business_date,
        confirmed_at,
        shipped_at,
        received_at,
        received_date,
        expected_date,
        first_confirmed_date,
        due_date,
        is_cancelled,
        is_closed,
        mul(ordered_quantity, base_units, 3) AS ordered_units,
        mul(received_quantity, base_units, 3) AS received_units,
        mul(rejected_quantity, base_units, 3) AS rejected_units,
        ordered_quantity <= received_quantity - rejected_quantity AS is_in_full,
        ordered_amount,
        currency_code,
        exchange_rate
    FROM measured_line
    WHERE base_units IS NOT NULL
)

SELECT
    fact_key(source_name, purchase_order_id, line_no) AS purchase_order_line_key,
    source_name,
    purchase_order_id,
    line_no,
    dim_key(source_name, purchase_order_id) AS purchase_order_key,
    supplier_key,
    supplier_durable_key,
    supplier_id,
    product_key,
    product_durable_key,
    product_id,
    location_key,
    location_durable_key,
    location_id,
    ordered_at,
    business_date,
    confirmed_at,
    shipped_at,
    received_at,
    received_date,
    expected_date,
    first_confirmed_date,
    due_date,
    hours_between(confirmed_at, ordered_at) AS ordered_to_confirmed_hours,
    hours_between(shipped_at, confirmed_at) AS confirmed_to_shipped_hours,
    hours_between(received_at, shipped_at) AS shipped_to_received_hours,
    date_diff(received_date, business_date) AS lead_time_days,
    is_cancelled,
    is_closed,
    ordered_units,
    received_units,
    rejected_units,
    received_units - rejected_units AS accepted_units,
    CASE
        WHEN is_cancelled OR is_closed THEN 0
        ELSE GREATEST(ordered_units - received_units + rejected_units, 0)
    END AS on_order_units,
    is_in_full,
    CASE
        WHEN due_date IS NOT NULL THEN is_in_full AND COALESCE(received_date, business_date) <= due_date
    END AS is_on_time_in_full,
    currency_code,
    ordered_amount,
    mul(ordered_amount, exchange_rate, 4) AS reporting_ordered_amount
FROM converted_line;
