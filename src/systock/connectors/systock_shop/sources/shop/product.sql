-- Products: the API tells the latest state of each.
SELECT
    products.sku AS product_id,
    products.sku AS sku,
    products.title AS product_name,
    mul(try_number(json_get(products.price, 'cents')), 0.01, 4) AS list_price_amount,
    json_get(products.price, 'currency') AS currency_code,
    products.stocked = 'true' AS is_stocked,
    products.updated_at AS updated_at
FROM bronze.shop__products AS products;
