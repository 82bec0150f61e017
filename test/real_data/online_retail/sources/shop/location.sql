-- The markets of the web shop: where an invoice's customer is. All are served from one place, in its time zone.
SELECT
    l.country AS location_id,
    l.country AS location_name,
    'online' AS location_type,
    CASE l.country
        WHEN 'Australia' THEN 'AU' WHEN 'Austria' THEN 'AT' WHEN 'Bahrain' THEN 'BH' WHEN 'Belgium' THEN 'BE' WHEN 'Brazil' THEN 'BR'
        WHEN 'Canada' THEN 'CA' WHEN 'Cyprus' THEN 'CY' WHEN 'Czech Republic' THEN 'CZ' WHEN 'Denmark' THEN 'DK' WHEN 'EIRE' THEN 'IE'
        WHEN 'Finland' THEN 'FI' WHEN 'France' THEN 'FR' WHEN 'Germany' THEN 'DE' WHEN 'Greece' THEN 'GR' WHEN 'Hong Kong' THEN 'HK'
        WHEN 'Iceland' THEN 'IS' WHEN 'Israel' THEN 'IL' WHEN 'Italy' THEN 'IT' WHEN 'Japan' THEN 'JP' WHEN 'Lebanon' THEN 'LB'
        WHEN 'Lithuania' THEN 'LT' WHEN 'Malta' THEN 'MT' WHEN 'Netherlands' THEN 'NL' WHEN 'Norway' THEN 'NO' WHEN 'Poland' THEN 'PL'
        WHEN 'Portugal' THEN 'PT' WHEN 'RSA' THEN 'ZA' WHEN 'Saudi Arabia' THEN 'SA' WHEN 'Singapore' THEN 'SG' WHEN 'Spain' THEN 'ES'
        WHEN 'Sweden' THEN 'SE' WHEN 'Switzerland' THEN 'CH' WHEN 'USA' THEN 'US' WHEN 'United Arab Emirates' THEN 'AE'
        WHEN 'United Kingdom' THEN 'GB'
    END AS country_code,
    '2010-12-01 00:00:00Z' AS updated_at
FROM bronze.shop__lines AS l
GROUP BY l.country;
