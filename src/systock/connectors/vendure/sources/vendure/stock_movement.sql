-- What changed what is on hand. Allocations and releases change what is set aside only: that is in the orders.
--
-- The API does not say where a movement was. It is known for a variant that only one level was ever used of, and, where a second one
-- came later, until then. The others have their levels, which each run states.
WITH used AS (
    SELECT
        levels.variant_id AS variant_id,
        levels.location_id AS location_id,
        MIN(levels.created_at) AS created_at
    FROM bronze.vendure__stock_levels AS levels
    -- Vendure makes levels of 0 at every location beforehand: one that never changed was never used.
    WHERE levels.updated_at <> levels.created_at OR levels.on_hand <> '0' OR levels.allocated <> '0'
    GROUP BY levels.variant_id, levels.location_id
),

ranked AS (
    SELECT
        used.variant_id AS variant_id,
        used.location_id AS location_id,
        used.created_at AS created_at,
        ROW_NUMBER() OVER (PARTITION BY used.variant_id ORDER BY used.created_at, used.location_id) AS place_no
    FROM used
),

home AS (
    SELECT
        ranked.variant_id AS variant_id,
        MIN(CASE WHEN ranked.place_no = 1 THEN ranked.location_id END) AS location_id,
        MIN(CASE WHEN ranked.place_no = 2 THEN ranked.created_at END) AS until_at
    FROM ranked
    GROUP BY ranked.variant_id
)

SELECT
    movements.id AS movement_id,
    home.location_id AS location_id,
    movements.variants_id AS product_id,
    movements.created_at AS occurred_at,
    CASE movements.type
        WHEN 'SALE' THEN 'sale'
        WHEN 'ADJUSTMENT' THEN 'adjustment'
        -- Of goods that had been fulfilled: back on the shelf.
        ELSE 'customer_return'
    END AS movement_kind,
    movements.quantity AS quantity
FROM bronze.vendure__stock_movements AS movements
INNER JOIN bronze.vendure__variants AS variants ON variants.id = movements.variants_id
INNER JOIN home ON home.variant_id = movements.variants_id
INNER JOIN bronze.vendure__stock_locations AS locations ON locations.id = home.location_id
CROSS JOIN bronze.vendure__global_settings AS settings
WHERE
    movements.type IN ('ADJUSTMENT', 'SALE', 'CANCELLATION', 'RETURN')
    -- Movements of what is not tracked changed no level.
    AND (
        variants.track_inventory = 'TRUE'
        OR (variants.track_inventory = 'INHERIT' AND settings.track_inventory = 'true')
    )
    AND (home.until_at IS NULL OR movements.created_at < home.until_at);
