-- What the other units hold in which a product was sold or bought. Tryton keeps of each unit its factor to the unit of reference and the
-- inverse, and reckons with the one that is 1 or more: of the other digits are lost.
WITH told AS (
    SELECT lines.product AS product, lines.unit AS unit
    FROM bronze.tryton__sale_lines AS lines
    WHERE lines.product IS NOT NULL
    UNION ALL
    SELECT bought.product AS product, bought.unit AS unit
    FROM bronze.tryton__purchase_lines AS bought
    WHERE bought.product IS NOT NULL
    UNION ALL
    SELECT components.product AS product, components.unit AS unit
    FROM bronze.tryton__purchase_line_components AS components
),

used AS (
    SELECT told.product AS product, told.unit AS unit
    FROM told
    GROUP BY told.product, told.unit
)

SELECT
    used.product AS product_id,
    units.name AS unit,
    CASE
        WHEN try_number(units.factor) >= 1 AND try_number(base.factor) >= 1
            THEN safe_div(try_number(units.factor), try_number(base.factor), 6)
        WHEN try_number(units.factor) >= 1 THEN mul(try_number(units.factor), try_number(base.rate), 6)
        WHEN try_number(base.factor) >= 1
            THEN safe_div(1, mul(try_number(units.rate), try_number(base.factor), 8), 6)
        ELSE safe_div(try_number(base.rate), try_number(units.rate), 6)
    END AS base_units
FROM used
INNER JOIN bronze.tryton__products AS products ON products.id = used.product
INNER JOIN bronze.tryton__units AS units ON units.id = used.unit
INNER JOIN bronze.tryton__units AS base ON base.id = products.unit
WHERE units.id <> base.id;
