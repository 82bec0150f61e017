-- Order lines as sold, and refunded lines as returns. As in Shopify's own sales reports a line counts when its order is placed.
WITH told AS (
    SELECT
        lines.order_id AS sale_id,
        lines.id AS line_no,
        lines.order_location_id AS location_id,
        -- A custom item has no variant.
        COALESCE(lines.variant_id, NULLIF(lines.sku, ''), lines.title) AS product_id,
        lines.order_customer_id AS customer_id,
        lines.order_processed_at AS sold_at,
        'sale' AS sale_kind,
        lines.order_test AS test,
        lines.order_cancelled_at AS cancelled_at,
        lines.order_financial_status AS financial_status,
        try_number(lines.quantity) AS quantity,
        try_number(lines.price) AS price,
        lines.order_taxes_included AS taxes_included,
        -- What discounts took from the line, those of the whole order too; five of each kind at most.
        COALESCE(try_number(json_get(lines.discount_allocations, '0.amount')), 0)
        + COALESCE(try_number(json_get(lines.discount_allocations, '1.amount')), 0)
        + COALESCE(try_number(json_get(lines.discount_allocations, '2.amount')), 0)
        + COALESCE(try_number(json_get(lines.discount_allocations, '3.amount')), 0)
        + COALESCE(try_number(json_get(lines.discount_allocations, '4.amount')), 0) AS discount,
        COALESCE(try_number(json_get(lines.tax_lines, '0.price')), 0)
        + COALESCE(try_number(json_get(lines.tax_lines, '1.price')), 0)
        + COALESCE(try_number(json_get(lines.tax_lines, '2.price')), 0)
        + COALESCE(try_number(json_get(lines.tax_lines, '3.price')), 0)
        + COALESCE(try_number(json_get(lines.tax_lines, '4.price')), 0) AS tax,
        lines.order_currency AS currency,
        lines.order_source_name AS source,
        CAST(NULL AS text) AS original_sale_id,
        CAST(NULL AS text) AS original_line_no,
        lines.order_updated_at AS updated_at
    FROM bronze.shopify__order_lines AS lines
    -- A gift card that is sold is money owed, no sale yet.
    WHERE lines.gift_card <> 'true'
    UNION ALL
    SELECT
        refunds.refund_id AS sale_id,
        refunds.id AS line_no,
        refunds.order_location_id AS location_id,
        COALESCE(
            json_get(refunds.line_item, 'variant_id'), NULLIF(json_get(refunds.line_item, 'sku'), ''),
            json_get(refunds.line_item, 'title')
        ) AS product_id,
        refunds.order_customer_id AS customer_id,
        refunds.refund_created_at AS sold_at,
        'return' AS sale_kind,
        refunds.order_test AS test,
        refunds.order_cancelled_at AS cancelled_at,
        refunds.order_financial_status AS financial_status,
        -try_number(refunds.quantity) AS quantity,
        try_number(json_get(refunds.line_item, 'price')) AS price,
        refunds.order_taxes_included AS taxes_included,
        -- What the price was less than what is given back.
        try_number(refunds.subtotal)
        - mul(try_number(refunds.quantity), try_number(json_get(refunds.line_item, 'price')), 4) AS discount,
        -try_number(refunds.total_tax) AS tax,
        refunds.order_currency AS currency,
        refunds.order_source_name AS source,
        refunds.order_id AS original_sale_id,
        refunds.line_item_id AS original_line_no,
        refunds.order_updated_at AS updated_at
    FROM bronze.shopify__refund_lines AS refunds
    WHERE json_get(refunds.line_item, 'gift_card') <> 'true'
)

SELECT
    sale_id,
    line_no,
    -- An order of the web has no location.
    COALESCE(location_id, 'online') AS location_id,
    product_id,
    customer_id,
    sold_at,
    sale_kind,
    test = 'true' AS is_test,
    cancelled_at IS NOT NULL OR financial_status = 'voided' AS is_void,
    quantity,
    price AS unit_price_amount,
    taxes_included = 'true' AS price_includes_tax,
    discount AS discount_amount,
    tax AS tax_amount,
    currency AS currency_code,
    CASE source WHEN 'web' THEN 'online' WHEN 'pos' THEN 'store' ELSE source END AS channel,
    original_sale_id,
    original_line_no,
    updated_at
FROM told;
