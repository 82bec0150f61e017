-- Payments of the receipts; where and when stands on the receipt.
SELECT
    tenders.receipt AS sale_id,
    tenders.tender_no AS tender_no,
    CASE tenders.method WHEN 'B' THEN 'cash' WHEN 'K' THEN 'card' WHEN 'G' THEN 'voucher' ELSE tenders.method END
        AS tender_method,
    tenders.amount AS amount,
    tenders.currency AS currency_code,
    tenders.changed_at AS updated_at
FROM bronze.pos__tenders AS tenders;
