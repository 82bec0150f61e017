-- A line of a customer's order as it stands: what of it is open, reserved, shipped and cancelled (accumulating snapshot).
-- refresh: by key
CREATE TABLE gold.fact_order_line (
    order_line_key           uuid           PRIMARY KEY, -- hash of source, order and line
    source_name              text           NOT NULL,    -- the source whose order it is
    order_id                 text           NOT NULL,    -- the customer's order
    line_no                  text           NOT NULL,    -- line within it
    order_key                bigint         NOT NULL,    -- hash of source and order: what orders are counted by
    product_key              bigint         NOT NULL
        REFERENCES gold.dim_product (product_key),       -- version valid at ordered_at; 0 = none
    product_durable_key      bigint         NOT NULL,    -- hash of the product's source and id, never 0
    product_id               text           NOT NULL,    -- what was ordered
    location_key             bigint         NOT NULL
        REFERENCES gold.dim_location (location_key),     -- version valid at ordered_at; 0 = none
    location_durable_key     bigint         NOT NULL,    -- hash of the location's source and id, never 0
    location_id              text           NOT NULL,    -- the place whose goods it takes
    customer_key             bigint         NOT NULL
        REFERENCES gold.dim_customer (customer_key),     -- 0 = not known
    customer_id              text,                       -- who ordered, where known
    channel                  text           NOT NULL,    -- as the source names it, else the location's type
    ordered_at               timestamptz    NOT NULL,    -- when it was ordered
    business_date            date           NOT NULL
        REFERENCES gold.dim_date (date_key),             -- local day of ordered_at by the location's zone and cutover
    shipped_at               timestamptz,                -- when the last of it left; NULL = not yet
    shipped_date             date,                       -- local day of shipped_at, by the zone and cutover that hold on business_date
    ordered_to_shipped_hours numeric(18, 3),             -- hours from ordered_at to shipped_at
    ordered_units            numeric(18, 3) NOT NULL,    -- in the product's base unit
    shipped_units            numeric(18, 3) NOT NULL,    -- of it left so far
    cancelled_units          numeric(18, 3) NOT NULL,    -- of it no longer wanted
    open_units               numeric(18, 3) NOT NULL,    -- still to be shipped: ordered - shipped - cancelled, never below 0
    reserved_units           numeric(18, 3) NOT NULL,    -- set aside for it on the shelf, as the source says
    currency_code            text           NOT NULL,    -- ISO 4217 of ordered_amount
    ordered_amount           numeric(18, 4),             -- ordered quantity x unit price; NULL = not known
    reporting_ordered_amount numeric(18, 4)              -- ordered_amount in the project's currency at the rate of business_date; NULL =
                                                         -- not known
);

-- Instants, versions and units as in gold.fact_sale_line. A unit without conversion or a date outside the calendar is held back, in
-- gold.unconverted_document_line; a currency without rate holds nothing back: the units are known.
WITH located_line AS (
    SELECT
        line.source_name,
        line.order_id,
        line.line_no,
        line.location_source_name,
        line.location_id,
        line.product_source_name,
        line.product_id,
        line.customer_id,
        COALESCE(
            line.ordered_at, local_to_utc(line.ordered_at_local, COALESCE(place.timezone, project.timezone))
        ) AS ordered_at,
        line.shipped_at,
        line.ordered_quantity,
        line.reserved_quantity,
        line.shipped_quantity,
        line.cancelled_quantity,
        line.unit,
        mul(line.ordered_quantity, line.unit_price_amount, 4) AS ordered_amount,
        COALESCE(line.currency_code, project.currency_code) AS currency_code,
        line.channel,
        project.currency_code AS project_currency_code,
        project.timezone AS project_timezone,
        project.business_day_cutover AS project_cutover,
        project.calendar_from_date,
        project.calendar_to_date
    FROM silver.order_line AS line
    CROSS JOIN meta.project AS project
    LEFT JOIN gold.dim_location AS place
        ON place.source_name = line.location_source_name
        AND place.location_id = line.location_id
        AND place.is_latest
),

dated_line AS (
    SELECT
        line.source_name,
        line.order_id,
        line.line_no,
        CASE WHEN line.ordered_at < place.valid_to_at THEN place.location_key ELSE 0 END AS location_key,
        dim_key(line.location_source_name, line.location_id) AS location_durable_key,
        line.location_id,
        line.product_source_name,
        line.product_id,
        line.customer_id,
        COALESCE(NULLIF(line.channel, ''), place.location_type, '(unknown)') AS channel,
        line.ordered_at,
        business_date(
            line.ordered_at,
            COALESCE(place.timezone, line.project_timezone), COALESCE(place.business_day_cutover, line.project_cutover)
        ) AS business_date,
        line.shipped_at,
        business_date(
            line.shipped_at,
            COALESCE(place.timezone, line.project_timezone), COALESCE(place.business_day_cutover, line.project_cutover)
        ) AS shipped_date,
        line.ordered_quantity,
        line.reserved_quantity,
        line.shipped_quantity,
        line.cancelled_quantity,
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
        line.order_id,
        line.line_no,
        line.location_key,
        line.location_durable_key,
        line.location_id,
        COALESCE(article.product_key, 0) AS product_key,
        dim_key(line.product_source_name, line.product_id) AS product_durable_key,
        line.product_id,
        line.customer_id,
        line.channel,
        line.ordered_at,
        line.business_date,
        line.shipped_at,
        line.shipped_date,
        line.ordered_quantity,
        line.reserved_quantity,
        line.shipped_quantity,
        line.cancelled_quantity,
        CASE
            WHEN line.unit IS NULL OR line.unit = latest_article.base_unit THEN 1
            WHEN unit.base_units IS NOT NULL THEN unit.base_units
            WHEN latest_article.base_unit IS NULL THEN 1
        END AS base_units,
        line.ordered_amount,
        line.currency_code,
        CASE WHEN line.currency_code = line.project_currency_code THEN 1 ELSE rate.exchange_rate END AS exchange_rate
    FROM dated_line AS line
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
        order_id,
        line_no,
        location_key,
        location_durable_key,
        location_id,
        product_key,
        product_durable_key,
        product_id,
        customer_id,
        channel,
        ordered_at,
        business_date,
        shipped_at,
        shipped_date,
        mul(ordered_quantity, base_units, 3) AS ordered_units,
        mul(reserved_quantity, base_units, 3) AS reserved_units,
        mul(shipped_quantity, base_units, 3) AS shipped_units,
        mul(cancelled_quantity, base_units, 3) AS cancelled_units,
        ordered_amount,
        currency_code,
        exchange_rate
    FROM measured_line
    WHERE base_units IS NOT NULL
)

SELECT
    fact_key(line.source_name, line.order_id, line.line_no) AS order_line_key,
    line.source_name,
    line.order_id,
    line.line_no,
    dim_key(line.source_name, line.order_id) AS order_key,
    line.product_key,
    line.product_durable_key,
    line.product_id,
    line.location_key,
    line.location_durable_key,
    line.location_id,
    COALESCE(customer.customer_key, 0) AS customer_key,
    line.customer_id,
    line.channel,
    line.ordered_at,
    line.business_date,
    line.shipped_at,
    line.shipped_date,
    hours_between(line.shipped_at, line.ordered_at) AS ordered_to_shipped_hours,
    line.ordered_units,
    line.shipped_units,
    line.cancelled_units,
    GREATEST(line.ordered_units - line.shipped_units - line.cancelled_units, 0) AS open_units,
    line.reserved_units,
    line.currency_code,
    line.ordered_amount,
    mul(line.ordered_amount, line.exchange_rate, 4) AS reporting_ordered_amount
FROM converted_line AS line
LEFT JOIN gold.dim_customer AS customer
    ON customer.source_name = line.source_name
    AND customer.customer_id = line.customer_id;
