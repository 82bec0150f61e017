-- Goods written off: negative lines that are on no credit note. The balance that they change is not known.
SELECT
    l.invoiceno || '/' || l._row AS movement_id,
    l.country AS location_id,
    upper_ascii(l.stockcode) AS product_id,
    l.invoicedate AS occurred_at_local,
    'write_off' AS movement_kind,
    l.quantity,
    l.invoiceno AS document_id
FROM bronze.shop__lines AS l
WHERE l.quantity LIKE '-%' AND l.invoiceno NOT LIKE 'C%';
