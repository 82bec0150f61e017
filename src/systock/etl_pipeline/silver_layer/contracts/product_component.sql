-- How much of a component one unit of a kit or a recipe takes. A kit is a product that is not stocked (is_stocked) and has components.
-- history: corrections
CREATE TABLE silver.product_component (
    source_name          text           NOT NULL,                                    -- the source whose codes the products are
    product_id           text           NOT NULL CHECK (product_id <> ''),           -- the kit
    component_product_id text           NOT NULL CHECK (component_product_id <> ''), -- what is in it
    quantity             numeric(18, 6) NOT NULL CHECK (quantity > 0),               -- base units of the component per base unit of the kit
    updated_at           timestamptz,                                                -- when the source last changed it
    PRIMARY KEY (source_name, product_id, component_product_id),
    CHECK (product_id <> component_product_id)
);
