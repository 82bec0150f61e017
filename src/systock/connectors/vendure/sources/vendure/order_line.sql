-- What of each order is still to be fulfilled: Vendure calls it allocated. available = on hand - reserved.
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

fulfilled AS (
    SELECT
        packed.order_line_id AS order_line_id,
        SUM(try_number(packed.quantity)) AS quantity,
        MAX(packed.changed_at) AS changed_at
    FROM bronze.vendure__fulfillment_lines AS packed
    WHERE packed.state <> 'Cancelled'
    GROUP BY packed.order_line_id
),

taken AS (
    SELECT cancelled_line.order_line_id AS order_line_id, cancelled_line.quantity AS quantity
    FROM cancelled_line
    UNION ALL
    SELECT change.order_line_id AS order_line_id, -change.quantity AS quantity
    FROM change
    WHERE change.quantity < 0
),

withdrawn AS (
    SELECT taken.order_line_id AS order_line_id, SUM(taken.quantity) AS quantity
    FROM taken
    GROUP BY taken.order_line_id
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
        lines.order_code AS order_code,
        lines.id AS id,
        COALESCE(used.location_id, 'online') AS location_id,
        json_get(lines.variant, 'id') AS product_id,
        lines.order_customer_id AS customer_id,
        lines.order_placed_at AS placed_at,
        lines.order_state AS state,
        try_number(lines.quantity) AS quantity,
        COALESCE(fulfilled.quantity, 0) AS fulfilled_quantity,
        fulfilled.changed_at AS fulfilled_at,
        COALESCE(withdrawn.quantity, 0) AS withdrawn_quantity,
        try_number(lines.unit_price) AS unit_price,
        lines.order_currency AS currency,
        COALESCE(
            NULLIF(json_get(lines.order_channels, '0.code'), '__default_channel__'),
            json_get(lines.order_channels, '1.code'), 'online'
        ) AS channel
    FROM bronze.vendure__order_lines AS lines
    LEFT JOIN fulfilled ON fulfilled.order_line_id = lines.id
    LEFT JOIN withdrawn ON withdrawn.order_line_id = lines.id
    LEFT JOIN used ON used.variant_id = json_get(lines.variant, 'id')
    -- An aggregate is the sum of its sellers' orders.
    WHERE lines.order_type <> 'Aggregate'
)

SELECT
    line.order_code AS order_id,
    line.id AS line_no,
    -- The place whose goods it takes, where there is only one that had any; Vendure does not say it.
    line.location_id AS location_id,
    line.product_id AS product_id,
    line.customer_id AS customer_id,
    line.placed_at AS ordered_at,
    CASE
        WHEN line.fulfilled_quantity >= line.quantity THEN line.fulfilled_at
    END AS shipped_at,
    line.quantity + line.withdrawn_quantity AS ordered_quantity,
    CASE
        WHEN line.state = 'Cancelled' OR line.fulfilled_quantity >= line.quantity THEN 0
        ELSE line.quantity - line.fulfilled_quantity
    END AS reserved_quantity,
    line.fulfilled_quantity AS shipped_quantity,
    -- What came back after it had left was shipped, not cancelled.
    CASE
        WHEN line.fulfilled_quantity > line.quantity
            THEN line.quantity + line.withdrawn_quantity - line.fulfilled_quantity
        ELSE line.withdrawn_quantity
    END AS cancelled_quantity,
    mul(
        line.unit_price,
        try_number(
            CASE json_get(settings.config, 'moneyStrategyPrecision')
                WHEN '0' THEN '1' WHEN '1' THEN '0.1' WHEN '2' THEN '0.01' WHEN '3' THEN '0.001' WHEN '4' THEN '0.0001'
            END
        ), 4
    ) AS unit_price_amount,
    line.currency AS currency_code,
    line.channel AS channel
FROM line
CROSS JOIN bronze.vendure__global_settings AS settings;
