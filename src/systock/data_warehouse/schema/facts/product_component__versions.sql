-- What was ever believed of the components of a kit or a recipe, and in which span of knowledge.
-- refresh: versions
CREATE TABLE gold.product_component__versions (
    product_durable_key   bigint         NOT NULL, -- hash of the kit's source and id
    component_durable_key bigint         NOT NULL, -- hash of the component's source and id
    product_id            text           NOT NULL, -- the kit
    component_product_id  text           NOT NULL, -- what is in it
    quantity_units        numeric(18, 6) NOT NULL, -- base units of the component per base unit of the kit
    is_kit                boolean        NOT NULL, -- the product keeps no stock of its own
    is_limiting           boolean        NOT NULL, -- how many there can be hangs on this component
    known_from_at         timestamptz    NOT NULL, -- when it became known
    known_to_at           timestamptz    NOT NULL, -- until when it was believed, exclusive; 9999-12-31 = still
    PRIMARY KEY (product_durable_key, component_durable_key, known_from_at)
);

SELECT
    product_durable_key,
    component_durable_key,
    product_id,
    component_product_id,
    quantity_units,
    is_kit,
    is_limiting
FROM gold.product_component;
