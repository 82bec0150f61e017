-- Goods that the service desk took back; the columns are those of the tills.
SELECT
    returns.receipt AS sale_id,
    returns.line AS line_no,
    'S' || returns.store_no AS location_id,
    upper_ascii(NULLIF(TRIM(returns.article), '')) AS product_id,
    returns.sold_at AS sold_at_local,
    'return' AS sale_kind,
    returns.qty AS quantity,
    returns.unit_price AS unit_price_amount,
    returns.tax_included = 'Y' AS price_includes_tax,
    returns.discount AS discount_amount,
    returns.tax AS tax_amount,
    returns.currency AS currency_code,
    returns.cashier AS employee_id,
    returns.changed_at AS updated_at
FROM bronze.desk__returns AS returns;
