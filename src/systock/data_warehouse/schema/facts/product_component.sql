-- How much of a component one unit of a kit or a recipe takes: one row per product and component.
-- refresh: by key
CREATE TABLE gold.product_component (
    product_durable_key   bigint         NOT NULL, -- hash of the kit's source and id
    component_durable_key bigint         NOT NULL, -- hash of the component's source and id
    product_id            text           NOT NULL, -- the kit
    component_product_id  text           NOT NULL, -- what is in it
    quantity_units        numeric(18, 6) NOT NULL
        CHECK (quantity_units > 0),                -- base units of the component per base unit of the kit
    is_kit                boolean        NOT NULL, -- the product keeps no stock of its own: what is available of it is that of its components
    is_limiting           boolean        NOT NULL, -- how many there can be hangs on this component: it is stocked, or a kit itself
    PRIMARY KEY (product_durable_key, component_durable_key)
);

-- A product that is stocked itself and has components is made of them beforehand: a recipe. Services in a kit limit nothing.
WITH made AS (
    SELECT source_name, product_id
    FROM silver.product_component
    GROUP BY source_name, product_id
)

SELECT
    dim_key(part.source_name, part.product_id) AS product_durable_key,
    dim_key(part.source_name, part.component_product_id) AS component_durable_key,
    part.product_id,
    part.component_product_id,
    part.quantity AS quantity_units,
    NOT COALESCE(article.is_stocked, TRUE) AS is_kit,
    COALESCE(component.is_stocked, TRUE) OR made.product_id IS NOT NULL AS is_limiting
FROM silver.product_component AS part
LEFT JOIN gold.dim_product AS article
    ON article.source_name = part.source_name
    AND article.product_id = part.product_id
    AND article.is_latest
LEFT JOIN gold.dim_product AS component
    ON component.source_name = part.source_name
    AND component.product_id = part.component_product_id
    AND component.is_latest
LEFT JOIN made
    ON made.source_name = part.source_name
    AND made.product_id = part.component_product_id;
