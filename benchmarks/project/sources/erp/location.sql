-- Sites of the chain.
SELECT
    sites.site AS location_id,
    sites.name AS location_name,
    sites.region AS region,
    sites.country AS country_code,
    sites.timezone AS timezone,
    sites.opened_on AS opened_date,
    sites.area AS floor_area_m2,
    sites.changed_at AS updated_at
FROM bronze.erp__sites AS sites;
