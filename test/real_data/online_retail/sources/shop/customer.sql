-- The customers, as their latest invoice has them; nine of them moved to another country.
WITH ranked AS (
    SELECT
        regexp_replace(l.customerid, '\.0$', '', 'g') AS customer_id,
        l.country AS country_name,
        row_number() OVER (
            PARTITION BY regexp_replace(l.customerid, '\.0$', '', 'g')
            ORDER BY l.invoicedate DESC, l.invoiceno DESC, l._file, l._row
        ) AS line_no
    FROM bronze.shop__lines AS l
    WHERE l.customerid <> ''
)

SELECT
    ranked.customer_id,
    ranked.country_name
FROM ranked
WHERE ranked.line_no = 1;
