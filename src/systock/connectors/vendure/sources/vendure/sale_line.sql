-- Order lines as sold, and what was given back of them as returns. A line is sold when its order is placed, which in Vendure is when it
-- is paid or its payment authorized.
--
-- sale     what the line holds now and all that was withdrawn from it since (cancelled before it left, returned, or taken off by a
--          modification); what a modification added is sold when it did.
-- return   the lines of refunds; and what was withdrawn without a refund of the line.
-- amounts  whole minor units; a line is priced without tax where price x quantity gives Vendure's own amount, else with its tax.
WITH cancelled_line AS (
    SELECT cancelled.orderlineid AS order_line_id, SUM(try_number(cancelled.quantity)) AS quantity
    FROM bronze.vendure__cancelled_lines AS cancelled
    GROUP BY cancelled.orderlineid
),

-- By how much modifications changed a line since it was placed, by what it holds now.
modified_line AS (
    SELECT
        lines.id AS order_line_id,
        try_number(lines.quantity) - try_number(lines.placed_quantity)
        + COALESCE(cancelled_line.quantity, 0) AS quantity
    FROM bronze.vendure__order_lines AS lines
    LEFT JOIN cancelled_line ON cancelled_line.order_line_id = lines.id
),

modified AS (
    SELECT
        changes.order_line_id AS order_line_id,
        changes.modification_id AS modification_id,
        changes.modified_at AS modified_at,
        try_number(changes.quantity) AS quantity,
        SUM(try_number(changes.quantity)) OVER (PARTITION BY changes.order_line_id) AS quantity_in_all,
        ROW_NUMBER() OVER (
            PARTITION BY changes.order_line_id ORDER BY changes.modified_at DESC, changes.modification_id DESC
        ) AS from_last
    FROM bronze.vendure__modified_lines AS changes
),

-- Of units that were added to a line that was there Vendure 3.7 keeps the difference to what it held: where its parts are not the
-- whole, the last modification made it.
change AS (
    SELECT
        modified.order_line_id AS order_line_id,
        modified.modification_id AS modification_id,
        modified.modified_at AS modified_at,
        CASE
            WHEN modified.quantity_in_all = modified_line.quantity THEN modified.quantity
            WHEN modified.from_last = 1 THEN modified_line.quantity
            ELSE 0
        END AS quantity
    FROM modified
    INNER JOIN modified_line ON modified_line.order_line_id = modified.order_line_id
),

taken AS (
    SELECT
        'cancellation/' || cancelled.entry_id AS entry,
        cancelled.orderlineid AS order_line_id,
        cancelled.cancelled_at AS taken_at,
        try_number(cancelled.quantity) AS quantity
    FROM bronze.vendure__cancelled_lines AS cancelled
    UNION ALL
    SELECT
        'modification/' || change.modification_id AS entry,
        change.order_line_id AS order_line_id,
        change.modified_at AS taken_at,
        -change.quantity AS quantity
    FROM change
    WHERE change.quantity < 0
),

withdrawn AS (
    SELECT
        taken.entry AS entry,
        taken.order_line_id AS order_line_id,
        taken.taken_at AS taken_at,
        taken.quantity AS quantity,
        SUM(taken.quantity) OVER (
            PARTITION BY taken.order_line_id ORDER BY taken.taken_at, taken.entry
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS quantity_so_far
    FROM taken
),

withdrawn_line AS (
    SELECT withdrawn.order_line_id AS order_line_id, SUM(withdrawn.quantity) AS quantity
    FROM withdrawn
    GROUP BY withdrawn.order_line_id
),

-- Units that were added later, each addition a line of its own but that which the line began with.
added AS (
    SELECT
        change.order_line_id AS order_line_id,
        change.modification_id AS modification_id,
        change.modified_at AS modified_at,
        change.quantity AS quantity,
        ROW_NUMBER() OVER (
            PARTITION BY change.order_line_id ORDER BY change.modified_at, change.modification_id
        ) AS addition_no
    FROM change
    WHERE change.quantity > 0
),

-- A refund over two payments is two refunds with the same lines, made at once: one of them tells.
refunded AS (
    SELECT
        refunds.order_line_id AS order_line_id,
        MIN(refunds.refund_id) AS refund_id,
        MIN(refunds.created_at) AS refunded_at,
        MIN(try_number(refunds.quantity)) AS quantity
    FROM bronze.vendure__refund_lines AS refunds
    WHERE refunds.state <> 'Failed'
    GROUP BY refunds.order_line_id, SUBSTRING(refunds.created_at, 1, 19)
),

refunded_line AS (
    SELECT refunded.order_line_id AS order_line_id, SUM(refunded.quantity) AS quantity
    FROM refunded
    GROUP BY refunded.order_line_id
),

fulfilled_line AS (
    SELECT packed.order_line_id AS order_line_id
    FROM bronze.vendure__fulfillment_lines AS packed
    WHERE packed.state <> 'Cancelled'
    GROUP BY packed.order_line_id
),

used AS (
    SELECT
        levels.variant_id AS variant_id,
        CASE WHEN MIN(levels.location_id) = MAX(levels.location_id) THEN MIN(levels.location_id) END AS location_id
    FROM bronze.vendure__stock_levels AS levels
    WHERE levels.updated_at <> levels.created_at OR levels.on_hand <> '0' OR levels.allocated <> '0'
    GROUP BY levels.variant_id
),

line AS (
    SELECT
        lines.id AS id,
        lines.order_code AS order_code,
        json_get(lines.variant, 'id') AS product_id,
        -- Where its goods are, if they are at one place only; Vendure does not say which it takes them from.
        used.location_id AS shelf,
        lines.order_customer_id AS customer_id,
        lines.order_placed_at AS placed_at,
        -- Nothing of it ever left.
        lines.order_state = 'Cancelled' AND fulfilled_line.order_line_id IS NULL AS is_void,
        try_number(lines.quantity) AS quantity,
        COALESCE(withdrawn_line.quantity, 0) AS withdrawn_quantity,
        COALESCE(refunded_line.quantity, 0) AS refunded_quantity,
        try_number(lines.placed_quantity) AS placed_quantity,
        mul(try_number(lines.unit_price), try_number(lines.quantity), 4)
        <> try_number(lines.line_price) AS includes_tax,
        try_number(lines.unit_price) AS price,
        try_number(lines.unit_price_with_tax) AS price_with_tax,
        try_number(lines.prorated_unit_price) AS net_price,
        try_number(lines.prorated_unit_price_with_tax) AS paid_price,
        try_number(lines.prorated_line_price) AS net,
        try_number(lines.prorated_line_price_with_tax) AS paid,
        lines.order_currency AS currency,
        COALESCE(
            NULLIF(json_get(lines.order_channels, '0.code'), '__default_channel__'),
            json_get(lines.order_channels, '1.code'), 'online'
        ) AS channel
    FROM bronze.vendure__order_lines AS lines
    LEFT JOIN withdrawn_line ON withdrawn_line.order_line_id = lines.id
    LEFT JOIN refunded_line ON refunded_line.order_line_id = lines.id
    LEFT JOIN used ON used.variant_id = json_get(lines.variant, 'id')
    LEFT JOIN fulfilled_line ON fulfilled_line.order_line_id = lines.id
    -- An aggregate is the sum of its sellers' orders.
    WHERE lines.order_type <> 'Aggregate'
),

later AS (
    SELECT
        added.order_line_id AS order_line_id,
        added.modification_id AS modification_id,
        added.modified_at AS modified_at,
        added.quantity AS quantity
    FROM added
    INNER JOIN line ON line.id = added.order_line_id
    WHERE line.placed_quantity > 0 OR added.addition_no > 1
),

later_line AS (
    SELECT later.order_line_id AS order_line_id, SUM(later.quantity) AS quantity
    FROM later
    GROUP BY later.order_line_id
),

told AS (
    SELECT
        line.order_code AS sale_id,
        line.id AS line_no,
        line.product_id AS product_id,
        line.shelf AS shelf,
        line.customer_id AS customer_id,
        -- A line that a modification brought began with it.
        CASE WHEN line.placed_quantity > 0 THEN line.placed_at ELSE COALESCE(added.modified_at, line.placed_at) END
            AS sold_at,
        'sale' AS kind,
        line.is_void AS is_void,
        line.quantity + line.withdrawn_quantity - COALESCE(later_line.quantity, 0) AS quantity,
        line.includes_tax AS includes_tax,
        line.price AS price,
        line.price_with_tax AS price_with_tax,
        line.net + mul(line.withdrawn_quantity - COALESCE(later_line.quantity, 0), line.net_price, 4) AS net,
        line.paid + mul(line.withdrawn_quantity - COALESCE(later_line.quantity, 0), line.paid_price, 4) AS paid,
        line.currency AS currency,
        line.channel AS channel,
        CAST(NULL AS text) AS original_sale_id,
        CAST(NULL AS text) AS original_line_no
    FROM line
    LEFT JOIN later_line ON later_line.order_line_id = line.id
    LEFT JOIN added ON added.order_line_id = line.id AND added.addition_no = 1
    UNION ALL
    SELECT
        line.order_code AS sale_id,
        line.id || '/' || later.modification_id AS line_no,
        line.product_id AS product_id,
        line.shelf AS shelf,
        line.customer_id AS customer_id,
        later.modified_at AS sold_at,
        'sale' AS kind,
        line.is_void AS is_void,
        later.quantity AS quantity,
        line.includes_tax AS includes_tax,
        line.price AS price,
        line.price_with_tax AS price_with_tax,
        mul(later.quantity, line.net_price, 4) AS net,
        mul(later.quantity, line.paid_price, 4) AS paid,
        line.currency AS currency,
        line.channel AS channel,
        CAST(NULL AS text) AS original_sale_id,
        CAST(NULL AS text) AS original_line_no
    FROM later
    INNER JOIN line ON line.id = later.order_line_id
    UNION ALL
    SELECT
        'refund/' || refunded.refund_id AS sale_id,
        line.id AS line_no,
        line.product_id AS product_id,
        line.shelf AS shelf,
        line.customer_id AS customer_id,
        refunded.refunded_at AS sold_at,
        'return' AS kind,
        line.is_void AS is_void,
        -refunded.quantity AS quantity,
        line.includes_tax AS includes_tax,
        line.price AS price,
        line.price_with_tax AS price_with_tax,
        -mul(refunded.quantity, line.net_price, 4) AS net,
        -mul(refunded.quantity, line.paid_price, 4) AS paid,
        line.currency AS currency,
        line.channel AS channel,
        line.order_code AS original_sale_id,
        line.id AS original_line_no
    FROM refunded
    INNER JOIN line ON line.id = refunded.order_line_id
    UNION ALL
    SELECT
        withdrawn.entry AS sale_id,
        line.id AS line_no,
        line.product_id AS product_id,
        line.shelf AS shelf,
        line.customer_id AS customer_id,
        withdrawn.taken_at AS sold_at,
        'return' AS kind,
        line.is_void AS is_void,
        -CASE
            WHEN withdrawn.quantity_so_far - withdrawn.quantity >= line.refunded_quantity THEN withdrawn.quantity
            ELSE withdrawn.quantity_so_far - line.refunded_quantity
        END AS quantity,
        line.includes_tax AS includes_tax,
        line.price AS price,
        line.price_with_tax AS price_with_tax,
        -mul(
            CASE
                WHEN withdrawn.quantity_so_far - withdrawn.quantity >= line.refunded_quantity THEN withdrawn.quantity
                ELSE withdrawn.quantity_so_far - line.refunded_quantity
            END, line.net_price, 4
        ) AS net,
        -mul(
            CASE
                WHEN withdrawn.quantity_so_far - withdrawn.quantity >= line.refunded_quantity THEN withdrawn.quantity
                ELSE withdrawn.quantity_so_far - line.refunded_quantity
            END, line.paid_price, 4
        ) AS paid,
        line.currency AS currency,
        line.channel AS channel,
        line.order_code AS original_sale_id,
        line.id AS original_line_no
    FROM withdrawn
    INNER JOIN line ON line.id = withdrawn.order_line_id
    -- The oldest units are those that refunds tell of.
    WHERE withdrawn.quantity_so_far > line.refunded_quantity
),

minor AS (
    SELECT
        try_number(
            CASE json_get(settings.config, 'moneyStrategyPrecision')
                WHEN '0' THEN '1' WHEN '1' THEN '0.1' WHEN '2' THEN '0.01' WHEN '3' THEN '0.001' WHEN '4' THEN '0.0001'
            END
        ) AS unit
    FROM bronze.vendure__global_settings AS settings
)

SELECT
    told.sale_id AS sale_id,
    told.line_no AS line_no,
    'online' AS location_id,
    told.shelf AS fulfilled_from_location_id,
    told.product_id AS product_id,
    told.customer_id AS customer_id,
    told.sold_at AS sold_at,
    told.kind AS sale_kind,
    told.is_void AS is_void,
    told.quantity AS quantity,
    mul(CASE WHEN told.includes_tax THEN told.price_with_tax ELSE told.price END, minor.unit, 4) AS unit_price_amount,
    told.includes_tax AS price_includes_tax,
    mul(
        CASE
            WHEN told.includes_tax THEN mul(told.quantity, told.price_with_tax, 4) - told.paid
            ELSE mul(told.quantity, told.price, 4) - told.net
        END, minor.unit, 4
    ) AS discount_amount,
    mul(told.paid - told.net, minor.unit, 4) AS tax_amount,
    told.currency AS currency_code,
    told.channel AS channel,
    told.original_sale_id AS original_sale_id,
    told.original_line_no AS original_line_no
FROM told
CROSS JOIN minor;
