-- The sale lines of the tills: this SELECT turns the raw table into the columns of the entity sale_line.
--
-- Read FROM bronze.<source>__<table>. Every raw column is text, just as it came; what the name of a column here is,
-- the entity's contract decides: it casts, checks, and sets aside the rows that break a rule, with the reason.
-- Columns that are left out are empty or take the contract's default; required are those below.
-- This mapping fits a file incoming/pos/sales_20260105.csv such as
--
--     receipt,line,store,article,sold_at,quantity,price
--     1001,1,S1,4711,2026-01-05 09:31:00,2,3.50
--
-- Other file names of this folder are other entities: product.sql, location.sql, stock_movement.sql, stock_count.sql ...
SELECT
    -- It names the receipt for good: where numbers begin anew each day, put store and day before it, as in
    --     sales.store || '/' || substr(sales.sold_at, 1, 10) || '/' || sales.receipt AS sale_id,
    sales.receipt AS sale_id,
    sales.line AS line_no,
    sales.store AS location_id,
    sales.article AS product_id,
    -- The wall clock of the store. A source that gives instants with an offset fills sold_at instead.
    sales.sold_at AS sold_at_local,
    sales.quantity AS quantity,
    sales.price AS unit_price_amount,
    -- A date such as 05/01/2026 09:31 is read by naming its form:
    --     iso_timestamp(sales.sold_at, '%d/%m/%Y %H:%M') AS sold_at_local,
    TRUE AS price_includes_tax
FROM bronze.pos__sales AS sales;
