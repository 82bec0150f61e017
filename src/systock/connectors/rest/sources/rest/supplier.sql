-- The companies that the articles come from.
SELECT
    supplier.supplier_id,
    supplier.company_name AS supplier_name,
    CASE supplier.country
        WHEN 'Australia' THEN 'AU'
        WHEN 'Brazil' THEN 'BR'
        WHEN 'Canada' THEN 'CA'
        WHEN 'Denmark' THEN 'DK'
        WHEN 'Finland' THEN 'FI'
        WHEN 'France' THEN 'FR'
        WHEN 'Germany' THEN 'DE'
        WHEN 'Italy' THEN 'IT'
        WHEN 'Japan' THEN 'JP'
        WHEN 'Netherlands' THEN 'NL'
        WHEN 'Norway' THEN 'NO'
        WHEN 'Singapore' THEN 'SG'
        WHEN 'Spain' THEN 'ES'
        WHEN 'Sweden' THEN 'SE'
        WHEN 'UK' THEN 'GB'
        WHEN 'USA' THEN 'US'
    END AS country_code
FROM bronze.rest__suppliers AS supplier;
