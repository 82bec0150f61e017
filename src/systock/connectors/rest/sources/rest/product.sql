-- The articles with the name of their category.
SELECT
    product.product_id,
    product.product_name,
    category.category_name AS category_1,
    product.supplier_id,
    product.unit_price AS list_price_amount,
    CASE product.discontinued WHEN '1' THEN 'discontinued' ELSE 'active' END AS status
FROM bronze.rest__products AS product
LEFT JOIN bronze.rest__categories AS category
    ON category.category_id = product.category_id;
