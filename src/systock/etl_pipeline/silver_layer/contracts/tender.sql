-- One payment of a receipt, invoice or web order, or a refund.
-- history: corrections
CREATE TABLE silver.tender (
    source_name   text           NOT NULL,                             -- the source whose receipt it is
    sale_id       text           NOT NULL CHECK (sale_id <> ''),       -- receipt, as on its sale lines: where and when stands there
    tender_no     text           NOT NULL CHECK (tender_no <> ''),     -- payment within it
    tender_method text           NOT NULL CHECK (tender_method <> ''), -- cash, card, voucher, ...
    amount        numeric(18, 4) NOT NULL
        CHECK (amount > -10000000000000 AND amount < 10000000000000),  -- paid, tax included; refunds are negative
    currency_code text           CHECK (length(currency_code) = 3),    -- ISO 4217; omitted: the project's currency
    updated_at    timestamptz,                                         -- when the source last changed it
    PRIMARY KEY (source_name, sale_id, tender_no)
);
