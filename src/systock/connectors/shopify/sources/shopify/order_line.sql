-- What of each order is still to be sent: Shopify calls it committed. available = on hand - reserved, over all locations.
WITH withdrawn AS (
    SELECT
        refunds.line_item_id AS line_item_id,
        SUM(try_number(refunds.quantity)) AS quantity
    FROM bronze.shopify__refund_lines AS refunds
    WHERE refunds.restock_type = 'cancel'
    GROUP BY refunds.line_item_id
)

SELECT
    lines.order_id AS order_id,
    lines.id AS line_no,
    COALESCE(lines.order_location_id, 'online') AS location_id,
    COALESCE(lines.variant_id, NULLIF(lines.sku, ''), lines.title) AS product_id,
    lines.order_customer_id AS customer_id,
    lines.order_processed_at AS ordered_at,
    lines.quantity AS ordered_quantity,
    CASE
        WHEN lines.order_cancelled_at IS NULL THEN try_number(lines.fulfillable_quantity)
        ELSE 0
    END AS reserved_quantity,
    -- What is neither taken back before it left nor still to be sent has been sent.
    CASE
        WHEN lines.order_cancelled_at IS NULL
            THEN try_number(lines.quantity) - try_number(lines.fulfillable_quantity) - COALESCE(withdrawn.quantity, 0)
        ELSE 0
    END AS shipped_quantity,
    CASE
        WHEN lines.order_cancelled_at IS NULL THEN COALESCE(withdrawn.quantity, 0)
        ELSE try_number(lines.quantity)
    END AS cancelled_quantity,
    lines.price AS unit_price_amount,
    lines.order_currency AS currency_code,
    'online' AS channel,
    lines.order_updated_at AS updated_at
FROM bronze.shopify__order_lines AS lines
LEFT JOIN withdrawn ON withdrawn.line_item_id = lines.id
WHERE lines.order_test <> 'true' AND lines.requires_shipping = 'true';
