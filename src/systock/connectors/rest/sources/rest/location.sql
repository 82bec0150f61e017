-- The one place that everything is shipped from. No table lists it, so nothing dates it: it is the same from the beginning.
SELECT DISTINCT
    'main' AS location_id,
    'Northwind Traders' AS location_name,
    'warehouse' AS location_type,
    '1996-01-01 00:00:00Z' AS updated_at
FROM bronze.rest__products AS product;
