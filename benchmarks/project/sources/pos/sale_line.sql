-- The sale lines of the tills. Times are the store's wall clock; prices and discounts hold the tax.
SELECT
    sales.receipt AS sale_id,
    sales.line AS line_no,
    sales.store AS location_id,
    sales.article AS product_id,
    sales.card AS customer_id,
    sales.sold_at AS sold_at_local,
    CASE sales.kind WHEN 'S' THEN 'sale' WHEN 'R' THEN 'return' ELSE sales.kind END AS sale_kind,
    sales.void AS is_void,
    sales.quantity AS quantity,
    sales.price AS unit_price_amount,
    TRUE AS price_includes_tax,
    sales.discount AS discount_amount,
    sales.tax AS tax_amount,
    sales.promotion AS promotion_id,
    sales.cashier AS employee_id,
    sales.changed_at AS updated_at
FROM bronze.pos__sales AS sales;
