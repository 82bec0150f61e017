-- Variants are what is sold and stocked; the template is the style that they are variants of.
SELECT
    products.id AS product_id,
    NULLIF(products.code, '') AS sku,
    products.name AS product_name,
    products.category AS category_1,
    products.template AS parent_product_id,
    units.name AS base_unit,
    products.list_price AS list_price_amount,
    -- Of consumables Tryton counts moves, but never looks whether there are any.
    products.type = 'goods' AND products.consumable = '0' AS is_stocked,
    CASE products.active WHEN '1' THEN 'active' ELSE 'inactive' END AS status
FROM bronze.tryton__products AS products
INNER JOIN bronze.tryton__units AS units ON units.id = products.unit;
