-- Order lines as sold, and refunded lines as returns. As in Shopify's own sales reports a line counts when its order is placed, and what an edit
-- or an exchange adds or takes off when it does.
WITH line AS (
    SELECT
        lines.id AS id,
        lines.order_id AS order_id,
        lines.order_location_id AS location_id,
        -- A custom item has no variant.
        COALESCE(lines.variant_id, NULLIF(lines.sku, ''), lines.title) AS product_id,
        lines.order_customer_id AS customer_id,
        lines.order_processed_at AS processed_at,
        lines.order_test AS test,
        lines.order_cancelled_at AS cancelled_at,
        lines.order_financial_status AS financial_status,
        try_number(lines.quantity) AS quantity,
        try_number(lines.current_quantity) AS current_quantity,
        try_number(lines.price) AS price,
        lines.order_taxes_included AS taxes_included,
        -- What discounts took from the line, those of the whole order too; five of each kind at most.
        COALESCE(try_number(json_get(lines.discount_allocations, '0.amount')), 0)
        + COALESCE(try_number(json_get(lines.discount_allocations, '1.amount')), 0)
        + COALESCE(try_number(json_get(lines.discount_allocations, '2.amount')), 0)
        + COALESCE(try_number(json_get(lines.discount_allocations, '3.amount')), 0)
        + COALESCE(try_number(json_get(lines.discount_allocations, '4.amount')), 0) AS discount,
        COALESCE(try_number(json_get(lines.tax_lines, '0.price')), 0)
        + COALESCE(try_number(json_get(lines.tax_lines, '1.price')), 0)
        + COALESCE(try_number(json_get(lines.tax_lines, '2.price')), 0)
        + COALESCE(try_number(json_get(lines.tax_lines, '3.price')), 0)
        + COALESCE(try_number(json_get(lines.tax_lines, '4.price')), 0) AS tax,
        lines.order_currency AS currency,
        lines.order_source_name AS source,
        lines.order_updated_at AS updated_at
    FROM bronze.shopify__order_lines AS lines
    -- A gift card that is sold is money owed, no sale yet.
    WHERE lines.gift_card <> 'true'
),

agreed AS (
    SELECT
        lines.id AS agreement_line,
        SPLIT_PART(json_get(lines.lineitem, 'id'), '/', 5) AS line_item_id,
        lines.actiontype AS action,
        lines.reason AS reason,
        lines.happened_at AS happened_at,
        try_number(lines.quantity) AS quantity
    FROM bronze.shopify__agreement_lines AS lines
    WHERE lines.linetype = 'PRODUCT' AND lines.reason <> 'ORDER'
),

-- Units that an edit or an exchange added later, in the order of time.
added AS (
    SELECT
        agreed.line_item_id AS line_item_id,
        agreed.agreement_line AS agreement_line,
        agreed.happened_at AS happened_at,
        CASE agreed.reason WHEN 'RETURN' THEN 'exchange' ELSE 'sale' END AS kind,
        agreed.quantity AS quantity,
        SUM(agreed.quantity) OVER (PARTITION BY agreed.line_item_id) AS quantity_in_all,
        SUM(agreed.quantity) OVER (
            PARTITION BY agreed.line_item_id ORDER BY agreed.happened_at, agreed.agreement_line
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS quantity_so_far
    FROM agreed
    WHERE agreed.action = 'ORDER' AND agreed.quantity > 0
),

later AS (
    SELECT added.line_item_id AS line_item_id, SUM(added.quantity) AS quantity
    FROM added
    GROUP BY added.line_item_id
),

-- What of a line was sold when: from which of its units on, up to which.
part AS (
    SELECT
        line.id AS line_item_id,
        line.id AS line_no,
        line.processed_at AS sold_at,
        'sale' AS kind,
        0 AS from_quantity,
        line.quantity - COALESCE(later.quantity, 0) AS to_quantity
    FROM line
    LEFT JOIN later ON later.line_item_id = line.id AND later.quantity <= line.quantity
    UNION ALL
    SELECT
        line.id AS line_item_id,
        -- A line that was wholly added at once goes by its own number.
        CASE
            WHEN added.quantity = line.quantity THEN line.id
            ELSE line.id || '/' || SPLIT_PART(added.agreement_line, '/', 5)
        END AS line_no,
        added.happened_at AS sold_at,
        added.kind AS kind,
        line.quantity - added.quantity_in_all + added.quantity_so_far - added.quantity AS from_quantity,
        line.quantity - added.quantity_in_all + added.quantity_so_far AS to_quantity
    FROM line
    INNER JOIN added ON added.line_item_id = line.id AND added.quantity_in_all <= line.quantity
),

given_back AS (
    SELECT refunds.line_item_id AS line_item_id, SUM(try_number(refunds.quantity)) AS quantity
    FROM bronze.shopify__refund_lines AS refunds
    GROUP BY refunds.line_item_id
),

taken_off AS (
    SELECT agreed.line_item_id AS line_item_id, MAX(agreed.happened_at) AS happened_at
    FROM agreed
    WHERE agreed.action = 'RETURN'
    GROUP BY agreed.line_item_id
),

told AS (
    SELECT
        line.order_id AS sale_id,
        part.line_no AS line_no,
        line.location_id AS location_id,
        line.product_id AS product_id,
        line.customer_id AS customer_id,
        part.sold_at AS sold_at,
        part.kind AS sale_kind,
        line.test AS test,
        line.cancelled_at AS cancelled_at,
        line.financial_status AS financial_status,
        part.to_quantity - part.from_quantity AS quantity,
        line.price AS price,
        line.taxes_included AS taxes_included,
        -- Each part has its share of the line's, to the last cent of it.
        COALESCE(
            mul_div(line.discount, part.to_quantity, line.quantity)
            - mul_div(line.discount, part.from_quantity, line.quantity), line.discount
        ) AS discount,
        COALESCE(
            mul_div(line.tax, part.to_quantity, line.quantity)
            - mul_div(line.tax, part.from_quantity, line.quantity), line.tax
        ) AS tax,
        line.currency AS currency,
        line.source AS source,
        CAST(NULL AS text) AS original_sale_id,
        CAST(NULL AS text) AS original_line_no,
        line.updated_at AS updated_at
    FROM line
    INNER JOIN part ON part.line_item_id = line.id
    WHERE part.to_quantity > part.from_quantity OR line.quantity = 0
    UNION ALL
    SELECT
        refunds.refund_id AS sale_id,
        refunds.id AS line_no,
        refunds.order_location_id AS location_id,
        COALESCE(
            json_get(refunds.line_item, 'variant_id'), NULLIF(json_get(refunds.line_item, 'sku'), ''),
            json_get(refunds.line_item, 'title')
        ) AS product_id,
        refunds.order_customer_id AS customer_id,
        refunds.refund_created_at AS sold_at,
        'return' AS sale_kind,
        refunds.order_test AS test,
        refunds.order_cancelled_at AS cancelled_at,
        refunds.order_financial_status AS financial_status,
        -try_number(refunds.quantity) AS quantity,
        try_number(json_get(refunds.line_item, 'price')) AS price,
        refunds.order_taxes_included AS taxes_included,
        -- What the price was less than what is given back.
        try_number(refunds.subtotal)
        - mul(try_number(refunds.quantity), try_number(json_get(refunds.line_item, 'price')), 4) AS discount,
        -try_number(refunds.total_tax) AS tax,
        refunds.order_currency AS currency,
        refunds.order_source_name AS source,
        refunds.order_id AS original_sale_id,
        refunds.line_item_id AS original_line_no,
        refunds.order_updated_at AS updated_at
    FROM bronze.shopify__refund_lines AS refunds
    WHERE json_get(refunds.line_item, 'gift_card') <> 'true'
    UNION ALL
    -- Units that were taken off the order without a refund that says so.
    SELECT
        'removed/' || line.order_id AS sale_id,
        line.id AS line_no,
        line.location_id AS location_id,
        line.product_id AS product_id,
        line.customer_id AS customer_id,
        COALESCE(taken_off.happened_at, line.processed_at) AS sold_at,
        'return' AS sale_kind,
        line.test AS test,
        line.cancelled_at AS cancelled_at,
        line.financial_status AS financial_status,
        line.current_quantity + COALESCE(given_back.quantity, 0) - line.quantity AS quantity,
        line.price AS price,
        line.taxes_included AS taxes_included,
        mul_div(line.discount, line.current_quantity + COALESCE(given_back.quantity, 0) - line.quantity, line.quantity)
            AS discount,
        mul_div(line.tax, line.current_quantity + COALESCE(given_back.quantity, 0) - line.quantity, line.quantity)
            AS tax,
        line.currency AS currency,
        line.source AS source,
        line.order_id AS original_sale_id,
        line.id AS original_line_no,
        line.updated_at AS updated_at
    FROM line
    LEFT JOIN given_back ON given_back.line_item_id = line.id
    LEFT JOIN taken_off ON taken_off.line_item_id = line.id
    WHERE line.current_quantity + COALESCE(given_back.quantity, 0) < line.quantity
)

SELECT
    sale_id,
    line_no,
    -- An order of the web has no location.
    COALESCE(location_id, 'online') AS location_id,
    product_id,
    customer_id,
    sold_at,
    sale_kind,
    test = 'true' AS is_test,
    cancelled_at IS NOT NULL OR financial_status = 'voided' AS is_void,
    quantity,
    price AS unit_price_amount,
    taxes_included = 'true' AS price_includes_tax,
    discount AS discount_amount,
    tax AS tax_amount,
    currency AS currency_code,
    CASE source WHEN 'web' THEN 'online' WHEN 'pos' THEN 'store' ELSE source END AS channel,
    original_sale_id,
    original_line_no,
    updated_at
FROM told;
