-- A count of stock, or a level that a system stated: what the book said, what was found, the difference and what explains it.
-- refresh: by key
CREATE TABLE gold.fact_stock_count (
    stock_count_key           uuid           PRIMARY KEY, -- its entry in gold.stock_ledger
    source_name               text           NOT NULL,    -- the source whose count it is
    count_id                  text           NOT NULL,    -- count sheet and line
    count_kind                text           NOT NULL,    -- physical, or level: stated by a system
    product_key               bigint         NOT NULL
        REFERENCES gold.dim_product (product_key),        -- version valid at counted_at; 0 = none
    product_durable_key       bigint         NOT NULL,    -- hash of the product's source and id, never 0
    product_id                text           NOT NULL,    -- what
    location_key              bigint         NOT NULL
        REFERENCES gold.dim_location (location_key),      -- version valid at counted_at; 0 = none
    location_durable_key      bigint         NOT NULL,    -- hash of the location's source and id, never 0
    location_id               text           NOT NULL,    -- where
    stock_status              text           NOT NULL,    -- sellable, damaged, hold
    counted_at                timestamptz    NOT NULL,    -- the instant that it stands at
    business_date             date           NOT NULL
        REFERENCES gold.dim_date (date_key),              -- local day by the location's zone and cutover as of counted_at
    book_units                numeric(18, 3),             -- on hand by the ledger before it, in base units; NULL = not known
    counted_units             numeric(18, 3) NOT NULL,    -- found, in base units
    variance_units            numeric(18, 3),             -- counted - book: negative is a loss; NULL where the book was not known
    currency_code             text,                       -- ISO 4217 of the product's cost, of variance_amount
    variance_amount           numeric(18, 4),             -- what it adds to the value of the stock: variance_units at its cost; NULL = not known
    reporting_variance_amount numeric(18, 4),             -- variance_amount in the project's currency at the rate of business_date
    variance_at_count_units   numeric(18, 3),             -- what was seen at the shelf: counted - book of what was entered by then; like
                                                          -- the parts below NULL where the book was not known
    late_posting_units        numeric(18, 3),             -- of it: documents dated before the count and entered after it
    in_transit_units          numeric(18, 3),             -- of it, like the three below also of variance_units: goods on their way
    unit_error_units          numeric(18, 3),             -- of it: the count or a document, read in another unit of the product
    unposted_return_units     numeric(18, 3),             -- of it: goods that customers brought back and no movement posted
    unexplained_units         numeric(18, 3),             -- of it: the rest
    CHECK (
        variance_at_count_units
        = late_posting_units + in_transit_units + unit_error_units + unposted_return_units + unexplained_units
    )
);

-- The parts and their rules are those of gold.stock_count_explanation.
-- By moving average and FIFO the variance is worth what its posting in gold.stock_cost says, by standard cost that at counted_at.
WITH counted AS (
    SELECT
        entry.ledger_entry_key,
        entry.source_name,
        entry.entry_id,
        entry.count_kind,
        CASE WHEN entry.occurred_at < article.valid_to_at THEN article.product_key ELSE 0 END AS product_key,
        entry.product_durable_key,
        entry.product_id,
        CASE WHEN entry.occurred_at < place.valid_to_at THEN place.location_key ELSE 0 END AS location_key,
        entry.location_durable_key,
        entry.location_id,
        entry.stock_status,
        entry.occurred_at,
        entry.business_date,
        balance.balance_before_units,
        entry.counted_units,
        balance.variance_units,
        CASE
            WHEN project.cost_method = 'standard' THEN mul(balance.variance_units, article.standard_cost_amount, 4)
            WHEN balance.variance_units IS NOT NULL THEN posting.cost_amount
        END AS variance_amount,
        CASE
            WHEN posting.currency_code IS NOT NULL THEN posting.currency_code
            WHEN article.standard_cost_amount IS NOT NULL THEN article.currency_code
        END AS currency_code,
        project.currency_code AS project_currency_code
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
    WHERE entry.entry_kind = 'count'
)

SELECT
    counted.ledger_entry_key AS stock_count_key,
    counted.source_name,
    counted.entry_id AS count_id,
    counted.count_kind,
    counted.product_key,
    counted.product_durable_key,
    counted.product_id,
    counted.location_key,
    counted.location_durable_key,
    counted.location_id,
    counted.stock_status,
    counted.occurred_at AS counted_at,
    counted.business_date,
    counted.balance_before_units AS book_units,
    counted.counted_units,
    counted.variance_units,
    counted.currency_code,
    counted.variance_amount,
    mul(
        counted.variance_amount,
        CASE WHEN counted.currency_code = counted.project_currency_code THEN 1 ELSE rate.exchange_rate END, 4
    ) AS reporting_variance_amount,
    part.variance_at_count_units,
    part.late_posting_units,
    part.in_transit_units,
    part.unit_error_units,
    part.unposted_return_units,
    part.unexplained_units
FROM counted
LEFT JOIN gold.stock_count_explanation AS part
    ON part.ledger_entry_key = counted.ledger_entry_key
LEFT JOIN gold.exchange_rate_day AS rate
    ON rate.currency_code = counted.currency_code
    AND rate.rate_date = counted.business_date;
