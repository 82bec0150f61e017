-- Orders to suppliers that were confirmed, in the product's own unit by what came in of them. A draft or quotation is none.
WITH received AS (
    SELECT
        SPLIT_PART(moves.origin, ',', 2) AS line_id,
        SUM(try_number(moves.quantity)) AS quantity,
        MAX(moves.effective_date) AS effective_date
    FROM bronze.tryton__moves AS moves
    INNER JOIN bronze.tryton__locations AS locations ON locations.id = moves.from_location
    WHERE moves.state = 'done' AND moves.origin LIKE 'purchase.line,%' AND locations.type = 'supplier'
    GROUP BY SPLIT_PART(moves.origin, ',', 2)
)

SELECT
    COALESCE(purchases.number, 'purchase ' || purchases.id) AS purchase_order_id,
    lines.id AS line_no,
    purchases.party AS supplier_id,
    purchases.warehouse AS location_id,
    lines.product AS product_id,
    purchases.purchase_date || ' 00:00:00' AS ordered_at_local,
    purchases.delivery_date AS expected_date,
    CASE WHEN received.quantity > 0 THEN received.effective_date || ' 00:00:00' END AS received_at_local,
    mul(try_number(lines.quantity), 1, 3) AS ordered_quantity,
    mul(COALESCE(received.quantity, 0), 1, 3) AS received_quantity,
    units.name AS unit,
    lines.unit_price AS unit_cost_amount,
    purchases.currency AS currency_code,
    purchases.state = 'done' AS is_closed
FROM bronze.tryton__purchase_lines AS lines
INNER JOIN bronze.tryton__purchases AS purchases ON purchases.id = lines.purchase
INNER JOIN bronze.tryton__products AS products ON products.id = lines.product
INNER JOIN bronze.tryton__units AS units ON units.id = lines.unit
LEFT JOIN received ON received.line_id = lines.id
WHERE
    lines.type = 'line' AND products.type = 'goods' AND purchases.warehouse IS NOT NULL
    AND try_number(lines.quantity) > 0 AND purchases.state IN ('confirmed', 'processing', 'done');
