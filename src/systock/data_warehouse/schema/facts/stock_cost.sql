-- What each entry of the stock ledger is worth: postings by moving average or FIFO. Sums of them are the value of a stock.
-- refresh: kernel
CREATE TABLE gold.stock_cost (
    ledger_entry_key       uuid           NOT NULL, -- the entry in gold.stock_ledger that caused the posting; of a transit_loss the line
                                                    -- in gold.fact_transfer_line
    posting_no             integer        NOT NULL, -- 0 = what the entry itself moves, then what else it caused
    posting_kind           text           NOT NULL
        CHECK (posting_kind IN (
            'entry', 'transfer', 'transit_loss', 'settlement', 'revaluation', 'variance'
        )),                                         -- see below
    cost_group             bigint         NOT NULL, -- the product, or all products that are valued together
    product_durable_key    bigint         NOT NULL, -- hash of the product's source and id: of the stock that changes in value
    location_durable_key   bigint         NOT NULL, -- hash of the location's source and id: where it is, maybe not the entry's own place;
                                                    -- of a transit_loss where it was to go
    stock_status           text           NOT NULL, -- sellable, damaged, hold; in_transit of a transit_loss
    occurred_at            timestamptz    NOT NULL, -- when the entry was
    movement_kind          text,                    -- why the entry was; NULL for counts; transfer_loss of a transit_loss
    transfer_id            text,                    -- whose goods in transit change in value by a transfer: source / transfer_id
    cost_amount            numeric(18, 4),          -- what is added to the stock, in currency_code; NULL = no cost was known
    unit_cost_after_amount numeric(18, 6),          -- per base unit, after all postings of the entry; NULL = not known
    value_after_amount     numeric(18, 4),          -- of that stock, after all postings of the entry; NULL = not known. Never summed
    business_date          date           NOT NULL
        REFERENCES gold.dim_date (date_key),        -- local day of the entry, at its own place
    entry_order            integer        NOT NULL, -- order among the entries of one instant
    entity                 text           NOT NULL, -- the silver entity behind the entry
    source_name            text           NOT NULL, -- the source whose document it is
    entry_id               text           NOT NULL, -- movement_id, count_id, sale_id or, of a transit_loss, transfer_id
    entry_line_no          text,                    -- line_no of a sale line or a transfer line
    currency_code          text           NOT NULL, -- ISO 4217 of the amounts
    PRIMARY KEY (ledger_entry_key, posting_no)
);

-- The SELECT is what systock.data_warehouse.stock_cost reads, in the order of cost_group, occurred_at, entry_order and
-- ledger_entry_key; the rules, the kinds of postings and what always holds between them stand there. A changed entry has its cost
-- group valued anew from its instant on. Under cost_method 'standard' nothing is posted. What is received of a transfer beyond what was
-- shipped costs per unit what its last shipment did.
-- Costs are converted at the rate of the entry's business date; in a currency without a rate they are not known until it comes.
WITH entry AS (
    SELECT
        entry.ledger_entry_key,
        entry.product_durable_key,
        entry.location_durable_key,
        entry.stock_status,
        entry.occurred_at,
        entry.movement_kind,
        entry.quantity_units,
        balance.balance_after_units,
        entry.unit_cost_amount,
        entry.value_amount,
        entry.cost_currency_code,
        entry.original_entry_key,
        entry.transfer_id,
        entry.document_id,
        entry.business_date,
        entry.entry_order,
        entry.entity,
        entry.source_name,
        entry.entry_id,
        entry.entry_line_no
    FROM gold.stock_entry AS entry
    INNER JOIN gold.stock_ledger AS balance
        ON balance.ledger_entry_key = entry.ledger_entry_key
    UNION ALL
    SELECT
        loss.transfer_line_key AS ledger_entry_key,
        loss.product_durable_key,
        loss.to_location_durable_key AS location_durable_key,
        'in_transit' AS stock_status,
        loss.occurred_at,
        'transfer_loss' AS movement_kind,
        loss.quantity_units,
        CAST(NULL AS numeric(18, 3)) AS balance_after_units,
        CAST(NULL AS numeric(18, 6)) AS unit_cost_amount,
        CAST(NULL AS numeric(18, 4)) AS value_amount,
        CAST(NULL AS text) AS cost_currency_code,
        CAST(NULL AS uuid) AS original_entry_key,
        loss.transfer_id,
        CAST(NULL AS text) AS document_id,
        loss.business_date,
        990 AS entry_order,
        'transfer_line' AS entity,
        loss.source_name,
        loss.transfer_id AS entry_id,
        loss.line_no AS entry_line_no
    FROM gold.transfer_loss AS loss
),

stated_entry AS (
    SELECT
        entry.ledger_entry_key,
        grouped.cost_group,
        entry.product_durable_key,
        entry.location_durable_key,
        entry.stock_status,
        entry.occurred_at,
        entry.movement_kind,
        entry.quantity_units,
        entry.balance_after_units,
        entry.unit_cost_amount,
        article.standard_cost_amount,
        entry.value_amount,
        entry.original_entry_key,
        entry.source_name || '/' || entry.transfer_id AS transfer_id,
        entry.source_name || '/' || entry.document_id AS document_id,
        entry.business_date,
        entry.entry_order,
        entry.entity,
        entry.source_name,
        entry.entry_id,
        entry.entry_line_no,
        grouped.currency_code,
        COALESCE(entry.cost_currency_code = grouped.currency_code, FALSE) AS is_stated_in_own,
        COALESCE(article.currency_code = grouped.currency_code, FALSE) AS is_standard_in_own,
        CASE
            WHEN entry.cost_currency_code = project.currency_code THEN 1
            ELSE stated_rate.exchange_rate
        END AS stated_exchange_rate,
        CASE
            WHEN article.currency_code = project.currency_code THEN 1
            ELSE standard_rate.exchange_rate
        END AS standard_exchange_rate,
        CASE WHEN grouped.currency_code = project.currency_code THEN 1 ELSE own_rate.exchange_rate END AS exchange_rate
    FROM entry
    INNER JOIN gold.cost_group AS grouped
        ON grouped.product_durable_key = entry.product_durable_key
    CROSS JOIN meta.project AS project
    LEFT JOIN gold.dim_product AS article
        ON article.product_durable_key = entry.product_durable_key
        AND article.valid_from_at <= entry.occurred_at
        AND article.superseded_at > entry.occurred_at
    LEFT JOIN gold.exchange_rate_day AS own_rate
        ON own_rate.currency_code = grouped.currency_code
        AND own_rate.rate_date = entry.business_date
    LEFT JOIN gold.exchange_rate_day AS stated_rate
        ON stated_rate.currency_code = entry.cost_currency_code
        AND stated_rate.rate_date = entry.business_date
    LEFT JOIN gold.exchange_rate_day AS standard_rate
        ON standard_rate.currency_code = article.currency_code
        AND standard_rate.rate_date = entry.business_date
)

SELECT
    ledger_entry_key,
    cost_group,
    product_durable_key,
    location_durable_key,
    stock_status,
    occurred_at,
    movement_kind,
    quantity_units,
    balance_after_units,
    CASE
        WHEN is_stated_in_own THEN unit_cost_amount
        ELSE CAST(safe_div(mul(unit_cost_amount, stated_exchange_rate, 6), exchange_rate, 6) AS numeric(18, 6))
    END AS unit_cost_amount,
    CASE
        WHEN is_standard_in_own THEN standard_cost_amount
        ELSE CAST(safe_div(mul(standard_cost_amount, standard_exchange_rate, 6), exchange_rate, 6) AS numeric(18, 6))
    END AS standard_cost_amount,
    CASE
        WHEN is_stated_in_own THEN value_amount
        ELSE CAST(safe_div(mul(value_amount, stated_exchange_rate, 4), exchange_rate, 4) AS numeric(18, 4))
    END AS value_amount,
    original_entry_key,
    transfer_id,
    document_id,
    business_date,
    entry_order,
    entity,
    source_name,
    entry_id,
    entry_line_no,
    currency_code
FROM stated_entry;
