-- Goods movements other than sales.
SELECT
    movements.beleg || '-' || movements.pos AS movement_id,
    movements.werk AS location_id,
    upper_ascii(NULLIF(TRIM(movements.artikel), '')) AS product_id,
    -- A wall clock with its offset is an instant.
    movements.gebucht AS occurred_at,
    CASE movements.art
        WHEN 'AB' THEN 'opening'
        WHEN 'WE' THEN 'receipt'
        WHEN 'RL' THEN 'supplier_return'
        WHEN 'UA' THEN 'transfer_out'
        WHEN 'UE' THEN 'transfer_in'
        WHEN 'KO' THEN 'adjustment'
        WHEN 'VE' THEN 'write_off'
        ELSE movements.art
    END AS movement_kind,
    -- Documents of goods that leave carry no sign. It is put before the text: the contract still judges what stands there.
    CASE WHEN movements.art IN ('UA', 'VE', 'RL') THEN '-' || movements.menge ELSE movements.menge END AS quantity,
    -- Empty: the product's base unit.
    NULLIF(movements.me, '') AS unit,
    NULLIF(movements.ek_preis, '') AS unit_cost_amount,
    NULLIF(movements.waehrung, '') AS currency_code,
    CASE movements.bestandsart WHEN 'D' THEN 'damaged' WHEN 'S' THEN 'hold' ELSE 'sellable' END AS stock_status,
    NULLIF(movements.charge, '') AS lot_id,
    NULLIF(movements.mhd, '') AS expiry_date,
    movements.beleg AS document_id,
    NULLIF(movements.umlagerung, '') AS transfer_id,
    -- When it was first filed: what came to the books after a count explains what was found there.
    movements.erfasst AS entered_at,
    movements.geaendert AS updated_at
FROM bronze.erp__movements AS movements;
