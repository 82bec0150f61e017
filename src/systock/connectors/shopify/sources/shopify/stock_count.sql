-- What is on hand, whatever is committed of it: each run states every level anew, and sets the balance.
SELECT
    levels.id || ' ' || CAST(levels._extracted_at AS text) AS count_id,
    levels.locations_id AS location_id,
    -- gid://shopify/ProductVariant/808950810
    SPLIT_PART(json_get(levels.item, 'variant.id'), '/', 5) AS product_id,
    levels._extracted_at AS counted_at,
    'level' AS count_kind,
    json_get(levels.on_hand, '0.quantity') AS quantity
FROM bronze.shopify__inventory_levels AS levels
-- Of a bundle Shopify reckons a level from its components: it is none of its own.
WHERE COALESCE(json_get(levels.item, 'variant.requiresComponents'), 'false') <> 'true';
