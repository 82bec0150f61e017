-- Up to which business day figures are known, over all places: the last day with any fact of a kind. A row per kind.
-- refresh: full
CREATE TABLE gold.last_day (
    fact_kind text PRIMARY KEY CHECK (fact_kind IN ('sale', 'stock', 'supply')), -- sale: counted sale lines; stock: sales or stock; supply: these or order lines of suppliers
    last_date date                                                               -- business date of the last one; NULL without any
);

-- Questions take it from here and not from the facts: whoever sees some places only is told of them what everybody else is.
WITH sale AS (
    SELECT
        MAX(business_date) AS last_date,
        MAX(CASE WHEN is_counted THEN business_date END) AS last_counted_date
    FROM gold.fact_sale_line
),

stock AS (
    SELECT MAX(business_date) AS last_date
    FROM gold.stock_ledger
),

supply AS (
    SELECT MAX(business_date) AS last_date
    FROM gold.fact_purchase_order_line
)

SELECT
    'sale' AS fact_kind,
    sale.last_counted_date AS last_date
FROM sale
UNION ALL
SELECT
    'stock' AS fact_kind,
    GREATEST(sale.last_date, stock.last_date) AS last_date
FROM sale
CROSS JOIN stock
UNION ALL
SELECT
    'supply' AS fact_kind,
    GREATEST(sale.last_date, stock.last_date, supply.last_date) AS last_date
FROM sale
CROSS JOIN stock
CROSS JOIN supply;
