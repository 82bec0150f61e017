-- Places that keep stock or sell; orders of the web name none and stand under 'online'.
SELECT
    locations.id AS location_id,
    locations.name AS location_name,
    'store' AS location_type,
    locations.province AS region,
    locations.city AS city,
    locations.country_code AS country_code,
    locations.updated_at AS updated_at
FROM bronze.shopify__locations AS locations;
