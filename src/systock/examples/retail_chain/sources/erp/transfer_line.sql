-- Goods on their way from the warehouse to a store.
SELECT
    transfers.umlagerung AS transfer_id,
    transfers.pos AS line_no,
    transfers.von AS from_location_id,
    transfers.nach AS to_location_id,
    transfers.artikel AS product_id,
    transfers.versandt AS shipped_at,
    NULLIF(transfers.angekommen, '') AS received_at,
    transfers.menge AS shipped_quantity,
    transfers.ankunft_menge AS received_quantity,
    transfers.verloren AS lost_quantity,
    NULLIF(transfers.me, '') AS unit,
    transfers.spedition AS carrier,
    transfers.geaendert AS updated_at
FROM bronze.erp__transfers AS transfers;
