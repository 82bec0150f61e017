-- Who orders: nothing personal is asked for.
SELECT
    customers.id AS customer_id,
    'person' AS customer_type,
    -- Who has no login bought as a guest.
    CASE WHEN customers.login IS NULL THEN 'guest' ELSE 'registered' END AS segment,
    customers.updated_at AS updated_at
FROM bronze.vendure__customers AS customers;
