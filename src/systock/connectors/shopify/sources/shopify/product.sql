-- Variants are what is sold and stocked; the product is the style that they are variants of. A bundle is not stocked: its components are.
WITH bundle AS (
    SELECT SPLIT_PART(parts.bundle_id, '/', 5) AS variant_id
    FROM bronze.shopify__bundle_components AS parts
    GROUP BY SPLIT_PART(parts.bundle_id, '/', 5)
)

SELECT
    variants.id AS product_id,
    NULLIF(variants.sku, '') AS sku,
    NULLIF(variants.barcode, '') AS gtin,
    CASE
        WHEN variants.title = 'Default Title' THEN variants.product_title
        ELSE variants.product_title || ' / ' || variants.title
    END AS product_name,
    NULLIF(variants.product_vendor, '') AS brand,
    NULLIF(variants.product_type, '') AS category_1,
    variants.product_id AS parent_product_id,
    variants.price AS list_price_amount,
    -- Without inventory management nothing of it is counted.
    COALESCE(variants.inventory_management = 'shopify', FALSE) AND bundle.variant_id IS NULL AS is_stocked,
    variants.product_status AS status,
    variants.product_updated_at AS updated_at
FROM bronze.shopify__variants AS variants
LEFT JOIN bundle ON bundle.variant_id = variants.id;
