-- Counts by hand, after closing: they stand at the end of the business day.
SELECT
    sheets.beleg || '-' || sheets.zeile AS count_id,
    sheets.filiale AS location_id,
    upper_ascii(NULLIF(TRIM(sheets.artikel), '')) AS product_id,
    -- A workbook's dates arrive as ISO dates, its numbers in plain digits; what somebody typed as text stays as it is.
    SUBSTR(sheets.zaehldatum, 1, 10) AS counted_date,
    sheets.menge AS quantity
FROM bronze.counts__sheets AS sheets
-- Nobody counted the lines that stayed empty: they say nothing, not zero. What a WHERE drops is counted as left out.
WHERE sheets.menge IS NOT NULL;
