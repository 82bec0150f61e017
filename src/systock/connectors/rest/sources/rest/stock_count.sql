-- The level that the products table states, as of its extract. Nobody says where: there is one warehouse.
SELECT
    product.product_id AS count_id,
    'main' AS location_id,
    product.product_id,
    product._extracted_at AS counted_at,
    'level' AS count_kind,
    product.units_in_stock AS quantity
FROM bronze.rest__products AS product;
