-- Suppliers, from a weekly list without a date of change: a version is valid from the list that first showed it.
SELECT
    suppliers.lifnr AS supplier_id,
    suppliers.name1 AS supplier_name,
    suppliers.land1 AS country_code,
    suppliers.plifz AS agreed_lead_time_days
FROM bronze.erp__suppliers AS suppliers;
