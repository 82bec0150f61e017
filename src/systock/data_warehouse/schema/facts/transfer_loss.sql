-- Goods of a transfer line that were given up, or came beyond what was shipped: what their value leaves or enters the transit by.
-- refresh: by key
CREATE TABLE gold.transfer_loss (
    transfer_line_key        uuid           PRIMARY KEY, -- the line in gold.fact_transfer_line
    source_name              text           NOT NULL,    -- the source whose document it is
    transfer_id              text           NOT NULL,    -- the transfer
    line_no                  text           NOT NULL,    -- line within it
    product_durable_key      bigint         NOT NULL,    -- hash of the product's source and id, never 0
    to_location_durable_key  bigint         NOT NULL,    -- hash of the receiver's source and id, never 0
    occurred_at              timestamptz    NOT NULL,    -- when it is posted
    business_date            date           NOT NULL
        REFERENCES gold.dim_date (date_key),             -- local day of occurred_at, by the receiver's zone and cutover
    quantity_units           numeric(18, 3) NOT NULL
        CHECK (quantity_units <> 0)                      -- surplus - lost, in base units
);

-- It stands behind all movements of its transfer and product, so that it finds in transit what they left there; so units and value of
-- what was shipped = received + lost - surplus + in transit, whatever the order of the papers. It moves no stock of any place; without
-- any movement of the transfer there is nothing to post.
WITH transfer_end AS (
    SELECT
        source_name,
        transfer_id,
        product_durable_key,
        MAX(occurred_at) AS last_moved_at
    FROM gold.stock_entry
    WHERE movement_kind IN ('transfer_out', 'transfer_in')
    GROUP BY source_name, transfer_id, product_durable_key
),

loss AS (
    SELECT
        line.transfer_line_key,
        line.source_name,
        line.transfer_id,
        line.line_no,
        line.product_durable_key,
        line.to_location_durable_key,
        GREATEST(line.written_off_at, transfer_end.last_moved_at) AS occurred_at,
        line.surplus_units - line.lost_units AS quantity_units
    FROM gold.fact_transfer_line AS line
    INNER JOIN transfer_end
        ON transfer_end.source_name = line.source_name
        AND transfer_end.transfer_id = line.transfer_id
        AND transfer_end.product_durable_key = line.product_durable_key
    WHERE line.surplus_units <> line.lost_units
),

dated_loss AS (
    SELECT
        loss.transfer_line_key,
        loss.source_name,
        loss.transfer_id,
        loss.line_no,
        loss.product_durable_key,
        loss.to_location_durable_key,
        loss.occurred_at,
        business_date(
            loss.occurred_at,
            COALESCE(place.timezone, project.timezone),
            COALESCE(place.business_day_cutover, project.business_day_cutover)
        ) AS business_date,
        loss.quantity_units
    FROM loss
    CROSS JOIN meta.project AS project
    LEFT JOIN gold.dim_location AS place
        ON place.location_durable_key = loss.to_location_durable_key
        AND place.valid_from_at <= loss.occurred_at
        AND place.superseded_at > loss.occurred_at
)

SELECT
    loss.transfer_line_key,
    loss.source_name,
    loss.transfer_id,
    loss.line_no,
    loss.product_durable_key,
    loss.to_location_durable_key,
    loss.occurred_at,
    loss.business_date,
    loss.quantity_units
FROM dated_loss AS loss
INNER JOIN gold.dim_date AS calendar
    ON calendar.date_key = loss.business_date;
