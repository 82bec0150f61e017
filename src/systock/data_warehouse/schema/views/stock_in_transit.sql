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
    reporting_value_amount    numeric(18, 4),          -- at cost, in the project's currency at the rate of the day they left; NULL = of none
                                                       -- known
    lines_without_value       bigint         NOT NULL, -- lines whose cost or rate is not known: they add nothing to the value
    first_shipped_at          timestamptz    NOT NULL, -- when the oldest of them left
    PRIMARY KEY (product_durable_key, from_location_durable_key, to_location_durable_key)
);

-- in transit = shipped - received - lost, per transfer line, never below 0 (gold.fact_transfer_line).
-- Cost: by moving average and FIFO what the postings of a transfer left under way of the product (gold.stock_cost: - transfers + transit
-- losses), shared by its lines in proportion to their units. By standard cost, and where nothing was posted for the transfer, units x the
-- standard cost at shipped_at.
WITH posted_transit AS (
    SELECT
        posting.product_durable_key,
        posting.transfer_id,
        MIN(posting.currency_code) AS currency_code,
        SUM(
            CASE WHEN posting.posting_kind = 'transfer' THEN -posting.cost_amount ELSE posting.cost_amount END
        ) AS value_amount
    FROM gold.stock_cost AS posting
    WHERE posting.posting_kind IN ('transfer', 'transit_loss')
    GROUP BY posting.product_durable_key, posting.transfer_id
),

transfer AS (
    SELECT
        line.source_name,
        line.transfer_id,
        line.product_durable_key,
        SUM(line.in_transit_units) AS in_transit_units
    FROM gold.fact_transfer_line AS line
    WHERE line.in_transit_units > 0
    GROUP BY line.source_name, line.transfer_id, line.product_durable_key
),

line AS (
    SELECT
        line.product_durable_key,
        line.from_location_durable_key,
        line.to_location_durable_key,
        line.product_id,
        line.from_location_id,
        line.to_location_id,
        line.in_transit_units,
        line.shipped_at,
        CASE
            WHEN posted.value_amount IS NULL THEN line.reporting_in_transit_amount
            ELSE mul(
                mul(posted.value_amount, safe_div(line.in_transit_units, transfer.in_transit_units, 12), 4),
                CASE WHEN posted.currency_code = project.currency_code THEN 1 ELSE rate.exchange_rate END, 4
            )
        END AS reporting_value_amount
    FROM gold.fact_transfer_line AS line
    INNER JOIN transfer
        ON transfer.source_name = line.source_name
        AND transfer.transfer_id = line.transfer_id
        AND transfer.product_durable_key = line.product_durable_key
    CROSS JOIN meta.project AS project
    LEFT JOIN posted_transit AS posted
        ON posted.transfer_id = line.source_name || '/' || line.transfer_id
        AND posted.product_durable_key = line.product_durable_key
    LEFT JOIN gold.exchange_rate_day AS rate
        ON rate.currency_code = posted.currency_code
        AND rate.rate_date = line.business_date
    WHERE line.in_transit_units > 0
),

route AS (
    SELECT
        product_durable_key,
        from_location_durable_key,
        to_location_durable_key,
        MIN(product_id) AS product_id,
        MIN(from_location_id) AS from_location_id,
        MIN(to_location_id) AS to_location_id,
        COUNT(*) AS transfer_lines,
        SUM(in_transit_units) AS in_transit_units,
        SUM(reporting_value_amount) AS value_amount,
        SUM(CASE WHEN reporting_value_amount IS NULL THEN 1 ELSE 0 END) AS lines_without_value,
        MIN(shipped_at) AS first_shipped_at
    FROM line
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
