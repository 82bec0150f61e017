-- What was paid and what was given back, tax and shipping included. A refund of lines is paid with these returns, another one stands
-- with its order.
WITH paid AS (
    SELECT
        payments.order_code AS sale_id,
        'payment/' || payments.id AS tender_no,
        payments.method AS tender_method,
        try_number(payments.amount) AS amount,
        payments.order_currency AS currency
    FROM bronze.vendure__payments AS payments
    WHERE payments.state = 'Settled'
    UNION ALL
    SELECT
        CASE
            WHEN json_get(refunds.lines, '0.order_line_id') IS NULL THEN refunds.order_code
            ELSE 'refund/' || refunds.id
        END AS sale_id,
        'refund/' || refunds.id AS tender_no,
        refunds.payment_method AS tender_method,
        -try_number(refunds.total) AS amount,
        refunds.order_currency AS currency
    FROM bronze.vendure__refunds AS refunds
    WHERE refunds.state = 'Settled'
)

SELECT
    paid.sale_id AS sale_id,
    paid.tender_no AS tender_no,
    paid.tender_method AS tender_method,
    mul(
        paid.amount,
        try_number(
            CASE json_get(settings.config, 'moneyStrategyPrecision')
                WHEN '0' THEN '1' WHEN '1' THEN '0.1' WHEN '2' THEN '0.01' WHEN '3' THEN '0.001' WHEN '4' THEN '0.0001'
            END
        ), 4
    ) AS amount,
    paid.currency AS currency_code
FROM paid
CROSS JOIN bronze.vendure__global_settings AS settings;
