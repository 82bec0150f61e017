-- A payment of a receipt, invoice or web order, or a refund: where and when its sale was made.
-- refresh: by key
CREATE TABLE gold.fact_tender (
    tender_key           uuid           PRIMARY KEY, -- hash of source, sale and payment
    source_name          text           NOT NULL,    -- the source whose receipt it is
    sale_id              text           NOT NULL,    -- the receipt paid
    tender_no            text           NOT NULL,    -- payment within it
    sale_key             bigint         NOT NULL,    -- hash of source and sale, as in gold.fact_sale_line
    location_key         bigint         NOT NULL
        REFERENCES gold.dim_location (location_key), -- version valid at paid_at; 0 = none
    location_durable_key bigint         NOT NULL,    -- hash of the location's source and id, never 0
    location_id          text           NOT NULL,    -- where
    paid_at              timestamptz    NOT NULL,    -- the instant of its sale's first line
    business_date        date           NOT NULL
        REFERENCES gold.dim_date (date_key),         -- business day of that line
    tender_method        text           NOT NULL,    -- cash, card, voucher, ...
    currency_code        text           NOT NULL,    -- ISO 4217 of amount
    amount               numeric(18, 4) NOT NULL,    -- paid, tax included; refunds are negative
    reporting_amount     numeric(18, 4) NOT NULL     -- amount in the project's currency at the rate of business_date
);

-- Held back, listed in gold.unconverted_document_line until it heals: a payment of a sale that has no line in gold.fact_sale_line, a
-- currency without rate on that day.
WITH paid AS (
    SELECT
        tender.source_name,
        tender.sale_id,
        tender.tender_no,
        tender.tender_method,
        tender.amount,
        COALESCE(tender.currency_code, project.currency_code) AS currency_code,
        project.currency_code AS project_currency_code,
        sale.location_key,
        sale.location_durable_key,
        sale.location_id,
        sale.sold_at,
        sale.business_date,
        ROW_NUMBER() OVER (
            PARTITION BY tender.source_name, tender.sale_id, tender.tender_no ORDER BY sale.sold_at, sale.line_no
        ) AS line_number
    FROM silver.tender AS tender
    CROSS JOIN meta.project AS project
    INNER JOIN gold.fact_sale_line AS sale
        ON sale.source_name = tender.source_name
        AND sale.sale_id = tender.sale_id
),

converted AS (
    SELECT
        paid.source_name,
        paid.sale_id,
        paid.tender_no,
        paid.tender_method,
        paid.amount,
        paid.currency_code,
        CASE WHEN paid.currency_code = paid.project_currency_code THEN 1 ELSE rate.exchange_rate END AS exchange_rate,
        paid.location_key,
        paid.location_durable_key,
        paid.location_id,
        paid.sold_at,
        paid.business_date
    FROM paid
    LEFT JOIN gold.exchange_rate_day AS rate
        ON rate.currency_code = paid.currency_code
        AND rate.rate_date = paid.business_date
    WHERE paid.line_number = 1
)

SELECT
    fact_key(source_name, sale_id, tender_no) AS tender_key,
    source_name,
    sale_id,
    tender_no,
    dim_key(source_name, sale_id) AS sale_key,
    location_key,
    location_durable_key,
    location_id,
    sold_at AS paid_at,
    business_date,
    tender_method,
    currency_code,
    amount,
    mul(amount, exchange_rate, 4) AS reporting_amount
FROM converted
WHERE exchange_rate IS NOT NULL;
