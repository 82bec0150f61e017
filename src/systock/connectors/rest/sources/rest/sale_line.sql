-- The lines of the orders, each with its order's date and customer; a line waits until its order has come.
--
-- sold_at_local    the order's date: there is no time of day.
-- discount_amount  the discount is a fraction: price x quantity x fraction, exact in four decimals.
SELECT
    line.order_id AS sale_id,
    line.product_id AS line_no,
    'main' AS location_id,
    line.product_id,
    sale.customer_id,
    sale.order_date || ' 00:00:00' AS sold_at_local,
    line.quantity,
    line.unit_price AS unit_price_amount,
    mul(
        mul(try_number(line.unit_price), try_number(line.quantity), 4), try_number(line.discount), 4
    ) AS discount_amount,
    sale.employee_id
FROM bronze.rest__order_details AS line
INNER JOIN bronze.rest__orders AS sale
    ON sale.order_id = line.order_id;
