-- Stock postings of the ERP; what the tills sold is posted here too, summed up.
SELECT
    postings.posting AS movement_id,
    postings.site AS location_id,
    postings.article AS product_id,
    postings.occurred_at AS occurred_at,
    CASE postings.type
        WHEN '561' THEN 'opening'
        WHEN '101' THEN 'receipt'
        WHEN '251' THEN 'sale'
        WHEN '301' THEN 'transfer_out'
        WHEN '302' THEN 'transfer_in'
        WHEN '701' THEN 'adjustment'
        WHEN '551' THEN 'write_off'
        ELSE postings.type
    END AS movement_kind,
    postings.quantity AS quantity,
    postings.unit_cost AS unit_cost_amount,
    postings.document AS document_id,
    postings.transfer AS transfer_id,
    postings.posted_at AS updated_at
FROM bronze.erp__postings AS postings;
