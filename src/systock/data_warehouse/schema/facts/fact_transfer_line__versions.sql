-- What was ever believed of a line of goods sent from one place to another, and in which span of knowledge.
-- refresh: versions
CREATE TABLE gold.fact_transfer_line__versions (
    transfer_line_key       uuid           NOT NULL, -- hash of source, transfer and line
    product_durable_key     bigint         NOT NULL, -- hash of the product's source and id, never 0
    product_id              text           NOT NULL, -- what
    to_location_durable_key bigint         NOT NULL, -- hash of the receiver's source and id, never 0
    to_location_id          text           NOT NULL, -- where it goes
    business_date           date           NOT NULL, -- local day on which it left
    received_date           date,                    -- local day on which the last of it arrived; NULL = not yet
    shipped_units           numeric(18, 3) NOT NULL, -- in the product's base unit
    in_transit_units        numeric(18, 3) NOT NULL, -- shipped - received - lost, never below 0
    known_from_at           timestamptz    NOT NULL, -- when it became known
    known_to_at             timestamptz    NOT NULL, -- until when it was believed, exclusive; 9999-12-31 = still
    PRIMARY KEY (transfer_line_key, known_from_at)
);

SELECT
    transfer_line_key,
    product_durable_key,
    product_id,
    to_location_durable_key,
    to_location_id,
    business_date,
    received_date,
    shipped_units,
    in_transit_units
FROM gold.fact_transfer_line;
