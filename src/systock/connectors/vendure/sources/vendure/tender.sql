-- What was paid and what was given back, tax and shipping included. A refund of lines stands with these returns, another one with its
-- order.
WITH returned AS (
    SELECT
        refunds.order_line_id AS order_line_id,
        SUBSTRING(refunds.created_at, 1, 19) AS refunded_at,
        MIN(refunds.refund_id) AS refund_id
    FROM bronze.vendure__refund_lines AS refunds
    WHERE refunds.state <> 'Failed'
    GROUP BY refunds.order_line_id, SUBSTRING(refunds.created_at, 1, 19)
),

-- The sale line of a refund over two payments has the name of one of them.
named AS (
    SELECT refunds.refund_id AS refund_id, MIN(returned.refund_id) AS returned_by
    FROM bronze.vendure__refund_lines AS refunds
    INNER JOIN returned
        ON returned.order_line_id = refunds.order_line_id
        AND returned.refunded_at = SUBSTRING(refunds.created_at, 1, 19)
    GROUP BY refunds.refund_id
),

paid AS (
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
        COALESCE('refund/' || named.returned_by, refunds.order_code) AS sale_id,
        'refund/' || refunds.id AS tender_no,
        refunds.payment_method AS tender_method,
        -try_number(refunds.total) AS amount,
        refunds.order_currency AS currency
    FROM bronze.vendure__refunds AS refunds
    LEFT JOIN named ON named.refund_id = refunds.id
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
