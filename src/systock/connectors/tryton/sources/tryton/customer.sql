-- Parties that something was sold to; no name is read.
SELECT
    parties.id AS customer_id,
    -- Tryton's timestamps are UTC without saying so.
    parties.changed_at || 'Z' AS updated_at
FROM bronze.tryton__parties AS parties
WHERE parties.buys = '1';
