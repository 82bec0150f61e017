-- What Vendure states to be on hand, whatever is allocated of it, as of the run that first saw it: each state sets the balance.
SELECT
    levels.id || ' ' || levels.updated_at || ' ' || levels.on_hand AS count_id,
    levels.location_id AS location_id,
    levels.variant_id AS product_id,
    -- A level that changed while the run read it holds from its change on, not from the beginning of the reading.
    CASE
        WHEN
            REPLACE(SUBSTRING(levels.updated_at, 1, 19), 'T', ' ')
            > SUBSTRING(CAST(utc_to_local(levels._extracted_at, 'UTC') AS text), 1, 19)
            THEN levels.updated_at
        ELSE CAST(levels._extracted_at AS text)
    END AS counted_at,
    'level' AS count_kind,
    levels.on_hand AS quantity
FROM bronze.vendure__stock_levels AS levels
-- The stock of a location that was deleted is elsewhere, or gone.
INNER JOIN bronze.vendure__stock_locations AS locations ON locations.id = levels.location_id
CROSS JOIN bronze.vendure__global_settings AS settings
WHERE
    levels.track_inventory = 'TRUE'
    OR (levels.track_inventory = 'INHERIT' AND settings.track_inventory = 'true');
