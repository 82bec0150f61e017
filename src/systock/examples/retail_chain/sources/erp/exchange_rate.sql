-- What one unit of a foreign currency is worth in EUR, from a working day on.
SELECT
    rates.von AS from_currency_code,
    rates.nach AS to_currency_code,
    rates.gueltig_ab AS rate_date,
    rates.kurs AS rate,
    rates.gemeldet AS updated_at
FROM bronze.erp__exchange_rates AS rates;
