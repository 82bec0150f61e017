-- What bundles are made of: gid://shopify/ProductVariant/808950810.
SELECT
    SPLIT_PART(parts.bundle_id, '/', 5) AS product_id,
    SPLIT_PART(json_get(parts.productvariant, 'id'), '/', 5) AS component_product_id,
    SUM(try_number(parts.quantity)) AS quantity
FROM bronze.shopify__bundle_components AS parts
GROUP BY SPLIT_PART(parts.bundle_id, '/', 5), SPLIT_PART(json_get(parts.productvariant, 'id'), '/', 5);
