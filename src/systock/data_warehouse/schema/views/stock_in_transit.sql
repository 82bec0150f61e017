-- What of a product is on its way from one place to another now; it belongs to no store.
-- refresh: view
CREATE TABLE serve.stock_in_transit (
    product_durable_key       bigint         NOT NULL, -- hash of the product's source and id
    from_location_durable_key bigint         NOT NULL, -- hash of the sender's source and id
    to_location_durable_key   bigint         NOT NULL, -- hash of the receiver's source and id
    product_id                text           NOT NULL, -- what
    product_name              text,                    -- its last known name
    from_location_id          text           NOT NULL, -- where it left
    to_location_id            text           NOT NULL, -- where it goes
    transfer_lines            bigint         NOT NULL, -- transfer lines with something on its way
    in_transit_units          numeric(18, 3) NOT NULL, -- sum of shipped - received - lost over these lines, in base units
    reporting_value_amount    numeric(18, 4),          -- at the standard cost and the rate of the day they left; NULL = of none known
    lines_without_value       bigint         NOT NULL, -- lines whose cost or rate is not known: they add nothing to the value
    first_shipped_at          timestamptz    NOT NULL, -- when the oldest of them left
    PRIMARY KEY (product_durable_key, from_location_durable_key, to_location_durable_key)
);

-- in transit = shipped - received - lost, per transfer line, never below 0 (gold.fact_transfer_line).
WITH route AS (
    SELECT
        product_durable_key,
        from_location_durable_key,
        to_location_durable_key,
        MIN(product_id) AS product_id,
        MIN(from_location_id) AS from_location_id,
        MIN(to_location_id) AS to_location_id,
        COUNT(*) AS transfer_lines,
        SUM(in_transit_units) AS in_transit_units,
        SUM(reporting_in_transit_amount) AS value_amount,
        SUM(CASE WHEN reporting_in_transit_amount IS NULL THEN 1 ELSE 0 END) AS lines_without_value,
        MIN(shipped_at) AS first_shipped_at
    FROM gold.fact_transfer_line
    WHERE in_transit_units > 0
    GROUP BY product_durable_key, from_location_durable_key, to_location_durable_key
)

SELECT
    route.product_durable_key,
    route.from_location_durable_key,
    route.to_location_durable_key,
    route.product_id,
    article.product_name,
    route.from_location_id,
    route.to_location_id,
    CAST(route.transfer_lines AS bigint) AS transfer_lines,
    CAST(route.in_transit_units AS numeric(18, 3)) AS in_transit_units,
    CAST(route.value_amount AS numeric(18, 4)) AS reporting_value_amount,
    CAST(route.lines_without_value AS bigint) AS lines_without_value,
    route.first_shipped_at
FROM route
LEFT JOIN serve.product_current AS article
    ON article.product_durable_key = route.product_durable_key;
