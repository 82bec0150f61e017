-- The lines of the invoices, every one that was delivered.
--
-- line_no      the ordinal of the line within its invoice, in the order of the day's file; no invoice spans two files.
-- sale_kind    an invoice C… is a credit note: what it lists came back, or was given back. All others are sales, bad debt (A…) too:
--              a price below zero takes back what was invoiced earlier, so that net sales are those of the books.
-- is_void      negative lines that are on no credit note write stock off, at a price of 0 and with notes such as "damaged". They are
--              no sales: kept here, never counted, and stand as write-offs among the movements.
-- repeats      a line that repeats another one of its invoice word for word stays a line: a basket may be scanned item by item.
--              original_sale_id and original_line_no name the first of them, so that they can be told (serve.repeated_line).
-- customer_id  17850.0 is 17850.
WITH line AS (
    SELECT
        l.invoiceno,
        row_number() OVER (PARTITION BY l._file, l.invoiceno ORDER BY l._row) AS line_no,
        row_number() OVER (
            PARTITION BY l._file, l.invoiceno, l.stockcode, l.description, l.quantity, l.invoicedate, l.unitprice, l.customerid, l.country
            ORDER BY l._row
        ) AS repeat_no,
        min(l._row) OVER (
            PARTITION BY l._file, l.invoiceno, l.stockcode, l.description, l.quantity, l.invoicedate, l.unitprice, l.customerid, l.country
        ) AS first_row,
        l._file AS file,
        l._row AS file_row,
        l.stockcode,
        l.quantity,
        l.invoicedate,
        l.unitprice,
        l.customerid,
        l.country
    FROM bronze.shop__lines AS l
)

SELECT
    line.invoiceno AS sale_id,
    line.line_no,
    line.country AS location_id,
    upper_ascii(line.stockcode) AS product_id,
    regexp_replace(NULLIF(line.customerid, ''), '\.0$', '', 'g') AS customer_id,
    line.invoicedate AS sold_at_local,
    CASE WHEN line.invoiceno LIKE 'C%' THEN 'return' ELSE 'sale' END AS sale_kind,
    line.quantity LIKE '-%' AND line.invoiceno NOT LIKE 'C%' AS is_void,
    line.quantity,
    line.unitprice AS unit_price_amount,
    CASE WHEN line.repeat_no > 1 THEN line.invoiceno END AS original_sale_id,
    CASE WHEN line.repeat_no > 1 THEN min(line.line_no) OVER (PARTITION BY line.file, line.invoiceno, line.first_row) END AS original_line_no
FROM line;
