-- A line of goods sent from one place to another as it stands: shipped, received, lost, in transit (accumulating snapshot).
-- refresh: by key
CREATE TABLE gold.fact_transfer_line (
    transfer_line_key           uuid           PRIMARY KEY, -- hash of source, transfer and line
    source_name                 text           NOT NULL,    -- the source whose document it is
    transfer_id                 text           NOT NULL,    -- the transfer
    line_no                     text           NOT NULL,    -- line within it
    product_key                 bigint         NOT NULL
        REFERENCES gold.dim_product (product_key),          -- version valid at shipped_at; 0 = none
    product_durable_key         bigint         NOT NULL,    -- hash of the product's source and id, never 0
    product_id                  text           NOT NULL,    -- what
    from_location_key           bigint         NOT NULL
        REFERENCES gold.dim_location (location_key),        -- version of the sender valid at shipped_at; 0 = none
    from_location_durable_key   bigint         NOT NULL,    -- hash of the sender's source and id, never 0
    from_location_id            text           NOT NULL,    -- where it left
    to_location_key             bigint         NOT NULL
        REFERENCES gold.dim_location (location_key),        -- version of the receiver valid at shipped_at; 0 = none
    to_location_durable_key     bigint         NOT NULL,    -- hash of the receiver's source and id, never 0
    to_location_id              text           NOT NULL,    -- where it goes
    shipped_at                  timestamptz    NOT NULL,    -- when it left
    business_date               date           NOT NULL
        REFERENCES gold.dim_date (date_key),                -- local day of shipped_at by the sender's zone and cutover
    received_at                 timestamptz,                -- when the last of it arrived; NULL = not yet
    received_date               date,                       -- local day of received_at, by the receiver's zone and cutover at shipped_at
    written_off_at              timestamptz,                -- when lost_units were given up, and surplus_units taken in; NULL = neither
    shipped_to_received_hours   numeric(18, 3),             -- hours from shipped_at to received_at
    status                      text,                       -- the source's own status
    carrier                     text,                       -- who carries it
    shipped_units               numeric(18, 3) NOT NULL,    -- in the product's base unit
    received_units              numeric(18, 3) NOT NULL,    -- arrived so far
    lost_units                  numeric(18, 3) NOT NULL,    -- given up on
    in_transit_units            numeric(18, 3) NOT NULL,    -- shipped - received - lost, never below 0; belongs to no store
    surplus_units               numeric(18, 3) NOT NULL,    -- arrived or lost beyond what was shipped: received + lost - shipped, never
                                                            -- below 0
    currency_code               text,                       -- ISO 4217 of the product's cost
    in_transit_amount           numeric(18, 4),             -- in_transit_units at the standard cost at shipped_at; NULL = not known
    reporting_in_transit_amount numeric(18, 4)              -- in_transit_amount in the project's currency at the rate of business_date
);

-- Instants, versions and units as in gold.fact_sale_line; both places are of one source's codes. A unit without conversion or a date
-- outside the calendar is held back, in gold.unconverted_document_line. No paper states when goods were given up: it is taken as
-- received_at, which no later version of the line moves, else as the instant of the version that says so; never before shipped_at.
WITH located_line AS (
    SELECT
        line.source_name,
        line.transfer_id,
        line.line_no,
        line.location_source_name,
        line.from_location_id,
        line.to_location_id,
        line.product_source_name,
        line.product_id,
        COALESCE(
            line.shipped_at, local_to_utc(line.shipped_at_local, COALESCE(sender.timezone, project.timezone))
        ) AS shipped_at,
        COALESCE(
            line.received_at, local_to_utc(line.received_at_local, COALESCE(receiver.timezone, project.timezone))
        ) AS received_at,
        line.shipped_quantity,
        line.received_quantity,
        line.lost_quantity,
        line.version_at,
        line.unit,
        line.status,
        line.carrier,
        project.currency_code AS project_currency_code,
        project.timezone AS project_timezone,
        project.business_day_cutover AS project_cutover,
        project.calendar_from_date,
        project.calendar_to_date
    FROM silver.transfer_line AS line
    CROSS JOIN meta.project AS project
    LEFT JOIN gold.dim_location AS sender
        ON sender.source_name = line.location_source_name
        AND sender.location_id = line.from_location_id
        AND sender.is_latest
    LEFT JOIN gold.dim_location AS receiver
        ON receiver.source_name = line.location_source_name
        AND receiver.location_id = line.to_location_id
        AND receiver.is_latest
),

dated_line AS (
    SELECT
        line.source_name,
        line.transfer_id,
        line.line_no,
        CASE WHEN line.shipped_at < sender.valid_to_at THEN sender.location_key ELSE 0 END AS from_location_key,
        dim_key(line.location_source_name, line.from_location_id) AS from_location_durable_key,
        line.from_location_id,
        COALESCE(receiver.location_key, 0) AS to_location_key,
        dim_key(line.location_source_name, line.to_location_id) AS to_location_durable_key,
        line.to_location_id,
        line.product_source_name,
        line.product_id,
        line.shipped_at,
        business_date(
            line.shipped_at,
            COALESCE(sender.timezone, line.project_timezone),
            COALESCE(sender.business_day_cutover, line.project_cutover)
        ) AS business_date,
        line.received_at,
        business_date(
            line.received_at,
            COALESCE(receiver.timezone, line.project_timezone),
            COALESCE(receiver.business_day_cutover, line.project_cutover)
        ) AS received_date,
        line.shipped_quantity,
        line.received_quantity,
        line.lost_quantity,
        line.version_at,
        line.unit,
        line.status,
        line.carrier,
        line.project_currency_code,
        line.calendar_from_date,
        line.calendar_to_date
    FROM located_line AS line
    LEFT JOIN gold.dim_location AS sender
        ON sender.source_name = line.location_source_name
        AND sender.location_id = line.from_location_id
        AND sender.valid_from_at <= line.shipped_at
        AND sender.superseded_at > line.shipped_at
    LEFT JOIN gold.dim_location AS receiver
        ON receiver.source_name = line.location_source_name
        AND receiver.location_id = line.to_location_id
        AND receiver.valid_from_at <= line.shipped_at
        AND receiver.valid_to_at > line.shipped_at
),

measured_line AS (
    SELECT
        line.source_name,
        line.transfer_id,
        line.line_no,
        CASE WHEN line.shipped_at < article.valid_to_at THEN article.product_key ELSE 0 END AS product_key,
        dim_key(line.product_source_name, line.product_id) AS product_durable_key,
        line.product_id,
        line.from_location_key,
        line.from_location_durable_key,
        line.from_location_id,
        line.to_location_key,
        line.to_location_durable_key,
        line.to_location_id,
        line.shipped_at,
        line.business_date,
        line.received_at,
        line.received_date,
        CASE
            WHEN line.lost_quantity > 0 OR line.received_quantity > line.shipped_quantity
                THEN GREATEST(line.shipped_at, COALESCE(line.received_at, line.version_at))
        END AS written_off_at,
        line.shipped_quantity,
        line.received_quantity,
        line.lost_quantity,
        CASE
            WHEN line.unit IS NULL OR line.unit = latest_article.base_unit THEN 1
            WHEN unit.base_units IS NOT NULL THEN unit.base_units
            WHEN latest_article.base_unit IS NULL THEN 1
        END AS base_units,
        line.status,
        line.carrier,
        article.standard_cost_amount,
        CASE WHEN article.standard_cost_amount IS NOT NULL THEN article.currency_code END AS currency_code,
        CASE WHEN article.currency_code = line.project_currency_code THEN 1 ELSE rate.exchange_rate END AS exchange_rate
    FROM dated_line AS line
    LEFT JOIN gold.dim_product AS article
        ON article.source_name = line.product_source_name
        AND article.product_id = line.product_id
        AND article.valid_from_at <= line.shipped_at
        AND article.superseded_at > line.shipped_at
    LEFT JOIN gold.dim_product AS latest_article
        ON latest_article.source_name = line.product_source_name
        AND latest_article.product_id = line.product_id
        AND latest_article.is_latest
    LEFT JOIN silver.product_unit AS unit
        ON unit.source_name = line.product_source_name
        AND unit.product_id = line.product_id
        AND unit.unit = line.unit
    LEFT JOIN gold.exchange_rate_day AS rate
        ON rate.currency_code = article.currency_code
        AND rate.rate_date = line.business_date
    WHERE line.business_date BETWEEN line.calendar_from_date AND line.calendar_to_date
),

converted_line AS (
    SELECT
        source_name,
        transfer_id,
        line_no,
        product_key,
        product_durable_key,
        product_id,
        from_location_key,
        from_location_durable_key,
        from_location_id,
        to_location_key,
        to_location_durable_key,
        to_location_id,
        shipped_at,
        business_date,
        received_at,
        received_date,
        written_off_at,
        status,
        carrier,
        mul(shipped_quantity, base_units, 3) AS shipped_units,
        mul(received_quantity, base_units, 3) AS received_units,
        mul(lost_quantity, base_units, 3) AS lost_units,
        mul(GREATEST(shipped_quantity - received_quantity - lost_quantity, 0), base_units, 3) AS in_transit_units,
        mul(GREATEST(received_quantity + lost_quantity - shipped_quantity, 0), base_units, 3) AS surplus_units,
        standard_cost_amount,
        currency_code,
        exchange_rate
    FROM measured_line
    WHERE base_units IS NOT NULL
),

valued_line AS (
    SELECT
        source_name,
        transfer_id,
        line_no,
        product_key,
        product_durable_key,
        product_id,
        from_location_key,
        from_location_durable_key,
        from_location_id,
        to_location_key,
        to_location_durable_key,
        to_location_id,
        shipped_at,
        business_date,
        received_at,
        received_date,
        written_off_at,
        status,
        carrier,
        shipped_units,
        received_units,
        lost_units,
        in_transit_units,
        surplus_units,
        currency_code,
        mul(in_transit_units, standard_cost_amount, 4) AS in_transit_amount,
        exchange_rate
    FROM converted_line
)

SELECT
    fact_key(source_name, transfer_id, line_no) AS transfer_line_key,
    source_name,
    transfer_id,
    line_no,
    product_key,
    product_durable_key,
    product_id,
    from_location_key,
    from_location_durable_key,
    from_location_id,
    to_location_key,
    to_location_durable_key,
    to_location_id,
    shipped_at,
    business_date,
    received_at,
    received_date,
    written_off_at,
    hours_between(received_at, shipped_at) AS shipped_to_received_hours,
    status,
    carrier,
    shipped_units,
    received_units,
    lost_units,
    in_transit_units,
    surplus_units,
    currency_code,
    in_transit_amount,
    mul(in_transit_amount, exchange_rate, 4) AS reporting_in_transit_amount
FROM valued_line;
