-- Parties that something was bought from.
SELECT
    parties.id AS supplier_id,
    parties.supplier_name AS supplier_name
FROM bronze.tryton__parties AS parties
WHERE parties.sells = '1';
