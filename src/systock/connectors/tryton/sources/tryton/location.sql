-- Warehouses, which in Tryton are the stores too, and what keeps goods outside of any, such as the transit between them. The zones and
-- shelves of a warehouse are the warehouse. Customers, suppliers, lost and found and production are no places but reasons.
SELECT
    locations.id AS location_id,
    locations.name AS location_name,
    CASE locations.type WHEN 'warehouse' THEN 'store' ELSE 'transit' END AS location_type
FROM bronze.tryton__locations AS locations
WHERE locations.type = 'warehouse' OR (locations.type = 'storage' AND locations.place = locations.id);
