-- Stores and the warehouse, from a weekly list.
SELECT
    locations.werk AS location_id,
    locations.bezeichnung AS location_name,
    CASE locations.typ
        WHEN 'F' THEN 'store' WHEN 'L' THEN 'warehouse' WHEN 'O' THEN 'online' ELSE locations.typ
    END AS location_type,
    locations.region AS region,
    locations.ort AS city,
    locations.land AS country_code,
    -- Wall clocks of this location are read in this zone; its business day begins at this time.
    locations.zeitzone AS timezone,
    locations.tageswechsel AS business_day_cutover,
    locations.waehrung AS currency_code,
    -- 05.01.2015: say how a date is written, and it becomes an ISO date.
    iso_date(locations.eroeffnet, '%d.%m.%Y') AS opened_date,
    -- 612,5: a decimal comma.
    REPLACE(locations.flaeche, ',', '.') AS floor_area_m2
FROM bronze.erp__locations AS locations;
