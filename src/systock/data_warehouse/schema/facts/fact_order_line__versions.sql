-- What was ever believed of a line of a customer's order, and in which span of knowledge.
-- refresh: versions
CREATE TABLE gold.fact_order_line__versions (
    order_line_key       uuid           NOT NULL, -- hash of source, order and line
    product_durable_key  bigint         NOT NULL, -- hash of the product's source and id, never 0
    product_id           text           NOT NULL, -- what
    location_durable_key bigint         NOT NULL, -- hash of the location's source and id, never 0
    location_id          text           NOT NULL, -- the place whose goods it takes
    business_date        date           NOT NULL, -- local day on which it was ordered
    shipped_date         date,                    -- local day on which the last of it left; NULL = not yet
    ordered_units        numeric(18, 3) NOT NULL, -- in the product's base unit
    cancelled_units      numeric(18, 3) NOT NULL, -- of it no longer wanted
    reserved_units       numeric(18, 3) NOT NULL, -- set aside for it on the shelf, as the source says
    known_from_at        timestamptz    NOT NULL, -- when it became known
    known_to_at          timestamptz    NOT NULL, -- until when it was believed, exclusive; 9999-12-31 = still
    PRIMARY KEY (order_line_key, known_from_at)
);

SELECT
    order_line_key,
    product_durable_key,
    product_id,
    location_durable_key,
    location_id,
    business_date,
    shipped_date,
    ordered_units,
    cancelled_units,
    reserved_units
FROM gold.fact_order_line;
