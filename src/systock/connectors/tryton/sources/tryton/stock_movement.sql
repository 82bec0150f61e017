-- Moves that are done, each as what left the place that it comes from and what came to the place that it goes to; what lies within one
-- zone of a warehouse is none. What lies in the storage zone is sellable, what waits at the door (input, output) is on hold.
WITH place AS (
    SELECT
        locations.id AS id,
        locations.type AS type,
        CASE WHEN locations.type = 'storage' THEN locations.place END AS place,
        CASE locations.zone WHEN 'storage' THEN 'sellable' ELSE 'hold' END AS status
    FROM bronze.tryton__locations AS locations
),

done AS (
    SELECT
        moves.id AS id,
        moves.product AS product,
        moves.effective_date AS effective_date,
        moves.shipment AS shipment,
        moves.changed_at AS changed_at,
        mul(try_number(moves.internal_quantity), 1, 3) AS quantity,
        -- Of the product's own unit.
        mul_div(
            try_number(moves.unit_price), try_number(moves.quantity), try_number(moves.internal_quantity)
        ) AS unit_cost,
        moves.currency AS currency,
        source.type AS source_type,
        source.place AS source_place,
        source.status AS source_status,
        target.type AS target_type,
        target.place AS target_place,
        target.status AS target_status
    FROM bronze.tryton__moves AS moves
    INNER JOIN place AS source ON source.id = moves.from_location
    INNER JOIN place AS target ON target.id = moves.to_location
    WHERE moves.state = 'done'
),

moved AS (
    SELECT
        done.id || '/out' AS movement_id,
        done.source_place AS place,
        done.source_status AS status,
        done.product AS product,
        CASE done.target_type
            WHEN 'customer' THEN 'sale'
            WHEN 'supplier' THEN 'supplier_return'
            WHEN 'production' THEN 'production_out'
            WHEN 'storage' THEN 'transfer_out'
            ELSE 'adjustment'
        END AS kind,
        -done.quantity AS quantity,
        CAST(NULL AS numeric(18, 6)) AS unit_cost,
        CAST(NULL AS text) AS currency,
        done.id AS id,
        done.target_type AS other_type,
        done.shipment AS shipment,
        done.effective_date AS effective_date,
        done.changed_at AS changed_at
    FROM done
    WHERE
        done.source_place IS NOT NULL
        AND (
            done.target_place IS NULL
            OR done.target_place <> done.source_place
            OR done.target_status <> done.source_status
        )
    UNION ALL
    SELECT
        done.id || '/in' AS movement_id,
        done.target_place AS place,
        done.target_status AS status,
        done.product AS product,
        CASE done.source_type
            WHEN 'customer' THEN 'customer_return'
            WHEN 'supplier' THEN 'receipt'
            WHEN 'production' THEN 'production_in'
            WHEN 'storage' THEN 'transfer_in'
            ELSE 'adjustment'
        END AS kind,
        done.quantity AS quantity,
        CASE WHEN done.source_type = 'supplier' THEN done.unit_cost END AS unit_cost,
        CASE WHEN done.source_type = 'supplier' THEN done.currency END AS currency,
        done.id AS id,
        done.source_type AS other_type,
        done.shipment AS shipment,
        done.effective_date AS effective_date,
        done.changed_at AS changed_at
    FROM done
    WHERE
        done.target_place IS NOT NULL
        AND (
            done.source_place IS NULL
            OR done.target_place <> done.source_place
            OR done.target_status <> done.source_status
        )
)

SELECT
    moved.movement_id AS movement_id,
    moved.place AS location_id,
    moved.product AS product_id,
    -- A move has a date and no time.
    moved.effective_date || ' 00:00:00' AS occurred_at_local,
    moved.kind AS movement_kind,
    moved.quantity AS quantity,
    moved.unit_cost AS unit_cost_amount,
    moved.currency AS currency_code,
    moved.status AS stock_status,
    moved.shipment AS document_id,
    CASE WHEN moved.other_type = 'storage' THEN moved.id END AS transfer_id,
    moved.changed_at || 'Z' AS updated_at
FROM moved;
