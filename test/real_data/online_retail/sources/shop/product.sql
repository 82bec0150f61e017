-- The articles, as far as invoices tell: one per stock code, codes that differ in case folded into one.
--
-- product_name  the description most often written beside the code, the first in the alphabet of equally frequent ones. Other
--               texts are older names or notes on a single posting ("damaged", "wrongly marked").
-- is_stocked    postage, fees, manual entries, samples, discounts, commissions, bad debt and vouchers are no goods.
-- updated_at    invoices do not date a description: it holds from the beginning, and keeps its key when another one prevails.
WITH described AS (
    SELECT
        upper_ascii(l.stockcode) AS product_id,
        NULLIF(TRIM(l.description), '') AS product_name,
        COUNT(*) AS lines
    FROM bronze.shop__lines AS l
    GROUP BY upper_ascii(l.stockcode), NULLIF(TRIM(l.description), '')
),

ranked AS (
    SELECT
        described.product_id,
        described.product_name,
        row_number() OVER (
            PARTITION BY described.product_id
            ORDER BY CASE WHEN described.product_name IS NULL THEN 1 ELSE 0 END, described.lines DESC, described.product_name
        ) AS name_no
    FROM described
)

SELECT
    ranked.product_id,
    ranked.product_name,
    ranked.product_id NOT IN ('POST', 'DOT', 'C2', 'M', 'D', 'S', 'B', 'BANK CHARGES', 'AMAZONFEE', 'CRUK')
        AND ranked.product_id NOT LIKE 'GIFT%' AS is_stocked,
    '2010-12-01 00:00:00Z' AS updated_at
FROM ranked
WHERE ranked.name_no = 1;
