-- Orders, sent home by the warehouse or picked up in a store: what of each line is reserved, shipped and cancelled so far.
-- available = on hand - reserved.
SELECT
    lines.order_number AS order_id,
    lines.line AS line_no,
    -- The place whose goods it takes.
    orders.fulfilled_by AS location_id,
    lines.sku AS product_id,
    orders.customer AS customer_id,
    orders.placed_at AS ordered_at,
    orders.shipped_at AS shipped_at,
    lines.ordered AS ordered_quantity,
    lines.reserved AS reserved_quantity,
    lines.shipped AS shipped_quantity,
    lines.cancelled AS cancelled_quantity,
    -- Whole cents.
    mul(try_number(json_get(lines.price, 'cents')), 0.01, 4) AS unit_price_amount,
    json_get(lines.price, 'currency') AS currency_code,
    'online' AS channel,
    lines.updated_at AS updated_at
FROM bronze.shop__order_lines AS lines
INNER JOIN bronze.shop__orders AS orders ON orders.number = lines.order_number
-- A draft is no order yet, and a test never is one.
WHERE orders.state <> 'draft' AND orders.test <> 'true';
