-- Products: one line per version, valid from `geaendert` on. Nested values of JSON arrive as JSON text.
SELECT
    products.art AS product_id,
    products.art AS sku,
    products.ean AS gtin,
    products.bezeichnung AS product_name,
    products.marke AS brand,
    json_get(products.warengruppe, '0') AS category_1,
    json_get(products.warengruppe, '1') AS category_2,
    json_get(products.warengruppe, '2') AS category_3,
    products.groesse AS size,
    products.farbe AS colour,
    products.lieferant AS supplier_id,
    products.basiseinheit AS base_unit,
    json_get(products.preis, 'betrag') AS list_price_amount,
    products.ek AS standard_cost_amount,
    json_get(products.preis, 'waehrung') AS currency_code,
    products.bestandsgefuehrt AS is_stocked,
    products.status AS status,
    products.geaendert AS updated_at
FROM bronze.erp__products AS products;
