-- Sales as Tryton's own sale reports count them: confirmed, processing or done, on the day of the sale, by what was moved or invoiced of
-- a line once that is known. Drafts, quotations and cancelled sales are none. A line of negative quantity gives goods back.
WITH told AS (
    SELECT
        sales.id AS sale_id,
        COALESCE(sales.number, 'sale ' || sales.id) AS sale_number,
        sales.warehouse AS warehouse,
        sales.party AS party,
        sales.sale_date AS sale_date,
        sales.currency AS currency,
        lines.id AS line_no,
        COALESCE(lines.product, 'without product') AS product,
        units.name AS unit,
        mul(try_number(COALESCE(lines.actual_quantity, lines.quantity)), 1, 3) AS quantity,
        lines.unit_price AS unit_price,
        CASE
            WHEN sales.origin LIKE 'sale.sale,%' THEN SPLIT_PART(sales.origin, ',', 2)
        END AS original
    FROM bronze.tryton__sale_lines AS lines
    INNER JOIN bronze.tryton__sales AS sales ON sales.id = lines.sale
    LEFT JOIN bronze.tryton__units AS units ON units.id = lines.unit
    WHERE lines.type = 'line' AND sales.state IN ('confirmed', 'processing', 'done')
),

-- A return is a copy of its sale: the line of the same product there, where there is only one.
sold AS (
    SELECT
        lines.sale AS sale_id,
        lines.product AS product,
        CASE WHEN MIN(lines.id) = MAX(lines.id) THEN MIN(lines.id) END AS line_no
    FROM bronze.tryton__sale_lines AS lines
    WHERE lines.type = 'line' AND lines.product IS NOT NULL
    GROUP BY lines.sale, lines.product
)

SELECT
    told.sale_number AS sale_id,
    told.line_no AS line_no,
    COALESCE(told.warehouse, 'none') AS location_id,
    told.product AS product_id,
    told.party AS customer_id,
    -- A sale has a date and no time.
    told.sale_date || ' 00:00:00' AS sold_at_local,
    CASE WHEN told.quantity < 0 THEN 'return' ELSE 'sale' END AS sale_kind,
    told.quantity AS quantity,
    CASE WHEN told.product <> 'without product' THEN told.unit END AS unit,
    told.unit_price AS unit_price_amount,
    told.currency AS currency_code,
    original.number AS original_sale_id,
    CASE WHEN original.number IS NOT NULL THEN sold.line_no END AS original_line_no
FROM told
LEFT JOIN bronze.tryton__sales AS original ON told.quantity < 0 AND original.id = told.original
LEFT JOIN sold ON told.quantity < 0 AND sold.sale_id = told.original AND sold.product = told.product
WHERE told.quantity <> 0;
