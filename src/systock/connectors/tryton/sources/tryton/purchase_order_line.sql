-- Orders to suppliers that were confirmed, in the product's own unit by what came in of them. A draft or quotation is none. Of a kit the
-- components come in: each is a line, the kit is none.
WITH received AS (
    SELECT
        moves.origin AS origin,
        SUM(try_number(moves.quantity)) AS quantity,
        MAX(moves.effective_date) AS effective_date
    FROM bronze.tryton__moves AS moves
    INNER JOIN bronze.tryton__locations AS locations ON locations.id = moves.from_location
    WHERE moves.state = 'done' AND moves.origin LIKE 'purchase.line%' AND locations.type = 'supplier'
    GROUP BY moves.origin
),

ordered AS (
    SELECT
        lines.id AS line_no,
        'purchase.line,' || lines.id AS origin,
        lines.purchase AS purchase,
        lines.product AS product,
        lines.unit AS unit,
        lines.quantity AS quantity,
        try_number(lines.unit_price) AS unit_price
    FROM bronze.tryton__purchase_lines AS lines
    WHERE lines.type = 'line'
    UNION ALL
    SELECT
        lines.id || '/' || components.id AS line_no,
        'purchase.line.component,' || components.id AS origin,
        lines.purchase AS purchase,
        components.product AS product,
        components.unit AS unit,
        components.quantity AS quantity,
        mul(try_number(lines.unit_price), try_number(components.price_ratio), 6) AS unit_price
    FROM bronze.tryton__purchase_line_components AS components
    INNER JOIN bronze.tryton__purchase_lines AS lines ON lines.id = components.line
)

SELECT
    COALESCE(purchases.number, 'purchase ' || purchases.id) AS purchase_order_id,
    ordered.line_no AS line_no,
    purchases.party AS supplier_id,
    purchases.warehouse AS location_id,
    ordered.product AS product_id,
    purchases.purchase_date || ' 00:00:00' AS ordered_at_local,
    purchases.delivery_date AS expected_date,
    CASE WHEN received.quantity > 0 THEN received.effective_date || ' 00:00:00' END AS received_at_local,
    mul(try_number(ordered.quantity), 1, 3) AS ordered_quantity,
    mul(COALESCE(received.quantity, 0), 1, 3) AS received_quantity,
    units.name AS unit,
    ordered.unit_price AS unit_cost_amount,
    purchases.currency AS currency_code,
    purchases.state = 'done' AS is_closed
FROM ordered
INNER JOIN bronze.tryton__purchases AS purchases ON purchases.id = ordered.purchase
INNER JOIN bronze.tryton__products AS products ON products.id = ordered.product
INNER JOIN bronze.tryton__units AS units ON units.id = ordered.unit
LEFT JOIN received ON received.origin = ordered.origin
WHERE
    products.type = 'goods' AND purchases.warehouse IS NOT NULL
    AND try_number(ordered.quantity) > 0 AND purchases.state IN ('confirmed', 'processing', 'done');
