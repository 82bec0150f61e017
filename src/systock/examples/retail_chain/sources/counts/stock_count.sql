-- Counts by hand, after closing: they stand at the end of the business day.
SELECT
    sheets.beleg || '-' || sheets.zeile AS count_id,
    sheets.filiale AS location_id,
    upper_ascii(NULLIF(TRIM(sheets.artikel), '')) AS product_id,
    iso_date(sheets.zaehldatum, '%d.%m.%Y') AS counted_date,
    -- 1.250,000: dots between thousands, a decimal comma.
    REPLACE(REPLACE(sheets.menge, '.', ''), ',', '.') AS quantity
FROM bronze.counts__sheets AS sheets
-- Nobody counted the lines that stayed empty: they say nothing, not zero. What a WHERE drops is counted as left out.
WHERE NULLIF(TRIM(sheets.menge), '') IS NOT NULL;
