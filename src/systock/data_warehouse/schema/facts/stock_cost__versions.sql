-- What was ever believed of a posting of the stock ledger's value, and in which span of knowledge, since the books were first closed.
-- refresh: versions
-- kept since: silver.period_close
CREATE TABLE gold.stock_cost__versions (
    ledger_entry_key     uuid           NOT NULL, -- the entry that caused the posting (gold.stock_cost)
    posting_no           integer        NOT NULL, -- 0 = what the entry itself moves, then what else it caused
    posting_kind         text           NOT NULL, -- entry, transfer, transit_loss, settlement, revaluation, variance (gold.stock_cost)
    product_durable_key  bigint         NOT NULL, -- hash of the product's source and id
    location_durable_key bigint         NOT NULL, -- hash of the location's source and id
    stock_status         text           NOT NULL, -- sellable, damaged, hold; in_transit of a transit_loss
    movement_kind        text,                    -- why the entry was; NULL for counts
    business_date        date           NOT NULL, -- local day of the entry, at its own place
    entity               text           NOT NULL, -- the silver entity behind the entry
    source_name          text           NOT NULL, -- the source whose document it is
    entry_id             text           NOT NULL, -- movement_id, count_id, sale_id or transfer_id
    entry_line_no        text,                    -- line_no of a sale line or a transfer line
    currency_code        text           NOT NULL, -- ISO 4217 of the amount
    cost_amount          numeric(18, 4) NOT NULL, -- what is added to the stock
    known_from_at        timestamptz    NOT NULL, -- when it became known; of the oldest: when the books were first closed
    known_to_at          timestamptz    NOT NULL, -- until when it was believed, exclusive; 9999-12-31 = still
    PRIMARY KEY (ledger_entry_key, posting_no, known_from_at)
);

-- Without what stands after a posting: a backdated receipt makes new rows of what costs otherwise, and of nothing else.
SELECT
    ledger_entry_key,
    posting_no,
    posting_kind,
    product_durable_key,
    location_durable_key,
    stock_status,
    movement_kind,
    business_date,
    entity,
    source_name,
    entry_id,
    entry_line_no,
    currency_code,
    cost_amount
FROM gold.stock_cost
WHERE cost_amount <> 0;
