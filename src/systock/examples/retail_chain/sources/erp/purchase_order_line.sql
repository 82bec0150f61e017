-- Order lines to suppliers: each line comes again whenever it has changed.
SELECT
    orders.bestellung AS purchase_order_id,
    orders.pos AS line_no,
    orders.lieferant AS supplier_id,
    orders.werk AS location_id,
    orders.artikel AS product_id,
    orders.bestellt AS ordered_at,
    NULLIF(orders.liefertermin, '') AS expected_date,
    -- The day of delivery as the supplier first confirmed it: what punctuality is judged by.
    NULLIF(orders.bestaetigt_zum, '') AS first_confirmed_date,
    NULLIF(orders.bestaetigt, '') AS confirmed_at,
    NULLIF(orders.versandt, '') AS shipped_at,
    NULLIF(orders.eingang, '') AS received_at,
    orders.menge AS ordered_quantity,
    -- What came in, goods refused at the ramp included.
    orders.eingang_menge AS received_quantity,
    orders.abgelehnt AS rejected_quantity,
    NULLIF(orders.me, '') AS unit,
    orders.ek_preis AS unit_cost_amount,
    orders.status = 'S' AS is_cancelled,
    orders.status = 'E' AS is_closed,
    orders.geaendert AS updated_at
FROM bronze.erp__purchases AS orders;
