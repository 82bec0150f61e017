-- A movement of stock, posted by a document or by a sale, with the balance and the value after it.
-- refresh: by key
CREATE TABLE gold.fact_stock_movement (
    stock_movement_key            uuid           PRIMARY KEY,  -- its entry in gold.stock_ledger
    entity                        text           NOT NULL,     -- the silver entity behind it: stock_movement or sale_line
    source_name                   text           NOT NULL,     -- the source whose document it is
    movement_id                   text           NOT NULL,     -- movement_id, or the sale_id
    line_no                       text,                        -- line_no of a sale line
    product_key                   bigint         NOT NULL
        REFERENCES gold.dim_product (product_key),             -- version valid at occurred_at; 0 = none
    product_durable_key           bigint         NOT NULL,     -- hash of the product's source and id, never 0
    product_id                    text           NOT NULL,     -- what
    location_key                  bigint         NOT NULL
        REFERENCES gold.dim_location (location_key),           -- version valid at occurred_at; 0 = none
    location_durable_key          bigint         NOT NULL,     -- hash of the location's source and id, never 0
    location_id                   text           NOT NULL,     -- where
    movement_kind_key             bigint         NOT NULL
        REFERENCES gold.dim_movement_kind (movement_kind_key), -- why
    movement_kind                 text           NOT NULL,     -- why, as code
    stock_status                  text           NOT NULL,     -- sellable, damaged, hold
    occurred_at                   timestamptz    NOT NULL,     -- when
    business_date                 date           NOT NULL
        REFERENCES gold.dim_date (date_key),                   -- local day by the location's zone and cutover as of occurred_at
    quantity_units                numeric(18, 3) NOT NULL,     -- signed, in the product's base unit
    on_hand_after_units           numeric(18, 3),              -- balance after it, in base units; NULL = not known. Never summed over time
    currency_code                 text,                        -- ISO 4217 of the product's cost, of the two amounts below
    cost_amount                   numeric(18, 4),              -- what it adds to the value of the stock, signed; NULL = not known
    value_after_amount            numeric(18, 4),              -- value of the stock after it; NULL = not known. Never summed over time
    reporting_cost_amount         numeric(18, 4),              -- cost_amount in the project's currency at the rate of business_date
    reporting_value_after_amount  numeric(18, 4),              -- value_after_amount in the project's currency at the rate of business_date
    unit_cost_amount              numeric(18, 6),              -- cost per base unit that the document states, in unit_cost_currency_code
    unit_cost_currency_code       text,                        -- ISO 4217 of unit_cost_amount
    lot_id                        text,                        -- lot or batch of the goods
    expiry_date                   date,                        -- best before
    document_id                   text,                        -- the paper behind it
    transfer_id                   text                         -- pairs transfer_out with transfer_in
);

-- Values are in the product's own currency, which no change of rates moves, and beside it in the project's at the day's rate.
-- By moving average and FIFO they are those of the movement's own posting in gold.stock_cost: what else it caused, a variance or the
-- cost of goods moved on, is there alone. By standard cost they are units x the standard cost at occurred_at; in the gap after a
-- product's deletion that is the last known.
WITH movement AS (
    SELECT
        entry.ledger_entry_key,
        entry.entity,
        entry.source_name,
        entry.entry_id,
        entry.entry_line_no,
        CASE WHEN entry.occurred_at < article.valid_to_at THEN article.product_key ELSE 0 END AS product_key,
        entry.product_durable_key,
        entry.product_id,
        CASE WHEN entry.occurred_at < place.valid_to_at THEN place.location_key ELSE 0 END AS location_key,
        entry.location_durable_key,
        entry.location_id,
        entry.movement_kind,
        entry.stock_status,
        entry.occurred_at,
        entry.business_date,
        entry.quantity_units,
        balance.balance_after_units,
        CASE
            WHEN project.cost_method = 'standard' THEN mul(entry.quantity_units, article.standard_cost_amount, 4)
            ELSE posting.cost_amount
        END AS cost_amount,
        CASE
            WHEN project.cost_method = 'standard' THEN mul(balance.balance_after_units, article.standard_cost_amount, 4)
            ELSE posting.value_after_amount
        END AS value_after_amount,
        CASE
            WHEN posting.currency_code IS NOT NULL THEN posting.currency_code
            WHEN article.standard_cost_amount IS NOT NULL THEN article.currency_code
        END AS currency_code,
        project.currency_code AS project_currency_code,
        entry.unit_cost_amount,
        entry.cost_currency_code,
        entry.lot_id,
        entry.expiry_date,
        entry.document_id,
        entry.transfer_id
    FROM gold.stock_entry AS entry
    INNER JOIN gold.stock_ledger AS balance
        ON balance.ledger_entry_key = entry.ledger_entry_key
    CROSS JOIN meta.project AS project
    LEFT JOIN gold.dim_product AS article
        ON article.product_durable_key = entry.product_durable_key
        AND article.valid_from_at <= entry.occurred_at
        AND article.superseded_at > entry.occurred_at
    LEFT JOIN gold.dim_location AS place
        ON place.location_durable_key = entry.location_durable_key
        AND place.valid_from_at <= entry.occurred_at
        AND place.superseded_at > entry.occurred_at
    LEFT JOIN gold.stock_cost AS posting
        ON posting.ledger_entry_key = entry.ledger_entry_key
        AND posting.posting_no = 0
    WHERE entry.entry_kind = 'movement'
)

SELECT
    movement.ledger_entry_key AS stock_movement_key,
    movement.entity,
    movement.source_name,
    movement.entry_id AS movement_id,
    movement.entry_line_no AS line_no,
    movement.product_key,
    movement.product_durable_key,
    movement.product_id,
    movement.location_key,
    movement.location_durable_key,
    movement.location_id,
    COALESCE(kind.movement_kind_key, 0) AS movement_kind_key,
    movement.movement_kind,
    movement.stock_status,
    movement.occurred_at,
    movement.business_date,
    movement.quantity_units,
    movement.balance_after_units AS on_hand_after_units,
    movement.currency_code,
    movement.cost_amount,
    movement.value_after_amount,
    mul(
        movement.cost_amount,
        CASE WHEN movement.currency_code = movement.project_currency_code THEN 1 ELSE rate.exchange_rate END, 4
    ) AS reporting_cost_amount,
    mul(
        movement.value_after_amount,
        CASE WHEN movement.currency_code = movement.project_currency_code THEN 1 ELSE rate.exchange_rate END, 4
    ) AS reporting_value_after_amount,
    movement.unit_cost_amount,
    movement.cost_currency_code AS unit_cost_currency_code,
    movement.lot_id,
    movement.expiry_date,
    movement.document_id,
    movement.transfer_id
FROM movement
LEFT JOIN gold.dim_movement_kind AS kind
    ON kind.movement_kind = movement.movement_kind
LEFT JOIN gold.exchange_rate_day AS rate
    ON rate.currency_code = movement.currency_code
    AND rate.rate_date = movement.business_date;
