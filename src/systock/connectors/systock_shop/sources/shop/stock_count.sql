-- What the shop says is on hand, whatever is reserved of it: each answer states every level anew, and sets the balance.
SELECT
    levels.sku || ' ' || levels.location || ' ' || levels.updated_at AS count_id,
    levels.location AS location_id,
    levels.sku AS product_id,
    levels.updated_at AS counted_at,
    'level' AS count_kind,
    levels.on_hand AS quantity
FROM bronze.shop__inventory_levels AS levels;
