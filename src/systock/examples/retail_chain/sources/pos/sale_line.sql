-- The lines of the tills' receipts.
-- Every raw column is text, as it came. This SELECT says which column means what; types, checks and the quarantine for
-- rows that break a rule come from the contract of sale_line.
SELECT
    sales.receipt AS sale_id,
    sales.line AS line_no,
    -- The tills know store 01, the ERP calls it S01.
    'S' || sales.store_no AS location_id,
    -- Some tills send ab-001 where the ERP says AB-001. An empty code is no code: NULL breaks the contract's NOT NULL.
    upper_ascii(NULLIF(TRIM(sales.article), '')) AS product_id,
    NULLIF(sales.customer, '') AS customer_id,
    -- A wall clock without offset. The location's time zone, from the ERP's list, makes it an instant.
    sales.sold_at AS sold_at_local,
    -- A kind that is not listed here stays as it is, and the contract's CHECK sets the row aside.
    CASE sales.kind WHEN 'S' THEN 'sale' WHEN 'R' THEN 'return' ELSE sales.kind END AS sale_kind,
    sales.status = 'T' AS is_test,
    sales.status = 'V' AS is_void,
    -- Returns come with a minus sign already.
    sales.qty AS quantity,
    sales.unit_price AS unit_price_amount,
    sales.tax_included = 'Y' AS price_includes_tax,
    -- Promotion and this line's share of the basket discount, together.
    sales.discount AS discount_amount,
    sales.tax AS tax_amount,
    sales.currency AS currency_code,
    NULLIF(sales.promo, '') AS promotion_id,
    NULLIF(sales.orig_receipt, '') AS original_sale_id,
    NULLIF(sales.orig_line, '') AS original_line_no,
    sales.cashier AS employee_id,
    sales.changed_at AS updated_at
FROM bronze.pos__sales AS sales;
