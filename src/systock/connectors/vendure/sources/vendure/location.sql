-- Places that keep stock, and the web shop, which sells and keeps none.
WITH places AS (
    SELECT
        locations.id AS location_id,
        locations.name AS location_name,
        'warehouse' AS location_type,
        locations.updated_at AS updated_at
    FROM bronze.vendure__stock_locations AS locations
    UNION ALL
    SELECT
        'online' AS location_id,
        'Web shop' AS location_name,
        'online' AS location_type,
        '1970-01-01T00:00:00Z' AS updated_at
    FROM bronze.vendure__global_settings AS settings
)

SELECT location_id, location_name, location_type, updated_at
FROM places;
