-- The companies that order.
SELECT
    customer.customer_id,
    'company' AS customer_type,
    customer.city,
    customer.country AS country_name
FROM bronze.rest__customers AS customer;
