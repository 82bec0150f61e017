-- What of each sale is still to be sent, in the product's own unit. Reserved is what is assigned to it in the storage zone: what was picked
-- waits in the output zone and is no longer sellable. available = on hand (sellable) - reserved. Of a kit the components are sent: each is
-- a line, the kit is none.
WITH place AS (
    SELECT
        locations.id AS id,
        locations.type AS type,
        locations.zone AS zone
    FROM bronze.tryton__locations AS locations
),

part AS (
    SELECT
        -- A move out of the storage zone comes from the one that leaves the warehouse, and that one from the line or the component:
        -- sale.line,ID or sale.line.component,ID.
        CASE WHEN moves.origin LIKE 'sale.line%' THEN moves.origin ELSE outgoing.origin END AS origin,
        CASE
            WHEN moves.state = 'done' AND target.type = 'customer' THEN try_number(moves.internal_quantity) ELSE 0
        END AS shipped,
        CASE
            WHEN moves.state = 'assigned' AND source.zone = 'storage' THEN try_number(moves.internal_quantity) ELSE 0
        END AS reserved,
        CASE WHEN moves.state = 'done' AND target.type = 'customer' THEN moves.effective_date END AS shipped_date
    FROM bronze.tryton__moves AS moves
    INNER JOIN place AS source ON source.id = moves.from_location
    INNER JOIN place AS target ON target.id = moves.to_location
    LEFT JOIN bronze.tryton__moves AS outgoing
        ON outgoing.id = CASE WHEN moves.origin LIKE 'stock.move,%' THEN SPLIT_PART(moves.origin, ',', 2) END
    WHERE moves.origin LIKE 'sale.line%' OR outgoing.origin LIKE 'sale.line%'
),

progress AS (
    SELECT part.origin AS origin, SUM(part.shipped) AS shipped, SUM(part.reserved) AS reserved
    FROM part
    GROUP BY part.origin
),

ordered AS (
    SELECT
        lines.id AS line_no,
        'sale.line,' || lines.id AS origin,
        lines.sale AS sale,
        lines.product AS product,
        lines.unit AS unit,
        lines.quantity AS quantity
    FROM bronze.tryton__sale_lines AS lines
    WHERE lines.type = 'line'
    UNION ALL
    SELECT
        lines.id || '/' || components.id AS line_no,
        'sale.line.component,' || components.id AS origin,
        lines.sale AS sale,
        components.product AS product,
        components.unit AS unit,
        components.quantity AS quantity
    FROM bronze.tryton__sale_line_components AS components
    INNER JOIN bronze.tryton__sale_lines AS lines ON lines.id = components.line
),

line AS (
    SELECT
        ordered.line_no AS line_no,
        COALESCE(sales.number, 'sale ' || sales.id) AS sale_number,
        sales.state AS state,
        sales.warehouse AS warehouse,
        sales.party AS party,
        sales.sale_date AS sale_date,
        sales.currency AS currency,
        ordered.product AS product,
        units.name AS unit,
        try_number(ordered.quantity) AS quantity,
        -- In the product's own unit.
        CASE
            WHEN units.id = base.id THEN try_number(ordered.quantity)
            WHEN try_number(units.factor) >= 1 AND try_number(base.factor) >= 1
                THEN mul_div(try_number(ordered.quantity), try_number(units.factor), try_number(base.factor))
            WHEN try_number(units.factor) >= 1
                THEN mul(mul(try_number(ordered.quantity), try_number(units.factor), 4), try_number(base.rate), 4)
            WHEN try_number(base.factor) >= 1
                THEN safe_div(try_number(ordered.quantity), mul(try_number(units.rate), try_number(base.factor), 8), 4)
            ELSE mul_div(try_number(ordered.quantity), try_number(base.rate), try_number(units.rate))
        END AS ordered,
        COALESCE(progress.shipped, 0) AS shipped,
        COALESCE(progress.reserved, 0) AS reserved
    FROM ordered
    INNER JOIN bronze.tryton__sales AS sales ON sales.id = ordered.sale
    INNER JOIN bronze.tryton__products AS products ON products.id = ordered.product
    INNER JOIN bronze.tryton__units AS units ON units.id = ordered.unit
    INNER JOIN bronze.tryton__units AS base ON base.id = products.unit
    LEFT JOIN progress ON progress.origin = ordered.origin
    WHERE
        products.type = 'goods' AND try_number(ordered.quantity) > 0
        AND sales.state IN ('confirmed', 'processing', 'done')
)

SELECT
    line.sale_number AS order_id,
    line.line_no AS line_no,
    COALESCE(line.warehouse, 'none') AS location_id,
    line.product AS product_id,
    line.party AS customer_id,
    line.sale_date || ' 00:00:00' AS ordered_at_local,
    mul(line.ordered, 1, 3) AS ordered_quantity,
    mul(line.reserved, 1, 3) AS reserved_quantity,
    mul(line.shipped, 1, 3) AS shipped_quantity,
    -- What a sale that is done has not sent will not be sent.
    CASE WHEN line.state = 'done' AND line.ordered > line.shipped THEN mul(line.ordered - line.shipped, 1, 3) ELSE 0 END
        AS cancelled_quantity,
    line.currency AS currency_code
FROM line;
