-- Units beside the base unit: how many pieces a case holds.
SELECT
    units.art AS product_id,
    units.einheit AS unit,
    units.faktor AS base_units,
    NULLIF(units.ean, '') AS barcode,
    units.geaendert AS updated_at
FROM bronze.erp__product_units AS units;
