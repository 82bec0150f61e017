-- Web orders to be picked up in a store: reserved on its shelf until then.
SELECT
    orders.auftrag AS order_id,
    orders.pos AS line_no,
    orders.filiale AS location_id,
    orders.artikel AS product_id,
    NULLIF(orders.kunde, '') AS customer_id,
    -- The store's wall clock.
    orders.bestellt AS ordered_at_local,
    NULLIF(orders.abgeholt_am, '') AS shipped_at,
    orders.menge AS ordered_quantity,
    orders.reserviert AS reserved_quantity,
    orders.abgeholt AS shipped_quantity,
    orders.storniert AS cancelled_quantity,
    orders.preis AS unit_price_amount,
    orders.waehrung AS currency_code,
    'online' AS channel,
    orders.geaendert AS updated_at
FROM bronze.erp__web_orders AS orders;
