-- What kits, and products that are sold with others, are made of, in each component's own unit. A variant has components of its own or those
-- of its template.
WITH own AS (
    SELECT components.parent_product AS product
    FROM bronze.tryton__components AS components
    WHERE components.parent_product IS NOT NULL
    GROUP BY components.parent_product
),

part AS (
    SELECT
        products.id AS product,
        components.product AS component,
        components.unit AS unit,
        try_number(components.quantity) AS quantity
    FROM bronze.tryton__components AS components
    INNER JOIN bronze.tryton__products AS products ON products.template = components.parent_template
    LEFT JOIN own ON own.product = products.id
    WHERE components.parent_product = products.id OR (components.parent_product IS NULL AND own.product IS NULL)
)

SELECT
    part.product AS product_id,
    part.component AS component_product_id,
    SUM(
        CASE
            WHEN units.id = base.id THEN mul(part.quantity, 1, 6)
            WHEN try_number(units.factor) >= 1 AND try_number(base.factor) >= 1
                THEN safe_div(mul(part.quantity, try_number(units.factor), 8), try_number(base.factor), 6)
            WHEN try_number(units.factor) >= 1
                THEN mul(mul(part.quantity, try_number(units.factor), 8), try_number(base.rate), 6)
            WHEN try_number(base.factor) >= 1
                THEN safe_div(part.quantity, mul(try_number(units.rate), try_number(base.factor), 8), 6)
            ELSE safe_div(mul(part.quantity, try_number(base.rate), 8), try_number(units.rate), 6)
        END
    ) AS quantity
FROM part
INNER JOIN bronze.tryton__products AS articles ON articles.id = part.component
INNER JOIN bronze.tryton__units AS units ON units.id = part.unit
INNER JOIN bronze.tryton__units AS base ON base.id = articles.unit
GROUP BY part.product, part.component;
