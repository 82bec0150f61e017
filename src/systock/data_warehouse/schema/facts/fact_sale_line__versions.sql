-- What was ever believed of a counted sale or return line, and in which span of knowledge.
-- refresh: versions
CREATE TABLE gold.fact_sale_line__versions (
    sale_line_key          uuid           NOT NULL, -- hash of source, sale and line
    sale_key               bigint         NOT NULL, -- hash of source and sale: what a transaction is counted by
    product_durable_key    bigint         NOT NULL, -- hash of the product's source and id, never 0
    product_id             text           NOT NULL, -- what was sold
    location_durable_key   bigint         NOT NULL, -- hash of the location's source and id, never 0
    location_id            text           NOT NULL, -- where it was sold
    business_date          date           NOT NULL, -- local day by the location's zone and cutover
    is_return              boolean        NOT NULL, -- goods came back: a return, or any line of negative quantity
    quantity_units         numeric(18, 3) NOT NULL, -- in the product's base unit, signed: returns are negative
    reporting_gross_amount numeric(18, 4) NOT NULL, -- before discount, tax excluded, in the project's currency
    reporting_net_amount   numeric(18, 4) NOT NULL, -- after discount, tax excluded, in the project's currency
    reporting_cost_amount  numeric(18, 4),          -- what the goods cost, in the project's currency; NULL = not known
    known_from_at          timestamptz    NOT NULL, -- when it became known
    known_to_at            timestamptz    NOT NULL, -- until when it was believed, exclusive; 9999-12-31 = still
    PRIMARY KEY (sale_line_key, known_from_at)
);

SELECT
    sale_line_key,
    sale_key,
    product_durable_key,
    product_id,
    location_durable_key,
    location_id,
    business_date,
    is_return,
    quantity_units,
    reporting_gross_amount,
    reporting_net_amount,
    reporting_cost_amount
FROM gold.fact_sale_line
WHERE is_counted;
