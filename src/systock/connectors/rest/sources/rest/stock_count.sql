-- The levels that the products table states, as of each extract. Nobody says where: there is one warehouse.
SELECT
    product.product_id || ' ' || CAST(product._extracted_at AS text) AS count_id,
    'main' AS location_id,
    product.product_id,
    product._extracted_at AS counted_at,
    'level' AS count_kind,
    product.units_in_stock AS quantity
FROM bronze.rest__products AS product;
