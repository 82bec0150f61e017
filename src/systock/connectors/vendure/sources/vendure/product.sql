-- Variants are what is sold and stocked; the product is the style that they are variants of.
SELECT
    variants.id AS product_id,
    variants.sku AS sku,
    variants.name AS product_name,
    json_get(variants.product, 'id') AS parent_product_id,
    mul(
        try_number(variants.price),
        try_number(
            CASE json_get(settings.config, 'moneyStrategyPrecision')
                WHEN '0' THEN '1' WHEN '1' THEN '0.1' WHEN '2' THEN '0.01' WHEN '3' THEN '0.001' WHEN '4' THEN '0.0001'
            END
        ), 4
    ) AS list_price_amount,
    variants.currency AS currency_code,
    -- Of what is not tracked no level is kept.
    variants.track_inventory = 'TRUE'
    OR (variants.track_inventory = 'INHERIT' AND settings.track_inventory = 'true') AS is_stocked,
    CASE variants.enabled WHEN 'true' THEN 'enabled' ELSE 'disabled' END AS status,
    variants.updated_at AS updated_at
FROM bronze.vendure__variants AS variants
CROSS JOIN bronze.vendure__global_settings AS settings;
