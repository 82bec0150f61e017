-- What was shipped to customers' homes, and what of it came back. Orders that are picked up are paid at the store's till,
-- which tells them itself.
WITH told AS (
    SELECT
        lines.order_number AS sale_id,
        lines.line AS line_no,
        orders.fulfilled_by AS shelf,
        lines.sku AS sku,
        orders.customer AS customer,
        -- Sold when it left: until then it is an order.
        orders.shipped_at AS sold_at,
        'sale' AS kind,
        orders.test AS test,
        try_number(lines.shipped) AS quantity,
        lines.price AS price,
        try_number(lines.discount_cents) AS discount_cents,
        try_number(lines.tax_cents) AS tax_cents,
        CAST(NULL AS text) AS original_sale_id,
        CAST(NULL AS text) AS original_line_no,
        lines.updated_at AS updated_at
    FROM bronze.shop__order_lines AS lines
    INNER JOIN bronze.shop__orders AS orders ON orders.number = lines.order_number
    -- What is open, cancelled or only a draft was never shipped: no sale.
    WHERE orders.kind = 'delivery' AND orders.shipped_at IS NOT NULL AND try_number(lines.shipped) > 0
    UNION ALL
    SELECT
        refunds.number AS sale_id,
        '1' AS line_no,
        -- Back on this place's shelf.
        refunds.restocked_at AS shelf,
        refunds.sku AS sku,
        CAST(NULL AS text) AS customer,
        refunds.refunded_at AS sold_at,
        'return' AS kind,
        'false' AS test,
        -try_number(refunds.quantity) AS quantity,
        refunds.price AS price,
        -try_number(refunds.discount_cents) AS discount_cents,
        -try_number(refunds.tax_cents) AS tax_cents,
        refunds.order_number AS original_sale_id,
        refunds.line AS original_line_no,
        refunds.updated_at AS updated_at
    FROM bronze.shop__refunds AS refunds
)

SELECT
    sale_id,
    line_no,
    'WEB' AS location_id,
    shelf AS fulfilled_from_location_id,
    sku AS product_id,
    customer AS customer_id,
    sold_at,
    kind AS sale_kind,
    test = 'true' AS is_test,
    quantity,
    -- Whole cents, the tax in them.
    mul(try_number(json_get(price, 'cents')), 0.01, 4) AS unit_price_amount,
    TRUE AS price_includes_tax,
    mul(discount_cents, 0.01, 4) AS discount_amount,
    mul(tax_cents, 0.01, 4) AS tax_amount,
    json_get(price, 'currency') AS currency_code,
    'online' AS channel,
    original_sale_id,
    original_line_no,
    updated_at
FROM told;
