-- What of each order is still to be sent: Shopify calls it committed. available = on hand - reserved, over all locations.
WITH sent AS (
    SELECT
        parts.id AS line_item_id,
        SUM(try_number(parts.quantity)) AS quantity
    FROM bronze.shopify__fulfillment_lines AS parts
    WHERE parts.fulfillment_status NOT IN ('cancelled', 'error', 'failure')
    GROUP BY parts.id
),

-- Lines of which an edit or an exchange brought every unit.
added AS (
    SELECT
        SPLIT_PART(json_get(agreed.lineitem, 'id'), '/', 5) AS line_item_id,
        SUM(try_number(agreed.quantity)) AS quantity,
        MIN(agreed.happened_at) AS happened_at
    FROM bronze.shopify__agreement_lines AS agreed
    WHERE agreed.linetype = 'PRODUCT' AND agreed.actiontype = 'ORDER' AND agreed.reason <> 'ORDER'
    GROUP BY SPLIT_PART(json_get(agreed.lineitem, 'id'), '/', 5)
)

SELECT
    lines.order_id AS order_id,
    lines.id AS line_no,
    COALESCE(lines.order_location_id, 'online') AS location_id,
    COALESCE(lines.variant_id, NULLIF(lines.sku, ''), lines.title) AS product_id,
    lines.order_customer_id AS customer_id,
    COALESCE(added.happened_at, lines.order_processed_at) AS ordered_at,
    lines.quantity AS ordered_quantity,
    CASE
        WHEN lines.order_cancelled_at IS NULL THEN try_number(lines.fulfillable_quantity)
        ELSE 0
    END AS reserved_quantity,
    CASE WHEN lines.order_cancelled_at IS NULL THEN COALESCE(sent.quantity, 0) ELSE 0 END AS shipped_quantity,
    -- What is neither sent nor still to be sent was taken off before it left.
    CASE
        WHEN lines.order_cancelled_at IS NULL
            THEN GREATEST(
                try_number(lines.quantity) - try_number(lines.fulfillable_quantity) - COALESCE(sent.quantity, 0), 0
            )
        ELSE try_number(lines.quantity)
    END AS cancelled_quantity,
    lines.price AS unit_price_amount,
    lines.order_currency AS currency_code,
    'online' AS channel,
    lines.order_updated_at AS updated_at
FROM bronze.shopify__order_lines AS lines
LEFT JOIN sent ON sent.line_item_id = lines.id
LEFT JOIN added ON added.line_item_id = lines.id AND added.quantity = try_number(lines.quantity)
WHERE lines.order_test <> 'true' AND lines.requires_shipping = 'true';
